//! Reads the `OpenMetrics` text format strictly, so that what is served is what any collector understands.

use std::collections::{BTreeMap, BTreeSet};

/// Labels and their values.
pub type Labels = BTreeMap<String, String>;

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// Families by name, without the ends that samples add.
    pub families: BTreeMap<String, Family>,
}

/// One metric with all its samples.
#[derive(Debug, Clone, Default)]
pub struct Family {
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// The unit, where it is said.
    pub unit: Option<String>,
    /// What it means.
    pub help: String,
    /// Its samples.
    pub samples: Vec<Sample>,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The whole name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// The labels of its exemplar.
    pub exemplar: Option<Labels>,
}

impl Scrape {
    /// Reads a whole answer; says what breaks the format, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
        let mut scrape = Self::default();
        let mut current = String::new();
        for line in body.lines() {
            let told = |problem: String| format!("{problem}: {line}");
            if let Some(rest) = line.strip_prefix("# ") {
                scrape.describe(rest, &mut current).map_err(told)?;
            } else {
                let family = scrape.families.get_mut(&current).ok_or_else(|| told("a sample of nothing".to_owned()))?;
                family.samples.push(sample(line, &current, &family.kind).map_err(told)?);
            }
        }
        for (name, family) in &scrape.families {
            family.check(name)?;
        }
        Ok(scrape)
    }

    fn describe(&mut self, line: &str, current: &mut String) -> Result<(), String> {
        let (word, rest) = line.split_once(' ').ok_or("a comment")?;
        let (name, text) = rest.split_once(' ').unwrap_or((rest, ""));
        if name != current {
            if self.families.contains_key(name) {
                return Err("a family in two places".to_owned());
            }
            name.clone_into(current);
        }
        let family = self.families.entry(name.to_owned()).or_default();
        if !family.samples.is_empty() {
            return Err("described after its samples".to_owned());
        }
        let place = match word {
            "HELP" => &mut family.help,
            "TYPE" => &mut family.kind,
            "UNIT" if name.ends_with(&format!("_{text}")) => family.unit.get_or_insert_default(),
            _ => return Err("neither help, nor type, nor a unit that the name ends with".to_owned()),
        };
        if !place.is_empty() || text.is_empty() {
            return Err("said twice, or nothing".to_owned());
        }
        text.clone_into(place);
        Ok(())
    }

    /// Every sample of this name.
    pub fn all(&self, name: &str) -> Vec<&Sample> {
        self.families.values().flat_map(|family| &family.samples).filter(|sample| sample.name == name).collect()
    }

    /// The sum of the samples of this name that have these labels; none where there is no such sample.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has =
            |sample: &&&Sample| labels.iter().all(|(key, value)| sample.labels.get(*key).is_some_and(|v| v == value));
        let found: Vec<f64> = self.all(name).iter().filter(has).map(|sample| sample.value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }
}

impl Family {
    fn check(&self, name: &str) -> Result<(), String> {
        if self.kind.is_empty() || self.help.is_empty() {
            return Err(format!("{name} has no type or no help"));
        }
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            if !seen.insert((&sample.name, &sample.labels)) {
                return Err(format!("{name} has the same sample twice: {sample:?}"));
            }
        }
        if self.kind == "histogram" { self.check_buckets(name) } else { Ok(()) }
    }

    /// Buckets are in order, each holds those before it, and the last one all.
    fn check_buckets(&self, name: &str) -> Result<(), String> {
        let mut before: Option<(Labels, f64, f64)> = None;
        for sample in &self.samples {
            let mut labels = sample.labels.clone();
            let le = labels.remove("le").map(|le| le.parse::<f64>().unwrap_or(f64::NAN));
            let wrong = match (&before, le) {
                (Some((of, bound, count)), Some(le)) if *of == labels => le <= *bound || sample.value < *count,
                (Some((_, bound, _)), None) if bound.is_finite() => true,
                (Some((of, _, count)), None) if sample.name.ends_with("_count") && *of == labels => {
                    (sample.value - count).abs() > 0.0
                }
                (_, le) => le.is_some_and(f64::is_nan),
            };
            if wrong {
                return Err(format!("the buckets of {name} do not add up at {sample:?}"));
            }
            if let Some(le) = le {
                before = Some((labels, le, sample.value));
            }
        }
        Ok(())
    }
}

