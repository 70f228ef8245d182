//! What Qlik takes as an identity provider.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Protocol, Provider};
use crate::sim::check::{Bounds, Fields};
use crate::sim::keys::PublicKey;
use crate::sim::refusal::Refusal;

const OIDC: &[&str] = &["auth0", "okta", "generic", "salesforce", "keycloak", "adfs", "azureAD"];
const SAML: &[&str] = &["okta", "generic", "adfs", "azureAD"];
const NAME_IDS: &[&str] = &[
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
];
const CLAIMS: &[&str] =
    &["sub", "name", "email", "groups", "locale", "picture", "zoneinfo", "client_id", "email_verified"];
const SAML_CLAIMS: &[&str] = &["sub", "name", "email", "groups", "picture"];
const OIDC_OPTIONS: &[&str] = &[
    "clientId",
    "clientSecret",
    "discoveryUrl",
    "openid_configuration",
    "claimsMapping",
    "realm",
    "scope",
    "audience",
    "allowedClientIds",
    "idTokenSignatureAlg",
    "useClaimsFromIdToken",
    "blockOfflineAccessScope",
    "emailVerifiedAlwaysTrue",
    "decryptingKey",
];

/// Which of the two sets of options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    Live,
    Pending,
}

impl Set {
    fn field(self) -> &'static str {
        match self {
            Self::Live => "options",
            Self::Pending => "pendingOptions",
        }
    }
}

impl Provider {
    /// The provider that a request asks for. It has no id yet. Fields that no page knows are ignored, since scripts of
    /// Qlik's own send some.
    pub(crate) fn asked_for(body: &Value, tenant: &str, now: Timestamp) -> Result<Self, Refusal> {
        let fields = Fields::of(body, "")?;
        let (protocol, providers) = match fields.required("protocol", 64)? {
            "OIDC" => (Protocol::Oidc, OIDC),
            "SAML" => (Protocol::Saml, SAML),
            "jwtAuth" => (Protocol::Jwt, &["external"][..]),
            _ => return Err(fields.refuse("protocol", "one of OIDC, SAML and jwtAuth is expected")),
        };
        fields.required("provider", 64)?;
        let provider = fields.one_of("provider", providers)?.unwrap_or_default();
        let mut made = Self {
            id: String::new(),
            tenant_ids: vec![tenant.to_owned()],
            protocol,
            product: provider.to_owned(),
            interactive: interactive(&fields, protocol)?,
            active: false,
            description: fields.text("description", 128)?.unwrap_or_default().to_owned(),
            clock_tolerance: fields.number("clockToleranceSec", 0..=7200)?.unwrap_or(5),
            creates_users: fields.flag("createNewUsersOnLogin")?.unwrap_or(true),
            post_logout: fields.address("postLogoutRedirectUri", 2083)?.map(str::to_owned),
            meta: json!({}),
            created: now,
            updated: now,
            options: fields.get("options").cloned(),
            pending: fields.get("pendingOptions").cloned(),
            test: None,
        };
        let skip = fields.flag("skipVerify")?.unwrap_or(false);
        made.sets(skip).map_err(|(field, why)| fields.refuse(field, why))?;
        made.normalize(Set::Live)?;
        made.normalize(Set::Pending)?;
        Ok(made)
    }

    /// Which sets of options have to be there, and which must not.
    fn sets(&self, skip: bool) -> Result<(), (&'static str, &'static str)> {
        match (self.interactive, self.options.is_some(), self.pending.is_some()) {
            (false, true, false) | (true, false, true) => Ok(()),
            (false, false, _) => Err(("options", "this field is required")),
            (false, true, true) => Err(("pendingOptions", "only interactive providers have pending options")),
            (true, true, _) if skip => Ok(()),
            (true, true, _) => Err(("options", "options of an interactive provider need skipVerify")),
            (true, false, false) => Err(("pendingOptions", "this field is required")),
        }
    }

    /// Checks a set of options and brings it into the form in which it is shown.
    pub(super) fn normalize(&mut self, set: Set) -> Result<(), Refusal> {
        let options = match set {
            Set::Live => &mut self.options,
            Set::Pending => &mut self.pending,
        };
        let Some(value) = options else { return Ok(()) };
        let fields = Fields::of(value, &format!("/{}", set.field()))?;
        let normal = match self.protocol {
            Protocol::Oidc => oidc(&fields, &self.product, set)?,
            Protocol::Saml => saml(&fields)?,
            Protocol::Jwt => jwt(&fields)?,
        };
        *options = Some(normal);
        Ok(())
    }
}

