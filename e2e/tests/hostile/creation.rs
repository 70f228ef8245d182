//! A lost creation is never resolved by elimination, a refusal is not an unknown outcome, and a new tenant's id is kept
//! whatever else of the answer is missing.

use super::support::*;
use e2e::cluster::TestNamespace;
use e2e::sim::{Effect, FaultPlan, Match, Options, When};
use e2e::stage::{Inside, Operator, PATIENCE, Setup, Stage, child_manifest, is_ready, is_stalled, manifest};
use kube::Api;
use kube::api::{Patch, PatchParams};
use qlik_operator::crd::{QlikIdentityProvider, QlikOAuthClient, QlikTenant};
use serde_json::json;

/// A second namespace with the same credentials and license.
pub(crate) async fn second_namespace(stage: &Stage, prefix: &str) -> TestNamespace {
    let other = stage.cluster.namespace(prefix).await.unwrap();
    let us = stage.sim.ready().regional["us"].clone();
    let secrets = json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "qlik-credentials" },
          "stringData": { "clientId": us.client_id, "clientSecret": us.client_secret } },
        { "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "qlik-license" },
          "stringData": { "licenseKey": stage.sim.ready().license_key } },
    ] });
    let args = ["apply", "-n", other.name(), "-f", "-"];
    stage.cluster.kubectl(&args, &secrets.to_string()).await.unwrap().succeeded().unwrap();
    other
}

/// Applies a tenant in another namespace than the stage's.
pub(crate) async fn put_in(stage: &Stage, namespace: &str, manifest: &str) -> Api<QlikTenant> {
    let api = Api::<QlikTenant>::namespaced(stage.admin(), namespace);
    let object: serde_json::Value = serde_saphyr::from_str(manifest).unwrap();
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    api.patch(&name, &PatchParams::apply("tenant-admin").force(), &Patch::Apply(object)).await.unwrap();
    api
}

/// Waits for an object in another namespace.
pub(crate) async fn until_in(
    stage: &Stage,
    api: &Api<QlikTenant>,
    name: &str,
    wanted: impl Fn(&QlikTenant) -> bool,
) -> QlikTenant {
    let so = async || Ok(api.get_opt(name).await?.filter(|tenant| wanted(tenant)));
    stage.until_some(name, so).await.unwrap()
}

fn lost(when: When, commit: bool) -> FaultPlan {
    let matching = Match { host: Some("register".to_owned()), ..Match::on("POST", "/api/v1/tenants") };
    FaultPlan::new(matching, Effect::Drop(when)).commit(commit)
}

