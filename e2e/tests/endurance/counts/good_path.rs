//! Writes from the audit log, calls from the journal. Events are named apart: nothing depends on them.

use e2e::cluster::AuditLog;
use e2e::cluster::audit::{Filter, Position};
use e2e::stage::{Error, Setup, Stage, in_phase, is_ready, manifest, show};
use std::collections::BTreeMap;
use std::time::Duration;

/// More than the ten seconds after which a result that was taken from an answer is looked at.
const VERIFIED: Duration = Duration::from_secs(40);
const INTERVAL: Duration = Duration::from_mins(30);

/// What was counted over a stretch of time.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    writes: Vec<String>,
    calls: BTreeMap<String, usize>,
    events: usize,
    reads: BTreeMap<String, usize>,
}

impl Counts {
    fn calls(&self, what: &str) -> usize {
        self.calls.iter().filter(|(call, _)| call.starts_with(what)).map(|(_, count)| count).sum()
    }
}

/// Counts from its making on.
struct Counter<'a> {
    stage: &'a Stage,
    audit: AuditLog,
    since: Position,
}

impl<'a> Counter<'a> {
    async fn new(stage: &'a Stage) -> Result<Self, Error> {
        let audit = stage.cluster.audit()?;
        let since = audit.position().await?;
        stage.sim.clear_journal();
        Ok(Self { stage, audit, since })
    }

    async fn counts(&self) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        let filter = Filter::new().user(self.stage.identity.user());
        for entry in self.audit.entries(self.since, &filter).await? {
            let subresource =
                if entry.subresource.is_empty() { String::new() } else { format!("/{}", entry.subresource) };
            let what = format!("{} {}{subresource}", entry.verb, entry.resource);
            let refused = if entry.code < 400 { String::new() } else { format!(" ({} {})", entry.code, entry.name) };
            match (entry.group.as_str(), entry.is_write()) {
                ("events.k8s.io", _) => counts.events += 1,
                (_, true) => counts.writes.push(what),
                (_, false) if entry.verb == "watch" => {}
                (_, false) => *counts.reads.entry(what + &refused).or_default() += 1,
            }
        }
        for entry in self.stage.sim.journal() {
            let path = entry.path.split('?').next().unwrap_or_default();
            let path = entry.tenant_id.iter().fold(path.to_owned(), |path, id| path.replace(id.as_str(), "{id}"));
            *counts.calls.entry(format!("{} {path}", entry.method)).or_default() += 1;
        }
        Ok(counts)
    }
}

/// Waits for the look that follows a result which was taken from an answer.
async fn verified(stage: &Stage, looks: usize) -> Result<(), Error> {
    stage.turn(VERIFIED)?;
    stage.in_time("the look afterwards", async || Ok((looks_at(stage) > looks).then_some(()))).await
}

fn looks_at(stage: &Stage) -> usize {
    stage.sim.journal().iter().filter(|e| e.method == "GET" && e.path.starts_with("/api/v1/tenants/")).count()
}

fn tell(what: &str, counts: &Counts) {
    let Counts { writes, calls, events, reads } = counts;
    show(&format!("  {what:<26} {} writes {writes:?}; Qlik {calls:?}; reads {reads:?}; events {events}", writes.len()));
}

