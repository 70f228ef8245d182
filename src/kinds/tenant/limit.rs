//! At most so many deactivations in an hour and region, whoever asks for them and however often this process is replaced.
//!
//! The ring of calls is a `ConfigMap` in the operator's own namespace with a key for each region. What cannot be read or
//! written allows nothing.

use super::own_maps::{ATTEMPTS, OwnMap};
use crate::crd::{Phase, Reason};
use crate::engine::{Context, Error};
use crate::plan::Finding;
use crate::plan::intent::IntentStep;
use crate::plan::limit::{Ring, Room};
use crate::qlik::{Region, TenantId};
use std::time::Duration;

/// The `ConfigMap`'s name; the chart grants the rights to it.
const NAME: &str = "qlik-operator-deactivations";

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
    let (_, ring) = read(call.region, cx).await?;
    let now = cx.clock.monotonic();
    room(&ring, call, cx)?;
    cx.ledger.promise(&call.region.to_string(), call.uid, now);
    Ok(())
}

/// Enters the call into the ring, right before it is made.
pub(super) async fn take(call: Call<'_>, id: &TenantId, cx: &Context) -> Result<(), Error> {
    let _one_at_a_time = cx.own_maps.lock().await;
    for _ in 0..ATTEMPTS {
        let (map, mut ring) = read(call.region, cx).await?;
        room(&ring, call, cx)?;
        ring.enter(id.as_str(), cx.clock.now());
        match write(map, call.region, &ring).await {
            Ok(()) => {
                cx.ledger.redeem(call.uid);
                return Ok(());
            }
            Err(Error::Raced) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Raced)
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

async fn read(region: Region, cx: &Context) -> Result<(OwnMap, Ring), Error> {
    let map = OwnMap::read(NAME, "read the deactivations of the last hour", cx).await?;
    let map = map.ok_or_else(|| Error::Misconfigured {
        reason: Reason::DeactivationLimitReached,
        message: "not deactivated: deactivations are counted in the operator's own namespace, and which one that is is not known: give the operator --operator-namespace".to_owned(),
    })?;
    let data = map.data();
    let text = data.as_ref().and_then(|data| data.get(region.code()));
    let ring = Ring::read(text.map(String::as_str)).map_err(|problem| Error::Misconfigured {
        reason: Reason::DeactivationLimitReached,
        message: format!(
            "not deactivated: the deactivations of the last hour cannot be read ({problem}): in ConfigMap {NAME} of the operator's namespace mend the key {}, or remove it if there were none",
            region.code()
        ),
    })?;
    Ok((map, ring))
}

async fn write(map: OwnMap, region: Region, ring: &Ring) -> Result<(), Error> {
    let mut data = map.data().unwrap_or_default();
    data.insert(region.code().to_owned(), ring.text());
    map.write("write down the deactivation that is about to be made", data).await
}
