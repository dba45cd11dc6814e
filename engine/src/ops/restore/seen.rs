//! A snapshot as the planner asks it.
//!
//! Key decision: describes are those of that time and not the newest, since a field that came later was not empty then: it
//! is not known. The planner asks in order of Ids, so that what was read last stays at hand. It keeps no records.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::blob::holds_bodies;
use crate::format::describe::{Describe, FieldKind};
use crate::format::page::VersionKind;
use crate::ops::bodies::Body;
use crate::ops::restore::view::View;
use crate::ops::state::State;
use crate::ops::view::AtHand;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// A stored state as the planner asks it.
pub(super) struct Seen<'v> {
    pub state: State<'v>,
    /// The sObjects that can be planned.
    pub sobjects: Vec<String>,
    /// The number of each one's schema of that time.
    schemas: HashMap<String, u32>,
    describes: RefCell<HashMap<String, Arc<Describe>>>,
    /// What was read last of the sObjects that were asked for last.
    recent: RefCell<Vec<(String, AtHand<'v>)>>,
}

/// sObjects of which what was read last stays at hand: the one that is planned, and some that it points at.
const RECENT: usize = 4;

impl<'v> Seen<'v> {
    pub fn new(vault: &'v Vault, info: &SnapshotInfo) -> Result<Self> {
        let state = State::at(vault, info);
        let mut sobjects = state.sobjects()?;
        // Bodies go with the rows that have them.
        sobjects.retain(|name| !holds_bodies(name));
        let mut schemas = HashMap::new();
        let mut earlier = vault.snapshots(info.org)?;
        earlier.retain(|snapshot| snapshot.number <= info.number);
        // A snapshot may be of some sObjects alone.
        while let Some(snapshot) = earlier.pop() {
            for captured in State::at(vault, &snapshot).manifest()?.sobjects {
                if captured.skipped.is_none() {
                    schemas.entry(captured.name).or_insert(captured.schema);
                }
            }
            if sobjects.iter().all(|name| schemas.contains_key(name)) {
                break;
            }
        }
        Ok(Self {
            state,
            sobjects,
            schemas,
            describes: RefCell::default(),
            recent: RefCell::default(),
        })
    }

    fn near<T>(&self, sobject: &str, read: impl FnOnce(&mut AtHand<'v>) -> Result<T>) -> Result<T> {
        let mut recent = self.recent.borrow_mut();
        let mut own = match recent.iter().position(|(name, _)| name == sobject) {
            Some(at) => recent.remove(at),
            None => (sobject.to_owned(), AtHand::default()),
        };
        let found = read(&mut own.1);
        recent.truncate(RECENT - 1);
        recent.insert(0, own);
        found
    }
}

impl View for Seen<'_> {
    fn sobjects(&self) -> Vec<String> {
        self.sobjects.clone()
    }

    fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
        if let Some(known) = self.describes.borrow().get(sobject) {
            return Ok(Arc::clone(known));
        }
        let describe = Arc::new(match self.schemas.get(sobject) {
            Some(schema) => self.state.describe_under(sobject, *schema)?,
            None => self.state.describe(sobject)?,
        });
        let known = Arc::clone(&describe);
        self.describes.borrow_mut().insert(sobject.to_owned(), known);
        Ok(describe)
    }

    fn get(&self, sobject: &str, id: RecordId) -> Result<Option<String>> {
        let found = self.near(sobject, |at_hand| self.state.version_near(sobject, id, at_hand))?;
        Ok(found.and_then(|(_, record)| record).map(|record| record.json))
    }

    fn body(&self, sobject: &str, id: RecordId) -> Result<Option<(String, u64)>> {
        let describe = self.state.describe(sobject)?;
        let Some(field) = describe.fields.iter().find(|f| f.kind == FieldKind::Base64) else {
            return Ok(None);
        };
        let name = format!("{sobject}.{}", field.name);
        if !self.state.sobjects()?.contains(&name) {
            return Ok(None);
        }
        let Some(record) = self.state.get(&name, id)? else {
            return Ok(None);
        };
        Ok(Some((field.name.clone(), Body::parse(id, &record.json)?.length)))
    }

    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        let key = self.near(sobject, |at_hand| self.state.key_near(sobject, id, at_hand))?;
        Ok(key.map(|key| key.kind).filter(|kind| !kind.is_live()))
    }
}
