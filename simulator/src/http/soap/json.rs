//! JSON whose objects keep the order of their keys, as REST's handlers wrote them.
//!
//! Key decision: a record's elements follow the SELECT, and a map would sort them away.
//! Not here: writing JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value; scalars are kept as the text that XML shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Scalar(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The member of that name; null for none.
    pub fn get(&self, name: &str) -> &Json {
        let Json::Object(pairs) = self else {
            return &Json::Null;
        };
        pairs
            .iter()
            .find(|(k, _)| k == name)
            .map_or(&Json::Null, |(_, v)| v)
    }

    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The members of a list.
    pub fn list(&self) -> &[Json] {
        match self {
            Json::List(list) => list,
            _ => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
        Ok(Json::Scalar(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
        Ok(Json::Scalar(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
        Ok(Json::Scalar(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
        Ok(Json::Scalar(format!("{v:?}")))
    }

    fn visit_str<E>(self, v: &str) -> Result<Json, E> {
        Ok(Json::Scalar(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Json::Object(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept() {
        let read: Json = serde_json::from_str(r#"{"b": 1, "a": [true, null, 4.0, "x"]}"#).unwrap();
        let Json::Object(pairs) = &read else {
            panic!("{read:?}")
        };
        assert_eq!((pairs[0].0.as_str(), pairs[1].0.as_str()), ("b", "a"));
        assert_eq!(read.get("a").list()[2].text(), Some("4.0"));
        assert_eq!(read.get("c"), &Json::Null);
    }
}
