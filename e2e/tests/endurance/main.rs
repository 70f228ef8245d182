//! What means something only by many repetitions or long waits: a thousand clients, a kill after each request that changes
//! something, each kind of fault at each step, a frozen leader again and again.

mod counts;
mod crash;
mod leader;
mod never;
