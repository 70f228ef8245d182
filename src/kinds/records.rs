//! Off-boarding records as the tenant's controller reads and writes them. Read live, never from the cache: a decision
//! about a deactivation must not rest on yesterday's record.

use crate::crd::{
    ErasedSecret, Evidence, ExactTime, OffboardedTenant, OffboardingPhase, QlikOffboarding, QlikOffboardingSpec,
    QlikOffboardingStatus, QlikTenant, Trigger,
};
use crate::engine::{Context, Error, Lean, Remains, within, write};
use crate::plan::tenant::{Bound, RecordSeen};
use crate::qlik::TenantId;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use std::collections::BTreeMap;

/// Every record of a namespace, as a decision needs it, and those that cannot be read: what they say is not known, which
/// concerns only the tenant that they name.
pub(super) async fn list(client: &kube::Client, namespace: &str) -> Result<(Vec<RecordSeen>, Vec<Unreadable>), Error> {
    let api: Api<Lean<QlikOffboarding>> = Api::namespaced(client.clone(), namespace);
    let found = within("list off-boarding records", api.list(&ListParams::default())).await?;
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for lean in &found.items {
        match read(lean) {
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

fn read(lean: &Lean<QlikOffboarding>) -> Result<RecordSeen, Unreadable> {
    let unreadable = |names: &Remains| Unreadable { name: lean.name_any(), names: Box::new(names.clone()) };
    let record = lean.read().map_err(unreadable)?;
    let status = record.status.clone().unwrap_or_default();
    let time = |at: &Option<Time>| at.as_ref().map(|t| t.0);
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
        phase: status.phase,
        requested_at: record.spec.requested_at.0,
        purge_after_days: record.spec.purge_after_days,
        deactivated_at: time(&status.deactivated_at),
        purge_at: status.purge_at.map(|at| at.0),
        evidence: status.evidence,
        erased: status.erased,
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
    pub(super) bound: &'a Bound,
    pub(super) trigger: Trigger,
    pub(super) days: i32,
    pub(super) requested_at: Timestamp,
    pub(super) credentials_source: String,
}

/// Writes the record before the call that it is about. One of the same name that says the same is this record.
pub(super) async fn open(cx: &Context, opening: Opening<'_>) -> Result<(), Error> {
    let namespace = opening.tenant.namespace().unwrap_or_default();
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), &namespace);
    let generated = opening.bound.host.hostname();
    let others = opening.bound.hostnames.iter().filter(|h| *h != generated);
    let hostnames = std::iter::once(generated).chain(others).take(8).map(ToString::to_string).collect();
    let spec = QlikOffboardingSpec {
        tenant_id: opening.bound.id.to_string(),
        hostnames,
        region: opening.tenant.spec.region,
        tenant: OffboardedTenant { name: opening.tenant.name_any(), uid: opening.tenant.uid().unwrap_or_default() },
        trigger: opening.trigger,
        purge_after_days: opening.days,
        requested_at: Time(opening.requested_at),
        credentials_source: opening.credentials_source,
    };
    let mut record = QlikOffboarding::new(opening.name, spec);
    record.metadata.namespace = Some(namespace);
    record.metadata.labels = Some(BTreeMap::from([("app.kubernetes.io/managed-by".into(), "qlik-operator".into())]));
    match within("write an off-boarding record", api.create(&PostParams::default(), &record)).await {
        Ok(_) => Ok(()),
        Err(Error::Raced) => {
            let there = within("read an off-boarding record", api.get(opening.name)).await?;
            if there.spec.tenant_id == record.spec.tenant_id { Ok(()) } else { Err(Error::Raced) }
        }
        Err(error) => Err(error),
    }
}

/// Writes a record again that somebody deleted, with the dates that the tenant's status kept.
pub(super) async fn restore(cx: &Context, opening: Opening<'_>, lost: &RecordSeen) -> Result<(), Error> {
    let namespace = opening.tenant.namespace().unwrap_or_default();
    open(cx, Opening { requested_at: lost.requested_at, ..opening }).await?;
    let RecordSeen { deactivated_at, purge_at, evidence, .. } = *lost;
    let dates = Dates { deactivated_at, purge_at, evidence };
    update(cx, &namespace, &lost.name, |status| schedule(status, dates)).await
}

/// Changes a record's status. Tries again when somebody else wrote it meanwhile; `change` sees what stands there.
pub(super) async fn update(
    cx: &Context,
    namespace: &str,
    name: &str,
    change: impl Fn(&mut QlikOffboardingStatus) + Send + Sync,
) -> Result<(), Error> {
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), namespace);
    for _ in 0..UPDATE_ATTEMPTS {
        let record = within("read an off-boarding record", api.get(name)).await?;
        let mut status = record.status.clone().unwrap_or_default();
        change(&mut status);
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

/// Writes dates that were concluded rather than answered, if the record still says what they were concluded from.
/// Otherwise another operator may have heard Qlik's own date meanwhile, and an estimate must not replace that.
pub(super) async fn schedule_as_seen(
    cx: &Context,
    namespace: &str,
    seen: &RecordSeen,
    dates: Dates,
) -> Result<(), Error> {
    let api: Api<QlikOffboarding> = Api::namespaced(cx.client.clone(), namespace);
    let record = within("read an off-boarding record", api.get(&seen.name)).await?;
    let mut status = record.status.clone().unwrap_or_default();
    if !says_the_same(&status, seen) {
        return Err(Error::Raced);
    }
    schedule(&mut status, dates);
    if record.status.as_ref() == Some(&status) {
        return Ok(());
    }
    write::status::<QlikOffboarding, _>(&api, &record.metadata, &status).await.map(drop)
}

/// Whether a record says of the deactivation what was seen when the decision was made.
fn says_the_same(status: &QlikOffboardingStatus, seen: &RecordSeen) -> bool {
    status.phase == seen.phase
        && status.evidence == seen.evidence
        && status.purge_at.map(|at| at.0) == seen.purge_at
        && status.deactivated_at.as_ref().map(|at| at.0) == seen.deactivated_at
}

/// Notes the dates of a deactivation.
pub(super) fn schedule(status: &mut QlikOffboardingStatus, dates: Dates) {
    if status.phase == OffboardingPhase::Purged {
        return; // the end is the end
    }
    status.phase = OffboardingPhase::Scheduled;
    status.deactivated_at = dates.deactivated_at.map(Time);
    status.purge_at = dates.purge_at.map(ExactTime);
    status.evidence = dates.evidence;
}

/// Notes which Secrets will go, keeping what stands there.
pub(super) fn plan_erasure(status: &mut QlikOffboardingStatus, planned: &[ErasedSecret]) {
    for entry in planned {
        if !status.erased.iter().any(|e| e.name == entry.name && e.uid == entry.uid) {
            status.erased.push(entry.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_concluded_from_an_older_record_does_not_replace_a_newer_one() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let requested = RecordSeen {
            name: "acme-1".into(),
            tenant_id: "vi06S40US9YCpugS6IuyR0OQ7HuGweu0".parse().unwrap(),
            hostnames: Vec::new(),
            tenant_name: "acme".into(),
            uid: "u".into(),
            trigger: Trigger::Lifecycle,
            phase: OffboardingPhase::Requested,
            requested_at: at(1_000),
            purge_after_days: 30,
            deactivated_at: None,
            purge_at: None,
            evidence: None,
            erased: Vec::new(),
        };
        let mut status = QlikOffboardingStatus::default();
        assert!(says_the_same(&status, &requested));
        // The other operator, which made the call, writes the answer.
        let answered =
            Dates { deactivated_at: Some(at(1_001)), purge_at: Some(at(9_000)), evidence: Some(Evidence::Date) };
        schedule(&mut status, answered);
        assert!(!says_the_same(&status, &requested), "an estimate concluded before the answer is void");
        let scheduled = RecordSeen {
            phase: OffboardingPhase::Scheduled,
            deactivated_at: Some(at(1_001)),
            purge_at: Some(at(9_000)),
            evidence: Some(Evidence::Date),
            ..requested
        };
        assert!(says_the_same(&status, &scheduled));
    }
}
