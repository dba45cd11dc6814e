//! The org that is captured: a map of rows, as a `Source`, and what a snapshot of it must hold.
//!
//! Key decision: a capture reads a clone, so that what it must hold is known to the byte; rows that were deleted stay in
//! the bin until they are purged, as an org has it. It is not Salesforce: one sObject, no rules.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Scope, Source};
use halite_engine::{Error, Kind, Result};

use crate::dice::Dice;

/// The one sObject.
pub const SOBJECT: &str = "Thing__c";

const DESCRIBE: &str = r#"{"name":"Thing__c","keyPrefix":"a00","fields":[
  {"name":"Id","type":"id"},{"name":"Name","type":"string"},{"name":"Size__c","type":"double"},
  {"name":"Twice__c","type":"double","calculated":true},{"name":"IsDeleted","type":"boolean"},
  {"name":"SystemModstamp","type":"datetime"},{"name":"LastModifiedDate","type":"datetime"}]}"#;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name; empty is null.
    pub name: String,
    /// Its size.
    pub size: Option<i64>,
    /// When it was last touched.
    pub stamp: i64,
}

/// The live rows of a state.
pub type Rows = BTreeMap<RecordId, Row>;

/// An org.
#[derive(Clone)]
pub struct Org {
    id: OrgId,
    live: Rows,
    bin: Rows,
    /// Its clock.
    pub now: i64,
    calls: u64,
}

/// The Id of a row.
pub fn id(n: u64) -> Result<RecordId> {
    let first: RecordId = "a0000000000000A".parse()?;
    RecordId::from_number(first.to_number() + u128::from(n) * 977)
        .ok_or_else(|| Error::invalid("a number beyond all Ids"))
}

/// The Id of an org.
pub fn org(n: u64) -> Result<OrgId> {
    format!("00D00000000000{n}").parse()
}

impl Org {
    /// One without rows.
    pub fn new(id: OrgId) -> Self {
        Self {
            id,
            live: Rows::new(),
            bin: Rows::new(),
            now: 1_700_000_000_000,
            calls: 0,
        }
    }

    /// Creates, edits, touches, deletes, brings back and purges some rows of the first `span`.
    pub fn change(&mut self, dice: &mut Dice, times: u64, span: u64) -> Result<()> {
        for _ in 0..times {
            self.now += 1000;
            let id = id(dice.below(span))?;
            match dice.below(12) {
                0 | 1 => {
                    if let Some(mut row) = self.live.remove(&id) {
                        row.stamp = self.now;
                        self.bin.insert(id, row);
                    }
                }
                2 => drop(self.bin.remove(&id).or_else(|| self.live.remove(&id))),
                3 => {
                    if let Some(row) = self.live.get_mut(&id) {
                        row.stamp = self.now;
                    }
                }
                _ => {
                    self.bin.remove(&id);
                    self.live.insert(id, row(dice, self.now));
                }
            }
        }
        Ok(())
    }

    /// What a snapshot of now must hold.
    pub fn rows(&self) -> Arc<Rows> {
        Arc::new(self.live.clone())
    }
}

/// A new content: sometimes of a few that come again, sometimes one that does not compress.
pub fn row(dice: &mut Dice, stamp: i64) -> Row {
    let name = match dice.below(4) {
        0 => String::new(),
        1 => format!("name {}", dice.below(3)),
        _ => format!("{:016x} \"é\" {:016x}", dice.next(), dice.next()),
    };
    let size = dice.chance(2, 3).then(|| dice.below(1000).cast_signed());
    Row { name, size, stamp }
}

/// The canonical JSON of a live row.
pub fn canonical(id: RecordId, row: &Row) -> String {
    let stamp = Stamp::from_millis(row.stamp);
    let mut parts = vec![format!(
        r#""Id":"{id}","IsDeleted":false,"LastModifiedDate":"{stamp}""#
    )];
    if !row.name.is_empty() {
        parts.push(format!(r#""Name":{}"#, quoted(&row.name)));
    }
    parts.extend(row.size.map(|s| format!(r#""Size__c":{s}"#)));
    parts.push(format!(r#""SystemModstamp":"{stamp}""#));
    parts.extend(row.size.map(|s| format!(r#""Twice__c":{}"#, s * 2)));
    format!("{{{}}}", parts.join(","))
}

/// What the org sends.
fn sent(id: RecordId, row: &Row, deleted: bool) -> String {
    let number = |n: Option<i64>| n.map_or("null".to_owned(), |n| format!("{n}.0"));
    let stamp = Stamp::from_millis(row.stamp).to_string().replace('Z', "+0000");
    format!(
        r#"{{"attributes":{{"type":"Thing__c","url":"/x"}},"Twice__c":{},"Id":"{id}","Name":{},"Size__c":{},"IsDeleted":{deleted},"SystemModstamp":"{stamp}","LastModifiedDate":"{stamp}"}}"#,
        number(row.size.map(|s| 2 * s)),
        quoted(&row.name),
        number(row.size),
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes rows as a folder to import, and the Ids that go, for an import of changes.
pub fn folder(dir: &Path, rows: &Rows, gone: &[RecordId]) -> Result<()> {
    let write = |ending: &str, text: String| {
        let path = dir.join(format!("{SOBJECT}.{ending}"));
        std::fs::write(&path, text).map_err(|e| Error::io(path.display(), e))
    };
    write("describe.json", DESCRIBE.to_owned())?;
    write(
        "ndjson",
        rows.iter().map(|(id, row)| canonical(*id, row) + "\n").collect(),
    )?;
    if !gone.is_empty() {
        write("deleted", gone.iter().map(|id| format!("{id}\n")).collect())?;
    }
    Ok(())
}

impl Source for Org {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: self.id,
            name: "Model".into(),
            sandbox: false,
            user: "005000000000001".parse()?,
            user_name: "u".into(),
            api_version: "67.0".into(),
        })
    }

    fn now(&mut self) -> Result<Stamp> {
        Ok(Stamp::from_millis(self.now))
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        let info = |name: &str, why: Option<&str>| SObjectInfo {
            name: name.into(),
            unreadable: why.map(str::to_owned),
        };
        Ok(vec![
            info(SOBJECT, None),
            info("Event__e", Some("a platform event is not stored")),
        ])
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        match sobject {
            SOBJECT => Ok(DESCRIBE.into()),
            _ => Err(Error::new(Kind::NotFound, "no such sObject")),
        }
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.calls += 1;
        let live = self.live.iter().map(|(id, row)| (id, row, false));
        let all = live.chain(self.bin.iter().map(|(id, row)| (id, row, true)));
        let mut rows: Vec<_> = all
            .filter(|(id, row, _)| match read.scope {
                Scope::All => true,
                Scope::Since(stamp) => row.stamp >= stamp.millis(),
                Scope::Ids(ids) => ids.contains(id),
                Scope::Having(..) => unreachable!("only a restore asks so"),
            })
            .collect();
        rows.sort_by_key(|(id, row, _)| match read.scope {
            Scope::All => (0, **id),
            _ => (row.stamp, **id),
        });
        rows.into_iter()
            .try_for_each(|(id, row, deleted)| each(sent(*id, row, deleted).as_bytes()))
    }

    fn count(&mut self, _: &str) -> Result<u64> {
        Ok(self.live.len() as u64)
    }

    fn ids(&mut self, _: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        self.live.keys().try_for_each(|id| each(*id))
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
