//! Compares a provider in Qlik Cloud with what is declared.
//!
//! Qlik does not document which options it shows. So a field counts only where it is shown and is different; that
//! something was written at all is known by its fingerprint.

use super::desired::one_line;
use super::{Change, Desired, KeySource, Print, Seen};
use crate::qlik::{IdentityProvider, Protocol};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Fields that a manifest owns: shown though the manifest leaves them out, they differ.
const OWNED: [&str; 8] = [
    "realm",
    "scope",
    "discoveryUrl",
    "openid_configuration",
    "audience",
    "allowedClientIds",
    "blockOfflineAccessScope",
    "emailVerifiedAlwaysTrue",
];

/// Names of the options that Qlik Cloud shows otherwise than they are declared.
pub fn differing(want: &Desired, shown: &Value) -> Vec<String> {
    let declared = want.options.as_object().into_iter().flatten();
    let changed = declared.filter_map(|(name, value)| {
        if name == "metadata" {
            return entity_differs(value, shown).then(|| "metadata".to_owned());
        }
        let have = shown.get(name)?;
        (!same(name, value, have)).then(|| name.clone())
    });
    let added = OWNED.iter().filter(|&&name| {
        want.protocol == Protocol::Oidc
            && want.options.get(name).is_none()
            && shown.get(name).is_some_and(|have| !is_nothing(have))
    });
    changed.chain(added.map(|name| (*name).to_owned())).collect()
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn same(name: &str, want: &Value, have: &Value) -> bool {
    match name {
        "claimsMapping" | "openid_configuration" => {
            let fields = want.as_object().into_iter().flatten();
            let have = |field: &str| have.get(field).unwrap_or(&Value::Null);
            fields
                .into_iter()
                .all(|(field, want)| same_text(want, have(field)) || (is_nothing(want) && is_nothing(have(field))))
        }
        "certificates" => certificates(want) == certificates(have),
        _ => same_text(want, have),
    }
}

/// A slash at the end of an address makes no difference to whoever follows it.
fn same_text(want: &Value, have: &Value) -> bool {
    match (want, have) {
        (Value::String(want), Value::String(have)) => want.trim_end_matches('/') == have.trim_end_matches('/'),
        _ => want == have,
    }
}

fn certificates(list: &Value) -> Vec<String> {
    let text = |one: &Value| one.get("certificate").and_then(Value::as_str).map(one_line);
    list.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Metadata is not shown again, only what Qlik read from it; the entity id tells whose metadata it was.
fn entity_differs(metadata: &Value, shown: &Value) -> bool {
    let xml = metadata.get("raw").and_then(Value::as_str).and_then(|raw| STANDARD.decode(raw).ok());
    let xml = xml.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let entity = xml.split_once("entityID").and_then(|(_, rest)| {
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest.get(1..)?.split(quote).next()
    });
    match (entity, shown.get("entityId").and_then(Value::as_str)) {
        (Some(want), Some(have)) => want != have,
        (_, None) | (None, _) => false,
    }
}

/// Whether options in Qlik Cloud are the declared ones, as far as it can be told.
fn is_declared(want: &Desired, shown: Option<&Value>, (print, seen): (Print, &Seen)) -> bool {
    let tolerated = |name: &String| seen.written.not_compared.contains(name);
    shown.is_some_and(|shown| print != Print::Differs && differing(want, shown).iter().all(tolerated))
}

/// The fingerprint that speaks of a provider's options in force.
fn print_of(provider: &IdentityProvider, seen: &Seen) -> Print {
    let id = Some(&provider.id);
    // What was written to be tried and waits no more was put in force, even if the answer to that was lost.
    let promoted = seen.record.trial.as_ref().filter(|trial| trial.id == provider.id);
    if let Some(trial) = promoted.filter(|_| !waits_for_trial(provider, seen)) {
        return trial.print;
    }
    match (id == seen.record.current.as_ref(), id == seen.record.successor.as_ref()) {
        (true, _) => seen.record.print,
        (false, true) => seen.record.successor_print,
        (false, false) => Print::Unknown,
    }
}

/// Options of a provider wait for a trial, as far as Qlik Cloud shows that.
pub fn waits_for_trial(provider: &IdentityProvider, seen: &Seen) -> bool {
    provider.pending_options.is_some() || seen.hides("pendingOptions")
}

/// The options in force are the declared ones.
pub fn is_live(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> bool {
    let print = print_of(provider, seen);
    if hides_options(provider, seen) {
        // What was tried is in force only if that is on record; what was not is from the moment that it was written.
        return if want.tried { print == Print::Same } else { print != Print::Differs };
    }
    is_declared(want, provider.options.as_ref(), (print, seen))
}

/// The provider has options in force, declared ones or others.
pub(super) fn has_options(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> bool {
    provider.options.is_some() || (hides_options(provider, seen) && is_live(want, provider, seen))
}

/// The options in force are not shown: they were not there when they had just been written, or there are none of any kind.
fn hides_options(provider: &IdentityProvider, seen: &Seen) -> bool {
    provider.options.is_none() && (seen.hides("options") || provider.pending_options.is_none())
}

/// The options that wait for a trial are the declared ones.
pub(super) fn is_pending(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> bool {
    let written = seen.record.trial.as_ref().filter(|trial| trial.id == provider.id);
    let now = seen.version.as_ref().filter(|(id, _)| *id == provider.id).map(|(_, version)| version);
    // What nobody remembers having written is written again before a human tries it.
    let hidden = provider.pending_options.is_none() && seen.hides("pendingOptions");
    written.is_some_and(|trial| trial.print == Print::Same)
        && (hidden || is_declared(want, provider.pending_options.as_ref(), (Print::Same, seen)))
        && match (written.and_then(|trial| trial.version.as_ref()), now) {
            (Some(written), Some(now)) => written == now,
            (Some(_) | None, _) => true,
        }
}

/// What of a provider differs and cannot be changed: it has to be replaced.
pub fn unchangeable(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> Vec<&'static str> {
    let tolerance = (want.clock_tolerance_sec.map(i64::from), provider.clock_tolerance_sec);
    let users = (want.create_new_users_on_login, provider.create_new_users_on_login);
    let live = is_live(want, provider, seen);
    let fields = match want.protocol {
        Protocol::Jwt => vec![
            ("issuer", !live),
            ("clockToleranceSec", matches!(tolerance, (Some(want), Some(have)) if want != have)),
            ("key", has_other_key(want, provider)),
        ],
        Protocol::Oidc | Protocol::Saml | Protocol::Other => vec![
            ("provider", !provider.hides("provider") && provider.provider != want.product),
            ("interactive", !provider.hides("interactive") && provider.interactive != want.interactive),
            ("createNewUsersOnLogin", matches!(users, (Some(want), Some(have)) if want != have)),
            // Only the options that are to be tried can be changed of a SAML provider.
            ("options", want.protocol == Protocol::Saml && !want.tried && !live),
        ],
    };
    let counts = |name: &str| !seen.written.not_compared.iter().any(|tolerated| tolerated == name);
    fields.into_iter().filter(|(name, differs)| *differs && counts(name)).map(|(name, _)| name).collect()
}

fn has_other_key(want: &Desired, provider: &IdentityProvider) -> bool {
    match &want.key {
        KeySource::Given { kid, pem } => {
            // What Qlik Cloud does not show is not known to be another one.
            provider.kid().is_some_and(|have| have != kid.as_str()) || pem_of(provider).is_some_and(|have| have != *pem)
        }
        KeySource::None | KeySource::Generated(_) => false,
    }
}

/// A certificate may have been handed in for the key that it holds, so only two public keys are compared.
fn pem_of(provider: &IdentityProvider) -> Option<String> {
    let pem = provider.option("staticKeys")?.get(0)?.get("pem")?.as_str()?;
    Some(one_line(pem)).filter(|pem| pem.contains("BEGIN PUBLIC KEY"))
}

/// The names of what is declared and was written with the provider itself, and what Qlik Cloud does not show of it.
pub fn written_unseen(want: &Desired, made: &IdentityProvider) -> Vec<String> {
    let declared = [("description", true), ("postLogoutRedirectUri", want.post_logout_redirect_uri.is_some())];
    let unseen = declared.into_iter().filter(|(field, declared)| *declared && made.hides(field));
    unseen.map(|(field, _)| field.to_owned()).collect()
}

/// What has to be written so that a provider is as declared, being in use left aside.
pub(super) fn changes(want: &Desired, provider: &IdentityProvider, seen: &Seen) -> Vec<Change> {
    let mut changes = Vec::new();
    let hidden = |field: &str| provider.hides(field).then(|| seen.written.hidden_is_due(field));
    if hidden("description").unwrap_or(provider.description != want.description) {
        changes.push(Change::Description);
    }
    if want.protocol == Protocol::Jwt {
        return changes;
    }
    let tolerance = (want.clock_tolerance_sec.map(i64::from), provider.clock_tolerance_sec);
    if matches!(tolerance, (Some(want), Some(have)) if want != have) {
        changes.push(Change::ClockTolerance);
    }
    let other = provider.post_logout_redirect_uri != want.post_logout_redirect_uri;
    if other && hidden("postLogoutRedirectUri").unwrap_or(true) {
        changes.push(Change::PostLogout);
    }
    if want.tried {
        if !is_live(want, provider, seen) && !is_pending(want, provider, seen) {
            changes.push(Change::Pending);
        }
    } else if want.protocol == Protocol::Oidc {
        // What was written by a call whose answer was lost, or by a former object, may say something else that is not shown.
        let unknown = print_of(provider, seen) == Print::Unknown;
        if unknown || !is_live(want, provider, seen) {
            changes.push(Change::Options);
        }
    }
    changes
}
