//! An alias that is somebody's is found out before a tenant is paid for: in none of these cases anything is created.

use super::creation::{put_in, second_namespace, until_in};
use super::support::*;
use e2e::sim::{ClientRequest, Options, PortalTenant, Tenant, UnknownHost};
use e2e::stage::{Setup, Stage, is_ready, is_stalled, manifest};
use serde_json::{Value, json};
use std::time::Duration;

/// A tenant with the alias, made in the portal; with a license of its own if it is somebody else's.
fn made(stage: &Stage, license_number: Option<String>) -> Tenant {
    let wanted = PortalTenant { region: "us".to_owned(), license_number, name: None, alias: Some(host("acme")) };
    stage.sim.create_tenant(wanted).unwrap()
}

/// The block that a message shows, as somebody pastes it.
fn pasted(said: &str) -> Value {
    let from = said.find("spec.adopt to {").unwrap() + "spec.adopt to ".len();
    let to = from + said[from..].find('}').unwrap() + 1;
    serde_saphyr::from_str(&said[from..to]).unwrap()
}

/// Still refused after a restart and a while, and nothing was called that could create.
async fn nothing_created(stage: &Stage, name: &str) {
    stage.turn(TAKE_OVER).unwrap();
    let object = pass(stage, name).await;
    assert!(!is_ready(&object) && id_of(&object).is_empty(), "{}", said(&object));
    assert_eq!(creations(stage), 0);
}

#[tokio::test]
async fn a_tenant_of_the_same_credentials_is_offered() {
    let (stage, operator) = stage("alias-ours").await;
    let there = made(&stage, None);
    stage.put(&manifest("acme", "alias: acme")).await.unwrap();
    let acme = told(&stage, "acme", "AliasInUse", &[&there.id]).await;
    assert!(is_stalled(&acme, "AliasInUse"));
    nothing_created(&stage, "acme").await;
    let operator = restarted(&stage, operator).await;
    nothing_created(&stage, "acme").await;
    stage.patch("acme", json!({ "spec": { "adopt": pasted(said(&acme)) } })).await.unwrap();
    assert_eq!(id_of(&in_use(&stage, "acme").await), there.id);
    // Said in the manifest, it is taken over; and only by one object.
    stage.delete("acme").await.unwrap();
    stage.until_gone("acme").await.unwrap();
    for name in ["first", "second"] {
        stage.put(&manifest(name, "alias: acme\nonExisting: Adopt")).await.unwrap();
    }
    let one = async || {
        let both = [stage.tenants().get("first").await?, stage.tenants().get("second").await?];
        let (ready, refused) = (
            both.iter().find(|t| is_ready(t)),
            both.iter().find(|t| reason(t) == "AliasInUse" || reason(t) == "Conflict"),
        );
        Ok(ready.zip(refused).map(|(ready, _)| id_of(ready)))
    };
    assert_eq!(stage.until_some("one of them has it", one).await.unwrap(), there.id);
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (0, 1));
    drop(operator);
}

/// The operator's own credentials are not everybody's: an alias alone gets hold of nothing.
#[tokio::test]
async fn with_the_operators_own_credentials_only_where_a_setting_says_so() {
    let stage = Stage::new(Setup::new("alias-default")).await.unwrap();
    let there = made(&stage, None);
    let us = format!("us={}", stage.directory().join("us").display());
    let default = ["--regional-credentials", &us, "--regional-namespaces", "us=*"];
    let operator = stage.operator_with(stage.identity.kubeconfig(), &default).await.unwrap();
    let file = manifest("acme", "alias: acme\nonExisting: Adopt");
    let file = file.replace("  credentialsRef: {name: qlik-credentials}\n", "");
    stage.put(&file).await.unwrap();
    told(&stage, "acme", "AliasInUse", &[&there.id]).await;
    nothing_created(&stage, "acme").await;
    end(operator).await;
    let args = [&default[..], &["--adoption-namespaces", stage.ns()]].concat();
    let _operator = stage.operator_with(stage.identity.kubeconfig(), &args).await.unwrap();
    annotate(&stage, "acme", "requested-at", Some("allowed")).await;
    assert_eq!(id_of(&in_use(&stage, "acme").await), there.id);
    assert_eq!(creations(&stage), 0);
}

