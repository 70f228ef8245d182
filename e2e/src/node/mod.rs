//! A real node on one Linux machine: kubelet, containerd, kube-proxy and scheduler beside the local control plane, and on
//! it the operator as people install it. The work of the program `e2e-node`.
//!
//! All of it runs in a world of its own: namespaces of processes, mounts and networks that end with the process which
//! made them. Outside there are only cgroups and a temporary directory, which a caretaker removes however that ends.

mod caretaker;
mod cgroups;
mod configs;
mod ground;
mod kubernetes;
mod network;
mod outside;
mod pod;
mod requirements;
mod scenarios;
mod tool;
mod world;

pub use caretaker::tidy;
pub use outside::supervise;
pub use world::run;

/// Anything that can go wrong ends the run.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
