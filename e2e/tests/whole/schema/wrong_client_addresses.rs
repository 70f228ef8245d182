//! Wrong manifests of OAuth clients: the addresses of a page.

use super::table::{Row, rule, structure};

const PAGE: &str = "a spa client needs redirectUris (where Qlik sends users back to) and allowedOrigins (where the page is \
                    served from), for instance https://app.example.com/callback and https://app.example.com";
const REDIRECT: &str = "a redirect URI is absolute and has neither blanks nor a fragment (#), for instance \
                        https://app.example.com/callback";
const REDIRECT_HTTPS: &str =
    "a redirect URI uses https: over http a login code can be read on the way; http is for localhost only";
const REDIRECT_APP: &str = "a redirect URI is a page or an app, not a script or a file: begin it with https://, or with a \
                            scheme of your app, for instance com.example.app:/callback";
const ORIGIN: &str = "an allowed origin is scheme and host only, in lower case, with https (http for localhost only), for \
                      instance https://app.example.com, without a path or a slash at the end";

/// On a page: its addresses.
pub(crate) const ADDRESSES: &[Row] = &[
    rule("page-without-addresses", "", PAGE),
    rule("page-without-origin", "redirectUris: ['https://a.b/c']", PAGE),
    structure(
        "redirects-as-text",
        "redirectUris: https://a.b/c\nallowedOrigins: ['https://a.b']",
        "spec.redirectUris in body must be of type array",
    ),
    structure(
        "redirect-otherwise",
        "redirectUris: ['https://a.b/c']\nredirectURIs: ['https://a.b/c']\nallowedOrigins: ['https://a.b']",
        r#"unknown field "spec.redirectURIs""#,
    ),
    rule("redirect-relative", "redirectUris: [/callback]\nallowedOrigins: ['https://a.b']", REDIRECT),
    rule("redirect-without-scheme", "redirectUris: [a.b/callback]\nallowedOrigins: ['https://a.b']", REDIRECT),
    rule("redirect-without-host", "redirectUris: ['https:/callback']\nallowedOrigins: ['https://a.b']", REDIRECT),
    rule("redirect-fragment", "redirectUris: ['https://a.b/#/c']\nallowedOrigins: ['https://a.b']", REDIRECT),
    rule(
        "redirect-two-in-one",
        "redirectUris: ['https://a.b/c https://a.b/d']\nallowedOrigins: ['https://a.b']",
        REDIRECT,
    ),
    rule("redirect-line-break", "redirectUris: [\"https://a.b/c\\n\"]\nallowedOrigins: ['https://a.b']", REDIRECT),
    rule("redirect-http", "redirectUris: ['http://a.b/c']\nallowedOrigins: ['https://a.b']", REDIRECT_HTTPS),
    rule("redirect-http-upper-case", "redirectUris: ['HTTP://a.b/c']\nallowedOrigins: ['https://a.b']", REDIRECT_HTTPS),
    rule(
        "redirect-beyond-localhost",
        "redirectUris: ['http://localhost.b/c']\nallowedOrigins: ['https://a.b']",
        REDIRECT_HTTPS,
    ),
    rule(
        "redirect-localhost-as-a-name",
        "redirectUris: ['http://localhost:1@a.b/c']\nallowedOrigins: ['https://a.b']",
        REDIRECT_HTTPS,
    ),
    rule(
        "redirect-into-a-script",
        "redirectUris: ['javascript:alert(1)']\nallowedOrigins: ['https://a.b']",
        REDIRECT_APP,
    ),
    rule(
        "redirect-wildcard",
        "redirectUris: ['https://*.a.b/c']\nallowedOrigins: ['https://a.b']",
        "a redirect URI has no wildcard: write each address in full",
    ),
    rule(
        "redirect-twice",
        "redirectUris: ['https://a.b/c', 'https://a.b/c']\nallowedOrigins: ['https://a.b']",
        "spec.redirectUris has the same address twice: remove one",
    ),
    rule(
        "redirects-too-many",
        "redirectUris: ['a.b:/1', 'a.b:/2', 'a.b:/3', 'a.b:/4', 'a.b:/5', 'a.b:/6']\nallowedOrigins: ['https://a.b']",
        "Qlik keeps at most five redirectUris of a client: remove some, or make a second client",
    ),
    structure(
        "origins-as-text",
        "redirectUris: ['https://a.b/c']\nallowedOrigins: https://a.b",
        "spec.allowedOrigins in body must be of type array",
    ),
    rule("origin-path", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://a.b/app']", ORIGIN),
    rule("origin-slash", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://a.b/']", ORIGIN),
    rule("origin-http", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['http://a.b']", ORIGIN),
    rule("origin-without-scheme", "redirectUris: ['https://a.b/c']\nallowedOrigins: [a.b]", ORIGIN),
    rule("origin-upper-case", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://App.Example.com']", ORIGIN),
    rule("origin-with-password", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://me:pass@a.b']", ORIGIN),
    rule("origin-null", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['null']", ORIGIN),
    rule("origins-in-one", "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://a.b,https://b.c']", ORIGIN),
    rule(
        "origin-wildcard",
        "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://*.a.b']",
        "an allowed origin has no wildcard: anybody could serve a page below it. Write each origin in full",
    ),
    rule(
        "origin-twice",
        "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://a.b', 'https://a.b']",
        "spec.allowedOrigins has the same origin twice: remove one",
    ),
    rule(
        "origins-too-many",
        "redirectUris: ['https://a.b/c']\nallowedOrigins: ['https://a', 'https://b', 'https://c', 'https://d', \
         'https://e', 'https://f']",
        "Qlik keeps at most five allowedOrigins of a client: remove some, or make a second client",
    ),
];
