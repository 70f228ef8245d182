//! Qlik's error envelope `{errors:[{code,title,detail?,status?}],traceId?}`, read tolerantly.
//!
//! `status` inside is a string, a number or absent, depending on the API; it is not read, the HTTP status counts. Some
//! APIs put `code` and `title` at the top, and a gateway in between may answer something else altogether.

use serde_json::Value;

use super::secret::Secret;

/// More than this of a text by others is not repeated.
const MAX_TEXT: usize = 200;
/// Longer words are not repeated: ids and trace ids have 32 characters, while secrets, tokens and licence keys, should
/// an answer ever repeat one, have more.
const MAX_WORD: usize = 40;

/// What an error body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) code: Option<String>,
    pub(super) title: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) trace_id: Option<String>,
}

impl Envelope {
    /// Reads the first error of a body, without the secrets that were sent, however short they are; anything unreadable is
    /// simply absent.
    pub(super) fn read(body: &[u8], sent: &[Secret]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Self::default();
        };
        let first = body.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&body);
        let text = |value| text(value, sent);
        Self {
            code: text(first.get("code")),
            title: text(first.get("title")),
            detail: text(first.get("detail")),
            trace_id: text(body.get("traceId")),
        }
    }
}

fn text(value: Option<&Value>, sent: &[Secret]) -> Option<String> {
    let text = match value? {
        Value::String(text) => tame(&without(text, sent)),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn without(text: &str, sent: &[Secret]) -> String {
    let sent = sent.iter().map(Secret::expose).filter(|secret| !secret.is_empty());
    sent.fold(text.to_owned(), |text, secret| text.replace(secret, "[redacted]"))
}

/// Makes a text by others fit to be shown: one line, no control characters, bounded, and no word long enough to be a
/// secret.
pub(super) fn tame(text: &str) -> String {
    let mut tamed = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let word = if word.chars().count() > MAX_WORD { "[long value]" } else { word };
        if tamed.chars().count() + word.chars().count() >= MAX_TEXT {
            tamed.push('…');
            break;
        }
        if !tamed.is_empty() {
            tamed.push(' ');
        }
        tamed.push_str(word);
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants() {
        let read = |body: &str| Envelope::read(body.as_bytes(), &[]);
        let full = read(r#"{"errors":[{"code":"TENANTS-8","title":"Not found","status":"404"}],"traceId":"abc"}"#);
        assert_eq!(full.code.as_deref(), Some("TENANTS-8"));
        assert_eq!(full.trace_id.as_deref(), Some("abc"));
        assert_eq!(read(r#"{"errors":[{"code":7}]}"#).code.as_deref(), Some("7"));
        assert_eq!(read(r#"{"code":"S-1","title":"top"}"#).title.as_deref(), Some("top"));
        for odd in
            ["", "null", "[]", "[1]", "\"x\"", "{\"errors\":{}}", "{\"errors\":[]}", "{\"errors\":[3]}", "<html>"]
        {
            assert_eq!(read(odd), Envelope::default(), "{odd}");
        }
    }

    #[test]
    fn what_was_sent_is_not_repeated() {
        let body =
            r#"{"errors":[{"code":"C-s3cr t","title":"bad 's3cr t', key=other","detail":"s3cr"}],"traceId":"other"}"#;
        let read = Envelope::read(body.as_bytes(), &["s3cr t", "other", ""].map(Secret::new));
        assert_eq!(read.code.as_deref(), Some("C-[redacted]"));
        assert_eq!(read.title.as_deref(), Some("bad '[redacted]', key=[redacted]"));
        assert_eq!((read.detail.as_deref(), read.trace_id.as_deref()), (Some("s3cr"), Some("[redacted]")));
    }

    #[test]
    fn texts_are_tamed() {
        assert_eq!(tame("a\n\u{1b}[31m b\u{0}c\t d"), "a [31m b c d");
        assert_eq!(tame(&format!("key {} bad", "s".repeat(64))), "key [long value] bad");
        let long = tame(&"word ".repeat(1000));
        assert!(long.chars().count() <= MAX_TEXT + 1 && long.ends_with('…'));
    }
}