/// F6: two installations share one organization, and the creation of one is lost at the time of the other's.
#[tokio::test]
async fn a_lost_creation_does_not_take_the_tenant_of_another_installation() {
    let stage = Stage::new(Setup::new("two").with_organization()).await.unwrap();
    let other = second_namespace(&stage, "two-b").await;
    let _first = stage.operator().await.unwrap();
    let _second = stage.operator_of(other.name()).await.unwrap();
    let acme = id_of(&onboard(&stage, "acme", "").await);
    stage.sim.fault(lost(When::Before, false));
    let others = put_in(&stage, other.name(), &manifest("globex", "")).await;
    stage.until_some("the call that is lost", async || Ok((creations(&stage) == 2).then_some(()))).await.unwrap();
    for _ in 0..3 {
        stage.turn(TAKE_OVER).unwrap();
        let asked = until_in(&stage, &others, "globex", |t| is_stalled(t, "CreateOutcomeUnknown")).await;
        assert_eq!((id_of(&asked), creations(&stage)), (String::new(), 2));
        assert!(said(&asked).contains(&format!("adopt: {{tenantId: {acme}, hostname: ")), "{}", said(&asked));
        assert!(said(&asked).contains("start-anew="), "{}", said(&asked));
    }
    // The human knows that none of these is globex.
    let nonce = {
        let asked = others.get("globex").await.unwrap();
        let from = said(&asked).find("start-anew=").unwrap() + "start-anew=".len();
        said(&asked)[from..].split_whitespace().next().unwrap().to_owned()
    };
    let patch = json!({ "metadata": { "annotations": { "qlik-operator.dev/start-anew": nonce } } });
    others.patch("globex", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let globex = until_in(&stage, &others, "globex", is_ready).await;
    assert_ne!(id_of(&globex), acme);
    assert_eq!(id_of(&pass(&stage, "acme").await), acme);
    assert_eq!((stage.sim.tenants().len(), creations(&stage), deactivations(&stage)), (2, 3, 0));
}

/// D2: each refusal of a creation, and a restart before its cause is mended: it is not taken for an answer that was lost.
#[tokio::test]
async fn a_refused_creation_is_not_an_answer_that_was_lost() {
    let refusals: [(&str, u16, Option<&str>); 4] = [
        ("license", 403, Some("TENANTS-23")),
        ("quota", 403, Some("TENANTS-22")),
        ("400", 400, None),
        ("403", 403, None),
    ];
    for (name, status, code) in refusals {
        let (stage, operator) = stage("refused").await;
        let effect = Effect::Status { status, code: code.map(str::to_owned), title: None, retry_after: None };
        let matching = Match { host: Some("register".to_owned()), count: 0, ..Match::on("POST", "/api/v1/tenants") };
        stage.sim.fault(FaultPlan::new(matching, effect));
        stage.put(&manifest("acme", "alias: acme")).await.unwrap();
        let is_refused = |t: &QlikTenant| !is_ready(t) && !["", "Creating"].contains(&reason(t));
        let refused = stage.until("acme", &format!("is refused ({name})"), is_refused).await.unwrap();
        let word = reason(&refused).to_owned();
        assert!(!word.contains("Unknown"), "{name}: {word}");
        let operator = restarted(&stage, operator).await;
        let acme = pass(&stage, "acme").await;
        assert_eq!(reason(&acme), word, "{name}: {}", said(&acme));
        stage.sim.clear_faults();
        // No clock is turned: there is nothing to wait out.
        annotate(&stage, "acme", "requested-at", Some("mended")).await;
        in_use(&stage, "acme").await;
        assert_eq!((stage.committed("tenant.created"), stage.sim.tenants().len()), (1, 1), "{name}");
        drop(operator);
    }
}

/// The same for what lives inside a tenant.
#[tokio::test]
async fn a_refused_child_is_not_an_answer_that_was_lost() {
    let (stage, mut operator) = stage("refused-child").await;
    onboard(&stage, "acme", "alias: acme").await;
    stage.secret("login", &[("clientSecret", "a-secret-of-the-login")]).await.unwrap();
    let login = "jwt:\n  issuer: https://app.example\n  key: {generate: {algorithm: ES384, secret: {name: signing}}}";
    for (n, status) in [400, 403].into_iter().enumerate() {
        for path in ["/api/v1/oauth-clients", "/api/v1/identity-providers"] {
            let matching = Match { count: 0, ..Match::on("POST", path) };
            stage.sim.fault(FaultPlan::new(matching, Effect::status(status)));
        }
        let (client, provider) = (format!("client-{n}"), format!("login-{n}"));
        let machine = format!(
            "appType: web\ngrantTypes: [client_credentials]\nscopes: [user_default]\nconsent: Trusted\n\
            auth: {{clientSecret: {{secret: {{name: {client}}}}}}}"
        );
        stage.apply(&e2e::stage::client_manifest(&client, "acme", &machine)).await.unwrap();
        let login = login.replace("signing", &provider).replace("app.example", &format!("{provider}.example"));
        stage.apply(&child_manifest("QlikIdentityProvider", (&provider, "acme"), &login)).await.unwrap();
        let refused = |reason: String| !["", "Creating", "TenantNotReady", "Configuring"].contains(&reason.as_str());
        let object = stage.until_client(&client, "is refused", |c| refused(c.reason())).await.unwrap();
        let words = (object.reason(), {
            let object: QlikIdentityProvider = stage
                .until_child(&provider, "is refused", |p: &QlikIdentityProvider| refused(p.reason()))
                .await
                .unwrap();
            object.reason()
        });
        operator = restarted(&stage, operator).await;
        let client_now = stage.child_pass::<QlikOAuthClient>(&client).await.unwrap();
        let provider_now = stage.child_pass::<QlikIdentityProvider>(&provider).await.unwrap();
        assert_eq!(
            (client_now.reason(), provider_now.reason()),
            words,
            "{} {}",
            client_now.message(),
            provider_now.message()
        );
        assert!(!words.0.contains("Unknown") && !words.1.contains("Unknown"), "{words:?}");
        stage.sim.clear_faults();
        let mended = json!({ "metadata": { "annotations": { "qlik-operator.dev/requested-at": "mended" } } });
        stage.patch_child::<QlikOAuthClient>(&client, mended.clone()).await.unwrap();
        stage.patch_child::<QlikIdentityProvider>(&provider, mended).await.unwrap();
        stage.until_client(&client, "is ready", Inside::is_ready).await.unwrap();
        stage.until_child::<QlikIdentityProvider>(&provider, "is ready", Inside::is_ready).await.unwrap();
    }
    assert_eq!((stage.committed("oauth-client.created"), stage.committed("idp.created")), (2, 2));
    drop(operator);
}

fn omit(stage: &Stage, fields: &[&str]) {
    let omit = fields.iter().map(|field| (*field).to_owned()).collect();
    stage.sim.set_options(Options { omit, ..stage.sim.options() }).unwrap();
}

/// F14: Qlik's answer has no hostname. The id is kept, said, and the way out leads to that very tenant.
#[tokio::test]
async fn an_answer_without_hostnames_keeps_the_id() {
    let (stage, operator) = stage("hostless").await;
    omit(&stage, &["tenants.hostnames"]);
    stage.put(&manifest("acme", "displayName: Acme")).await.unwrap();
    let acme = told(&stage, "acme", "HostnameUnknown", &["spec.adopt"]).await;
    let made = stage.sim.tenants()[0].clone();
    assert_eq!(id_of(&acme), made.id);
    assert!(said(&acme).contains(&made.id), "{}", said(&acme));
    stage.until_event("acme", &format!("Created: created tenant {}", made.id)).await.unwrap();
    let operator = restarted(&stage, operator).await;
    assert_eq!(id_of(&pass(&stage, "acme").await), made.id);
    told(&stage, "acme", "HostnameUnknown", &[&made.id]).await;
    stage.turn(TAKE_OVER).unwrap();
    pass(&stage, "acme").await;
    // Somebody else's hostname is not believed.
    let wrong = json!({ "spec": { "adopt": { "tenantId": made.id, "hostname": "nobody.us.qlikcloud.com" } } });
    stage.patch("acme", wrong).await.unwrap();
    let acme = pass(&stage, "acme").await;
    assert!(!is_ready(&acme), "{}", said(&acme));
    omit(&stage, &[]);
    let adopt = json!({ "spec": { "adopt": { "tenantId": made.id, "hostname": made.hostnames[0] } } });
    stage.patch("acme", adopt).await.unwrap();
    assert_eq!(id_of(&in_use(&stage, "acme").await), made.id);
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (1, 1));
    drop(operator);
}

