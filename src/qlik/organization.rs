//! The organization API: a read-only list of all tenants of an organization, the disabled ones too.

use http::Method;
use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use super::call::Call;
use super::cloud::Session;
use super::envelope::tame;
use super::error::Error;
use super::ids::{Hostname, Hosts, Region, TenantId};
use super::paging::{Page, every_page, next_query};
use super::tenants::{exact_instant, instant};
use super::transport::Answer;

const PATH: &str = "/api/core/tenants";

/// What the organization API says of a tenant's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrgStatus {
    /// In use.
    Active,
    /// Disabled; Qlik's pages do not say how it differs from deactivated.
    Disabled,
    /// Deactivated, to be purged.
    Deactivated,
    /// Purged.
    Deleted,
    /// A state that is not in Qlik's reference, or none.
    Other(String),
}

/// A tenant as the organization API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgTenant {
    /// Its id.
    pub id: TenantId,
    /// Its display name.
    pub name: String,
    /// Its state.
    pub status: OrgStatus,
    /// The system-generated hostname, then the alias; it ends before the first that is no hostname.
    pub hostnames: Vec<Hostname>,
    /// When it was created, where given.
    pub created_at: Option<Timestamp>,
    /// When it was last changed, where given.
    pub updated_at: Option<Timestamp>,
    /// The data centre, such as `us-east-1`. Not a [`Region`]: Qlik's pages contradict each other on `ap` and `sg`.
    pub region_code: Option<String>,
    /// The licence it belongs to, where given.
    pub license_number: Option<String>,
    /// When its deletion starts, where given.
    pub deletion_starts_at: Option<Timestamp>,
}

/// The organization API at the console host.
#[derive(Clone)]
pub struct Organization {
    session: Session,
    hosts: Hosts,
}

impl Organization {
    pub(super) fn new(session: Session, hosts: Hosts) -> Self {
        Self { session, hosts }
    }

