//! Rate limits: tier, user and tenant share a bucket that is emptied every five minutes.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::clock::later;

const WINDOW: Duration = Duration::from_mins(5);

/// Qlik's two general tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Tier {
    /// Reads: 1000 a minute.
    One,
    /// Writes: 100 a minute.
    Two,
}

impl Tier {
    fn per_window(self, scale: f64) -> u32 {
        let per_minute: f64 = match self {
            Self::One => 1000.0,
            Self::Two => 100.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32")]
        let limit = (per_minute * 5.0 * scale).clamp(0.0, f64::from(u32::MAX)) as u32;
        limit
    }
}

#[derive(Debug)]
struct Window {
    ends: Timestamp,
    used: u32,
}

/// Whose budget a request is charged to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    /// Only this tier is blocked when its budget is used up.
    pub(crate) tier: Tier,
    /// The calling user or client.
    pub(crate) user: String,
    /// The tenant, or the host where there is none.
    pub(crate) tenant: String,
}

/// All buckets.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    windows: HashMap<Account, Window>,
}

impl Rates {
    /// Charges one request; the seconds to wait when the budget is used up.
    pub(crate) fn charge(&mut self, account: Account, now: Timestamp, scale: f64) -> Result<(), u64> {
        let limit = account.tier.per_window(scale);
        let window = self.windows.entry(account).or_insert_with(|| Window { ends: later(now, WINDOW), used: 0 });
        if window.ends <= now {
            *window = Window { ends: later(now, WINDOW), used: 0 };
        }
        if window.used >= limit {
            let left = window.ends.duration_since(now).as_millis();
            return Err(u64::try_from(left).unwrap_or(0).div_ceil(1000).max(1));
        }
        window.used += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(tier: Tier, user: &str) -> Account {
        Account { tier, user: user.to_owned(), tenant: "t".to_owned() }
    }

    #[test]
    fn a_used_up_tier_blocks_itself_alone_until_the_window_ends() {
        let mut rates = Rates::default();
        let start = Timestamp::UNIX_EPOCH;
        // 100 a minute for five minutes, scaled to five requests in all
        for _ in 0..5 {
            assert_eq!(rates.charge(account(Tier::Two, "a"), start, 0.01), Ok(()));
        }
        assert_eq!(rates.charge(account(Tier::Two, "a"), start, 0.01), Err(300));
        assert_eq!(rates.charge(account(Tier::One, "a"), start, 0.01), Ok(()));
        assert_eq!(rates.charge(account(Tier::Two, "b"), start, 0.01), Ok(()));
        let almost = later(start, Duration::from_millis(299_500));
        assert_eq!(rates.charge(account(Tier::Two, "a"), almost, 0.01), Err(1));
        assert_eq!(rates.charge(account(Tier::Two, "a"), later(start, WINDOW), 0.01), Ok(()));
    }

    #[test]
    fn a_scale_of_zero_refuses_everything() {
        assert!(Rates::default().charge(account(Tier::One, "a"), Timestamp::UNIX_EPOCH, 0.0).is_err());
    }
}
