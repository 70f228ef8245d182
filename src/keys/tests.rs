//! Keys as people hand them in and as they are made here, against an independent implementation of JWT.

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use rcgen::{CertificateParams, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::*;

const ALL: [(Algorithm, jsonwebtoken::Algorithm); 3] = [
    (Algorithm::Rs256, jsonwebtoken::Algorithm::RS256),
    (Algorithm::Rs512, jsonwebtoken::Algorithm::RS512),
    (Algorithm::Es384, jsonwebtoken::Algorithm::ES384),
];

/// A PEM as people have it: with line breaks.
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(LINE).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

fn der_of(key: &PublicKey) -> &[u8] {
    &key.der
}

/// An RSA key of this modulus and exponent.
fn rsa_key(n: &[u8], e: &[u8]) -> String {
    let parts = [UintRef::new(n).unwrap(), UintRef::new(e).unwrap()];
    let key = parts.to_vec().to_der().unwrap();
    let algorithm = x509_cert::spki::AlgorithmIdentifierOwned { oid: RSA, parameters: Some(der::asn1::Null.into()) };
    let info = PublicKeyInfo { algorithm, subject_public_key: der::asn1::BitString::from_bytes(&key).unwrap() };
    pem("PUBLIC KEY", &info.to_der().unwrap())
}

#[test]
fn what_a_made_pair_signs_its_public_forms_verify() {
    for (algorithm, theirs) in ALL {
        let pair = generate(algorithm).unwrap();
        assert!(!format!("{pair:?}").contains("PRIVATE"));
        let private = pair.private_pem.expose();
        assert!(private.lines().all(|line| line.len() <= LINE) && private.ends_with("-----\n"), "{algorithm:?}");
        let bytes = private.as_bytes();
        let signer = match algorithm {
            Algorithm::Es384 => EncodingKey::from_ec_pem(bytes).unwrap(),
            Algorithm::Rs256 | Algorithm::Rs512 => EncodingKey::from_rsa_pem(bytes).unwrap(),
        };
        let token = encode(&Header::new(theirs), &json!({ "sub": "me" }), &signer).unwrap();
        let jwk = pair.public.jwk(&pair.public.thumbprint(), algorithm).unwrap();
        assert_eq!((jwk.alg.as_str(), jwk.usage.as_str(), jwk.kid.len()), (algorithm.name(), "sig", 43));
        let public = pem("PUBLIC KEY", der_of(&pair.public));
        let by_pem = match algorithm {
            Algorithm::Es384 => DecodingKey::from_ec_pem(public.as_bytes()).unwrap(),
            Algorithm::Rs256 | Algorithm::Rs512 => DecodingKey::from_rsa_pem(public.as_bytes()).unwrap(),
        };
        let by_jwk = DecodingKey::from_jwk(&serde_json::from_value(json!(jwk)).unwrap()).unwrap();
        let mut rules = Validation::new(theirs);
        rules.required_spec_claims.clear();
        for verifier in [by_pem, by_jwk] {
            assert_eq!(decode::<Value>(&token, &verifier, &rules).unwrap().claims["sub"], "me", "{algorithm:?}");
        }
        assert_eq!(PublicKey::parse(private), Err(Problem::PrivateKey));
    }
}

#[test]
fn no_two_pairs_are_the_same_and_each_fits_its_algorithm_alone() {
    let (one, two) = (generate(Algorithm::Es384).unwrap().public, generate(Algorithm::Es384).unwrap().public);
    assert!(one != two && one.thumbprint() != two.thumbprint());
    assert!(one.fits(Algorithm::Es384) && !one.fits(Algorithm::Rs256) && !one.fits(Algorithm::Rs512));
    assert_eq!(one.jwk("k", Algorithm::Rs512), Err(Problem::OtherAlgorithm));
}

#[test]
fn every_layout_is_the_same_key() {
    let made = generate(Algorithm::Es384).unwrap().public;
    let line = made.one_line_pem();
    assert!(line.starts_with("-----BEGIN PUBLIC KEY-----MH") && line.ends_with("-----END PUBLIC KEY-----"));
    assert!(!line.contains(['\r', '\n']) && line.trim() == line);
    let lines = pem("PUBLIC KEY", der_of(&made));
    for text in [
        line.clone(),
        lines.clone(),
        lines.replace('\n', "\r\n"),
        format!("\n\t {lines} \n"),
        lines.replace('\n', " "),
        format!("\u{feff}{lines}"),
        lines.replace('\n', " \t\n"),
    ] {
        let key = PublicKey::parse(&text).unwrap();
        assert_eq!((&key, key.one_line_pem()), (&made, line.clone()), "{text}");
    }
}

#[test]
fn a_certificate_stands_for_its_key() {
    for kind in [&PKCS_ECDSA_P384_SHA384, &PKCS_RSA_SHA256] {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let certificate = CertificateParams::new(vec!["idp.example.com".to_owned()]).unwrap().self_signed(&pair);
        let key = PublicKey::parse(&certificate.unwrap().pem()).unwrap();
        assert_eq!(Ok(key), PublicKey::parse(&pair.public_key_pem()));
    }
    // Version 1, as old tools make it when they sign without extensions.
    assert_eq!(PublicKey::parse(VERSION_1).unwrap().numbers, PublicKey::parse(VERSION_1_KEY).unwrap().numbers);
}

#[test]
fn what_cannot_be_used_says_why() {
    let other = |kind| rcgen::KeyPair::generate_for(kind).unwrap().public_key_pem();
    let made = generate(Algorithm::Es384).unwrap().public;
    let good = pem("PUBLIC KEY", der_of(&made));
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut der = der_of(&made).to_vec();
        change(&mut der);
        pem("PUBLIC KEY", &der)
    };
    let odd = |bytes: usize| [vec![0xff; bytes]].concat();
    let rows = [
        (String::new(), Problem::NotPem),
        ("canary".to_owned(), Problem::NotPem),
        (format!("{good}{good}"), Problem::NotPem),
        (format!("subject=canary\n{good}"), Problem::NotPem),
        (good.replace("-----END PUBLIC", "-----END PRIVATE").replace("END PRIVATE KEY", "END"), Problem::NotPem),
        ("-----BEGIN RSA PRIVATE KEY-----\ncanary".to_owned(), Problem::PrivateKey),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\\ncanary".to_owned(), Problem::PrivateKey),
        (good.replace('\n', "\\n"), Problem::EscapedNewlines),
        (pem("RSA PUBLIC KEY", b"x"), Problem::OtherBlock),
        (pem("CERTIFICATE REQUEST", b"x"), Problem::OtherBlock),
        (STANDARD.encode(&good), Problem::EncodedTwice),
        (other(&PKCS_ECDSA_P256_SHA256), Problem::UnsupportedKind),
        (other(&PKCS_ED25519), Problem::UnsupportedKind),
        (good.replacen("MH", "M=", 1), Problem::Broken),
        (pem("PUBLIC KEY", b""), Problem::Broken),
        (pem("CERTIFICATE", der_of(&made)), Problem::Broken),
        (with(&|der| der.truncate(der.len() - 1)), Problem::Broken),
        (with(&|der| der.push(0)), Problem::Broken),
        (with(&|der| *der.last_mut().unwrap() ^= 1), Problem::Broken),
        (rsa_key(&odd(128), &[1, 0, 1]), Problem::TooWeak { bits: 1024 }),
        (rsa_key(&[&[0x7f], odd(255).as_slice()].concat(), &[1, 0, 1]), Problem::TooWeak { bits: 2047 }),
        (rsa_key(&odd(1025), &[1, 0, 1]), Problem::UnsupportedKind),
        (rsa_key(&[odd(255).as_slice(), &[0xfe]].concat(), &[1, 0, 1]), Problem::Broken),
    ];
    for (text, problem) in rows {
        assert_eq!(PublicKey::parse(&text), Err(problem), "{text}");
        assert!(!problem.to_string().contains("canary"));
    }
}

