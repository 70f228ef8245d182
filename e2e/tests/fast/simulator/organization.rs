//! The organization API: filters, pages, and tenants that are no more.

use e2e::sim::{NextLink, Options, PortalTenant};
use reqwest::Method;
use serde_json::{Value, json};

use super::cloud::{Answer, CONSOLE, Cloud};

fn populate(cloud: &Cloud, regions: &[&str]) -> Vec<String> {
    let make = |(number, region): (usize, &&str)| {
        let wanted = PortalTenant {
            region: (*region).to_owned(),
            license_number: None,
            name: Some(format!("tenant-{number}")),
            alias: None,
        };
        cloud.sim.create_tenant(wanted).unwrap().id
    };
    regions.iter().enumerate().map(make).collect()
}

async fn list(cloud: &Cloud, parameters: &[(&str, &str)]) -> Answer {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    cloud.get(CONSOLE, &format!("/api/core/tenants?{}", query.finish())).await
}

fn names(body: &Value) -> Vec<&str> {
    body["data"].as_array().unwrap().iter().map(|tenant| tenant["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn every_status_is_listed_with_its_dates() {
    let cloud = Cloud::start();
    let ids = populate(&cloud, &["us", "eu", "eu"]);
    cloud.sim.deactivate(&ids[1], 30).unwrap();
    cloud.sim.deactivate(&ids[2], 30).unwrap();
    cloud.sim.purge(&ids[2]).unwrap();
    let all = list(&cloud, &[("sort", "+name"), ("totalResults", "true")]).await.body;
    assert_eq!(all["totalResults"], 3);
    let statuses: Vec<&Value> = all["data"].as_array().unwrap().iter().map(|tenant| &tenant["status"]).collect();
    assert_eq!(statuses, ["active", "disabled", "deleted"]);
    assert!(all["data"][0].get("deletionStartsAt").is_none());
    assert!(all["data"][1]["deletionStartsAt"].is_string() && all["data"][2]["deletionStartsAt"].is_string());
    assert_eq!(all["data"][1]["regionCode"], "eu-west-1");
    let one = cloud.get(CONSOLE, &format!("/api/core/tenants/{}", ids[2])).await;
    assert_eq!((one.body["data"].as_array().unwrap().len(), &one.body["data"][0]["id"]), (1, &json!(ids[2])));
    assert_eq!(cloud.get(CONSOLE, "/api/core/tenants/nobody").await.status, 404);
}

#[tokio::test]
async fn filters() {
    let cloud = Cloud::start();
    let ids = populate(&cloud, &["us", "eu", "de"]);
    cloud.sim.deactivate(&ids[1], 30).unwrap();
    let all = list(&cloud, &[]).await.body;
    let subscription = all["data"][0]["subscriptionId"].as_str().unwrap();
    let with = |rest: &str| format!(r#"subscriptionId eq "{subscription}" and {rest}"#);
    let created = all["data"][0]["createdAt"].as_str().unwrap();
    for (rest, want) in [
        (r#"status eq "disabled""#.to_owned(), vec!["tenant-1"]),
        (r#"not (STATUS EQ "Disabled") and regionCode ne "us-east-1""#.to_owned(), vec!["tenant-2"]),
        (r#"(name eq "tenant-0" or name eq "tenant-2")"#.to_owned(), vec!["tenant-0", "tenant-2"]),
        (format!(r#"createdAt ge "{created}""#), vec!["tenant-0", "tenant-1", "tenant-2"]),
        (format!(r#"id eq "{}""#, ids[2]), vec!["tenant-2"]),
    ] {
        let filter = with(&rest);
        let found = list(&cloud, &[("filter", &filter), ("sort", "name")]).await;
        assert_eq!(names(&found.body), want, "{filter} {found:?}");
        let posted = cloud
            .call(
                Method::POST,
                CONSOLE,
                "/api/core/tenants/actions/filter?sort=name",
                Some(json!({ "filter": filter })),
            )
            .await;
        assert_eq!(names(&posted.body), want);
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let query = query.append_pair("filter", &with(r#"status eq "active""#)).finish();
    assert_eq!(cloud.get(CONSOLE, &format!("/api/core/tenants/actions/count?{query}")).await.body["total"], 2);
    for bad in [with("name co \"x\""), with("size eq 1"), with("(name eq \"x\""), r#"name eq "x""#.to_owned()] {
        assert_eq!(list(&cloud, &[("filter", &bad)]).await.status, 400, "{bad}");
    }
    assert_eq!(list(&cloud, &[("filter", r#"subscriptionId eq "foreign""#)]).await.status, 403);
    cloud.sim.set_options(Options { filter_needs_subscription: false, ..Options::default() }).unwrap();
    assert_eq!(names(&list(&cloud, &[("filter", r#"name eq "tenant-0""#)]).await.body), ["tenant-0"]);
}

#[tokio::test]
async fn pages_are_followed_by_absolute_links_in_both_directions() {
    let cloud = Cloud::start();
    populate(&cloud, &["us"; 5]);
    for next_link in [NextLink::Absent, NextLink::Null] {
        cloud.sim.set_options(Options { next_link, max_page: Some(2), ..Options::default() }).unwrap();
        let token = cloud.token(CONSOLE, &cloud.sim.ready().organization).await;
        let follow = |href: String| Cloud::answer(cloud.http.get(href).bearer_auth(&token));
        let mut page = list(&cloud, &[("sort", "-name"), ("limit", "100")]).await.body;
        let first = page.clone();
        let mut seen: Vec<String> = names(&page).into_iter().map(str::to_owned).collect();
        while let Some(next) = page["links"]["next"]["href"].as_str() {
            page = follow(next.to_owned()).await.body;
            seen.extend(names(&page).into_iter().map(str::to_owned));
        }
        assert_eq!(seen, ["tenant-4", "tenant-3", "tenant-2", "tenant-1", "tenant-0"]);
        assert_eq!(page["links"].get("next").is_some(), next_link == NextLink::Null);
        while let Some(prev) = page["links"]["prev"]["href"].as_str() {
            page = follow(prev.to_owned()).await.body;
        }
        assert_eq!(names(&page), names(&first));
    }
    assert_eq!(list(&cloud, &[("limit", "101")]).await.status, 400);
    assert_eq!(list(&cloud, &[("limit", "0")]).await.body["data"], json!([]));
}
