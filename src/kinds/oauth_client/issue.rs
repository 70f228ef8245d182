//! Secrets and keys of an OAuth client: made, and handed over to the app's Secret in the same step.

use super::super::fence;
use super::act::Work;
use super::delivery::{self, Delivery, Kind, MINTING, Secrets};
use super::report;
use crate::crd::QlikOAuthClientStatus;
use crate::engine::{Acted, Error};
use crate::keys::{self, KeyPair};
use crate::plan::fingerprint;
use crate::plan::intent::{ACT_WITHIN, Call};
use crate::plan::oauth_client::{Carried, Content, Issued, Minting, SecretSeen};
use crate::qlik::{self, Jwk, OauthClient, OauthClientChange};
use crate::secrets::{self, Held, Target};
use jiff::Timestamp;
use std::time::Duration;

type Draft = QlikOAuthClientStatus;
type Outcome = Result<Acted<crate::crd::QlikOAuthClient>, Error>;

impl Work<'_> {
    /// Writes the first Secret of a new client.
    pub(super) async fn deliver_first(
        &self,
        client: &OauthClient,
        secret: Option<qlik::Secret>,
        key: Option<(KeyPair, Jwk)>,
    ) -> Result<SecretSeen, Error> {
        let Some(delivery) = &self.sight.delivery else {
            return Ok(SecretSeen::NotWanted);
        };
        let (current, issued) = match (delivery.kind, secret, key) {
            (Kind::ClientSecret, Some(secret), _) => {
                let hint =
                    client.secrets.iter().find(|hint| secret.expose().starts_with(&hint.hint)).ok_or(Error::Raced)?;
                let issued = self.issued(&hint.hint, (hint.created_at, hint.created_by.clone()), &secret, None)?;
                (Some(secret), vec![issued])
            }
            (Kind::PrivateKey(_), _, Some((pair, jwk))) => {
                let issued = self.issued(&jwk.kid.clone(), (None, None), &pair.private_pem, Some(jwk))?;
                (Some(pair.private_pem), vec![issued])
            }
            (Kind::Nothing, ..) => (None, Vec::new()),
            (Kind::ClientSecret | Kind::PrivateKey(_), ..) => return Err(Error::Raced),
        };
        let values = Secrets { current, previous: None, fresh: true };
        self.write_secret(client.id.as_str(), &issued, &values, None).await?;
        let client_id = Some(client.id.to_string());
        Ok(SecretSeen::Ours(Carried { client_id, issued, minting: None, content: Content::AsDeclared }))
    }

    fn issued(
        &self,
        id: &str,
        (created_at, by): (Option<Timestamp>, Option<String>),
        value: &qlik::Secret,
        jwk: Option<Jwk>,
    ) -> Result<Issued, Error> {
        let key = fingerprint::Key::new(&self.parent()?.credential.client_secret);
        Ok(Issued {
            id: id.to_owned(),
            created_at: created_at.unwrap_or_else(|| self.cx.clock.now()),
            retires_at: None,
            by,
            fingerprint: Some(delivery::fingerprint(value, &key)),
            jwk,
        })
    }

    /// A key pair for a client that signs with a generated one.
    pub(super) async fn key_pair(&self) -> Result<Option<(KeyPair, Jwk)>, Error> {
        let Some(Delivery { kind: Kind::PrivateKey(algorithm), .. }) = self.sight.delivery else {
            return Ok(None);
        };
        let made = tokio::task::spawn_blocking(move || keys::generate(algorithm)).await;
        let pair = made.ok().and_then(Result::ok).ok_or(Error::Crypto)?;
        let jwk = pair.public.jwk(&pair.public.thumbprint(), algorithm).map_err(|_| Error::Crypto)?;
        Ok(Some((pair, jwk)))
    }

    pub(super) async fn reserve(&self, issued: &[Issued], before: &[String]) -> Result<(), Error> {
        let minting = Minting { nonce: self.cx.nonce(), at: self.cx.clock.now(), before: before.to_vec() };
        self.cx.ledger.note(&minting.nonce, Call::NotSent);
        let id = self.id()?.to_string();
        // Whatever stands there is left to the app until there is something better: even where the annotations were
        // changed by hand, so that it cannot be told to be ours, it may work.
        let stands = match (&self.sight.delivery, &self.sight.held) {
            (Some(delivery), Some(held)) => delivery.as_they_stand(held),
            _ => Secrets::default(),
        };
        let ours = self.held_values(self.carried().map(|carried| carried.issued.as_slice()).unwrap_or_default());
        let (current, previous) = (ours.current.or(stands.current), ours.previous.or(stands.previous));
        let values = Secrets { current, previous, fresh: false };
        self.write_secret(&id, issued, &values, Some(&minting)).await.map(drop)
    }

    pub(super) async fn mint(&self, former: &[Issued], draft: Draft) -> Outcome {
        let carried = self.carried().ok_or(Error::Raced)?;
        let (minting, _) = carried.minting.clone().ok_or(Error::Raced)?;
        let (api, id) = (self.api()?, self.id()?);
        let held = self.held_values(&carried.issued);
        let minted = fence::announced(&minting.nonce, api.mint_client_secret(id), self.cx).await?;
        self.touch();
        let made = self.issued(&minted.hint, (minted.created_at, minted.created_by), &minted.secret, None)?;
        let issued: Vec<_> = std::iter::once(made).chain(former.iter().cloned()).collect();
        let values = Secrets { current: Some(minted.secret), previous: held.current, fresh: true };
        self.write_secret(id.as_str(), &issued, &values, None).await?;
        Ok(Acted::look_again(draft))
    }

    /// Qlik Cloud gets the new key before the app does, so that whatever the app signs with is known there. Its list of
    /// keys is written as a whole: while somebody else may be at it, or the announcement is too old, it is left alone.
    pub(super) async fn new_key(&self, former: &[Issued], draft: Draft) -> Outcome {
        let (minting, _) = self.carried().and_then(|carried| carried.minting.clone()).ok_or(Error::Raced)?;
        let (pair, jwk) = self.key_pair().await?.ok_or(Error::Raced)?;
        let id = self.id()?.clone();
        let keys = former.iter().filter_map(|issued| issued.jwk.clone()).chain([jwk.clone()]).collect();
        let (api, change) = (self.api()?, [OauthClientChange::PublicKeys(keys)]);
        self.secret_unchanged().await?;
        let age = Duration::try_from(self.cx.clock.now().duration_since(minting.at)).unwrap_or(Duration::ZERO);
        if age > ACT_WITHIN {
            return Err(Error::Raced);
        }
        fence::announced(&minting.nonce, api.change_oauth_client(&id, &change), self.cx).await?;
        self.touch();
        let made = self.issued(&jwk.kid.clone(), (None, None), &pair.private_pem, Some(jwk))?;
        let issued: Vec<_> = std::iter::once(made).chain(former.iter().cloned()).collect();
        let values = Secrets { current: Some(pair.private_pem), previous: None, fresh: true };
        self.write_secret(id.as_str(), &issued, &values, None).await?;
        Ok(Acted::look_again(draft))
    }

    /// The values that the Secret holds.
    pub(super) fn held_values(&self, issued: &[Issued]) -> Secrets {
        let (Some(delivery), Some(held), Ok(parent)) = (&self.sight.delivery, &self.sight.held, self.parent()) else {
            return Secrets::default();
        };
        delivery.held(held, issued, &fingerprint::Key::new(&parent.credential.client_secret))
    }

    /// Fails when the Secret is not as it was when this was decided.
    pub(super) async fn secret_unchanged(&self) -> Result<(), Error> {
        let Some(delivery) = &self.sight.delivery else { return Ok(()) };
        let now = secrets::look(&self.cx.client, self.object, &delivery.name).await?;
        match (&now, self.sight.held.as_deref()) {
            (Target::Ours(now), Some(then)) if now.is_same_version(then) => Ok(()),
            (Target::Free, None) => Ok(()),
            _ => Err(Error::Raced),
        }
    }

    /// Writes the Secret. Tries for a while, since what it holds may exist nowhere else; over a version that somebody
    /// changed meanwhile only while it is still ours and under the announcement that this fulfils. Without one it is the
    /// very version that was decided on: another process may have been through a whole rotation. One that was deleted
    /// meanwhile is not made again either, since the announcement went with it.
    pub(super) async fn write_secret(
        &self,
        client_id: &str,
        issued: &[Issued],
        values: &Secrets,
        minting: Option<&Minting>,
    ) -> Result<(), Error> {
        let Some(delivery) = &self.sight.delivery else { return Ok(()) };
        let mut content = delivery.content(self.parent()?, client_id, issued, values)?;
        match minting {
            Some(minting) => {
                let text = serde_json::to_string(minting).unwrap_or_default();
                content.annotations.insert(MINTING.to_owned(), text);
            }
            None => content.without = vec![MINTING],
        }
        if values.fresh {
            delivery::note_rotation(&mut content, self.sight.seen.rotate.as_ref());
        }
        let mut held = self.sight.held.as_deref().cloned();
        let announced = held.as_ref().and_then(|held| held.annotation(MINTING)).map(str::to_owned);
        let mut pause = Duration::from_millis(100);
        loop {
            let seen = (delivery.name.as_str(), held.as_ref());
            let Err(error) = secrets::write(&self.cx.client, self.object, seen, &content).await else {
                return Ok(());
            };
            if pause > WRITE_LONGEST || report::is_final(&error) {
                return Err(error);
            }
            self.pause(pause).await;
            pause *= 2;
            held = self.again(&delivery.name, announced.as_deref()).await?;
        }
    }

    /// The Secret as it stands now, if it may still be written over.
    async fn again(&self, name: &str, announced: Option<&str>) -> Result<Option<Held>, Error> {
        let announced_still = |held: &Held| announced.is_some() && held.annotation(MINTING) == announced;
        let untouched = |held: &Held| self.sight.held.as_ref().is_some_and(|then| held.is_same_version(then));
        match secrets::look(&self.cx.client, self.object, name).await {
            Ok(Target::Free) if self.sight.held.is_none() => Ok(None),
            Ok(Target::Ours(held)) if announced_still(&held) || untouched(&held) => Ok(Some(*held)),
            Ok(_) | Err(Error::Raced) => Err(Error::Raced),
            Err(_) => Ok(self.sight.held.as_deref().cloned()),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a requeue would start a new pass and drop a secret that is shown once"
    )]
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

const WRITE_LONGEST: Duration = Duration::from_secs(4);
