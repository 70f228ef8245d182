//! Lists that come in pages.

use std::collections::HashSet;

use http::Method;
use serde_json::Value;
use url::Url;

use super::call::Call;
use super::cloud::Session;
use super::error::Error;
use super::transport::Answer;

/// Pages of, mostly, 100 items.
const MAX_PAGES: usize = 100;

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
        let answer = session.call(&Call::new(api, Method::GET, path).query(query.clone())).await?;
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
