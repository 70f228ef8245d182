//! Lists that lag behind, and lists without an order.

use std::time::Duration;

use e2e::sim::{Config, LateList, Options};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::cloud::{CONSOLE, Cloud};
use super::office::Office;

const CLIENTS: &str = "/api/v1/oauth-clients";
const LOGINS: &str = "/api/v1/identity-providers";

/// What the organization API says of a tenant, in its list, by itself and counted.
async fn status(cloud: &Cloud, id: &str) -> Option<String> {
    let list = cloud.get(CONSOLE, "/api/core/tenants").await.body;
    let listed = list["data"].as_array().unwrap().iter().find(|tenant| tenant["id"] == id).cloned();
    let one = cloud.get(CONSOLE, &format!("/api/core/tenants/{id}")).await;
    let count = cloud.get(CONSOLE, "/api/core/tenants/actions/count").await.body;
    assert_eq!(count["total"], list["data"].as_array().unwrap().len());
    match &listed {
        Some(listed) => assert_eq!(one.body["data"][0], *listed),
        None => assert_eq!(one.status, StatusCode::NOT_FOUND),
    }
    listed.map(|listed| listed["status"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_organization_learns_late_of_new_tenants_and_of_changes() {
    let late_list = Some(LateList { new_seconds: 100, status_seconds: 1000 });
    let options = Options { late_list, ..Options::default() };
    let cloud = Cloud::with(Config { options, ..Config::default() });
    let (id, host) = cloud.tenant().await;
    let pass = |seconds| cloud.sim.advance(Duration::from_secs(seconds));
    assert_eq!(status(&cloud, &id).await, None);
    pass(100);
    assert_eq!(status(&cloud, &id).await.unwrap(), "active");
    cloud.action(&id, "deactivate", Some(&host), None).await;
    assert_eq!(status(&cloud, &id).await.unwrap(), "active");
    let one = cloud.get(CONSOLE, &format!("/api/core/tenants/{id}")).await.body;
    assert_eq!(one["data"][0].get("deletionStartsAt"), None);
    pass(500);
    cloud.sim.purge(&id).unwrap();
    assert_eq!(status(&cloud, &id).await.unwrap(), "active");
    // the tenant itself is never late
    assert_eq!(cloud.ask_token(&host, &cloud.us()).await.error(), (404, "TENANTS-8"));
    pass(500);
    assert_eq!(status(&cloud, &id).await.unwrap(), "disabled");
    let filter = r#"status eq "deleted""#;
    let deleted = |filter_needs_subscription| Options { late_list, filter_needs_subscription, ..Options::default() };
    cloud.sim.set_options(deleted(false)).unwrap();
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
    let path = format!("/api/core/tenants?{query}");
    assert_eq!(cloud.get(CONSOLE, &path).await.body["data"], json!([]));
    pass(500);
    assert_eq!(status(&cloud, &id).await.unwrap(), "deleted");
    assert_eq!(cloud.get(CONSOLE, &path).await.body["data"][0]["id"], id);
}

async fn office(path: &'static str, seed: u64, options: Options) -> Office {
    let office = Office::with(path, Config { seed: Some(seed), options, ..Config::default() }).await;
    let key = super::keys::Signer::ec().line();
    for name in ["a", "b", "c", "d", "e"] {
        office
            .created(match path {
                CLIENTS => json!({ "appType": "spa", "clientName": name }),
                _ => json!({ "protocol": "jwtAuth", "provider": "external", "description": name, "options": {
                    "issuer": name, "staticKeys": [{ "kid": name, "pem": key }] } }),
            })
            .await;
    }
    office
}

fn names(page: &Value) -> Vec<String> {
    let name = |item: &Value| item.get("clientName").unwrap_or(&item["description"]).as_str().unwrap().to_owned();
    page["data"].as_array().unwrap().iter().map(name).collect()
}

async fn orders(office: &Office, query: &str) -> Vec<Vec<String>> {
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(names(&office.call(reqwest::Method::GET, query, None).await.body));
    }
    seen
}

#[tokio::test]
async fn lists_come_in_another_order_at_each_call() {
    let options = || Options { shuffle_lists: true, ..Options::default() };
    for path in [CLIENTS, LOGINS] {
        let office_of = |seed| office(path, seed, options());
        let (one, same, other) = (office_of(1).await, office_of(1).await, office_of(2).await);
        let seen = orders(&one, "").await;
        assert!(seen.windows(2).all(|two| two[0] != two[1]), "{seen:?}");
        for order in &seen {
            let mut sorted = order.clone();
            sorted.sort();
            assert_eq!(sorted, ["a", "b", "c", "d", "e"]);
        }
        assert_eq!(orders(&same, "").await, seen);
        assert_ne!(orders(&other, "").await, seen);
        one.cloud.sim.set_options(Options::default()).unwrap();
        let plain = orders(&one, "").await;
        assert!(plain.windows(2).all(|two| two[0] == two[1]), "{plain:?}");
    }
}

#[tokio::test]
async fn the_pages_of_one_list_keep_its_order_and_a_sort_is_kept_to() {
    for path in [CLIENTS, LOGINS] {
        let options = Options { shuffle_lists: true, max_page: Some(2), ..Options::default() };
        let office = office(path, 1, options).await;
        let token = office.cloud.token(&office.host, &office.cloud.us()).await;
        let mut page = office.call(reqwest::Method::GET, "", None).await.body;
        let (first, mut seen) = (names(&page), names(&page));
        while let Some(next) = page["links"]["next"]["href"].as_str() {
            page = Cloud::answer(office.cloud.http.get(next).bearer_auth(&token)).await.body;
            seen.extend(names(&page));
        }
        seen.sort();
        assert_eq!(seen, ["a", "b", "c", "d", "e"]);
        while let Some(previous) = page["links"]["prev"]["href"].as_str() {
            page = Cloud::answer(office.cloud.http.get(previous).bearer_auth(&token)).await.body;
        }
        assert_eq!(names(&page), first);
    }
    let office = office(CLIENTS, 1, Options { shuffle_lists: true, ..Options::default() }).await;
    assert!(orders(&office, "?sort=-clientName").await.iter().all(|order| *order == ["e", "d", "c", "b", "a"]));
}
