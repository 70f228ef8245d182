//! What many tenants cost: time, memory and processor time of the operator.
//!
//! With one client Qlik's budget of a hundred writes a minute decides the time; with ten it is the operator's turn.

use e2e::load::{Load, Size};
use e2e::stage::{Error, show};
use std::time::Duration;

const SIZES: [Size; 2] = [Size { tenants: 498, clients: 10 }, Size { tenants: 498, clients: 1 }];

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Error> {
    for size in SIZES {
        let load = Load::run(size, Duration::from_mins(10)).await?;
        show(&load.report.to_string());
    }
    Ok(())
}
