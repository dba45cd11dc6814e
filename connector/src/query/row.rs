//! One row as the org's text, looked into without being taken apart.
//!
//! Key decision: a list of (name, raw text) borrowed from the row, built only where a row must be looked into
//! (restarts, joined slices, rows to be written); the plain way hands a row's text on unseen.
//! It does not decode values: numbers keep their text.

use std::fmt;

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The fields of one JSON object, in its order.
#[derive(Debug)]
pub struct Row<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'a> Row<'a> {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// What is wrong with the text; keys with escapes are refused, since API names have none.
    pub fn parse(text: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|e| e.to_string())
    }

    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// All (name, raw text).
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().map(|(name, value)| (*name, value.get()))
    }

    /// The raw text of a field, its name compared as the API does.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.fields()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// A field's text between quotes, if it is one without escapes.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.raw(name)?.strip_prefix('"')?.strip_suffix('"')
    }

    /// Its Id.
    pub fn id(&self) -> Option<RecordId> {
        RecordId::parse(self.text("Id")?.as_bytes())
    }

    /// A stamp of it.
    pub fn stamp(&self, name: &str) -> Option<Stamp> {
        Stamp::parse(self.text(name)?.as_bytes())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Row<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object with plain keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Row(fields))
            }
        }
        from.deserialize_map(Fields)
    }
}