fn sample(line: &str, family: &str, kind: &str) -> Result<Sample, String> {
    let (line, exemplar) = match line.split_once(" # ") {
        Some((line, exemplar)) => (line, Some(exemplar)),
        None => (line, None),
    };
    let (name, labels, value) = parts(line)?;
    let ends: &[&str] = match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        "info" => &["_info"],
        _ => return Err("an unknown type".to_owned()),
    };
    let end = name.strip_prefix(family).ok_or("a sample of another family")?;
    if !ends.contains(&end) || (exemplar.is_some() && !["_bucket", "_total"].contains(&end)) {
        return Err("a sample that its type has not".to_owned());
    }
    if kind == "counter" && !(value.is_finite() && value >= 0.0) {
        return Err("a counter that does not count".to_owned());
    }
    let exemplar = exemplar.map(|text| parts(text).map(|(_, labels, _)| labels)).transpose()?;
    Ok(Sample { name: name.to_owned(), labels, value, exemplar })
}

/// Name, labels and value.
fn parts(text: &str) -> Result<(&str, Labels, f64), String> {
    let (name, labels, rest) = if let Some((name, rest)) = text.split_once('{') {
        let (labels, rest) = read_labels(rest)?;
        (name, labels, rest)
    } else {
        let (name, rest) = text.split_once(' ').ok_or("no value")?;
        (name, Labels::new(), rest)
    };
    let value = rest.split(' ').next().unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(good) {
        return Err("a name that is none".to_owned());
    }
    Ok((name, labels, value.parse().map_err(|_| "a value that is no number")?))
}

/// Labels up to the closing brace, and what follows it.
fn read_labels(text: &str) -> Result<(Labels, &str), String> {
    let mut labels = Labels::new();
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Ok((labels, after.strip_prefix(' ').ok_or("no space after the labels")?));
        }
        let (key, after) = rest.trim_start_matches(',').split_once("=\"").ok_or("a label without a value")?;
        let (value, after) = quoted(after)?;
        if labels.insert(key.to_owned(), value).is_some() {
            return Err("the same label twice".to_owned());
        }
        rest = after;
    }
}

/// A value up to its closing quote, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, c @ ('"' | '\\'))) => value.push(c),
                _ => return Err("an unknown escape".to_owned()),
            },
            c => value.push(c),
        }
    }
    Err("a value without its closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# HELP a_seconds Took.\n# TYPE a_seconds histogram\n# UNIT a_seconds seconds\n\
        a_seconds_sum{k=\"x\"} 2.5\na_seconds_count{k=\"x\"} 2\na_seconds_bucket{le=\"1.0\",k=\"x\"} 1 # {trace_id=\"f\"} 0.5\n\
        a_seconds_bucket{le=\"+Inf\",k=\"x\"} 2\n# HELP b Calls.\n# TYPE b counter\nb_total{k=\"a \\\"b\\\" {c}\"} 3\n# EOF\n";

    #[test]
    fn what_is_good_is_read() {
        let scrape = Scrape::parse(GOOD).unwrap();
        assert_eq!(scrape.sum("b_total", &[("k", "a \"b\" {c}")]), Some(3.0));
        assert_eq!(scrape.sum("b_total", &[("k", "other")]), None);
        let exemplars: Vec<_> = scrape.all("a_seconds_bucket").iter().filter_map(|s| s.exemplar.clone()).collect();
        assert_eq!(exemplars, [Labels::from([("trace_id".to_owned(), "f".to_owned())])]);
        assert_eq!(scrape.families["a_seconds"].unit.as_deref(), Some("seconds"));
    }

    #[test]
    fn what_breaks_the_format_is_refused() {
        for (from, to) in [
            ("# EOF\n", ""),
            ("# EOF\n", "# EOF\n# EOF\n"),
            ("b_total{", "b{"),
            ("# UNIT a_seconds seconds", "# UNIT a_seconds bytes"),
            ("# TYPE b counter\n", ""),
            ("# HELP b Calls.\n", ""),
            ("# HELP b Calls.", "# HELP a_seconds Again."),
            ("le=\"+Inf\",k=\"x\"} 2", "le=\"+Inf\",k=\"x\"} 0"),
            ("b_total{k=\"a", "b_total{k=a"),
            ("} 3\n", "} 3\nb_total{k=\"a \\\"b\\\" {c}\"} 4\n"),
            ("} 3\n", "} three\n"),
            ("} 3\n", "} -3\n"),
        ] {
            assert!(GOOD.contains(from));
            let broken = GOOD.replacen(from, to, 1);
            assert!(Scrape::parse(&broken).is_err(), "{broken}");
        }
    }
}
