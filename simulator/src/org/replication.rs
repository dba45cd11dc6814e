//! The delete log, and how far replication is covered.
//!
//! Key decision: the log is written where a live row stops being live, so that every way of deleting is in
//! it, and taken back when the write is undone. It outlives the rows: a row long gone is still listed until
//! the log is purged.
//! Source: SOAP API guide, "getDeleted", "Polling for Changes"; Knowledge article 000199029.
//! Not here: the calls (`http::replication`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Org;

/// What getUpdated and getDeleted promise.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplicationSettings {
    /// Days that getUpdated looks back.
    pub updated_days: i64,
    /// Days that getDeleted looks back.
    pub deleted_days: i64,
    /// Most Ids of one reply; more is `EXCEEDED_ID_LIMIT`.
    pub max_ids: usize,
    /// When the org began to keep track; an earlier start is refused. `None`: longer ago than any window.
    pub enabled_since: Option<Timestamp>,
    /// An undelete takes the row out of the delete log (unverified).
    pub undelete_forgets: bool,
}

impl Default for ReplicationSettings {
    fn default() -> Self {
        Self {
            updated_days: 30,
            deleted_days: 15,
            max_ids: 600_000,
            enabled_since: None,
            undelete_forgets: false,
        }
    }
}

/// What the org remembers of deletes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replication {
    /// Deletes by object, in order of time.
    log: BTreeMap<String, Vec<(Timestamp, String)>>,
    /// Time of the last entry purged, by object.
    purged: BTreeMap<String, Timestamp>,
    /// Start of the oldest transaction that is still running somewhere on the instance.
    pub held_at: Option<Timestamp>,
}

impl Replication {
    /// Notes that a row stopped being live.
    pub fn deleted(&mut self, object: &str, id: &str, at: Timestamp) {
        let log = self.log.entry(object.to_owned()).or_default();
        log.push((at, id.to_owned()));
    }

    /// Takes the last entry of a row back.
    pub fn forget(&mut self, object: &str, id: &str) {
        if let Some(log) = self.log.get_mut(object)
            && let Some(at) = log.iter().rposition(|(_, entry)| entry == id)
        {
            log.remove(at);
        }
    }

    /// Deletes of an object, oldest first.
    pub fn deletes(&self, object: &str) -> &[(Timestamp, String)] {
        self.log.get(object).map_or(&[], Vec::as_slice)
    }

    /// Time of the last entry of an object that was purged.
    pub fn purged(&self, object: &str) -> Option<Timestamp> {
        self.purged.get(object).copied()
    }

    fn purge(&mut self, before: Timestamp) {
        for (object, log) in &mut self.log {
            if let Some((last, _)) = log.iter().rfind(|(at, _)| *at < before) {
                self.purged.insert(object.clone(), *last);
            }
            log.retain(|(at, _)| *at >= before);
        }
    }
}

impl Org {
    /// Holds `latestDateCovered` back, as a transaction does that started then and still runs somewhere on
    /// the instance; `None` lets it go.
    pub fn hold_covered_at(&self, at: Option<Timestamp>) {
        self.lock().replication.held_at = at;
    }

    /// Purges the delete log of entries before a time, as happens when it grows too large: getDeleted no
    /// longer lists them, and `earliestDateAvailable` moves.
    pub fn purge_delete_log(&self, before: Timestamp) {
        self.lock().replication.purge(before);
    }
}
