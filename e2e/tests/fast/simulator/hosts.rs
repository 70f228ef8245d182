//! Hosts: the names of a tenant, those that it no longer has, and those that nobody has.

use e2e::sim::{ClientRequest, DisabledCode, Options, PortalTenant, PurgedHost, Running, UnknownHost};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::cloud::{Answer, Cloud};

const ALIAS: &str = "acme.us.qlikcloud.com";
const NOBODY: &str = "nobody.us.qlikcloud.com";

fn tenant(sim: &Running, license_number: Option<String>) -> (String, String) {
    let wanted = PortalTenant {
        region: "us".to_owned(),
        license_number,
        name: Some("Acme".to_owned()),
        alias: Some(ALIAS.to_owned()),
    };
    let made = sim.create_tenant(wanted).unwrap();
    assert_eq!((made.name.as_str(), made.hostnames[1].as_str()), ("Acme", ALIAS));
    (made.id, made.hostnames[0].clone())
}

async fn ask(cloud: &Cloud, host: &str) -> Option<Answer> {
    match cloud.request(Method::GET, host, "/api/v1/tenants/me").send().await {
        Ok(answer) => Some(super::cloud::read(answer).await),
        Err(_) => None,
    }
}

fn is_bare(answer: &Answer) -> bool {
    let html = answer.headers["content-type"].to_str().unwrap().starts_with("text/html");
    answer.status == StatusCode::NOT_FOUND && html && answer.body == Value::Null
}

#[tokio::test]
async fn a_purged_tenants_own_host_is_gone_in_one_of_four_ways() {
    let cloud = Cloud::start();
    let (id, host) = tenant(&cloud.sim, None);
    cloud.sim.deactivate(&id, 10).unwrap();
    cloud.sim.purge(&id).unwrap();
    let set = |purged_host, disabled_code| {
        cloud.sim.set_options(Options { purged_host, disabled_code, ..Options::default() }).unwrap();
    };
    set(PurgedHost::NotFound, DisabledCode::TenantDisabled);
    assert_eq!(ask(&cloud, &host).await.unwrap().error(), (404, "TENANTS-8"));
    for (code, text) in
        [(DisabledCode::TenantDisabled, "TENANT_DISABLED"), (DisabledCode::TenantDeactivated, "TENANT_DEACTIVATED")]
    {
        set(PurgedHost::StillDisabled, code);
        assert_eq!(ask(&cloud, &host).await.unwrap().error(), (401, text));
        assert_eq!(cloud.ask_token(&host, &cloud.us()).await.error(), (401, text));
        // it is purged all the same
        assert_eq!(cloud.action(&id, "reactivate", Some(&host), None).await.error(), (404, "TENANTS-8"));
    }
    set(PurgedHost::BareNotFound, DisabledCode::TenantDisabled);
    assert!(is_bare(&ask(&cloud, &host).await.unwrap()));
    set(PurgedHost::Drop, DisabledCode::TenantDisabled);
    assert!(ask(&cloud, &host).await.is_none());
    // the alias is nobody's, and free for others
    assert_eq!(ask(&cloud, ALIAS).await.unwrap().error(), (404, "TENANTS-8"));
    let (_, other) = tenant(&cloud.sim, None);
    assert_eq!(ask(&cloud, &other).await.unwrap().status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_host_that_no_tenant_has_answers_in_one_of_three_ways() {
    let cloud = Cloud::start();
    let (_, host) = tenant(&cloud.sim, None);
    let set = |unknown_host| cloud.sim.set_options(Options { unknown_host, ..Options::default() }).unwrap();
    assert_eq!(ask(&cloud, NOBODY).await.unwrap().error(), (404, "TENANTS-8"));
    set(UnknownHost::BareNotFound);
    assert!(is_bare(&ask(&cloud, NOBODY).await.unwrap()));
    assert!(is_bare(&cloud.ask_token(NOBODY, &cloud.us()).await));
    set(UnknownHost::Drop);
    assert!(ask(&cloud, NOBODY).await.is_none());
    let entry = cloud.sim.journal().pop().unwrap();
    assert_eq!((entry.host.as_str(), entry.status), (NOBODY, None));
    assert_eq!(ask(&cloud, &host).await.unwrap().status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_tenant_knows_itself_under_both_names_and_takes_only_its_own_subscriptions_client() {
    let cloud = Cloud::start();
    let other = cloud.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None }).unwrap();
    let (id, host) = tenant(&cloud.sim, Some(other.license_number.clone()));
    for name in [host.as_str(), ALIAS] {
        let token = cloud.token(name, &other.credentials).await;
        let me = cloud.request(Method::GET, name, "/api/v1/tenants/me").bearer_auth(&token);
        let me = Cloud::answer(me).await;
        let location = me.headers["location"].to_str().unwrap();
        assert_eq!((me.status, location), (StatusCode::FOUND, format!("/api/v1/tenants/{id}").as_str()));
        let seen = Cloud::answer(cloud.request(Method::GET, name, location).bearer_auth(&token)).await;
        assert_eq!((&seen.body["id"], &seen.body["hostnames"]), (&json!(id), &json!([host, ALIAS])));
        // another subscription's client of the same region, and the right one of another region
        assert_eq!(cloud.ask_token(name, &cloud.us()).await.status, StatusCode::UNAUTHORIZED);
        let eu = cloud.sim.ready().regional["eu"].clone();
        assert_eq!(cloud.ask_token(name, &eu).await.error(), (400, "OAUTH-14"));
    }
    // a token of one name is none of the other
    let token = cloud.token(&host, &other.credentials).await;
    let crossed = cloud.request(Method::GET, ALIAS, "/api/v1/tenants/me").bearer_auth(token);
    assert_eq!(Cloud::answer(crossed).await.status, StatusCode::UNAUTHORIZED);
    // nor may the other subscription's client touch it on the register host
    assert_eq!(cloud.action(&id, "deactivate", Some(&host), None).await.status, StatusCode::FORBIDDEN);
}
