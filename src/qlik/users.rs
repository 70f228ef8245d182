//! Users of a tenant.

use http::Method;
use serde_json::Value;
use url::Url;

use super::call::Call;
use super::error::Error;
use super::ids::is_opaque;
use super::tenants::TenantApi;

const PATH: &str = "/api/v1/users/";
const ME: &str = "me";

impl TenantApi {
    /// The id of the user that the credential acts as, `None` when the answer does not say. Qlik answers with a
    /// redirect to the user, which is read and not followed; where something in front of Qlik follows it, the user
    /// comes back.
    pub async fn my_user_id(&self) -> Result<Option<String>, Error> {
        let call = Call::new("users.me", Method::GET, format!("{PATH}{ME}")).redirect_answers();
        let answer = self.session.call(&call).await?;
        if (200..300).contains(&answer.status) {
            let user: Value = answer.json()?;
            return Ok(user.get("id").and_then(Value::as_str).filter(|id| is_opaque(id, 64)).map(str::to_owned));
        }
        // A redirect to anywhere else, such as to the login page of a proxy, is no answer of Qlik's.
        let elsewhere = Error::Redirected { host: answer.host.clone(), status: answer.status };
        answer.header("location").and_then(|to| redirected_to(to, PATH)).map(Some).ok_or(elsewhere)
    }
}

/// The id of what is meant by `me` below this path, by the address that Qlik redirects to.
pub(super) fn redirected_to(location: &str, path: &str) -> Option<String> {
    let url = Url::parse(&format!("https://localhost{path}{ME}")).ok()?.join(location).ok()?;
    let id = url.path().strip_prefix(path)?;
    (is_opaque(id, 64) && id != ME).then(|| id.to_owned())
}
