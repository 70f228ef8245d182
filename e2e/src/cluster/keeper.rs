//! Starts a control plane, keeps it while its owner lives, and leaves nothing behind: the work of the program
//! `local-control-plane`.
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::Api;
use serde::{Deserialize, Serialize};

use super::binaries;
use super::components::{Components, Ports};
use super::directory::{Directory, sweep};
use super::error::Error;
use super::kubeconfig::{Access, load};
use super::pki::{ADMIN_GROUP, Authority, Files};
use super::rights;
use crate::process::{Exit, Guarded, until};

/// The controllers that run when no others are asked for.
pub const DEFAULT_CONTROLLERS: &str =
    "garbagecollector,namespace,serviceaccount,serviceaccount-token,deployment,replicaset";
/// How often other ports are tried when somebody was faster in taking one.
const ATTEMPTS: u32 = 5;

/// What can be asked of a running keeper, one line each on its standard input; each is answered by one line.
pub const STOP_API_SERVER: &str = "stop-api-server";
/// The opposite of [`STOP_API_SERVER`].
pub const START_API_SERVER: &str = "start-api-server";
/// The answer when it is done; any other answer says why not.
pub const DONE: &str = "done";

/// What the keeper of a control plane is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long starting may take, building the programs not counted.
    pub ready_timeout: Duration,
    /// As in kube-controller-manager's `--controllers`.
    pub controllers: String,
    /// The address at which nodes find the API server; without one it is bound to loopback.
    pub advertise: Option<Ipv4Addr>,
}

/// Where a control plane is to be found: the line that the keeper prints when it is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Gives all rights.
    pub kubeconfig: PathBuf,
    /// Everything of this control plane is in here.
    pub dir: PathBuf,
    /// The API server's URL.
    pub server: String,
    /// One line of JSON for each request.
    pub audit_log: PathBuf,
    /// The Kubernetes programs.
    pub bin_dir: PathBuf,
}

/// A running control plane; dropping it ends it. The order of the fields is the order of their end.
pub struct ControlPlane {
    api_server: Option<Guarded>,
    controller_manager: Option<Guarded>,
    etcd: Guarded,
    client: kube::Client,
    ready: Ready,
    components: Components,
    ready_timeout: Duration,
    _directory: Directory,
}

impl ControlPlane {
    /// Starts one and waits until it works.
    pub async fn start(settings: &Settings) -> Result<Self, Error> {
        sweep()?;
        let binaries = binaries::directory().await?;
        let mut attempt = 1;
        loop {
            match Self::try_start(settings, binaries.clone()).await {
                Err(Error::Program(message)) if attempt < ATTEMPTS && message.contains("address already in use") => {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn try_start(settings: &Settings, binaries: PathBuf) -> Result<Self, Error> {
        let directory = Directory::create()?;
        let path = directory.path().to_owned();
        let authority = Authority::create(&path)?;
        let components = Components {
            binaries,
            files: Files::create(&path, &authority, settings.advertise)?,
            ports: Ports::pick()?,
            controllers: settings.controllers.clone(),
            advertise: settings.advertise,
            directory: path,
        };
        let ready = describe(&components, &authority)?;
        let etcd = components.etcd()?;
        let client = kube::Client::try_from(load(&ready.kubeconfig).await?)
            .map_err(super::error::kube_error("make a client"))?;
        let (ready_timeout, api_server) = (settings.ready_timeout, Some(components.api_server()?));
        let mut started = Self {
            api_server,
            controller_manager: None,
            etcd,
            client,
            ready,
            components,
            ready_timeout,
            _directory: directory,
        };
        started.wait_for_api_server().await?;
        started.controller_manager = started.components.controller_manager(&started.ready.kubeconfig)?;
        started.wait_for_controllers().await?;
        Ok(started)
    }

    /// Where it is.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Kills the API server: as in a crash, requests under way get no answer.
    pub fn stop_api_server(&mut self) {
        self.api_server = None;
    }

    /// Starts the API server again, at the same address, and waits until it works.
    pub async fn start_api_server(&mut self) -> Result<(), Error> {
        if self.api_server.is_none() {
            self.api_server = Some(self.components.api_server()?);
        }
        self.wait_for_api_server().await
    }

    /// Waits until a program ends that should not, and says which.
    pub async fn failed(&self) -> Error {
        tokio::select! {
            exit = self.etcd.ended() => ended("etcd", &exit, &self.etcd),
            error = end_of("kube-apiserver", self.api_server.as_ref()) => error,
            error = end_of("kube-controller-manager", self.controller_manager.as_ref()) => error,
        }
    }

    async fn wait_for_api_server(&self) -> Result<(), Error> {
        let timeout = self.ready_timeout;
        self.watched(until(timeout, "kube-apiserver gets ready", async || {
            let request = http::Request::get("/readyz").body(Vec::new()).map_err(std::io::Error::other)?;
            // Refused connections and unfinished hooks alike mean: not yet.
            Ok::<_, Error>(self.client.request_text(request).await.ok())
        }))
        .await
        .map(drop)
    }

    /// The default service account is made by a controller, hence proves that controllers work.
    async fn wait_for_controllers(&self) -> Result<(), Error> {
        if self.controller_manager.is_none() {
            return Ok(());
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), "default");
        let timeout = self.ready_timeout;
        self.watched(until(timeout, "kube-controller-manager works", async || {
            accounts.get_opt("default").await.map_err(super::error::kube_error("read the default service account"))
        }))
        .await
        .map(drop)
    }

    /// Waits for something that will not come any more once one of the programs has ended.
    async fn watched<T>(&self, waiting: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let outcome = tokio::select! {
            error = self.failed() => return Err(error),
            outcome = waiting => outcome,
        };
        outcome.map_err(|error| {
            let newest = self.controller_manager.as_ref().or(self.api_server.as_ref());
            Error::Program(format!("{error}; {}", newest.map(Guarded::tail).unwrap_or_default()))
        })
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let name = self.components.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Err(error) = rights::keep(&self.ready.audit_log, &name) {
            // Nobody left to tell.
            let _ = writeln!(io::stderr(), "local-control-plane: what operators used is not kept: {error}");
        }
    }
}

fn describe(components: &Components, authority: &Authority) -> Result<Ready, Error> {
    let credentials = authority.client("admin", &[ADMIN_GROUP])?;
    let kubeconfig = components.directory.join("admin.kubeconfig");
    let server = components.server();
    Access { server: &server, authority: Some(&authority.certificate), credentials: Some(&credentials), token: None }
        .write(&kubeconfig)?;
    Ok(Ready {
        kubeconfig,
        dir: components.directory.clone(),
        server,
        audit_log: components.audit_log(),
        bin_dir: components.binaries.clone(),
    })
}

/// The end of a program that may not be running at all.
async fn end_of(name: &str, program: Option<&Guarded>) -> Error {
    match program {
        Some(program) => ended(name, &program.ended().await, program),
        None => std::future::pending().await,
    }
}

fn ended(name: &str, exit: &Exit, program: &Guarded) -> Error {
    Error::Program(format!("{name} ended ({exit:?}); {}", program.tail()))
}
