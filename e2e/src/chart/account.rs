//! The container of an installed Deployment, run as a process: its arguments and environment as they are, its volumes as
//! directories, its service account by a token.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, EnvVar, KeyToPath, PodSpec, Secret, Volume};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::Api;

use crate::cluster::{Cluster, Identity};
use crate::process::{Guarded, Launch, sibling};
use crate::stage::address;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A container about to be started.
pub struct Container {
    /// What the pod is in the cluster.
    pub identity: Identity,
    /// The arguments.
    pub args: Vec<String>,
    /// The environment, with the paths of volumes as they are on this machine.
    pub env: BTreeMap<String, String>,
    /// The paths that the kubelet asks, each on the port that the process listens at.
    pub probes: Vec<String>,
}

impl Container {
    /// Reads a Deployment from the cluster; what its volumes hold is put below the directory.
    pub async fn of(cluster: &Cluster, (namespace, name): (&str, &str), directory: &Path) -> Result<Self, Error> {
        let deployments: Api<Deployment> = Api::namespaced(cluster.admin()?, namespace);
        let found = deployments.get(name).await?;
        let pod = found.spec.and_then(|spec| spec.template.spec).ok_or("the Deployment has no pod")?;
        let account = pod.service_account_name.as_deref().unwrap_or("default");
        let identity = cluster.service_account(namespace, account).await?;
        let mounts = mount(cluster, namespace, &pod, directory).await?;
        let container = pod.containers.into_iter().next().ok_or("the pod has no container")?;
        let mut env = BTreeMap::new();
        for variable in container.env.unwrap_or_default() {
            let value = expand(&value(&variable, namespace)?, &env);
            let value = mounts.iter().fold(value, |value, (path, local)| value.replace(path.as_str(), local));
            env.insert(variable.name, value);
        }
        let listens = env.get("QLIK_OPERATOR_LISTEN").and_then(|address| address.rsplit(':').next());
        let port = container.ports.iter().flatten().find(|port| Some(&*port.container_port.to_string()) == listens);
        let port = port.and_then(|port| port.name.clone()).ok_or("the process listens at no port of the container")?;
        let probes = [container.startup_probe, container.liveness_probe, container.readiness_probe];
        let asked = probes.into_iter().flatten().filter_map(|probe| probe.http_get);
        let probes = asked.filter(|ask| ask.port == IntOrString::String(port.clone())).filter_map(|ask| ask.path);
        let probes = probes.collect();
        let args = container.args.unwrap_or_default().iter().map(|arg| expand(arg, &env)).collect();
        Ok(Self { identity, args, env, probes })
    }

    /// Starts it with its log in this directory, and waits until it serves; answers where.
    pub async fn start(&self, directory: &Path) -> Result<(Guarded, String), Error> {
        let process = self.launch()?.spawn(directory.join("log"))?;
        let address = address(&process, "serving /livez").await?;
        Ok((process, address))
    }

    /// The program, with nothing in its environment but what the Deployment says. A pod has its addresses to itself, so
    /// here the ports are any that are free.
    fn launch(&self) -> Result<Launch, Error> {
        let mut launch = Launch::new(sibling("operator-under-test")?).env_clear().args(&self.args);
        for (name, value) in &self.env {
            let value = if name.ends_with("_LISTEN") { "127.0.0.1:0" } else { value.as_str() };
            launch = launch.env(name, value);
        }
        Ok(launch.env("KUBECONFIG", self.identity.kubeconfig()))
    }
}

fn value(variable: &EnvVar, namespace: &str) -> Result<String, Error> {
    let field = variable.value_from.as_ref().and_then(|from| from.field_ref.as_ref());
    match (&variable.value, field.map(|field| field.field_path.as_str())) {
        (Some(value), None) => Ok(value.clone()),
        (None, Some("metadata.namespace")) => Ok(namespace.to_owned()),
        (value, field) => Err(format!("{} is {value:?} from {field:?}", variable.name).into()),
    }
}

/// Puts what earlier variables hold in place of `$(NAME)`, as the kubelet does.
fn expand(text: &str, earlier: &BTreeMap<String, String>) -> String {
    earlier.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

/// Makes a directory of each volume; says which path in the container it stands for.
async fn mount(
    cluster: &Cluster,
    namespace: &str,
    pod: &PodSpec,
    directory: &Path,
) -> Result<Vec<(String, String)>, Error> {
    let mut places = Vec::new();
    for volume in pod.volumes.iter().flatten() {
        let local = directory.join(&volume.name);
        fill(cluster, namespace, volume, &local).await?;
        let mounts = pod.containers.iter().flat_map(|container| container.volume_mounts.iter().flatten());
        for mount in mounts.filter(|mount| mount.name == volume.name) {
            places.push((mount.mount_path.clone(), local.display().to_string()));
        }
    }
    Ok(places)
}

async fn fill(cluster: &Cluster, namespace: &str, volume: &Volume, local: &PathBuf) -> Result<(), Error> {
    fs::create_dir_all(local)?;
    let client = cluster.admin()?;
    if let Some(source) = &volume.secret {
        let name = source.secret_name.as_deref().unwrap_or_default();
        let found = Api::<Secret>::namespaced(client, namespace).get_opt(name).await?;
        if found.is_none() && source.optional != Some(true) {
            return Err(format!("Secret {name} of volume {} is not there", volume.name).into());
        }
        let data = found.and_then(|secret| secret.data).unwrap_or_default();
        let data = data.into_iter().map(|(key, value)| (key, value.0)).collect();
        return write(local, source.items.as_deref(), &data);
    }
    let source = volume.config_map.as_ref().ok_or("neither a Secret nor a ConfigMap")?;
    let found = Api::<ConfigMap>::namespaced(client, namespace).get(&source.name).await?;
    let data = found.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
    write(local, source.items.as_deref(), &data)
}

fn write(local: &Path, items: Option<&[KeyToPath]>, data: &BTreeMap<String, Vec<u8>>) -> Result<(), Error> {
    let items: Vec<_> = match items {
        Some(items) => items.iter().map(|item| (item.key.as_str(), item.path.as_str())).collect(),
        None => data.keys().map(|key| (key.as_str(), key.as_str())).collect(),
    };
    for (key, path) in items {
        if let Some(content) = data.get(key) {
            fs::write(local.join(path), content)?;
        }
    }
    Ok(())
}
