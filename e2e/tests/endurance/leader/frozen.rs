//! A leader that stands still past its lease, and goes on when another one leads: the machine was suspended, the node was
//! starved. It must not act on what it believed before.
//!
//! Each run freezes it after another one of its requests, in the middle of an onboarding (a tenant and an OAuth client in
//! it) and of an off-boarding that go on at the same time.

use super::{leader, standby};
use e2e::process::Exit;
use e2e::stage::{
    Blow, Error, Inside, PATIENCE, Setup, Stage, Trap, client_manifest, in_phase, is_ready, manifest, show,
};
use std::sync::Arc;
use std::time::Duration;

/// Runs that go on at the same time: each waits for a lease to end most of the time.
const LANES: usize = 5;
const RUNS: usize = POINTS.len();

/// After which request the leader is frozen.
#[derive(Clone, Copy)]
enum Point {
    /// The first of this kind.
    First(&'static str),
    /// The second.
    Second(&'static str),
    /// The one of this number, whatever it is.
    Number(usize),
}

/// The moments around calls that must not be made twice (announced, made and not heard of, not written down yet), each
/// with an early and a late awakening, and some others.
const POINTS: [Point; 24] = [
    Point::First("PATCH qliktenants/{name}"),
    Point::First("PATCH qliktenants/{name}"),
    Point::First("POST register/api/v1/tenants"),
    Point::First("POST register/api/v1/tenants"),
    Point::Second("PATCH qliktenants/{name}"),
    Point::Second("PATCH qliktenants/{name}"),
    Point::First("/actions/deactivate"),
    Point::First("/actions/deactivate"),
    Point::First("POST qlikoffboardings"),
    Point::First("POST qlikoffboardings"),
    Point::First("PATCH qlikoauthclients/{name}"),
    Point::First("PATCH qlikoauthclients/{name}"),
    Point::First("POST tenant/api/v1/oauth-clients"),
    Point::First("POST tenant/api/v1/oauth-clients"),
    Point::First("PATCH qlikoauthclients/{name}/status"),
    Point::First("PATCH qlikoauthclients/{name}/status"),
    Point::First("POST secrets"),
    Point::First("POST secrets"),
    Point::Number(1),
    Point::Number(4),
    Point::Number(9),
    Point::Number(16),
    Point::Number(25),
    Point::Number(36),
];

impl Point {
    fn is(self, seen: &mut usize, number: usize, request: &str) -> bool {
        let (kind, wanted) = match self {
            Self::Number(wanted) => return number == wanted,
            Self::First(kind) => (kind, 1),
            Self::Second(kind) => (kind, 2),
        };
        *seen += usize::from(request.ends_with(kind));
        *seen == wanted
    }
}

/// After this long, a call of unknown outcome may be resolved by another operator.
const TAKE_OVER: Duration = Duration::from_mins(11);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_was_frozen_does_nothing_twice() {
    let lanes = (0..LANES).map(|lane| async move {
        let mut played = Vec::new();
        for number in (lane..RUNS).step_by(LANES) {
            played.push((number, run(number).await));
        }
        played
    });
    let mut played: Vec<_> = futures::future::join_all(lanes).await.into_iter().flatten().collect();
    played.sort_by_key(|(number, _)| *number);
    let mut failed = Vec::new();
    let mut report =
        vec!["a leader frozen past its lease, after which request, and what was done in Qlik Cloud:".to_owned()];
    for (number, outcome) in played {
        match outcome {
            Ok(line) => report.push(format!("  {:>2}  {line}", number + 1)),
            Err(error) => failed.push(format!("run {}: {error}", number + 1)),
        }
    }
    show(&report.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

async fn run(number: usize) -> Result<String, Error> {
    let trap = Trap::default();
    let mut setup = Setup::new("frozen").with_own_organization();
    setup.sim.after_request = Some(trap.at_qlik());
    let stage = Stage::new(setup).await?;
    let (_proxy, first) = leader(&stage, trap.at_kubernetes()).await?;
    let first = Arc::new(first);
    let second = standby(&stage).await?;
    stage.put(&leaving("Active")).await?;
    stage.until("leaving", "is ready", is_ready).await?;
    stage.sim.clear_journal();

    let (point, mut seen) = (POINTS[number], 0);
    trap.arm_with(Blow::Freeze, first.clone(), move |number, request| point.is(&mut seen, number, request));
    let (coming, going) = (manifest("acme", "alias: acme"), leaving("Deactivated"));
    tokio::try_join!(stage.put(&coming), stage.put(&going))?;
    stage.apply(&client_manifest("app", "acme", CLIENT)).await?;
    trap.sprung().await;
    let last = trap.disarm().pop().unwrap_or_default();
    second.wait_for_line(PATIENCE, |line| line.contains("leading")).await?;
    // It wakes up before the other one has begun, or after it has done everything.
    let early = number.is_multiple_of(2);
    if early {
        wake(&first).await?;
    }
    stage.turn(TAKE_OVER)?;
    finished(&stage).await?;
    if !early {
        wake(&first).await?;
        finished(&stage).await?;
    }
    judge(&stage, &format!("{last} ({})", if early { "wakes early" } else { "wakes late" }))
}

/// The former leader goes on, and ends because it leads no more.
async fn wake(first: &e2e::stage::Operator) -> Result<(), Error> {
    first.cont()?;
    let exit = first.wait(PATIENCE).await?;
    let log = first.log()?;
    if exit == Exit::Code(1) && log.contains("is lost") { Ok(()) } else { Err(format!("{exit:?}: {log}").into()) }
}

async fn finished(stage: &Stage) -> Result<(), Error> {
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await?;
    stage.until("leaving", "is off", |t| is_ready(t) && in_phase(t, "Deactivated")).await?;
    stage.until_client("app", "is ready", Inside::is_ready).await?;
    Ok(())
}

/// Each thing that must be done once was done once, whatever was asked and not done.
fn judge(stage: &Stage, point: &str) -> Result<String, Error> {
    let once = ["tenant.created", "tenant.deactivated", "oauth-client.created"];
    let counts = once.map(|effect| (effect, stage.committed(effect)));
    let calls = [
        ("POST tenants", stage.called("POST", "/api/v1/tenants")),
        ("deactivate", stage.called("POST", "/actions/deactivate")),
        ("POST oauth-clients", stage.called("POST", "/oauth-clients")),
    ];
    if counts.iter().chain(&calls).all(|(_, count)| *count == 1) {
        Ok(format!("{point}: each once"))
    } else {
        Err(format!("after {point}: {counts:?}, calls {calls:?}").into())
    }
}

fn leaving(lifecycle: &str) -> String {
    let spec =
        format!("alias: leaving\nlifecycle: {lifecycle}\noffboarding: {{confirmHostname: leaving.us.qlikcloud.com}}");
    manifest("leaving", &spec)
}

const CLIENT: &str = "appType: web\ngrantTypes: [client_credentials]\nconsent: Trusted\nscopes: [user_default]\n\
                      auth: {clientSecret: {secret: {name: app}}}";
