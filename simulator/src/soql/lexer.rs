//! SOQL text to tokens.
//!
//! Key decision: dates, times and datetimes are recognised here, by shape, because they stand unquoted and would
//! otherwise fall apart into numbers and signs.
//! Source: SOQL and SOSL Reference, "Quoted String Escape Sequences", "Date Formats and Date Literals".
//! Not here: grammar (`parser`).

use super::ast::Literal;
use crate::error::ApiError;

/// A token with its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub kind: Kind,
    pub at: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A keyword, a dotted name, or a name and a number (`LAST_N_DAYS:30`).
    Word(String),
    Literal(Literal),
    /// `( ) , = != <> < <= > >=`
    Sign(&'static str),
}

/// The error of a malformed query at a place, with the line that the API shows.
pub(crate) fn malformed(text: &str, at: usize, message: &str) -> ApiError {
    ApiError::new("MALFORMED_QUERY", located(text, at, message))
}

/// The text around a place with a caret under it, then row, column and message.
pub(crate) fn located(text: &str, at: usize, message: &str) -> String {
    let before = text.get(..at).unwrap_or(text);
    let row = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let start = before.char_indices().rev().nth(40).map_or(0, |(i, _)| i);
    let shown: String = text.get(start..).unwrap_or_default().chars().take(80).collect();
    let caret = " ".repeat(before.get(start..).unwrap_or_default().chars().count());
    format!("\n{shown}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}")
}

/// All tokens of a query.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, ApiError> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, len) = if c == '\'' {
            quoted(text, at)?
        } else if c.is_ascii_digit()
            || (matches!(c, '-' | '+' | '.')
                && text[at + 1..].starts_with(|d: char| d.is_ascii_digit() || d == '.'))
        {
            number_or_date(text, at)?
        } else if c.is_alphabetic() || c == '_' {
            word(&text[at..])
        } else {
            sign(text, at)?
        };
        out.push(Token { kind, at });
        at += len;
    }
    Ok(out)
}

fn word(text: &str) -> (Kind, usize) {
    let len = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
        .unwrap_or(text.len());
    let len = len + numbered(&text[len..]);
    let word = &text[..len];
    let kind = match word.to_ascii_lowercase().as_str() {
        "null" => Kind::Literal(Literal::Null),
        "true" => Kind::Literal(Literal::Bool(true)),
        "false" => Kind::Literal(Literal::Bool(false)),
        _ => Kind::Word(word.to_owned()),
    };
    (kind, len)
}

/// Length of the number of a named range of days (`:30` of `LAST_N_DAYS:30`).
fn numbered(rest: &str) -> usize {
    let digits = rest
        .strip_prefix(':')
        .map_or(0, |n| n.find(|c: char| !c.is_ascii_digit()).unwrap_or(n.len()));
    if digits == 0 { 0 } else { digits + 1 }
}

fn sign(text: &str, at: usize) -> Result<(Kind, usize), ApiError> {
    for sign in ["!=", "<>", "<=", ">=", "(", ")", ",", "=", "<", ">"] {
        if text[at..].starts_with(sign) {
            return Ok((Kind::Sign(sign), sign.len()));
        }
    }
    let c = text[at..].chars().next().unwrap_or(' ');
    Err(malformed(text, at, &format!("unexpected token: '{c}'")))
}

fn quoted(text: &str, at: usize) -> Result<(Kind, usize), ApiError> {
    let mut out = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\'' => return Ok((Kind::Literal(Literal::Text(out)), i + 2)),
            '\\' => {
                let escaped = chars.next().map(|(_, e)| e);
                match escaped {
                    Some('n' | 'N') => out.push('\n'),
                    Some('r' | 'R') => out.push('\r'),
                    Some('t' | 'T') => out.push('\t'),
                    Some('b' | 'B') => out.push('\u{8}'),
                    Some('f' | 'F') => out.push('\u{c}'),
                    Some(e @ ('\'' | '"' | '\\')) => out.push(e),
                    // Kept with their backslash: only LIKE gives them a meaning.
                    Some(e @ ('_' | '%')) => out.extend(['\\', e]),
                    Some('u') => out.push(unicode(&mut chars, text, at)?),
                    _ => {
                        let message = "Illegal string literal: invalid escape sequence";
                        return Err(malformed(text, at, message));
                    }
                }
            }
            c => out.push(c),
        }
    }
    Err(malformed(
        text,
        at,
        "Illegal string literal: missing closing quote",
    ))
}

fn unicode(chars: &mut std::str::CharIndices<'_>, text: &str, at: usize) -> Result<char, ApiError> {
    let digits: String = chars.take(4).map(|(_, c)| c).collect();
    u32::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 4)
        .and_then(char::from_u32)
        .ok_or_else(|| malformed(text, at, "Illegal string literal: invalid unicode escape"))
}

fn number_or_date(text: &str, at: usize) -> Result<(Kind, usize), ApiError> {
    let rest = &text[at..];
    let len = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | ':')))
        .unwrap_or(rest.len());
    let raw = &rest[..len];
    let literal = if is_date(raw) && len == 10 {
        Literal::Date(raw.to_owned())
    } else if is_date(raw) && raw[10..].starts_with('T') {
        Literal::DateTime(raw.to_owned())
    } else if raw.as_bytes().get(2) == Some(&b':') {
        Literal::Time(raw.to_owned())
    } else if raw.parse::<f64>().is_ok_and(f64::is_finite) {
        Literal::Number(raw.to_owned())
    } else {
        return Err(malformed(text, at, &format!("unexpected token: '{raw}'")));
    };
    Ok((Kind::Literal(literal), len))
}

fn is_date(raw: &str) -> bool {
    let b = raw.as_bytes();
    b.len() >= 10
        && b[4] == b'-'
        && b[7] == b'-'
        && [0, 1, 2, 3, 5, 6, 8, 9].iter().all(|i| b[*i].is_ascii_digit())
}
