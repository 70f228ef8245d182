//! What `kubectl explain` and `kubectl get` show.

use super::kubectl::{client, provider, stage, tenant};
use super::wrong_clients::MACHINE;
use super::wrong_providers::JWT;
use e2e::stage::Stage;

/// What `kubectl explain` prints. The schema is published a moment after the kind is served, so it is waited for.
async fn explain(stage: &Stage, what: &[&str]) -> String {
    let ask = async || match stage.kubectl(&[&["explain"], what].concat()).await {
        Err(error) if error.to_string().contains("couldn't find resource") => Ok(None),
        answer => answer.map(Some),
    };
    stage.until_some("the schema is published", ask).await.unwrap()
}

/// Text as one line, since explain wraps where it likes.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn explain_reads_like_documentation() {
    let stage = stage("explain").await;
    let kind = flowing(&explain(&stage, &["qt"]).await);
    assert!(
        kind.contains("Deleting this object leaves the tenant alone unless spec.offboarding says otherwise."),
        "{kind}"
    );
    let spec = flowing(&explain(&stage, &["qt.spec"]).await);
    for line in [
        "region <string> -required- enum: us, eu, de, uk, .... Qlik Cloud region of the tenant. It cannot be changed: \
         Qlik cannot move a tenant between regions.",
        "lifecycle <string> enum: Active, Deactivated `Active` (default) or `Deactivated`: the reversible way to \
         off-board, an update that Git can revert.",
        "A deactivated tenant is purged for ever after `offboarding.purgeAfterDays`.",
        "Take over an existing tenant instead of creating one. Both values must match what Qlik Cloud says.",
        "What happens when the tenant is off-boarded or this object is deleted. The defaults never touch Qlik.",
        "Stop acting on this object, deletion included, until it is set back.",
    ] {
        assert!(spec.contains(line), "{line}\nis not in\n{spec}");
    }
    let offboarding = explain(&stage, &["qt.spec.offboarding", "--recursive"]).await;
    for line in
        ["purgeAfterDays\t<integer>", "confirmHostname\t<string>", "onDelete\t<string>", "enum: Retain, Deactivate"]
    {
        assert!(offboarding.contains(line), "{line}\nis not in\n{offboarding}");
    }
    assert!(
        offboarding.contains("names\t<[]string>") && offboarding.contains("referenced\t<boolean>"),
        "{offboarding}"
    );
    let offboarding = flowing(&explain(&stage, &["qt.spec.offboarding"]).await);
    for line in [
        "Days between deactivation and purge, 10 to 90.",
        "A hostname of the tenant, written by hand. Nothing is ever deactivated unless it matches.",
        "What deleting this object does: `Retain` (default) leaves the tenant alone; `Deactivate` deactivates it.",
    ] {
        assert!(offboarding.contains(line), "{line}\nis not in\n{offboarding}");
    }
    let record = flowing(&explain(&stage, &["qoff"]).await);
    assert!(record.contains("deleting it does nothing in Qlik."), "{record}");
}

#[tokio::test]
async fn clients_are_explained_with_what_their_secret_holds() {
    let stage = stage("explain").await;
    for (what, lines) in [
        ("qoc", ["An OAuth client of a Qlik Cloud tenant, kept as declared.", "replaced without a gap"].as_slice()),
        (
            "qoc.spec",
            &[
                "appType <string> -required- enum: web, native, spa, anonymous-embed Kind of app; it cannot be changed.",
                "Let every tenant of the region use the client. Qlik Cloud cannot take that back.",
                "What deleting this object does to the client: `Delete` (default) or `Orphan`.",
            ],
        ),
        (
            "qoc.spec.auth.clientSecret",
            &[
                "Default keys: `host`, `clientId`, `clientSecret`, `previousClientSecret`, `tokenUrl`.",
                "Without it only on request (annotation `qlik-operator.dev/rotate-at`).",
            ],
        ),
        (
            "qoc.spec.auth.privateKeyJwt.publicKeyRef",
            &["key <string> Key inside the Secret with a PEM public key or certificate."],
        ),
    ] {
        let shown = flowing(&explain(&stage, &[what]).await);
        for line in lines {
            assert!(shown.contains(line), "{line}\nis not in\n{shown}");
        }
    }
}

#[tokio::test]
async fn providers_are_explained_with_who_logs_in_how() {
    let stage = stage("explain").await;
    for (what, lines) in [
        ("qidp", ["What Qlik Cloud cannot change is replaced, and the former one goes on working"].as_slice()),
        (
            "qidp.spec",
            &[
                "oidc <Object> `OpenID` Connect: people who log in, or programs that bring a token.",
                "Whether a human tries the login before it is used: `Skip` (default) or `Browser`.",
            ],
        ),
        (
            "qidp.spec.oidc",
            &["interactive <boolean> `true` (default): people log in.", "Where the provider describes itself."],
        ),
        ("qidp.spec.saml", &["The provider's certificates, one to five; they are public."]),
        (
            "qidp.spec.jwt.key.generate",
            &["Default keys: `host`, `issuer`, `keyId`, `audience`, `algorithm`, `privateKey`."],
        ),
    ] {
        let shown = flowing(&explain(&stage, &[what]).await);
        for line in lines {
            assert!(shown.contains(line), "{line}\nis not in\n{shown}");
        }
    }
}

