//! What a decision about an OAuth client rests on, and what it can lead to.

use crate::plan::Deletion;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::intent::{Call, IntentSeen};
use crate::qlik::{Consent, Jwk, OauthClient, OauthClientChange, OauthClientId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Secrets that Qlik Cloud keeps of one client (<https://qlik.dev/apis/rest/oauth-clients/>).
pub const MAX_SECRETS: usize = 5;

/// Everything that was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Whether the object is being deleted.
    pub deletion: Deletion,
    /// The finalizer is there.
    pub held: bool,
    /// Where the tenant stands.
    pub place: Place,
    /// The announcement of a creation.
    pub intent: IntentSeen,
    /// The client, as far as status or memory know it.
    pub id: Option<OauthClientId>,
    /// The client in Qlik Cloud: by its id, else by the mark.
    pub client: Found,
    /// The client is not this object's by the marks: it carries another object's, or none while another client is ours.
    pub foreign_mark: bool,
    /// Since when the client is missed.
    pub missing_since: Option<Timestamp>,
    /// What is on record of earlier writes.
    pub written: Written,
    /// The Secret to write.
    pub secret: SecretSeen,
    /// Secrets that the status knows of, where the Secret cannot tell any more.
    pub known: Vec<Issued>,
    /// The user as whom the operator makes secrets, where that was asked.
    pub me: Option<String>,
    /// The value of the annotation that asks for a rotation now, if it was not acted on.
    pub rotate: Option<String>,
}

impl Seen {
    /// Whether a client as a list shows it will do. A list may be older than what another process did since; a step on
    /// secrets must not rest on that.
    pub fn agrees_with(&self, listed: &OauthClient) -> bool {
        let SecretSeen::Ours(carried) = &self.secret else { return self.secret == SecretSeen::NotWanted };
        let shown = |id: &String| {
            listed.secrets.iter().any(|secret| secret.hint == *id)
                || listed.public_keys.iter().any(|key| key.kid == *id)
        };
        carried.content == Content::AsDeclared
            && carried.minting.is_none()
            && carried.issued.iter().all(|issued| shown(&issued.id))
    }
}

/// What was found in Qlik Cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Nothing was asked.
    NotAsked,
    /// It is not there.
    None,
    /// It is.
    One(Box<OauthClient>),
    /// Several carry the mark.
    Many(Vec<OauthClientId>),
    /// None carries the mark, and after a creation of unknown outcome these could: Qlik Cloud does not show their description,
    /// where the mark would be, and they are otherwise like what was to be made.
    Unmarked(Vec<OauthClientId>),
}

/// What stands under the name of the Secret to write.
#[derive(Clone, Debug, PartialEq)]
pub enum SecretSeen {
    /// None is to be written.
    NotWanted,
    /// Nothing stands there.
    Free,
    /// The Secret of an object that is gone; it is about to go.
    Former,
    /// It is being deleted.
    Terminating,
    /// It is somebody else's.
    Foreign(String),
    /// It is ours.
    Ours(Carried),
}

impl SecretSeen {
    /// When the former secret retires, while it still works.
    pub fn retiring(&self) -> Option<Timestamp> {
        let Self::Ours(carried) = self else { return None };
        carried.issued.iter().filter_map(|issued| issued.retires_at).max()
    }
}

/// What a Secret of ours carries.
#[derive(Clone, Debug, PartialEq)]
pub struct Carried {
    /// The client that it is for.
    pub client_id: Option<String>,
    /// The secrets or keys of the client that were made for it, the one in use first.
    pub issued: Vec<Issued>,
    /// The announcement of a secret that was to be made for it, and what is known of the call.
    pub minting: Option<(Minting, Call)>,
    /// How its content compares with what it should be.
    pub content: Content,
}

impl Carried {
    /// The secret or key in use.
    pub fn current(&self) -> Option<&Issued> {
        self.issued.first().filter(|issued| issued.retires_at.is_none())
    }

    /// Whether it holds the secret or key that it says it holds.
    pub fn is_whole(&self) -> bool {
        self.content != Content::Lost && self.current().is_some()
    }
}

/// How the content of a Secret compares with what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It is as it should be.
    AsDeclared,
    /// It is not, and what is missing is known.
    Repairable,
    /// The secret or key itself is missing or was changed.
    Lost,
}

/// One secret or key that the operator made. Kept in an annotation of the Secret, without the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// Qlik's hint of a secret, the id of a key.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is to be taken away, for one that was replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retires_at: Option<Timestamp>,
    /// The user as whom it was made, where Qlik Cloud said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Keyed fingerprint of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The public key of a key pair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwk: Option<Jwk>,
}

impl Issued {
    /// It was replaced, and its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.retires_at.is_some_and(|at| at <= now)
    }

    /// It was made and never delivered: it retires the moment it was made.
    pub fn is_lost(&self) -> bool {
        self.retires_at.is_some_and(|at| at <= self.created_at)
    }
}

/// The trace that is left in the Secret before a secret is made for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minting {
    /// Names this one announcement.
    pub nonce: String,
    /// When it was announced.
    pub at: Timestamp,
    /// The hints that the client had before.
    pub before: Vec<String>,
}

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Put the finalizer on the object.
    Hold,
    /// Announce the creation, with the finalizer.
    Announce,
    /// Make the client, and write its Secret.
    Create,
    /// Note the client in the status.
    Bind(OauthClientId),
    /// Give up a client that is gone.
    Forget,
    /// Write what differs.
    Change(Vec<OauthClientChange>),
    /// Set whether users are asked.
    SetConsent(Consent),
    /// Let every tenant of the region use it.
    Publish,
    /// Write the announcement of a secret into the Secret, which is reserved by that.
    Reserve {
        /// What the Secret says of secrets that were made, from now on.
        issued: Vec<Issued>,
        /// The hints that the client has now.
        before: Vec<String>,
    },
    /// Make a secret and write it to the Secret, which announces it.
    Mint {
        /// The secrets from before, each with the time at which it retires.
        former: Vec<Issued>,
    },
    /// Make a key pair, give Qlik Cloud the public key, and write the private key to the Secret, which announces it.
    NewKey {
        /// The keys from before, each with the time at which it retires.
        former: Vec<Issued>,
    },
    /// Write the Secret as it should be.
    Deliver {
        /// What it says of secrets that were made.
        issued: Vec<Issued>,
    },
    /// Take a secret of ours away from Qlik Cloud.
    Discard {
        /// Its hint.
        hint: String,
        /// It was never delivered.
        lost: bool,
    },
    /// Delete the client in Qlik Cloud.
    Delete(OauthClientId),
}
