//! What a decision about an identity provider rests on, and what it can lead to.

use crate::plan::Deletion;
use crate::plan::child::Place;
use crate::plan::drift::Written;
use crate::plan::intent::IntentSeen;
use crate::qlik::{IdentityProvider, ProviderId};
use jiff::Timestamp;

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
    /// The tenant's providers were looked at.
    pub looked: bool,
    /// Providers that carry the mark of this object (or of a former one of its name), or that its status knows.
    pub mine: Vec<IdentityProvider>,
    /// Providers that a creation of unknown outcome may have made: Qlik Cloud does not show their description, where the mark
    /// would be, and they are otherwise like what was to be made.
    pub unmarked: Vec<ProviderId>,
    /// What the status knows of them.
    pub record: Record,
    /// What is on record of earlier writes to the one in use.
    pub written: Written,
    /// The provider whose login is to be tried, and the version of its pending options.
    pub version: Option<(ProviderId, String)>,
    /// Another object of the tenant that asks for people's login and is older.
    pub rival: Option<String>,
    /// The provider of others through which people log in now.
    pub occupant: Option<Occupant>,
    /// The Secret to write.
    pub secret: SecretSeen,
    /// The value of the annotation that asks for a new key now, if it was not acted on.
    pub rotate: Option<String>,
}

/// What the status knows of an object's providers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The one in use.
    pub current: Option<ProviderId>,
    /// The one that is about to take over.
    pub successor: Option<ProviderId>,
    /// Former ones that still work, and until when.
    pub retiring: Vec<(ProviderId, Timestamp)>,
    /// Whether what was written to the one in use is what is declared now, secrets included.
    pub print: Print,
    /// The same of the one that is about to take over.
    pub successor_print: Print,
    /// The options that were last written to be tried.
    pub trial: Option<Trial>,
    /// Whether the one in use for this object is active in Qlik Cloud, as last seen or written.
    pub active: Option<bool>,
    /// Since when the key is in use.
    pub key_since: Option<Timestamp>,
}

/// Options that were written to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The provider.
    pub id: ProviderId,
    /// Whether they are what is declared now, secrets included.
    pub print: Print,
    /// Their version when they were written.
    pub version: Option<String>,
}

/// Whether what was written is what is declared now, by its fingerprint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Print {
    /// It cannot be told.
    #[default]
    Unknown,
    /// It is.
    Same,
    /// It is not.
    Differs,
}

/// A provider of others through which people log in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// Its id.
    pub id: ProviderId,
    /// The younger object that it belongs to; `None` when it belongs to none.
    pub object: Option<String>,
    /// Qlik Cloud shows that it is in use. Otherwise it may be.
    pub shown: bool,
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
    Ours(Keys),
}

/// The key pairs that a Secret of ours carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// The one for apps; `None` when it is missing or was changed by hand.
    pub current: Option<Pair>,
    /// The one that will replace it.
    pub staged: Option<Pair>,
    /// The rest of the Secret is as it should be.
    pub in_sync: bool,
}

/// A key pair, without its private half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Its name in tokens.
    pub kid: String,
    /// The declared algorithm can sign with it.
    pub fits: bool,
}

impl Seen {
    /// Whether it is known that Qlik Cloud does not show options of this kind (`options`, `pendingOptions`): they were not
    /// there when they had just been written.
    pub(super) fn hides(&self, options: &str) -> bool {
        self.written.not_compared.iter().any(|known| known == options)
    }

    /// One of the object's providers.
    pub fn provider(&self, id: Option<&ProviderId>) -> Option<&IdentityProvider> {
        self.mine.iter().find(|provider| Some(&provider.id) == id)
    }

    /// The provider in use.
    pub fn current(&self) -> Option<&IdentityProvider> {
        self.provider(self.record.current.as_ref())
    }

    /// The provider that is about to take over.
    pub fn successor(&self) -> Option<&IdentityProvider> {
        self.provider(self.record.successor.as_ref())
    }

    /// The provider whose login is to be tried, where that is asked for.
    pub fn on_trial(&self) -> Option<&IdentityProvider> {
        self.successor().or_else(|| self.current())
    }

    /// Providers that nothing on record explains: of a creation whose answer was lost, of a former object, of a status
    /// that was wiped.
    pub fn strays(&self) -> impl Iterator<Item = &IdentityProvider> {
        let Record { current, successor, retiring, .. } = &self.record;
        self.mine.iter().filter(move |provider| {
            let id = Some(&provider.id);
            id != current.as_ref() && id != successor.as_ref() && retiring.iter().all(|(known, _)| id != Some(known))
        })
    }

    /// The provider through which people log in now, as far as it is the object's own.
    pub fn reigning(&self) -> Option<&IdentityProvider> {
        self.mine.iter().find(|provider| provider.reigns())
    }
}

/// What a new provider is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is the object's only one.
    Only,
    /// It will take over.
    Successor,
}

/// A field to be written. The values are those of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// In or out of use.
    Active(bool),
    /// The description.
    Description,
    /// The tolerance of clocks.
    ClockTolerance,
    /// Where people go after they log out.
    PostLogout,
    /// The options in force.
    Options,
    /// The options that are to be tried.
    Pending,
}

impl Change {
    /// The name in Qlik's API.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Description => "description",
            Self::ClockTolerance => "clockToleranceSec",
            Self::PostLogout => "postLogoutRedirectUri",
            Self::Options => "options",
            Self::Pending => "pendingOptions",
        }
    }
}

/// One effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Put the finalizer on the object.
    Hold,
    /// Announce a creation, with the finalizer.
    Announce,
    /// Write the Secret with a key pair that is made for it.
    NewKey,
    /// Write a new key pair to the Secret, beside the one in use.
    StageKey,
    /// The new key pair takes the place of the one in use in the Secret.
    PromoteKey,
    /// Write the Secret as it should be, with the same key pair.
    WriteSecret,
    /// Make a provider.
    Create {
        /// What for.
        role: Role,
        /// The generated key that it takes.
        kid: Option<String>,
    },
    /// Note a provider that was found as the one in use.
    Bind(ProviderId),
    /// Note a provider that was found as the one that takes over.
    Adopt(ProviderId),
    /// Note a provider that was found, or a successor that is no use, as a former one.
    Retire(ProviderId, Timestamp),
    /// Give up every provider on record: they are gone, or the tenant is another one.
    Forget,
    /// The successor is the one in use from now on; the former one goes at this time.
    Succeed(Timestamp),
    /// Write what differs.
    Change(ProviderId, Vec<Change>),
    /// Put the options in force that were tried, of this version.
    Promote(ProviderId, Option<String>),
    /// People log in through another provider from now on.
    Switch {
        /// The one before.
        from: ProviderId,
        /// The new one.
        to: ProviderId,
    },
    /// Delete a provider in Qlik Cloud.
    Delete(ProviderId),
}
