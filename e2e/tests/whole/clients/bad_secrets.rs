//! Public keys as people hand them in: the wrong ones are told apart by Secret and key, and nothing of them is shown.

use super::support::{all_in_qlik, onboard};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::canary::{Canary, dump};
use e2e::stage::{Inside, Operator, Setup, Stage, client_manifest};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use qlik_operator::crd::QlikOAuthClient;
use rcgen::{
    CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// A key that was once common; nobody signs with it.
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7JM5zkv+ukzhcCYJ+sE7UkxPW
JfakTmlgQM653SAJ1pfPjGE97exhdkHhHCmq7hd9ExzQXE+LK3/7dKz5zBNKIoW6
ALaHklP+Cv4pD4HPuQFm+qqbYrRZndc85sapgKfHSDSaCwYQT2xgQTg8Rgs0Perd
rxNNDEfUOeYn6n7wCQIDAQAB
-----END PUBLIC KEY-----
";
/// The form of `openssl rsa -RSAPublicKey_out`.
const PKCS1: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAl4Eskww90APou8bSzViV3CmyDPUjR9sgPVgxLU7ri5bb+jXdBvAf
j5aF0i14eFjmCz3fBvwmxXzzOLrMiiXVl/8kpMTxPcLh0yDUHbB/35ebvV/Ry65g
+Xdp/do3IVRlUOwTwK9cji/wqxE0PL1hf4n07nIXtkfFZMIOoT9CSQxs6p8F4iMw
7QhoQNLiNEclzMbNLtaC/D68/MI+rcj1++2WNsl95aldZo8LL+4bP6Lm1wn0Df1L
ysGv4H1Hm4Z4kH+wRScIWLbwXQNapE8AWtnQtMwg8BIutjuHTiBmestLJ5K0f9aW
PFREUkXzxD1BKdL+/a7ny2Y3d5AqlvZ9dQIDAQAB
-----END RSA PUBLIC KEY-----
";

/// A Secret and what is said of it.
struct Bad {
    name: &'static str,
    /// What stands under `publicKey`; `None` for a Secret that has something else only.
    value: Option<Vec<u8>>,
    reason: &'static str,
    says: &'static str,
}

fn bad(name: &'static str, value: impl Into<Vec<u8>>, says: &'static str) -> Bad {
    Bad { name, value: Some(value.into()), reason: "SecretInvalid", says }
}

fn public(kind: &'static rcgen::SignatureAlgorithm) -> String {
    KeyPair::generate_for(kind).unwrap().public_key_pem()
}

fn wrong(canary: &str) -> Vec<Bad> {
    let good = public(&PKCS_ECDSA_P384_SHA384);
    let utf16: Vec<u8> = format!("{canary}{good}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let private = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap().serialize_pem();
    let half = good.lines().take(2).collect::<Vec<_>>().join("\n") + "\n-----END PUBLIC KEY-----\n";
    vec![
        Bad { name: "missing-key", value: None, reason: "SecretMissing", says: "is not there: add it" },
        bad("empty", "", "is empty: write the value there"),
        bad("blank", " \n\t\n", "is empty: write the value there"),
        bad("binary", [b"\xff\xfe".as_slice(), &utf16].concat(), "is not text (UTF-8)"),
        bad("words", format!("the key is {canary}"), "this is not a PEM: give exactly one block"),
        bad("escaped", format!("{canary}{good}").replace('\n', "\\n"), "two characters \\n instead of line breaks"),
        bad("private", private, "this is a private key: give the public key only, and replace this key"),
        bad(
            "p256",
            public(&PKCS_ECDSA_P256_SHA256),
            "cannot be used: give an RSA key of 2048 to 8192 bits or an EC key",
        ),
        bad("ed25519", public(&PKCS_ED25519), "cannot be used: give an RSA key of 2048 to 8192 bits or an EC key"),
        bad("rsa-1024", RSA_1024, "the RSA key has 1024 bits: use one of at least 2048"),
        bad("pkcs1", PKCS1, "openssl rsa -RSAPublicKey_in -pubout makes one of an RSA PUBLIC KEY"),
        bad("encoded-twice", STANDARD.encode(&good), "base64 of a PEM, encoded once too often"),
        bad("two", format!("{good}{good}"), "this is not a PEM: give exactly one block"),
        bad("half", half, "the key inside the PEM is damaged: copy it anew"),
        // As much as a Secret can hold.
        bad("huge", canary.repeat((1 << 20) / canary.len()), "is longer than 65536 bytes"),
        bad("large", canary.repeat((1 << 16) / canary.len()), "this is not a PEM: give exactly one block"),
    ]
}

/// What of a value would give it away: the beginnings of its long words.
fn marks(value: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(value);
    let long = text.split(|c: char| c.is_whitespace() || c == '-' || c == '\\').filter(|word| word.len() >= 40);
    long.map(|word| word[..24].to_owned()).collect()
}

async fn put(stage: &Stage, name: &str, (key, value): (&str, Vec<u8>)) {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    let data = BTreeMap::from([(key.to_owned(), ByteString(value))]);
    let secret = Secret { metadata, data: Some(data), ..Secret::default() };
    Api::<Secret>::namespaced(stage.admin(), stage.ns()).create(&PostParams::default(), &secret).await.unwrap();
}

async fn ask(stage: &Stage, name: &str) {
    let spec = format!(
        "appType: web\ngrantTypes: [client_credentials]\nconsent: Trusted\nauth: {{privateKeyJwt: {{publicKeyRef: {{name: \
         key-{name}}}}}}}"
    );
    stage.apply(&client_manifest(name, "acme", &spec)).await.unwrap();
}

/// A stage whose operator logs all it can.
async fn talkative() -> (Stage, Operator) {
    let mut setup = Setup::new("keys");
    "trace".clone_into(&mut setup.log);
    let stage = Stage::new(setup).await.unwrap();
    let operator = stage.operator().await.unwrap();
    onboard(&stage).await;
    (stage, operator)
}

#[tokio::test]
async fn a_wrong_key_is_named_and_never_shown_and_its_mending_is_noticed() {
    let (stage, operator) = talkative().await;
    let word = e2e::canary::word();
    let rows = wrong(&word);
    for Bad { name, value, .. } in &rows {
        let entry = value.clone().map_or(("public-key", word.clone().into_bytes()), |value| ("publicKey", value));
        put(&stage, &format!("key-{name}"), entry).await;
        ask(&stage, name).await;
    }
    ask(&stage, "nowhere").await;
    for Bad { name, reason, says, .. } in &rows {
        let is = |c: &QlikOAuthClient| !c.is_ready() && c.reason() == *reason;
        let said = stage.until_client(name, &format!("says {reason}"), is).await.unwrap().message();
        assert!(said.contains(&format!("Secret key-{name}: key publicKey")) && said.contains(says), "{name}: {said}");
        assert!(said.len() < 400, "{name}: {said}");
    }
    let missing = stage.until_client("nowhere", "misses it", |c| c.reason() == "SecretMissing").await.unwrap();
    assert!(
        missing.message().contains("Secret key-nowhere does not exist in this namespace: create it"),
        "{missing:?}"
    );
    assert!(all_in_qlik(&stage).is_empty(), "something was made with a key that cannot be used");

    let values = rows.iter().filter_map(|row| row.value.as_deref());
    let canary = Canary::new(values.flat_map(marks).chain([word]));
    let (objects, log) = (dump(&stage).await.unwrap(), operator.log().unwrap());
    let (leaks, lines) = (canary.leaks(&objects), canary.seen_in(&log));
    assert!(leaks.is_empty() && lines.is_empty(), "{}\n{}", leaks.join("\n"), lines.join("\n"));
    assert!(canary.carriers(&objects).len() > 9 && log.contains("\"TRACE\""));

    // Mended; nobody asks for a look.
    let good = public(&PKCS_RSA_SHA256);
    put(&stage, "key-nowhere", ("publicKey", good.clone().into_bytes())).await;
    for Bad { name, .. } in &rows {
        stage.patch_secret(&format!("key-{name}"), json!({ "stringData": { "publicKey": good } })).await.unwrap();
    }
    stage.turn(Duration::from_mins(13)).unwrap();
    for name in rows.iter().map(|row| row.name).chain(["nowhere"]) {
        stage.until_client(name, "is ready", Inside::is_ready).await.unwrap();
    }
    assert_eq!(all_in_qlik(&stage).len(), rows.len() + 1);
}

#[tokio::test]
async fn a_right_key_works_in_whatever_form_it_comes() {
    let (stage, _operator) = talkative().await;
    let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let (pem, params) = (pair.public_key_pem(), CertificateParams::new(vec!["app.example.com".to_owned()]).unwrap());
    let forms = [
        ("windows", pem.replace('\n', "\r\n")),
        ("blanks", pem.replace('\n', "  \r\n\t")),
        ("one-line", pem.replace('\n', "")),
        ("byte-order-mark", format!("\u{feff}{pem}")),
        ("certificate", params.self_signed(&pair).unwrap().pem()),
    ];
    for (name, value) in &forms {
        put(&stage, &format!("key-{name}"), ("publicKey", value.clone().into_bytes())).await;
        ask(&stage, name).await;
    }
    for (name, _) in &forms {
        stage.until_client(name, "is ready", Inside::is_ready).await.unwrap();
    }
    let all = all_in_qlik(&stage);
    assert_eq!(all.len(), forms.len());
    assert!(all.iter().all(|client| client["publicKeys"] == all[0]["publicKeys"]), "{all:?}");
}
