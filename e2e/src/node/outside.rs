//! Starts the world in its namespaces, and sees to it that it ends.

use super::caretaker::Caretaker;
use super::{Error, cgroups, requirements};
use crate::cluster::binaries::{self, Helm};
use crate::cluster::directory::Directory;
use crate::playground::workspace;
use crate::process::{NAMESPACE_OWNER_VARIABLE, Stop, own_mark, sibling};
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use tokio::process::Command;

/// What the world gets of its own. Its processes are killed with the first of them, that one with unshare.
const NAMESPACES: [&str; 8] = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"];
/// There is nobody's proxy in there.
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
/// What a shell reports of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs the whole test with so many tenants, and leaves nothing behind.
pub async fn supervise(tenants: usize) -> Result<ExitCode, Error> {
    let images = images();
    requirements::check(&images)?;
    // In there is no network to fetch their sources from.
    binaries::directory().await?;
    binaries::helm(Helm::V4).await?;
    let mut stop = Stop::new()?;
    let directory = Directory::create()?;
    let cgroup = directory.path().file_name().and_then(|name| name.to_str()).ok_or("a directory without a name")?;
    let (path, cgroup) = (directory.path().to_owned(), cgroup.to_owned());
    let caretaker = Caretaker::start(&path, &cgroup)?;
    cgroups::create(&cgroup)?;
    let mut command = Command::new(sibling("guard")?);
    // The guard asks the kernel to kill unshare with this process, and becomes it.
    command.arg("--exec").arg(std::process::id().to_string()).arg("unshare").args(NAMESPACES);
    command.arg(std::env::current_exe()?).arg("world").arg(&path).arg(&images).arg(tenants.to_string());
    for variable in PROXIES {
        command.env_remove(variable);
    }
    // A group of its own: Ctrl-C reaches this process alone, which then ends all others.
    command.env(NAMESPACE_OWNER_VARIABLE, own_mark()?).process_group(0).stdin(Stdio::null());
    let mut world = command.spawn()?;
    let code = tokio::select! {
        ended = world.wait() => ended?.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        () = stop.asked() => {
            world.kill().await?;
            ExitCode::from(INTERRUPTED)
        }
    };
    drop(directory);
    caretaker.finish()?;
    Ok(code)
}

/// Where `make image` puts them.
fn images() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("image")
}
