//! A tenant's whole life: the built operator against the real API server and the simulator.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod life;
