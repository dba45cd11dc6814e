//! The values of one row: names and values in one run of bytes, nulls left out.
//!
//! Key decision: packed instead of a map of JSON values, because an org of a million rows must fit into two
//! gigabytes: a row is one allocation, a name two bytes, an Id nineteen. Names are numbered once for the whole
//! process and cells lie in order of their numbers. Values are made when they are read; text can be borrowed.
//! Not here: what a value may be (`write::coerce`). Names are never freed: they are the fields of schemas.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

/// All names with their numbers.
#[derive(Default)]
struct Names {
    numbers: Option<HashMap<&'static str, u32>>,
    names: Vec<&'static str>,
}

static NAMES: RwLock<Names> = RwLock::new(Names {
    numbers: None,
    names: Vec::new(),
});

/// The number of a name, if it ever named a value.
fn number(name: &str) -> Option<u32> {
    let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    names.numbers.as_ref()?.get(name).copied()
}

/// The number of a name, from now on.
fn numbered(name: &str) -> u32 {
    if let Some(known) = number(name) {
        return known;
    }
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    let next = u32::try_from(names.names.len()).unwrap_or(u32::MAX);
    let numbers = names.numbers.get_or_insert_default();
    if let Some(known) = numbers.get(name) {
        return *known;
    }
    let kept: &'static str = String::leak(name.to_owned());
    numbers.insert(kept, next);
    names.names.push(kept);
    next
}

/// The one copy of a name.
pub(super) fn interned(text: &str) -> &'static str {
    name(numbered(text))
}

fn name(number: u32) -> &'static str {
    let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
    names.names.get(number as usize).copied().unwrap_or_default()
}

/// How a value is packed; the byte after the name's number.
const NO: u8 = 0;
const YES: u8 = 1;
/// Eight bytes each, little endian.
const SIGNED: u8 = 2;
const UNSIGNED: u8 = 3;
const DOUBLE: u8 = 4;
/// A length, then so many bytes of UTF-8: the text itself, or JSON of anything else.
const TEXT: u8 = 5;
const JSON: u8 = 6;

/// Values by API name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values(Vec<u8>);

/// A value as it lies in a row.
#[derive(Debug, Clone)]
pub(crate) enum Packed<'a> {
    Text(&'a str),
    Other(Value),
}

/// Names to read out of many rows, each with a place of the reader's.
#[derive(Debug, Clone)]
pub(crate) struct Picks(Vec<(u32, usize)>);

impl Picks {
    pub fn of<'n>(names: impl Iterator<Item = (usize, &'n str)>) -> Self {
        let mut picks: Vec<(u32, usize)> = names.map(|(place, name)| (numbered(name), place)).collect();
        picks.sort_unstable();
        Self(picks)
    }
}

/// A packed value with its name.
#[derive(Clone, Copy)]
struct Cell<'a> {
    name: u32,
    tag: u8,
    bytes: &'a [u8],
    /// Where it begins and ends in the row.
    span: (usize, usize),
}

impl<'a> Cell<'a> {
    fn text(self) -> Option<&'a str> {
        // Packed from a `str`, so it is one.
        (self.tag == TEXT).then(|| std::str::from_utf8(self.bytes).unwrap_or_default())
    }

    fn value(self) -> Value {
        let eight = || self.bytes.try_into().unwrap_or_default();
        match self.tag {
            NO => Value::Bool(false),
            YES => Value::Bool(true),
            SIGNED => Value::from(i64::from_le_bytes(eight())),
            UNSIGNED => Value::from(u64::from_le_bytes(eight())),
            DOUBLE => Number::from_f64(f64::from_le_bytes(eight())).map_or(Value::Null, Value::Number),
            TEXT => Value::String(self.text().unwrap_or_default().to_owned()),
            // Packed from JSON, so it is that.
            _ => serde_json::from_slice(self.bytes).unwrap_or_default(),
        }
    }
}

/// Cells one after the other.
struct Cells<'a> {
    row: &'a [u8],
    at: usize,
}

impl Cells<'_> {
    /// A number in seven-bit groups, low ones first.
    fn short(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *self.row.get(self.at)?;
            self.at += 1;
            number |= u32::from(byte & 127).checked_shl(shift)?;
            if byte < 128 {
                return Some(number);
            }
            shift += 7;
        }
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = Cell<'a>;

    fn next(&mut self) -> Option<Cell<'a>> {
        let start = self.at;
        let name = self.short()?;
        let tag = *self.row.get(self.at)?;
        self.at += 1;
        let length = match tag {
            NO | YES => 0,
            SIGNED | UNSIGNED | DOUBLE => 8,
            _ => self.short()? as usize,
        };
        let bytes = self.row.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(Cell {
            name,
            tag,
            bytes,
            span: (start, self.at),
        })
    }
}

