//! An app that runs all the while, and somebody who believes what the object says.

use e2e::app::{App, As, Error as Refusal, Given};
use e2e::process::interval;
use e2e::stage::{Error, Inside, Stage};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use qlik_operator::crd::QlikOAuthClient;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(100);

/// Watches one client.
pub(crate) struct Customer<'a> {
    stage: &'a Stage,
    app: App<'a>,
    human: Mutex<Human>,
    calls: AtomicUsize,
}

/// What a human did, for which nothing and nobody can be blamed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Human {
    /// Nothing.
    #[default]
    Idle,
    /// The Secret was taken away, and a pass was asked for under this word.
    TookSecret(&'static str),
    /// The Secret was taken away while nobody looked.
    TookName,
    /// The object was deleted.
    Deleted,
}

impl<'a> Customer<'a> {
    pub(crate) fn new(stage: &'a Stage) -> Result<Self, Error> {
        Ok(Self { stage, app: App::new(&stage.sim)?, human: Mutex::default(), calls: AtomicUsize::new(0) })
    }

    /// Says what a human is about to do.
    pub(crate) fn tell(&self, human: Human) {
        if let Ok(mut now) = self.human.lock() {
            *now = human;
        }
    }

    fn human(&self) -> Human {
        self.human.lock().map(|human| human.clone()).unwrap_or_default()
    }

    /// How often the app called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Runs until something is so that must never be.
    pub(crate) async fn watch(&self) -> Error {
        let mut again = interval(EVERY);
        let mut mine = None;
        loop {
            again.tick().await;
            if let Err(error) = self.look(&mut mine).await {
                return error;
            }
        }
    }

    async fn look(&self, mine: &mut Option<Given>) -> Result<(), Error> {
        if self.human() == Human::Deleted {
            return Ok(());
        }
        self.believe().await?;
        let Some(given) = mine else {
            *mine = self.first().await?;
            return Ok(());
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(refused) = self.refused(given).await? else { return Ok(()) };
        let Some(fresh) = self.read().await? else { return Ok(()) };
        let again = self.refused(&fresh).await?;
        // It may have been told to in between.
        if again.is_none() || self.human() != Human::Idle {
            *mine = Some(fresh);
            return Ok(());
        }
        Err(format!("the app was refused with what it had ({refused}) and with what it read then ({again:?})").into())
    }

    /// The first Secret that is said to work.
    async fn first(&self) -> Result<Option<Given>, Error> {
        let object = self.stage.clients().get_opt("app").await?;
        if object.is_some_and(|object| object.is_ready()) { self.read().await } else { Ok(None) }
    }

    /// Whenever the object says that it is ready, its Secret works.
    async fn believe(&self) -> Result<(), Error> {
        let ready = async || Ok::<_, Error>(self.stage.clients().get_opt("app").await?.filter(|o| self.counts(o)));
        let Some(before) = ready().await? else { return Ok(()) };
        let given = self.read().await?;
        let refused = match &given {
            Some(given) => self.refused(given).await?,
            None => Some("there is no Secret".to_owned()),
        };
        let Some(refused) = refused else { return Ok(()) };
        // What was read one after the other must have been so at one time.
        let same = |after: &QlikOAuthClient| after.metadata.resource_version == before.metadata.resource_version;
        if ready().await?.is_some_and(|after| same(&after)) && self.read().await? == given {
            return Err(format!("ready without a Secret that works: {refused}; {:#}", before.shown()).into());
        }
        Ok(())
    }

    /// Whether it is ready, and that word counts.
    fn counts(&self, object: &QlikOAuthClient) -> bool {
        let handled = object.status.as_ref().and_then(|status| status.last_handled_reconcile_at.as_deref());
        let counts = match self.human() {
            Human::Idle => true,
            Human::TookSecret(word) => handled == Some(word),
            Human::TookName | Human::Deleted => false,
        };
        counts && object.is_ready() && object.metadata.deletion_timestamp.is_none()
    }

    async fn read(&self) -> Result<Option<Given>, Error> {
        let secrets = Api::<Secret>::namespaced(self.stage.admin(), self.stage.ns());
        let Some(secret) = secrets.get_opt("app").await? else { return Ok(None) };
        let text = |(key, value): (String, k8s_openapi::ByteString)| Ok((key, String::from_utf8(value.0)?));
        secret.data.unwrap_or_default().into_iter().map(text).collect::<Result<Given, Error>>().map(Some)
    }

    async fn refused(&self, given: &Given) -> Result<Option<String>, Error> {
        match self.app.token(given, As::Itself).await {
            Ok(_) => Ok(None),
            Err(error @ (Refusal::Refused { status: 400 | 401, .. } | Refusal::Missing(_))) => {
                Ok(Some(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}
