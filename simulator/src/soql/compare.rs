//! Order of stored values, and LIKE patterns.
//!
//! Key decision: nothing is copied: text folds its case character by character while it is compared, and a
//! pattern is cut into steps once, when its query is bound.
//! Source: SOQL and SOSL Reference, "Comparison Operators".
//! Not here: which values are compared (`eval`).

use std::cmp::Ordering;

use serde_json::Value;

/// Orders two values; null comes first. `folded`: text without regard to case.
pub(crate) fn order(folded: bool, a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) if folded => fold(a, b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            // Zero has no sign here.
            (a + 0.0).total_cmp(&(b + 0.0))
        }
    }
}

fn fold(a: &str, b: &str) -> Ordering {
    for (x, y) in a.bytes().zip(b.bytes()) {
        if !x.is_ascii() || !y.is_ascii() {
            let b = b.chars().flat_map(char::to_lowercase);
            return a.chars().flat_map(char::to_lowercase).cmp(b);
        }
        let found = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
        if found.is_ne() {
            return found;
        }
    }
    a.len().cmp(&b.len())
}

/// A LIKE pattern: `%` any text, `_` one character, a backslash makes either plain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern(Vec<Step>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Any,
    One,
    Char(char),
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

impl Pattern {
    pub fn new(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            steps.push(match c {
                '\\' => Step::Char(lower(chars.next().unwrap_or('\\'))),
                '%' => Step::Any,
                '_' => Step::One,
                c => Step::Char(lower(c)),
            });
        }
        Self(steps)
    }

    /// Greedy matching with one point of return: linear in practice, quadratic at worst.
    pub fn fits(&self, text: &str) -> bool {
        let (mut rest, mut p) = (text, 0);
        let mut back: Option<(usize, &str)> = None;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match self.0.get(p) {
                Some(Step::Any) => {
                    back = Some((p, rest));
                    p += 1;
                }
                Some(Step::One) => (rest, p) = (after, p + 1),
                Some(Step::Char(want)) if *want == lower(c) => (rest, p) = (after, p + 1),
                _ => {
                    let Some((star, from)) = back else {
                        return false;
                    };
                    let mut chars = from.chars();
                    chars.next();
                    rest = chars.as_str();
                    back = Some((star, rest));
                    p = star + 1;
                }
            }
        }
        self.0[p..].iter().all(|s| *s == Step::Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn like_patterns() {
        for (text, pattern, fits) in [
            ("acme", "ac%", true),
            ("Acme", "%M_", true),
            ("acme", "a_e", false),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("", "%", true),
            ("ab", "%b%b", false),
            ("aXbXb", "%b%b", true),
            ("Ärger", "ä%r", true),
            ("田中", "_中", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(text), fits, "{text} like {pattern}");
        }
    }

    #[test]
    fn orders() {
        assert_eq!(order(true, &json!("ÄB"), &json!("äb")), Ordering::Equal);
        assert_eq!(order(false, &json!("B"), &json!("a")), Ordering::Less);
        assert_eq!(order(true, &json!("B"), &json!("a")), Ordering::Greater);
        assert_eq!(order(true, &json!("Az"), &json!("aZß")), Ordering::Less);
        assert_eq!(order(true, &Value::Null, &json!(-1)), Ordering::Less);
        assert_eq!(order(true, &json!(0.0), &json!(-0.0)), Ordering::Equal);
    }
}
