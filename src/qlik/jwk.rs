//! Public keys in the form that Qlik's OAuth clients take (RFC 7517).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A public key. Unknown members of an answer are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Jwk {
    /// `RSA` or `EC`.
    pub kty: String,
    /// `RS256`, `RS512` or `ES384`.
    pub alg: String,
    /// What the key is for, always `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// The name by which tokens refer to the key.
    pub kid: String,
    /// RSA: the modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA: the exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// EC: the curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// EC: the first coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// EC: the second coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl Jwk {
    /// Reads a key of an answer. One that cannot be read is empty, which no sound key is equal to: it neither makes the
    /// answer unreadable nor is it overlooked.
    pub(super) fn read(value: &Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_both_ways() {
        let text = r#"{"kty":"RSA","alg":"RS256","use":"sig","kid":"k","n":"AQ","e":"AQAB"}"#;
        let key: Jwk = serde_json::from_str(text).unwrap();
        assert_eq!((key.usage.as_str(), key.n.as_deref(), &key.x), ("sig", Some("AQ"), &None));
        assert_eq!(serde_json::to_string(&key).unwrap(), text);
    }

    #[test]
    fn reads_what_it_can() {
        let key: Jwk = serde_json::from_str(r#"{"kid":"k","x5t":"other","n":null}"#).unwrap();
        assert_eq!(key, Jwk { kid: "k".into(), ..Jwk::default() });
        for odd in [Value::Null, "text".into(), serde_json::json!({ "kid": 7 })] {
            assert_eq!(Jwk::read(&odd), Jwk::default(), "{odd}");
        }
    }
}
