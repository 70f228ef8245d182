//! Argo CD and what this repository gives it: health checks, actions, and the real thing to try them with.

pub mod admin;
pub mod applications;
pub mod cases;
pub mod program;
pub mod repository;
pub mod scripts;
pub mod stack;
pub mod story;
pub mod witness;
