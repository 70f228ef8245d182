//! The values of the chart with their explanations, which are the comments of `values.yaml`.
use super::{Error, folder, read};

/// One value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its path, for instance `image.tag`.
    pub path: String,
    /// Its default, as written; empty for those that only hold others.
    pub default: String,
    /// The comment above it. Examples, which are indented, are left out.
    pub meaning: String,
}

impl Value {
    /// Whether it is there only to hold others.
    pub fn holds_others(&self) -> bool {
        self.default.is_empty()
    }
}

/// All of them, in the order of the file.
pub fn values() -> Result<Vec<Value>, Error> {
    Ok(parse(&read(&folder().join("values.yaml"))?))
}

fn parse(text: &str) -> Vec<Value> {
    let (mut found, mut above, mut comment) = (Vec::new(), Vec::<(usize, &str)>::new(), Vec::new());
    for line in text.lines() {
        let indented = line.trim_start();
        if let Some(words) = indented.strip_prefix('#') {
            if !words.starts_with("  ") {
                comment.push(words.trim());
            }
            continue;
        }
        if let Some((key, default)) = indented.split_once(':').filter(|(key, _)| !key.contains(' ')) {
            let depth = line.len() - indented.len();
            above.retain(|(outer, _)| *outer < depth);
            above.push((depth, key));
            let path = above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
            found.push(Value { path, default: default.trim().to_owned(), meaning: comment.join(" ") });
        }
        comment.clear();
    }
    found
}

/// The table of the chart's README. Values that only hold others are rows of their own where they are explained.
pub(super) fn table() -> Result<String, Error> {
    let mut rows = vec!["| value | default | meaning |".to_owned(), "|---|---|---|".to_owned()];
    let all = values()?;
    for (number, value) in all.iter().enumerate() {
        let inner: Vec<_> =
            all[number + 1..].iter().take_while(|next| next.path.starts_with(&format!("{}.", value.path))).collect();
        if value.meaning.is_empty() && value.holds_others() {
            continue;
        }
        let default = if value.holds_others() && !inner.is_empty() {
            "as below".to_owned()
        } else {
            format!("`{}`", value.default)
        };
        rows.push(format!("| `{}` | {default} | {} |", value.path, value.meaning.replace('|', "\\|")));
    }
    Ok(rows.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_belongs_to_the_value_below_it() {
        let text =
            "# About the file.\n\n# An image.\nimage:\n  # Its tag:\n  #   v1\n  # or none.\n  tag: \"\"\nnext: {}\n";
        let found = parse(text);
        let row = |value: &Value| (value.path.clone(), value.default.clone(), value.meaning.clone());
        let rows: Vec<_> = found.iter().map(row).collect();
        let expected = [("image", "", "An image."), ("image.tag", "\"\"", "Its tag: or none."), ("next", "{}", "")];
        assert_eq!(rows, expected.map(|(path, default, meaning)| (path.into(), default.into(), meaning.into())));
    }
}
