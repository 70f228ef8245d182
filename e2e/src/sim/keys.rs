//! Public keys that others hand in: parsed for real, and used to verify what others sign.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::check::Fields;
use super::refusal::Refusal;

/// The smallest RSA key Qlik takes.
const RSA_BITS: usize = 2048;

/// A key and the algorithms that may be used with it.
pub(crate) struct PublicKey {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
}

impl PublicKey {
    /// A certificate or public key in PEM on one line, as Qlik demands it.
    pub(crate) fn from_pem(line: &str) -> Result<Self, &'static str> {
        let pem = unfold(line)?;
        if let Ok(key) = DecodingKey::from_ec_pem(pem.as_bytes()) {
            // an uncompressed point: one byte of form and two coordinates
            let algorithm = match key.try_get_as_bytes().map(<[u8]>::len) {
                Ok(65) => Algorithm::ES256,
                Ok(97) => Algorithm::ES384,
                Ok(_) | Err(_) => return Err("this curve is not supported"),
            };
            return Ok(Self { key, algorithms: vec![algorithm] });
        }
        let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| "this is no public key or certificate")?;
        let bits = key.try_get_as_bytes().ok().and_then(modulus).map(bits);
        match bits {
            Some(RSA_BITS..) => {
                Ok(Self { key, algorithms: vec![Algorithm::RS256, Algorithm::RS384, Algorithm::RS512] })
            }
            Some(_) => Err("an RSA key has at least 2048 bits"),
            None => Err("this is no public key or certificate"),
        }
    }

    /// A JWK of an OAuth client: RS256 and RS512 with 2048 bits or more, or ES384.
    pub(crate) fn from_jwk(jwk: &Fields<'_>) -> Result<Self, Refusal> {
        let field = |name: &str| -> Result<(&str, Vec<u8>), Refusal> {
            let text = jwk.required(name, usize::MAX)?;
            let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| jwk.refuse(name, "base64url is expected"))?;
            Ok((text, bytes))
        };
        jwk.required("kid", usize::MAX)?;
        if jwk.required("use", usize::MAX)? != "sig" {
            return Err(jwk.refuse("use", "the only use is sig"));
        }
        if let Some(private) = ["d", "p", "q", "dp", "dq", "qi", "k"].into_iter().find(|name| jwk.has(name)) {
            return Err(jwk.refuse(private, "a private key must not be handed in"));
        }
        let (kty, alg) = (jwk.required("kty", usize::MAX)?, jwk.required("alg", usize::MAX)?);
        let (key, algorithm) = match (kty, alg) {
            ("RSA", "RS256" | "RS512") => {
                let ((n, modulus), (e, _)) = (field("n")?, field("e")?);
                if bits(&modulus) < RSA_BITS {
                    return Err(jwk.refuse("n", "an RSA key has at least 2048 bits"));
                }
                let algorithm = if alg == "RS256" { Algorithm::RS256 } else { Algorithm::RS512 };
                (DecodingKey::from_rsa_components(n, e), algorithm)
            }
            ("EC", "ES384") => {
                let ((x, across), (y, up)) = (field("x")?, field("y")?);
                if jwk.required("crv", usize::MAX)? != "P-384" || across.len() != 48 || up.len() != 48 {
                    return Err(jwk.refuse("crv", "ES384 needs a point on P-384"));
                }
                (DecodingKey::from_ec_components(x, y), Algorithm::ES384)
            }
            _ => return Err(jwk.refuse("alg", "RSA with RS256 or RS512, or EC with ES384 is expected")),
        };
        let key = key.map_err(|_| jwk.refuse("kty", "this is no public key"))?;
        Ok(Self { key, algorithms: vec![algorithm] })
    }

    /// The claims of a token that this key signed. Times are the caller's to check: they need the virtual clock.
    pub(crate) fn open(&self, token: &str) -> Option<Map<String, Value>> {
        let algorithm = decode_header(token).ok()?.alg;
        if !self.algorithms.contains(&algorithm) {
            return None;
        }
        let mut rules = Validation::new(algorithm);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        decode(token, &self.key, &rules).ok().map(|token| token.claims)
    }
}

