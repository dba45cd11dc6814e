//! What may differ between orgs, and what the documentation leaves open.
//!
//! Key decision: each behaviour of the real API that no public page settles is a switch here, set to the
//! likelier value, so that a test can show that nothing rests on it.
//! Not here: faults on a script (`faults`).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::access::AccessSettings;
use super::auth::Auth;
use super::behaviour::BehaviourSettings;
use super::call::AssignmentRules;
use super::chaos::Chaos;
use super::files::FileSettings;
use super::limits::LimitSettings;
use super::replication::ReplicationSettings;
use super::seconds;
use crate::bulk::BulkSettings;

/// The settings of an org. Change them with [`crate::Org::configure`]. As JSON, durations are seconds, and
/// what is not named keeps its default.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Supported API versions, lowest and highest.
    pub versions: (u16, u16),
    /// Signing in: the connected app, sessions, old ways in.
    pub auth: Auth,
    /// How far each write transaction moves the clock, before it takes its stamp.
    #[serde(with = "seconds")]
    pub step: Duration,
    /// Rows a page at most (1 to 2,000); pages vary below it.
    pub page_size: usize,
    /// Every page but the last holds exactly `page_size` rows.
    pub even_pages: bool,
    /// Life of a query locator.
    #[serde(with = "seconds")]
    pub locator_life: Duration,
    /// Allowance of API requests in any 24 hours of the org's clock. Used up, every call answers 403 `REQUEST_LIMIT_EXCEEDED`.
    pub daily_requests: u64,
    /// The edition's API, sharing of objects. Rights of users: [`crate::Org::permit`].
    pub access: AccessSettings,
    /// The org is a sandbox.
    pub sandbox: bool,
    /// A soft delete moves the row's `SystemModstamp` (expected, unverified).
    pub delete_stamps: bool,
    /// Where a delete moves the stamp, it signs too: `LastModifiedById` and `LastModifiedDate` are the deleter's (told by
    /// administrators who look for who deleted something, on no page of the API).
    pub delete_signs: bool,
    /// A delete by cascade moves the child's `SystemModstamp` (not guaranteed by any page).
    pub cascade_stamps: bool,
    /// An undelete moves `SystemModstamp` (expected, unverified).
    pub undelete_stamps: bool,
    /// Emptying a lookup because its target went moves the holder's `SystemModstamp` (unverified).
    pub clear_stamps: bool,
    /// A recalculated roll-up moves the parent's `SystemModstamp`; off, its value changes and no stamp does,
    /// as a formula's.
    pub rollup_stamps: bool,
    /// A recalculated roll-up moves the parent's `LastModifiedDate` too (unverified).
    pub rollup_modifies: bool,
    /// Line ends in text become `\n` on write (unverified in detail).
    pub normalise_newlines: bool,
    /// `CampaignMemberStatus` rows appear with each new campaign, as in a real org.
    pub auto_rows: bool,
    /// The Bulk API.
    pub bulk: BulkSettings,
    /// How writes behave.
    pub behaviour: BehaviourSettings,
    /// Storage and concurrent requests.
    pub limits: LimitSettings,
    /// Files.
    pub files: FileSettings,
    /// getUpdated and getDeleted.
    pub replication: ReplicationSettings,
    /// Active assignment rules.
    pub assignment: AssignmentRules,
    /// Least bytes of a JSON, CSV or XML body that is compressed for a client that takes gzip (the API's own
    /// threshold is not public).
    pub gzip_from: usize,
    /// Faults at a rate.
    pub chaos: Chaos,
    /// Seed of the order of rows where none is asked for, of page sizes, of the usage counter and of chaos.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            versions: (31, 67),
            auth: Auth::default(),
            step: Duration::from_secs(1),
            page_size: 120,
            even_pages: false,
            locator_life: Duration::from_secs(2 * 24 * 3600),
            daily_requests: 5_000_000,
            access: AccessSettings::default(),
            sandbox: true,
            delete_stamps: true,
            delete_signs: false,
            cascade_stamps: true,
            undelete_stamps: true,
            clear_stamps: true,
            rollup_stamps: true,
            rollup_modifies: false,
            normalise_newlines: true,
            auto_rows: false,
            bulk: BulkSettings::default(),
            behaviour: BehaviourSettings::default(),
            limits: LimitSettings::default(),
            files: FileSettings::default(),
            replication: ReplicationSettings::default(),
            assignment: AssignmentRules::default(),
            gzip_from: 1024,
            chaos: Chaos::default(),
            seed: 1,
        }
    }
}
