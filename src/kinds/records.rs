//! Off-boarding records as the tenant's controller reads and writes them. Read live, never from the cache: a decision
//! about a deactivation must not rest on yesterday's record.

use super::namespaces;
use crate::crd::{
    Evidence, ExactTime, OffboardedSecret, OffboardedTenant, OffboardingEntry, OffboardingEvent, OffboardingPhase,
    QlikOffboarding, QlikOffboardingSpec, QlikTenant, Reason, SecretOutcome, Trigger, whole_seconds,
};
use crate::engine::{Context, Error, Lean, Remains, within, write};
use crate::plan::offboarding::history::{Asked, State, appended, entry};
use crate::plan::tenant::RecordSeen;
use crate::qlik::{Hostname, TenantId};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;

/// Every record of a namespace, as a decision needs it, and those that cannot be read: what they say is not known, which
/// concerns only the tenant that they name.
pub(super) async fn list(cx: &Context, namespace: &str) -> Result<(Vec<RecordSeen>, Vec<Unreadable>), Error> {
    let api: Api<Lean<QlikOffboarding>> = Api::namespaced(cx.client.clone(), namespace);
    let found = within("list off-boarding records", api.list(&ListParams::default())).await?;
    let here = if found.items.is_empty() { None } else { namespaces::uid(namespace, cx).await? };
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for lean in &found.items {
        match read(lean, here.as_deref()) {
            Ok(record) => records.push(record),
            Err(record) => unreadable.push(record),
        }
    }
    Ok((records, unreadable))
}

/// A record that cannot be read, and whom it names as far as that can.
#[derive(Clone, Debug)]
pub(super) struct Unreadable {
    name: String,
    names: Box<Remains>,
}

impl Unreadable {
    /// Whether it may speak of this object, which holds or asks for `target` and whose status names the record `named`.
    pub(super) fn concerns(&self, tenant: &QlikTenant, target: Option<&TenantId>, named: Option<&str>) -> bool {
        let is = |word: &Option<String>, other: Option<&str>| other.is_some() && word.as_deref() == other;
        is(&self.names.recorded_id, target.map(TenantId::as_str))
            || is(&self.names.recorded_name, tenant.metadata.name.as_deref())
            || is(&self.names.recorded_uid, tenant.metadata.uid.as_deref())
            || named == Some(self.name.as_str())
    }

    /// For people.
    pub(super) fn not_known(&self) -> Error {
        let (name, problem) = (&self.name, &self.names.problem);
        Error::Misconfigured {
            reason: crate::crd::Reason::SpecInvalid,
            message: format!(
                "there is a record of this tenant that cannot be understood, so nothing is done: QlikOffboarding {name}: {problem}; mend it, or run the version of the operator that wrote it"
            ),
        }
    }
}

/// A record, as it stands in a namespace of this uid.
fn read(lean: &Lean<QlikOffboarding>, here: Option<&str>) -> Result<RecordSeen, Unreadable> {
    let unreadable = |names: &Remains| Unreadable { name: lean.name_any(), names: Box::new(names.clone()) };
    let record = lean.read().map_err(unreadable)?;
    let written_in = record.spec.namespace_uid.as_deref();
    Ok(RecordSeen {
        name: record.name_any(),
        tenant_id: record.spec.tenant_id.parse().map_err(|e| {
            let (name, uid) = (record.spec.tenant.name.clone(), record.spec.tenant.uid.clone());
            let problem = format!("tenantId {e}");
            unreadable(&Remains { problem, recorded_name: Some(name), recorded_uid: Some(uid), ..Remains::default() })
        })?,
        hostnames: record.spec.hostnames.clone(),
        tenant_name: record.spec.tenant.name.clone(),
        uid: record.spec.tenant.uid.clone(),
        trigger: record.spec.trigger,
        requested_at: record.spec.requested_at.0,
        purge_after_days: record.spec.purge_after_days,
        copied: written_in.is_some() && written_in != here,
        state: State::of(&record.spec, record.status.as_ref()),
        secrets: record.status.as_ref().map(|status| status.secrets.clone()).unwrap_or_default(),
    })
}

