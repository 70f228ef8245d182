//! What is found out when metrics are asked for: nothing of it is kept for each object.

use crate::config::Settings;
use crate::crd::{ConditionType, Phase, QlikOffboarding, QlikTenant, Reason, known};
use crate::engine::{Caches, Context, Lean, Managed, Standing};
use crate::health::Health;
use crate::metrics::{
    About, BUDGET_LEFT, BUDGET_SPENT, BUDGET_WAITS, BUILD, DEACTIVATIONS_WAITING, LEADER, OBJECTS, OBJECTS_BACKING_OFF,
    OBJECTS_DUE, PURGE_AT, PURGE_IN, READY, ROTATION_DUE, SECRET_AGE,
};
use crate::qlik::{Cloud, HostClass, Tier};
use crate::server::Served;
use jiff::Timestamp;
use kube::Resource;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

/// Looks at everything that can be counted when it is asked for.
pub(super) struct Scrape {
    pub(super) health: Arc<Health>,
    pub(super) settings: Arc<Settings>,
    pub(super) cloud: Cloud,
    /// Set once this process works. Weak, so that looking does not keep anything from ending.
    pub(super) working: Arc<OnceLock<Weak<Context>>>,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").finish_non_exhaustive()
    }
}

type Encoded = Result<(), fmt::Error>;

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Encoded {
        let cx = self.working.get().and_then(Weak::upgrade);
        let leads = cx.as_ref().is_some_and(|cx| cx.cloud.leads());
        let ready = Served::missing(&self.health, &self.settings).is_empty();
        LEADER.begin(&mut encoder)?.encode_gauge(&i64::from(leads))?;
        READY.begin(&mut encoder)?.encode_gauge(&i64::from(ready))?;
        BUILD.begin(&mut encoder)?.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        self.budgets(&mut encoder)?;
        let Some(cx) = cx else { return Ok(()) };
        Counted::of(&cx).encode(&mut encoder)?;
        waiting(&cx, &mut encoder)?;
        if self.settings.per_object.purge {
            purges(&cx, &mut encoder)?;
        }
        if self.settings.per_object.secrets {
            secrets(&cx, &mut encoder)?;
        }
        Ok(())
    }
}

impl Scrape {
    fn budgets(&self, encoder: &mut DescriptorEncoder) -> Encoded {
        let all = || HostClass::ALL.into_iter().flat_map(|class| Tier::ALL.into_iter().map(move |tier| (class, tier)));
        let used: Vec<_> = all()
            .map(|(class, tier)| {
                ([("host_class", class.label()), ("tier", tier.label())], self.cloud.usage(class, tier))
            })
            .collect();
        let none: Option<&Exemplar<[(&str, &str); 0], f64>> = None;
        let mut metric = BUDGET_SPENT.begin(encoder)?;
        for (labels, usage) in &used {
            metric.encode_family(labels)?.encode_counter(&usage.spent, none)?;
        }
        let mut metric = BUDGET_WAITS.begin(encoder)?;
        for (labels, usage) in &used {
            metric.encode_family(labels)?.encode_counter(&usage.waits, none)?;
        }
        gauges(&BUDGET_LEFT, used.iter().map(|(labels, usage)| (labels, usage.left)), encoder)
    }
}

