//! Checks of JSON bodies: every refusal points at the part that is wrong.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};
use url::Url;

use super::refusal::Refusal;

/// An object inside a body, and the JSON pointer to it.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    at: String,
    map: &'a Map<String, Value>,
}

/// How long a list of strings may be, and each of its items.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) items: usize,
    pub(crate) length: usize,
}

impl<'a> Fields<'a> {
    /// The object that stands at a pointer.
    pub(crate) fn of(value: &'a Value, at: &str) -> Result<Self, Refusal> {
        let map = value.as_object().ok_or_else(|| Refusal::bad_request("an object is expected").at(at))?;
        Ok(Self { at: at.to_owned(), map })
    }

    /// A refusal that points at a field.
    pub(crate) fn refuse(&self, name: &str, why: impl Into<String>) -> Refusal {
        Refusal::bad_request(why).at(format!("{}/{name}", self.at))
    }

    /// A field; `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A string of at most so many characters.
    pub(crate) fn text(&self, name: &str, max: usize) -> Result<Option<&'a str>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| self.refuse(name, "a string is expected"))?;
        if text.chars().count() > max {
            return Err(self.refuse(name, format!("at most {max} characters are allowed")));
        }
        Ok(Some(text))
    }

    /// A string that must be there and say something.
    pub(crate) fn required(&self, name: &str, max: usize) -> Result<&'a str, Refusal> {
        let text = self.text(name, max)?.unwrap_or_default();
        if text.trim().is_empty() { Err(self.refuse(name, "this field is required")) } else { Ok(text) }
    }

    /// One of some words.
    pub(crate) fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Refusal> {
        match self.text(name, usize::MAX)? {
            Some(word) if !words.contains(&word) => {
                Err(self.refuse(name, format!("one of these is expected: {}", words.join(", "))))
            }
            word => Ok(word),
        }
    }

    /// A boolean.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| self.refuse(name, "a boolean is expected"))
    }

    /// A whole number in a range.
    pub(crate) fn number(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let why = || self.refuse(name, format!("a number from {} to {} is expected", range.start(), range.end()));
        value.as_i64().filter(|number| range.contains(number)).map(Some).ok_or_else(why)
    }

    /// An absolute address.
    pub(crate) fn address(&self, name: &str, max: usize) -> Result<Option<&'a str>, Refusal> {
        let text = self.text(name, max)?;
        if text.is_some_and(|text| !text.is_empty() && Url::parse(text).is_err()) {
            return Err(self.refuse(name, "an absolute URL is expected"));
        }
        Ok(text)
    }

    /// A list of different strings.
    pub(crate) fn texts(&self, name: &str, bounds: Bounds) -> Result<Option<Vec<&'a str>>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| self.refuse(name, "a list is expected"))?;
        if list.len() > bounds.items {
            return Err(self.refuse(name, format!("at most {} items are allowed", bounds.items)));
        }
        let fits = |text: &&str| !text.is_empty() && text.chars().count() <= bounds.length;
        let texts: Option<Vec<&str>> = list.iter().map(|item| item.as_str().filter(fits)).collect();
        let why = || self.refuse(name, format!("every item is a string of 1 to {} characters", bounds.length));
        let texts = texts.ok_or_else(why)?;
        if texts.iter().collect::<BTreeSet<_>>().len() != texts.len() {
            return Err(self.refuse(name, "an item stands there twice"));
        }
        Ok(Some(texts))
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Refusal> {
        self.get(name).map(|value| Self::of(value, &format!("{}/{name}", self.at))).transpose()
    }

    /// A list of objects.
    pub(crate) fn objects(&self, name: &str) -> Result<Option<Vec<Self>>, Refusal> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| self.refuse(name, "a list is expected"))?;
        let objects = list.iter().enumerate().map(|(n, item)| Self::of(item, &format!("{}/{name}/{n}", self.at)));
        objects.collect::<Result<_, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_points_at_the_field() {
        let body = json!({ "outer": { "list": ["a", "a"], "text": "four", "none": null } });
        let outer = Fields::of(&body, "").unwrap().object("outer").unwrap().unwrap();
        let pointer = |refusal: Refusal| refusal.more.pointer.unwrap();
        let bounds = Bounds { items: 5, length: 9 };
        assert_eq!(pointer(outer.texts("list", bounds).unwrap_err()), "/outer/list");
        assert_eq!(pointer(outer.text("text", 3).unwrap_err()), "/outer/text");
        assert_eq!(pointer(outer.required("none", 3).unwrap_err()), "/outer/none");
        assert_eq!(outer.text("text", 4).unwrap(), Some("four"));
        assert!(outer.flag("none").unwrap().is_none() && !outer.has("none"));
    }
}
