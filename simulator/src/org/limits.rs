//! What the org has room for: rows, bytes of files, requests of a day, long requests at a time.
//!
//! Key decision: storage is counted along with every change of a row, so that asking costs nothing.
//! Source: Limits and Allocations cheat sheet, "API Request Limits"; Salesforce Help, "Data and File Storage
//! Allocations", "Salesforce record size overview" (Knowledge article 000383664).
//! Not here: counting the requests under way (`http::visits`), the allowances of the Bulk API (`bulk`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::seconds;
use super::state::{Life, Row, State};
use crate::error::ApiError;
use crate::schema::ObjectDef;

/// Room of the org. The allowance of a day is [`crate::Settings::daily_requests`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Data storage, in MB: `DataStorageMB` of `/limits`. Full, every create is `STORAGE_LIMIT_EXCEEDED`.
    pub data_storage_mb: u64,
    /// File storage, in MB: `FileStorageMB`.
    pub file_storage_mb: u64,
    /// Long requests at a time: 25 in production and sandboxes, 5 in Developer Edition.
    pub concurrent_requests: usize,
    /// How long a request runs before it counts as one of them, by the clock of the machine.
    #[serde(with = "seconds")]
    pub long_request: Duration,
    /// Long requests of other clients, which run all the time.
    pub others_running: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            data_storage_mb: 102_400,
            file_storage_mb: 102_400,
            concurrent_requests: 25,
            long_request: Duration::from_secs(20),
            others_running: 0,
        }
    }
}

/// Calls that need no session are free.
const FREE: [&str; 3] = ["token", "versions", "authorize"];

/// Calls that were charged, by hour of the org's clock.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Charged(BTreeMap<i64, u64>);

impl Charged {
    /// Notes a call of that kind.
    pub fn add(&mut self, kind: &str, hour: i64) {
        if !FREE.contains(&kind) {
            self.0.retain(|at, _| *at > hour - 24);
            *self.0.entry(hour).or_default() += 1;
        }
    }

    /// Calls of the 24 hours that end with this one.
    pub fn of_the_day(&self, hour: i64) -> u64 {
        self.0
            .range(hour - 23..)
            .fold(0, |sum, (_, n)| sum.saturating_add(*n))
    }
}

/// Storage: kilobytes of rows, bytes of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub rows_kb: u64,
    pub file_bytes: u64,
}

/// Objects whose rows are part of the setup or are counted as files, and take no data storage.
const WEIGHTLESS: [&str; 17] = [
    "Organization",
    "User",
    "Profile",
    "UserRole",
    "UserPermissionAccess",
    "PermissionSet",
    "PermissionSetAssignment",
    "ObjectPermissions",
    "FieldPermissions",
    "Group",
    "GroupMember",
    "QueueSobject",
    "RecordType",
    "ContentVersion",
    "ContentDocument",
    "ContentDocumentLink",
    "Document",
];

impl Used {
    /// What a row takes: most 2 KB; nothing once it is in the recycle bin.
    pub fn by(def: &ObjectDef, row: Option<&Row>) -> Self {
        let Some(row) = row.filter(|r| r.life == Life::Live) else {
            return Self::default();
        };
        let rows_kb = match def.name.as_str() {
            name if WEIGHTLESS.contains(&name) || name.ends_with("__mdt") => 0,
            "Campaign" => 8,
            "CampaignMember" => 1,
            "Account" if row.values.flag("IsPersonAccount") == Some(true) => 4,
            // The other half of a person account.
            "Contact" if row.values.flag("IsPersonAccount") == Some(true) => 0,
            _ => 2,
        };
        let size = match def.name.as_str() {
            "ContentVersion" => "ContentSize",
            "Attachment" | "Document" => "BodyLength",
            _ => {
                return Self {
                    rows_kb,
                    file_bytes: 0,
                };
            }
        };
        let file_bytes = row.values.get(size).and_then(|size| size.as_u64()).unwrap_or(0);
        Self { rows_kb, file_bytes }
    }

    /// One taken away, another added.
    pub fn replace(&mut self, before: Self, after: Self) {
        let moved = |all: u64, before: u64, after: u64| all.saturating_sub(before).saturating_add(after);
        self.rows_kb = moved(self.rows_kb, before.rows_kb, after.rows_kb);
        self.file_bytes = moved(self.file_bytes, before.file_bytes, after.file_bytes);
    }
}

impl State {
    fn hour(&self) -> i64 {
        self.clock.now().as_second().div_euclid(3600)
    }

    /// Notes an API call of that kind.
    pub fn called(&mut self, kind: &str) {
        *self.calls.entry(kind.to_owned()).or_default() += 1;
        let hour = self.hour();
        self.charged.add(kind, hour);
    }

    /// Calls charged within 24 hours.
    pub fn used_today(&self) -> u64 {
        self.charged.of_the_day(self.hour())
    }

    /// Refuses a call that the allowance of the day has no room for.
    pub fn affords_call(&self) -> Result<(), ApiError> {
        if self.used_today() < self.settings.daily_requests {
            return Ok(());
        }
        Err(ApiError::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.").status(403))
    }

    /// MB of data and of files that are left.
    pub fn room_mb(&self) -> (u64, u64) {
        let limits = &self.settings.limits;
        let rows = self.used.rows_kb.div_ceil(1024);
        let files = self.used.file_bytes.div_ceil(1 << 20);
        (
            limits.data_storage_mb.saturating_sub(rows),
            limits.file_storage_mb.saturating_sub(files),
        )
    }

    /// Refuses a write that took room which is not there.
    pub fn fits(&self, before: Used) -> Result<(), ApiError> {
        let limits = &self.settings.limits;
        let (rows, files) = (limits.data_storage_mb << 10, limits.file_storage_mb << 20);
        let over = |used: u64, before: u64, most: u64| used > before && used > most;
        if over(self.used.rows_kb, before.rows_kb, rows)
            || over(self.used.file_bytes, before.file_bytes, files)
        {
            return Err(ApiError::new("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"));
        }
        Ok(())
    }
}
