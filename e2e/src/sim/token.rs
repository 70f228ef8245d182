//! Access tokens: real ES384 JWTs, bound to the host that issued them.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PublicKeyData};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Life of a token in seconds: six hours.
pub(crate) const LIFETIME: i64 = 21_600;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    pub(crate) sub: String,
    pub(crate) sub_type: String,
    pub(crate) jti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) scope: String,
    pub(crate) client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tenant_id: Option<String>,
}

/// The signing key of the whole simulated cloud.
pub(crate) struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    x: String,
    y: String,
    kid: String,
}

impl Keys {
    /// A fresh P-384 key.
    pub(crate) fn generate() -> Result<Self, rcgen::Error> {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        // an uncompressed point: one byte of form, then both coordinates
        let point = pair.der_bytes();
        let (x, y) = point.get(1..).unwrap_or_default().split_at_checked(48).unwrap_or_default();
        Ok(Self {
            encoding: EncodingKey::from_ec_der(pair.serialized_der()),
            decoding: DecodingKey::from_ec_der(point),
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
            kid: URL_SAFE_NO_PAD.encode(x.get(..12).unwrap_or_default()),
        })
    }

    /// Signs a token.
    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }

    /// The claims of a genuine token. Times and audience are the caller's to check: they need the virtual clock.
    pub(crate) fn open(&self, token: &str) -> Option<Claims> {
        let mut rules = Validation::new(Algorithm::ES384);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        jsonwebtoken::decode(token, &self.decoding, &rules).ok().map(|token| token.claims)
    }

    /// The public half, as `jwks.json` shows it.
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "EC", "crv": "P-384", "alg": "ES384", "use": "sig", "kid": self.kid, "x": self.x, "y": self.y,
        }]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            iss: "https://a".to_owned(),
            aud: "https://a".to_owned(),
            sub: "s".to_owned(),
            sub_type: "user".to_owned(),
            jti: "j".to_owned(),
            iat: 1,
            exp: 2,
            scope: "admin_classic".to_owned(),
            client_id: "c".to_owned(),
            tenant_id: None,
        }
    }

    #[test]
    fn a_token_opens_under_its_own_key_alone() {
        let (keys, other) = (Keys::generate().unwrap(), Keys::generate().unwrap());
        let token = keys.sign(&claims()).unwrap();
        assert_eq!(keys.open(&token), Some(claims()));
        assert_eq!(other.open(&token), None);
    }

    #[test]
    fn the_published_key_verifies() {
        let keys = Keys::generate().unwrap();
        let key = &keys.jwks()["keys"][0];
        let public = DecodingKey::from_ec_components(key["x"].as_str().unwrap(), key["y"].as_str().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::ES384);
        rules.validate_exp = false;
        rules.set_audience(&["https://a"]);
        let token = keys.sign(&claims()).unwrap();
        assert!(jsonwebtoken::decode::<Claims>(&token, &public, &rules).is_ok());
    }
}
