//! What this process remembers of calls that must not be made twice.
//!
//! It only ever makes the operator act sooner than the annotation alone would allow: whatever is not remembered here is
//! of unknown outcome.

use super::gate::version;
use crate::plan::drift::Written;
use crate::plan::intent::{ACT_WITHIN, Call, Intent};
use crate::qlik::{Hostname, TenantId};
use jiff::Timestamp;
use kube::core::ObjectMeta;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The memory of one operator process.
#[derive(Debug, Default)]
pub struct Ledger {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: HashMap<String, Call>,
    created: HashMap<String, (TenantId, Vec<Hostname>)>,
    pending: HashMap<String, String>,
    counterparts: HashMap<String, String>,
    touched: HashMap<String, Duration>,
    versions: HashMap<String, u64>,
    paid: HashMap<String, Duration>,
    reactivated: HashMap<TenantId, Duration>,
    claims: HashMap<TenantId, String>,
    aliases: HashMap<Hostname, String>,
    answered: HashMap<String, (Timestamp, Option<Timestamp>)>,
    promises: HashMap<String, (String, Duration)>,
    unseen: HashMap<String, Vec<String>>,
}

/// Keeps the memory of intents bounded; a forgotten one is merely of unknown outcome.
const MOST_CALLS: usize = 20_000;

impl Ledger {
    /// Notes what is known of the call announced under this nonce.
    pub fn note(&self, nonce: &str, call: Call) {
        let mut inner = self.lock();
        if inner.calls.len() >= MOST_CALLS {
            inner.calls.clear();
        }
        inner.calls.insert(nonce.to_owned(), call);
    }

    /// What is known of an intent found on an object.
    pub fn known(&self, intent: &Intent) -> Call {
        self.lock().calls.get(&intent.nonce).copied().unwrap_or(Call::Unknown)
    }

    /// What is known of a call announced under this nonce; `None` when this process does not remember it.
    pub fn of_nonce(&self, nonce: &str) -> Option<Call> {
        self.lock().calls.get(nonce).copied()
    }

    /// Remembers that a creation was announced for this object under this nonce, until its outcome is known.
    pub fn creating(&self, uid: &str, nonce: &str) {
        self.lock().pending.insert(uid.to_owned(), nonce.to_owned());
    }

    /// The outcome of the object's creation is known.
    pub fn creation_known(&self, uid: &str) {
        self.lock().pending.remove(uid);
    }

    /// The nonce of a creation of unknown outcome that this process made for the object.
    pub fn pending_creation(&self, uid: &str) -> Option<String> {
        self.lock().pending.get(uid).cloned()
    }

    /// Remembers a tenant that was created until its id is safe in the status.
    pub fn created(&self, uid: &str, id: TenantId, hostnames: Vec<Hostname>) {
        self.lock().created.insert(uid.to_owned(), (id, hostnames));
    }

    /// The tenant that was created for this object, if its id is not known to be safe yet.
    pub fn created_for(&self, uid: &str) -> Option<(TenantId, Vec<Hostname>)> {
        self.lock().created.get(uid).cloned()
    }

    /// Remembers the counterpart of a child that was created until its id is safe in the status.
    pub fn made(&self, uid: &str, id: &str) {
        self.lock().counterparts.insert(uid.to_owned(), id.to_owned());
    }

    /// The counterpart that was created for this object, if its id is not known to be safe yet.
    pub fn made_for(&self, uid: &str) -> Option<String> {
        self.lock().counterparts.get(uid).cloned()
    }

    /// Whether this process alone knows what was created for this object.
    pub fn is_unsaved(&self, uid: &str) -> bool {
        let inner = self.lock();
        inner.created.contains_key(uid) || inner.counterparts.contains_key(uid)
    }

    /// The id stands in the status.
    pub fn safe(&self, uid: &str) {
        let mut inner = self.lock();
        inner.created.remove(uid);
        inner.counterparts.remove(uid);
    }

    /// Remembers fields of an object's counterpart that were not shown when they were written.
    pub fn wrote_unseen(&self, uid: &str, fields: Vec<String>) {
        if !fields.is_empty() {
            self.lock().unseen.insert(uid.to_owned(), fields);
        }
    }

    /// The fields that were not shown when they were written, nor since.
    pub fn unseen(&self, uid: &str) -> Vec<String> {
        self.lock().unseen.get(uid).cloned().unwrap_or_default()
    }

    /// An object's counterpart was looked at. What is still hidden is remembered on: the status that says so may not be
    /// written yet.
    pub fn looked(&self, uid: &str, written: &mut Written, hides: impl Fn(&str) -> bool) {
        let mut inner = self.lock();
        if let Some(fields) = inner.unseen.get_mut(uid) {
            fields.retain(|field| hides(field));
        }
        written.unseen = inner.unseen.get(uid).cloned().unwrap_or_default();
        written.looked(hides);
    }

