//! A formula cut into tokens.
//!
//! Key decision: names carry their path (`Account.Name`, `$User.Id`, `Owner:User.Email`), since a dot means
//! nothing else in the language.
//! Not here: what the tokens mean together (`parser`).

use super::{Op, Val};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Value(Val),
    Name(String),
    Op(Op),
    /// `(`, `)`, `,` or `!`.
    Sign(char),
}

/// The tokens; `None` for a text that is no formula.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let used = match c {
            '/' if rest.starts_with("/*") => rest.find("*/")? + 2,
            '"' | '\'' => quoted(rest, c, &mut out)?,
            '0'..='9' | '.' => number(rest, &mut out)?,
            c if c.is_alphabetic() || c == '$' => name(rest, &mut out),
            _ => sign(rest, &mut out)?,
        };
        rest = rest[used..].trim_start();
    }
    Some(out)
}

fn quoted(rest: &str, quote: char, out: &mut Vec<Token>) -> Option<usize> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                out.push(Token::Value(Val::Text(text)));
                return Some(at + 1);
            }
            '\\' => match chars.next()?.1 {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    None
}

fn number(rest: &str, out: &mut Vec<Token>) -> Option<usize> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    out.push(Token::Value(Val::Num(rest[..end].parse().ok()?)));
    Some(end)
}

fn name(rest: &str, out: &mut Vec<Token>) -> usize {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | ':');
    let end = rest.find(|c: char| !part(c)).unwrap_or(rest.len());
    let text = &rest[..end];
    out.push(match text.to_ascii_uppercase().as_str() {
        "TRUE" => Token::Value(Val::Bool(true)),
        "FALSE" => Token::Value(Val::Bool(false)),
        "NULL" => Token::Value(Val::Null),
        _ => Token::Name(text.to_owned()),
    });
    end
}

fn sign(rest: &str, out: &mut Vec<Token>) -> Option<usize> {
    const SIGNS: [(&str, Op); 16] = [
        ("&&", Op::And),
        ("||", Op::Or),
        ("<>", Op::Ne),
        ("!=", Op::Ne),
        ("<=", Op::Le),
        (">=", Op::Ge),
        ("==", Op::Eq),
        ("=", Op::Eq),
        ("<", Op::Lt),
        (">", Op::Gt),
        ("&", Op::Join),
        ("+", Op::Add),
        ("-", Op::Sub),
        ("*", Op::Mul),
        ("/", Op::Div),
        ("^", Op::Pow),
    ];
    if let Some((sign, op)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
        out.push(Token::Op(*op));
        return Some(sign.len());
    }
    let c = rest
        .chars()
        .next()
        .filter(|c| matches!(c, '(' | ')' | ',' | '!'))?;
    out.push(Token::Sign(c));
    Some(1)
}
