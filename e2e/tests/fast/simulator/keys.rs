//! Key pairs of whoever signs tokens for the simulator, and the forms in which their public halves are handed over.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData};
use serde_json::{Value, json};

/// A key pair with the algorithm it is used with.
pub(crate) struct Signer {
    pair: KeyPair,
    algorithm: Algorithm,
}

impl Signer {
    pub(crate) fn ec() -> Self {
        Self { pair: KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(), algorithm: Algorithm::ES384 }
    }

    pub(crate) fn rsa(algorithm: Algorithm) -> Self {
        Self { pair: KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap(), algorithm }
    }

    /// The public key in PEM, with line breaks.
    pub(crate) fn pem(&self) -> String {
        self.pair.public_key_pem()
    }

    /// The public key in PEM on one line, as Qlik demands it.
    pub(crate) fn line(&self) -> String {
        self.pem().lines().collect()
    }

    /// The public key as a JWK; for EC keys only.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let (x, y) = self.pair.der_bytes()[1..].split_at(48);
        json!({ "kty": "EC", "alg": "ES384", "use": "sig", "kid": kid, "crv": "P-384",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    /// A signed token.
    pub(crate) fn sign(&self, kid: &str, claims: &Value) -> String {
        let pem = self.pair.serialize_pem();
        let key = match self.algorithm {
            Algorithm::ES384 => EncodingKey::from_ec_pem(pem.as_bytes()),
            _ => EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let mut header = Header::new(self.algorithm);
        header.kid = Some(kid.to_owned());
        encode(&header, claims, &key.unwrap()).unwrap()
    }
}