#[tokio::test]
async fn somebody_elses_tenant_and_one_that_is_off() {
    for off in [false, true] {
        let (stage, _operator) = stage("alias-foreign").await;
        let theirs = stage.sim.add_client(ClientRequest { region: "us".to_owned(), license_number: None }).unwrap();
        let there = made(&stage, (!off).then_some(theirs.license_number));
        if off {
            stage.sim.deactivate(&there.id, 30).unwrap();
        }
        for adopt in ["", "onExisting: Adopt"] {
            stage.put(&manifest("acme", &format!("alias: acme\n{adopt}"))).await.unwrap();
            told(&stage, "acme", "AliasInUse", &["nothing is created"]).await;
            nothing_created(&stage, "acme").await;
        }
        assert_eq!(stage.called("POST", "/actions/reactivate"), 0);
    }
}

/// An answer that is not understood holds; once the host says that nobody has the name, it is free.
#[tokio::test]
async fn a_host_that_does_not_say_so_holds() {
    for unknown_host in [UnknownHost::Drop, UnknownHost::BareNotFound] {
        let (stage, _operator) = stage("alias-silent").await;
        stage.sim.set_options(Options { unknown_host, ..Options::default() }).unwrap();
        stage.put(&manifest("acme", "alias: acme")).await.unwrap();
        let held = stage.until("acme", "is held", |t| reason(t) == "QlikUnavailable").await;
        if unknown_host == UnknownHost::Drop {
            assert!(said(&held.unwrap()).contains("acme.us.qlikcloud.com"));
            nothing_created(&stage, "acme").await;
            stage.sim.set_options(Options::default()).unwrap();
            stage.turn(Duration::from_mins(2)).unwrap();
        }
        in_use(&stage, "acme").await;
        assert_eq!(creations(&stage), 1);
    }
}

/// D3: another object has it, in this namespace or in another.
#[tokio::test]
async fn another_object_has_it() {
    let stage = Stage::new(Setup::new("alias-object")).await.unwrap();
    let other = second_namespace(&stage, "alias-object-b").await;
    let _operator = stage.operator_with(stage.identity.kubeconfig(), &["--namespaces", other.name()]).await.unwrap();
    onboard(&stage, "acme", "alias: acme").await;
    stage.put(&manifest("copy", "alias: acme")).await.unwrap();
    told(&stage, "copy", "AliasInUse", &[&format!("{}/acme", stage.ns()), "choose another spec.alias"]).await;
    let others = put_in(&stage, other.name(), &manifest("copy", "alias: acme")).await;
    let copy = until_in(&stage, &others, "copy", |t| is_stalled(t, "AliasInUse")).await;
    assert!(said(&copy).contains(&format!("{}/acme", stage.ns())), "{}", said(&copy));
    stage.turn(TAKE_OVER).unwrap();
    pass(&stage, "copy").await;
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (1, 1));
}

/// Two objects ask for it at the same time, or while the other one's tenant is being made: one is made.
#[tokio::test]
async fn two_objects_ask_at_the_same_time() {
    let (stage, _operator) = stage("alias-two").await;
    stage.sim.set_options(Options { create_delay_ms: 1_000, ..Options::default() }).unwrap();
    let pairs = 6;
    for n in 0..pairs {
        let [first, second] = ["a", "b"].map(|side| manifest(&format!("{side}{n}"), &format!("alias: same{n}")));
        if n % 2 == 0 {
            tokio::try_join!(stage.put(&first), stage.put(&second)).unwrap();
        } else {
            stage.put(&first).await.unwrap();
            stage.until_some("its call", async || Ok((stage.sim.tenants().len() > n).then_some(()))).await.unwrap();
            stage.put(&second).await.unwrap();
        }
    }
    for n in 0..pairs {
        let settled = async || {
            let both = [stage.tenants().get(&format!("a{n}")).await?, stage.tenants().get(&format!("b{n}")).await?];
            let ends =
                both.iter().filter(|t| is_ready(t) || ["AliasInUse", "QlikRefused"].contains(&reason(t))).count();
            Ok((ends == 2).then(|| both.iter().filter(|t| is_ready(t)).count()))
        };
        assert_eq!(stage.until_some(&format!("pair {n} is settled"), settled).await.unwrap(), 1);
    }
    assert_eq!((creations(&stage), stage.sim.tenants().len()), (pairs, pairs));
}
