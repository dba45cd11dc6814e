//! Orgs of any size, made up: standard objects, a wide custom one, files, deleted rows; and days of change.
//!
//! Key decision: every row goes through the rules of `write`, at the time at which it is said to have been
//! edited, so that the org is one that can exist and no rule is written twice. The same plan gives the same org.
//! Not here: the sample org, which is small and awkward on purpose (`sample`).

mod day;
mod files;
mod make;
mod random;
mod tables;
mod wide;
mod words;

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use day::Change;
use make::{Made, Maker, Place};
use random::Random;
use tables::Table;
use words::Words;

use crate::id::{Key, make};
use crate::org::{Org, State, access, birth, stamp};
use crate::write;

const DAY_MS: i64 = 24 * 3_600_000;
/// How far back the oldest rows were made.
const SPAN_MS: i64 = 6 * 365 * DAY_MS;
/// Users who own rows, besides those every org has.
const USERS: u64 = 60;
/// Days that deleted rows lie in the bin.
const BIN_DAYS: i64 = 15;

/// What a generated org holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Rows of business objects and files, deleted ones included.
    pub records: usize,
    /// Another seed gives another org.
    pub seed: u64,
    /// The part of the rows that are of files: documents, versions, links, attachments.
    pub files: f64,
    /// The part of the rows that are deleted; what hangs on them goes with them.
    pub deleted: f64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            records: 10_000,
            seed: 1,
            files: 0.04,
            deleted: 0.01,
        }
    }
}

impl Org {
    /// An org made up by a plan. Rows were made over six years; most that were edited were so lately.
    ///
    /// ```
    /// use halite_simulator::{Org, Plan};
    /// let plan = Plan { records: 500, ..Plan::default() };
    /// let (org, again) = (Org::generate(&plan), Org::generate(&plan));
    /// assert_eq!(org.rows("Account"), again.rows("Account"));
    /// ```
    pub fn generate(plan: &Plan) -> Self {
        let mut state = birth::state();
        wide::define(&mut state);
        let users = users(&mut state);
        let words = Words::new();
        Filling::new(&mut state, &words, users, plan.seed).fill(plan);
        Self::of(state)
    }
}

/// More users, so that owners differ.
fn users(state: &mut State) -> Vec<String> {
    let mut random = Random::of(0, 0);
    let mut ids = vec![state.ui_user.clone()];
    for n in 1..=USERS {
        let id = make("005", 0x100 + n);
        let (first, last) = (random.pick(words::FIRST), random.pick(words::LAST));
        let name = format!("user{n}@salt.example");
        let values = json!({"Username": name, "Email": name, "FirstName": first, "LastName": last,
            "Name": format!("{first} {last}"), "Alias": format!("u{n}"), "IsActive": true,
            "TimeZoneSidKey": "Europe/Vienna", "LocaleSidKey": "en_GB", "EmailEncodingKey": "UTF-8",
            "LanguageLocaleKey": "en_US", "UserType": "Standard", "ProfileId": make("00e", 2)});
        state.seed_row("User", &id, values);
        access::enrol(state, &id);
        ids.push(id);
    }
    ids
}

/// An org that is being filled or changed.
struct Filling<'a> {
    state: &'a mut State,
    words: &'a Words,
    users: Vec<String>,
    made: Made,
    random: Random,
    now_ms: i64,
    /// The time of the write that goes on.
    at_ms: i64,
}

impl<'a> Filling<'a> {
    fn new(state: &'a mut State, words: &'a Words, users: Vec<String>, seed: u64) -> Self {
        let now_ms = state.clock.now().as_millisecond();
        Self {
            state,
            words,
            users,
            made: HashMap::new(),
            random: Random::of(seed, 1),
            now_ms,
            at_ms: now_ms,
        }
    }

    fn fill(&mut self, plan: &Plan) {
        let portion = |part: f64| (plan.records as f64 * part.clamp(0.0, 1.0)) as usize;
        let files = portion(plan.files);
        let tables = tables::tables();
        let (mut left, last) = (plan.records - files, tables.len() - 1);
        for (n, table) in tables.iter().enumerate() {
            let share = (plan.records - files) * table.share / 1_000;
            let rows = if n == last { left } else { share.min(left) };
            self.table(table, rows);
            left -= rows;
        }
        self.files(files);
        self.deletes(&tables, portion(plan.deleted));
        self.rest();
    }

    /// Ends the filling: what it did cannot be undone, and the clock shows the org's time.
    fn rest(&mut self) {
        self.begin(self.now_ms);
        self.state.journal.shrink_to_fit();
    }

    /// Starts a transaction at a time.
    fn begin(&mut self, at_ms: i64) {
        self.state.begin();
        self.at_ms = at_ms;
        self.state.clock.set(time(at_ms));
    }

    /// Makes rows of an object, spread over the years.
    fn table(&mut self, table: &Table, rows: usize) {
        let step = SPAN_MS / (rows as i64).max(1);
        for number in 0..rows {
            let ago = step * (rows - number) as i64 - self.random.below(step.unsigned_abs() + 1) as i64;
            let created = self.now_ms - ago;
            let edited = created + self.last_edit(ago);
            self.add(table, created, edited);
        }
    }

    /// How long after its making a row was edited last: a third never, the others mostly lately.
    fn last_edit(&mut self, age: i64) -> i64 {
        if self.random.percent(35) {
            return 0;
        }
        let since = self.random.skewed(age.unsigned_abs()) as i64;
        age - since
    }

    /// Makes a row; what the rules refuse is left out.
    fn add(&mut self, table: &Table, created: i64, edited: i64) -> bool {
        let Some(def) = self.state.schema.object(table.name).cloned() else {
            return false;
        };
        let number = self.state.count(&format!("generated {}", table.name));
        let place = Place {
            def: &def,
            number: number as usize - 1,
            at: time(created),
        };
        let mut values = Map::new();
        for field in &table.fields {
            if self.random.percent(field.filled) {
                let value = self.maker().value(field, &place, &values);
                values.extend(value.map(|v| (field.name.clone(), v)));
            }
        }
        let (user, editor) = (self.user(), self.user());
        if created < edited {
            values.insert("CreatedDate".to_owned(), json!(stamp(time(created))));
            values.insert("LastModifiedById".to_owned(), json!(editor));
        }
        self.begin(edited);
        let values = Value::Object(values);
        let saved = self
            .state
            .attempt(|s| write::create_loaded(s, table.name, &values, &user));
        let key = saved.ok().as_deref().and_then(Key::of);
        self.made.entry(table.name.to_owned()).or_default().extend(key);
        key.is_some()
    }

    /// A user, few of them doing most of the work.
    fn user(&mut self) -> String {
        self.users[self.random.place(self.users.len())].clone()
    }

    fn maker(&mut self) -> Maker<'_> {
        Maker {
            state: self.state,
            words: self.words,
            made: &self.made,
            users: &self.users,
            random: &mut self.random,
        }
    }
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}
