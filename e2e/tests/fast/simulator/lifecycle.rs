//! A tenant from creation to purge.

use std::time::Duration;

use e2e::sim::{Config, DisabledCode, NewHost, Options, PortalPatch, PortalTenant, PurgedHost, Status};
use reqwest::Method;
use serde_json::{Value, json};

use super::cloud::{Cloud, REGISTER};

const DAY: Duration = Duration::from_hours(24);

async fn create(cloud: &Cloud, body: Value) -> super::cloud::Answer {
    cloud.call(Method::POST, REGISTER, "/api/v1/tenants", Some(body)).await
}

#[tokio::test]
async fn create_refuses_what_qlik_refuses() {
    let cloud = Cloud::with(Config { tenant_quota: 1, ..Config::default() });
    let key = cloud.sim.ready().license_key.clone();
    assert_eq!(create(&cloud, json!({})).await.error(), (400, "TENANTS-21"));
    assert_eq!(create(&cloud, json!({ "licenseKey": "x" })).await.error(), (403, "TENANTS-23"));
    for datacenter in ["eu-west-1", "eu-north-1", "nowhere"] {
        let body = json!({ "licenseKey": key, "datacenter": datacenter });
        assert_eq!(create(&cloud, body).await.status, 400, "{datacenter}");
    }
    assert!(cloud.sim.tenants().is_empty());
    let made = create(&cloud, json!({ "licenseKey": key, "datacenter": "us-east-1", "legacy": 1 })).await;
    assert_eq!(made.status, 201);
    assert_eq!((&made.body["status"], &made.body["createdByUser"]), (&json!("active"), &json!("")));
    let host = made.body["hostnames"][0].as_str().unwrap();
    assert_eq!(host, format!("{}.us.qlikcloud.com", made.body["name"].as_str().unwrap()));
    assert_eq!(create(&cloud, json!({ "licenseKey": key })).await.error(), (403, "TENANTS-22"));
    // a purge gives the entitlement back
    cloud.sim.purge(made.body["id"].as_str().unwrap()).unwrap();
    assert_eq!(create(&cloud, json!({ "licenseKey": key })).await.status, 201);
}

#[tokio::test]
async fn reading_and_patching() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let path = format!("/api/v1/tenants/{id}");
    let me = cloud.get(&host, "/api/v1/tenants/me").await;
    assert_eq!((me.status.as_u16(), me.headers["location"].to_str().unwrap()), (302, path.as_str()));
    let send = |body| cloud.call(Method::PATCH, &host, &path, Some(body));
    let replace = |path: &str, value: Value| json!({ "op": "replace", "path": path, "value": value });
    let changed = send(json!([
        replace("/name", json!("Acme")),
        replace("/hostnames/1", json!("Acme.US.qlikcloud.com")),
        replace("/enableAppOpeningFeedback", json!(true)),
        replace("/autoAssignCreateSharedSpacesRoleToProfessionals", json!(false)),
    ]))
    .await;
    assert_eq!(changed.status, 204);
    let tenant = cloud.get("acme.us.qlikcloud.com", &path).await.body;
    assert_eq!(tenant["name"], "Acme");
    assert_eq!(tenant["hostnames"], json!([host, "acme.us.qlikcloud.com"]));
    assert_eq!(tenant["enableAppOpeningFeedback"], true);
    assert_eq!(tenant["autoAssignCreateSharedSpacesRoleToProfessionals"], false);

    let other = cloud.sim.create_tenant(PortalTenant {
        region: "us".to_owned(),
        license_number: None,
        name: None,
        alias: Some("taken.us.qlikcloud.com".to_owned()),
    });
    let taken = other.unwrap().hostnames[1].clone();
    for bad in [
        json!({ "op": "replace" }),
        json!([replace("/status", json!("disabled"))]),
        json!([replace("/hostnames/0", json!("a.us.qlikcloud.com"))]),
        json!([replace("/name", json!(1))]),
        json!([replace("/enableAnalyticCreation", json!("yes"))]),
        json!([{ "op": "add", "path": "/name", "value": "x" }]),
        json!([replace("/hostnames/1", json!("acme.eu.qlikcloud.com"))]),
        json!([replace("/hostnames/1", json!("acme"))]),
        // one bad operation spoils all
        json!([replace("/name", json!("Other")), replace("/hostnames/1", json!(taken))]),
    ] {
        let answer = send(bad.clone()).await;
        assert_eq!(answer.status, 400, "{bad}");
        assert!(!bad.is_array() || answer.body["errors"][0]["meta"].is_object(), "{answer:?}");
    }
    assert_eq!(cloud.sim.tenant(&id).unwrap().name, "Acme");
    // a new alias frees the old one
    assert_eq!(send(json!([replace("/hostnames/1", json!("acme2.us.qlikcloud.com"))])).await.status, 204);
    let gone = Cloud::answer(cloud.request(Method::GET, "acme.us.qlikcloud.com", "/")).await;
    assert_eq!(gone.error(), (404, "TENANTS-8"));
}

