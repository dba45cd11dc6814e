//! An org as the engine sees it: something to read from, and something to write to.
//!
//! Key decision: rows cross this line as the text that the org sent, JSON a row or CSV a page, so that nothing is
//! built per record; the engine alone decides what a record means. Much is asked for at once, so that who answers may
//! put it into few requests; a plain source implements one question at a time and gets the rest for nothing. These
//! traits are not the API of Salesforce: how rows are fetched, in which pages and with which retries, is the
//! implementor's business.

use crate::base::error::{Error, Kind, Result};
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
    /// Why its rows cannot be read at all, if so, and what would change that ("a platform event, which the org does
    /// not keep as rows").
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
    /// The rows whose field of this name, a reference or a text, has one of these values.
    Having(&'a str, &'a [String]),
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
    /// Where an earlier reading of the same had come, as [`Sink::reached`] was told: rows up to there need not come
    /// again. Whoever cannot go on there begins anew.
    pub from: Option<&'a [u8]>,
}

/// Takes the JSON object of one row: `{"attributes":{..},"Id":"..","Name":".."}`.
pub type EachRow<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Takes what several readings give. Those may come in any order, but one after the other: all calls that name
/// reading number `at` stand together, and the last of them is [`Sink::done`]; only a first [`Sink::reached`], which says
/// by what the reading can be taken up, may come earlier, amid those of others. An error ends everything.
pub trait Sink {
    /// The JSON object of one row.
    fn json(&mut self, at: usize, row: &[u8]) -> Result<()>;

    /// Rows as CSV (RFC 4180, UTF-8): a line of field names, then whole rows. Nothing and the empty text are null.
    fn csv(&mut self, at: usize, page: &[u8]) -> Result<()>;

    /// All rows up to here were given; the reading can go on behind them with these bytes as [`Read::from`], also in
    /// another process, for as long as the org keeps its cursor or job.
    fn reached(&mut self, at: usize, position: &[u8]) -> Result<()>;

    /// The reading is over; an error is about this sObject alone, and the others go on.
    fn done(&mut self, at: usize, end: Result<()>) -> Result<()>;
}

/// Takes the answer to question number `at`; an error in it is about that one alone.
pub type EachAnswer<'a, T> = dyn FnMut(usize, Result<T>) -> Result<()> + 'a;

/// What the org's log of deletions says of one sObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedLog {
    /// Who was deleted, and when; also those that are back or were purged.
    pub ids: Vec<(RecordId, Stamp)>,
    /// The log is complete from here on (`earliestDateAvailable`).
    pub available: Stamp,
    /// Every transaction before this one is over and in the log (`latestDateCovered`).
    pub covered: Stamp,
}

