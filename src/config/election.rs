//! The settings of the leader election, as Kubernetes' own components have them.

use super::{Invalid, parse_duration};
use crate::term::Pace;
use clap::Args;
use std::time::Duration;

/// How the election goes by the clock.
#[derive(Args, Clone, Debug)]
pub struct ElectionArgs {
    /// How long the others wait after the leader's last renewal before one of them takes over.
    #[arg(
        long,
        env = "QLIK_OPERATOR_LEADER_ELECT_LEASE_DURATION",
        default_value = "15s",
        value_parser = parse_duration
    )]
    pub leader_elect_lease_duration: Duration,
    /// How long the leader goes on without a renewal; shorter than --leader-elect-lease-duration.
    #[arg(
        long,
        env = "QLIK_OPERATOR_LEADER_ELECT_RENEW_DEADLINE",
        default_value = "10s",
        value_parser = parse_duration
    )]
    pub leader_elect_renew_deadline: Duration,
    /// How long the leader waits between two renewals.
    #[arg(long, env = "QLIK_OPERATOR_LEADER_ELECT_RETRY_PERIOD", default_value = "2s", value_parser = parse_duration)]
    pub leader_elect_retry_period: Duration,
}

impl ElectionArgs {
    /// The three checked against each other.
    pub fn pace(&self) -> Result<Pace, Invalid> {
        let pace = Pace {
            lease_duration: self.leader_elect_lease_duration,
            renew_deadline: self.leader_elect_renew_deadline,
            retry_period: self.leader_elect_retry_period,
        };
        pace.check().map_err(|(setting, problem)| Invalid { setting, problem })?;
        Ok(pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        election: ElectionArgs,
    }

    #[test]
    fn an_election_is_as_fast_as_it_is_told() {
        let pace = |flags: &[&str]| Cli::parse_from([&["run"], flags].concat()).election.pace();
        assert_eq!(pace(&[]).unwrap(), Pace::default());
        let flags =
            ["--leader-elect-lease-duration=3s", "--leader-elect-renew-deadline=2s", "--leader-elect-retry-period=1s"];
        let fast = pace(&flags).unwrap();
        assert_eq!((fast.lease_duration, fast.look_every()), (Duration::from_secs(3), Duration::from_millis(250)));
        let told = pace(&["--leader-elect-lease-duration", "10s"]).unwrap_err().to_string();
        assert!(told.starts_with("--leader-elect-lease-duration: 10s must be longer than"), "{told}");
    }
}
