//! Good manifests get in, and what they leave out is filled in as documented.

use super::kubectl::{read, stage, tenant, try_out};
use super::server::{judge, not_refused};
use super::wrong::{BASE, DEACTIVATED, LICENSE, ON_DELETE, ONE_LICENSE};
use qlik_operator::crd::{Lifecycle, OnDelete, QlikTenant, ReleasePolicy};

const FULL: &str = "region: eu
credentialsRef: {name: qlik.credentials-1}
license: {fromTenant: Acme.eu.qlikcloud.com}
displayName: Äcme & Söhne
alias: a
settings: {enableAppOpeningFeedback: false}
lifecycle: Deactivated
suspend: true
interval: 1h30m
offboarding:
  purgeAfterDays: 90
  confirmHostname: acme.eu.qlikcloud.com
  onDelete: Deactivate
  release: Purged
  eraseSecrets: {referenced: true, names: [a, b.c-d]}";

const GOOD: &[(&str, &str)] = &[
    ("smallest", BASE),
    ("full", FULL),
    ("adopt", "region: de\nadopt: {tenantId: Xm5Eu_-dK0zyDEFhYV7MTsVnXsF2yfQ_, hostname: acme.de.qlikcloud.com}"),
    (
        "adopt-and-license",
        "region: us\nlicense: {keyRef: {name: l}}\nadopt: {tenantId: abc, hostname: a.us.qlikcloud.com}",
    ),
    ("purge-soonest", "region: us\nlicense: {keyRef: {name: l}}\noffboarding: {purgeAfterDays: 10}"),
    ("interval-shortest", "region: us\nlicense: {keyRef: {name: l}}\ninterval: 60s"),
    ("interval-longest", "region: us\nlicense: {keyRef: {name: l}}\ninterval: 23h59m60s"),
    ("retain-unconfirmed", "region: us\nlicense: {keyRef: {name: l}}\noffboarding: {onDelete: Retain}"),
];

#[tokio::test]
async fn good_manifests_are_accepted() {
    let stage = stage("accepted").await;
    for (name, spec) in GOOD {
        let manifest = tenant(name, spec);
        let answer = try_out(&stage, &manifest).await;
        assert!(answer.success(), "{name}: {}", answer.stderr);
        assert_eq!(answer.stderr, "", "{name}: no warning either");
        // The types fill in the same defaults as the schema, so that a test of `plan` starts from what a cluster holds.
        let local: QlikTenant = read(&manifest).unwrap();
        assert_eq!(read::<QlikTenant>(&answer.stdout).unwrap().spec, local.spec, "{name}");
        local.validate_cel().unwrap();
    }
}

#[tokio::test]
async fn defaults_are_the_safe_ones() {
    let stage = stage("defaults").await;
    let spec = "region: us\nlicense: {keyRef: {name: l}}\noffboarding: {eraseSecrets: {}}";
    let answer = try_out(&stage, &tenant("defaults", spec)).await;
    for line in ["lifecycle: Active", "suspend: false", "interval: 30m", "key: licenseKey", "referenced: false"] {
        assert!(answer.stdout.contains(line), "{line} is not in {}", answer.stdout);
    }
    let spec = read::<QlikTenant>(&answer.stdout).unwrap().spec;
    let offboarding = spec.offboarding.unwrap();
    assert_eq!((spec.lifecycle, offboarding.on_delete), (Lifecycle::Active, OnDelete::Retain));
    assert_eq!((offboarding.release, offboarding.purge_after_days), (ReleasePolicy::Scheduled, 30));
    assert!(answer.stdout.contains("onDelete: Retain") && answer.stdout.contains("purgeAfterDays: 30"));
}

/// `null` is how templates write "nothing"; it must never count as a confirmation or a license.
#[tokio::test]
async fn null_means_absent() {
    let stage = stage("nulls").await;
    for (name, spec, says) in [
        ("license", "region: us\nlicense: null", LICENSE),
        ("keyref", "region: us\nlicense: {keyRef: null}", ONE_LICENSE),
        ("confirm", &format!("{BASE}\nlifecycle: Deactivated\noffboarding: {{confirmHostname: null}}"), DEACTIVATED),
        ("delete", &format!("{BASE}\noffboarding: {{onDelete: Deactivate, confirmHostname: null}}"), ON_DELETE),
    ] {
        assert_eq!(not_refused(&stage, &tenant(name, spec), says).await, None, "{name}");
    }
    let nothing = format!("{BASE}\nadopt: null\nalias: null\noffboarding: null\nsettings: null");
    judge(&stage, &tenant("nothing", &nothing)).await.unwrap();
}
