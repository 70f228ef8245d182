//! What the plans of a tenant's children have in common.

use super::Finding;
use crate::qlik::TenantId;
use jiff::Timestamp;
use std::time::Duration;

/// Whether the object is being deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// It is not.
    None,
    /// It is.
    Requested,
    /// It is, together with its namespace or the whole kind: then nothing is deleted in Qlik Cloud.
    Sweeping,
}

/// Where the child's tenant stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It may be worked in.
    Usable {
        /// Its id.
        id: TenantId,
        /// It is not the one that the counterpart was made in.
        moved: bool,
    },
    /// Not now.
    Waiting(Finding),
    /// It is deactivated or purged.
    Covered(Finding),
}

/// A first look that does not find the counterpart is believed after this long.
pub const SECOND_LOOK: Duration = Duration::from_secs(15);
/// How often to look while something passes by itself.
pub const SOON: Duration = Duration::from_secs(2);

/// The time until an instant; nothing when it is past.
pub(super) fn until(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