fn interactive(fields: &Fields<'_>, protocol: Protocol) -> Result<bool, Refusal> {
    let asked = fields.flag("interactive")?;
    match (protocol, asked) {
        (Protocol::Oidc, Some(interactive)) => Ok(interactive),
        (Protocol::Saml, Some(true)) => Ok(true),
        (Protocol::Oidc | Protocol::Saml, None) => Err(fields.refuse("interactive", "this field is required")),
        (Protocol::Saml, Some(false)) => Err(fields.refuse("interactive", "SAML is interactive")),
        (Protocol::Jwt, None | Some(false)) => Ok(false),
        (Protocol::Jwt, Some(true)) => Err(fields.refuse("interactive", "jwtAuth is not interactive")),
    }
}

/// The schema wants little of live options and Qlik's own example puts the full set there: both are taken.
fn oidc(fields: &Fields<'_>, provider: &str, set: Set) -> Result<Value, Refusal> {
    if set == Set::Pending {
        fields.required("clientId", usize::MAX)?;
        fields.required("clientSecret", usize::MAX)?;
    }
    fields.text("clientId", usize::MAX)?;
    fields.text("clientSecret", usize::MAX)?;
    match (fields.address("discoveryUrl", usize::MAX)?, fields.object("openid_configuration")?) {
        (Some(_), None) => {}
        (None, Some(endpoints)) => check_endpoints(&endpoints)?,
        (None, None) => return Err(fields.refuse("discoveryUrl", "discoveryUrl or openid_configuration is required")),
        (Some(_), Some(_)) => {
            return Err(fields.refuse("discoveryUrl", "discoveryUrl and openid_configuration exclude each other"));
        }
    }
    claims(fields, CLAIMS, |pointers| pointers.iter().all(|pointer| pointer.starts_with('/')))?;
    let realm = fields.text("realm", 254)?;
    if realm.is_some_and(|realm| !is_realm(realm)) {
        return Err(fields.refuse("realm", "the realm must match ^[A-Za-z0-9][A-Za-z0-9.\\-_]+$"));
    }
    fields.text("scope", 254)?;
    fields.text("audience", 256)?;
    fields.texts("allowedClientIds", Bounds { items: usize::MAX, length: usize::MAX })?;
    fields.one_of("idTokenSignatureAlg", &["RS256", "RS512"])?;
    fields.flag("useClaimsFromIdToken")?;
    fields.flag("blockOfflineAccessScope")?;
    if fields.flag("emailVerifiedAlwaysTrue")? == Some(true) && !["adfs", "azureAD"].contains(&provider) {
        return Err(fields.refuse("emailVerifiedAlwaysTrue", "only adfs and azureAD have this"));
    }
    if let Some(key) = fields.object("decryptingKey")? {
        key.required("keyType", usize::MAX)?;
        key.number("keySize", 1..=i64::MAX)?.ok_or_else(|| key.refuse("keySize", "this field is required"))?;
    }
    Ok(kept(fields, OIDC_OPTIONS))
}

fn check_endpoints(endpoints: &Fields<'_>) -> Result<(), Refusal> {
    for name in ["issuer", "jwks_uri", "token_endpoint", "authorization_endpoint"] {
        endpoints.required(name, usize::MAX)?;
        endpoints.address(name, usize::MAX)?;
    }
    for name in ["userinfo_endpoint", "end_session_endpoint", "introspection_endpoint"] {
        endpoints.address(name, usize::MAX)?;
    }
    Ok(())
}

fn claims(fields: &Fields<'_>, names: &[&str], good: impl Fn(&[&str]) -> bool) -> Result<(), Refusal> {
    let mapping =
        fields.object("claimsMapping")?.ok_or_else(|| fields.refuse("claimsMapping", "this field is required"))?;
    for name in names {
        let sources = mapping.texts(name, Bounds { items: usize::MAX, length: usize::MAX })?.unwrap_or_default();
        if !good(&sources) {
            return Err(mapping.refuse(name, "a list of JSON pointers is expected"));
        }
    }
    Ok(())
}