/// What was spent of an org's allowance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Spent {
    /// Calls, retries included; what goes by Bulk and for files too.
    pub calls: u64,
    /// Bulk jobs made.
    pub jobs: u64,
    /// Bytes of Bulk results.
    pub result_bytes: u64,
    /// File bodies asked for.
    pub files: u64,
}

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
    /// With [`Scope::Ids`] and [`Scope::Having`], at most 2,000 at a time. An error of `each` ends the reading and is returned.
    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()>;

    /// How many live rows the org says it has.
    fn count(&mut self, sobject: &str) -> Result<u64>;

    /// Gives the Id of every live row to `each`, in ascending order of the Id's bytes.
    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()>;

    /// Requests made so far, retries included.
    fn calls(&self) -> u64;

    /// The same with all else that counts against an allowance.
    fn spent(&self) -> Spent {
        Spent {
            calls: self.calls(),
            ..Spent::default()
        }
    }

    /// Describes of several sObjects.
    fn describes(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, Vec<u8>>) -> Result<()> {
        for (at, sobject) in sobjects.iter().enumerate() {
            each(at, of_one(self.describe(sobject))?)?;
        }
        Ok(())
    }

    /// How many live rows the org says it has of several sObjects.
    fn counts(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, u64>) -> Result<()> {
        for (at, sobject) in sobjects.iter().enumerate() {
            each(at, of_one(self.count(sobject))?)?;
        }
        Ok(())
    }

    /// Several readings, each as [`Source::read`] but that it may come as CSV and can be gone on with.
    fn read_all(&mut self, reads: &[Read<'_>], sink: &mut dyn Sink) -> Result<()> {
        for (at, read) in reads.iter().enumerate() {
            let mut ours = None;
            let end = self.read(*read, &mut |row| {
                sink.json(at, row).map_err(|e| {
                    ours = Some(e);
                    Error::new(Kind::Interrupted, "the rows are not taken any more")
                })
            });
            match ours {
                Some(error) => return Err(error),
                None => sink.done(at, of_one(end)?)?,
            }
        }
        Ok(())
    }

    /// Who was deleted of several sObjects since an instant; `None` where the org keeps no such log.
    fn deleted(
        &mut self,
        asked: &[(&str, Stamp)],
        each: &mut EachAnswer<'_, Option<DeletedLog>>,
    ) -> Result<()> {
        (0..asked.len()).try_for_each(|at| each(at, Ok(None)))
    }

    /// Whether the running user, as of now, sees every row of an sObject: only then is absence a deletion.
    fn sees_all(&mut self, sobject: &str) -> Result<bool> {
        let _ = sobject;
        Ok(true)
    }

    /// The running user's rights as of now: the same bytes as long as nobody touched them. Sight that is lost and
    /// found again between two questions shows here alone. Empty where the org does not tell.
    fn rights(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    /// Gives the bytes of a file, the base64 field `field` of row `id`, from byte `from` on, each piece with the
    /// offset it stands at; an org that knows no ranges begins at 0 again.
    fn body(
        &mut self,
        sobject: &str,
        id: RecordId,
        field: &str,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let _ = (id, field, from, each);
        Err(Error::new(
            Kind::Unsupported,
            format!("{sobject}: this source gives no file bodies"),
        ))
    }
}

/// An answer about one sObject: what is about everything is an error here.
fn of_one<T>(answer: Result<T>) -> Result<Result<T>> {
    match answer {
        Err(e)
            if !matches!(
                e.kind(),
                Kind::Invalid | Kind::Denied | Kind::NotFound | Kind::Unsupported
            ) =>
        {
            Err(e)
        }
        answer => Ok(answer),
    }
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

    /// Deletes rows: they go to the recycle bin, with what hangs on them.
    fn delete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        let _ = ids;
        Err(Error::new(Kind::Unsupported, "this target deletes nothing"))
    }

    /// Creates one row together with its file; `row` as for [`Target::create`].
    fn upload(&mut self, sobject: &str, row: &str, file: &mut Upload<'_>) -> Result<Outcome> {
        let _ = (row, file);
        Err(Error::new(
            Kind::Unsupported,
            format!("{sobject}: this target takes no file bodies"),
        ))
    }

    /// What is active and will run by itself when rows of these sObjects are written, and what of it cannot be seen.
    fn automation(&mut self, sobjects: &[&str]) -> Result<Automations> {
        let _ = sobjects;
        Ok(Automations::unknown("this target does not tell"))
    }
}

/// Takes the pieces of a file's body, from its first byte on.
pub type EachPiece<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// A file's body on its way to the org.
pub struct Upload<'a> {
    /// The base64 field that takes it, for instance `VersionData`.
    pub field: &'a str,
    /// The file's name, for instance `letter.pdf`.
    pub name: &'a str,
    /// Bytes.
    pub bytes: u64,
    /// Gives the whole body, each time that it is called.
    pub read: &'a mut dyn FnMut(&mut EachPiece<'_>) -> Result<()>,
}

/// What of the org's own runs on writes of rows, as far as it tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Automations {
    /// What is active.
    pub active: Vec<Automation>,
    /// What is not known.
    pub unseen: Vec<Unseen>,
}

impl Automations {
    /// Nothing of it is known.
    pub fn unknown(why: impl Into<String>) -> Self {
        let (what, why) = ("all of it".into(), why.into());
        Self {
            active: Vec::new(),
            unseen: vec![Unseen { what, why }],
        }
    }
}

/// A kind of automation that could not be looked at: there may be some.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    /// For people: `flows`.
    pub what: String,
    /// Why it could not.
    pub why: String,
}

/// Something of the org's own that runs on writes and that no API call can switch off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Automation {
    /// The sObject whose rows set it off.
    pub sobject: String,
    /// What it is.
    pub fires: Fires,
    /// Its name.
    pub name: String,
    /// The writes that set it off.
    pub on: Vec<Write>,
}

/// What a write may set off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fires {
    /// An Apex trigger.
    Trigger,
    /// A record-triggered flow, or a process.
    Flow,
    /// A validation rule.
    ValidationRule,
    /// A workflow rule.
    WorkflowRule,
    /// A duplicate rule.
    DuplicateRule,
}

impl Fires {
    /// Several of it, for people.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Trigger => "Apex triggers",
            Self::Flow => "flows",
            Self::ValidationRule => "validation rules",
            Self::WorkflowRule => "workflow rules",
            Self::DuplicateRule => "duplicate rules",
        }
    }
}

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Write {
    /// It is created.
    Create,
    /// It is edited.
    Edit,
    /// It is brought back from the recycle bin.
    Undelete,
    /// It is deleted.
    Delete,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::invalid(format!("{}: {}", refusal.code, refusal.message))
    }
}