/// Gives a PEM on one line the line breaks that parsers want.
fn unfold(line: &str) -> Result<String, &'static str> {
    if line.contains(['\r', '\n']) {
        return Err("the PEM must stand on one line, without CR or LF");
    }
    if line.trim() != line {
        return Err("the PEM must not begin or end with spaces");
    }
    let bad = "the PEM needs its BEGIN and END marks";
    let rest = line.strip_prefix("-----BEGIN ").ok_or(bad)?;
    let (label, rest) = rest.split_once("-----").ok_or(bad)?;
    let content = rest.strip_suffix(&format!("-----END {label}-----")).ok_or(bad)?;
    if STANDARD.decode(content).is_err() {
        return Err("the PEM's content is not base64");
    }
    Ok(format!("-----BEGIN {label}-----\n{content}\n-----END {label}-----\n"))
}

/// The modulus of an RSA public key in DER: the first integer of the sequence.
fn modulus(der: &[u8]) -> Option<&[u8]> {
    let (sequence, _) = element(der, 0x30)?;
    element(sequence, 0x02).map(|(modulus, _)| modulus)
}

/// Content and rest of a DER element with this tag.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&have, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f).min(4))?;
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    (have == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// How many bits a big-endian number has.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0).collect::<Vec<_>>();
    significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData};
    use serde_json::json;

    use super::*;

    fn line(pair: &KeyPair) -> String {
        pair.public_key_pem().lines().collect()
    }

    #[test]
    fn keys_on_one_line_verify_what_their_pair_signed() {
        let (ec, rsa) =
            (KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap());
        let signers = [
            (Algorithm::ES384, EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes()).unwrap(), &ec),
            (Algorithm::RS256, EncodingKey::from_rsa_pem(rsa.serialize_pem().as_bytes()).unwrap(), &rsa),
        ];
        for (algorithm, signer, pair) in signers {
            let token = encode(&Header::new(algorithm), &json!({ "sub": "me" }), &signer).unwrap();
            let key = PublicKey::from_pem(&line(pair)).unwrap();
            assert_eq!(key.open(&token).unwrap()["sub"], "me");
            let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
            assert!(PublicKey::from_pem(&line(&other)).unwrap().open(&token).is_none());
        }
    }

    #[test]
    fn an_rsa_jwk_is_good_for_its_own_algorithm_alone() {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let n = URL_SAFE_NO_PAD.encode(modulus(pair.der_bytes()).unwrap().strip_prefix(&[0]).unwrap());
        let signer = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        let jwk = json!({ "kty": "RSA", "alg": "RS512", "use": "sig", "kid": "k", "e": "AQAB", "n": n });
        let key = PublicKey::from_jwk(&Fields::of(&jwk, "").unwrap()).unwrap();
        let sign = |algorithm| encode(&Header::new(algorithm), &json!({ "sub": "me" }), &signer).unwrap();
        assert!(key.open(&sign(Algorithm::RS512)).is_some() && key.open(&sign(Algorithm::RS256)).is_none());
    }

    #[test]
    fn pems_that_are_none_are_refused() {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let good = line(&pair);
        for bad in [
            pair.public_key_pem(),
            format!("{good} "),
            format!(" {good}"),
            good.replace("-----END", "----END"),
            good.replacen("-----M", "-----AAAA", 1),
            "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----".to_owned(),
            "none".to_owned(),
        ] {
            assert!(PublicKey::from_pem(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_is_taken_for_its_key() {
        let certificate = rcgen::generate_simple_self_signed(vec!["idp.example.com".to_owned()]).unwrap();
        let pem: String = certificate.cert.pem().lines().collect();
        assert!(PublicKey::from_pem(&pem).is_ok());
    }
}
