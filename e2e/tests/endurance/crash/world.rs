//! Everything that must be the same at the end of a scenario, without the names and dates that differ.

use e2e::sim::{Flags, Status};
use e2e::stage::{Error, Stage};
use qlik_operator::crd::{Evidence, OffboardingPhase, QlikOffboarding, QlikTenant, SecretOutcome, Trigger};
use std::collections::BTreeMap;

/// What Qlik Cloud and the cluster look like.
#[derive(Debug, PartialEq)]
pub(crate) struct World {
    /// What was done in Qlik Cloud, and how often; reads and tokens left out.
    journal: BTreeMap<String, usize>,
    tenant: Option<Tenant>,
    object: Option<Object>,
    records: Vec<Record>,
    /// The Secret that goes with the tenant.
    secret: bool,
}

#[derive(Debug, PartialEq)]
struct Tenant {
    status: Status,
    name: String,
    alias: bool,
    flags: Flags,
    purge_ahead: bool,
}

#[derive(Debug, PartialEq)]
struct Object {
    phase: String,
    conditions: Vec<(String, String, String)>,
    finalizers: Vec<String>,
    /// It holds the very tenant that is in Qlik Cloud.
    holds_it: bool,
    /// The purge date in the status is the one in Qlik Cloud, or there is none in either.
    purge_as_in_qlik: bool,
    names_record: bool,
}

#[derive(Debug, PartialEq)]
struct Record {
    phase: OffboardingPhase,
    trigger: Trigger,
    /// The date is Qlik's own: answered by the call, or by the organization API where the answer was lost.
    known: bool,
    purge_as_in_qlik: bool,
    of_this_tenant: bool,
    erased: Vec<(String, bool)>,
}

impl World {
    pub(crate) async fn look(stage: &Stage, name: &str) -> Result<Self, Error> {
        let mut journal = BTreeMap::new();
        for entry in stage.sim.journal() {
            let counts = entry.committed || (entry.method != "GET" && !entry.path.contains("/oauth/"));
            if counts && entry.effect.as_deref() != Some("token.issued") {
                *journal.entry(entry.effect.unwrap_or(format!("{} {}", entry.method, entry.path))).or_default() += 1;
            }
        }
        let there = stage.sim.tenants().into_iter().last();
        let purge = there.as_ref().and_then(|t| t.purge_at);
        let id = there.as_ref().map(|t| t.id.as_str());
        Ok(Self {
            journal,
            tenant: there.as_ref().map(|t| Tenant {
                status: t.status,
                name: t.name.clone(),
                alias: t.hostnames.get(1).is_some_and(|alias| *alias == format!("{name}.us.qlikcloud.com")),
                flags: t.flags.clone(),
                purge_ahead: purge.is_some(),
            }),
            object: stage.tenants().get_opt(name).await?.as_ref().map(|object| of_object(object, id, purge)),
            records: stage.records_of(name).await?.iter().map(|record| of_record(record, id, purge)).collect(),
            secret: stage.has_secret(&format!("{name}-extra")).await?,
        })
    }
}

fn of_object(object: &QlikTenant, id: Option<&str>, purge: Option<jiff::Timestamp>) -> Object {
    let status = object.status.clone().unwrap_or_default();
    Object {
        phase: status.phase.to_string(),
        conditions: status.conditions.into_iter().map(|c| (c.type_, c.status, c.reason)).collect(),
        finalizers: object.metadata.finalizers.clone().unwrap_or_default(),
        holds_it: status.tenant_id.as_deref() == id,
        purge_as_in_qlik: status.purge.and_then(|p| p.purge_at).map(|at| at.0) == purge,
        names_record: status.offboarding.is_some(),
    }
}

fn of_record(record: &QlikOffboarding, id: Option<&str>, purge: Option<jiff::Timestamp>) -> Record {
    let status = record.status.clone().unwrap_or_default();
    Record {
        phase: status.phase,
        trigger: record.spec.trigger,
        known: matches!(status.evidence, Some(Evidence::Date | Evidence::Organization)),
        purge_as_in_qlik: purge.is_none() || status.purge_at.map(|at| at.0) == purge,
        of_this_tenant: Some(record.spec.tenant_id.as_str()) == id,
        erased: status.secrets.into_iter().map(|e| (e.rule, e.outcome == SecretOutcome::Erased)).collect(),
    }
}