/// One gauge for each set of labels.
fn gauges<'a, L: EncodeLabelSet + 'a>(
    about: &About,
    values: impl Iterator<Item = (&'a L, f64)>,
    encoder: &mut DescriptorEncoder,
) -> Encoded {
    let mut metric = about.begin(encoder)?;
    for (labels, value) in values {
        metric.encode_family(labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

/// Objects by kind.
#[derive(Default)]
struct Counted {
    conditions: BTreeMap<(&'static str, ConditionType, &'static str, Option<Reason>), u32>,
    due: BTreeMap<&'static str, u32>,
    backing_off: BTreeMap<&'static str, u32>,
}

impl Counted {
    fn of(cx: &Context) -> Self {
        let Caches { tenants, identity_providers, oauth_clients, offboardings, lists: _ } = &cx.caches;
        let mut counted = Self::default();
        counted.add(tenants, cx);
        counted.add(identity_providers, cx);
        counted.add(oauth_clients, cx);
        counted.add(offboardings, cx);
        counted
    }

    fn add<K: Managed>(&mut self, stores: &[Store<Lean<K>>], cx: &Context) {
        let now = cx.clock.monotonic();
        let due = self.due.entry(K::KIND).or_default();
        let backing_off = self.backing_off.entry(K::KIND).or_default();
        for object in stores.iter().flat_map(Store::state) {
            let uid = object.0.meta().uid.as_deref().unwrap_or_default();
            let Standing { due: is_due, failed } = cx.gates.standing(uid, now);
            *due += u32::from(is_due);
            *backing_off += u32::from(failed);
            for said in said(&object) {
                *self.conditions.entry(said).or_default() += 1;
            }
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder) -> Encoded {
        let mut metric = OBJECTS.begin(encoder)?;
        for ((kind, condition, status, reason), count) in &self.conditions {
            let (condition, reason) = (condition.to_string(), reason.map_or("Unknown".to_owned(), |it| it.to_string()));
            let labels = [("kind", *kind), ("condition", &condition), ("status", status), ("reason", &reason)];
            metric.encode_family(&labels)?.encode_gauge(count)?;
        }
        for (about, counts) in [(&OBJECTS_DUE, &self.due), (&OBJECTS_BACKING_OFF, &self.backing_off)] {
            let mut metric = about.begin(encoder)?;
            for (kind, count) in counts {
                metric.encode_family(&[("kind", *kind)])?.encode_gauge(count)?;
            }
        }
        Ok(())
    }
}

/// What an object's conditions say, in words that are known here: anybody who may write a status can write others.
fn said<K: Managed>(object: &Lean<K>) -> Vec<(&'static str, ConditionType, &'static str, Option<Reason>)> {
    let Ok(object) = &object.0.0 else {
        // The status of what cannot be understood is not in the cache; it says this.
        let why = Some(Reason::SpecInvalid);
        return vec![
            (K::KIND, ConditionType::Ready, "False", why),
            (K::KIND, ConditionType::Reconciling, "False", why),
            (K::KIND, ConditionType::Stalled, "True", why),
        ];
    };
    let conditions = object.status().map(K::conditions).unwrap_or_default();
    let mut list: Vec<_> = conditions
        .iter()
        .filter_map(|condition| {
            let status = ["True", "False"].into_iter().find(|word| *word == condition.status).unwrap_or("Unknown");
            Some((K::KIND, known(&condition.type_)?, status, known(&condition.reason)))
        })
        .collect();
    if !list.iter().any(|(_, condition, ..)| *condition == ConditionType::Ready) {
        list.push((K::KIND, ConditionType::Ready, "Unknown", None));
    }
    list
}

/// The well-formed objects of one kind.
fn all<K: Managed>(stores: &[Store<Lean<K>>]) -> impl Iterator<Item = Arc<Lean<K>>> + '_ {
    stores.iter().flat_map(Store::state).filter(|object| object.0.0.is_ok())
}

/// Tenants whose deactivation the limit holds, for each region that has tenants or records.
fn waiting(cx: &Context, encoder: &mut DescriptorEncoder) -> Encoded {
    let limit = Reason::DeactivationLimitReached.to_string();
    let mut counts: BTreeMap<[(&str, String); 1], f64> = BTreeMap::new();
    for record in all::<QlikOffboarding>(&cx.caches.offboardings) {
        let Ok(record) = record.read() else { continue };
        counts.entry([("region", crate::qlik::Region::from(record.spec.region).to_string())]).or_default();
    }
    for object in all::<QlikTenant>(&cx.caches.tenants) {
        let Ok(tenant) = object.read() else { continue };
        let conditions = tenant.status.iter().flat_map(|status| &status.conditions);
        let waits = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.reason == limit);
        let region = crate::qlik::Region::from(tenant.spec.region).to_string();
        *counts.entry([("region", region)]).or_default() += if waits { 1.0 } else { 0.0 };
    }
    gauges(&DEACTIVATIONS_WAITING, counts.iter().map(|(labels, count)| (labels, *count)), encoder)
}

fn seconds(at: Timestamp) -> f64 {
    at.as_duration().as_secs_f64()
}

/// Tenants with a purge ahead, by namespace and name, whether their object is there or a record alone tells of them. Where
/// several tenants had the same name, the earliest date counts.
fn purges(cx: &Context, encoder: &mut DescriptorEncoder) -> Encoded {
    let mut dates: BTreeMap<[(&str, String); 2], Timestamp> = BTreeMap::new();
    let mut note = |namespace: Option<&String>, name: Option<&String>, at: Option<Timestamp>| {
        let (Some(namespace), Some(name), Some(at)) = (namespace, name, at) else { return };
        let labels = [("namespace", namespace.clone()), ("name", name.clone())];
        dates.entry(labels).and_modify(|known| *known = at.min(*known)).or_insert(at);
    };
    for object in all::<QlikTenant>(&cx.caches.tenants) {
        let Ok(tenant) = &object.0.0 else { continue };
        let Some(status) = tenant.status.as_ref().filter(|status| status.phase != Phase::Purged) else { continue };
        note(tenant.metadata.namespace.as_ref(), tenant.metadata.name.as_ref(), QlikTenant::known_purge(status));
    }
    for object in all::<QlikOffboarding>(&cx.caches.offboardings) {
        let Ok(record) = &object.0.0 else { continue };
        let Some(status) = record.status.as_ref() else { continue };
        note(record.metadata.namespace.as_ref(), Some(&record.spec.tenant.name), QlikOffboarding::known_purge(status));
    }
    let now = seconds(cx.clock.now());
    gauges(&PURGE_AT, dates.iter().map(|(labels, at)| (labels, seconds(*at))), encoder)?;
    gauges(&PURGE_IN, dates.iter().map(|(labels, at)| (labels, seconds(*at) - now)), encoder)
}

/// The secret or key in use of one object: when it was made, and when it is to be replaced.
type Carried = ([(&'static str, String); 3], Option<Timestamp>, Option<Timestamp>);

fn secrets(cx: &Context, encoder: &mut DescriptorEncoder) -> Encoded {
    let clients = all(&cx.caches.oauth_clients).filter_map(|object| {
        let status = object.0.0.as_ref().ok()?.status.as_ref()?;
        let made = status.issued.first().map(|secret| secret.created_at.0);
        Some(carried(&object, made, status.next_rotation_at.as_ref().map(|at| at.0)))
    });
    let providers = all(&cx.caches.identity_providers).filter_map(|object| {
        let status = object.0.0.as_ref().ok()?.status.as_ref()?;
        let made = status.keys.first().map(|key| key.created_at.0);
        Some(carried(&object, made, status.next_rotation_at.as_ref().map(|at| at.0)))
    });
    let found: Vec<Carried> = clients.chain(providers).collect();
    let now = seconds(cx.clock.now());
    let ages = found.iter().filter_map(|(labels, made, _)| Some((labels, now - seconds((*made)?))));
    gauges(&SECRET_AGE, ages, encoder)?;
    let due = found.iter().filter_map(|(labels, _, due)| Some((labels, seconds((*due)?) - now)));
    gauges(&ROTATION_DUE, due, encoder)
}

fn carried<K: Managed>(object: &Lean<K>, made: Option<Timestamp>, due: Option<Timestamp>) -> Carried {
    let meta = object.0.meta();
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    ([("kind", K::KIND.to_owned()), ("namespace", word(&meta.namespace)), ("name", word(&meta.name))], made, due)
}