#[tokio::test]
async fn deactivation_needs_the_right_hostname_and_window() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let refused = |confirm: Option<String>, body: Value| {
        let (cloud, id) = (&cloud, id.clone());
        async move { cloud.action(&id, "deactivate", confirm.as_deref(), Some(body)).await.status.as_u16() }
    };
    assert_eq!(refused(None, json!({})).await, 400);
    cloud.sim.set_options(Options { missing_confirm_header: 412, ..Options::default() }).unwrap();
    assert_eq!(refused(None, json!({})).await, 412);
    assert_eq!(refused(Some("other.us.qlikcloud.com".to_owned()), json!({})).await, 412);
    for days in [json!(9), json!(91), json!(30.5), json!("30"), json!(-1), Value::Null] {
        assert_eq!(refused(Some(host.clone()), json!({ "purgeAfterDays": days })).await, 400, "{days}");
    }
    cloud.sim.bar(&id, true).unwrap();
    assert_eq!(refused(Some(host.clone()), json!({})).await, 403);
    assert_eq!(cloud.sim.tenant(&id).unwrap().status, Status::Active);
    let unknown = cloud.action("nobody", "deactivate", Some(&host), None).await;
    assert_eq!(unknown.error(), (404, "TENANTS-8"));
    let wrong_host = cloud.call(Method::POST, &host, &format!("/api/v1/tenants/{id}/actions/deactivate"), None).await;
    assert_eq!(wrong_host.error(), (404, "TENANTS-8"));
    assert_eq!(cloud.get(REGISTER, &format!("/api/v1/tenants/{id}")).await.error(), (404, "TENANTS-8"));
    cloud.sim.set_options(Options { register_get_tenant: true, ..Options::default() }).unwrap();
    assert_eq!(cloud.get(REGISTER, &format!("/api/v1/tenants/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_disabled_tenant_answers_401_to_everything_and_comes_back() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let token = cloud.token(&host, &cloud.us()).await;
    let answer = cloud.action(&id, "deactivate", Some(&host.to_uppercase()), None).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("disabled")));
    let date: jiff::Timestamp = answer.body["estimatedPurgeDate"].as_str().unwrap().parse().unwrap();
    assert_eq!(
        cloud.sim.tenant(&id).unwrap().purge_at.map(jiff::Timestamp::as_millisecond),
        Some(date.as_millisecond())
    );

    for (code, text) in
        [(DisabledCode::TenantDisabled, "TENANT_DISABLED"), (DisabledCode::TenantDeactivated, "TENANT_DEACTIVATED")]
    {
        cloud.sim.set_options(Options { disabled_code: code, ..Options::default() }).unwrap();
        let ask = cloud.ask_token(&host, &cloud.us()).await;
        assert_eq!(ask.error(), (401, text));
        assert_eq!(ask.body["errors"][0]["status"], "401");
        assert!(ask.body["traceId"].is_string());
        for path in ["/api/v1/tenants/me", "/nowhere", "/.well-known/jwks.json"] {
            let request = cloud.request(Method::GET, &host, path).bearer_auth(&token);
            assert_eq!(Cloud::answer(request).await.error(), (401, text), "{path}");
        }
    }
    // a second deactivation restarts the countdown
    cloud.sim.advance(DAY * 5);
    let again = cloud.action(&id, "deactivate", Some(&host), Some(json!({ "purgeAfterDays": 90 }))).await;
    let later: jiff::Timestamp = again.body["estimatedPurgeDate"].as_str().unwrap().parse().unwrap();
    let days = later.duration_since(date).as_hours() / 24;
    assert_eq!(days, 65);

    assert_eq!(cloud.action(&id, "reactivate", Some("x"), None).await.status, 412);
    let back = cloud.action(&id, "reactivate", Some(&host), None).await;
    assert_eq!((back.status.as_u16(), &back.body), (200, &json!({ "id": id, "status": "active" })));
    assert_eq!(cloud.get(&host, &format!("/api/v1/tenants/{id}")).await.body["status"], "active");
    assert_eq!(cloud.action(&id, "reactivate", Some(&host), Some(json!({}))).await.status, 200);
    cloud.sim.set_options(Options { reactivate_active: 409, ..Options::default() }).unwrap();
    assert_eq!(cloud.action(&id, "reactivate", Some(&host), None).await.status, 409);
    let effects: Vec<_> = cloud.sim.journal().into_iter().filter_map(|entry| entry.effect).collect();
    assert_eq!(effects.iter().filter(|effect| *effect == "tenant.reactivated").count(), 1);
}

