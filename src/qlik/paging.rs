//! Lists that come in pages.

use std::collections::HashSet;

use http::Method;
use serde_json::Value;
use url::Url;

use super::call::Call;
use super::cloud::Session;
use super::error::Error;
use super::transport::Answer;

/// Pages of, mostly, 100 items: an organization may have tens of thousands of tenants.
const MAX_PAGES: usize = 1000;

/// What one page holds, and the query of the next one.
pub(super) type Page<T> = (Vec<T>, Option<String>);

/// Every page of the list at a path, beginning with this query. An incomplete list is an error, never a short list:
/// "not there" must be certain.
pub(super) async fn every_page<T>(
    session: &Session,
    (api, path): (&'static str, &'static str),
    mut query: String,
    read: fn(&Answer) -> Result<Page<T>, Error>,
) -> Result<Vec<T>, Error> {
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    loop {
        let answer = match session.call(&Call::new(api, Method::GET, path).query(query.clone())).await {
            // Items may be large, long descriptions for instance. One of them must not hide all others.
            Err(error @ Error::TooLarge { .. }) => match smaller(&query) {
                Some(less) => {
                    query = less;
                    continue;
                }
                None => return Err(error),
            },
            other => other?,
        };
        let (page, next) = read(&answer)?;
        items.extend(page);
        let Some(next) = next else {
            return Ok(items);
        };
        // Qlik's pages show next links at another host and with other cursor names than its reference. The link's
        // query is what carries the cursor; host and path stay ours, so no credential goes astray.
        if !seen.insert(std::mem::replace(&mut query, next)) || seen.contains(&query) || seen.len() >= MAX_PAGES {
            return Err(answer.malformed("its pages do not end"));
        }
    }
}

/// The same page with a tenth of the items; `None` where it has one already, or says no number.
fn smaller(query: &str) -> Option<String> {
    let mut parts: Vec<_> = query.split('&').map(str::to_owned).collect();
    let limit = parts.iter_mut().find(|part| part.starts_with("limit="))?;
    let number: usize = limit.strip_prefix("limit=")?.parse().ok()?;
    let less = number.div_euclid(10).max(1);
    *limit = format!("limit={less}");
    (less < number).then(|| parts.join("&"))
}

/// The query of the page that follows, if one does.
pub(super) fn next_query(answer: &Answer, body: &Value) -> Result<Option<String>, Error> {
    match body.pointer("/links/next/href") {
        None | Some(Value::Null) => Ok(None),
        Some(href) => {
            href.as_str().and_then(query_of).map(Some).ok_or_else(|| answer.malformed("its next link is odd"))
        }
    }
}

fn query_of(href: &str) -> Option<String> {
    let base = Url::parse("https://localhost").ok()?;
    base.join(href).ok()?.query().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::smaller;

    #[test]
    fn a_page_that_is_too_large_is_asked_for_in_smaller_ones() {
        let less = |query: &str| smaller(query);
        assert_eq!(less("limit=100").as_deref(), Some("limit=10"));
        assert_eq!(less("next=a&limit=50&sort=x").as_deref(), Some("next=a&limit=5&sort=x"));
        assert_eq!(less("limit=5").as_deref(), Some("limit=1"));
        assert_eq!((less("limit=1"), less("next=a"), less("limit=many")), (None, None, None));
    }
}