    /// Notes that the turn of an object's creation in the rate budget was taken at this monotonic time.
    pub fn paid(&self, uid: &str, now: Duration) {
        self.lock().paid.insert(uid.to_owned(), now);
    }

    /// Whether such a turn was taken so lately that it still counts. It does once.
    pub fn spend(&self, uid: &str, now: Duration) -> bool {
        self.lock().paid.remove(uid).is_some_and(|at| now.saturating_sub(at) <= ACT_WITHIN)
    }

    /// Promises an object, by its uid, a place among what is limited in this region, at this monotonic time.
    pub fn promise(&self, region: &str, uid: &str, now: Duration) {
        self.lock().promises.insert(uid.to_owned(), (region.to_owned(), now));
    }

    /// How many places are promised to others in this region. A promise holds as long as an announcement does.
    pub fn promised(&self, region: &str, uid: &str, now: Duration) -> usize {
        let mut inner = self.lock();
        inner.promises.retain(|_, (_, at)| now.saturating_sub(*at) <= ACT_WITHIN);
        inner.promises.iter().filter(|(other, (place, _))| *other != uid && place == region).count()
    }

    /// The promised place was taken, or is not needed any more.
    pub fn redeem(&self, uid: &str) {
        self.lock().promises.remove(uid);
    }

    /// Notes that this process changed an object's counterpart at this monotonic time: lists from before are stale.
    pub fn touch(&self, uid: &str, now: Duration) {
        self.lock().touched.insert(uid.to_owned(), now);
    }

    /// When this process last changed an object's counterpart.
    pub fn touched(&self, uid: &str) -> Option<Duration> {
        self.lock().touched.get(uid).copied()
    }

    /// Notes that a watch showed this version of an object. Another watch of the same kind may still be behind it.
    pub fn showed(&self, meta: &ObjectMeta) {
        let mut inner = self.lock();
        let known = inner.versions.entry(place(meta)).or_default();
        *known = version(meta).max(*known);
    }

    /// Whether some watch showed a newer version of this object than this one.
    pub fn is_old(&self, meta: &ObjectMeta) -> bool {
        self.lock().versions.get(&place(meta)).is_some_and(|known| version(meta) < *known)
    }

    /// Remembers the dates of a deactivation (made, purge) that Qlik confirmed, until they stand in the record.
    pub fn answered(&self, record: &str, made: Timestamp, purge_at: Option<Timestamp>) {
        self.lock().answered.insert(record.to_owned(), (made, purge_at));
    }

    /// The dates that Qlik answered for this record, as far as this process heard them.
    pub fn answer_for(&self, record: &str) -> Option<(Timestamp, Option<Timestamp>)> {
        self.lock().answered.get(record).copied()
    }

    /// The dates stand in the record.
    pub fn recorded(&self, record: &str) {
        self.lock().answered.remove(record);
    }

    /// Notes that a reactivation was asked for at this monotonic time.
    pub fn reactivated(&self, id: &TenantId, now: Duration) {
        self.lock().reactivated.insert(id.clone(), now);
    }

    /// Whether a reactivation was asked for so recently that it may still need time to show.
    pub fn reactivated_lately(&self, id: &TenantId, now: Duration) -> bool {
        self.lock().reactivated.get(id).is_some_and(|at| now.saturating_sub(*at) < REACTIVATION_SHOWS_WITHIN)
    }

    /// Claims a tenant for an object; `false` when another object of this process holds the claim and still `lives`:
    /// one whose finalizer was torn off is gone without having given up anything.
    pub fn claim(&self, id: &TenantId, uid: &str, lives: impl Fn(&str) -> bool) -> bool {
        let mut inner = self.lock();
        let holder = inner.claims.entry(id.clone()).or_insert_with(|| uid.to_owned());
        if holder != uid && !lives(holder) {
            uid.clone_into(holder);
        }
        holder == uid
    }

    /// Claims an alias for an object that is about to create a tenant for it, unless another one that still `asks` for it
    /// did before. Answers the uid of whoever has it now.
    pub fn claim_alias(&self, alias: &Hostname, uid: &str, asks: impl Fn(&str) -> bool) -> String {
        let mut inner = self.lock();
        let holder = inner.aliases.entry(alias.clone()).or_insert_with(|| uid.to_owned());
        if holder != uid && !asks(holder) {
            uid.clone_into(holder);
        }
        holder.clone()
    }

    /// Forgets an object that is gone, and gives up its claims.
    pub fn unclaim(&self, uid: &str) {
        let mut inner = self.lock();
        inner.claims.retain(|_, holder| holder != uid);
        inner.aliases.retain(|_, holder| holder != uid);
        inner.touched.remove(uid);
        inner.unseen.remove(uid);
        inner.paid.remove(uid);
        inner.pending.remove(uid);
        inner.promises.remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(meta: &ObjectMeta) -> String {
    format!("{}/{}", meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

const REACTIVATION_SHOWS_WITHIN: Duration = Duration::from_secs(120);
