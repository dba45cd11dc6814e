//! The values of one operation as one text, so that a plan of many operations takes little memory.
//!
//! Key decision: a map pays for each name and value apart, a text does not; an operation is opened only while it is
//! planned, written or compared. The texts of a large plan lie in a temporary file. What was packed opens again as it
//! was. It is no map: whoever works on values opens them first.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::ops::restore::fields::{self, Values};
use crate::ops::spill::Spill;

/// Bytes of a plan's texts that are held in memory.
const HELD: usize = 16 << 20;

/// Values, packed.
#[derive(Clone, Default)]
pub struct Packed(Text);

#[derive(Clone, Default)]
enum Text {
    /// No values.
    #[default]
    None,
    /// The text.
    Here(Box<RawValue>),
    /// Where the text stands.
    There { texts: Texts, at: u64, bytes: u32 },
}

impl Packed {
    /// Packs values.
    ///
    /// # Errors
    /// Never for values that were read.
    pub fn of(values: &Values) -> Result<Self> {
        if values.is_empty() {
            return Ok(Self::default());
        }
        raw(fields::text(values)?).map(|text| Self(Text::Here(text)))
    }

    /// The values.
    ///
    /// # Errors
    /// `Io` if they lie in a temporary file that cannot be read.
    pub fn open(&self) -> Result<Values> {
        match self.text()? {
            Some(text) => fields::values(&text),
            None => Ok(Values::new()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Text::None)
    }

    /// Changes the values.
    ///
    /// # Errors
    /// As [`Packed::open`].
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Values) -> T) -> Result<T> {
        let mut values = self.open()?;
        let done = change(&mut values);
        *self = Self::of(&values)?;
        Ok(done)
    }

    fn text(&self) -> Result<Option<Cow<'_, str>>> {
        match &self.0 {
            Text::None => Ok(None),
            Text::Here(text) => Ok(Some(Cow::Borrowed(text.get()))),
            Text::There { texts, at, bytes } => texts.get(*at, *bytes).map(Cow::Owned).map(Some),
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Ok(text) => f.write_str(text.as_deref().unwrap_or("{}")),
            Err(e) => write!(f, "{e}"),
        }
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        if let Text::Here(text) = &self.0 {
            return text.serialize(to);
        }
        let text = self.text().map_err(serde::ser::Error::custom)?;
        let text = text.map_or_else(|| "{}".to_owned(), Cow::into_owned);
        raw(text).map_err(serde::ser::Error::custom)?.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Packed {
    /// Through a map, so that what is no object is refused here, and equal values are equal texts.
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let values = Values::deserialize(from)?;
        Self::of(&values).map_err(serde::de::Error::custom)
    }
}

fn raw(text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(|e| Error::invalid(format!("values that are not JSON: {e}")))
}

/// The texts of a plan's values, one behind the other. Clones are the same texts.
#[derive(Clone, Default)]
pub(super) struct Texts(Arc<Mutex<Spill>>);

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

impl Texts {
    /// Takes the texts of these in, so that they need no memory of their own.
    ///
    /// # Errors
    /// `Io` if a temporary file cannot be written.
    pub fn take_in<const N: usize>(&self, all: [&mut Packed; N]) -> Result<()> {
        for packed in all {
            if let Text::Here(text) = &packed.0 {
                packed.0 = self.put(text.get())?;
            }
        }
        Ok(())
    }

    fn put(&self, text: &str) -> Result<Text> {
        let Ok(bytes) = u32::try_from(text.len()) else {
            return Err(Error::invalid("values of more than 4 GB"));
        };
        let mut spill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = spill.len();
        spill.end().extend_from_slice(text.as_bytes());
        spill.beyond(HELD)?;
        let texts = self.clone();
        Ok(Text::There { texts, at, bytes })
    }

    fn get(&self, at: u64, bytes: u32) -> Result<String> {
        let mut text = vec![0; bytes as usize];
        let mut spill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spill.read(at, &mut text)?;
        String::from_utf8(text).map_err(|e| Error::corrupt("a temporary file", e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize) -> Values {
        fields::values(&format!(r#"{{"Name":"{n}","Text":"{}"}}"#, "é".repeat(n % 700))).unwrap()
    }

    fn same(a: &Values, b: &Values) -> bool {
        fields::text(a).unwrap() == fields::text(b).unwrap()
    }

    #[test]
    fn more_values_than_memory_open_as_they_were() {
        let texts = Texts::default();
        let put = |n| {
            let mut packed = Packed::of(&values(n)).unwrap();
            texts.take_in([&mut packed]).unwrap();
            packed
        };
        let all: Vec<Packed> = (0..40_000).map(put).collect();
        assert!(texts.0.lock().unwrap().is_in_file());
        for (n, packed) in all.iter().enumerate().step_by(37) {
            assert!(same(&packed.open().unwrap(), &values(n)), "{n}");
        }
        let mut last = all.last().unwrap().clone();
        last.change(|values| values.remove("Text")).unwrap();
        assert_eq!(serde_json::to_string(&last).unwrap(), r#"{"Name":"39999"}"#);
        assert!(same(&all[39_999].open().unwrap(), &values(39_999)));
    }

    #[test]
    fn no_values_are_empty_however_they_came() {
        let none: Packed = serde_json::from_str("{ }").unwrap();
        assert!(none.is_empty() && Packed::of(&Values::new()).unwrap().is_empty());
        assert!(none.open().unwrap().is_empty());
        assert_eq!(serde_json::to_string(&none).unwrap(), "{}");
        let mut some = Packed::of(&values(1)).unwrap();
        some.change(Values::clear).unwrap();
        assert!(some.is_empty());
    }
}