/// The name of a record: the object's, and the nonce of the announcement that it belongs to.
pub(super) fn name_for(tenant: &str, nonce: &str) -> String {
    let tenant: String = tenant.chars().take(200).collect();
    // A name cut right behind a dot would end a label with what begins none.
    let tenant = tenant.trim_end_matches(['.', '-']);
    format!("{tenant}-{}", nonce.chars().take(8).collect::<String>())
}

/// What a new record says.
pub(super) struct Opening<'a> {
    pub(super) name: &'a str,
    pub(super) tenant: &'a QlikTenant,
    pub(super) id: &'a TenantId,
    /// The generated one first, as far as known.
    pub(super) hostnames: Vec<Hostname>,
    pub(super) trigger: Trigger,
    pub(super) days: i32,
    pub(super) requested_at: Timestamp,
    pub(super) credentials_source: String,
    pub(super) entries: Vec<OffboardingEntry>,
}

/// Writes the record before the call that it is about. One of the same name that says the same is this record.
pub(super) async fn open(cx: &Context, opening: Opening<'_>) -> Result<(), Error> {
    let namespace = opening.tenant.namespace().unwrap_or_default();
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), &namespace);
    let spec = QlikOffboardingSpec {
        tenant_id: opening.id.to_string(),
        hostnames: opening.hostnames.iter().take(8).map(ToString::to_string).collect(),
        region: opening.tenant.spec.region,
        tenant: OffboardedTenant { name: opening.tenant.name_any(), uid: opening.tenant.uid().unwrap_or_default() },
        namespace_uid: namespaces::uid(&namespace, cx).await?,
        trigger: opening.trigger,
        purge_after_days: opening.days,
        requested_at: Time(opening.requested_at),
        credentials_source: opening.credentials_source,
        entries: Vec::new(),
    };
    let entries = appended(&spec, opening.entries);
    let mut record = QlikOffboarding::new(opening.name, QlikOffboardingSpec { entries, ..spec });
    record.metadata.namespace = Some(namespace);
    record.metadata.labels = Some(BTreeMap::from([("app.kubernetes.io/managed-by".into(), "qlik-operator".into())]));
    match within("write an off-boarding record", api.create(&PostParams::default(), &record)).await {
        Ok(_) => Ok(()),
        Err(Error::Raced) => {
            let there = within("read an off-boarding record", api.get(opening.name)).await?;
            if there.spec.tenant_id == record.spec.tenant_id { Ok(()) } else { Err(another_ones(&there)) }
        }
        Err(error) => Err(error),
    }
}

/// The name tells of the object's uid, or of an announcement: whoever wrote it did not write it for this object.
fn another_ones(there: &QlikOffboarding) -> Error {
    Error::Misconfigured {
        reason: Reason::Conflict,
        message: format!(
            "QlikOffboarding {}, which has to be written for this object, is there already and speaks of another tenant, {}: keep a \
             copy of it and delete it",
            there.name_any(),
            there.spec.tenant_id
        ),
    }
}

/// Adds entries to a record, if nothing changed since it was read.
pub(super) async fn add(
    cx: &Context,
    record: &QlikOffboarding,
    more: Vec<OffboardingEntry>,
) -> Result<QlikOffboarding, Error> {
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), &record.namespace().unwrap_or_default());
    let mut spec = record.spec.clone();
    if spec.entries.is_empty() {
        // A former version kept everything in the status.
        let former = State::of(&spec, record.status.as_ref()).entries();
        spec.entries = appended(&spec, former);
    }
    let entries = appended(&spec, more);
    write::spec(&api, &record.metadata, "add to an off-boarding record", json!({ "entries": entries })).await
}

/// Adds the entries that follow from where a record stands, and says the same in its status. Tries again when somebody
/// else wrote it meanwhile; `more` sees what stands there, and adds nothing where it says so already.
pub(super) async fn enter(
    cx: &Context,
    namespace: &str,
    name: &str,
    more: impl Fn(&State) -> Result<Vec<OffboardingEntry>, Error> + Send + Sync,
) -> Result<(), Error> {
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), namespace);
    for _ in 0..UPDATE_ATTEMPTS {
        let record = within("read an off-boarding record", api.get(name)).await?;
        let entries = more(&State::of(&record.spec, record.status.as_ref()))?;
        if entries.is_empty() {
            return Ok(());
        }
        match add(cx, &record, entries).await {
            Ok(record) => return reflect(&api, &record).await,
            Err(Error::Raced) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Raced)
}

