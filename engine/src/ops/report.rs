//! What a capture says of itself: counts an sObject, and what could not be read and why.
//!
//! Key decision: the same numbers that the manifest keeps, as plain values that serialise.
//! It is not prose: the command line words it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::format::manifest::Captured;
use crate::ops::org::Spent;
use crate::vault::catalog::SnapshotInfo;

/// What one capture did.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The org, 18 characters.
    pub org: String,
    /// Number of the snapshot.
    pub snapshot: u64,
    /// Its name.
    pub name: String,
    /// U, by the org's clock.
    pub from: String,
    /// E.
    pub until: String,
    /// Each sObject that was looked at.
    pub sobjects: Vec<SObjectReport>,
    /// sObjects that should have been read and could not be; their reasons stand above.
    pub failed: Vec<String>,
    /// Workers that have not ended yet: nothing is published before they have, and the rest is of this worker alone.
    pub waits_for: Vec<u32>,
    /// Whether the running user saw every row, and his rights stayed what they were: else rows that are hidden from
    /// him are in no count.
    pub sees_all: bool,
    /// Bodies of files that could not be had, by sObject and kind of reason.
    pub missing_bodies: Vec<MissingBodies>,
    /// sObjects whose log of deletions could not be had, and why: all their Ids were compared instead.
    pub no_log: BTreeMap<String, String>,
    /// Bytes of data packs written; metadata comes on top.
    pub bytes_added: u64,
    /// Requests made, those of attempts before this one too.
    pub calls: u64,
    /// All that was spent of the org's allowance.
    pub spent: Spent,
}

/// Bodies of files that could not be had, for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingBodies {
    /// The sObject and the field, for instance `Attachment.Body`.
    pub sobject: String,
    /// What the first of them came to.
    pub reason: String,
    /// Rows without their body.
    pub rows: u64,
    /// The first of them.
    pub first: String,
}

/// What was captured of one sObject.
#[derive(Debug, Clone, Serialize)]
pub struct SObjectReport {
    /// API name.
    pub name: String,
    /// Why it was not read, if so.
    pub skipped: Option<String>,
    /// Rows that came.
    pub read: u64,
    /// New records.
    pub created: u64,
    /// Changed records.
    pub edited: u64,
    /// Records whose stamps alone moved.
    pub stamps: u64,
    /// Records that went.
    pub deleted: u64,
    /// Values kept raw.
    pub refused: u64,
    /// Live records afterwards.
    pub live: u64,
    /// What the org counted.
    pub counted: Option<u64>,
    /// Live rows of the org that are left out, since they were erased.
    pub erased: u64,
    /// Live records that the org does not show any more, without saying that they are gone.
    pub out_of_sight: u64,
    /// When the org's count last agreed; none: never.
    pub agreed: Option<String>,
    /// How it stands to what the org counts: `complete`, `short 2`, `over 1`, `out of sight 5`, `not counted`,
    /// `not read`.
    pub standing: String,
}

impl SObjectReport {
    /// From what the manifest keeps.
    pub fn of(c: &Captured) -> Self {
        Self {
            name: c.name.clone(),
            skipped: c.skipped.clone(),
            read: c.read,
            created: c.created,
            edited: c.edited,
            stamps: c.stamps,
            deleted: c.deleted,
            refused: c.refused,
            live: c.live,
            counted: c.counted,
            erased: c.left_out,
            out_of_sight: c.out_of_sight,
            agreed: c.agreed.is_some().then(|| c.agreed.to_string()),
            standing: c.standing().to_string(),
        }
    }

    /// Whether nothing is known to be missing.
    pub fn complete(&self) -> bool {
        ["complete", "not counted", "not read"].contains(&self.standing.as_str())
    }
}

impl Report {
    /// From the snapshot and what it captured.
    pub fn of<'c>(
        info: &SnapshotInfo,
        captured: impl Iterator<Item = &'c Captured>,
        bytes_added: u64,
        spent: Spent,
    ) -> Self {
        Self {
            org: info.org.to_string(),
            snapshot: info.number,
            name: info.name.to_string(),
            from: info.from.to_string(),
            until: info.until.to_string(),
            sobjects: captured.map(SObjectReport::of).collect(),
            failed: Vec::new(),
            waits_for: Vec::new(),
            sees_all: true,
            missing_bodies: Vec::new(),
            no_log: BTreeMap::new(),
            bytes_added,
            calls: spent.calls,
            spent,
        }
    }

    /// Whether everything that should be read was, and nothing is known to be missing.
    pub fn complete(&self) -> bool {
        self.sees_all && self.failed.is_empty() && self.sobjects.iter().all(SObjectReport::complete)
    }
}
