//! The org: a cheap handle on everything it is, for tests and for the server.
//!
//! Key decision: one lock around one state. Requests are short and deterministic, so that a run is the same
//! whatever the threads do.
//! Not here: HTTP (`http`), the rules of writes (`write`).

pub(crate) mod access;
mod auth;
mod behaviour;
pub(crate) mod birth;
pub(crate) mod call;
mod chaos;
mod clock;
pub(crate) mod compute;
mod faults;
pub(crate) mod files;
pub(crate) mod index;
mod late;
pub(crate) mod limits;
mod platform;
mod replication;
mod rulebook;
mod saved;
mod settings;
pub(crate) mod setup;
mod signin;
pub(crate) mod state;
mod truth;
mod twin;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

pub use access::{AccessSettings, FieldRights, ObjectRights, Permission, Permissions, Sharing};
pub use auth::{App, Auth, CLIENT_ID, CLIENT_SECRET, Consent, PASSWORD};
pub use behaviour::BehaviourSettings;
pub use call::AssignmentRules;
pub use chaos::{Chaos, ChaosKind};
pub use clock::Clock;
pub(crate) use clock::{http_date, seconds, stamp};
pub use faults::{Fault, Script};
pub use files::FileSettings;
pub use late::LateTransaction;
pub use limits::LimitSettings;
pub use replication::ReplicationSettings;
pub use settings::Settings;
pub(crate) use state::State;
pub use truth::{Bin, Record};

use crate::bulk::BulkFault;
use crate::load::dataset::{self, DatasetReport};
use crate::load::{LoadError, LoadReport};

/// A Salesforce org in memory. Clones are handles on the same org.
#[derive(Debug, Clone)]
pub struct Org {
    state: Arc<Mutex<State>>,
    clock: Clock,
}

impl Org {
    /// An org with standard objects, three users, their profiles, and no business rows.
    pub fn empty() -> Self {
        Self::of(birth::state())
    }

    /// The built-in sample org: some hundred records of every kind a backup must survive, always the same.
    pub fn sample() -> Self {
        Self::of(crate::sample::state())
    }

    /// An org out of an SFDX project: its object definitions and its tree or CSV data.
    ///
    /// What the project's data get wrong (unknown fields, missing references, missing required values) is
    /// left out and listed in the report.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn load(dir: &Path) -> Result<(Self, LoadReport), LoadError> {
        Self::load_with(dir, &[])
    }

    /// As [`Org::load`], with recorded describe replies taking the place of built-in standard objects.
    ///
    /// # Errors
    /// The directory cannot be read, or a describe is none.
    pub fn load_with(dir: &Path, describes: &[Value]) -> Result<(Self, LoadReport), LoadError> {
        let (state, report) = crate::load::project(dir, describes)?;
        Ok((Self::of(state), report))
    }

    /// An org as [`Org::save`] wrote it.
    ///
    /// # Errors
    /// The file cannot be read, or is no saved org.
    pub fn load_saved(path: &Path) -> Result<Self, LoadError> {
        saved::load(path).map(Self::of)
    }

    /// Writes all that the org is to a file, which takes its place only when it is whole. Open queries and
    /// scripted faults are left out.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        saved::save(&self.lock(), path)
    }

    /// Loads a CumulusCI dataset into this org: a folder with a dump (`*.sql`) and its mapping, or the dump.
    ///
    /// # Errors
    /// A file cannot be read or understood. Rows that the org refuses are no error: they are in the report.
    pub fn load_dataset(&self, path: &Path) -> Result<DatasetReport, LoadError> {
        let (dump, mapping) = dataset::files(path)?;
        self.load_dump(&dump, &mapping)
    }

    /// As [`Org::load_dataset`], with both files named.
    ///
    /// # Errors
    /// As there.
    pub fn load_dump(&self, dump: &Path, mapping: &Path) -> Result<DatasetReport, LoadError> {
        dataset::load(&mut self.lock(), dump, mapping)
    }

    /// This org, with an object defined by a recorded describe reply. Rows that are there stay.
    ///
    /// # Errors
    /// The value is no describe.
    pub fn with_describe(self, describe: &Value) -> Result<Self, LoadError> {
        let object = crate::schema::recorded::object(describe).map_err(LoadError::Describe)?;
        self.lock().redefine(object);
        Ok(self)
    }

    pub(crate) fn of(state: State) -> Self {
        let clock = state.clock.clone();
        Self {
            state: Arc::new(Mutex::new(state)),
            clock,
        }
    }

    /// The state, also after a panic of another holder.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The org's clock.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Changes the settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.lock().settings);
    }

    /// Changes the rights of a user, at once and for sessions that are open, too.
    pub fn permit(&self, user: &str, change: impl FnOnce(&mut Permissions)) {
        let mut state = self.lock();
        change(state.access.of_mut(user));
        access::write_down(&mut state, user);
    }

    /// Scripts a fault for the next `times` requests whose path and query contain `contains`.
    pub fn fault(&self, contains: &str, times: u32, fault: Fault) {
        self.script(Script {
            contains: contains.to_owned(),
            times,
            ..Script::new(fault)
        });
    }

    /// Scripts a fault for some of the requests to come. Of several entries that match, the oldest is used.
    pub fn script(&self, script: Script) {
        self.lock().faults.push(script);
    }

    /// How many requests are still to fail by scripts: whether a fault was met shows here.
    pub fn faults_left(&self) -> u32 {
        self.lock().faults.left()
    }

    /// Takes back every fault not yet used.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// Makes every query locator given out so far invalid.
    pub fn expire_locators(&self) {
        self.lock().cursors.clear();
    }

    /// Scripts what becomes of the next Bulk API job over an object (any object for an empty name).
    pub fn fault_job(&self, object: &str, fault: BulkFault) {
        self.lock().bulk.script(object, fault);
    }

    /// API calls so far by kind: `token`, `versions`, `limits`, `describeGlobal`, `describe`, `query`,
    /// `queryMore`, `retrieve`, `create`, `update`, `upsert`, `delete`, `collections`, `soap.undelete`, ...
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.lock().calls.clone()
    }

    /// Starts counting API calls at zero again; the allowance of the day is whole again, too.
    pub fn reset_calls(&self) {
        let mut state = self.lock();
        state.calls.clear();
        state.charged = limits::Charged::default();
    }

    /// Whether a request is being answered.
    pub fn busy(&self) -> bool {
        self.lock().visits.any()
    }

    /// The org's 18-character Id.
    pub fn org_id(&self) -> String {
        self.lock().org_id.clone()
    }

    /// The Id of the user behind the API.
    pub fn api_user(&self) -> String {
        self.lock().api_user.clone()
    }

    /// The Id of the user who makes the changes of [`Org::create`] and its like.
    pub fn ui_user(&self) -> String {
        self.lock().ui_user.clone()
    }
}