/// Says in a record's status what its entries say. Where somebody else wrote the record meanwhile, its own pass does it.
async fn reflect(api: &Api<QlikOffboarding>, record: &QlikOffboarding) -> Result<(), Error> {
    let before = record.status.clone().unwrap_or_default();
    let status = State::of(&record.spec, Some(&before)).write(before.clone());
    if status == before || before.phase == OffboardingPhase::Unknown {
        return Ok(());
    }
    match write::status::<QlikOffboarding, _>(api, &record.metadata, &status).await {
        Ok(_) | Err(Error::Raced) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Changes what a record's status says of Secrets. Tries again when somebody else wrote it meanwhile.
pub(super) async fn update_secrets(
    cx: &Context,
    namespace: &str,
    name: &str,
    change: impl Fn(&mut Vec<OffboardedSecret>) + Send + Sync,
) -> Result<(), Error> {
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), namespace);
    for _ in 0..UPDATE_ATTEMPTS {
        let record = within("read an off-boarding record", api.get(name)).await?;
        let before = record.status.clone().unwrap_or_default();
        let mut status = State::of(&record.spec, Some(&before)).write(before.clone());
        status.phase = before.phase;
        change(&mut status.secrets);
        if record.status.as_ref() == Some(&status) {
            return Ok(());
        }
        match write::status::<QlikOffboarding, _>(&api, &record.metadata, &status).await {
            Ok(_) => return Ok(()),
            Err(Error::Raced) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Raced)
}

const UPDATE_ATTEMPTS: usize = 5;

/// The dates of a deactivation, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dates {
    pub(super) deactivated_at: Option<Timestamp>,
    pub(super) purge_at: Option<Timestamp>,
    pub(super) evidence: Option<Evidence>,
}

impl Dates {
    /// The entry that says them, written at this time.
    pub(super) fn entry(self, now: Timestamp) -> OffboardingEntry {
        OffboardingEntry {
            deactivated_at: self.deactivated_at.map(whole_seconds),
            purge_at: self.purge_at.map(ExactTime),
            evidence: self.evidence,
            ..entry(OffboardingEvent::Scheduled, now)
        }
    }
}

/// The entry of a call that is about to be made.
pub(super) fn called(days: i32, asked: Asked, now: Timestamp) -> OffboardingEntry {
    let Asked { requested_by, approved_by, revision } = asked;
    OffboardingEntry { days: Some(days), requested_by, approved_by, revision, ..entry(OffboardingEvent::Called, now) }
}

/// Writes dates that were concluded rather than answered, if the record still says what they were concluded from.
/// Otherwise another operator may have heard Qlik's own date meanwhile, and an estimate must not replace that.
pub(super) async fn schedule_as_seen(
    cx: &Context,
    namespace: &str,
    seen: &RecordSeen,
    dates: Dates,
) -> Result<(), Error> {
    let now = cx.clock.now();
    enter(
        cx,
        namespace,
        &seen.name,
        |state| {
            if *state == seen.state { Ok(vec![dates.entry(now)]) } else { Err(Error::Raced) }
        },
    )
    .await
}

/// Notes which Secrets will go, keeping what stands there.
pub(super) fn plan_erasure(secrets: &mut Vec<OffboardedSecret>, planned: &[OffboardedSecret]) {
    for entry in planned {
        match secrets.iter_mut().find(|e| e.name == entry.name && e.uid == entry.uid) {
            None => secrets.push(entry.clone()),
            // What was kept for another tenant may be free to go now, and the other way round.
            Some(there) if there.outcome != SecretOutcome::Erased && there.outcome != entry.outcome => {
                *there = entry.clone();
            }
            Some(_) => {}
        }
    }
}
