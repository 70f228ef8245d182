//! A model of the world around one OAuth client: Qlik Cloud, the app's Secret and the object. Whatever is committed is
//! checked at once against what must never happen.

use crate::plan::intent::Intent;
use crate::plan::oauth_client::{Authentication, Desired, Issued, MAX_SECRETS, Minting, Turnover};
use crate::qlik::{Consent, Jwk, OauthClient, OauthClientChange, OauthClientId, SecretHint};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// As whom the operator makes secrets.
pub(super) const ME: &str = "bot";
pub(super) const OVERLAP: Duration = Duration::from_secs(86_400);

/// The app's Secret. The value of a secret is its hint, the value of a private key its id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Stored {
    pub(super) version: u64,
    /// The annotation, and the value in the data.
    pub(super) client: (String, String),
    pub(super) current: Option<String>,
    pub(super) previous: Option<String>,
    pub(super) issued: Vec<Issued>,
    pub(super) minting: Option<Minting>,
    pub(super) rotated_for: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Status {
    pub(super) id: Option<OauthClientId>,
    pub(super) missing_since: Option<Timestamp>,
    pub(super) issued: Vec<Issued>,
    pub(super) rotated: Option<String>,
    pub(super) ready: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    pub(super) version: u64,
    pub(super) deleting: bool,
    pub(super) held: bool,
    pub(super) released: bool,
    pub(super) intent: Option<Intent>,
    pub(super) rotate: Option<String>,
    pub(super) status: Status,
}

/// One request, to Qlik Cloud or to Kubernetes.
#[derive(Clone, Debug)]
pub(super) enum Request {
    PostClient {
        key: Option<Jwk>,
    },
    PatchClient(OauthClientId, Vec<OauthClientChange>),
    SetConsent(OauthClientId, Consent),
    DeleteClient(OauthClientId),
    PostSecret(OauthClientId),
    DeleteSecret(OauthClientId, String),
    /// Creates the Secret, or replaces this version of it.
    PutSecret(Option<u64>, Stored),
    /// The finalizer, and an intent with it, on this version of the object.
    Hold(u64, Option<Intent>),
    Release(u64),
    /// The status, on this version of the object or whatever its version.
    PutStatus(Option<u64>, Status),
}

pub(super) enum Answer {
    Client(Box<OauthClient>),
    Secret(SecretHint),
    Done,
}

/// What had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

pub(super) struct World {
    pub(super) want: Desired,
    pub(super) now: Timestamp,
    pub(super) clients: Vec<OauthClient>,
    pub(super) secret: Option<Stored>,
    pub(super) object: Object,
    /// Requests that were sent and did not take effect yet.
    pub(super) late: Vec<(Timestamp, Request)>,
    /// Secrets that humans made.
    pub(super) human: BTreeSet<String>,
    /// When the app's Secret stopped to carry a secret as the current one.
    pub(super) replaced: HashMap<String, Timestamp>,
    /// What humans deleted in the portal.
    pub(super) taken: BTreeSet<String>,
    /// When a human last edited the Secret.
    pub(super) edited_at: Option<Timestamp>,
    /// The app's Secret carries something that works, and that may only end by a human's hand.
    pub(super) promised: bool,
    /// When a human last asked for a rotation.
    pub(super) asked_at: Option<Timestamp>,
    serial: u64,
}

pub(super) fn jwk(kid: &str) -> Jwk {
    Jwk { kid: kid.to_owned(), ..Jwk::default() }
}

pub(super) fn desired(authentication: Authentication, every: Option<Duration>) -> Desired {
    Desired {
        app_type: "web",
        name: "backend".into(),
        description: "[qo:mark]".into(),
        client_uri: None,
        logo_uri: None,
        redirect_uris: Vec::new(),
        allowed_origins: Vec::new(),
        scopes: vec!["user_default".into()],
        grant_types: vec!["client_credentials".into()],
        authentication,
        key_algorithm: None,
        consent: Consent::Trusted,
        publish: false,
        turnover: Turnover { every, overlap: OVERLAP },
        orphan: false,
        interval: Duration::from_secs(6 * 3600),
    }
}

impl World {
    pub(super) fn new(authentication: Authentication, every: Option<Duration>) -> Self {
        Self {
            want: desired(authentication, every),
            now: Timestamp::from_second(1_800_000_000).unwrap(),
            clients: Vec::new(),
            secret: None,
            object: Object::default(),
            late: Vec::new(),
            human: BTreeSet::new(),
            replaced: HashMap::new(),
            taken: BTreeSet::new(),
            edited_at: None,
            promised: false,
            asked_at: None,
            serial: 0,
        }
    }

    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn keys(&self) -> bool {
        self.want.authentication == Authentication::GeneratedKey
    }

    /// Whether a secret or key works.
    pub(super) fn works(&self, value: &str) -> bool {
        self.clients.iter().any(|client| {
            client.secrets.iter().any(|secret| secret.hint == value)
                || client.public_keys.iter().any(|k| k.kid == value)
        })
    }

    /// Whether the app can get on with what its Secret carries.
    pub(super) fn carries_what_works(&self) -> bool {
        let Some(secret) = &self.secret else { return false };
        self.clients.iter().any(|client| client.id.as_str() == secret.client.1)
            && [&secret.current, &secret.previous].into_iter().flatten().any(|value| self.works(value))
    }

