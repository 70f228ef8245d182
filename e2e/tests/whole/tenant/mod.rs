//! A tenant's whole life: the built operator against the real API server and the simulator.

mod life;
