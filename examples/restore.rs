//! A restore by a program: choose, plan, look, carry out, stop, go on, compare, and read what became of it.
//!
//! Key decision: the org is a toy of forty lines that implements [`Source`] and [`Target`], since the engine knows no
//! network: whatever answers these traits can be backed up and restored. It is run as a test.
//!
//! `cargo run --example restore`

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example talks, and fails loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halite::engine::store::memory::Memory;
use halite::ops::capture::{self, BackupOptions};
use halite::ops::org::{EachRow, Identity, Outcome, Read, Refusal, SObjectInfo, Scope, Source, Target};
use halite::ops::restore::apply::{Applied, NoBodies, resume};
use halite::ops::restore::between::{self, Scope as Choice};
use halite::ops::restore::journal::{Lines, Past, replay};
use halite::ops::restore::plan::{Mode, Plan};
use halite::ops::restore::remedy::remedy;
use halite::ops::restore::verify::verify;
use halite::{Error, Kind, RecordId, Result, Secret, Stamp, Vault, VaultOptions};
use serde_json::{Map, Value, json};

/// What an org says of its one sObject.
const DESCRIBE: &str = r#"{"name":"Account","keyPrefix":"001","queryable":true,"createable":true,"updateable":true,
  "undeletable":true,"deletable":true,"fields":[
  {"name":"Id","type":"id"},{"name":"IsDeleted","type":"boolean"},{"name":"SystemModstamp","type":"datetime"},
  {"name":"Name","type":"string","createable":true,"updateable":true,"nameField":true},
  {"name":"Website","type":"url","createable":true,"updateable":true,"nillable":true},
  {"name":"ParentId","type":"reference","referenceTo":["Account"],"createable":true,"updateable":true,"nillable":true}]}"#;

/// An org in memory: rows by Id, those in the recycle bin too.
#[derive(Default)]
struct Toy {
    rows: BTreeMap<RecordId, Map<String, Value>>,
    minutes: i64,
    calls: u64,
    made: u32,
    /// Somebody asked to stop.
    stop: Arc<AtomicBool>,
}

impl Toy {
    fn clock(&self) -> Stamp {
        let start: Stamp = "2026-01-01T00:00:00Z".parse().unwrap();
        start.minus_millis(-self.minutes * 60_000)
    }

    /// Every call costs a minute, and fails once somebody asked to stop: that ends a restore between two writes.
    fn call(&mut self) -> Result<()> {
        (self.calls, self.minutes) = (self.calls + 1, self.minutes + 1);
        if self.stop.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        Ok(())
    }

    fn put(&mut self, id: RecordId, values: &Value) {
        let stamp = self.clock().to_string();
        let row = self.rows.entry(id).or_default();
        row.extend(values.as_object().cloned().unwrap_or_default());
        row.insert("Id".into(), json!(id.to_string()));
        row.insert("SystemModstamp".into(), json!(stamp));
        row.entry("IsDeleted").or_insert(json!(false));
    }

    fn account(&mut self, name: &str, parent: Option<RecordId>) -> RecordId {
        self.made += 1;
        let id = format!("001000000000{:03}", self.made).parse().unwrap();
        let parent = parent.map(|id| id.to_string());
        self.put(id, &json!({ "Name": name, "ParentId": parent, "Website": null }));
        id
    }
}

impl Source for Toy {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: "00D000000000001".parse()?,
            name: "Toy".into(),
            sandbox: true,
            user: "005000000000001".parse()?,
            user_name: "me".into(),
            api_version: "67.0".into(),
        })
    }

    fn now(&mut self) -> Result<Stamp> {
        self.call().map(|()| self.clock())
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        let (name, unreadable) = ("Account".to_owned(), None);
        Ok(vec![SObjectInfo { name, unreadable }])
    }

    fn describe(&mut self, _: &str) -> Result<Vec<u8>> {
        self.call().map(|()| DESCRIBE.into())
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.call()?;
        for (id, row) in &self.rows {
            let wanted = match read.scope {
                Scope::All => true,
                Scope::Since(from) => row["SystemModstamp"].as_str() >= Some(&from.to_string()),
                Scope::Ids(ids) => ids.contains(id),
                Scope::Having(field, values) => {
                    values.iter().any(|value| row.get(field) == Some(&json!(value)))
                }
            };
            if wanted {
                let shown = row
                    .iter()
                    .filter(|(name, _)| read.fields.contains(&name.as_str()));
                let shown: Map<String, Value> =
                    shown.map(|(name, value)| (name.clone(), value.clone())).collect();
                each(Value::Object(shown).to_string().as_bytes())?;
            }
        }
        Ok(())
    }

    fn count(&mut self, _: &str) -> Result<u64> {
        Ok(self.rows.values().filter(|row| row["IsDeleted"] == false).count() as u64)
    }

    fn ids(&mut self, _: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        let live = self.rows.iter().filter(|(_, row)| row["IsDeleted"] == false);
        live.map(|(id, _)| *id).try_for_each(each)
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}