    /// The tenant of this id, `None` when the organization has none. Asked by path: Qlik's page says that a filter must
    /// name the subscription.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<OrgTenant>, Error> {
        let call = Call::new("organization.tenant", Method::GET, format!("{PATH}/{id}"));
        match self.session.call(&call).await {
            Ok(answer) => Ok(read_page(&answer)?.0.into_iter().find(|tenant| tenant.id == *id)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tenants of a region created at or after `since`, of one subscription if given: for finding a tenant whose
    /// creation was never answered. Where Qlik Cloud does not give what is compared, the tenant is in the list, so that
    /// a list of one is certain.
    pub async fn created_since(
        &self,
        subscription: Option<&str>,
        since: Timestamp,
        region: Region,
    ) -> Result<Vec<OrgTenant>, Error> {
        // A filter must name the subscription; without one everything is listed and sorted out here.
        let mut filter = None;
        if let Some(subscription) = subscription {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if subscription.is_empty() || !subscription.bytes().all(plain) {
                return Err(Error::Setting { what: "a subscription id", source: None });
            }
            filter = Some(format!("subscriptionId eq \"{subscription}\" and createdAt ge \"{since}\""));
        }
        let mut tenants = self.list(filter.as_deref()).await?;
        tenants.retain(|tenant| {
            let elsewhere = |hostname: &Hostname| self.hosts.tenant(hostname, region).is_err();
            let is_elsewhere = !tenant.hostnames.is_empty() && tenant.hostnames.iter().all(elsewhere);
            tenant.created_at.is_none_or(|created| created >= since) && !is_elsewhere
        });
        Ok(tenants)
    }

    async fn list(&self, filter: Option<&str>) -> Result<Vec<OrgTenant>, Error> {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(filter.map(|filter| ("filter", filter)))
            .append_pair("limit", "100")
            .finish();
        every_page(&self.session, ("organization.tenants", PATH), query, read_page).await
    }
}

/// One page and the query of the next one. List-shaped and object-shaped answers are both in Qlik's reference.
fn read_page(answer: &Answer) -> Result<Page<OrgTenant>, Error> {
    let body: Value = answer.json()?;
    let items = match (body.get("data"), &body) {
        (Some(Value::Array(items)), _) | (None, Value::Array(items)) => items.as_slice(),
        (Some(one @ Value::Object(_)), _) => std::slice::from_ref(one),
        (None, one) if one.get("id").is_some() => std::slice::from_ref(one),
        (Some(_) | None, _) => return Err(answer.malformed("it is no list of tenants")),
    };
    let read = |item| read_tenant(item).ok_or_else(|| answer.malformed("it lists a tenant without an id"));
    let tenants = items.iter().map(read).collect::<Result<_, _>>()?;
    Ok((tenants, next_query(answer, &body)?))
}

fn read_tenant(item: &Value) -> Option<OrgTenant> {
    let text = |field| item.get(field).and_then(Value::as_str).map(str::to_owned);
    let when = |field| item.get(field).and_then(Value::as_str).and_then(instant);
    let listed = item.get("hostnames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(OrgTenant {
        id: TenantId::try_from(text("id")?).ok()?,
        name: text("name").unwrap_or_default(),
        status: match text("status").as_deref() {
            Some("active") => OrgStatus::Active,
            Some("disabled") => OrgStatus::Disabled,
            Some("deactivated") => OrgStatus::Deactivated,
            Some("deleted") => OrgStatus::Deleted,
            other => OrgStatus::Other(tame(other.unwrap_or_default())),
        },
        hostnames: listed.iter().map_while(|name| name.as_str()?.parse().ok()).collect(),
        // A bare date does not tell whether a tenant was made before or after a call.
        created_at: text("createdAt").as_deref().and_then(exact_instant),
        updated_at: when("updatedAt"),
        region_code: text("regionCode"),
        license_number: text("licenseNumber"),
        deletion_starts_at: when("deletionStartsAt"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Server, answer, at, credential, is_token, tenant_id, token};
    use super::*;

    const ACME: &str = r#"{"id":"TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69","status":"deactivated","licenseNumber":"99",
        "hostnames":["acme.us.qlikcloud.com"],"createdAt":"2026-11-24T11:00:00Z","deletionStartsAt":"2026-12-24"}"#;

    /// `pages` from the query of a request to the answer's status and body.
    async fn server(pages: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> Server {
        Server::start(move |request| {
            if is_token(request) {
                return token("t");
            }
            let (status, body) = pages(request.uri().path(), request.uri().query().unwrap_or_default());
            answer(status, &body)
        })
        .await
    }

    #[tokio::test]
    async fn finds_a_tenant_whatever_the_shape() {
        for body in [format!(r#"{{"data":[{ACME}],"links":{{"next":{{"href":null}}}}}}"#), ACME.to_owned()] {
            let server = server(move |path, _| {
                assert_eq!(path, format!("{PATH}/TiQ8GPVr8qI714Lp5ChAAFFaU24MJy69"));
                (200, body.clone())
            })
            .await;
            let found = server.cloud().organization(&credential()).tenant(&tenant_id()).await.unwrap().unwrap();
            assert_eq!(found.status, OrgStatus::Deactivated);
            assert_eq!(found.license_number.as_deref(), Some("99"));
            assert_eq!(found.deletion_starts_at, Some(at("2026-12-24T00:00:00Z")));
        }
    }

    #[tokio::test]
    async fn a_tenant_that_is_not_there_is_none_and_a_failure_is_not() {
        let server = server(|_, _| (404, String::new())).await;
        assert_eq!(server.cloud().organization(&credential()).tenant(&tenant_id()).await.unwrap(), None);
        let broken = self::server(|_, _| (503, String::new())).await;
        assert!(broken.cloud().organization(&credential()).tenant(&tenant_id()).await.is_err());
    }

    #[tokio::test]
    async fn follows_the_cursor_but_not_the_host() {
        let server = server(|_, query| {
            if query == "offset=2" {
                return (200, format!(r#"{{"data":[{ACME}],"links":{{}}}}"#));
            }
            let next = r#"{"next":{"href":"https://api.qlikcloud.com/core/tenants?offset=2"}}"#;
            (200, format!(r#"{{"data":[{{"id":"other"}}],"links":{next}}}"#))
        })
        .await;
        let organization = server.cloud().organization(&credential());
        let all = organization.created_since(None, Timestamp::UNIX_EPOCH, Region::Us).await.unwrap();
        assert_eq!(all.len(), 2);
    }

    #[tokio::test]
    async fn a_list_that_does_not_end_is_no_list() {
        let server = server(|_, _| (200, r#"{"data":[],"links":{"next":{"href":"?next=again"}}}"#.to_owned())).await;
        let organization = server.cloud().organization(&credential());
        let error = organization.created_since(None, Timestamp::UNIX_EPOCH, Region::Us).await.unwrap_err();
        assert_eq!(error.label(), "malformed");
        assert_eq!(server.journal().len(), 3, "the token, the first page, the second; not the third");
    }

    #[tokio::test]
    async fn candidates_for_a_lost_creation() {
        let server = server(|_, query| {
            assert!(
                query.contains("subscriptionId+eq+%22s1%22+and+createdAt+ge+%222026-11-24T10%3A00%3A00Z%22"),
                "{query}"
            );
            let early = r#"{"id":"early","createdAt":"2026-11-24T09:00:00Z","hostnames":["b.us.qlikcloud.com"]}"#;
            let elsewhere = r#"{"id":"de","createdAt":"2026-11-24T11:00:00Z","hostnames":["b.de.qlikcloud.com"]}"#;
            (200, format!(r#"{{"data":[{ACME},{early},{elsewhere},{{"id":"unsaid"}}]}}"#))
        })
        .await;
        let organization = server.cloud().organization(&credential());
        let since = at("2026-11-24T10:00:00Z");
        let found = organization.created_since(Some("s1"), since, Region::Us).await.unwrap();
        let ids: Vec<_> = found.iter().map(|tenant| tenant.id.as_str()).collect();
        assert_eq!(ids, [tenant_id().as_str(), "unsaid"]);
        assert!(organization.created_since(Some("\" or"), since, Region::Us).await.is_err());
    }
}
