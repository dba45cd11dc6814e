//! Bulk API 2.0 query jobs: when one may be tried, and what was learned of the org's Bulk API in this run.
//!
//! Key decision: a refusal is remembered for the run, of one sObject or of the whole API, and REST takes over: nothing
//! is lost by it but speed. A job that was read to its end is deleted only when the next readings begin, so that who
//! saves positions in between can still go on with it. It does not choose between REST and Bulk for a reading.

mod csv;
mod job;
mod results;

use std::collections::BTreeSet;

use halite_engine::format::describe::{Describe, FieldKind};

pub use job::{Job, State, abort, create, delete, look, seen};
pub use results::read;

use crate::query::Select;
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// Whether Bulk jobs are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bulk {
    /// Where there are many rows.
    #[default]
    Auto,
    /// Not at all: REST reads everything.
    Never,
    /// Wherever the org takes one, however few rows there are; to try it out.
    Always,
}

/// Rows above which a job is made, unless told otherwise: it costs as much as ten pages of 2,000.
pub const FROM: u64 = 20_000;

/// Not supported by Bulk queries (Bulk API 2.0 guide, "Query Jobs"; seen by others); more are learned from refusals.
const UNSUPPORTED: [&str; 30] = [
    "AcceptedEventRelation",
    "AccountFeed",
    "AssetFeed",
    "Attachment",
    "CaseStatus",
    "CaseTeamMember",
    "CaseTeamRole",
    "CaseTeamTemplate",
    "CaseTeamTemplateMember",
    "CaseTeamTemplateRecord",
    "ContentFolderItem",
    "ContractStatus",
    "DeclinedEventRelation",
    "EventWhoRelation",
    "FieldSecurityClassification",
    "KnowledgeArticle",
    "KnowledgeArticleVersion",
    "OrderStatus",
    "PartnerRole",
    "RecentlyViewed",
    "ServiceAppointmentStatus",
    "ShiftStatus",
    "SolutionStatus",
    "TaskPriority",
    "TaskStatus",
    "TaskWhoRelation",
    "UndecidedEventRelation",
    "WorkOrderLineItemStatus",
    "WorkOrderStatus",
    "WorkStepStatus",
];
/// Kinds that are not, by the end of their names.
const UNSUPPORTED_KINDS: [&str; 5] = [
    "__Tag",
    "__mdt",
    "StatusValue",
    "ArticleViewStat",
    "ArticleVoteStat",
];

/// What is known of the org's Bulk API.
#[derive(Debug)]
pub struct Known {
    wish: Bulk,
    from: u64,
    /// Why it is not used any more in this run.
    off: Option<String>,
    refused: BTreeSet<String>,
    /// Jobs that were read to their end, or given up.
    over: Vec<String>,
}

impl Known {
    /// Nothing is known yet; a job is made for more than `from` rows.
    pub fn new(wish: Bulk, from: u64) -> Self {
        Self {
            wish,
            from,
            off: None,
            refused: BTreeSet::new(),
            over: Vec::new(),
        }
    }

    /// Whether a job may be tried for this query.
    pub fn may(&self, select: &Select<'_>, describe: &Describe) -> bool {
        let plain = |field: &&str| {
            let kind = describe.field(field).map(|f| f.kind);
            !matches!(kind, Some(FieldKind::Base64 | FieldKind::Compound))
        };
        self.takes(select.sobject) && select.fields.iter().all(plain)
    }

    /// Whether a job may be tried for an sObject, as far as its name and the run so far tell.
    pub fn takes(&self, sobject: &str) -> bool {
        self.wish != Bulk::Never
            && self.off.is_none()
            && !self.refused.contains(sobject)
            && !UNSUPPORTED.contains(&sobject)
            && !UNSUPPORTED_KINDS.iter().any(|end| sobject.ends_with(end))
    }

    /// Whether so many rows are worth a job.
    pub fn is_worth(&self, rows: u64) -> bool {
        self.wish == Bulk::Always || rows > self.from
    }

    /// Whether a job is made without looking at the number of rows.
    pub fn always(&self) -> bool {
        self.wish == Bulk::Always
    }

    /// No job of this sObject again.
    pub fn refuse(&mut self, sobject: &str, why: impl std::fmt::Display) {
        tracing::warn!(sobject, %why, "not by Bulk in this run: REST takes over");
        self.refused.insert(sobject.to_owned());
    }

    /// No job at all.
    pub fn turn_off(&mut self, why: impl std::fmt::Display) {
        tracing::warn!(%why, "no Bulk jobs in this run: REST takes over");
        self.off = Some(why.to_string());
    }

    /// A job is over: it is deleted before the next readings.
    pub fn over(&mut self, job: &Job) {
        self.over.push(job.id.clone());
    }

    /// Deletes the jobs that are over. What fails is left to the org, which does so after seven days.
    pub fn tidy<S: Session>(&mut self, caller: &mut Caller<S>, rest: &Rest) {
        for id in std::mem::take(&mut self.over) {
            delete(caller, rest, &id);
        }
    }
}
