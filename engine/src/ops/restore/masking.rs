//! Values made unreadable on the way into another org.
//!
//! Key decision: a mask is a function of the text and of the vault's key alone, so that equal texts stay equal wherever they
//! stand and joins hold, and nobody without the key can try texts out. Rules are a file that a person writes. It masks no
//! bodies of files.

use blake3::{Hasher, OutputReader};
use serde_json::value::{RawValue, to_raw_value};

use crate::base::error::{Error, Result};
use crate::format::derive::Keys;
use crate::format::describe::{Describe, FieldKind};
use crate::ops::restore::fields::{self, Values};

/// Rules; the first that fits a field counts.
#[derive(Debug, Clone, Default)]
pub struct Masks {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    line: usize,
    sobject: String,
    field: String,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Letters,
    Email,
    Hash,
    Fixed(String),
    Null,
    Keep,
}

impl Masks {
    /// Reads rules.
    ///
    /// ```
    /// use halite_engine::ops::restore::masking::Masks;
    ///
    /// let masks = Masks::parse("Contact.Email email\n*.Phone letters  # of whatever\nLead.Company fixed Acme")?;
    /// assert!(!masks.is_empty());
    /// assert!(Masks::parse("Contact.Email scramble").is_err());
    /// # Ok::<(), halite_engine::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` with the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut rules = Vec::new();
        for (at, line) in (1..).zip(text.lines()) {
            let line = line.split_once('#').map_or(line, |(line, _)| line).trim();
            if line.is_empty() {
                continue;
            }
            let rule = Rule::parse(at, line).ok_or_else(|| {
                Error::invalid(format!("masks, line {at}: `{line}` is not SOBJECT.FIELD HOW"))
                    .hint("HOW is letters, email, hash, fixed TEXT, null or keep")
            })?;
            rules.push(rule);
        }
        Ok(Self { rules })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Refuses a rule that fits no field of these sObjects.
    ///
    /// # Errors
    /// `Invalid` with its line.
    pub fn check(&self, describes: &[&Describe]) -> Result<()> {
        for rule in &self.rules {
            let mut of = describes
                .iter()
                .filter(|describe| fits(&rule.sobject, &describe.name));
            let any = |describe: &&Describe| {
                let mut fields = describe
                    .fields
                    .iter()
                    .filter(|field| fits(&rule.field, &field.name));
                fields.any(|field| rule.may_mask(field.kind))
            };
            if !of.any(any) {
                return Err(Error::invalid(format!(
                    "masks, line {}: {}.{} is no text field of what is chosen",
                    rule.line, rule.sobject, rule.field
                ))
                .hint("mend the name, or take the line out; only `null` and `keep` are for other fields than texts"));
            }
        }
        Ok(())
    }

    /// Masks the values of one record.
    ///
    /// # Errors
    /// Never in practice: what was read as JSON is JSON.
    pub fn apply(&self, keys: &Keys, describe: &Describe, values: &mut Values) -> Result<()> {
        let of: Vec<&Rule> = self
            .rules
            .iter()
            .filter(|rule| fits(&rule.sobject, &describe.name))
            .collect();
        if of.is_empty() {
            return Ok(());
        }
        for (name, value) in values.iter_mut().filter(|(_, value)| !fields::is_null(value)) {
            let kind = describe.field(name).map_or(FieldKind::Text, |field| field.kind);
            let rule = of
                .iter()
                .find(|rule| fits(&rule.field, name) && rule.may_mask(kind));
            if let Some(masked) = rule.and_then(|rule| rule.masked(keys, value)) {
                *value = masked?;
            }
        }
        Ok(())
    }
}

impl Rule {
    fn parse(line: usize, text: &str) -> Option<Self> {
        let (what, how) = text.split_once(char::is_whitespace)?;
        let (sobject, field) = what.split_once('.')?;
        let how = match how.trim().split_once(char::is_whitespace) {
            Some(("fixed", text)) => How::Fixed(text.trim().to_owned()),
            Some(_) => return None,
            None => match how.trim() {
                "letters" => How::Letters,
                "email" => How::Email,
                "hash" => How::Hash,
                "null" => How::Null,
                "keep" => How::Keep,
                _ => return None,
            },
        };
        let named = !sobject.is_empty() && !field.is_empty();
        named.then(|| Self {
            line,
            sobject: sobject.to_owned(),
            field: field.to_owned(),
            how,
        })
    }

    fn may_mask(&self, kind: FieldKind) -> bool {
        kind == FieldKind::Text || matches!(self.how, How::Null | How::Keep)
    }

    /// What a value becomes; none if it stays.
    fn masked(&self, keys: &Keys, value: &RawValue) -> Option<Result<Box<RawValue>>> {
        let text: String = match &self.how {
            How::Keep => return None,
            How::Null => return Some(Ok(fields::null())),
            How::Fixed(text) => return Some(json(text)),
            // Whatever is not a text here is not the org's own value, and is never written.
            _ => serde_json::from_str(value.get()).ok()?,
        };
        let mut stream = stream(keys, &text);
        let masked = match self.how {
            How::Letters => text.chars().map(|c| other(c, &mut stream)).collect(),
            How::Email => format!("{}@example.invalid", signs(12, &mut stream)),
            _ => signs(text.chars().count().clamp(8, 32), &mut stream),
        };
        Some(json(&masked))
    }
}

fn json(text: &str) -> Result<Box<RawValue>> {
    to_raw_value(text).map_err(|e| Error::invalid(format!("a text that is not JSON: {e}")))
}

/// Bytes that the vault's key and the text decide; case does not count.
fn stream(keys: &Keys, text: &str) -> OutputReader {
    let seed = keys.object_name("halite masked text v1", text.to_lowercase().as_bytes());
    Hasher::new_keyed(&seed).finalize_xof()
}

/// One of `signs`, by the next two bytes.
fn one(signs: &[u8], stream: &mut OutputReader) -> char {
    let mut bytes = [0; 2];
    stream.fill(&mut bytes);
    let at = usize::from(u16::from_le_bytes(bytes)) % signs.len().max(1);
    signs.get(at).map_or('x', |sign| char::from(*sign))
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";
const SIGNS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

fn signs(count: usize, stream: &mut OutputReader) -> String {
    (0..count).map(|_| one(SIGNS, stream)).collect()
}

/// Another character of the same kind.
fn other(c: char, stream: &mut OutputReader) -> char {
    if c.is_numeric() {
        one(DIGITS, stream)
    } else if c.is_uppercase() {
        one(UPPER, stream)
    } else if c.is_alphabetic() {
        one(LOWER, stream)
    } else {
        c
    }
}

/// Whether a name is as a pattern says, in which `*` stands for any characters; case does not count.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            let Some(at) = rest.find(middle) else { return false };
            rest = &rest[at + middle.len()..];
        }
    }
    match last {
        Some(end) => rest.ends_with(end),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, is) in [
            ("*", "Contact", true),
            ("Contact", "contact", true),
            ("Contact", "Contacts", false),
            ("*Name", "LastName", true),
            ("Mailing*", "MailingCity", true),
            ("Mailing*", "OtherCity", false),
            ("*a*b*", "xaxbx", true),
            ("*a*b*", "xbxax", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, name), is, "{pattern} {name}");
        }
    }
}
