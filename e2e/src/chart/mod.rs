//! The Helm chart as helm renders it, and the files of the repository that are made from it.
mod account;
pub mod files;
pub mod reference;
mod rendering;
pub mod rules;
mod values;

use std::path::{Path, PathBuf};

pub use account::Container;
pub use rendering::{Document, Release, documents};
pub use values::{Value, values};

use crate::cluster;

/// Anything that can go wrong with the chart.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// helm could not be built or run.
    #[error("helm cannot be used")]
    Helm(#[from] cluster::Error),
    /// A file or a program.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// helm refused.
    #[error("{0}")]
    Refused(String),
    /// A document is not what it should be.
    #[error("{0}")]
    Document(String),
}

/// The top of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The chart's folder.
pub fn folder() -> PathBuf {
    repository().join("charts/qlik-operator")
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Io(format!("read {}", path.display()), error))
}
