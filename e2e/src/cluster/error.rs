//! What can go wrong with a control plane.
use std::io;

/// Why a control plane could not be started or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file, a process or a time limit.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file, a process or a time limit, with what was being done.
    #[error("{doing}")]
    Doing {
        /// What was being done.
        doing: String,
        /// What stood in the way.
        source: io::Error,
    },
    /// The API server refused or could not be reached.
    #[error("{doing}")]
    Kube {
        /// What was asked of it.
        doing: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// A kubeconfig is unusable.
    #[error("unusable kubeconfig")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The HTTP client towards the API server could not be made.
    #[error("cannot make an HTTP client")]
    Http(#[from] reqwest::Error),
    /// A document is not what it should be.
    #[error("cannot read {0}: {1}")]
    Document(String, String),
    /// A program of the control plane ended or complained.
    #[error("{0}")]
    Program(String),
    /// This kind of cluster cannot do it.
    #[error("{0}")]
    Unsupported(String),
}

/// Attaches what was being done to a failure of the API server.
pub(super) fn kube_error(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Kube { doing, source: Box::new(source) }
}

/// Attaches what was being done to a failure of the operating system.
pub(super) fn io_error(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let doing = doing.into();
    move |source| Error::Doing { doing, source }
}
