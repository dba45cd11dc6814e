//! A condition on the values of a record, as a person types it after `--where`.
//!
//! Key decision: SOQL's words and meaning where it has them: texts compare without case, null is a value, what is less or
//! more than null is neither. A text that is no condition is refused with the place and with what could stand there. It
//! knows no schema: a field that a record has not is null.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::ops::restore::fields::Values;

/// The most brackets and NOTs within each other.
const DEPTH: usize = 100;

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Any of these; none of none.
    Any(Vec<Condition>),
    /// All of these.
    All(Vec<Condition>),
    /// Not this.
    Not(Box<Condition>),
    /// A field's value stands so to one of these.
    Field(String, Is, Vec<Wanted>),
}

/// How a value stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// `=`, and `IN` of more than one.
    Equal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `LIKE`: `%` stands for any characters, `_` for one.
    Like,
}

/// A value in a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `null`
    Null,
    /// `true`, `false`, a number, a date, a time.
    Bare(String),
    /// In quotes; in lower case.
    Text(String),
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    /// `Invalid`, with the place and what was expected.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser {
            text,
            rest: tokens(text)?.into_iter().peekable(),
            depth: 0,
        };
        let condition = parser.any()?;
        match parser.rest.next() {
            None => Ok(condition),
            Some((at, _)) => Err(wrong(text, at, "AND, OR or the end")),
        }
    }

    /// Whether a record of these values meets it.
    pub fn holds(&self, values: &Values) -> bool {
        match self {
            Self::Any(parts) => parts.iter().any(|part| part.holds(values)),
            Self::All(parts) => parts.iter().all(|part| part.holds(values)),
            Self::Not(part) => !part.holds(values),
            Self::Field(name, is, wanted) => {
                let value = values.get(name).map(AsRef::as_ref);
                wanted.iter().any(|wanted| stands(value, *is, wanted))
            }
        }
    }

    /// Gives the name of each field.
    pub fn fields(&mut self, each: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Any(parts) | Self::All(parts) => parts.iter_mut().for_each(|part| part.fields(each)),
            Self::Not(part) => part.fields(each),
            Self::Field(name, ..) => each(name),
        }
    }
}

/// Whether a field's JSON value stands so to a wanted one.
fn stands(value: Option<&RawValue>, is: Is, wanted: &Wanted) -> bool {
    let value = value.filter(|value| value.get() != "null");
    let (json, text) = match (value, wanted) {
        (None, wanted) => return is == Is::Equal && *wanted == Wanted::Null,
        (Some(_), Wanted::Null) => return false,
        (Some(value), Wanted::Bare(text) | Wanted::Text(text)) => (value.get(), text),
    };
    let Some(own) = text_of(json) else { return false };
    if is == Is::Like {
        return like(&own, text);
    }
    let same_record = || {
        let id = |text: &str| RecordId::parse(text.as_bytes());
        json.starts_with('"') && id(&own_case(json)).is_some_and(|own| Some(own) == id_any_case(text, &own))
    };
    let order = match decimals(&own, text).filter(|_| !json.starts_with('"')) {
        Some(order) => order,
        None => own.as_str().cmp(text.as_str()),
    };
    match is {
        Is::Equal => order == Ordering::Equal || same_record(),
        Is::Less => order == Ordering::Less,
        Is::AtMost => order != Ordering::Greater,
        Is::More => order == Ordering::Greater,
        Is::AtLeast => order != Ordering::Less,
        Is::Like => false,
    }
}

/// A JSON text, number or boolean as lower case text.
fn text_of(json: &str) -> Option<String> {
    if json.starts_with(['{', '[']) {
        return None;
    }
    Some(own_case(json).to_lowercase())
}

fn own_case(json: &str) -> String {
    serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())
}

/// An Id of 15 characters stands for the one of 18; case was lost, so that the first 15 must be those of the record.
fn id_any_case(text: &str, own: &RecordId) -> Option<RecordId> {
    let own_text = own.to_string();
    let short = own_text.get(..15)?;
    (text.len() == 15 && short.eq_ignore_ascii_case(text)).then_some(*own)
}