#[tokio::test]
async fn a_purged_tenant_is_gone() {
    let cloud = Cloud::start();
    let (id, host) = cloud.tenant().await;
    let alias = PortalPatch { alias: Some("acme.us.qlikcloud.com".to_owned()), ..PortalPatch::default() };
    cloud.sim.patch_tenant(&id, alias).unwrap();
    cloud.action(&id, "deactivate", Some("acme.us.qlikcloud.com"), Some(json!({ "purgeAfterDays": 10 }))).await;
    cloud.sim.advance(DAY * 9 + Duration::from_hours(23));
    assert_eq!(cloud.sim.tenant(&id).unwrap().status, Status::Disabled);
    cloud.sim.advance(Duration::from_hours(1));
    assert_eq!(cloud.sim.tenant(&id).unwrap().status, Status::Deleted);
    assert_eq!(cloud.ask_token(&host, &cloud.us()).await.error(), (404, "TENANTS-8"));
    assert_eq!(cloud.action(&id, "reactivate", Some(&host), None).await.error(), (404, "TENANTS-8"));
    assert_eq!(cloud.action(&id, "deactivate", Some(&host), None).await.error(), (404, "TENANTS-8"));
    cloud.sim.set_options(Options { purged_host: PurgedHost::Drop, ..Options::default() }).unwrap();
    assert!(cloud.request(Method::GET, &host, "/").send().await.is_err());
}

#[tokio::test]
async fn a_new_host_may_need_time() {
    let spell = |status| Options { new_host: Some(NewHost { status, seconds: 60 }), ..Options::default() };
    for status in [401, 404] {
        let cloud = Cloud::with(Config { options: spell(status), ..Config::default() });
        let (_, host) = cloud.tenant().await;
        assert_eq!(cloud.ask_token(&host, &cloud.us()).await.status, status);
        cloud.sim.advance(Duration::from_mins(1));
        assert_eq!(cloud.ask_token(&host, &cloud.us()).await.status, 200);
    }
}

#[tokio::test]
async fn the_licence_overview_gives_the_key() {
    let cloud = Cloud::start();
    let (_, host) = cloud.tenant().await;
    let overview = cloud.get(&host, "/api/v1/licenses/overview").await;
    assert_eq!(overview.body["licenseKey"], cloud.sim.ready().license_key.as_str());
    assert_eq!(overview.body["status"], "Ok");
}
