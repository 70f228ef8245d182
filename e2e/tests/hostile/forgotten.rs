//! A tenant is never forgotten: whatever takes its object away and brings it back, the same name means the same tenant, and
//! apps keep what they have.

use super::support::*;
use e2e::sim::{ClientRequest, Status};
use e2e::stage::{Inside, Operator, PATIENCE, Setup, Stage, is_ready, manifest};
use qlik_operator::crd::{OffboardingPhase, QlikOAuthClient, Trigger};
use serde_json::json;

/// How somebody takes an object away and brings it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    DeleteAndApply,
    ReplaceForced,
    ApplyForced,
    ApplyForcedTwice,
}

const WAYS: [Way; 4] = [Way::DeleteAndApply, Way::ReplaceForced, Way::ApplyForced, Way::ApplyForcedTwice];

async fn kubectl(stage: &Stage, args: &[&str], stdin: &str) -> String {
    let output = stage.cluster.kubectl(&[&["-n", stage.ns()], args].concat(), stdin).await.unwrap();
    format!("{} {}", output.stdout, output.stderr)
}

impl Way {
    /// Does it with a file. What kubectl says of a forced apply is its own affair.
    async fn go(self, stage: &Stage, file: &str) {
        let other = |from: &str, to: &str| file.replace(from, to);
        match self {
            Self::DeleteAndApply => {
                kubectl(stage, &["delete", "-f", "-"], file).await;
                kubectl(stage, &["apply", "-f", "-"], file).await;
            }
            Self::ReplaceForced => {
                kubectl(stage, &["replace", "--force", "-f", "-"], file).await;
            }
            // Over a change that the schema refuses: the region cannot be changed.
            Self::ApplyForced => {
                kubectl(stage, &["apply", "--force", "-f", "-"], &other("region: us", "region: eu")).await;
                kubectl(stage, &["delete", "qt", "acme", "--ignore-not-found"], "").await;
                kubectl(stage, &["apply", "-f", "-"], file).await;
            }
            Self::ApplyForcedTwice => {
                kubectl(stage, &["apply", "--force", "-f", "-"], &other("region: us", "region: eu")).await;
                kubectl(stage, &["apply", "--force", "-f", "-"], file).await;
                kubectl(stage, &["apply", "-f", "-"], file).await;
            }
        }
    }
}

/// F8, D1, PC-01: with and without an alias.
#[tokio::test]
async fn the_same_file_again_is_the_same_tenant() {
    for spec in ["displayName: Acme", "displayName: Acme\nalias: acme"] {
        let (stage, operator) = stage("again").await;
        let file = manifest("acme", spec);
        kubectl(&stage, &["apply", "-f", "-"], &file).await;
        let before = id_of(&in_use(&stage, "acme").await);
        let client = client(&stage).await;
        let given = stage.read_secret("app").await.unwrap();
        for way in WAYS {
            let uid = stage.tenants().get("acme").await.unwrap().metadata.uid;
            way.go(&stage, &file).await;
            let again = |t: &_| is_ready(t) && t.metadata.uid != uid;
            let acme = stage.until("acme", &format!("is back ({way:?})"), again).await.unwrap();
            assert_eq!(id_of(&acme), before, "{way:?}");
            let after = stage.client_pass("app").await.unwrap();
            let ready = stage.until_client("app", "is ready", Inside::is_ready).await.unwrap();
            assert_eq!(after.status.unwrap().client_id, client.status.as_ref().unwrap().client_id, "{way:?}");
            assert_eq!(ready.reason(), "Settled");
            assert_eq!(stage.read_secret("app").await.unwrap(), given, "{way:?}: the app's Secret is another one");
            app_works(&stage).await;
        }
        assert_eq!((creations(&stage), stage.sim.tenants().len(), deactivations(&stage)), (1, 1, 0), "{spec}");
        assert_eq!(clients_in(&stage, &before), 1);
        let said = stage.events("app").await.unwrap();
        assert!(!said.iter().any(|event| event.contains("does not exist any more")), "{said:?}");
        drop(operator);
    }
}

/// The record, the event and the log line name the tenant, whatever is asked of them later.
#[tokio::test]
async fn a_release_leaves_three_traces() {
    let (stage, operator) = stage("traces").await;
    let acme = onboard(&stage, "acme", "alias: acme").await;
    let (id, made) = (id_of(&acme), stage.sim.tenants()[0].clone());
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    let record = record(&stage).await;
    assert_eq!((record.spec.trigger, &record.spec.tenant_id), (Trigger::Release, &id));
    assert_eq!(record.spec.hostnames, made.hostnames);
    record_in(&stage, &status_of(&record).0, OffboardingPhase::Released).await;
    let event = stage.until_event("acme", "Released: ").await.unwrap();
    assert!(event.contains(&id) && event.contains(&made.hostnames[0]), "{event}");
    let names =
        |line: &str| line.contains("lets its tenant go") && line.contains(&id) && line.contains(&made.hostnames[0]);
    operator.wait_for_line(PATIENCE, names).await.unwrap();
    assert_eq!((deactivations(&stage), stage.sim.tenants()[0].status), (0, Status::Active));
}

