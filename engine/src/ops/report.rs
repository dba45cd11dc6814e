//! What a capture says of itself: counts an sObject, and what could not be read and why.
//!
//! Key decision: the same numbers that the manifest keeps, as plain values that serialise.
//! It is not prose: the command line words it.

use serde::Serialize;

use crate::format::manifest::Captured;
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
    /// Bytes of data packs written; metadata comes on top.
    pub bytes_added: u64,
    /// Requests made.
    pub calls: u64,
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
    /// Live records that came and were left out, since they were erased.
    pub erased: u64,
}

impl SObjectReport {
    /// From what the manifest keeps, and the records left out.
    pub fn of(c: &Captured, erased: u64) -> Self {
        let Captured {
            read,
            created,
            edited,
            stamps,
            deleted,
            refused,
            live,
            counted,
            ..
        } = *c;
        let (name, skipped) = (c.name.clone(), c.skipped.clone());
        Self {
            name,
            skipped,
            read,
            created,
            edited,
            stamps,
            deleted,
            refused,
            live,
            counted,
            erased,
        }
    }
}

impl Report {
    /// From the snapshot and what it captured.
    pub fn of<'c>(
        info: &SnapshotInfo,
        captured: impl Iterator<Item = (&'c Captured, u64)>,
        bytes_added: u64,
        calls: u64,
    ) -> Self {
        Self {
            org: info.org.to_string(),
            snapshot: info.number,
            name: info.name.to_string(),
            from: info.from.to_string(),
            until: info.until.to_string(),
            sobjects: captured.map(|(c, erased)| SObjectReport::of(c, erased)).collect(),
            failed: Vec::new(),
            bytes_added,
            calls,
        }
    }

    /// Whether everything that should be read was, and the org's counts agree, erased records aside.
    pub fn complete(&self) -> bool {
        self.failed.is_empty()
            && self
                .sobjects
                .iter()
                .all(|s| s.counted.is_none_or(|n| n == s.live + s.erased))
    }
}