    /// What must hold after everything that was not done by a human.
    fn check(&mut self, why: &Request) {
        let carries = self.carries_what_works();
        let taken = |value: &String| self.taken.contains(value);
        self.promised &= !self.secret.as_ref().and_then(|secret| secret.current.as_ref()).is_some_and(taken);
        assert!(carries || !self.promised, "the app's Secret carries nothing that works any more, after {why:?}");
        self.promised = carries;
        assert!(self.clients.len() <= 1, "a second client");
        assert!(self.clients.iter().all(|client| client.secrets.len() <= MAX_SECRETS));
    }

    /// What humans break, they break.
    pub(super) fn by_hand(&mut self) {
        self.promised &= self.carries_what_works();
    }

    pub(super) fn client(&mut self, id: &OauthClientId) -> Result<&mut OauthClient, Refused> {
        self.clients.iter_mut().find(|client| client.id == *id).ok_or(Refused)
    }

    /// A request takes effect, or is refused.
    pub(super) fn commit(&mut self, request: &Request) -> Result<Answer, Refused> {
        let answer = self.effect(request);
        self.check(request);
        answer
    }

    fn effect(&mut self, request: &Request) -> Result<Answer, Refused> {
        match request {
            Request::PostClient { key } => return Ok(Answer::Client(Box::new(self.make_client(key.clone())))),
            Request::PatchClient(id, changes) => {
                let client = self.client(id)?;
                for change in changes {
                    client.apply(change);
                }
            }
            Request::SetConsent(id, consent) => self.client(id)?.consent = Some(*consent),
            Request::DeleteClient(id) => {
                assert!(self.object.deleting, "deleted without being asked");
                self.promised = false;
                self.clients.retain(|client| client.id != *id);
            }
            Request::PostSecret(id) => return self.make_secret(id, ME).map(Answer::Secret),
            Request::DeleteSecret(id, hint) => self.discard(id, hint),
            Request::PutSecret(version, content) => self.put_secret(*version, content.clone())?,
            Request::Hold(version, intent) => {
                self.at_version(Some(*version))?;
                self.object.held = true;
                self.object.intent = intent.clone().or(self.object.intent.take());
            }
            Request::Release(version) => {
                self.at_version(Some(*version))?;
                self.object.released = self.object.deleting;
                self.object.held = false;
            }
            Request::PutStatus(version, status) => {
                self.at_version(*version)?;
                self.object.status = status.clone();
            }
        }
        Ok(Answer::Done)
    }

    fn at_version(&mut self, version: Option<u64>) -> Result<(), Refused> {
        let stale = version.is_some_and(|version| version != self.object.version);
        if stale || self.object.released {
            return Err(Refused);
        }
        self.object.version = self.serial();
        Ok(())
    }

    fn make_client(&mut self, key: Option<Jwk>) -> OauthClient {
        assert!(self.object.held, "made for an object that nobody holds");
        let id: OauthClientId = format!("c{}", self.serial()).parse().unwrap();
        let want = self.want.clone();
        self.clients.push(OauthClient {
            id: id.clone(),
            app_type: want.app_type.to_owned(),
            name: want.name,
            description: Some(want.description),
            client_uri: None,
            logo_uri: None,
            redirect_uris: Vec::new(),
            allowed_origins: Vec::new(),
            scopes: want.scopes,
            grant_types: want.grant_types,
            auth_methods: want.authentication.methods().iter().map(|&method| method.to_owned()).collect(),
            public_keys: key.into_iter().collect(),
            jwks_uri: None,
            consent: Some(want.consent),
            published_at: None,
            hidden: Vec::new(),
            secrets: Vec::new(),
        });
        if !self.keys() {
            let _ = self.make_secret(&id, ME);
        }
        self.clients.last().cloned().unwrap()
    }

    pub(super) fn make_secret(&mut self, id: &OauthClientId, by: &str) -> Result<SecretHint, Refused> {
        let (hint, now) = (format!("s{}", self.serial()), self.now);
        let client = self.client(id)?;
        if client.secrets.len() >= MAX_SECRETS {
            return Err(Refused);
        }
        let secret = SecretHint { hint, created_at: Some(now), created_by: Some(by.to_owned()) };
        client.secrets.push(secret.clone());
        Ok(secret)
    }

    /// The operator takes a secret away.
    fn discard(&mut self, id: &OauthClientId, hint: &str) {
        assert!(!self.human.contains(hint), "{hint} was made by a human");
        let current = self.secret.as_ref().and_then(|secret| secret.current.as_deref());
        assert_ne!(current, Some(hint), "the app uses it");
        if let Some(at) = self.replaced.get(hint).filter(|_| self.works(hint)) {
            let age = self.now.duration_since(*at);
            // The overlap is counted from the decision.
            let pass = SignedDuration::from_mins(5);
            assert!(age + pass >= SignedDuration::try_from(OVERLAP).unwrap(), "{hint} was in use {age} ago");
        }
        // What is retired while somebody spoils the current one is no fault of the operator.
        let lately = SignedDuration::from_mins(5);
        self.promised &= self.edited_at.is_none_or(|at| self.now.duration_since(at) > lately);
        if let Ok(client) = self.client(id) {
            client.secrets.retain(|secret| secret.hint != hint);
        }
    }

    fn put_secret(&mut self, version: Option<u64>, content: Stored) -> Result<(), Refused> {
        let there = self.secret.as_ref();
        if there.map(|secret| secret.version) != version || self.object.released {
            return Err(Refused);
        }
        let (before, now) = (there.and_then(|secret| secret.current.clone()), self.now);
        if before != content.current {
            self.replaced.extend(before.map(|hint| (hint, now)));
        }
        self.secret = Some(Stored { version: self.serial(), ..content });
        Ok(())
    }
}
