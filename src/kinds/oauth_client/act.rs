//! The steps of an OAuth client. Each makes one effect, in Qlik Cloud or in Kubernetes; what a one-time answer holds is
//! written to its Secret in the same step.

use super::super::parent::Parent;
use super::delivery::{self, Delivery, Kind, MINTING, Secrets};
use super::{Sight, report};
use crate::crd::{CHILD_FINALIZER, INTENT, QlikOAuthClient, QlikOAuthClientStatus};
use crate::engine::{Acted, Context, Error, api_of, within, write};
use crate::keys::{self, KeyPair};
use crate::plan::fingerprint;
use crate::plan::intent::{Call, Intent, IntentSeen, IntentStep};
use crate::plan::oauth_client::{Authentication, Carried, Content, Found, Issued, Minting, SecretSeen, Step};
use crate::qlik::{self, Effect, Jwk, NewOauthClient, OauthClient, OauthClientChange, OauthClientId};
use crate::secrets::{self, Held, Target};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;
use std::time::Duration;

type Draft = QlikOAuthClientStatus;

pub(super) async fn act(
    object: &QlikOAuthClient,
    step: &Step,
    sight: Box<Sight>,
    (draft, cx): (Draft, &Context),
) -> Result<Acted<QlikOAuthClient>, Error> {
    let work = Work { object, sight: &sight, cx };
    match step {
        Step::Hold => {
            let held = write::hold(&api_of(object, &cx.client), &object.metadata, CHILD_FINALIZER, json!({})).await?;
            Ok(Acted::wrote(held, draft))
        }
        Step::Announce => Ok(Acted::wrote(work.announce().await?, draft)),
        Step::Create => work.create(draft).await,
        Step::Bind(id) => Ok(Acted { persist: true, ..Acted::look_again(work.bound(id, draft)) }),
        Step::Forget => Ok(Acted { persist: true, ..Acted::look_again(work.forgotten(draft)) }),
        Step::Change(changes) => work.change(changes, draft).await,
        Step::SetConsent(consent) => {
            work.api()?.set_consent(work.id()?, *consent).await?;
            work.knowing(draft, |client| client.consent = Some(*consent))
        }
        Step::Publish => {
            let at = work.api()?.publish_oauth_client(work.id()?).await?;
            work.knowing(draft, |client| client.published_at = Some(at))
        }
        Step::Reserve { issued, before } => {
            work.reserve(issued, before).await?;
            Ok(Acted::look_again(draft))
        }
        Step::Mint { former } => work.mint(former, draft).await,
        Step::NewKey { former } => work.new_key(former, draft).await,
        Step::Deliver { issued } => {
            let id = work.id()?.to_string();
            let values = work.held_values(&work.carried().map(|c| c.issued.clone()).unwrap_or_default());
            work.write_secret(&id, issued, &values, None).await?;
            Ok(Acted::look_again(draft))
        }
        Step::Discard { hint, .. } => {
            work.api()?.delete_client_secret(work.id()?, hint).await?;
            work.knowing(draft, |client| client.secrets.retain(|secret| secret.hint != *hint))
        }
        Step::Delete(id) => {
            work.api()?.delete_oauth_client(id).await?;
            let mut seen = sight.seen.clone();
            seen.client = Found::None;
            Ok(Acted { seen: Some(work.sight_of(seen)), ..Acted::look_again(draft) })
        }
    }
}

struct Work<'a> {
    object: &'a QlikOAuthClient,
    sight: &'a Sight,
    cx: &'a Context,
}

