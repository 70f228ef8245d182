//! The steps of an identity provider that are kept in Kubernetes: the announcement, the Secret, and what the status knows.
//! Those that call Qlik Cloud are in `calls`.

use super::super::fence;
use super::super::parent::Parent;
use super::keyring::{self, Keyring, Pairs, PrivateKey};
use super::{Sight, observe};
use crate::crd::{CHILD_FINALIZER, QlikIdentityProvider, QlikIdentityProviderStatus, RetiringProvider};
use crate::crd::{IssuedSecret, SuccessorProvider, whole_seconds};
use crate::engine::{Acted, Context, Error, api_of, write};
use crate::keys;
use crate::plan::identity_provider::Step;
use crate::plan::intent::IntentStep;
use crate::qlik::{IdentityProvider, ProviderId};
use crate::secrets;
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;

pub(super) type Draft = QlikIdentityProviderStatus;
pub(super) type Outcome = Result<Acted<QlikIdentityProvider>, Error>;

pub(super) async fn act(
    object: &QlikIdentityProvider,
    step: &Step,
    sight: Box<Sight>,
    (draft, cx): (Draft, &Context),
) -> Outcome {
    let work = Work { object, sight: &sight, cx };
    match step {
        Step::Hold => {
            let held = write::hold(&api_of(object, &cx.client), &object.metadata, CHILD_FINALIZER, json!({})).await?;
            Ok(Acted::wrote(held, draft))
        }
        Step::Announce => Ok(Acted::wrote(work.announce().await?, draft)),
        Step::NewKey | Step::StageKey | Step::PromoteKey | Step::WriteSecret => work.write_secret(step, draft).await,
        Step::Create { role, kid } => work.create(*role, kid.as_deref(), draft).await,
        Step::Bind(id) => work.noted(bound(id, draft)),
        Step::Adopt(id) => work.noted(adopted(id, draft)),
        Step::Retire(id, at) => work.noted(retiring(work.provider(id)?, *at, draft)),
        Step::Forget => work.noted(work.forgotten(draft)),
        Step::Succeed(at) => work.noted(work.succeeded(*at, draft)?),
        Step::Change(id, changes) => work.change(id, changes, draft).await,
        Step::Promote(id, version) => work.promote(id, version.as_deref(), draft).await,
        Step::Switch { from, to } => work.switch(from, to, draft).await,
        Step::Delete(id) => work.delete(id, draft).await,
    }
}

pub(super) struct Work<'a> {
    pub(super) object: &'a QlikIdentityProvider,
    pub(super) sight: &'a Sight,
    pub(super) cx: &'a Context,
}

/// A provider that was found is the one in use: what was written to it is not known, except where it was to take over.
fn bound(id: &ProviderId, draft: Draft) -> Draft {
    let was_successor = draft.successor.clone().filter(|successor| successor.id == id.as_str());
    let fingerprint = was_successor.as_ref().and_then(|successor| successor.fingerprint.clone());
    let key_id = was_successor.as_ref().and_then(|successor| successor.key_id.clone());
    Draft {
        provider_id: Some(id.to_string()),
        key_id,
        active: None,
        fingerprint,
        successor: draft.successor.clone().filter(|_| was_successor.is_none()),
        retiring: without(&draft, id),
        ..draft
    }
}

fn adopted(id: &ProviderId, draft: Draft) -> Draft {
    let key_id = draft.retiring.iter().find(|one| one.id == id.as_str()).and_then(|one| one.key_id.clone());
    let successor = Some(SuccessorProvider { id: id.to_string(), fingerprint: None, key_id });
    Draft { successor, retiring: without(&draft, id), ..draft }
}

fn retiring(provider: &IdentityProvider, at: Timestamp, mut draft: Draft) -> Draft {
    let (id, key_id) = (provider.id.to_string(), provider.kid().map(str::to_owned));
    draft.successor.take_if(|successor| successor.id == id);
    draft.retiring.push(RetiringProvider { id, retires_at: whole_seconds(at), key_id });
    draft
}

fn without(draft: &Draft, id: &ProviderId) -> Vec<RetiringProvider> {
    draft.retiring.iter().filter(|one| one.id != id.as_str()).cloned().collect()
}