#[tokio::test]
async fn every_field_of_the_spec_is_explained() {
    let stage = stage("fields").await;
    for kind in [
        "qt.spec",
        "qt.spec.license",
        "qt.spec.adopt",
        "qt.spec.settings",
        "qt.spec.offboarding",
        "qt.status",
        "qoff.spec",
        "qoff.status",
        "qoc.spec",
        "qoc.spec.tenantRef",
        "qoc.spec.auth",
        "qoc.spec.auth.clientSecret",
        "qoc.spec.auth.clientSecret.secret",
        "qoc.spec.auth.clientSecret.rotation",
        "qoc.spec.auth.privateKeyJwt",
        "qoc.spec.auth.privateKeyJwt.publicKeyRef",
        "qoc.spec.auth.privateKeyJwt.generate",
        "qoc.spec.auth.none",
        "qoc.status",
        "qoc.status.issued",
        "qidp.spec",
        "qidp.spec.jwt",
        "qidp.spec.jwt.key",
        "qidp.spec.jwt.key.generate",
        "qidp.spec.oidc",
        "qidp.spec.oidc.endpoints",
        "qidp.spec.oidc.clientSecretRef",
        "qidp.spec.saml",
        "qidp.spec.saml.certificates",
        "qidp.status",
        "qidp.status.verification",
    ] {
        let shown = explain(&stage, &[kind]).await;
        assert!(!shown.contains("<no description>"), "{kind}: {shown}");
    }
}

#[tokio::test]
async fn get_shows_phase_and_purge_date() {
    let stage = stage("columns").await;
    stage.apply(&tenant("acme", "region: us\nlicense: {keyRef: {name: l}}")).await.unwrap();
    let status = serde_json::json!({ "status": {
        "phase": "Deactivated", "hostname": "acme.us.qlikcloud.com",
        "purge": { "by": "Operator", "purgeAt": "2026-03-04T05:06:07.008Z", "evidence": "Date" },
        "conditions": [{ "type": "Ready", "status": "True", "reason": "PurgePending", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }] } });
    stage
        .kubectl(&["patch", "qt", "acme", "--subresource=status", "--type=merge", "--patch", &status.to_string()])
        .await
        .unwrap();
    let shown = stage.kubectl(&["get", "qt"]).await.unwrap();
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "PHASE", "HOSTNAME", "REGION", "PURGE-AT", "AGE"], "{shown}");
    let expected = ["acme", "True", "Deactivated", "acme.us.qlikcloud.com", "us", "2026-03-04T05:06:07.008Z"];
    assert_eq!(rows[1][..6], expected, "{shown}");
    let wide = stage.kubectl(&["get", "qliktenants", "--output=wide"]).await.unwrap();
    assert!(wide.contains("REASON") && wide.contains("PurgePending"), "{wide}");
    // One word for everything of this operator.
    assert!(
        stage.kubectl(&["get", "qlik", "--output=name"]).await.unwrap().contains("qliktenant.qlik-operator.dev/acme")
    );
}

#[tokio::test]
async fn get_shows_tenant_client_id_and_secret() {
    let stage = stage("columns").await;
    stage.apply(&client("backend", MACHINE)).await.unwrap();
    let status = serde_json::json!({ "status": {
        "clientId": "0123456789abcdef", "secretName": "app",
        "conditions": [{ "type": "Ready", "status": "False", "reason": "TenantMissing", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }] } });
    stage
        .kubectl(&["patch", "qoc", "backend", "--subresource=status", "--type=merge", "--patch", &status.to_string()])
        .await
        .unwrap();
    let shown = stage.kubectl(&["get", "qoc"]).await.unwrap();
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "TENANT", "TYPE", "CLIENT-ID", "SECRET", "AGE"], "{shown}");
    assert_eq!(rows[1][..6], ["backend", "False", "acme", "web", "0123456789abcdef", "app"], "{shown}");
    let wide = stage.kubectl(&["get", "qlikoauthclients", "--output=wide"]).await.unwrap();
    assert!(wide.contains("REASON") && wide.contains("TenantMissing"), "{wide}");
    assert!(stage.kubectl(&["get", "qlik", "--output=name"]).await.unwrap().contains("qlikoauthclient"));
}

#[tokio::test]
async fn get_shows_protocol_and_issuer() {
    let stage = stage("columns").await;
    stage.apply(&provider("portal", JWT)).await.unwrap();
    let status = serde_json::json!({ "status": { "protocol": "JWT", "provider": "acme", "active": true,
        "conditions": [{ "type": "Ready", "status": "True", "reason": "Settled", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z" }] } });
    stage
        .kubectl(&["patch", "qidp", "portal", "--subresource=status", "--type=merge", "--patch", &status.to_string()])
        .await
        .unwrap();
    let shown = stage.kubectl(&["get", "qidp"]).await.unwrap();
    let rows: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "TENANT", "PROTOCOL", "PROVIDER/ISSUER", "ACTIVE", "AGE"], "{shown}");
    assert_eq!(rows[1][..6], ["portal", "True", "acme", "JWT", "acme", "true"], "{shown}");
    let wide = stage.kubectl(&["get", "qlikidentityproviders", "--output=wide"]).await.unwrap();
    assert!(wide.contains("REASON") && wide.contains("Settled"), "{wide}");
}