impl Target for Toy {
    fn undelete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        self.call()?;
        let undelete = |id: &RecordId| {
            if !self.rows.contains_key(id) {
                return Outcome::Refused(Refusal {
                    code: "UNDELETE_FAILED".into(),
                    message: "Entity is not in the recycle bin".into(),
                    fields: Vec::new(),
                });
            }
            self.put(*id, &json!({ "IsDeleted": false }));
            Outcome::Done(*id)
        };
        Ok(ids.iter().map(undelete).collect())
    }

    fn create(&mut self, _: &str, rows: &[String]) -> Result<Vec<Outcome>> {
        self.call()?;
        let create = |row: &String| {
            let id = self.account("", None);
            self.put(id, &serde_json::from_str(row).unwrap());
            Outcome::Done(id)
        };
        Ok(rows.iter().map(create).collect())
    }

    fn update(&mut self, _: &str, rows: &[(RecordId, String)]) -> Result<Vec<Outcome>> {
        self.call()?;
        let update = |(id, row): &(RecordId, String)| {
            self.put(*id, &serde_json::from_str(row).unwrap());
            Outcome::Done(*id)
        };
        Ok(rows.iter().map(update).collect())
    }
}

/// The whole way.
pub fn main() -> Result<()> {
    let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default())?;
    let mut org = Toy::default();
    let who = org.identity()?.org;
    let parent = org.account("Salt", None);
    let child = org.account("Pan", Some(parent));
    let edited = org.account("Brine", None);
    let look = |org: &mut Toy| {
        org.minutes += 60;
        let done = capture::backup(&vault, org, &BackupOptions::default(), &mut |_| {})?;
        vault.find_snapshot(who, &done.name)
    };
    let then = look(&mut org)?;

    // A bad day: one record is gone for good, one lies in the bin, one holds nonsense.
    org.minutes += 60;
    org.rows.remove(&parent);
    org.put(child, &json!({ "IsDeleted": true, "ParentId": null }));
    org.put(edited, &json!({ "Name": "?", "Website": "http://oops" }));
    let now = look(&mut org)?;

    // A plan is a value, and lines of text that a person may edit in between.
    let plan = between::plan(&vault, &then, &now, &choice())?;
    let mut text = Vec::new();
    plan.write(&mut text)?;
    println!("{}", String::from_utf8_lossy(&text));
    let plan = Plan::read(&text[..])?;

    let applied = in_two_runs(&plan, &mut org)?;

    // Every operation has one outcome; what was not done has a remedy.
    for op in &plan.operations {
        let end = &applied.outcomes.ends[&op.number];
        let what = remedy(Some(end)).unwrap_or_default();
        println!("{} {} {}: {} {what}", op.number, op.sobject, op.id, end.name());
    }
    let new = applied.id_map[&parent];
    assert_eq!(org.rows[&child]["ParentId"], json!(new.to_string()));
    assert_eq!(org.rows[&edited]["Name"], "Brine");

    // The judge is a new look at the org.
    let after = look(&mut org)?;
    let verified = verify(&vault, &after, &plan, &applied.outcomes)?;
    println!(
        "{} fields compared, {} records differ",
        verified.fields,
        verified.differing.len()
    );
    assert_eq!(
        (verified.records, verified.differing.len()),
        (plan.operations.len() as u64, 0)
    );
    Ok(())
}

/// Carries a plan out until somebody asks to stop, and goes on.
fn in_two_runs(plan: &Plan, org: &mut Toy) -> Result<Applied> {
    // What was done stands in the journal.
    let mut journal = Lines(Vec::new());
    let stop = Arc::clone(&org.stop);
    let mut progress = |done: usize, all: usize| {
        println!("{done} of {all}");
        stop.store(done == 1, Ordering::SeqCst);
    };
    let nothing = Past::default();
    let stopped = resume(plan, org, &mut journal, nothing, &mut NoBodies, &mut progress);
    assert_eq!(stopped.unwrap_err().kind(), Kind::Interrupted);

    // The same call goes on where the journal ends; another process could.
    org.stop.store(false, Ordering::SeqCst);
    let noted = String::from_utf8(journal.0.clone()).unwrap();
    let past = replay(noted.lines())?;
    println!("going on after {}", past.outcomes.len());
    resume(plan, org, &mut journal, past, &mut NoBodies, &mut |_, _| {})
}

/// Of all that differs: every sObject, every record, with all that may be done.
fn choice() -> Choice {
    Choice {
        mode: Mode::All,
        ..Choice::default()
    }
}