/// The example of RFC 7638, section 3.1.
#[test]
fn thumbprints_are_those_of_the_standard() {
    let n = URL_SAFE_NO_PAD.decode(RFC_7638_N).unwrap();
    let key = PublicKey::parse(&rsa_key(&n, &[1, 0, 1])).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let jwk = key.jwk("2011-04-29", Algorithm::Rs256).unwrap();
    assert_eq!((jwk.n.as_deref(), jwk.e.as_deref()), (Some(RFC_7638_N), Some("AQAB")));
}

const RFC_7638_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

const VERSION_1: &str = "-----BEGIN CERTIFICATE-----MIIBVjCB3AIUPqq2pVCBMC6B+dAr1jL2U1gkXsAwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDb2xkMCAXDTI2MTEyNDEwMTYxOVoYDzIxMjYxMDMxMTAxNjE5WjAOMQwwCgYDVQQDDANvbGQwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQgjL1j0M7XpLDJ/frXgjpZTd+WopVUR9b5r2Nyay1u1J5aIh+9qpZVD0bWOAwsO9EkgYHPfW5oLYJG2t0F/3SSci+BtpJt5H/God41TmUsLC18yHgmtaZ6CxqZb9JIP3UwCgYIKoZIzj0EAwIDaQAwZgIxAK4yas9Xz4Jtz+0YlEHMdqJtTX67aKmTtJ396MUpEZs26o2ZtuwzrxQtrPBIj+WW6gIxAMuXabqZk9DMEnRnGrgcIPMEK2ONBcktRw/YHh8l/3LGuN4dKDxTBBHwnbs5nhE7/Q==-----END CERTIFICATE-----";
const VERSION_1_KEY: &str = "-----BEGIN PUBLIC KEY-----MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEIIy9Y9DO16Swyf3614I6WU3flqKVVEfW+a9jcmstbtSeWiIfvaqWVQ9G1jgMLDvRJIGBz31uaC2CRtrdBf90knIvgbaSbeR/xqHeNU5lLCwtfMh4JrWmegsamW/SSD91-----END PUBLIC KEY-----";
