//! Pages of a list, and the absolute links between them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::call::Context;
use super::config::{NextLink, Options};
use super::ids::{Ids, derived};
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
    /// Puts the list into an order that nobody asked for: [`Orders::next`].
    pub(crate) salt: Option<String>,
}

/// Between the salt of an order and a key, in the cursors of such lists; no key has it.
const SALT: char = '\u{2}';

/// A cursor that a client sent.
struct Cursor {
    salt: Option<String>,
    /// Key of the page's first item.
    first: String,
}

/// The place of a key in the order of a salt. It follows from the item's id, the last part of the key: what stands before
/// it is a time, which no seed repeats.
fn place(salt: &str, key: &str) -> String {
    let id = key.rsplit('\u{1}').next().unwrap_or_default();
    derived(&format!("{salt}{id}"), 32)
}

/// Orders of lists that differ from one call to the next.
pub(crate) struct Orders {
    ids: Ids,
    /// Host and path of a list → the keys in the order in which they were last shown.
    last: BTreeMap<String, Vec<String>>,
}

impl Orders {
    /// Orders from `seed`, or unpredictable ones.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { ids: Ids::new(seed, ""), last: BTreeMap::new() }
    }

    /// The salt of a new order, where the options want one and the request asks neither for a sort nor for a further
    /// page. An order of two or more items is never the last one again.
    pub(crate) fn next<T>(&mut self, options: &Options, cx: &Context<'_>, rows: &[(String, T)]) -> Option<String> {
        let asked = |name: &&str| cx.call.param(name).is_some_and(|value| !value.is_empty());
        if !options.shuffle_lists || ["sort", "next", "prev"].iter().any(asked) {
            return None;
        }
        let last = self.last.entry(format!("{}{}", cx.tenant_id(), cx.call.path)).or_default();
        loop {
            let salt = self.ids.object();
            let mut keys: Vec<String> = rows.iter().map(|(key, _)| key.clone()).collect();
            keys.sort_by_cached_key(|key| place(&salt, key));
            if keys.len() < 2 || keys != *last {
                *last = keys;
                return Some(salt);
            }
        }
    }
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
        let (salt, first) = match self.cursor(cx)? {
            Some(Cursor { salt, first }) => (salt, Some(first)),
            None => (self.salt.take(), None),
        };
        if let Some(salt) = &salt {
            self.rows.iter_mut().for_each(|(key, _)| *key = place(salt, key));
        }
        self.rows.sort_by(|(a, _), (b, _)| if self.descending { b.cmp(a) } else { a.cmp(b) });
        let limit = limit(options, cx)?;
        let before = |key: &String, first: &String| if self.descending { key > first } else { key < first };
        let start = first.map_or(0, |first| self.rows.partition_point(|(key, _)| before(key, &first)));
        let end = start.saturating_add(limit).min(self.rows.len());
        let mark = salt.map(|salt| format!("{salt}{SALT}")).unwrap_or_default();
        let at = |index: usize| self.rows.get(index).map(|(key, _)| URL_SAFE_NO_PAD.encode(format!("{mark}{key}")));
        let prev = at(start.saturating_sub(limit)).filter(|_| start > 0);
        let links = links(options, cx, &[(self.cursors.next, at(end), "next"), (self.cursors.prev, prev, "prev")]);
        let data: Vec<Value> = self.rows[start..end].iter().map(|(_, item)| view(item)).collect();
        let mut body = json!({ "data": data, "links": links });
        if cx.call.param("totalResults").as_deref() == Some("true") {
            body["totalResults"] = json!(self.rows.len());
        }
        Ok(body)
    }

    fn cursor(&self, cx: &Context<'_>) -> Result<Option<Cursor>, Refusal> {
        let Cursors { next, prev } = self.cursors;
        let cursor = match (cx.call.param(next), cx.call.param(prev).filter(|_| next != prev)) {
            (Some(_), Some(_)) => return Err(Refusal::bad_request("next and prev exclude each other")),
            (Some(cursor), None) | (None, Some(cursor)) => cursor,
            (None, None) => return Ok(None),
        };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|key| String::from_utf8(key).ok());
        let key = key.ok_or_else(|| Refusal::bad_request("the cursor is not valid"))?;
        Ok(Some(match key.split_once(SALT) {
            Some((salt, first)) => Cursor { salt: Some(salt.to_owned()), first: first.to_owned() },
            None => Cursor { salt: None, first: key },
        }))
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
