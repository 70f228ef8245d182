//! What of a client differs from what is declared.

use super::{Authentication, Desired, SecretSeen, Seen};
use crate::qlik::{Jwk, OauthClient, OauthClientChange as Change};
use jiff::Timestamp;

/// The changes that bring a client to what is declared; none when it is.
pub(super) fn changes(want: &Desired, seen: &Seen, have: &OauthClient, now: Timestamp) -> Vec<Change> {
    let mut changes = differences(want, seen, have, now);
    // A key whose time is over has to go, also where Qlik Cloud does not show it.
    let ends = matches!(&seen.secret, SecretSeen::Ours(carried) if carried.issued.iter().any(|key| key.is_over(now)));
    let due = |change: &Change| match change {
        Change::PublicKeys(_) if ends => true,
        _ => !have.hides(change.field()) || seen.written.hidden_is_due(change.field()),
    };
    changes.retain(due);
    changes
}

/// The names of what is declared and was written with the client itself, and what Qlik Cloud does not show of it.
pub fn written_unseen(want: &Desired, seen: &Seen, made: &OauthClient, now: Timestamp) -> Vec<String> {
    let changes = differences(want, seen, made, now).into_iter().map(|change| change.field());
    changes.filter(|field| made.hides(field)).map(str::to_owned).collect()
}

/// The names of what differs, as they are counted when the same comes again and again; the consent by itself, where nothing
/// else does.
pub fn fields(changes: &[Change]) -> Vec<&'static str> {
    if changes.is_empty() { vec![CONSENT] } else { changes.iter().map(Change::field).collect() }
}

/// The name of the consent in Qlik's API.
pub const CONSENT: &str = "connectionConfig";

fn differences(want: &Desired, seen: &Seen, have: &OauthClient, now: Timestamp) -> Vec<Change> {
    let mut changes = Vec::new();
    if have.name != want.name {
        changes.push(Change::Name(want.name.clone()));
    }
    if have.description.as_deref().unwrap_or_default() != want.description {
        changes.push(Change::Description(want.description.clone()));
    }
    if text(have.client_uri.as_ref()) != want.client_uri.as_ref() {
        changes.push(Change::ClientUri(want.client_uri.clone()));
    }
    if text(have.logo_uri.as_ref()) != want.logo_uri.as_ref() {
        changes.push(Change::LogoUri(want.logo_uri.clone()));
    }
    let mut list = |want: &[String], have: &[String], change: fn(Vec<String>) -> Change| {
        if !same(want, have) {
            changes.push(change(want.to_vec()));
        }
    };
    list(&want.redirect_uris, &have.redirect_uris, Change::RedirectUris);
    list(&want.allowed_origins, &have.allowed_origins, Change::AllowedOrigins);
    list(&want.scopes, &have.scopes, Change::Scopes);
    list(&want.grant_types, &have.grant_types, Change::GrantTypes);
    let methods: Vec<_> = want.authentication.methods().iter().map(|&method| method.to_owned()).collect();
    // Clients from before Qlik Cloud knew more than one method name none.
    if !have.auth_methods.is_empty() || want.authentication.methods() == ["private_key_jwt"] {
        list(&methods, &have.auth_methods, Change::AuthMethods);
    }
    // No manifest asks for one, and whoever can write there could sign as this client.
    if have.jwks_uri.as_ref().is_some_and(|uri| !uri.is_empty()) {
        changes.push(Change::NoJwksUri);
    }
    if let Some(keys) = wanted_keys(want, seen, now)
        && !same_keys(&keys, &have.public_keys)
    {
        changes.push(Change::PublicKeys(keys));
    }
    changes
}

/// An empty text and none are the same to Qlik Cloud.
fn text(text: Option<&String>) -> Option<&String> {
    text.filter(|text| !text.is_empty())
}

fn same<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    a.len() == b.len() && a.iter().all(|item| b.contains(item))
}

/// The keys that a client should have; `None` while that is not known because the Secret with the private key is not
/// there or is to be written anew, or another key is announced: Qlik Cloud knows that one before the Secret does.
fn wanted_keys(want: &Desired, seen: &Seen, now: Timestamp) -> Option<Vec<Jwk>> {
    match (&want.authentication, &seen.secret) {
        (Authentication::GivenKey(jwk), _) => Some(vec![(**jwk).clone()]),
        (Authentication::GeneratedKey, SecretSeen::Ours(carried))
            if carried.is_whole() && carried.minting.is_none() =>
        {
            let valid = carried.issued.iter().filter(|issued| !issued.is_over(now));
            Some(valid.filter_map(|issued| issued.jwk.clone()).collect())
        }
        (Authentication::GeneratedKey | Authentication::Secret | Authentication::Public, _) => None,
    }
}

/// Whether two lists hold the same keys.
pub fn same_keys(a: &[Jwk], b: &[Jwk]) -> bool {
    same(a, b)
}
