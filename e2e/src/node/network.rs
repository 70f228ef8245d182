//! A cable between the world, where the control plane and Qlik Cloud are, and the node. Both have no way out.

use super::Error;
use super::tool::tool;
use std::net::Ipv4Addr;

/// The world's end.
pub(super) const WORLD: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 1);
/// The node's end.
pub(super) const NODE: Ipv4Addr = Ipv4Addr::new(10, 200, 0, 2);
/// The addresses of pods.
pub(super) const PODS: &str = "10.244.0.0/24";
/// The node's network, as `ip netns` names it.
const NAME: &str = "node";
/// The same as a file.
pub(super) const NAMESPACE: &str = "/run/netns/node";

/// Lays it.
pub(super) async fn lay() -> Result<(), Error> {
    let (world, node) = (format!("{WORLD}/30"), format!("{NODE}/30"));
    let (via_world, via_node) = (WORLD.to_string(), NODE.to_string());
    let steps: [&[&str]; 10] = [
        &["link", "set", "lo", "up"],
        &["netns", "add", NAME],
        &["link", "add", "node0", "type", "veth", "peer", "name", "eth0", "netns", NAME],
        &["addr", "add", &world, "dev", "node0"],
        &["link", "set", "node0", "up"],
        &["-n", NAME, "link", "set", "lo", "up"],
        &["-n", NAME, "addr", "add", &node, "dev", "eth0"],
        &["-n", NAME, "link", "set", "eth0", "up"],
        &["-n", NAME, "route", "add", "default", "via", &via_world],
        &["route", "add", PODS, "via", &via_node],
    ];
    for step in steps {
        tool("ip", step).await?;
    }
    Ok(())
}
