//! Bulk API 2.0 query jobs: when one is worth it, and what the org refuses.
//!
//! Key decision: a refusal is remembered for the run, of one sObject or of the whole API, and REST takes over; nothing
//! is lost by it but speed. Jobs have no ORDER BY, which would switch the org's own chunking off (Bulk API 2.0 guide,
//! "Query Jobs"). Results are read in `results`.

mod results;

use std::collections::BTreeSet;

use halite_engine::base::error::Result;
use serde::Deserialize;
use serde_json::json;

use crate::error::is_of_run;
use crate::query::{Order, Position, Select};
use crate::rest::{Rest, json};
use crate::retry::{Caller, Session};
use crate::transport::{Body, Call};

pub use results::read;

/// Whether Bulk jobs are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BulkPolicy {
    /// Where there are many rows.
    #[default]
    Auto,
    /// Never: REST does the whole job.
    Never,
    /// Wherever the org takes one, to try it out.
    Always,
}

/// Rows from which a job is cheaper than pages of 2,000 by default.
const FROM: u64 = 20_000;

/// sObjects that are not supported by Bulk queries (Bulk API guide, "Unsupported Objects"); others are found out.
const UNSUPPORTED: [&str; 24] = [
    "AcceptedEventRelation",
    "AccountFeed",
    "AssetFeed",
    "CaseStatus",
    "CaseTeamMember",
    "CaseTeamRole",
    "CaseTeamTemplate",
    "ContentFolderItem",
    "ContractStatus",
    "DeclinedEventRelation",
    "EventWhoRelation",
    "FieldSecurityClassification",
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
];

/// What is known of the org's Bulk API.
#[derive(Debug)]
pub struct Bulk {
    policy: BulkPolicy,
    off: bool,
    refused: BTreeSet<String>,
}

impl Bulk {
    /// Nothing is known yet.
    pub fn new(policy: BulkPolicy) -> Self {
        Self {
            policy,
            off: policy == BulkPolicy::Never,
            refused: BTreeSet::new(),
        }
    }

    /// Whether a job may be tried.
    pub fn may(&self, select: &Select<'_>) -> bool {
        !self.off && !UNSUPPORTED.contains(&select.sobject) && !self.refused.contains(select.sobject)
    }

    /// Whether a job is made whatever the number of rows.
    pub fn always(&self) -> bool {
        self.policy == BulkPolicy::Always
    }

    /// Rows from which a job is made.
    pub fn from(&self) -> u64 {
        if self.always() { 0 } else { FROM }
    }

    /// Not this sObject again.
    pub fn refuse(&mut self, sobject: &str) {
        self.refused.insert(sobject.to_owned());
    }
}

/// A query job and how far its results are read.
#[derive(Debug)]
pub struct Job {
    id: String,
    locator: Option<String>,
    rows: u64,
}

impl Job {
    /// One that was made before.
    pub fn resumed(id: String, locator: Option<String>, rows: u64) -> Self {
        Self { id, locator, rows }
    }

    /// Its Id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        Position::Job {
            job: self.id.clone(),
            locator: self.locator.clone(),
            rows: self.rows,
        }
    }
}

/// Makes a job; none where the org refuses (Bulk API 2.0 guide, "Create a Query Job").
pub fn make<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    bulk: &mut Bulk,
    select: &Select<'_>,
) -> Result<Option<Job>> {
    #[derive(Deserialize)]
    struct Made {
        id: String,
    }
    if !bulk.may(select) {
        return Ok(None);
    }
    let query = Select {
        order: Order::None,
        ..select.clone()
    };
    let body = json!({
        "operation": "queryAll", "query": query.text(None)?, "contentType": "CSV",
        "columnDelimiter": "COMMA", "lineEnding": "LF",
    });
    let call = Call::post(rest.path("/jobs/query"), Body::Json(body.to_string()));
    match caller.read(&call, &json::<Made>) {
        Ok(made) => {
            caller.wire.limits_mut().job();
            Ok(Some(Job::resumed(made.id, None, 0)))
        }
        Err(fault)
            if ["LIMIT_EXCEEDED", "FEATURENOTENABLED"]
                .iter()
                .any(|code| fault.has(code)) =>
        {
            tracing::warn!(%fault, "no Bulk jobs in this run");
            bulk.off = true;
            Ok(None)
        }
        Err(fault) if is_of_run(&fault) => Err(fault.into()),
        Err(fault) => {
            tracing::info!(sobject = select.sobject, %fault, "not by Bulk");
            bulk.refuse(select.sobject);
            Ok(None)
        }
    }
}

/// Deletes a job that is over; whatever becomes of that, the org does so after seven days.
pub fn delete<S: Session>(caller: &mut Caller<S>, rest: &Rest, job: &str) {
    let call = Call::delete(rest.path(&format!("/jobs/query/{job}")));
    if let Err(error) = caller.write(&call, &|_| Ok(())) {
        tracing::debug!(job, %error, "the job stays until the org deletes it");
    }
}
