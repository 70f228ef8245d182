//! An app of a customer: what it does with the Secret that it was given. Nothing of that Secret is ever shown.

use crate::sim::Running;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The values of a Secret, by key.
pub type Given = BTreeMap<String, String>;

/// Why an app cannot do what it wants.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key is missing in the Secret.
    #[error("the Secret has no key {0}")]
    Missing(&'static str),
    /// The private key in the Secret cannot sign.
    #[error("the private key cannot be used with {0}")]
    Key(String),
    /// Qlik Cloud refused it.
    #[error("{status} {body}")]
    Refused {
        /// Status of the answer.
        status: u16,
        /// Its body.
        body: String,
    },
    /// There was no answer.
    #[error("no answer")]
    Http(#[from] reqwest::Error),
    /// It cannot be set up.
    #[error("the app cannot start")]
    Start(#[source] Box<dyn StdError + Send + Sync>),
}

impl Error {
    /// The status with which it was refused.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::Missing(_) | Self::Key(_) | Self::Http(_) | Self::Start(_) => None,
        }
    }
}

/// For whom an app asks for a token.
#[derive(Debug, Clone, Copy)]
pub enum As<'a> {
    /// For itself.
    Itself,
    /// For a user, named by subject.
    User(&'a str),
}

/// A person who logs in with a JWT.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Subject.
    pub subject: &'a str,
    /// Name.
    pub name: &'a str,
    /// Mail address.
    pub email: &'a str,
}

/// An app.
pub struct App<'a> {
    http: Client,
    now: Box<dyn Fn() -> Timestamp + Send + Sync + 'a>,
}

/// Every name is the simulator.
struct Simulator(SocketAddr);

impl Resolve for Simulator {
    fn resolve(&self, _: Name) -> Resolving {
        let here = self.0;
        Box::pin(async move { Ok(Box::new(std::iter::once(here)) as Addrs) })
    }
}

impl<'a> App<'a> {
    /// An app that finds Qlik Cloud in this simulator, and goes by its clock.
    pub fn new(sim: &'a Running) -> Result<Self, Error> {
        let (Some(tls), Some(ca)) = (sim.tls(), sim.ca_file()) else {
            return Err(Error::Start("the simulator has no TLS listener".into()));
        };
        Self::at(tls, ca, || sim.now())
    }

    /// An app that finds Qlik Cloud at this address, with certificates of this authority.
    pub fn at(
        tls: SocketAddr,
        ca: impl AsRef<Path>,
        now: impl Fn() -> Timestamp + Send + Sync + 'a,
    ) -> Result<Self, Error> {
        let pem = std::fs::read(ca).map_err(|e| Error::Start(Box::new(e)))?;
        let http = Client::builder()
            .tls_certs_only([Certificate::from_pem(&pem)?])
            .dns_resolver(Arc::new(Simulator(tls)))
            .build()?;
        Ok(Self { http, now: Box::new(now) })
    }

    /// Gets a token and asks who it is with it; the user of the tenant as whom it acts.
    pub async fn whoami(&self, given: &Given, who: As<'_>) -> Result<Value, Error> {
        let token = self.token(given, who).await?;
        self.get(given, &token, "/api/v1/users/me").await
    }

    /// Gets an access token, with the secret or the private key that was given.
    pub async fn token(&self, given: &Given, who: As<'_>) -> Result<String, Error> {
        let mut ask = match who {
            As::Itself => json!({ "grant_type": "client_credentials" }),
            As::User(subject) => json!({ "grant_type": "urn:qlik:oauth:user-impersonation",
                "user_lookup": { "field": "subject", "value": subject } }),
        };
        ask["client_id"] = json!(value(given, "clientId")?);
        if given.contains_key("privateKey") {
            ask["client_assertion_type"] = json!("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
            ask["client_assertion"] = json!(self.assertion(given)?);
        } else {
            ask["client_secret"] = json!(value(given, "clientSecret")?);
        }
        let answer = heard(self.http.post(value(given, "tokenUrl")?).json(&ask)).await?;
        let body: Value = answer.json().await?;
        Ok(body["access_token"].as_str().unwrap_or_default().to_owned())
    }

    /// Reads a path of the tenant.
    pub async fn get(&self, given: &Given, token: &str, path: &str) -> Result<Value, Error> {
        let url = format!("{}{path}", value(given, "host")?);
        Ok(heard(self.http.get(url).bearer_auth(token)).await?.json().await?)
    }

    /// Logs a person in, with a JWT signed by the private key that was given.
    pub async fn jwt_login(&self, given: &Given, person: Person<'_>) -> Result<(), Error> {
        let now = (self.now)().as_second();
        let audience = given.get("audience").map_or("qlik.api/login/jwt-session", String::as_str);
        let claims = json!({ "iss": value(given, "issuer")?, "aud": audience, "sub": person.subject,
            "subType": "user", "name": person.name, "email": person.email, "email_verified": true,
            "jti": unique(), "iat": now, "nbf": now, "exp": now + 300 });
        let jwt = sign(given, &claims)?;
        let url = format!("{}/login/jwt-session", value(given, "host")?);
        heard(self.http.post(url).bearer_auth(jwt)).await.map(drop)
    }

    /// An assertion with which the app asks for a token.
    pub fn assertion(&self, given: &Given) -> Result<String, Error> {
        let (id, now) = (value(given, "clientId")?, (self.now)().as_second());
        let claims = json!({ "iss": id, "sub": id, "aud": value(given, "tokenUrl")?, "jti": unique(),
            "iat": now, "exp": now + 300 });
        sign(given, &claims)
    }
}

fn sign(given: &Given, claims: &Value) -> Result<String, Error> {
    let name = value(given, "algorithm")?;
    let unusable = || Error::Key(name.to_owned());
    let algorithm: Algorithm = name.parse().map_err(|_| unusable())?;
    let pem = value(given, "privateKey")?.as_bytes();
    let key = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 => EncodingKey::from_ec_pem(pem),
        _ => EncodingKey::from_rsa_pem(pem),
    };
    let mut header = Header::new(algorithm);
    header.kid = Some(value(given, "keyId")?.to_owned());
    encode(&header, claims, &key.map_err(|_| unusable())?).map_err(|_| unusable())
}

fn value<'g>(given: &'g Given, key: &'static str) -> Result<&'g str, Error> {
    given.get(key).map(String::as_str).ok_or(Error::Missing(key))
}

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("app-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn heard(request: RequestBuilder) -> Result<Response, Error> {
    let answer = request.send().await?;
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    Err(Error::Refused { status: status.as_u16(), body: answer.text().await.unwrap_or_default() })
}
