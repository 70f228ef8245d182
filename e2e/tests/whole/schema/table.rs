//! How wrong manifests are written down.

/// Who refuses a manifest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The structure: types, ranges, enumerations. Only the API server checks it.
    Structure,
    /// A rule in CEL, which can be evaluated without an API server too.
    Rule,
}

/// A manifest that must not get in.
pub(crate) struct Wrong {
    pub(crate) name: &'static str,
    pub(crate) manifest: String,
    pub(crate) by: By,
    /// The part of the message that tells how to mend it.
    pub(crate) says: &'static str,
}

/// The same as it is written down: name, lines, who refuses it, and the part of the message that teaches.
pub(crate) struct Row(&'static str, &'static str, By, &'static str);

impl Row {
    /// The manifest whose spec has these lines and the row's own.
    pub(crate) fn on(&self, manifest: fn(&str, &str) -> String, base: &str) -> Wrong {
        let Self(name, lines, by, says) = *self;
        Wrong { name, manifest: manifest(name, &format!("{base}\n{lines}")), by, says }
    }
}

pub(crate) const fn structure(name: &'static str, lines: &'static str, says: &'static str) -> Row {
    Row(name, lines, By::Structure, says)
}

pub(crate) const fn rule(name: &'static str, lines: &'static str, says: &'static str) -> Row {
    Row(name, lines, By::Rule, says)
}
