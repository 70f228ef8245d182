//! What Argo CD has to show for objects in each state: one table for whatever runs the scripts.
//!
//! The conditions are made by the operator's own code, so that a state is what the operator would write.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use qlik_operator::crd::{Phase, Reason};
use qlik_operator::plan::Finding;
use qlik_operator::plan::status::{Verdict, conditions};
use serde_json::{Value, json};

/// The generation of every manifest here.
const GENERATION: i64 = 3;
/// The purge date of every tenant here, to the last digit as Qlik gave it.
pub const PURGE_AT: &str = "2026-12-24T10:00:00.123456789Z";

/// What an action answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It writes the time.
    Now,
    /// It writes this.
    Writes(&'static str),
    /// It is shown as disabled, and says this when it is run all the same.
    Refuses(&'static str),
}

/// One object, and what people should see of it.
pub struct Case {
    /// For messages about failures.
    pub what: &'static str,
    /// The object as it lives in the cluster.
    pub object: Value,
    /// Its health.
    pub health: &'static str,
    /// A part of what is said about that.
    pub message: &'static str,
    /// Each action of the kind, with the annotation that it writes.
    pub actions: Vec<(&'static str, &'static str, Answer)>,
}

/// Every case.
pub fn all() -> Vec<Case> {
    [tenants(), off_boarded(), deactivated_by_others(), clients(), providers(), records()]
        .into_iter()
        .flatten()
        .collect()
}

const SUSPENDED: &str = "spec.suspend is set";
const NO_COUNTDOWN: &str = "no countdown is running";
const NOBODY: &str = "nobody else has deactivated";

fn tenants() -> Vec<Case> {
    let spec = || json!({ "region": "us", "lifecycle": "Active" });
    let quiet = || tenant_actions(Answer::Now, Answer::Refuses(NOBODY), Answer::Refuses(NO_COUNTDOWN));
    let case = |what, status, health, message| {
        let object = object("QlikTenant", spec(), status);
        Case { what, object, health, message, actions: quiet() }
    };
    let seen = |finding, settled| json!({ "hostname": "acme.us.qlikcloud.com", "conditions": told(finding, settled) });
    let ready = || told(Finding::passing(Phase::Ready, Reason::Settled, "the tenant is as declared"), true);
    let waits = |reason, message: &str| seen(Finding::passing(Phase::Pending, reason, message), false);
    let mut all = vec![
        case("a tenant nobody has seen", Value::Null, "Progressing", "has not seen this manifest"),
        case("an empty status", json!({ "phase": "Pending" }), "Progressing", "has not seen this manifest"),
        case("a tenant as declared", json!({ "conditions": ready() }), "Healthy", "the tenant is as declared"),
        case(
            "a tenant that was as a former manifest declared it",
            json!({ "observedGeneration": 2, "conditions": aged(ready()) }),
            "Progressing",
            "has not seen this manifest",
        ),
        case(
            "a tenant that stalled on a former manifest",
            json!({ "conditions": aged(told(Finding::human(Reason::LicenseInvalid, "no"), false)) }),
            "Progressing",
            "has not seen this manifest",
        ),
        case(
            "what only a human ends",
            seen(Finding::human(Reason::LicenseInvalid, "check the license key"), false),
            "Degraded",
            "LicenseInvalid: check the license key",
        ),
        // As the operator writes it on what it cannot read: conditions and nothing else.
        case(
            "a malformed object",
            json!({ "conditions": told(Finding::human(Reason::SpecInvalid, "cannot be understood"), false) }),
            "Degraded",
            "SpecInvalid: cannot be understood",
        ),
    ];
    // Whatever passes by itself, also where somebody may have to make something first: it goes on without more.
    for (what, reason) in [
        ("a creation", Reason::Creating),
        ("a missing Secret", Reason::CredentialsMissing),
        ("a missing license", Reason::LicenseMissing),
        ("Qlik Cloud away", Reason::QlikUnavailable),
        ("a rate limit", Reason::Throttled),
        ("a lost answer", Reason::DeactivationOutcomeUnknown),
        ("Kubernetes away", Reason::KubernetesUnavailable),
    ] {
        all.push(case(what, waits(reason, "it goes on by itself"), "Progressing", "it goes on by itself"));
    }
    all.push(Case {
        what: "a suspended tenant, whatever was seen before",
        object: object(
            "QlikTenant",
            json!({ "region": "us", "lifecycle": "Active", "suspend": true }),
            seen(Finding::human(Reason::TenantGone, "gone"), false),
        ),
        health: "Suspended",
        message: SUSPENDED,
        actions: tenant_actions(Answer::Refuses(SUSPENDED), Answer::Refuses(SUSPENDED), Answer::Refuses(NO_COUNTDOWN)),
    });
    all
}

/// A tenant that its manifest deactivates.
fn off_boarded() -> Vec<Case> {
    const BY_MANIFEST: &str = "revert the commit";
    let hostnames = json!(["x1y2.us.qlikcloud.com", "acme.us.qlikcloud.com"]);
    let spec = |confirm: &str| json!({ "lifecycle": "Deactivated", "offboarding": { "confirmHostname": confirm } });
    let purge = json!({ "purgeAt": PURGE_AT, "by": "Operator", "evidence": "Date" });
    let status = |phase: &str, finding, settled| {
        json!({ "phase": phase, "hostname": "acme.us.qlikcloud.com", "hostnames": hostnames, "purge": purge,
            "conditions": told(finding, settled) })
    };
    let message = format!("deactivated; will be purged at {PURGE_AT}");
    let pending = || Finding::passing(Phase::Deactivated, Reason::PurgePending, message.clone());
    let case = |what, object, restart| Case {
        what,
        object,
        health: "Healthy",
        message: PURGE_AT,
        actions: tenant_actions(Answer::Now, Answer::Refuses(BY_MANIFEST), restart),
    };
    let counting = status("Deactivated", pending(), true);
    let confirmed = object("QlikTenant", spec("acme.us.qlikcloud.com"), counting.clone());
    let mut unknown = confirmed.clone();
    unknown["status"]["purge"] = json!({ "by": "Other" });
    let mut asked = confirmed.clone();
    asked["metadata"]["annotations"] = json!({ "qlik-operator.dev/restart-purge-window": PURGE_AT });
    vec![
        case("deactivated as declared", confirmed, Answer::Writes(PURGE_AT)),
        case(
            "deactivated, another hostname confirmed since",
            object("QlikTenant", spec("globex.us.qlikcloud.com"), counting),
            Answer::Refuses("not a hostname of this tenant"),
        ),
        case("deactivated, purge date unknown", unknown, Answer::Refuses("nobody knows when")),
        case("deactivated, the restart asked for", asked, Answer::Refuses("asked for already")),
        Case {
            what: "a confirmation that does not match",
            object: object(
                "QlikTenant",
                spec("globex.us.qlikcloud.com"),
                status("Stalled", Finding::human(Reason::ConfirmHostnameMismatch, "write that name"), false),
            ),
            health: "Degraded",
            message: "ConfirmHostnameMismatch: write that name",
            actions: tenant_actions(Answer::Now, Answer::Refuses(BY_MANIFEST), Answer::Refuses(NO_COUNTDOWN)),
        },
        Case {
            what: "purged as declared",
            object: object(
                "QlikTenant",
                spec("acme.us.qlikcloud.com"),
                status("Purged", Finding::passing(Phase::Purged, Reason::Purged, "the tenant was purged"), true),
            ),
            health: "Healthy",
            message: "the tenant was purged",
            actions: tenant_actions(Answer::Now, Answer::Refuses(BY_MANIFEST), Answer::Refuses(NO_COUNTDOWN)),
        },
    ]
}

fn deactivated_by_others() -> Vec<Case> {
    let status = |hostname: Option<&str>| {
        json!({ "phase": "Stalled", "hostname": hostname,
            "conditions": told(Finding::human(Reason::DeactivatedOutOfBand, "not by this operator"), false) })
    };
    let case = |what, object, reactivate| Case {
        what,
        object,
        health: "Degraded",
        message: "DeactivatedOutOfBand: not by this operator",
        actions: tenant_actions(Answer::Now, reactivate, Answer::Refuses(NO_COUNTDOWN)),
    };
    let active = || json!({ "lifecycle": "Active" });
    let adopts = json!({ "lifecycle": "Active", "adopt": { "tenantId": "t1", "hostname": "old.us.qlikcloud.com" } });
    let host = "acme.us.qlikcloud.com";
    let mut again = status(Some(host));
    again["lastHandledReactivate"] = json!(host);
    vec![
        case(
            "deactivated by somebody else once more",
            object("QlikTenant", active(), again),
            Answer::Writes("acme.us.qlikcloud.com."),
        ),
        case("deactivated by somebody else", object("QlikTenant", active(), status(Some(host))), Answer::Writes(host)),
        case(
            "found deactivated when it was to be adopted",
            object("QlikTenant", adopts, status(None)),
            Answer::Writes("old.us.qlikcloud.com"),
        ),
        case(
            "deactivated by somebody else, hostname unknown",
            object("QlikTenant", active(), status(None)),
            Answer::Refuses("hostname is not known"),
        ),
    ]
}

fn clients() -> Vec<Case> {
    let kind = "QlikOAuthClient";
    let secret = || json!({ "auth": { "clientSecret": { "secret": { "name": "app" } } } });
    let ready = || json!({ "conditions": told(Finding::passing(Phase::Ready, Reason::Settled, "as declared"), true) });
    let case = |what, spec, status, rotate| {
        let object = object(kind, spec, status);
        Case { what, object, health: "Healthy", message: "as declared", actions: child_actions(Answer::Now, rotate) }
    };
    let mut asked = ready();
    asked["lastHandledRotateAt"] = json!("2026-01-01T00:00:00Z");
    let mut asking = case("a secret, one asked for", secret(), asked.clone(), Answer::Refuses("not done yet"));
    asking.object["metadata"]["annotations"] = json!({ "qlik-operator.dev/rotate-at": "2026-02-02T00:00:00Z" });
    let mut done = case("a secret, one asked for and given", secret(), asked, Answer::Now);
    done.object["metadata"]["annotations"] = json!({ "qlik-operator.dev/rotate-at": "2026-01-01T00:00:00Z" });
    let (generated, given) = (json!({ "generate": {} }), json!({ "publicKeyRef": { "name": "key" } }));
    let none = Answer::Refuses("makes no secret or key");
    let covered =
        Finding::passing(Phase::Deactivated, Reason::CoveredByTenantDeactivated, "as declared with its tenant");
    let waits = Finding::passing(Phase::Pending, Reason::TenantNotReady, "its tenant is not ready");
    let mut all = vec![
        asking,
        done,
        case("a generated secret", secret(), ready(), Answer::Now),
        case("a generated key", json!({ "auth": { "privateKeyJwt": generated } }), ready(), Answer::Now),
        case("a key of its own", json!({ "auth": { "privateKeyJwt": given } }), ready(), none),
        case("a public client", json!({ "appType": "spa" }), ready(), none),
        case("a deactivated tenant's", secret(), json!({ "conditions": told(covered, true) }), Answer::Now),
    ];
    all.push(Case {
        what: "a client before its tenant",
        object: object(kind, secret(), json!({ "conditions": told(waits, false) })),
        health: "Progressing",
        message: "TenantNotReady: its tenant is not ready",
        actions: child_actions(Answer::Now, Answer::Now),
    });
    let mut suspended = secret();
    suspended["suspend"] = json!(true);
    all.push(Case {
        what: "a suspended client",
        object: object(kind, suspended, ready()),
        health: "Suspended",
        message: SUSPENDED,
        actions: child_actions(Answer::Refuses(SUSPENDED), Answer::Refuses(SUSPENDED)),
    });
    all
}

fn providers() -> Vec<Case> {
    let stands = |finding, settled| json!({ "conditions": told(finding, settled) });
    let case = |what, spec, status, (health, message)| {
        let generated = Value::pointer(&spec, "/jwt/key/generate").is_some();
        let rotate = if generated { Answer::Now } else { Answer::Refuses("makes no secret or key") };
        let object = object("QlikIdentityProvider", spec, status);
        Case { what, object, health, message, actions: child_actions(Answer::Now, rotate) }
    };
    let ready = stands(Finding::passing(Phase::Ready, Reason::Settled, "as declared"), true);
    let tried = |reason, message: &str| stands(Finding::human(reason, message), false);
    vec![
        case(
            "a generated key pair",
            json!({ "jwt": { "key": { "generate": {} } } }),
            ready.clone(),
            ("Healthy", "as declared"),
        ),
        case(
            "a public key of its own",
            json!({ "jwt": { "key": { "kid": "k1" } } }),
            ready.clone(),
            ("Healthy", "as declared"),
        ),
        case("a login", json!({ "oidc": {} }), ready, ("Healthy", "as declared")),
        case(
            "a login that nobody has tried yet",
            json!({ "oidc": {}, "verification": "Browser" }),
            tried(Reason::VerificationPending, "try the login"),
            ("Suspended", "VerificationPending: try the login"),
        ),
        case(
            "a login that was tried and failed",
            json!({ "oidc": {}, "verification": "Browser" }),
            tried(Reason::VerificationFailed, "the login was tried"),
            ("Degraded", "VerificationFailed: the login was tried"),
        ),
    ]
}

fn records() -> Vec<Case> {
    let case = |what, finding, settled, health| Case {
        what,
        object: object("QlikOffboarding", json!({ "tenantId": "t1" }), json!({ "conditions": told(finding, settled) })),
        health,
        message: "the countdown",
        actions: vec![("reconcile", "requested-at", Answer::Now)],
    };
    let (runs, over) = ("the countdown runs", "the countdown is over and the tenant is not purged yet");
    vec![
        case("a countdown", Finding::passing(Phase::Deactivated, Reason::PurgePending, runs), true, "Healthy"),
        case(
            "a countdown that is over",
            Finding::passing(Phase::Deactivated, Reason::PurgePending, over),
            false,
            "Progressing",
        ),
    ]
}

fn tenant_actions(reconcile: Answer, reactivate: Answer, restart: Answer) -> Vec<(&'static str, &'static str, Answer)> {
    vec![
        ("reconcile", "requested-at", reconcile),
        ("reactivate", "reactivate", reactivate),
        ("restart-purge-window", "restart-purge-window", restart),
    ]
}

fn child_actions(reconcile: Answer, rotate: Answer) -> Vec<(&'static str, &'static str, Answer)> {
    vec![("reconcile", "requested-at", reconcile), ("rotate", "rotate-at", rotate)]
}

/// An object as the API server shows it.
fn object(kind: &str, spec: Value, status: Value) -> Value {
    let metadata = json!({ "name": "acme", "namespace": "customers", "generation": GENERATION, "uid": "u1" });
    let mut object = json!({ "apiVersion": "qlik-operator.dev/v1alpha1", "kind": kind, "metadata": metadata });
    object["spec"] = spec;
    if !status.is_null() {
        object["status"] = status;
    }
    object
}

/// The conditions that the operator writes for this.
fn told(finding: Finding, settled: bool) -> Vec<Condition> {
    let verdict = Verdict { looked: true, ..Verdict::new(finding, settled) };
    conditions(&[], &verdict, GENERATION, Timestamp::UNIX_EPOCH)
}

/// The same, said of the manifest before this one.
fn aged(mut conditions: Vec<Condition>) -> Vec<Condition> {
    for condition in &mut conditions {
        condition.observed_generation = Some(GENERATION - 1);
    }
    conditions
}