impl Work<'_> {
    pub(super) fn parent(&self) -> Result<&Parent, Error> {
        self.sight.parent.as_deref().ok_or(Error::Raced)
    }

    pub(super) fn uid(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    pub(super) fn touch(&self) {
        self.cx.ledger.touch(&self.uid(), self.cx.clock.monotonic());
    }

    /// A change that others of the tenant have to know of: a login that goes or comes, a name that is free again.
    pub(super) fn touch_all(&self) -> Result<(), Error> {
        self.touch();
        self.cx.ledger.touch(&observe::shared_by(self.parent()?), self.cx.clock.monotonic());
        Ok(())
    }

    pub(super) fn provider(&self, id: &ProviderId) -> Result<&IdentityProvider, Error> {
        self.sight.seen.provider(Some(id)).ok_or(Error::Raced)
    }

    /// Writes the intent, and the finalizer with it, if nothing changed since the decision.
    async fn announce(&self) -> Result<QlikIdentityProvider, Error> {
        fence::take_turn(self.object, self.api()?.pay_for_write(), self.cx).await?;
        fence::announce(self.object, CHILD_FINALIZER, &fence::intent(IntentStep::Create, self.cx), self.cx).await
    }

    /// What is known after a step without looking again.
    pub(super) fn knowing(&self, draft: Draft, change: impl FnOnce(&mut Vec<IdentityProvider>)) -> Outcome {
        let mut seen = self.sight.seen.clone();
        change(&mut seen.mine);
        let mut sight = observe::after(Sight { seen, ..self.sight.clone() }, &draft)?;
        sight.seen.written.unseen = self.cx.ledger.unseen(&self.uid());
        Ok(Acted { object: None, draft, seen: Some(Box::new(sight)), persist: false })
    }

    /// The same, where only the status changed. What a Secret should say depends on it, so one is read again.
    fn noted(&self, draft: Draft) -> Outcome {
        if self.sight.keyring.is_some() {
            return Ok(Acted::look_again(draft));
        }
        self.knowing(draft, |_| {})
    }

    /// Gives up what is gone. The tenant may be another one now: then nothing of the former one is left to be known.
    fn forgotten(&self, draft: Draft) -> Draft {
        self.cx.ledger.safe(&self.uid());
        let here = self.sight.parent.as_ref().map(|parent| parent.id.to_string());
        let moved = draft.tenant.as_ref().map(|tenant| tenant.id.clone()) != here;
        let draft = Draft { provider_id: None, key_id: None, fingerprint: None, not_compared: Vec::new(), ..draft };
        if !moved {
            return draft;
        }
        Draft { tenant: None, successor: None, retiring: Vec::new(), verification: None, active: None, ..draft }
    }

    /// The former provider goes at `at`; until then its key works.
    fn succeeded(&self, at: Timestamp, mut draft: Draft) -> Result<Draft, Error> {
        let successor = draft.successor.take().ok_or(Error::Raced)?;
        if let Some(former) = draft.provider_id.take() {
            draft.retiring.push(RetiringProvider {
                id: former,
                retires_at: whole_seconds(at),
                key_id: draft.key_id.take(),
            });
        }
        (draft.provider_id, draft.fingerprint) = (Some(successor.id), successor.fingerprint);
        draft.key_id = successor.key_id;
        // The key in use has been so from now on.
        let kid = self.sight.seen.successor().and_then(IdentityProvider::kid);
        if let Some(kid) = kid.filter(|kid| draft.keys.iter().all(|key| key.id != *kid)) {
            let now = whole_seconds(self.cx.clock.now());
            draft.keys.insert(0, IssuedSecret { id: kid.to_owned(), created_at: now, retires_at: None });
        }
        Ok(draft)
    }

    /// Writes the Secret, if nobody changed it since the decision.
    async fn write_secret(&self, step: &Step, draft: Draft) -> Outcome {
        let keyring = self.sight.keyring.as_ref().ok_or(Error::Raced)?;
        let held = self.sight.held.as_deref();
        let there = held.map(|held| keyring.pairs(held)).unwrap_or_default();
        let pairs = match step {
            Step::NewKey => Pairs { current: Some(new_key(keyring).await?), staged: None },
            Step::StageKey => Pairs { current: there.current, staged: Some(new_key(keyring).await?) },
            Step::PromoteKey => Pairs { current: there.staged, staged: None },
            _ => there,
        };
        // With a new key comes what is declared now; as long as the former one is in the Secret, so is its issuer.
        let issuer = match step {
            Step::NewKey | Step::PromoteKey => self.sight.want.issuer().to_owned(),
            _ => observe::issuer_in_use(&self.sight.want, &self.sight.seen),
        };
        let mut content = keyring.content(self.parent()?, &issuer, &pairs)?;
        if matches!(step, Step::NewKey | Step::StageKey) {
            keyring::note_rotation(&mut content, self.sight.seen.rotate.as_ref());
        }
        secrets::write(&self.cx.client, self.object, (&keyring.name, held), &content).await?;
        Ok(Acted::look_again(draft))
    }
}

async fn new_key(keyring: &Keyring) -> Result<PrivateKey, Error> {
    let algorithm = keyring.algorithm.into();
    let made = tokio::task::spawn_blocking(move || keys::generate(algorithm)).await;
    let pair = made.ok().and_then(Result::ok).ok_or(Error::Crypto)?;
    Ok(PrivateKey { private: pair.private_pem, public: pair.public })
}
