//! What may not be changed afterwards.

use super::kubectl::{read, stage, tenant};
use super::server::{create, judge, not_refused};
use super::wrong::BASE;
use qlik_operator::crd::{QlikOffboarding, QlikTenant};

const ADOPTED: &str = "region: us\nadopt: {tenantId: abc, hostname: a.us.qlikcloud.com}";
const RECORD: &str = "apiVersion: qlik-operator.dev/v1alpha1\nkind: QlikOffboarding\nmetadata: {name: record}\nspec:\n  \
    tenantId: abc\n  hostnames: [a.us.qlikcloud.com]\n  region: us\n  tenant: {name: a, uid: u}\n  \
    trigger: Lifecycle\n  purgeAfterDays: 30\n  requestedAt: 2026-01-01T00:00:00Z\n  credentialsSource: Secret/c\n";

const REGION: &str =
    "spec.region cannot be changed, a tenant stays in its region: create another QlikTenant for the new region";
const ADOPT: &str = "spec.adopt cannot be changed to another tenant: delete this object (its tenant is kept) and create a \
                     new one that adopts the other";
const FIXED: &str = "the record of an off-boarding cannot be changed: change the QlikTenant instead";

#[tokio::test]
async fn a_tenant_stays_in_its_region_and_with_the_tenant_it_adopted() {
    let stage = stage("updates").await;
    let changes = [
        ("region", BASE, "region: eu\nlicense: {keyRef: {name: l}}", REGION),
        ("adopt-id", ADOPTED, "region: us\nadopt: {tenantId: other, hostname: a.us.qlikcloud.com}", ADOPT),
        ("adopt-region", ADOPTED, "region: de\nadopt: {tenantId: abc, hostname: a.us.qlikcloud.com}", REGION),
    ];
    for (name, before, after, says) in changes {
        let (before, after) = (tenant(name, before), tenant(name, after));
        create(&stage, &before).await;
        assert_eq!(not_refused(&stage, &after, says).await, None, "{name}");
        let found =
            read::<QlikTenant>(&after).unwrap().validate_cel_update(&read(&before).unwrap()).unwrap_err().to_string();
        assert!(found.contains(says), "{name}: {found}");
    }
}

#[tokio::test]
async fn what_may_change_can_be_changed() {
    let stage = stage("changes").await;
    let deactivated = format!("{BASE}\nlifecycle: Deactivated\noffboarding: {{confirmHostname: a.us.qlikcloud.com}}");
    let adopting = format!("{BASE}\nadopt: {{tenantId: abc, hostname: a.us.qlikcloud.com}}");
    let changes = [
        // The way out that `PreviousTenantScheduled` names.
        ("adopts-later", BASE, adopting.as_str()),
        // The way out that `AdoptMismatch` and `HostnameUnknown` name.
        ("adopt-hostname", ADOPTED, "region: us\nadopt: {tenantId: abc, hostname: b.us.qlikcloud.com}"),
        ("license-later", ADOPTED, BASE),
        ("deactivate", BASE, &deactivated),
        ("reactivate", &deactivated, BASE),
        ("other-credentials", &format!("{BASE}\ncredentialsRef: {{name: c}}"), BASE),
    ];
    for (name, before, after) in changes {
        let (before, after) = (tenant(name, before), tenant(name, after));
        create(&stage, &before).await;
        assert_eq!(judge(&stage, &after).await.err(), None, "{name}");
        read::<QlikTenant>(&after).unwrap().validate_cel_update(&read(&before).unwrap()).unwrap();
    }
}

#[tokio::test]
async fn a_record_cannot_be_changed() {
    let stage = stage("records").await;
    create(&stage, RECORD).await;
    for (before, after) in [("purgeAfterDays: 30", "purgeAfterDays: 90"), ("tenantId: abc", "tenantId: other")] {
        let changed = RECORD.replace(before, after);
        assert_ne!(changed, RECORD);
        assert_eq!(not_refused(&stage, &changed, FIXED).await, None, "{after}");
        let found = read::<QlikOffboarding>(&changed)
            .unwrap()
            .validate_cel_update(&read(RECORD).unwrap())
            .unwrap_err()
            .to_string();
        assert!(found.contains(FIXED), "{after}: {found}");
    }
}
