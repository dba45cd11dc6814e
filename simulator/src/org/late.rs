//! Transactions that take their stamp early and are committed late: rows that appear behind a watermark.
//!
//! Key decision: each write is carried out at once, by all rules, and then taken out of sight; what is kept
//! are the rows as it left them, which the commit puts in place. So the Ids and stamps are those of the time
//! of the writes, a refusal comes at once, and the rows are locked for everybody else meanwhile.
//! Source: SOAP API guide, "getUpdated" and "Polling for Changes" (`latestDateCovered`).
//! Not here: rows that a request holds while it is answered (`write::locks`). A saved org forgets what is not
//! committed, as a crash would.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::Org;
use super::call::CallOptions;
use super::state::{Row, State};
use crate::error::ApiError;
use crate::write;
use crate::write::locks::Ticket;

/// A row as the transaction leaves it, by object and Id.
type Images = BTreeMap<(String, String), Option<Row>>;

#[derive(Debug)]
struct Open {
    at: Timestamp,
    images: Images,
    locks: Ticket,
}

/// All transactions that are open.
#[derive(Debug, Default)]
pub(crate) struct Late {
    open: BTreeMap<u64, Open>,
    made: u64,
    /// The time of the one that is at work now.
    pub moment: Option<Timestamp>,
}

impl Late {
    /// The start of the oldest that is open.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.open.values().map(|o| o.at).min()
    }
}

/// A transaction under way: what it writes is stamped with its start and seen by nobody before
/// [`LateTransaction::commit`]. It belongs to the org: dropping the handle leaves it open.
#[derive(Debug, Clone)]
pub struct LateTransaction {
    org: Org,
    number: u64,
}

impl Org {
    /// Starts a transaction of the user in the UI that will be committed later.
    pub fn begin_late(&self) -> LateTransaction {
        let mut state = self.lock();
        state.begin();
        let at = state.clock.now();
        state.late.made += 1;
        let (number, locks) = (state.late.made, state.behaviour.locks.claim([]));
        let open = Open {
            at,
            images: Images::new(),
            locks,
        };
        state.late.open.insert(number, open);
        LateTransaction {
            org: self.clone(),
            number,
        }
    }

    /// The open transaction of that number.
    pub fn late(&self, number: u64) -> Option<LateTransaction> {
        let there = self.lock().late.open.contains_key(&number);
        there.then(|| LateTransaction {
            org: self.clone(),
            number,
        })
    }
}

impl LateTransaction {
    /// Its number, by which [`Org::late`] finds it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Creates a row; gives its Id.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn create(&self, object: &str, values: &Value) -> Result<String, ApiError> {
        self.run(|s, user| write::create(s, object, values, user))
    }

    /// Edits a row.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn update(&self, id: &str, values: &Value) -> Result<(), ApiError> {
        self.run(|s, user| write::update(s, id, values, user))
    }

    /// Deletes a row.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn delete(&self, id: &str) -> Result<(), ApiError> {
        self.run(|s, _| write::delete(s, id))
    }

    /// Brings a row back.
    ///
    /// # Errors
    /// What the API would answer.
    pub fn undelete(&self, id: &str) -> Result<(), ApiError> {
        self.run(|s, _| write::undelete(s, id))
    }

    /// Everything becomes visible, with the stamps of the transaction's start.
    pub fn commit(self) {
        let mut state = self.org.lock();
        let Some(open) = state.take(self.number) else {
            return;
        };
        state.late.moment = Some(open.at);
        state.place(&open.images);
        state.journal.clear();
        state.late.moment = None;
    }

    /// Nothing has happened.
    pub fn roll_back(self) {
        self.org.lock().take(self.number);
    }

    fn run<T>(&self, work: impl FnOnce(&mut State, &str) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let mut state = self.org.lock();
        let Some(mut open) = state.take(self.number) else {
            let message = "the transaction is committed or rolled back";
            return Err(ApiError::new("INVALID_OPERATION", message));
        };
        state.running = state.ui_user.clone();
        state.options = CallOptions::default();
        state.begin();
        state.late.moment = Some(open.at);
        state.place(&open.images);
        let user = state.ui_user.clone();
        let result = state.attempt(|s| work(s, &user));
        open.images = state.images();
        state.undo_to(0);
        state.late.moment = None;
        let rows = open
            .images
            .keys()
            .map(|(_, id)| id.clone())
            .collect::<BTreeSet<_>>();
        open.locks = state.behaviour.locks.claim(rows);
        state.late.open.insert(self.number, open);
        result
    }
}

impl State {
    /// Takes an open transaction out, and frees its rows.
    fn take(&mut self, number: u64) -> Option<Open> {
        let open = self.late.open.remove(&number)?;
        self.behaviour.locks.release(open.locks);
        Some(open)
    }

    /// Puts rows as a transaction left them.
    fn place(&mut self, images: &Images) {
        for ((object, id), row) in images {
            self.put(object, id, row.clone());
        }
    }

    /// Every row that the journal names, as it is now.
    fn images(&self) -> Images {
        let named = self.journal.iter().map(|(object, id, _)| {
            let row = self.tables.get(object).and_then(|t| t.get(id)).cloned();
            ((object.clone(), id.clone()), row)
        });
        named.collect()
    }
}
