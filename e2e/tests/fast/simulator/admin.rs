//! The admin listener, the plain listener, and the program itself.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::sim::{Config, Ready, Sim, StartError};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::cloud::{Cloud, REGISTER, read};

async fn admin(cloud: &Cloud, method: Method, path: &str, body: Option<Value>) -> super::cloud::Answer {
    let url = format!("http://{}{path}", cloud.sim.admin().unwrap());
    let mut request = Client::new().request(method, url);
    if let Some(body) = body {
        request = request.json(&body);
    }
    read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_clock_turns_and_every_date_follows() {
    let cloud = Cloud::start();
    let year = 365 * 24 * 3600;
    let turned = admin(&cloud, Method::POST, "/_sim/clock", Some(json!({ "advanceSeconds": year }))).await;
    assert_eq!(turned.body["offsetSeconds"], year);
    let now = turned.body["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let answer = Cloud::answer(cloud.request(Method::GET, REGISTER, "/nowhere")).await;
    for headers in [&turned.headers, &answer.headers] {
        let date = headers["date"].to_str().unwrap();
        let date = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
        assert!(date.duration_since(now).abs() < jiff::SignedDuration::from_mins(1), "{date} {now}");
    }
    assert_eq!(answer.headers["qlik-trace-id"].to_str().unwrap(), answer.body["traceId"]);
}

#[tokio::test]
async fn portal_actions_options_faults_and_journal_over_http() {
    let cloud = Cloud::start();
    let post = |path: &'static str, body| admin(&cloud, Method::POST, path, Some(body));
    let tenant = post("/_sim/portal/tenants", json!({ "region": "eu", "name": "By hand" })).await.body;
    let path = |rest: &str| format!("/_sim/portal/tenants/{}{rest}", tenant["id"].as_str().unwrap());
    let alias = json!({ "alias": "hand.eu.qlikcloud.com" });
    let patched = admin(&cloud, Method::PATCH, &path(""), Some(alias)).await;
    assert_eq!(patched.body["hostnames"][1], "hand.eu.qlikcloud.com");
    for (rest, body, field, want) in [
        ("/deactivate", json!({ "days": 10 }), "status", json!("disabled")),
        ("/reactivate", json!({}), "status", json!("active")),
        ("/bar", json!({ "barred": true }), "barred", json!(true)),
        ("/bot", json!({ "disabled": true }), "users", json!([])),
        ("/purge", json!({}), "status", json!("deleted")),
    ] {
        let answer = admin(&cloud, Method::POST, &path(rest), Some(body)).await;
        assert_eq!(answer.body[field], want, "{rest} {answer:?}");
    }
    assert_eq!(admin(&cloud, Method::POST, &path("/reactivate"), None).await.status, StatusCode::NOT_FOUND);
    let tenants = admin(&cloud, Method::GET, "/_sim/tenants", None).await.body;
    assert_eq!((tenants.as_array().unwrap().len(), &tenants[0]["name"]), (1, &json!("By hand")));

    let options = post("/_sim/options", json!({ "reactivateActive": 409 })).await.body;
    assert_eq!((&options["reactivateActive"], &options["missingConfirmHeader"]), (&json!(409), &json!(400)));
    for bad in [
        json!({ "unknown": 1 }),
        json!({ "reactivateActive": 500 }),
        json!({ "omit": ["tenants.id"] }),
        json!({ "purgedHost": "elsewhere" }),
        json!({ "lateList": { "days": 1 } }),
    ] {
        assert_eq!(post("/_sim/options", bad).await.status, StatusCode::BAD_REQUEST);
    }
    let switches = json!({
        "omit": ["*"], "dates": "day", "purgedHost": "stillDisabled", "unknownHost": "bareNotFound",
        "lateList": { "newSeconds": 60, "statusSeconds": 0 }, "shuffleLists": true,
    });
    let options = post("/_sim/options", switches.clone()).await.body;
    for (name, value) in switches.as_object().unwrap() {
        assert_eq!(options[name], *value, "{name}");
    }

    let plan = json!({ "match": { "host": "register", "path": "/nowhere", "count": 2 }, "action": { "status": 500 } });
    assert_eq!(post("/_sim/faults", json!([plan])).await.status, StatusCode::NO_CONTENT);
    assert_eq!(post("/_sim/faults", json!({ "action": {} })).await.status, StatusCode::BAD_REQUEST);
    let broken = Cloud::answer(cloud.request(Method::GET, REGISTER, "/nowhere")).await;
    assert_eq!(broken.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(admin(&cloud, Method::GET, "/_sim/faults", None).await.body[0]["fired"], 1);
    admin(&cloud, Method::DELETE, "/_sim/faults", None).await;
    assert_eq!(admin(&cloud, Method::GET, "/_sim/faults", None).await.body, json!([]));

    let journal = admin(&cloud, Method::GET, "/_sim/journal", None).await.body;
    assert_eq!((&journal[0]["fault"], &journal[0]["status"]), (&json!("status"), &json!(500)));
    admin(&cloud, Method::DELETE, "/_sim/journal", None).await;
    assert_eq!(admin(&cloud, Method::GET, "/_sim/journal", None).await.body, json!([]));

    let client = post("/_sim/clients", json!({ "region": "us" })).await.body;
    assert!(client["clientId"].is_string() && client["licenseKey"].is_string());
    let same = json!({ "region": "us", "licenseNumber": client["licenseNumber"] });
    assert_eq!(post("/_sim/clients", same).await.status, StatusCode::CONFLICT);
    // a tenant of the other subscription, by the portal
    let foreign =
        json!({ "region": "us", "licenseNumber": client["licenseNumber"], "alias": "foreign.us.qlikcloud.com" });
    let foreign = post("/_sim/portal/tenants", foreign).await.body;
    assert_eq!(foreign["licenseNumber"], client["licenseNumber"]);
    assert_eq!(foreign["hostnames"][1], "foreign.us.qlikcloud.com");
    assert_ne!(tenant["licenseNumber"], client["licenseNumber"]);
    let lost = json!({ "region": "us", "licenseNumber": "0" });
    assert_eq!(post("/_sim/portal/tenants", lost).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_plain_listener_routes_by_host_header() {
    let config = Config { listen_plain: Some("127.0.0.1:0".to_owned()), listen: None, ..Config::default() };
    let sim = Sim::start(config).unwrap();
    assert_eq!((sim.tls(), sim.ca_file()), (None, None));
    let url = format!("http://{}/.well-known/oauth-authorization-server", sim.plain().unwrap());
    let known = Client::new().get(&url).header("host", REGISTER).send().await.unwrap();
    assert_eq!(known.json::<Value>().await.unwrap()["issuer"], format!("https://{REGISTER}"));
    let unknown = read(Client::new().get(&url).send().await.unwrap()).await;
    assert_eq!(unknown.error(), (404, "TENANTS-8"));
}

#[tokio::test]
async fn methods_and_sizes_have_their_envelopes() {
    let cloud = Cloud::start();
    let wrong = Cloud::answer(cloud.request(Method::PUT, REGISTER, "/api/v1/tenants")).await;
    assert_eq!(wrong.error(), (405, "HTTP-405"));
    assert_eq!(wrong.headers["allow"], "POST");
    let large = cloud.request(Method::POST, REGISTER, "/oauth/token").body(vec![b' '; (1 << 20) + 1]);
    assert_eq!(Cloud::answer(large).await.error(), (413, "HTTP-413"));
}

#[tokio::test]
async fn a_seed_repeats_every_identifier_and_dropping_closes_the_listeners() {
    let start = || Sim::start(Config { seed: Some(7), ..Config::default() }).unwrap();
    let (one, two) = (start(), start());
    assert_eq!(one.ready().license_key, two.ready().license_key);
    assert_eq!(one.ready().regional, two.ready().regional);
    let address = one.tls().unwrap();
    let taken = Sim::start(Config { listen: Some(address.to_string()), ..Config::default() });
    assert!(matches!(taken, Err(StartError::Io(_))));
    drop(one);
    assert!(std::net::TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err());
}

#[test]
fn the_program_prints_one_line_and_ends_with_its_input() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_qlik-sim"))
        .args(["--listen", "127.0.0.1:0", "--exit-with-stdin", "--tls-dir"])
        .arg(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let ready: Ready = serde_json::from_str(&line).unwrap();
    let raw: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&raw["plain"], &raw["admin"]), (&Value::Null, &Value::Null));
    assert_eq!(ready.ca_file.unwrap(), dir.path().join("ca.pem"));
    assert!(ready.regional.contains_key("us") && ready.regional.len() == 13);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn the_programs_help_lists_the_options_and_it_refuses_what_is_none() {
    let run = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_qlik-sim")).args(arguments).output().unwrap();
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    assert!(
        ["\"lateList\": null", "\"omit\": []", "  tenants.hostnames\n"].iter().all(|part| help.contains(part)),
        "{help}"
    );
    let refused = run(&["--options", r#"{"omit":["nothing.at.all"]}"#]);
    let why = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && why.contains("nothing.at.all") && why.contains("tenants.hostnames"), "{why}");
}

#[tokio::test]
async fn people_act_by_hand_and_test_logins_over_the_admin_listener() {
    let cloud = Cloud::start();
    let (id, _) = cloud.tenant().await;
    let portal = format!("/_sim/portal/tenants/{id}");
    let body = json!({ "protocol": "OIDC", "provider": "generic", "interactive": true, "pendingOptions": {
        "clientId": "app", "clientSecret": "s", "discoveryUrl": "https://idp.example.com", "claimsMapping": {} } });
    let by_hand = format!("{portal}/by-hand");
    let act = |method: &str, path: &str, body: Value| {
        let wanted = json!({ "method": method, "path": path, "body": body });
        admin(&cloud, Method::POST, &by_hand, Some(wanted))
    };
    let made = act("POST", "/api/v1/identity-providers", body).await.body;
    assert_eq!(made["status"], 201, "{made}");
    let provider = made["body"]["id"].as_str().unwrap();
    for (provider, status) in [(provider, 200), ("nobody", 404)] {
        let path = format!("{portal}/identity-providers/{provider}/test");
        let tested = admin(&cloud, Method::POST, &path, Some(json!({ "status": "success" }))).await;
        assert_eq!(tested.status, status);
    }
    let path = format!("/api/v1/identity-providers/{provider}");
    assert_eq!(act("GET", &path, Value::Null).await.body["body"]["pendingState"], "verified");
    assert_eq!(act("GET", "/api/v1/none", Value::Null).await.body["status"], 404);
}
