//! What the planner asks of a state of an org.
//!
//! Key decision: a trait of four questions, so that a snapshot, an export or a test can answer them alike.
//! It never reaches the org: what the org says now is a snapshot too.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::describe::Describe;
use crate::format::page::VersionKind;

/// A state of an org that can be asked.
pub trait View {
    /// The sObjects that were read.
    fn sobjects(&self) -> Vec<String>;

    /// The describe of one of them.
    ///
    /// # Errors
    /// `NotFound` if it was not read.
    fn describe(&self, sobject: &str) -> Result<Arc<Describe>>;

    /// Canonical JSON of the whole live record: nulls left out, names in byte order, values that are not the
    /// org's own as `{"$masked":..}`, `{"$raw":..}` or `{"$blob":..}`. `None` if it is not there.
    ///
    /// # Errors
    /// What reading the state gives.
    fn get(&self, sobject: &str, id: RecordId) -> Result<Option<String>>;

    /// The bytes of a record's file, if it has one that is kept: the field, and its length.
    ///
    /// # Errors
    /// What reading the state gives.
    fn body(&self, sobject: &str, id: RecordId) -> Result<Option<(String, u64)>> {
        let _ = (sobject, id);
        Ok(None)
    }

    /// How the record went, if it is known to be gone.
    ///
    /// # Errors
    /// What reading the state gives.
    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>>;
}

/// A record whose two states differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its sObject.
    pub sobject: String,
    /// Its Id.
    pub id: RecordId,
    /// Whether it was there then.
    pub in_then: bool,
    /// Whether it is there now.
    pub in_now: bool,
}
