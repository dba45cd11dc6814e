//! An org as the engine sees it: something to read from, and something to write to.
//!
//! Key decision: rows cross this line as the JSON text that the org sent, one call a row, so that nothing is
//! built per record; the engine alone decides what a record means. These traits are not the API of Salesforce:
//! how rows are fetched, in which pages and with which retries, is the implementor's business.

use crate::base::error::{Error, Result};
use crate::base::id::{OrgId, RecordId};
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The org's Id.
    pub org: OrgId,
    /// The org's name, for people.
    pub name: String,
    /// Whether it is a sandbox.
    pub sandbox: bool,
    /// The running user's Id.
    pub user: RecordId,
    /// The running user's name, for people.
    pub user_name: String,
    /// The API version in use, for instance `67.0`.
    pub api_version: String,
}

/// What the list of all sObjects says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SObjectInfo {
    /// API name.
    pub name: String,
    /// Why its rows cannot be read at all, if so ("not queryable", "needs a filter", "platform event").
    pub unreadable: Option<String>,
}

/// Which rows to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// Every row that there is.
    All,
    /// Rows whose stamp is at or after this instant.
    Since(Stamp),
    /// The rows of these Ids, as far as they are there.
    Ids(&'a [RecordId]),
}

/// One reading of one sObject.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The sObject's describe of this run.
    pub describe: &'a Describe,
    /// The fields to select; `Id` is among them.
    pub fields: &'a [&'a str],
    /// Which rows.
    pub scope: Scope<'a>,
}

/// Takes the JSON object of one row: `{"attributes":{..},"Id":"..","Name":".."}`.
pub type EachRow<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// An org that can be read.
pub trait Source {
    /// Who answers.
    fn identity(&mut self) -> Result<Identity>;

    /// The org's own clock, now.
    fn now(&mut self) -> Result<Stamp>;

    /// Every sObject that the running user can see.
    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>>;

    /// The describe of one sObject, as the text that the org sent.
    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>>;

    /// Gives every row of `read` to `each`, rows in the recycle bin and archived ones too (those carry
    /// `"IsDeleted":true`). In no particular order; a row may come twice, and then the later call is the newer.
    /// With [`Scope::Ids`], at most 2,000 Ids at a time. An error of `each` ends the reading and is returned.
    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()>;

    /// How many live rows the org says it has.
    fn count(&mut self, sobject: &str) -> Result<u64>;

    /// Gives the Id of every live row to `each`, in ascending order of the Id's bytes.
    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()>;

    /// Requests made so far, retries included.
    fn calls(&self) -> u64;
}

/// What became of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done; the Id that the row has now.
    Done(RecordId),
    /// The org refused, and says why. Nothing was changed.
    Refused(Refusal),
    /// The reply was lost: the write may or may not have been done. Look before repeating.
    Unknown(String),
}

/// Why the org refused a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The API's status code, for instance `REQUIRED_FIELD_MISSING`.
    pub code: String,
    /// Its message.
    pub message: String,
    /// The fields it names.
    pub fields: Vec<String>,
}

/// An org that can be written to. At most 200 rows a call; one outcome a row, in the order given.
/// An error means that no row of the call was written; after one that may have been, every outcome is `Unknown`.
pub trait Target: Source {
    /// Brings rows back from the recycle bin; they keep their Ids, and cascade-deleted children come along.
    fn undelete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>>;

    /// Creates rows of one sObject; each is a JSON object of the fields to set, without Id and attributes.
    fn create(&mut self, sobject: &str, rows: &[String]) -> Result<Vec<Outcome>>;

    /// Edits rows of one sObject; each JSON object names the fields to set, nulls included.
    fn update(&mut self, sobject: &str, rows: &[(RecordId, String)]) -> Result<Vec<Outcome>>;
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::invalid(format!("{}: {}", refusal.code, refusal.message))
    }
}