fn push_short(out: &mut Vec<u8>, mut number: u32) {
    while number >= 128 {
        out.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    out.push(number as u8);
}

fn push_long(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    // Texts end at some hundred thousand characters; what is longer than a row can hold is cut.
    let bytes = &bytes[..bytes.len().min(u32::MAX as usize)];
    push_short(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

fn push(out: &mut Vec<u8>, number: u32, value: &Value) {
    push_short(out, number);
    let mut eight = |tag: u8, bytes: [u8; 8]| {
        out.push(tag);
        out.extend_from_slice(&bytes);
    };
    match value {
        Value::Bool(yes) => out.push(if *yes { YES } else { NO }),
        Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
            (Some(n), ..) => eight(SIGNED, n.to_le_bytes()),
            (_, Some(n), _) => eight(UNSIGNED, n.to_le_bytes()),
            (.., n) => eight(DOUBLE, n.unwrap_or_default().to_le_bytes()),
        },
        Value::String(text) => push_long(out, TEXT, text.as_bytes()),
        other => push_long(out, JSON, other.to_string().as_bytes()),
    }
}

impl Values {
    fn cells(&self) -> Cells<'_> {
        Cells { row: &self.0, at: 0 }
    }

    fn find(&self, name: &str) -> Option<Cell<'_>> {
        let number = number(name)?;
        let mut later = self.cells().skip_while(|cell| cell.name < number);
        later.next().filter(|cell| cell.name == number)
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        self.find(name).map(Cell::value)
    }

    /// A text; `None` if the value is of another kind.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.find(name)?.text()
    }

    /// Whether a checkbox is set; `None` if it was never told.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.find(name)?.tag {
            YES => Some(true),
            NO => Some(false),
            _ => None,
        }
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn insert(&mut self, name: &str, value: &Value) {
        let number = numbered(name);
        let after = self.cells().find(|cell| cell.name >= number);
        let (start, end) = match after {
            Some(cell) if cell.name == number => cell.span,
            Some(cell) => (cell.span.0, cell.span.0),
            None => (self.0.len(), self.0.len()),
        };
        let mut packed = Vec::with_capacity(40);
        push(&mut packed, number, value);
        self.0.splice(start..end, packed);
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let cell = self.find(name)?;
        let (value, (start, end)) = (cell.value(), cell.span);
        self.0.drain(start..end);
        Some(value)
    }

    /// Gives the values of some names in one go over the row, each with its place.
    pub fn pick<'a>(&'a self, picks: &Picks, mut take: impl FnMut(usize, Packed<'a>)) {
        let mut wanted = picks.0.iter().peekable();
        for cell in self.cells() {
            while wanted.next_if(|(number, _)| *number < cell.name).is_some() {}
            while let Some((_, place)) = wanted.next_if(|(number, _)| *number == cell.name) {
                let other = || Packed::Other(cell.value());
                take(*place, cell.text().map_or_else(other, Packed::Text));
            }
        }
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> {
        let mut pairs: Vec<_> = self.cells().map(|cell| (name(cell.name), cell.value())).collect();
        pairs.sort_unstable_by_key(|(name, _)| *name);
        pairs.into_iter()
    }

    /// Gives back memory kept for growth.
    pub fn settle(&mut self) {
        self.0.shrink_to_fit();
    }
}

impl<N: AsRef<str>> FromIterator<(N, Value)> for Values {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(pairs: I) -> Self {
        let mut values = Self::default();
        for (name, value) in pairs {
            values.insert(name.as_ref(), &value);
        }
        values
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Map::<String, Value>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn behaves_as_a_map() {
        let mut values: Values = [("b", json!(2)), ("a", json!(1)), ("b", json!(3))]
            .into_iter()
            .collect();
        assert_eq!(values.get("b"), Some(json!(3)));
        assert_eq!(values.get("a"), Some(json!(1)));
        assert_eq!(values.remove("a"), Some(json!(1)));
        assert!(!values.contains_key("a") && values.remove("a").is_none());
        assert_eq!(values.get("never named"), None);
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let long = "é".repeat(70_000);
        let given = [
            ("k1", json!(true)),
            ("k2", json!(false)),
            ("k3", json!(-7)),
            ("k4", json!(u64::MAX)),
            ("k5", json!(-0.5)),
            ("k6", json!("")),
            ("k7", json!(long)),
            ("k8", json!({"city": ["Hallein", null, 1.0]})),
        ];
        for turn in 0..given.len() {
            let mut order = given.clone();
            order.rotate_left(turn);
            let values: Values = order.into_iter().collect();
            let back: Vec<(&str, Value)> = values.iter().collect();
            assert_eq!(back, given);
            assert_eq!(
                (values.text("k7"), values.text("k3")),
                (Some(long.as_str()), None)
            );
            assert_eq!(
                (values.flag("k1"), values.flag("k2"), values.flag("k6")),
                (Some(true), Some(false), None)
            );
        }
    }

    #[test]
    fn names_are_picked_in_one_go() {
        let values: Values = [("p3", json!("three")), ("p1", json!(1)), ("p2", json!(true))]
            .into_iter()
            .collect();
        let picks = Picks::of([(0, "p2"), (1, "none"), (2, "p3"), (3, "p2")].into_iter());
        let mut found = Vec::new();
        values.pick(&picks, |place, value| found.push((place, format!("{value:?}"))));
        found.sort();
        let other = "Other(Bool(true))".to_owned();
        assert_eq!(
            found,
            [(0, other.clone()), (2, "Text(\"three\")".to_owned()), (3, other)]
        );
    }

    #[test]
    fn a_row_takes_little_more_than_its_values() {
        let id = "a".repeat(18);
        let values: Values = [("Id", json!(id)), ("OwnerId", json!(id))].into_iter().collect();
        assert!(values.0.len() <= 2 * (18 + 4), "{}", values.0.len());
    }
}
