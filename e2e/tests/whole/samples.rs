//! The sample manifests against the real API server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use e2e::stage::{Setup, Stage, condition};
use std::path::{Path, PathBuf};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = found.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn the_api_server_accepts_every_sample() {
    let stage = Stage::new(Setup::new("samples")).await.unwrap();
    let customers = samples().join("../argocd/customers");
    let all: Vec<_> = files(&samples()).into_iter().chain(files(&customers)).collect();
    assert!(all.len() >= 20, "{all:?}");
    for file in all {
        // Strict: a misspelt field is an error and not merely dropped.
        let args = ["apply", "-n", stage.ns(), "--dry-run=server", "--validate=strict", "-f", "-"];
        let done = stage.cluster.kubectl(&args, &text(&file)).await.unwrap();
        assert!(done.success(), "{}: {}", file.display(), done.stderr);
        assert!(!done.stderr.contains("unknown field"), "{}: {}", file.display(), done.stderr);
    }
}

#[tokio::test]
async fn the_samples_of_the_demo_become_tenants_in_whatever_order() {
    let stage = Stage::new(Setup::new("samples")).await.unwrap();
    let defaults = [
        "--regional-credentials",
        &format!("us={}", stage.directory().join("us").display()),
        "--regional-namespaces",
        &format!("us={}", stage.ns()),
    ];
    let _operator = stage.operator_with(stage.identity.kubeconfig(), &defaults).await.unwrap();
    // The tenant that takes its license from acme comes before acme, and is seen to wait for it.
    stage.apply(&text(&samples().join("create-from-tenant.yaml"))).await.unwrap();
    let reason = |tenant: &_| condition(tenant, "Ready").map(|ready| ready.reason.clone());
    stage.until("globex", "waits", |t| reason(t).as_deref() == Some("LicenseMissing")).await.unwrap();
    for name in ["secrets/acme.yaml", "create-with-key.yaml", "default-credentials.yaml"] {
        stage.apply(&text(&samples().join(name))).await.unwrap();
    }
    for name in ["acme", "globex", "initech"] {
        stage.kubectl(&["wait", "--for=condition=Ready", &format!("qt/{name}"), "--timeout=120s"]).await.unwrap();
    }
    assert_eq!(stage.committed("tenant.created"), 3);
}

#[tokio::test]
async fn the_clients_of_acme_become_ready_before_or_after_acme() {
    let stage = Stage::new(Setup::new("samples")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    let (early, late): (Vec<_>, Vec<_>) =
        files(&samples().join("oauth-clients")).into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    for (_, file) in early {
        stage.apply(&text(&file)).await.unwrap();
    }
    stage.apply(&text(&samples().join("create-with-key.yaml"))).await.unwrap();
    stage.kubectl(&["wait", "--for=condition=Ready", "qt/acme", "--timeout=120s"]).await.unwrap();
    for (_, file) in late {
        stage.apply(&text(&file)).await.unwrap();
    }
    let all = ["audit", "dashboard", "embedding", "exports", "ingest", "mobile", "portal", "reloads"];
    for name in all {
        let object = format!("qoc/acme-{name}");
        stage.kubectl(&["wait", "--for=condition=Ready", &object, "--timeout=120s"]).await.unwrap();
    }
    assert_eq!(stage.committed("oauth-client.created"), all.len());
    let ini = stage.read_secret("acme-portal").await.unwrap()["qlik.ini"].clone();
    assert!(ini.starts_with("tenant = https://") && ini.ends_with("scopes = user_default offline_access\n"), "{ini}");
    // Its tenant is none of these.
    let waits =
        stage.kubectl(&["get", "qoc/acme-nordic-website", "-o", "jsonpath={.status.conditions[0].reason}"]).await;
    assert_eq!(waits.unwrap(), "TenantMissing");
}

#[tokio::test]
async fn adopting_a_tenant_that_is_not_there_says_so_and_nothing_about_the_credentials() {
    let stage = Stage::new(Setup::new("samples")).await.unwrap();
    let _operator = stage.operator().await.unwrap();
    stage.apply(&text(&samples().join("adopt.yaml"))).await.unwrap();
    let status =
        |tenant: &_, kind: &str| condition(tenant, kind).map(|found| (found.status.clone(), found.reason.clone()));
    let mismatch = Some(("True".to_owned(), "AdoptMismatch".to_owned()));
    let umbrella = stage.until("umbrella", "stalls", |t| status(t, "Stalled") == mismatch).await.unwrap();
    // These credentials are of another region; a host that does not exist never looked at them.
    assert_eq!(status(&umbrella, "CredentialsValid"), None);
}

#[test]
fn the_off_boarding_sample_only_adds_to_the_one_that_it_ends() {
    let lines = |name: &str| {
        let text = text(&samples().join(name));
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
    };
    let (before, after) = (lines("create-with-key.yaml"), lines("off-boarding/acme.yaml"));
    assert_eq!(after[..before.len()], before[..]);
    assert_eq!(after[before.len()], "  lifecycle: Deactivated");
}
