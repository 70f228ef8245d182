//! What the kernel says about the operator's process.

use super::fact;
use crate::node::Error;
use crate::node::ground::{Ground, SYSTEM};
use crate::node::pod::Pod;
use std::fs;
use std::os::unix::fs::MetadataExt;

/// The image's user, and its group.
const USER: u32 = 65532;

pub(super) async fn run(ground: &Ground) -> Result<Vec<String>, Error> {
    let pod = Pod::ready(ground).await?;
    let (user, group) = (pod.status("Uid")?, pod.status("Gid")?);
    let (capabilities, bounding) = (pod.status("CapEff")?, pod.status("CapBnd")?);
    let (privileges, seccomp) = (pod.status("NoNewPrivs")?, pod.status("Seccomp")?);
    let nobody = "65532 65532 65532 65532";
    let none = |set: &str| set.chars().all(|digit| digit == '0');
    Ok(vec![
        fact(format!("its user ids are {user}, its group ids {group}"), user == nobody && group == nobody)?,
        fact(
            format!("its capabilities are {capabilities}, at most {bounding}"),
            none(&capabilities) && none(&bounding),
        )?,
        fact(format!("no new privileges: {privileges}; system calls filtered: {seccomp}"), {
            privileges == "1" && seccomp == "2"
        })?,
        read_only(&pod)?,
        no_shell(ground, &pod).await?,
    ])
}

/// Every place that is mounted writable must be one that the kernel or Kubernetes makes for each container, or belong to
/// somebody else.
fn read_only(pod: &Pod) -> Result<String, Error> {
    let mounts = pod.mounts()?;
    let is_writable = |options: &str| options.split(',').any(|option| option == "rw");
    let root = mounts.iter().find(|(place, _)| place == "/").ok_or("no root")?;
    let given = ["/proc", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
    let is_given = |place: &str| given.iter().any(|own| place == *own || place.starts_with(&format!("{own}/")));
    let mut writable = Vec::new();
    for (place, _) in mounts.iter().filter(|(place, options)| is_writable(options) && !is_given(place)) {
        let metadata = fs::metadata(format!("/proc/{}/root{place}", pod.process))?;
        let (mode, owned) = (metadata.mode(), metadata.uid() == USER);
        let by_owner = owned && mode & 0o200 != 0;
        let by_group = metadata.gid() == USER && mode & 0o020 != 0;
        if by_owner || by_group || mode & 0o002 != 0 {
            writable.push(place);
        }
    }
    fact(format!("its root is mounted read-only; places of its own that it could write to: {}", writable.len()), {
        !is_writable(&root.1) && writable.is_empty()
    })
}

async fn no_shell(ground: &Ground, pod: &Pod) -> Result<String, Error> {
    let args = ["exec", "--namespace", SYSTEM, &pod.name, "--", "/bin/sh", "-c", "echo inside"];
    let output = ground.cluster.kubectl(&args, "").await?;
    fact("there is no shell to run in it".to_owned(), {
        !output.success() && !output.stdout.contains("inside") && output.stderr.contains("/bin/sh")
    })
}