/// `^[A-Za-z0-9][A-Za-z0-9.\-_]+$`
fn is_realm(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && bytes.len() > 0
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn saml(fields: &Fields<'_>) -> Result<Value, Refusal> {
    claims(fields, SAML_CLAIMS, |_| true)?;
    let mapping = fields.object("claimsMapping")?;
    if let Some(missing) = SAML_CLAIMS.iter().find(|name| !mapping.as_ref().is_some_and(|map| map.has(name))) {
        return Err(fields.refuse(&format!("claimsMapping/{missing}"), "this field is required"));
    }
    let name_id = fields.one_of("nameIdFormat", NAME_IDS)?.unwrap_or(NAME_IDS[2]);
    let initiated = fields.flag("allowIdpInitiatedLogin")?.unwrap_or(false);
    let mut options = if let Some(metadata) = fields.object("metadata")? {
        if let Some(other) = ["entityId", "signOnUrl", "certificates"].into_iter().find(|name| fields.has(name)) {
            return Err(fields.refuse(other, "metadata says this already"));
        }
        let raw = metadata.required("raw", usize::MAX)?;
        described(raw).map_err(|why| metadata.refuse("raw", why))?
    } else {
        fields.required("entityId", usize::MAX)?;
        fields.required("signOnUrl", usize::MAX)?;
        fields.address("signOnUrl", usize::MAX)?;
        certificates(fields)?;
        kept(fields, &["entityId", "signOnUrl", "certificates"])
    };
    options["claimsMapping"] = fields.get("claimsMapping").cloned().unwrap_or_default();
    options["nameIdFormat"] = json!(name_id);
    options["allowIdpInitiatedLogin"] = json!(initiated);
    Ok(options)
}

/// The rule of one line is written down for JWT keys alone; here the stricter reading is to hold it for all PEMs.
fn certificates(fields: &Fields<'_>) -> Result<(), Refusal> {
    let list = fields.objects("certificates")?.unwrap_or_default();
    if !(1..=5).contains(&list.len()) {
        return Err(fields.refuse("certificates", "one to five certificates are expected"));
    }
    for certificate in list {
        let pem = certificate.required("certificate", usize::MAX)?;
        if !pem.starts_with("-----BEGIN CERTIFICATE-----") {
            return Err(certificate.refuse("certificate", "a certificate in PEM is expected"));
        }
        PublicKey::from_pem(pem).map_err(|why| certificate.refuse("certificate", why))?;
        certificate.text("name", usize::MAX)?;
        certificate.flag("signature")?;
        certificate.flag("encryption")?;
    }
    Ok(())
}

/// What SAML metadata says: this looks for the few parts that matter and is no XML parser.
fn described(raw: &str) -> Result<Value, &'static str> {
    let bytes = STANDARD.decode(raw).map_err(|_| "base64 is expected")?;
    let xml = String::from_utf8(bytes).map_err(|_| "this is no XML")?;
    let after = |text: &str, mark: &str| text.split_once(mark).map(|(_, rest)| rest.to_owned());
    let until = |text: String, mark: &str| text.split_once(mark).map(|(head, _)| head.to_owned());
    let entity = after(&xml, "entityID=\"").and_then(|rest| until(rest, "\"")).ok_or("the entityID is missing")?;
    let sign_on = after(&xml, "SingleSignOnService")
        .and_then(|rest| after(&rest, "Location=\""))
        .and_then(|rest| until(rest, "\""))
        .ok_or("the SingleSignOnService is missing")?;
    let mut options = json!({ "entityId": entity, "signOnUrl": sign_on });
    let certificate = after(&xml, "X509Certificate>").and_then(|rest| until(rest, "<"));
    if let Some(certificate) = certificate {
        let content: String = certificate.split_whitespace().collect();
        let pem = format!("-----BEGIN CERTIFICATE-----{content}-----END CERTIFICATE-----");
        PublicKey::from_pem(&pem)?;
        options["certificates"] = json!([{ "certificate": pem, "signature": true, "encryption": false }]);
    }
    Ok(options)
}

fn jwt(fields: &Fields<'_>) -> Result<Value, Refusal> {
    fields.required("issuer", usize::MAX)?;
    let keys = fields.objects("staticKeys")?.unwrap_or_default();
    let [key] = keys.as_slice() else {
        return Err(fields.refuse("staticKeys", "exactly one key is expected"));
    };
    key.required("kid", usize::MAX)?;
    let pem = key.get("pem").and_then(Value::as_str).ok_or_else(|| key.refuse("pem", "this field is required"))?;
    PublicKey::from_pem(pem).map_err(|why| key.refuse("pem", why))?;
    let mut options = kept(fields, &["issuer"]);
    options["staticKeys"] = json!([kept(key, &["kid", "pem"])]);
    Ok(options)
}

/// The fields that Qlik knows.
fn kept(fields: &Fields<'_>, names: &[&str]) -> Value {
    let have = |name: &&str| Some(((*name).to_owned(), fields.get(name)?.clone()));
    Value::Object(names.iter().filter_map(have).collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::is_realm;

    #[test]
    fn realms() {
        for (realm, good) in
            [("ab", true), ("A1.b-c_d", true), ("a", false), ("", false), ("-a", false), ("a b", false)]
        {
            assert_eq!(is_realm(realm), good, "{realm}");
        }
    }
}