impl Work<'_> {
    fn parent(&self) -> Result<&Parent, Error> {
        self.sight.parent.as_deref().ok_or(Error::Raced)
    }

    fn api(&self) -> Result<qlik::TenantApi, Error> {
        Ok(self.parent()?.api(self.cx))
    }

    fn client(&self) -> Result<&OauthClient, Error> {
        match &self.sight.seen.client {
            Found::One(client) => Ok(client),
            Found::NotAsked | Found::None | Found::Many(_) => Err(Error::Raced),
        }
    }

    fn id(&self) -> Result<&OauthClientId, Error> {
        self.client().map(|client| &client.id)
    }

    fn uid(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    fn carried(&self) -> Option<&Carried> {
        match &self.sight.seen.secret {
            SecretSeen::Ours(carried) => Some(carried),
            _ => None,
        }
    }

    fn touch(&self) {
        self.cx.ledger.touch(&self.uid(), self.cx.clock.monotonic());
    }

    /// Writes the intent, and the finalizer with it, if nothing changed since the decision.
    async fn announce(&self) -> Result<QlikOAuthClient, Error> {
        let intent = Intent {
            step: IntentStep::Create,
            nonce: self.cx.nonce(),
            holder: self.cx.holder.clone(),
            at: self.cx.clock.now(),
            record: None,
            replaces: None,
        };
        self.cx.ledger.note(&intent.nonce, Call::NotSent);
        let text = serde_json::to_string(&intent).unwrap_or_default();
        let api = api_of(self.object, &self.cx.client);
        write::hold(&api, &self.object.metadata, CHILD_FINALIZER, json!({ INTENT: text })).await
    }

    async fn create(&self, draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        let nonce = self.sight.seen.intent.of(IntentStep::Create).ok_or(Error::Raced)?.nonce.clone();
        let key = self.key_pair().await?;
        let want = &self.sight.want;
        let new = NewOauthClient {
            app_type: want.app_type.to_owned(),
            name: want.name.clone(),
            description: want.description.clone(),
            client_uri: want.client_uri.clone(),
            logo_uri: want.logo_uri.clone(),
            redirect_uris: want.redirect_uris.clone(),
            allowed_origins: want.allowed_origins.clone(),
            scopes: want.scopes.clone(),
            grant_types: want.grant_types.clone(),
            auth_methods: want.authentication.methods().iter().map(|&method| method.to_owned()).collect(),
            public_keys: match (&want.authentication, &key) {
                (Authentication::GivenKey(jwk), _) => vec![jwk.clone()],
                (_, Some((_, jwk))) => vec![jwk.clone()],
                (Authentication::Secret | Authentication::GeneratedKey | Authentication::Public, None) => Vec::new(),
            },
            consent: want.consent,
        };
        let (api, key) = (self.api()?, key);
        self.still_the_same(&nonce).await?;
        let (client, secret) = self.announced(&nonce, api.create_oauth_client(&new)).await?;
        self.cx.ledger.made(&self.uid(), client.id.as_str());
        self.touch();
        let draft = self.bound(&client.id, draft);
        match self.deliver_first(&client, secret, key).await {
            Ok(secret) => {
                let mut seen = self.sight.seen.clone();
                seen.id = Some(client.id.clone());
                (seen.client, seen.secret, seen.rotate) = (Found::One(Box::new(client)), secret, None);
                Ok(Acted { object: None, draft, seen: Some(self.sight_of(seen)), persist: true })
            }
            Err(error) => {
                // The id must not be lost with it; a secret for it is made anew once the Secret can be written.
                tracing::warn!(client = %client.id, error = error.chain(), "the new client's Secret cannot be written yet");
                Ok(Acted { object: None, draft, seen: None, persist: true })
            }
        }
    }

    /// Writes the first Secret of a new client.
    async fn deliver_first(
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
        let values = Secrets { current, previous: None };
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
    async fn key_pair(&self) -> Result<Option<(KeyPair, Jwk)>, Error> {
        let Some(Delivery { kind: Kind::PrivateKey(algorithm), .. }) = self.sight.delivery else {
            return Ok(None);
        };
        let made = tokio::task::spawn_blocking(move || keys::generate(algorithm)).await;
        let pair = made.ok().and_then(Result::ok).ok_or(Error::Crypto)?;
        let jwk = pair.public.jwk(&pair.public.thumbprint(), algorithm).map_err(|_| Error::Crypto)?;
        Ok(Some((pair, jwk)))
    }

    async fn reserve(&self, issued: &[Issued], before: &[String]) -> Result<(), Error> {
        let minting = Minting { nonce: self.cx.nonce(), at: self.cx.clock.now(), before: before.to_vec() };
        self.cx.ledger.note(&minting.nonce, Call::NotSent);
        let id = self.id()?.to_string();
        // What a Secret for a former client says is of no more use.
        let ours = self.carried().filter(|carried| carried.client_id.as_deref() == Some(&id));
        let values = ours.map(|carried| self.held_values(&carried.issued)).unwrap_or_default();
        self.write_secret(&id, issued, &values, Some(&minting)).await.map(drop)
    }

    async fn mint(&self, former: &[Issued], draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        let carried = self.carried().ok_or(Error::Raced)?;
        let (minting, _) = carried.minting.clone().ok_or(Error::Raced)?;
        let (api, id) = (self.api()?, self.id()?);
        let held = self.held_values(&carried.issued);
        let minted = self.announced(&minting.nonce, api.mint_client_secret(id)).await?;
        self.touch();
        let made = self.issued(&minted.hint, (minted.created_at, minted.created_by), &minted.secret, None)?;
        let issued: Vec<_> = std::iter::once(made).chain(former.iter().cloned()).collect();
        let values = Secrets { current: Some(minted.secret), previous: held.current };
        self.write_secret(id.as_str(), &issued, &values, None).await?;
        Ok(Acted::look_again(draft))
    }

    /// Qlik Cloud gets the new key before the app does, so that whatever the app signs with is known there.
    async fn new_key(&self, former: &[Issued], draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        let (pair, jwk) = self.key_pair().await?.ok_or(Error::Raced)?;
        let id = self.id()?.clone();
        let keys = former.iter().filter_map(|issued| issued.jwk.clone()).chain([jwk.clone()]).collect();
        self.api()?.change_oauth_client(&id, &[OauthClientChange::PublicKeys(keys)]).await?;
        self.touch();
        let made = self.issued(&jwk.kid.clone(), (None, None), &pair.private_pem, Some(jwk))?;
        let issued: Vec<_> = std::iter::once(made).chain(former.iter().cloned()).collect();
        let values = Secrets { current: Some(pair.private_pem), previous: None };
        self.write_secret(id.as_str(), &issued, &values, None).await?;
        Ok(Acted::look_again(draft))
    }

    async fn change(&self, changes: &[OauthClientChange], draft: Draft) -> Result<Acted<QlikOAuthClient>, Error> {
        // A secret in the answer was not asked for by anybody: it is found by its hint, and goes.
        let unasked = self.api()?.change_oauth_client(self.id()?, changes).await?;
        self.touch();
        if unasked.is_some() {
            return Ok(Acted::look_again(draft));
        }
        self.knowing(draft, |client| changes.iter().for_each(|change| client.apply(change)))
    }

    /// The step's effect taken as seen: Qlik answers it with nothing. It is looked at again soon.
    fn knowing(&self, draft: Draft, change: impl FnOnce(&mut OauthClient)) -> Result<Acted<QlikOAuthClient>, Error> {
        self.touch();
        let mut client = self.client()?.clone();
        change(&mut client);
        let mut seen = self.sight.seen.clone();
        seen.client = Found::One(Box::new(client));
        Ok(Acted { seen: Some(self.sight_of(seen)), ..Acted::look_again(draft) })
    }

    fn sight_of(&self, seen: crate::plan::oauth_client::Seen) -> Box<Sight> {
        Box::new(Sight {
            want: self.sight.want.clone(),
            seen,
            parent: self.sight.parent.clone(),
            held: self.sight.held.clone(),
            delivery: self.sight.delivery.clone(),
        })
    }

    fn bound(&self, id: &OauthClientId, draft: Draft) -> Draft {
        let tenant = self.sight.parent.as_ref().map(|parent| parent.record());
        Draft { client_id: Some(id.to_string()), tenant, missing_since: None, ..draft }
    }

    fn forgotten(&self, draft: Draft) -> Draft {
        self.cx.ledger.safe(&self.uid());
        Draft { client_id: None, tenant: None, missing_since: None, published_at: None, issued: Vec::new(), ..draft }
    }

    /// The values that the Secret holds.
    fn held_values(&self, issued: &[Issued]) -> Secrets {
        let (Some(delivery), Some(held), Ok(parent)) = (&self.sight.delivery, &self.sight.held, self.parent()) else {
            return Secrets::default();
        };
        delivery.held(held, issued, &fingerprint::Key::new(&parent.credential.client_secret))
    }

    /// Writes the Secret. Tries for a while, since what it holds may exist nowhere else; over a version that somebody
    /// changed meanwhile only while it is still ours and under the same announcement.
    async fn write_secret(
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
        if minting.is_none() && values.current.is_some() {
            delivery::note_rotation(&mut content, self.sight.seen.rotate.as_ref());
        }
        let mut held = self.sight.held.as_deref().cloned();
        let announced = held.as_ref().and_then(|held| held.annotation(MINTING)).map(str::to_owned);
        let mut pause = Duration::from_millis(100);
        loop {
            let seen = (delivery.name.as_str(), held.as_ref());
            let error = match secrets::write(&self.cx.client, self.object, seen, &content).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
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
        match secrets::look(&self.cx.client, self.object, name).await {
            Ok(Target::Free) => Ok(None),
            Ok(Target::Ours(held)) if held.annotation(MINTING) == announced => Ok(Some(*held)),
            Ok(_) => Err(Error::Raced),
            Err(Error::Raced) => Err(Error::Raced),
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

    /// Makes the call that was announced, and remembers what is known of it from before it is sent.
    async fn announced<T>(
        &self,
        nonce: &str,
        call: impl Future<Output = Result<T, qlik::Error>> + Send,
    ) -> Result<T, Error> {
        self.cx.ledger.note(nonce, Call::Unknown);
        let outcome = call.await;
        match &outcome {
            Ok(_) => self.cx.ledger.note(nonce, Call::Closed),
            Err(error) if error.effect() == Effect::None => self.cx.ledger.note(nonce, Call::NoEffect),
            Err(_) => {}
        }
        outcome.map_err(Error::from)
    }

    /// Reads the object live and compares it with the one that was decided on.
    async fn still_the_same(&self, nonce: &str) -> Result<(), Error> {
        let api = api_of(self.object, &self.cx.client);
        let live = within("read the object once more", api.get(&self.object.name_any())).await?;
        let annotation = live.annotations().get(INTENT).map(String::as_str);
        let announced = matches!(IntentSeen::read(annotation, |_| Call::Unknown),
            IntentSeen::Found { intent, .. } if intent.nonce == nonce);
        let same = live.uid() == self.object.uid()
            && live.metadata.generation == self.object.metadata.generation
            && live.metadata.deletion_timestamp.is_none();
        if announced && same && !live.spec.suspend { Ok(()) } else { Err(Error::Raced) }
    }
}

const WRITE_LONGEST: Duration = Duration::from_secs(4);
