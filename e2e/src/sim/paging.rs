//! Pages of a list, and the absolute links between them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::call::Context;
use super::config::{NextLink, Options};
use super::refusal::Refusal;

/// Names of the query parameters that carry a cursor; some lists use one for both directions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursors {
    pub(crate) next: &'static str,
    pub(crate) prev: &'static str,
}

/// What most lists use.
pub(crate) const NEXT_PREV: Cursors = Cursors { next: "next", prev: "prev" };

/// A list to be shown in pages: every item with a key that no other item has.
pub(crate) struct List<'a, T> {
    pub(crate) rows: Vec<(String, &'a T)>,
    pub(crate) descending: bool,
    pub(crate) cursors: Cursors,
}

impl<T> List<'_, T> {
    /// The page that the request asks for. A cursor holds the key of the page's first item, so that items that come
    /// and go do not shift the pages.
    pub(crate) fn page(
        mut self,
        options: &Options,
        cx: &Context<'_>,
        view: impl Fn(&T) -> Value,
    ) -> Result<Value, Refusal> {
        self.rows.sort_by(|(a, _), (b, _)| if self.descending { b.cmp(a) } else { a.cmp(b) });
        let limit = limit(options, cx)?;
        let start = match self.cursor(cx)? {
            Some(first) => {
                self.rows.partition_point(|(key, _)| if self.descending { *key > first } else { *key < first })
            }
            None => 0,
        };
        let end = start.saturating_add(limit).min(self.rows.len());
        let at = |index: usize| self.rows.get(index).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
        let prev = at(start.saturating_sub(limit)).filter(|_| start > 0);
        let links = links(options, cx, &[(self.cursors.next, at(end), "next"), (self.cursors.prev, prev, "prev")]);
        let data: Vec<Value> = self.rows[start..end].iter().map(|(_, item)| view(item)).collect();
        let mut body = json!({ "data": data, "links": links });
        if cx.call.param("totalResults").as_deref() == Some("true") {
            body["totalResults"] = json!(self.rows.len());
        }
        Ok(body)
    }

    fn cursor(&self, cx: &Context<'_>) -> Result<Option<String>, Refusal> {
        let Cursors { next, prev } = self.cursors;
        let cursor = match (cx.call.param(next), cx.call.param(prev).filter(|_| next != prev)) {
            (Some(_), Some(_)) => return Err(Refusal::bad_request("next and prev exclude each other")),
            (Some(cursor), None) | (None, Some(cursor)) => cursor,
            (None, None) => return Ok(None),
        };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok());
        key.map(Some).ok_or_else(|| Refusal::bad_request("the cursor is not valid"))
    }
}

fn limit(options: &Options, cx: &Context<'_>) -> Result<usize, Refusal> {
    let asked = match cx.call.param("limit").map(|text| text.parse()) {
        None => 20,
        Some(Ok(limit @ 1..=100)) => limit,
        Some(_) => return Err(Refusal::bad_request("limit must be between 1 and 100")),
    };
    Ok(asked.min(options.max_page.unwrap_or(usize::MAX)))
}

/// Absolute links that keep the other parameters: for each one the parameter, its cursor and the link's name.
pub(crate) fn links(options: &Options, cx: &Context<'_>, around: &[(&str, Option<String>, &str); 2]) -> Value {
    let names = [around[0].0, around[1].0];
    let href = |cursor: Option<(&str, &str)>| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let given = cx.call.query.as_deref().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(given.as_bytes()) {
            if !names.contains(&&*name) {
                query.append_pair(&name, &value);
            }
        }
        if let Some((name, value)) = cursor {
            query.append_pair(name, value);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        json!({ "href": format!("{}{}{mark}{query}", cx.call.base(), cx.call.path) })
    };
    let mut links = Map::new();
    links.insert("self".to_owned(), href(None));
    for (parameter, cursor, name) in around {
        match (cursor, options.next_link) {
            (Some(cursor), _) => links.insert((*name).to_owned(), href(Some((parameter, cursor)))),
            (None, NextLink::Null) => links.insert((*name).to_owned(), json!({ "href": null })),
            (None, NextLink::Absent) => None,
        };
    }
    Value::Object(links)
}
