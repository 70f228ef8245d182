//! Placeholders `${name}` in the texts of a Secret that people lay out themselves. `$$` is a `$`.

use std::collections::BTreeMap;

use crate::qlik::Secret;

/// What placeholders stand for: each name that there is, with its value where it has one.
pub type Values<'a> = BTreeMap<&'a str, Option<Secret>>;

/// Why a template cannot be filled in. The key is that of the template's entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A placeholder that nothing stands for.
    #[error("template entry {key:?} has the unknown placeholder ${{{name}}}; there are {known} (and $$ for a $)")]
    Unknown {
        /// The entry.
        key: String,
        /// The placeholder's name, shortened when it is long.
        name: String,
        /// All that there are, for people.
        known: String,
    },
    /// A placeholder without its end.
    #[error("template entry {key:?} has a placeholder that does not end: write ${{name}}, or $$ for a $")]
    Unclosed {
        /// The entry.
        key: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Name(&'a str),
    Unclosed,
}

/// Takes a text apart. A `$` that begins nothing stands for itself.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        let (before, from) = rest.split_at(dollar);
        pieces.push(Piece::Text(before));
        let (piece, after) = if let Some(after) = from.strip_prefix("$$") {
            (Piece::Text("$"), after)
        } else if let Some(inside) = from.strip_prefix("${") {
            inside.split_once('}').map_or((Piece::Unclosed, ""), |(name, after)| (Piece::Name(name), after))
        } else {
            (Piece::Text("$"), &from[1..])
        };
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The names of the placeholders in a text, in their order.
pub fn names(text: &str) -> Vec<&str> {
    let name = |piece| if let Piece::Name(name) = piece { Some(name) } else { None };
    pieces(text).into_iter().filter_map(name).collect()
}

/// The key under which a value stands alone: whose whole text is this one placeholder.
pub fn key_of<'a>(template: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let alone = format!("${{{name}}}");
    template.iter().find(|(_, text)| **text == alone).map(|(key, _)| key.as_str())
}

/// Fills in a template. A value is put in as it is and never looked through again; a name without a value becomes
/// nothing.
pub fn render(template: &BTreeMap<String, String>, values: &Values<'_>) -> Result<BTreeMap<String, Secret>, Problem> {
    template.iter().map(|(key, text)| Ok((key.clone(), fill(key, text, values)?))).collect()
}

fn fill(key: &str, text: &str, values: &Values<'_>) -> Result<Secret, Problem> {
    let resolve = |piece| match piece {
        Piece::Text(text) => Ok(text),
        Piece::Name(name) => match values.get(name) {
            Some(value) => Ok(value.as_ref().map_or("", Secret::expose)),
            None => Err(unknown(key, name, values)),
        },
        Piece::Unclosed => Err(Problem::Unclosed { key: key.to_owned() }),
    };
    let parts = pieces(text).into_iter().map(resolve).collect::<Result<Vec<_>, _>>()?;
    // Made in its full size by `concat`: a text that grew would leave copies of secrets behind.
    Ok(Secret::new(parts.concat()))
}

fn unknown(key: &str, name: &str, values: &Values<'_>) -> Problem {
    const SHOWN: usize = 40;
    let mut shown: String = name.chars().take(SHOWN).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    let known: Vec<_> = values.keys().map(|name| format!("${{{name}}}")).collect();
    Problem::Unknown { key: key.to_owned(), name: shown, known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> Values<'static> {
        [("clientId", Some(Secret::new("id"))), ("clientSecret", Some(Secret::new("${clientId}$$"))), ("jwksUri", None)]
            .into()
    }

    fn template(text: &str) -> BTreeMap<String, String> {
        [("key".to_owned(), text.to_owned())].into()
    }

    fn filled(text: &str) -> Result<String, Problem> {
        render(&template(text), &values()).map(|texts| texts["key"].expose().to_owned())
    }

    #[test]
    fn table() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${clientId}", "id"),
            ("id=${clientId}\nsecret=${clientSecret}\n", "id=id\nsecret=${clientId}$$\n"),
            ("${jwksUri}", ""),
            ("$$", "$"),
            ("$${clientId}", "${clientId}"),
            ("$$${clientId}", "$id"),
            ("5$", "5$"),
            ("$5 ä$ö", "$5 ä$ö"),
            ("$", "$"),
            ("}{$", "}{$"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_in_says_what_can() {
        assert_eq!(
            filled("a ${clientID}").unwrap_err().to_string(),
            "template entry \"key\" has the unknown placeholder ${clientID}; there are ${clientId}, ${clientSecret}, \
             ${jwksUri} (and $$ for a $)"
        );
        assert_eq!(
            filled("${clientId").unwrap_err().to_string(),
            "template entry \"key\" has a placeholder that does not end: write ${name}, or $$ for a $"
        );
        let long = filled(&format!("${{{}}}", "ä".repeat(1000))).unwrap_err().to_string();
        assert!(long.chars().count() < 250, "{long}");
        for odd in ["${}", "${ clientId}", "${${clientId}}"] {
            assert!(matches!(filled(odd), Err(Problem::Unknown { .. })), "{odd}");
        }
    }

    #[test]
    fn names_and_keys() {
        assert_eq!(names("${a} $${b} ${c}${a} ${d"), ["a", "c", "a"]);
        let template = [("b", "${a}"), ("a", "x${a}"), ("c", "${a}")];
        let template = template.map(|(key, text)| (key.to_owned(), text.to_owned())).into();
        assert_eq!((key_of(&template, "a"), key_of(&template, "x")), (Some("b"), None));
    }

    proptest! {
        #[test]
        fn what_is_put_in_comes_out_as_it_is(value in "\\PC*", before in "[^$]*", after in "[^$]*") {
            let values = [("v", Some(Secret::new(value.clone())))].into();
            let text = template(&format!("{before}${{v}}{after}"));
            let texts = render(&text, &values).unwrap();
            prop_assert_eq!(texts["key"].expose(), format!("{before}{value}{after}"));
        }

        #[test]
        fn doubled_dollars_are_safe_for_any_text(text in "([${}]|\\PC){0,40}") {
            prop_assert_eq!(filled(&text.replace('$', "$$")), Ok(text));
        }
    }
}
