//! What this machine has to have. Nothing is installed here: that is for its owner to do.

use super::Error;
use crate::process::in_path;
use std::path::Path;

/// Programs, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 9] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("runc", "runc"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("buildah", "buildah"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
];
/// Where Debian keeps network plug-ins.
pub(super) const PLUGINS: &str = "/usr/lib/cni";
/// The image of every pod's first container.
pub(super) const PAUSE: &str = "pause.tar";
/// The image under test.
pub(super) const OPERATOR: &str = "image.tar";
/// The same under another tag.
pub(super) const NEXT: &str = "next.tar";

/// Fails with what to do about everything that is missing.
pub(super) fn check(images: &Path) -> Result<(), Error> {
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        return Err("a node needs Linux and root".into());
    }
    let mut missing: Vec<_> =
        PROGRAMS.into_iter().filter(|(program, _)| in_path(program).is_none()).map(|(_, it)| it).collect();
    if !Path::new(PLUGINS).join("bridge").is_file() {
        missing.push("containernetworking-plugins");
    }
    missing.dedup();
    if !missing.is_empty() {
        return Err(format!("missing: 'apt-get install --no-install-recommends {}'", missing.join(" ")).into());
    }
    let built = |name: &&str| images.join(name).is_file();
    match [PAUSE, OPERATOR, NEXT].iter().find(|name| !built(name)) {
        Some(name) => Err(format!("no {}: run this by 'make e2e-node'", images.join(name).display()).into()),
        None => Ok(()),
    }
}