#[tokio::test]
async fn few_writes_and_fewer_calls() {
    let stage = Stage::new(Setup::new("counts")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    show("counts on the good path");

    let counter = Counter::new(&stage).await.unwrap();
    stage.put(&manifest("bare", "")).await.unwrap();
    stage.until("bare", "is ready", is_ready).await.unwrap();
    verified(&stage, looks_at(&stage)).await.unwrap();
    let create = counter.counts().await.unwrap();
    tell("create", &create);
    // Announced, what came of it written beside the announcement, and the status.
    let made = ["patch qliktenants", "patch qliktenants", "patch qliktenants/status"];
    assert_eq!(create.writes, made);
    assert_eq!((create.calls("POST /api/v1/tenants"), create.calls("PATCH"), create.calls("POST /oauth")), (1, 0, 2));

    // Whether the alias is free is asked once, at its host, with a token of its own.
    let counter = Counter::new(&stage).await.unwrap();
    stage.put(&manifest("named", "displayName: Named\nalias: named")).await.unwrap();
    stage.until("named", "is ready", is_ready).await.unwrap();
    verified(&stage, looks_at(&stage)).await.unwrap();
    let named = counter.counts().await.unwrap();
    tell("create with name and alias", &named);
    assert_eq!(named.writes, made);
    assert_eq!((named.calls("POST /api/v1/tenants"), named.calls("PATCH")), (1, 1));
    assert_eq!(
        (named.calls("POST /oauth"), named.calls("GET /api/v1/tenants/me")),
        (2, 0),
        "the alias's host, the new one"
    );

    let counter = Counter::new(&stage).await.unwrap();
    let spec = "displayName: Changed\nalias: named\nsettings: {enableAppOpeningFeedback: true}";
    stage.put(&manifest("named", spec)).await.unwrap();
    stage.until("named", "is changed", is_ready).await.unwrap();
    verified(&stage, looks_at(&stage)).await.unwrap();
    let change = counter.counts().await.unwrap();
    tell("change", &change);
    assert_eq!(change.writes, ["patch qliktenants/status"]);
    assert_eq!((change.calls("POST /api"), change.calls("PATCH")), (0, 1));

    let counter = Counter::new(&stage).await.unwrap();
    for _ in 0..10 {
        let before = looks_at(&stage);
        stage.turn(INTERVAL + VERIFIED).unwrap();
        let both = stage.in_time("both drift reads", async || Ok((looks_at(&stage) >= before + 2).then_some(())));
        both.await.unwrap();
    }
    let steady = counter.counts().await.unwrap();
    tell("ten intervals, two tenants", &steady);
    assert_eq!(steady.writes, Vec::<String>::new());
    let (looks, tokens) = (steady.calls("GET /api/v1/tenants/{id}"), steady.calls("POST /oauth/token"));
    assert_eq!(looks + tokens, steady.calls.values().sum::<usize>(), "nothing but drift reads and their tokens");
    assert!((20..=24).contains(&looks), "{looks}");
    assert_eq!(steady.events, 0);
    assert_eq!(steady.reads.keys().collect::<Vec<_>>(), ["get secrets"], "nobody is asked whom a tenant belongs to");

    // Before the call it is asked live whom the tenant belongs to: two lists in each scope that is served, here one. The
    // limit is looked at before the announcement and written down before the call.
    let counter = Counter::new(&stage).await.unwrap();
    stage.put(&manifest("named", &format!("{spec}\n{OFF}"))).await.unwrap();
    stage.until("named", "is deactivated", |t| is_ready(t) && in_phase(t, "Deactivated")).await.unwrap();
    let off = counter.counts().await.unwrap();
    tell("deactivate", &off);
    let reads = |what: &str| off.reads.iter().filter(|(read, _)| read.starts_with(what)).map(|(_, n)| n).sum::<usize>();
    assert_eq!((reads("list qliktenants"), reads("get configmaps")), (2, 2), "{:?}", off.reads);
    let rings = off.writes.iter().filter(|write| write.ends_with(" configmaps")).count();
    assert_eq!((rings, off.calls("POST /api/v1/tenants/{id}/actions/deactivate")), (1, 1), "{:?}", off.writes);

    // Let go: the record, its status, and the finalizer.
    let bare = stage.tenants().get("bare").await.unwrap().status.and_then(|status| status.tenant_id);
    assert!(bare.is_some());
    let counter = Counter::new(&stage).await.unwrap();
    stage.delete("bare").await.unwrap();
    stage.until_gone("bare").await.unwrap();
    stage.until_released("bare").await.unwrap();
    let gone = counter.counts().await.unwrap();
    tell("let go", &gone);
    let mut writes = gone.writes.clone();
    writes.sort();
    assert_eq!(writes, ["create qlikoffboardings", "patch qlikoffboardings/status", "patch qliktenants"]);
    // The other tenant's scheduled look may fall into this time.
    let mut journal = stage.sim.journal();
    journal.retain(|entry| entry.tenant_id == bare || entry.method != "GET");
    assert!(journal.is_empty(), "{journal:#?}");
}

const OFF: &str = "lifecycle: Deactivated\noffboarding: {confirmHostname: named.us.qlikcloud.com}";
