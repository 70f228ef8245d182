//! The fence around a call that must not be made twice: announced on the object by compare-and-swap, checked once more
//! right before it, and remembered from before it is sent.

use crate::crd::INTENT;
use crate::engine::{Context, Error, Managed, api_of, within, write};
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep};
use crate::qlik::{self, Effect};
use serde_json::json;

/// Takes the turn of the call in Qlik's rate budget before it is announced: whoever waits for it has announced nothing that
/// a successor would have to wait out.
pub(super) async fn take_turn<K: Managed>(
    object: &K,
    turn: impl Future<Output = Result<(), qlik::Error>> + Send,
    cx: &Context,
) -> Result<(), Error> {
    let now = cx.clock.monotonic();
    turn.await?;
    cx.ledger.paid(object.meta().uid.as_deref().unwrap_or_default(), now);
    Ok(())
}

/// Whether the turn of the announced call was taken; it counts once.
pub(super) fn has_turn<K: Managed>(object: &K, cx: &Context) -> bool {
    cx.ledger.spend(object.meta().uid.as_deref().unwrap_or_default(), cx.clock.monotonic())
}

/// What announces a call of this process, now.
pub(super) fn intent(step: IntentStep, cx: &Context) -> Intent {
    let intent = Intent::new(step, cx.nonce(), cx.holder.clone(), cx.clock.now());
    Intent { cluster: Some(cx.cluster.clone()), ..intent }
}

/// Writes the intent, and the kind's finalizer with it, if nothing changed since the decision.
pub(super) async fn announce<K: Managed>(
    object: &K,
    finalizer: &str,
    intent: &Intent,
    cx: &Context,
) -> Result<K, Error> {
    cx.ledger.note(&intent.nonce, Call::NotSent);
    let text = serde_json::to_string(intent).unwrap_or_default();
    write::hold(&api_of(object, &cx.client), object.meta(), finalizer, json!({ INTENT: text })).await
}

/// Makes the call that was announced, and remembers what is known of it from before it is sent.
pub(super) async fn announced<T>(
    nonce: &str,
    call: impl Future<Output = Result<T, qlik::Error>> + Send,
    cx: &Context,
) -> Result<T, Error> {
    cx.ledger.note(nonce, Call::Unknown);
    let outcome = call.await;
    match &outcome {
        Ok(_) => cx.ledger.note(nonce, Call::Closed),
        Err(error) if error.effect() == Effect::None => cx.ledger.note(nonce, Call::NoEffect),
        Err(_) => {}
    }
    outcome.map_err(Error::from)
}

/// Reads the object live: it must still be the one that was decided on, under the announcement of this nonce.
pub(super) async fn still_the_same<K: Managed>(object: &K, nonce: &str, cx: &Context) -> Result<K, Error> {
    let name = object.meta().name.clone().unwrap_or_default();
    let live = within("read the object once more", api_of(object, &cx.client).get(&name)).await?;
    let (before, now) = (object.meta(), live.meta());
    let annotation = now.annotations.as_ref().and_then(|all| all.get(INTENT)).map(String::as_str);
    let announced = matches!(IntentSeen::read(annotation, |_| Call::Unknown),
        IntentSeen::Found { intent, .. } if intent.nonce == nonce);
    let same = now.uid == before.uid
        && now.generation == before.generation
        && now.deletion_timestamp.is_some() == before.deletion_timestamp.is_some();
    if announced && same && !live.suspended() { Ok(live) } else { Err(Error::Raced) }
}