/// The organization API tells the hostname, where it may be asked.
#[tokio::test]
async fn the_organization_tells_a_missing_hostname() {
    let (stage, _operator) = stage_of(Setup::new("hostless-org").with_organization()).await;
    omit(&stage, &["tenants.hostnames", "tenants.status", "tenants.created"]);
    let acme = onboard(&stage, "acme", "displayName: Acme").await;
    assert_eq!((creations(&stage), id_of(&acme)), (1, stage.sim.tenants()[0].id.clone()));
}

/// `kubectl replace` in the middle of a creation: the finalizer and the announcement go, and no second tenant is made.
#[tokio::test]
async fn a_replacement_in_the_middle_makes_no_second_tenant() {
    for answered in [true, false] {
        let (stage, mut operator) = stage("replaced").await;
        stage.sim.set_options(Options { create_delay_ms: 10_000, ..Options::default() }).unwrap();
        if !answered {
            stage.sim.fault(lost(When::After, true));
        }
        let file = manifest("acme", "displayName: Acme");
        stage.put(&file).await.unwrap();
        stage.until_some("the call", async || Ok((creations(&stage) == 1).then_some(()))).await.unwrap();
        let args = ["replace", "-n", stage.ns(), "-f", "-"];
        stage.cluster.kubectl(&args, &file).await.unwrap().succeeded().unwrap();
        let made = stage.sim.tenants()[0].clone();
        if !answered {
            told(&stage, "acme", "CreateOutcomeUnknown", &[]).await;
            operator = restarted(&stage, operator).await;
            stage.turn(TAKE_OVER).unwrap();
            stage.cluster.kubectl(&args, &file).await.unwrap().succeeded().unwrap();
            pass(&stage, "acme").await;
            let asked = stage.until("acme", "asks", |t| is_stalled(t, "CreateOutcomeUnknown")).await.unwrap();
            assert!(said(&asked).contains("spec.adopt"), "{}", said(&asked));
            let adopt = json!({ "spec": { "adopt": { "tenantId": made.id, "hostname": made.hostnames[0] } } });
            stage.patch("acme", adopt).await.unwrap();
        }
        assert_eq!(id_of(&in_use(&stage, "acme").await), made.id);
        let acme = pass(&stage, "acme").await;
        assert!(acme.metadata.finalizers.is_some_and(|all| !all.is_empty()), "it is held again");
        assert_eq!((creations(&stage), stage.sim.tenants().len()), (1, 1), "answered: {answered}");
        drop(operator);
    }
}

/// What a new tenant's operator says in its log names the tenant, whatever is lost later.
#[tokio::test]
async fn the_log_names_a_new_tenant() {
    let (stage, operator): (Stage, Operator) = stage("named").await;
    let id = id_of(&onboard(&stage, "acme", "alias: acme").await);
    operator.wait_for_line(PATIENCE, |line| line.contains("created a tenant") && line.contains(&id)).await.unwrap();
    stage.until_event("acme", &format!("Created: created tenant {id} at ")).await.unwrap();
}
