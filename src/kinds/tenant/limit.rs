//! At most so many deactivations in an hour and region, whoever asks for them and however often this process is replaced.
//!
//! The ring of calls is a `ConfigMap` in the operator's own namespace with a key for each region. What cannot be read or
//! written allows nothing.

use super::own_maps::{Changed, Data, OwnMap, change};
use crate::crd::{Phase, Reason};
use crate::engine::{Context, Error};
use crate::plan::Finding;
use crate::plan::intent::IntentStep;
use crate::plan::limit::{Ring, Room};
use crate::qlik::{Region, TenantId};
use std::time::Duration;

/// The `ConfigMap`'s name; the chart grants the rights to it.
const NAME: &str = "qlik-operator-deactivations";

const READ: &str = "read the deactivations of the last hour";
const WRITE: &str = "write down the deactivation that is about to be made";

/// The call for which room is asked.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) step: IntentStep,
    pub(super) region: Region,
    /// Uid of the object that asks.
    pub(super) uid: &'a str,
}

/// Asks for room before the call is announced and put on record, and is promised it for as long as the announcement
/// holds. So what has to wait leaves no trace that would have to be cleared when it is taken back.
pub(super) async fn ask(call: Call<'_>, cx: &Context) -> Result<(), Error> {
    let _one_at_a_time = cx.own_maps.lock().await;
    let map = OwnMap::read(NAME, READ, cx).await?.ok_or_else(nowhere)?;
    let ring = ring_of(map.data().as_ref(), call.region)?;
    let now = cx.clock.monotonic();
    room(&ring, call, cx)?;
    cx.ledger.promise(&call.region.to_string(), call.uid, now);
    Ok(())
}

/// Enters the call into the ring, right before it is made.
pub(super) async fn take(call: Call<'_>, id: &TenantId, cx: &Context) -> Result<(), Error> {
    let _one_at_a_time = cx.own_maps.lock().await;
    let enter = |data: Option<Data>| {
        let mut ring = ring_of(data.as_ref(), call.region)?;
        room(&ring, call, cx)?;
        ring.enter(id.as_str(), cx.clock.now());
        let mut data = data.unwrap_or_default();
        data.insert(call.region.code().to_owned(), ring.text());
        Ok(Some(data))
    };
    if change(NAME, (READ, WRITE), cx, enter).await? != Changed::Written {
        return Err(nowhere());
    }
    cx.ledger.redeem(call.uid);
    Ok(())
}

fn room(ring: &Ring, call: Call<'_>, cx: &Context) -> Result<(), Error> {
    let (limit, now) = (cx.settings.max_deactivations, cx.clock.now());
    let promised = cx.ledger.promised(&call.region.to_string(), call.uid, cx.clock.monotonic());
    let (phase, undo) = if call.step == IntentStep::RestartWindow {
        (Phase::Deactivated, "to take it back remove the annotation")
    } else {
        let undo = "to take it back set spec.lifecycle: Active or, while deleting, offboarding.onDelete: Retain";
        (Phase::Deactivating, undo)
    };
    match ring.room(limit, promised, now) {
        Room::Free => Ok(()),
        Room::Promised => Err(Error::Raced),
        Room::Never => Err(Error::Misconfigured {
            reason: Reason::DeactivationLimitReached,
            message: format!("not deactivated: --max-deactivations is 0, which forbids every deactivation; {undo}"),
        }),
        Room::NotBefore(at) => {
            let recheck = Duration::try_from(at.duration_since(now)).unwrap_or_default().saturating_add(ROUNDING);
            let at = at.as_second();
            let at = jiff::Timestamp::from_second(at).map_or_else(|_| String::new(), |at| at.to_string());
            let message = format!(
                "waits for its turn: the {limit} deactivations an hour in region {} that --max-deactivations allows are made; the next may go at {at}; {undo}",
                call.region
            );
            let finding = Finding::passing(phase, Reason::DeactivationLimitReached, message);
            Err(Error::Wait { finding: Box::new(finding), recheck: recheck.min(crate::plan::HOURLY) })
        }
    }
}

/// Beyond the second to which times are rounded.
const ROUNDING: Duration = Duration::from_secs(1);

fn nowhere() -> Error {
    Error::Misconfigured {
        reason: Reason::DeactivationLimitReached,
        message: "not deactivated: deactivations are counted in the operator's own namespace, and which one that is is not known: give the operator --operator-namespace".to_owned(),
    }
}

/// The calls of the last hour in a region.
fn ring_of(data: Option<&Data>, region: Region) -> Result<Ring, Error> {
    let text = data.and_then(|data| data.get(region.code()));
    Ring::read(text.map(String::as_str)).map_err(|problem| Error::Misconfigured {
        reason: Reason::DeactivationLimitReached,
        message: format!(
            "not deactivated: the deactivations of the last hour cannot be read ({problem}): in ConfigMap {NAME} of the operator's namespace mend the key {}, or remove it if there were none",
            region.code()
        ),
    })
}