/// Compares two decimals digit by digit, whatever their length; none if one is no decimal.
fn decimals(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (Decimal::of(a)?, Decimal::of(b)?);
    Some(match (a.negative, b.negative) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) => b.size(&a),
        (false, false) => a.size(&b),
    })
}

struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    part: &'a str,
}

impl<'a> Decimal<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(part) {
            return None;
        }
        let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
        let is_zero = whole.is_empty() && part.is_empty();
        Some(Self {
            negative: text.starts_with('-') && !is_zero,
            whole,
            part,
        })
    }

    fn size(&self, other: &Self) -> Ordering {
        let whole = self
            .whole
            .len()
            .cmp(&other.whole.len())
            .then(self.whole.cmp(other.whole));
        whole.then(self.part.cmp(other.part))
    }
}

/// Whether a text fits a pattern; each character is looked at again at most once a `%`.
fn like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut t, mut p, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                back = Some((t, p));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => (t, p) = (t + 1, p + 1),
            _ => match back {
                Some((from, star)) => {
                    back = Some((from + 1, star));
                    (t, p) = (from + 1, star + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A name, a word, a number, a date.
    Word(String),
    Text(String),
    Sign(&'static str),
}

fn wrong(text: &str, at: usize, expected: &str) -> Error {
    let place = text.get(..at).map_or(at, |before| before.chars().count()) + 1;
    let found = match text
        .get(at..)
        .map(|rest| rest.chars().take(20).collect::<String>())
    {
        Some(rest) if !rest.is_empty() => format!("`{rest}`"),
        _ => "the end".to_owned(),
    };
    Error::invalid(format!(
        "--where, at character {place}: expected {expected}, found {found}"
    ))
    .hint("for instance --where 'Amount > 100 AND Name LIKE \"A%\"'")
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let (mut found, mut chars) = (Vec::new(), text.char_indices().peekable());
    while let Some((at, c)) = chars.next() {
        let mut then = |sign: char| chars.next_if(|(_, c)| *c == sign).is_some();
        let token = match c {
            c if c.is_whitespace() => continue,
            '(' => Token::Sign("("),
            ')' => Token::Sign(")"),
            ',' => Token::Sign(","),
            '=' => Token::Sign("="),
            '!' if then('=') => Token::Sign("!="),
            '<' if then('=') => Token::Sign("<="),
            '<' if then('>') => Token::Sign("!="),
            '<' => Token::Sign("<"),
            '>' if then('=') => Token::Sign(">="),
            '>' => Token::Sign(">"),
            '"' | '\'' => Token::Text(quoted(text, at, c, &mut chars)?),
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = chars.next_if(|(_, c)| is_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            _ => return Err(wrong(text, at, "a field, a value or a sign")),
        };
        found.push((at, token));
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | ':')
}

/// A text up to its quote; a backslash takes the next character as it is.
fn quoted(text: &str, at: usize, quote: char, chars: &mut Peekable<CharIndices<'_>>) -> Result<String> {
    let mut found = String::new();
    while let Some((_, c)) = chars.next() {
        match c {
            c if c == quote => return Ok(found),
            '\\' => found.extend(chars.next().map(|(_, c)| c)),
            c => found.push(c),
        }
    }
    Err(wrong(text, at, &format!("a text that ends with {quote}")))
}

struct Parser<'t> {
    text: &'t str,
    rest: Peekable<std::vec::IntoIter<(usize, Token)>>,
    depth: usize,
}

impl Parser<'_> {
    fn wrong<T>(&mut self, expected: &str) -> Result<T> {
        let at = self.rest.peek().map_or(self.text.len(), |(at, _)| *at);
        Err(wrong(self.text, at, expected))
    }

    fn word(&mut self, word: &str) -> bool {
        let is =
            |(_, token): &(usize, Token)| matches!(token, Token::Word(w) if w.eq_ignore_ascii_case(word));
        self.rest.next_if(is).is_some()
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.rest
            .next_if(|(_, token)| matches!(token, Token::Sign(s) if *s == sign))
            .is_some()
    }

    fn any(&mut self) -> Result<Condition> {
        let mut parts = vec![self.all()?];
        while self.word("OR") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Condition::Any(parts)
        })
    }

    fn all(&mut self) -> Result<Condition> {
        let mut parts = vec![self.one()?];
        while self.word("AND") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Condition::All(parts)
        })
    }

    fn one(&mut self) -> Result<Condition> {
        if self.depth >= DEPTH {
            return self.wrong("fewer brackets within each other");
        }
        self.depth += 1;
        let one = if self.word("NOT") {
            self.one().map(|part| Condition::Not(Box::new(part)))
        } else if self.sign("(") {
            let inner = self.any()?;
            if self.sign(")") {
                Ok(inner)
            } else {
                self.wrong("AND, OR or `)`")
            }
        } else {
            self.field()
        };
        self.depth -= 1;
        one
    }

    fn field(&mut self) -> Result<Condition> {
        let is_name = |(_, token): &(usize, Token)| {
            let known = |w: &String| {
                ["AND", "OR", "NOT", "IN", "LIKE", "null"]
                    .iter()
                    .any(|k| k.eq_ignore_ascii_case(w))
            };
            matches!(token, Token::Word(w) if w.starts_with(|c: char| c.is_ascii_alphabetic()) && !known(w))
        };
        let Some((_, Token::Word(name))) = self.rest.next_if(is_name) else {
            return self.wrong("a field, NOT or `(`");
        };
        let not = self.word("NOT");
        if self.word("IN") {
            let wanted = self.list()?;
            let field = Condition::Field(name, Is::Equal, wanted);
            return Ok(if not {
                Condition::Not(Box::new(field))
            } else {
                field
            });
        }
        if not {
            return self.wrong("IN");
        }
        if self.word("LIKE") {
            return match self.value()? {
                text @ Wanted::Text(_) => Ok(Condition::Field(name, Is::Like, vec![text])),
                _ => self.wrong("a text in quotes before this"),
            };
        }
        let signs = [
            ("=", Is::Equal),
            ("!=", Is::Equal),
            ("<=", Is::AtMost),
            ("<", Is::Less),
            (">=", Is::AtLeast),
            (">", Is::More),
        ];
        for (sign, is) in signs {
            if self.sign(sign) {
                let field = Condition::Field(name, is, vec![self.value()?]);
                return Ok(if sign == "!=" {
                    Condition::Not(Box::new(field))
                } else {
                    field
                });
            }
        }
        self.wrong("=, !=, <, <=, >, >=, LIKE, IN or NOT IN")
    }

    fn list(&mut self) -> Result<Vec<Wanted>> {
        if !self.sign("(") {
            return self.wrong("`(`");
        }
        let mut wanted = vec![self.value()?];
        while self.sign(",") {
            wanted.push(self.value()?);
        }
        if self.sign(")") {
            Ok(wanted)
        } else {
            self.wrong("`,` or `)`")
        }
    }

    fn value(&mut self) -> Result<Wanted> {
        let is_bare = |w: &str| {
            w.starts_with(|c: char| c.is_ascii_digit() || c == '-')
                || ["true", "false", "null"]
                    .iter()
                    .any(|k| k.eq_ignore_ascii_case(w))
        };
        let is_value = |(_, token): &(usize, Token)| match token {
            Token::Text(_) => true,
            Token::Word(word) => is_bare(word),
            Token::Sign(_) => false,
        };
        match self.rest.next_if(is_value) {
            Some((_, Token::Text(text))) => Ok(Wanted::Text(text.to_lowercase())),
            Some((_, Token::Word(word))) if word.eq_ignore_ascii_case("null") => Ok(Wanted::Null),
            Some((_, Token::Word(word))) => Ok(Wanted::Bare(word.to_lowercase())),
            _ => self.wrong("a text in quotes, a number, a date, true, false or null"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holds(condition: &str, json: &str) -> bool {
        let values = crate::ops::restore::fields::values(json).unwrap();
        Condition::parse(condition).unwrap().holds(&values)
    }

    #[test]
    fn conditions_mean_what_soql_means_by_them() {
        let json = r#"{"Amount":100.50,"Name":"Anna \"A\" 100%","Open":true,"Day":"2024-02-01","Id":"001000000000001AAA"}"#;
        for yes in [
            "Amount = 100.5",
            "Amount > 99",
            "Amount >= 100.50 AND Amount < 1000",
            "amountless = null or Amount != null",
            "Name LIKE 'anna%'",
            "NOT Name like \"_b%\"",
            "Name = 'ANNA \"A\" 100%'",
            "Open = true",
            "Day < 2024-10-01 and Day >= '2024-02-01'",
            "Name IN (null, 'x', 'anna \\\"a\\\" 100%')",
            "Name NOT IN ('x')",
            "None != 5",
            "Id = '001000000000001'",
            "(Open = false OR Amount > 1) AND (Day = 2024-02-01)",
        ] {
            assert!(holds(yes, json), "{yes}");
        }
        for no in [
            "Amount < 20",
            "Amount > -200 AND Amount < -1",
            "None < 5",
            "None > 5",
            "Name = null",
            "Name LIKE 'a'",
            "Open = true AND Open = false OR Amount = 1",
            "NOT (Open = true OR Amount = 1)",
        ] {
            assert!(!holds(no, json), "{no}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_its_place() {
        let says = |text: &str, words: &str| {
            let error = Condition::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        };
        says("", "character 1: expected a field, NOT or `(`, found the end");
        says("Name", "character 5: expected =, !=");
        says("Name = Anna", "character 8: expected a text in quotes");
        says("Näme = 1", "character 2: expected a field, a value or a sign");
        says("Name = 'x", "character 8: expected a text that ends with '");
        says("(A = 1", "expected AND, OR or `)`, found the end");
        says(
            "A = 1 B = 2",
            "character 7: expected AND, OR or the end, found `B = 2`",
        );
        says("A IN 1", "expected `(`");
        says("A IN (1 2)", "expected `,` or `)`");
        says("A LIKE 1", "expected a text in quotes before this");
        says("A NOT = 1", "expected IN");
        says(&"(".repeat(100_000), "fewer brackets");
        says(&"NOT ".repeat(100_000), "fewer brackets");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ a-zA-Z0-9_%'\"<>=!(),.\\\\äNOTINLIKEAND-]{0,80}", any in ".{0,60}") {
            let values = crate::ops::restore::fields::values(r#"{"a":1,"A":"x"}"#).unwrap();
            for text in [text, any] {
                if let Ok(condition) = Condition::parse(&text) {
                    condition.holds(&values);
                }
            }
        }

        #[test]
        fn decimals_compare_as_whole_numbers_do(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let text = |n: i64| format!("{}{}.{:03}", if n < 0 { "-" } else { "" }, n.abs() / 1000, n.abs() % 1000);
            prop_assert_eq!(decimals(&text(a), &text(b)), Some(a.cmp(&b)));
        }

        #[test]
        fn patterns_match_as_the_plain_rule_says(text in "[ab]{0,8}", pattern in "[ab%_]{0,6}") {
            fn plain(text: &[u8], pattern: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'%', rest)) => (0..=text.len()).any(|n| plain(&text[n..], rest)),
                    Some((c, rest)) => text.first().is_some_and(|t| *c == b'_' || t == c) && plain(&text[1..], rest),
                }
            }
            prop_assert_eq!(like(&text, &pattern), plain(text.as_bytes(), pattern.as_bytes()));
        }
    }
}
