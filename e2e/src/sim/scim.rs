//! The subset of SCIM filters (RFC 7644 §3.4.2.2) that Qlik's lists take.

use super::refusal::Refusal;

/// A parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(Comparison),
}

/// `attribute operator value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// As written; attribute names are case-insensitive.
    pub(crate) attribute: String,
    pub(crate) operator: Operator,
    pub(crate) value: String,
}

/// The comparison operators Qlik names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
    Co,
}

impl Operator {
    fn parse(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "eq" => Some(Self::Eq),
            "ne" => Some(Self::Ne),
            "gt" => Some(Self::Gt),
            "ge" => Some(Self::Ge),
            "lt" => Some(Self::Lt),
            "le" => Some(Self::Le),
            "co" => Some(Self::Co),
            _ => None,
        }
    }

    /// Applies an ordering operator to two values.
    pub(crate) fn holds<T: PartialOrd + ?Sized>(self, have: &T, want: &T) -> bool {
        match self {
            Self::Eq => have == want,
            Self::Ne => have != want,
            Self::Gt => have > want,
            Self::Ge => have >= want,
            Self::Lt => have < want,
            Self::Le => have <= want,
            Self::Co => false,
        }
    }
}

impl Filter {
    /// Parses a filter.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let tokens = tokens(text)?;
        let mut parser = Parser { tokens: &tokens, at: 0, depth: 0 };
        let filter = parser.any()?;
        match parser.peek() {
            None => Ok(filter),
            Some(_) => Err(invalid("unexpected text after the filter")),
        }
    }

    /// Whether the filter holds, given what each comparison says.
    pub(crate) fn holds(&self, compare: &impl Fn(&Comparison) -> bool) -> bool {
        match self {
            Self::And(left, right) => left.holds(compare) && right.holds(compare),
            Self::Or(left, right) => left.holds(compare) || right.holds(compare),
            Self::Not(inner) => !inner.holds(compare),
            Self::Compare(comparison) => compare(comparison),
        }
    }

    /// Every comparison in the filter.
    pub(crate) fn comparisons(&self) -> Vec<&Comparison> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                let mut all = left.comparisons();
                all.extend(right.comparisons());
                all
            }
            Self::Not(inner) => inner.comparisons(),
            Self::Compare(comparison) => vec![comparison],
        }
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Word(String),
    Text(String),
}

fn invalid(why: &str) -> Refusal {
    Refusal::bad_request(format!("the filter is not valid: {why}"))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '"' => tokens.push(Token::Text(quoted(&mut rest)?)),
            space if space.is_whitespace() => {}
            first => {
                let mut word = String::from(first);
                while let Some(more) = rest.next_if(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '"')) {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
        }
        if tokens.len() > MAX_TOKENS {
            return Err(invalid("too long"));
        }
    }
    Ok(tokens)
}

fn quoted(rest: &mut impl Iterator<Item = char>) -> Result<String, Refusal> {
    let mut text = String::new();
    while let Some(next) = rest.next() {
        match next {
            '"' => return Ok(text),
            '\\' => text.push(rest.next().ok_or_else(|| invalid("unfinished escape"))?),
            other => text.push(other),
        }
    }
    Err(invalid("unfinished string"))
}

/// Enough for people, and little enough for the stack: chains and nesting both become recursion.
const MAX_TOKENS: usize = 1000;
const MAX_DEPTH: usize = 32;

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.at += 1;
        }
        found
    }

    fn any(&mut self) -> Result<Filter, Refusal> {
        let mut filter = self.all()?;
        while self.keyword("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.all()?));
        }
        Ok(filter)
    }

    fn all(&mut self) -> Result<Filter, Refusal> {
        let mut filter = self.one()?;
        while self.keyword("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.one()?));
        }
        Ok(filter)
    }

    fn one(&mut self) -> Result<Filter, Refusal> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid("nested too deeply"));
        }
        let filter = if self.keyword("not") {
            Filter::Not(Box::new(self.one()?))
        } else if self.peek() == Some(&Token::Open) {
            self.at += 1;
            let inner = self.any()?;
            if self.next() != Some(&Token::Close) {
                return Err(invalid("a parenthesis is not closed"));
            }
            inner
        } else {
            Filter::Compare(self.comparison()?)
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Comparison, Refusal> {
        let Some(Token::Word(attribute)) = self.next() else { return Err(invalid("an attribute is missing")) };
        let operator = match self.next() {
            Some(Token::Word(word)) => Operator::parse(word),
            _ => None,
        };
        let operator = operator.ok_or_else(|| invalid("an operator is missing"))?;
        match self.next() {
            Some(Token::Word(value) | Token::Text(value)) => {
                Ok(Comparison { attribute: attribute.clone(), operator, value: value.clone() })
            }
            _ => Err(invalid("a value is missing")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates against `a = 1`, `b = 2`.
    fn holds(text: &str) -> bool {
        Filter::parse(text).unwrap().holds(&|comparison| {
            let have = if comparison.attribute == "a" { "1" } else { "2" };
            comparison.operator.holds(have, comparison.value.as_str())
        })
    }

    #[test]
    fn operators() {
        for (text, want) in [
            (r#"a eq "1""#, true),
            (r#"a NE "1""#, false),
            (r#"b gt "1""#, true),
            (r#"b ge "2""#, true),
            (r#"b lt "2""#, false),
            (r#"b Le "2""#, true),
        ] {
            assert_eq!(holds(text), want, "{text}");
        }
    }

    #[test]
    fn and_binds_tighter_than_or_and_parentheses_win() {
        assert!(holds(r#"a eq "1" or a eq "1" and b eq "9""#));
        assert!(!holds(r#"(a eq "1" or a eq "1") and b eq "9""#));
        assert!(holds(r#"not (a eq "9") AND NOT b eq "9""#));
    }

    #[test]
    fn strings_may_hold_anything() {
        let Filter::Compare(comparison) = Filter::parse(r#"name eq "a (\"b\") and c""#).unwrap() else { panic!() };
        assert_eq!(comparison.value, r#"a ("b") and c"#);
    }

    #[test]
    fn nonsense_is_refused() {
        let deep = format!("{}a eq 1", "not ".repeat(100));
        let long = format!("{}a eq 1", "a eq 1 or ".repeat(1000));
        assert!(Filter::parse(&long).is_err());
        for text in ["", "a", "a eq", "a xx 1", "(a eq 1", "a eq 1)", r#"a eq "1"#, "a eq 1 and", "and", deep.as_str()]
        {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
