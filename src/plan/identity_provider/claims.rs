//! Where each product puts what Qlik Cloud wants to know, when the manifest does not say.

use crate::crd::{OidcClaims, OidcProduct, SamlClaims, SamlProduct};
use serde_json::{Map, Value, json};

/// Claims of a login with `OpenID` Connect. Of several pointers the first that is there counts, so the lists may name what
/// only some installations of a product give.
pub(super) fn of_login(product: OidcProduct, given: Option<&OidcClaims>) -> Value {
    use OidcProduct as P;
    let given = given.cloned().unwrap_or_default();
    let email: &[&str] = match product {
        P::AzureAd | P::Adfs => &["/email", "/upn", "/preferred_username"],
        P::Auth0 | P::Okta | P::Generic | P::Salesforce | P::Keycloak => &["/email"],
    };
    let name: &[&str] = match product {
        P::Adfs => &["/name", "/unique_name"],
        P::Auth0 | P::Okta | P::Generic | P::Salesforce | P::Keycloak | P::AzureAd => &["/name"],
    };
    let groups: &[&str] = match product {
        // Auth0 passes claims of one's own on under an address only.
        P::Auth0 => &["/groups", "/https:~1~1qlik.com~1groups"],
        P::Adfs => &["/groups", "/group"],
        P::Okta | P::Generic | P::Salesforce | P::Keycloak | P::AzureAd => &["/groups"],
    };
    mapping([
        ("sub", given.sub, &["/sub"]),
        ("name", given.name, name),
        ("email", given.email, email),
        ("groups", given.groups, groups),
        ("locale", given.locale, &["/locale"]),
        ("picture", given.picture, &["/picture"]),
        ("zoneinfo", given.zoneinfo, &["/zoneinfo"]),
        ("client_id", given.client_id, client_id(product)),
        ("email_verified", given.email_verified, &["/email_verified"]),
    ])
}

/// Claims of a program's token.
pub(super) fn of_machine(product: OidcProduct, given: Option<&OidcClaims>) -> Value {
    let given = given.cloned().unwrap_or_default();
    mapping([("sub", given.sub, &["/sub"][..]), ("client_id", given.client_id, client_id(product))])
}

const fn client_id(product: OidcProduct) -> &'static [&'static str] {
    use OidcProduct as P;
    match product {
        P::Okta => &["/cid", "/client_id"],
        P::Auth0 | P::Keycloak => &["/azp", "/client_id"],
        P::AzureAd | P::Adfs => &["/appid", "/azp", "/client_id"],
        P::Generic | P::Salesforce => &["/client_id"],
    }
}

/// Attributes of a login with SAML.
pub(super) fn of_saml(product: SamlProduct, given: Option<&SamlClaims>) -> Value {
    let given = given.cloned().unwrap_or_default();
    let [sub, name, email, groups] = match product {
        SamlProduct::Okta | SamlProduct::Generic => ["sub", "name", "email", "groups"],
        SamlProduct::AzureAd => [
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
        ],
        SamlProduct::Adfs => [
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    };
    mapping([
        ("sub", given.sub, &[sub]),
        ("name", given.name, &[name]),
        ("email", given.email, &[email]),
        ("groups", given.groups, &[groups]),
        ("picture", given.picture, &["picture"]),
    ])
}

/// A claim, what the manifest says of it, and the default.
type Claim<'a> = (&'a str, Option<Vec<String>>, &'a [&'a str]);

fn mapping<const N: usize>(claims: [Claim<'_>; N]) -> Value {
    let one = |(name, given, default): Claim<'_>| {
        (name.to_owned(), given.map_or_else(|| json!(default), |given| json!(given)))
    };
    Value::Object(claims.into_iter().map(one).collect::<Map<_, _>>())
}
