//! Changes of an identity provider: which paths there are for which protocol, and what they do.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Set;
use super::{Protocol, Provider};
use crate::sim::check::Fields;
use crate::sim::refusal::Refusal;

const OIDC: &[&str] = &[
    "/active",
    "/description",
    "/meta",
    "/options",
    "/options/realm",
    "/options/discoveryUrl",
    "/options/claimsMapping",
    "/pendingOptions",
    "/pendingOptions/realm",
    "/pendingOptions/discoveryUrl",
    "/pendingOptions/clientId",
    "/pendingOptions/clientSecret",
    "/pendingOptions/emailVerifiedAlwaysTrue",
    "/pendingOptions/claimsMapping",
    "/pendingOptions/idTokenSignatureAlg",
    "/pendingOptions/decryptingKey",
    "/postLogoutRedirectUri",
    "/clockToleranceSec",
];
const SAML: &[&str] = &[
    "/active",
    "/description",
    "/pendingOptions",
    "/pendingOptions/nameIdFormat",
    "/pendingOptions/allowIdpInitiatedLogin",
    "/pendingOptions/entityId",
    "/pendingOptions/signOnUrl",
    "/pendingOptions/metadata",
    "/pendingOptions/certificates",
    "/pendingOptions/claimsMapping",
    "/postLogoutRedirectUri",
    "/clockToleranceSec",
];
const JWT: &[&str] = &["/description"];

impl Protocol {
    fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Oidc => OIDC,
            Self::Saml => SAML,
            Self::Jwt => JWT,
        }
    }
}

impl Provider {
    /// Carries out a whole PATCH, or nothing of it. Says whether pending options were promoted.
    pub(crate) fn patch(&mut self, operations: &[Value], now: Timestamp) -> Result<bool, Refusal> {
        let mut changed = self.clone();
        let mut promoted = false;
        for (index, operation) in operations.iter().enumerate() {
            let fields = Fields::of(operation, &format!("/{index}"))?;
            match fields.required("op", 64)? {
                "replace" => changed.replace(&fields)?,
                "promote-options" if self.protocol != Protocol::Jwt => {
                    changed.promote().map_err(|why| fields.refuse("op", why))?;
                    promoted = true;
                }
                _ => return Err(fields.refuse("op", "this operation is not supported")),
            }
        }
        if changed.options != self.options {
            changed.normalize(Set::Live)?;
        }
        if changed.pending != self.pending && changed.pending.is_some() {
            changed.normalize(Set::Pending)?;
            // whatever was tested, it was not this
            changed.test = None;
        }
        if changed.active && changed.options.is_none() {
            return Err(Refusal::bad_request("a provider without verified options cannot be active").at("/active"));
        }
        if changed != *self {
            changed.updated = now;
            *self = changed;
        }
        Ok(promoted)
    }

    fn promote(&mut self) -> Result<(), &'static str> {
        if !self.verified() {
            return Err("the pending options have not been verified");
        }
        self.options = self.pending.take();
        self.test = None;
        Ok(())
    }

    fn replace(&mut self, operation: &Fields<'_>) -> Result<(), Refusal> {
        let path = operation.required("path", 256)?;
        if !self.protocol.paths().contains(&path) {
            return Err(operation.refuse("path", "this path cannot be patched"));
        }
        match path {
            "/active" => self.active = operation.flag("value")?.ok_or_else(|| operation.refuse("value", "required"))?,
            "/description" => operation.text("value", 128)?.unwrap_or_default().clone_into(&mut self.description),
            "/meta" => self.meta = operation.get("value").cloned().unwrap_or_else(|| json!({})),
            "/postLogoutRedirectUri" => {
                self.post_logout =
                    operation.address("value", 2083)?.filter(|address| !address.is_empty()).map(str::to_owned);
            }
            "/clockToleranceSec" => self.clock_tolerance = operation.number("value", 0..=7200)?.unwrap_or(5),
            _ => self.replace_options(path, operation)?,
        }
        Ok(())
    }

    fn replace_options(&mut self, path: &str, operation: &Fields<'_>) -> Result<(), Refusal> {
        let value = operation.get("value").cloned();
        let options = if path.starts_with("/options") { &mut self.options } else { &mut self.pending };
        match (path.rsplit_once('/'), value) {
            (Some(("", _)), Some(whole)) => *options = Some(whole),
            (Some(("", _)), None) => return Err(operation.refuse("value", "this field is required")),
            (Some((_, name)), value) => {
                let options = options.get_or_insert_with(|| json!({}));
                let Some(map) = options.as_object_mut() else {
                    return Err(operation.refuse("path", "there are no options"));
                };
                // what metadata says and what is said by itself replace each other
                if name == "metadata" {
                    map.retain(|name, _| !["entityId", "signOnUrl", "certificates"].contains(&name.as_str()));
                }
                match value {
                    Some(value) => map.insert(name.to_owned(), value),
                    None => map.remove(name),
                };
                if name == "discoveryUrl" && map.contains_key(name) {
                    map.remove("openid_configuration");
                }
            }
            (None, _) => return Err(operation.refuse("path", "this path cannot be patched")),
        }
        Ok(())
    }
}
