//! Identity providers of a tenant.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use http::Method;
use serde_json::Value;

use super::call::Call;
use super::error::Error;
use super::identity_provider::{IdentityProvider, NewIdentityProvider, Options, ProviderChange, Sighting};
use super::ids::ProviderId;
use super::oauth_clients::{deleted, is_absent};
use super::paging::{Page, every_page, next_query};
use super::tenants::TenantApi;
use super::transport::Answer;

const PATH: &str = "/api/v1/identity-providers";
/// A page of a hundred would be allowed; providers with many certificates would make it too large an answer.
const PAGE: &str = "limit=50";
/// The version of a provider's pending options.
const VERSION: &str = "qlik-idp-popts";
/// Makes a change depend on that version.
const VERSION_MATCH: &str = "qlik-idp-popts-match";

fn call(api: &'static str, method: Method, of: impl fmt::Display) -> Call {
    Call::new(api, method, format!("{PATH}/{of}"))
}

impl TenantApi {
    /// All identity providers that the tenant has; whether the login with a Qlik Account is one of them, Qlik's
    /// reference does not say.
    pub async fn identity_providers(&self) -> Result<Vec<IdentityProvider>, Error> {
        every_page(&self.session, ("identity_providers.list", PATH), PAGE.to_owned(), read_page).await
    }

    /// The same as it was at `newer_than` (monotonic time) or later: asked for once by all who need it at that time.
    pub async fn recent_identity_providers(&self, newer_than: Duration) -> Result<Arc<Vec<IdentityProvider>>, Error> {
        let (recent, key) = self.session.providers();
        let api = self.clone();
        recent.get(key, newer_than, || async move { api.identity_providers().await }.boxed()).await
    }

    /// The provider of this id, `None` when Qlik says that there is none.
    pub async fn identity_provider(&self, id: &ProviderId) -> Result<Option<Sighting>, Error> {
        let answer = match self.session.call(&call("identity_providers.get", Method::GET, id)).await {
            Ok(answer) => answer,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let sighting = sighting(&answer)?;
        if sighting.provider.id == *id {
            Ok(Some(sighting))
        } else {
            Err(answer.malformed("it is of another provider"))
        }
    }

    /// Makes a provider. Qlik Cloud knows no idempotency key: a second call makes a second one. `paid` says that its turn was
    /// taken by [`Self::pay_for_write`].
    pub async fn create_identity_provider(&self, new: &NewIdentityProvider, paid: bool) -> Result<Sighting, Error> {
        let call = Call::new("identity_providers.create", Method::POST, PATH).json(new)?.with_turn(paid);
        let call = hiding(call, new.options.iter().chain(&new.pending_options));
        sighting(&self.session.call(&call).await?)
    }

    /// Changes a provider, all changes in one call; without any there is no call. With `version`, only while its pending
    /// options are of that version: else the error is [`Error::PreconditionFailed`].
    pub async fn change_identity_provider(
        &self,
        id: &ProviderId,
        changes: &[ProviderChange],
        version: Option<&str>,
    ) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut call = call("identity_providers.patch", Method::PATCH, id).json(&changes)?;
        call = hiding(call, changes.iter().filter_map(ProviderChange::options));
        if let Some(version) = version {
            call = call.header(VERSION_MATCH, version)?;
        }
        self.session.call(&call).await?.optional_json().map(drop)
    }

    /// Deletes a provider. One that is not there is as good as deleted.
    pub async fn delete_identity_provider(&self, id: &ProviderId) -> Result<(), Error> {
        deleted(self.session.call(&call("identity_providers.delete", Method::DELETE, id)).await)
    }
}

/// Client secrets are of others' making and may be short.
fn hiding<'a>(call: Call, options: impl Iterator<Item = &'a Options>) -> Call {
    options.filter_map(|options| options.client_secret.as_ref()).fold(call, Call::hiding)
}

fn sighting(answer: &Answer) -> Result<Sighting, Error> {
    let provider = IdentityProvider::read(&answer.json()?).map_err(|reason| answer.malformed(reason))?;
    Ok(Sighting { provider, version: answer.header(VERSION).map(str::to_owned) })
}

fn read_page(answer: &Answer) -> Result<Page<IdentityProvider>, Error> {
    let body: Value = answer.json()?;
    let items =
        body.get("data").and_then(Value::as_array).ok_or_else(|| answer.malformed("it is no list of providers"))?;
    let read = |item| IdentityProvider::read(item).map_err(|reason| answer.malformed(reason));
    let providers = items.iter().map(read).collect::<Result<_, _>>()?;
    Ok((providers, next_query(answer, &body)?))
}