/// Two tenants of one name, of which the former was given up by its id; a client of the former is asked about.
async fn replaced(prefix: &str) -> (Stage, Operator, [String; 2]) {
    let (stage, operator) = stage_of(Setup::new(prefix)).await;
    let former = id_of(&onboard(&stage, "acme", "displayName: Acme").await);
    client(&stage).await;
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    let anew = format!("  annotations: {{qlik-operator.dev/start-anew: {former}}}\n");
    let file = manifest("acme", "displayName: Acme").replacen("  name: acme\n", &format!("  name: acme\n{anew}"), 1);
    stage.put(&file).await.unwrap();
    let now = id_of(&in_use(&stage, "acme").await);
    assert_ne!(former, now);
    assert_eq!(creations(&stage), 2);
    (stage, operator, [former, now])
}

async fn asked(stage: &Stage, former: &str) {
    let given = stage.read_secret("app").await.unwrap();
    let asked = |client: &QlikOAuthClient| client.reason() == "TenantReplaced";
    let client = stage.until_client("app", "says TenantReplaced", asked).await.unwrap();
    assert!(client.message().contains(&format!("start-anew={former}")), "{}", client.message());
    assert!(client.is("Stalled"), "{}", client.message());
    let client = stage.client_pass("app").await.unwrap();
    assert_eq!(client.reason(), "TenantReplaced");
    assert_eq!(stage.read_secret("app").await.unwrap(), given, "the app is moved to another tenant without a word");
    app_works(stage).await;
}

/// Another tenant behind the name: the client stays where it is, and moves when it is told to.
#[tokio::test]
async fn a_client_moves_when_it_is_told_to() {
    let (stage, operator, [former, now]) = replaced("moved").await;
    asked(&stage, &former).await;
    let operator = restarted(&stage, operator).await;
    asked(&stage, &former).await;
    assert_eq!((clients_in(&stage, &former), clients_in(&stage, &now)), (1, 0));
    // A process that was just started does not know what became of the client's creation before ten minutes have passed.
    stage.turn(TAKE_OVER).unwrap();
    let anew = json!({ "metadata": { "annotations": { "qlik-operator.dev/start-anew": former } } });
    stage.patch_child::<QlikOAuthClient>("app", anew).await.unwrap();
    client_ready(&stage).await;
    assert_eq!((clients_in(&stage, &former), clients_in(&stage, &now)), (1, 1));
    app_works(&stage).await;
    let said = stage.events("app").await.unwrap();
    assert!(!said.iter().any(|event| event.contains("does not exist any more")), "{said:?}");
    drop(operator);
}

/// The other way out: the object goes, and its client in the former tenant with it.
#[tokio::test]
async fn a_client_of_the_former_tenant_is_deleted_there() {
    let (stage, _operator, [former, now]) = replaced("left").await;
    asked(&stage, &former).await;
    stage.delete_child::<QlikOAuthClient>("app").await.unwrap();
    stage.until_child_gone::<QlikOAuthClient>("app").await.unwrap();
    assert_eq!((clients_in(&stage, &former), clients_in(&stage, &now)), (0, 0));
    assert_eq!(stage.sim.tenant(&former).unwrap().status, Status::Active);
}

/// An object of the same name whose credentials may not enter the former tenant makes no other one by itself.
#[tokio::test]
async fn other_credentials_make_no_second_tenant() {
    let (stage, operator) = stage("other").await;
    let id = id_of(&onboard(&stage, "acme", "displayName: Acme").await);
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    let other = stage.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None }).unwrap();
    let theirs =
        [("clientId", other.credentials.client_id.as_str()), ("clientSecret", &other.credentials.client_secret)];
    stage.secret("theirs", &theirs).await.unwrap();
    stage.secret("their-license", &[("licenseKey", &other.license_key)]).await.unwrap();
    let file = manifest("acme", "displayName: Acme");
    let file = file.replace("qlik-credentials", "theirs").replace("qlik-license", "their-license");
    stage.put(&file).await.unwrap();
    let held = stage.until("acme", "does not go on", |t| !["", "Creating"].contains(&reason(t))).await.unwrap();
    assert!(!is_ready(&held), "{}", said(&held));
    let operator = restarted(&stage, operator).await;
    stage.turn(TAKE_OVER).unwrap();
    let held = pass(&stage, "acme").await;
    assert!(!is_ready(&held) && id_of(&held).is_empty(), "{}", said(&held));
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (1, 1), "{}", said(&held));
    e2e::stage::show(&format!("other credentials: {} {}", reason(&held), said(&held)));
    // With its own it comes back.
    assert_eq!(id_of(&onboard(&stage, "acme", "displayName: Acme").await), id);
    drop(operator);
}
