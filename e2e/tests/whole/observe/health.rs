//! `/livez` and `/readyz`: what is missing is named, waited for, and noticed when it is there.

use super::support::Shown;
use e2e::cluster::proxy::{Before, Hooks, Proxy};
use e2e::process::Exit;
use e2e::stage::{Error, PATIENCE, Setup, Stage, address, in_phase, is_ready, manifest};
use reqwest::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Waits until `/readyz` says these words, or `ok`.
async fn says(shown: &Shown, words: &[&str]) -> String {
    e2e::process::until::<_, Error, _>(PATIENCE, &format!("/readyz says {words:?}"), async || {
        let (_, text) = shown.get("/readyz").await?;
        Ok(words.iter().all(|word| text.contains(word)).then_some(text))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn missing_crds_are_named_once_waited_for_and_worked_with_once_they_are_there() {
    let stage = Stage::new(Setup::new("health-crds")).await.unwrap();
    let (there, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (installed, looked) = (there.clone(), looks.clone());
    // Exactly what an API server answers that does not know the group.
    let hooks = Hooks::default().before_request(move |call| {
        let unknown = call.path.starts_with("/apis/qlik-operator.dev/") && !installed.load(Ordering::SeqCst);
        looked.fetch_add(usize::from(unknown), Ordering::SeqCst);
        if unknown { Before::Fail(StatusCode::NOT_FOUND) } else { Before::Forward }
    });
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let shown = Shown::launch(&stage, proxy.kubeconfig(), &[]).await;
    let text = says(&shown, &["CRDs: cannot list QlikTenant in namespace", "are the CRDs installed"]).await;
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(shown.get("/readyz").await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(shown.get("/livez").await.unwrap(), (StatusCode::OK, "ok\n".to_owned()), "to wait is not to hang");
    assert_eq!(shown.scrape().await.unwrap().sum("qlik_operator_ready", &[]), Some(0.0));
    let again = || (looks.load(Ordering::SeqCst) >= 3).then_some(());
    stage.until_some("it looks again and again", async || Ok(again())).await.unwrap();
    let log = shown.operator.log().unwrap();
    assert_eq!(log.matches("waiting for what is missing").count(), 1, "{log}");
    there.store(true, Ordering::SeqCst);
    shown.operator.wait_for_line(PATIENCE, |line| line.contains("started")).await.unwrap();
    assert!(shown.is_ready().await.unwrap());
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage.until("acme", "is ready", |t| is_ready(t) && in_phase(t, "Ready")).await.unwrap();
    shown.operator.terminate().unwrap();
    assert_eq!(shown.operator.wait(PATIENCE).await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn it_ends_at_once_while_it_waits() {
    let stage = Stage::new(Setup::new("health-ends")).await.unwrap();
    let hooks = Hooks::default().before_request(|_| Before::Fail(StatusCode::NOT_FOUND));
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let shown = Shown::launch(&stage, proxy.kubeconfig(), &[]).await;
    says(&shown, &["CRDs: cannot list"]).await;
    shown.operator.terminate().unwrap();
    assert_eq!(shown.operator.wait(PATIENCE).await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn default_credentials_that_cannot_be_read_are_named() {
    let stage = Stage::new(Setup::new("health-credentials")).await.unwrap();
    let directory = stage.directory().join("eu");
    std::fs::create_dir(&directory).unwrap();
    let credentials = format!("eu={}", directory.display());
    let shown = Shown::start(&stage, &["--regional-credentials", &credentials]).await;
    says(&shown, &["default credentials of region eu: ", "clientId"]).await;
    for name in ["clientId", "clientSecret"] {
        std::fs::copy(stage.directory().join("us").join(name), directory.join(name)).unwrap();
    }
    says(&shown, &["ok"]).await;
    assert!(shown.is_ready().await.unwrap());
}

/// Lets the operators hold a lease in the stage's namespace.
async fn allow_leases(stage: &Stage) {
    let user = stage.identity.user();
    stage.kubectl(&["create", "role", "leases", "--verb=get,create,update", "--resource=leases"]).await.unwrap();
    stage.kubectl(&["create", "rolebinding", "leases", "--role=leases", &format!("--user={user}")]).await.unwrap();
}

#[tokio::test]
async fn standing_by_is_being_ready_as_long_as_the_lease_can_be_seen() {
    let stage = Stage::new(Setup::new("health-lease")).await.unwrap();
    allow_leases(&stage).await;
    let lease = format!("{}/qlik-operator", stage.ns());
    let election = ["--leader-election-lease", lease.as_str()];
    let leader = Shown::start(&stage, &election).await;
    let away = Arc::new(AtomicBool::new(false));
    let unseen = away.clone();
    let hooks = Hooks::default().before_request(move |call| {
        let hidden = call.path.contains("/leases") && unseen.load(Ordering::SeqCst);
        if hidden { Before::Fail(StatusCode::SERVICE_UNAVAILABLE) } else { Before::Forward }
    });
    let proxy = Proxy::start(stage.cluster, &stage.identity, hooks).await.unwrap();
    let second = Shown::launch(&stage, proxy.kubeconfig(), &election).await;
    second.operator.wait_for_line(PATIENCE, |line| line.contains("standing by")).await.unwrap();
    says(&second, &["ok"]).await;
    let leads = async |shown: &Shown| shown.scrape().await.unwrap().sum("qlik_operator_leader", &[]);
    assert_eq!((leads(&leader).await, leads(&second).await), (Some(1.0), Some(0.0)));
    assert!(second.scrape().await.unwrap().all("qlik_operator_objects_due").is_empty(), "it has no caches");
    away.store(true, Ordering::SeqCst);
    let text = says(&second, &["lease: cannot read the lease"]).await;
    assert_eq!(text.lines().count(), 1, "{text}");
    away.store(false, Ordering::SeqCst);
    says(&second, &["ok"]).await;
    leader.operator.terminate().unwrap();
    second.until("the second one leads", |scrape| scrape.sum("qlik_operator_leader", &[]) == Some(1.0)).await;
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_named() {
    let stage = Stage::new(Setup::new("health-address")).await.unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).unwrap();
    for (args, words) in [
        (["--listen", taken.1.as_str()], ["cannot listen at", "(--listen)"]),
        (["--admin-listen", taken.1.as_str()], ["cannot listen at", "(--admin-listen)"]),
        (["--admin-listen", "0.0.0.0:0"], ["--admin-listen: ", "give a loopback address"]),
        (["--otlp-endpoint", "collector:4318"], ["--otlp-endpoint", "http://collector:4318"]),
    ] {
        let operator = stage.launch(stage.identity.kubeconfig(), &args).unwrap();
        assert_eq!(operator.wait(PATIENCE).await.unwrap(), Exit::Code(1), "{args:?}");
        let log = operator.log().unwrap();
        assert!(words.iter().all(|word| log.contains(word)), "{log}");
    }
}

#[tokio::test]
async fn it_is_not_ready_while_it_drains_and_still_answers() {
    let stage = Stage::new(Setup::new("health-drain")).await.unwrap();
    let shown = Shown::start(&stage, &["--drain", "60s"]).await;
    let hang = e2e::sim::FaultPlan::new(e2e::sim::Match::on("POST", "/api/v1/tenants"), e2e::sim::Effect::Hang);
    stage.sim.fault(hang);
    stage.apply(&manifest("acme", "alias: acme")).await.unwrap();
    stage
        .until_some("the call is made", async || Ok((stage.called("POST", "/tenants") > 0).then_some(())))
        .await
        .unwrap();
    assert!(shown.is_ready().await.unwrap());
    shown.operator.terminate().unwrap();
    let text = says(&shown, &["stopping"]).await;
    assert_eq!(text, "stopping\n");
    assert_eq!(shown.get("/livez").await.unwrap().0, StatusCode::OK);
    assert_eq!(shown.operator.wait(PATIENCE).await.unwrap(), Exit::Code(0));
}

#[tokio::test]
async fn the_log_filter_is_changed_while_it_runs() {
    let stage =
        Stage::new(Setup { log: "warn,qlik_operator=info".to_owned(), ..Setup::new("health-log") }).await.unwrap();
    let operator = stage.operator_with(stage.identity.kubeconfig(), &["--admin-listen", "127.0.0.1:0"]).await.unwrap();
    let url = format!("http://{}/log", address(&operator, "serving /log").await.unwrap());
    let http = reqwest::Client::new();
    let get = async || http.get(&url).send().await.unwrap().text().await.unwrap();
    let put = async |filter: &'static str| {
        let answer = http.put(&url).body(filter).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    };
    let first = get().await;
    assert!(first.contains("qlik_operator=info") && first.contains("warn"), "{first}");
    let (status, text) = put("qlik_operator=loud").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("qlik_operator=loud") && text.contains("expected one of"), "{text}");
    assert_eq!(get().await, first, "a bad filter changes nothing");
    stage.apply(&manifest("quiet", "alias: quiet")).await.unwrap();
    stage.until("quiet", "is ready", is_ready).await.unwrap();
    assert!(!operator.log().unwrap().contains("\"level\":\"DEBUG\""));
    assert_eq!(put("info,qlik_operator=debug").await.0, StatusCode::OK);
    assert!(get().await.contains("qlik_operator=debug"));
    stage.apply(&manifest("loud", "alias: loud")).await.unwrap();
    stage.until("loud", "is ready", is_ready).await.unwrap();
    let calls = |line: &str| line.contains("\"level\":\"DEBUG\"") && line.contains("tenants.create");
    operator.wait_for_line(PATIENCE, calls).await.unwrap();
}
