//! What happens in the namespaces: the control plane, Qlik Cloud and the node start, and every scenario runs.

use super::ground::{Ambush, Ground};
use super::kubernetes::{Node, isolate};
use super::requirements::{NEXT, OPERATOR, PAUSE};
use super::{Error, network, scenarios};
use crate::cluster::Cluster;
use crate::playground::{Screen, workspace};
use crate::sim::{Config, Sim};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs everything once, as the first process of a process id namespace.
pub async fn run(directory: &Path, images: &Path, many: usize) -> Result<(), Error> {
    if std::process::id() != 1 {
        return Err("this part runs in namespaces of its own: start it by 'make e2e-node'".into());
    }
    std::env::set_current_dir(workspace())?;
    let screen = Screen::of_stdout();
    let since = Instant::now();
    isolate(directory).await?;
    network::lay().await?;
    let starting = Box::pin(start(directory, images, many));
    let ground = screen.during("starting the control plane and the node", starting).await?;
    screen
        .proven(&format!("the control plane works and the node is ready ({:.1} s)", since.elapsed().as_secs_f64()))?;
    let outcome = Box::pin(scenarios::all(&ground, &screen)).await;
    let since = Instant::now();
    drop(ground);
    screen.aside(&format!("Ended in {:.1} s.", since.elapsed().as_secs_f64()))?;
    outcome
}

async fn start(directory: &Path, images: &Path, many: usize) -> Result<Ground, Error> {
    let cluster = Cluster::for_nodes(network::WORLD).await?;
    let name = directory.file_name().and_then(|name| name.to_str()).ok_or("a directory without a name")?;
    let files: Vec<PathBuf> = [PAUSE, OPERATOR, NEXT].iter().map(|name| images.join(name)).collect();
    let node = Node::start(&cluster, (directory, name), &files).await?;
    let ambush = Ambush::default();
    let sim = Sim::start(Config {
        listen: Some(format!("{}:0", network::WORLD)),
        listen_admin: None,
        tls_dir: Some(directory.join("qlik")),
        after_request: Some(ambush.hook()),
        ..Config::default()
    })?;
    Ok(Ground { node, client: cluster.admin()?, cluster, sim, ambush, directory: directory.to_owned(), many })
}
