//! OAuth clients of a tenant: the clients, their secrets, and the consent of the tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Call;
use super::error::Error;
use super::ids::{OauthClientId, is_opaque};
use super::oauth_client::{
    Consent, MintedSecret, NewOauthClient, OauthClient, OauthClientChange, SecretHint, take_secret, text, when,
};
use super::paging::{Page, every_page, next_query};
use super::secret::Secret;
use super::tenants::TenantApi;
use super::transport::Answer;

const PATH: &str = "/api/v1/oauth-clients";

fn call(api: &'static str, method: Method, of: impl fmt::Display) -> Call {
    Call::new(api, method, format!("{PATH}/{of}"))
}

/// Whether Qlik says that a thing is not there. Its errors have codes; a bare 404 comes from somebody who stands in
/// front of it and says nothing of the thing.
pub(super) fn is_absent(error: &Error) -> bool {
    matches!(error, Error::NotFound(reply) if reply.code.is_some())
}

/// The outcome of a deletion: what is not there is as good as deleted.
pub(super) fn deleted(outcome: Result<Answer, Error>) -> Result<(), Error> {
    match outcome {
        Ok(answer) => answer.optional_json().map(drop),
        Err(error) if is_absent(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

impl TenantApi {
    /// Makes sure that the credentials are accepted, and takes the turn of one write, before anything is announced that
    /// depends on them: an announcement that has to wait runs out, and is written again.
    pub async fn pay_for_write(&self) -> Result<(), Error> {
        self.session.pay_for_write().await
    }

    /// All OAuth clients that the tenant has.
    pub async fn oauth_clients(&self) -> Result<Vec<OauthClient>, Error> {
        let list = ("oauth_clients.list", PATH);
        let clients = every_page(&self.session, list, "limit=100".to_owned(), read_page).await?;
        Ok(clients.into_iter().flatten().collect())
    }

    /// All OAuth clients as they were at `newer_than` (monotonic time) or later. All who ask share one list.
    pub async fn recent_oauth_clients(&self, newer_than: Duration) -> Result<Arc<Vec<OauthClient>>, Error> {
        let (recent, key) = self.session.clients();
        let api = self.clone();
        recent.get(key, newer_than, || async move { api.oauth_clients().await }.boxed()).await
    }

    /// The same, if it is at hand without a call.
    pub fn oauth_clients_at_hand(&self, newer_than: Duration) -> Option<Arc<Vec<OauthClient>>> {
        let (recent, key) = self.session.clients();
        recent.at_hand(&key, newer_than)
    }

    /// The client of this id, `None` when Qlik says that there is none.
    pub async fn oauth_client(&self, id: &OauthClientId) -> Result<Option<OauthClient>, Error> {
        let answer = match self.session.call(&call("oauth_clients.get", Method::GET, id)).await {
            Ok(answer) => answer,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let client = read_client(&answer, &answer.json()?)?;
        if client.as_ref().is_some_and(|client| client.id != *id) {
            return Err(answer.malformed("it is of another client"));
        }
        Ok(client)
    }

    /// Makes a client. Qlik Cloud knows no idempotency key: a second call makes a second one. Only a client that proves
    /// itself by a secret gets one, and it is shown this once. `paid` says that its turn was taken by
    /// [`Self::pay_for_write`].
    pub async fn create_oauth_client(
        &self,
        new: &NewOauthClient,
        paid: bool,
    ) -> Result<(OauthClient, Option<Secret>), Error> {
        let call = Call::new("oauth_clients.create", Method::POST, PATH).json(new)?.with_turn(paid);
        let answer = self.session.call(&call).await?;
        let mut body = answer.json()?;
        let secret = take_secret(&mut body);
        let client = read_client(&answer, &body)?.ok_or_else(|| answer.malformed("the new client is deleted"))?;
        Ok((client, secret))
    }

    /// Changes a client, all changes in one call; without any there is no call. Where the change made Qlik generate a
    /// secret, it is given back: it is shown this once.
    pub async fn change_oauth_client(
        &self,
        id: &OauthClientId,
        changes: &[OauthClientChange],
    ) -> Result<Option<Secret>, Error> {
        if changes.is_empty() {
            return Ok(None);
        }
        let operations: Vec<Value> = changes.iter().map(OauthClientChange::operation).collect();
        let call = call("oauth_clients.patch", Method::PATCH, id).json(&operations)?;
        Ok(take_secret(&mut self.session.call(&call).await?.optional_json()?))
    }

    /// What this tenant says about consent to a client; `None` when it has no configuration for it.
    pub async fn consent(&self, id: &OauthClientId) -> Result<Option<Consent>, Error> {
        let call = call("oauth_clients.connection", Method::GET, format_args!("{id}/connection-configs/me"));
        match self.session.call(&call).await {
            Ok(answer) => Ok(Consent::read(answer.json::<Value>()?.get("consentMethod"))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Says whether users of this tenant have to consent to a client; `false` when Qlik has no configuration to change.
    pub async fn set_consent(&self, id: &OauthClientId, consent: Consent) -> Result<bool, Error> {
        let operations = json!([{ "op": "replace", "path": "/consentMethod", "value": consent.name() }]);
        let call = call("oauth_clients.consent", Method::PATCH, format_args!("{id}/connection-configs/me"))
            .json(&operations)?;
        match self.session.call(&call).await {
            Ok(answer) => answer.optional_json().map(|_| true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Lets all tenants of the region use a client; it cannot be taken back. Since when they may.
    pub async fn publish_oauth_client(&self, id: &OauthClientId) -> Result<Timestamp, Error> {
        let call = call("oauth_clients.publish", Method::POST, format_args!("{id}/actions/publish"));
        let answer = self.session.call(&call).await?;
        when(&answer.json()?, "publishedAt").ok_or_else(|| answer.malformed("its date of publishing is no date"))
    }

    /// Deletes a client, with its secrets. One that is not there is as good as deleted.
    pub async fn delete_oauth_client(&self, id: &OauthClientId) -> Result<(), Error> {
        let call = call("oauth_clients.delete", Method::DELETE, id).header("qlik-confirm-delete", id.as_str())?;
        deleted(self.session.call(&call).await)
    }

    /// Makes one more secret. A client has at most five: then the error is [`Error::Refused`] with the status 409, of
    /// the class `Conflict`, and one has to go first.
    pub async fn mint_client_secret(&self, id: &OauthClientId) -> Result<MintedSecret, Error> {
        let call = call("oauth_clients.mint_secret", Method::POST, format_args!("{id}/client-secrets"));
        let answer = self.session.call(&call).await?;
        let mut body: Value = answer.json()?;
        let secret = take_secret(&mut body).ok_or_else(|| answer.malformed("it has no secret"))?;
        if text(&body, "clientId").is_some_and(|other| other != id.as_str()) {
            return Err(answer.malformed("it is of another client"));
        }
        let SecretHint { hint, created_at, created_by } = SecretHint::read(&body);
        if hint.is_empty() {
            return Err(answer.malformed("its secret has no hint"));
        }
        Ok(MintedSecret { hint, secret, created_at, created_by })
    }

    /// Deletes the secret with this hint. One that is not there is as good as deleted.
    pub async fn delete_client_secret(&self, id: &OauthClientId, hint: &str) -> Result<(), Error> {
        if !is_opaque(hint, 64) {
            return Err(Error::Setting { what: "the hint of a client secret", source: None });
        }
        let call = call("oauth_clients.delete_secret", Method::DELETE, format_args!("{id}/client-secrets/{hint}"));
        deleted(self.session.call(&call).await)
    }
}

fn read_client(answer: &Answer, body: &Value) -> Result<Option<OauthClient>, Error> {
    OauthClient::read(body).map_err(|reason| answer.malformed(reason))
}

/// One page; a client that is deleted is `None`.
fn read_page(answer: &Answer) -> Result<Page<Option<OauthClient>>, Error> {
    let body: Value = answer.json()?;
    let items =
        body.get("data").and_then(Value::as_array).ok_or_else(|| answer.malformed("it is no list of clients"))?;
    let clients = items.iter().map(|item| read_client(answer, item)).collect::<Result<_, _>>()?;
    Ok((clients, next_query(answer, &body)?))
}
