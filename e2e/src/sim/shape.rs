//! The freedom that Qlik's schemas leave to the shape of an answer: fields that may be missing, dates without a time.
//!
//! This is the only place that knows of it. Handlers build answers whole; [`Options::omit`] and [`Options::dates`] say
//! what becomes of them just before they are sent. What people see in the portal ([`super::ByHand`]) is always whole.

use jiff::Timestamp;
use serde_json::Value;

use super::api::Endpoint;
use super::call::Reply;
use super::config::{Dates, Options};
use super::optional::{ALL, FIELDS, GROUPS};

/// The dates in answers by the names of their fields. A token's `expires_at` is none of them: a day would not say when.
static DATES: &[&str] = &[
    "created",
    "createdAt",
    "deletionStartsAt",
    "estimatedPurgeDate",
    "lastUpdated",
    "lastUpdatedAt",
    "lastUsed",
    "publishedAt",
    "started",
    "statusLastUpdatedAt",
    "updatedAt",
];

/// Gives the answer of an endpoint the shape that the options ask for.
pub(crate) fn shaped(options: &Options, endpoint: &Endpoint, mut reply: Reply) -> Reply {
    let Some(body) = &mut reply.body else { return reply };
    if options.dates == Dates::Day {
        coarsen(body);
    }
    let all = options.omit.iter().any(|name| name == ALL);
    let omitted = |field: &str| all || options.omit.iter().any(|name| name == field);
    for field in FIELDS.iter().filter(|field| omitted(field)) {
        omit(body, endpoint, field);
    }
    reply
}

fn omit(body: &mut Value, endpoint: &Endpoint, field: &str) {
    let Some((group, path)) = field.split_once('.') else { return };
    let places = GROUPS.iter().filter(|(name, _)| *name == group).flat_map(|(_, places)| places.iter());
    for (_, _, holder) in places.filter(|(method, at, _)| endpoint.method == *method && endpoint.path == *at) {
        match *holder {
            "" => remove(body, path),
            holder => remove(&mut body[holder], path),
        }
    }
}

/// Removes what stands at a path, in every item where the path leads through a list.
fn remove(value: &mut Value, path: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| remove(item, path)),
        Value::Object(map) => match path.split_once('.') {
            Some((name, rest)) => {
                if let Some(inner) = map.get_mut(name) {
                    remove(inner, rest);
                }
            }
            None if path == "links" && map.get(path).is_some_and(|links| links["next"]["href"].is_string()) => {}
            None => {
                map.remove(path);
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Takes the time off all dates.
fn coarsen(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(coarsen),
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                let instant = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
                match instant.filter(|_| DATES.contains(&name.as_str())) {
                    Some(instant) => *value = Value::from(instant.strftime("%Y-%m-%d").to_string()),
                    None => coarsen(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
