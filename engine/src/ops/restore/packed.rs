//! The values of one operation as one text, so that a plan of many operations takes little memory.
//!
//! Key decision: a map pays for each name and value apart, a text does not; an operation is opened only while it is
//! planned, written or compared. What was packed opens again as it was. It is no map: whoever works on values
//! opens them first.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::base::error::{Error, Result};
use crate::ops::restore::fields::{self, Values};

/// Values, packed.
#[derive(Clone)]
pub struct Packed(Box<RawValue>);

impl Packed {
    /// Packs values.
    ///
    /// # Errors
    /// Never for values that were read.
    pub fn of(values: &Values) -> Result<Self> {
        let text = fields::text(values)?;
        RawValue::from_string(text)
            .map(Self)
            .map_err(|e| Error::invalid(format!("values that are not JSON: {e}")))
    }

    /// The values.
    ///
    /// # Errors
    /// Never for what was packed.
    pub fn open(&self) -> Result<Values> {
        fields::values(self.0.get())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.get() == "{}"
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
}

impl Default for Packed {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Packed {
    /// Through a map, so that what is no object is refused here, and equal values are equal texts.
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let values = Values::deserialize(from)?;
        Self::of(&values).map_err(serde::de::Error::custom)
    }
}
