//! What this org does on writes beyond what every org does: its rules, its automation, its locks.
//!
//! Key decision: definitions are saved with the org, what belongs to a running transaction is not.
//! Not here: carrying it out (`write`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
use crate::write::automation::Automation;
use crate::write::duplicates::DuplicateRule;
use crate::write::locks::Locks;
use crate::write::rules::Rule;
use crate::write::transaction::Transaction;

/// The definitions, and the state of what is going on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Behaviour {
    pub rules: Vec<Rule>,
    /// Rules that are there and not understood: a line each.
    pub idle: Vec<String>,
    pub automation: Vec<Automation>,
    pub duplicates: Vec<DuplicateRule>,
    pub workflow: Vec<WorkflowRule>,
    #[serde(skip)]
    pub locks: Locks,
    #[serde(skip)]
    pub transaction: Transaction,
}

/// A workflow rule. Its actions (e-mails, messages, tasks) are not covered: it only stands in the setup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WorkflowRule {
    pub name: String,
    pub object: String,
    /// When it is looked at, in the words of the Metadata API: `onCreateOnly`.
    pub trigger: String,
    /// Switched off.
    #[serde(default)]
    pub off: bool,
}

/// Settings of writes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BehaviourSettings {
    /// How long a request that writes keeps its rows and their parents locked, and its reply back. Other
    /// requests that need one of them meanwhile are refused with `UNABLE_TO_LOCK_ROW`.
    #[serde(with = "seconds")]
    pub write_time: Duration,
    /// Prices obey their books: a standard price first, a line's price from its opportunity's book.
    pub price_books: bool,
    /// Each contact has a direct `AccountContactRelation` to its account, as in orgs with "Contacts to
    /// Multiple Accounts".
    pub direct_relations: bool,
}
