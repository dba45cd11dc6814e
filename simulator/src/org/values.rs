//! The values of one row: names in order, each with its value, nulls left out.
//!
//! Key decision: one vector of pairs instead of a map, with names kept once for the whole process, because
//! an org of a million rows must fit into two gigabytes. Lookups are binary searches over some twenty names.
//! Not here: what a value may be (`write::coerce`). Names are never freed: they are the fields of schemas.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A field's name, kept once: a thin pointer, so that a pair takes 40 bytes.
type Name = &'static &'static str;

static NAMES: Mutex<BTreeMap<&'static str, Name>> = Mutex::new(BTreeMap::new());

/// The one copy of a name.
pub(super) fn interned(name: &str) -> Name {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let text: &'static str = String::leak(name.to_owned());
    let kept: Name = Box::leak(Box::new(text));
    names.insert(text, kept);
    kept
}

/// Values by API name, sorted by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Values(Vec<(Name, Value)>);

impl Values {
    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(n, _)| (**n).cmp(name))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub fn insert(&mut self, name: &str, value: Value) {
        match self.find(name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (interned(name), value)),
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.find(name).ok()?;
        Some(self.0.remove(at).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (**name, value))
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
            values.insert(name.as_ref(), value);
        }
        values
    }
}

impl Serialize for Values {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (**name, value)))
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
        assert_eq!(values.get("b"), Some(&json!(3)));
        assert_eq!(values.get("a"), Some(&json!(1)));
        assert_eq!(values.remove("a"), Some(json!(1)));
        assert!(!values.contains_key("a") && values.remove("a").is_none());
        assert_eq!(size_of::<(Name, Value)>(), 40);
    }
}
