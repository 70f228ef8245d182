//! Answers without the fields that Qlik's schemas do not require, and with dates that have no time.

use std::collections::{BTreeMap, BTreeSet};

use e2e::sim::{Config, Dates, Options, Sim, StartError, optional_fields};
use serde_json::Value;

use super::cloud::Cloud;
use super::gallery::Gallery;

/// Every path to a field; lists are gone through.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| paths(item, at, into)),
        Value::Object(map) => {
            for (name, value) in map {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                paths(value, &path, into);
                into.insert(path);
            }
        }
        _ => {}
    }
}

fn fields(answer: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    paths(answer, "", &mut all);
    all
}

async fn shown(gallery: &Gallery, group: &str, omit: &[&str]) -> Vec<BTreeSet<String>> {
    let omit = omit.iter().map(|name| (*name).to_owned()).collect();
    gallery
        .office
        .cloud
        .sim
        .set_options(Options { omit, filter_needs_subscription: false, ..Options::default() })
        .unwrap();
    gallery.answers(group).await.iter().map(fields).collect()
}

#[tokio::test]
async fn each_optional_field_can_be_left_out_alone() {
    let gallery = Gallery::open().await;
    let mut wholes = BTreeMap::new();
    for field in optional_fields() {
        let (group, path) = field.split_once('.').unwrap();
        if !wholes.contains_key(group) {
            wholes.insert(group, shown(&gallery, group, &[]).await);
        }
        let whole = &wholes[group];
        let expected = |answer: &BTreeSet<String>| {
            let item = answer.contains("data") && !group.ends_with("List");
            let gone = if item { format!("data.{path}") } else { path.to_owned() };
            let inside = format!("{gone}.");
            answer.iter().filter(|at| **at != gone && !at.starts_with(&inside)).cloned().collect::<BTreeSet<_>>()
        };
        let expected: Vec<_> = whole.iter().map(expected).collect();
        assert_ne!(expected, *whole, "{field} is in no answer");
        assert_eq!(shown(&gallery, group, &[field]).await, expected, "{field}");
    }
}

/// What is left when everything is missing that may be: for each group what each of its answers has.
const REQUIRED: &[(&str, &[&str])] = &[
    ("tenants", &["id name", "id name"]),
    ("deactivate", &[""]),
    ("reactivate", &[""]),
    ("organization", &["data data.id", "data data.id", "data data.id"]),
    ("organizationList", &["data data.id"]),
    ("token", &["access_token token_type"]),
    (
        "oauthClients",
        &[
            "appType clientId clientName clientSecret createdAt",
            "appType clientId clientName createdAt",
            "data data.appType data.clientId data.clientName data.createdAt links",
        ],
    ),
    ("oauthClientsList", &["data data.appType data.clientId data.clientName data.createdAt links"]),
    ("clientSecrets", &["clientId clientSecret hint"]),
    ("connectionConfig", &["consentMethod"]),
    ("oauthTokens", &["data data.id data.tenantId data.userId links links.self links.self.href"]),
    ("oauthTokensList", &["data data.id data.tenantId data.userId links links.self links.self.href"]),
    ("identityProviders", &["id", "id", "data data.id"]),
    ("identityProvidersList", &["data data.id"]),
    ("identityProvidersStatus", &[""]),
    ("identityProvidersMeta", &[""]),
    (
        "users",
        &["id name subject tenantId", "id name subject tenantId", "data data.id data.name data.subject data.tenantId"],
    ),
    ("usersList", &["data data.id data.name data.subject data.tenantId"]),
    (
        "licenses",
        &["allotments allotments.name allotments.units allotments.unitsUsed allotments.usageClass licenseKey \
           licenseNumber origin parameters product secondaryNumber status trial updated valid version"],
    ),
];

#[tokio::test]
async fn what_is_required_or_needed_to_make_sense_is_never_left_out() {
    let gallery = Gallery::open().await;
    for (group, answers) in REQUIRED {
        let left = shown(&gallery, group, &["*"]).await;
        let left: Vec<_> = left.into_iter().map(|answer| answer.into_iter().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(left, *answers, "{group}");
    }
    let groups: BTreeSet<_> = optional_fields().iter().filter_map(|field| field.split('.').next()).collect();
    let told = REQUIRED.iter().map(|(group, _)| *group).chain(["oauthClient"]).collect();
    assert_eq!(groups, told);
}

#[tokio::test]
async fn a_link_to_a_further_page_stays() {
    let gallery = Gallery::open().await;
    let omit = vec!["*".to_owned()];
    gallery.office.cloud.sim.set_options(Options { omit, max_page: Some(1), ..Options::default() }).unwrap();
    let page = gallery.office.call(reqwest::Method::GET, "/api/v1/users", None).await.body;
    assert!(page["links"]["next"]["href"].is_string(), "{page}");
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    let options = Options { omit: vec!["tenants.hostname".to_owned()], ..Options::default() };
    let Err(StartError::Options(why)) = Sim::start(Config { options: options.clone(), ..Config::default() }) else {
        panic!("it started");
    };
    let refused = Cloud::start().sim.set_options(options).unwrap_err();
    assert_eq!(refused, why);
    assert!(why.starts_with("omit has no field tenants.hostname;") && why.contains("deactivate.estimatedPurgeDate"));
}

/// The texts of all fields with these names.
fn texts(value: &Value, names: &[&str], into: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, names, into)),
        Value::Object(map) => {
            for (name, value) in map {
                if let Some(text) = value.as_str().filter(|_| names.contains(&name.as_str())) {
                    into.push((name.clone(), text.to_owned()));
                }
                texts(value, names, into);
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn dates_may_be_without_a_time() {
    let names = [
        "created",
        "createdAt",
        "deletionStartsAt",
        "estimatedPurgeDate",
        "lastUpdated",
        "lastUpdatedAt",
        "lastUsed",
        "publishedAt",
        "started",
        "statusLastUpdatedAt",
        "updatedAt",
    ];
    let gallery = Gallery::open().await;
    for dates in [Dates::Instant, Dates::Day] {
        gallery
            .office
            .cloud
            .sim
            .set_options(Options { dates, filter_needs_subscription: false, ..Options::default() })
            .unwrap();
        let mut found = Vec::new();
        for (group, _) in REQUIRED {
            gallery.answers(group).await.iter().for_each(|answer| texts(answer, &names, &mut found));
        }
        let seen: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(seen, names.into());
        for (name, text) in &found {
            let day = text.parse::<jiff::Timestamp>().is_err() && text.parse::<jiff::civil::Date>().is_ok();
            assert_eq!((day, text.len() == 10), (dates == Dates::Day, dates == Dates::Day), "{name} {text}");
        }
        // when a token expires is an instant all the same
        let token = gallery.answers("token").await.remove(0);
        assert!(token["expires_at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        let purge = gallery.answers("deactivate").await.remove(0)["estimatedPurgeDate"].as_str().unwrap().to_owned();
        let tenants = gallery.office.cloud.sim.tenants();
        let due = tenants.iter().filter_map(|tenant| tenant.purge_at).max().unwrap().to_string();
        assert_eq!(purge[..10], due[..10]);
    }
}
