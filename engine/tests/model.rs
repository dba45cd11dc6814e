//! An org that is a map of maps, as a [`Source`]: what the engine is checked against.
//!
//! Key decision: it answers in any order it likes and shows deleted rows until they are purged.
//! It is not Salesforce: it has one sObject and no rules.

use std::collections::BTreeMap;

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Scope, Source};
use halite_engine::{Error, Kind, Result};

pub(crate) const DESCRIBE: &str = r#"{"name":"Thing__c","keyPrefix":"a00","fields":[
  {"name":"Id","type":"id"},{"name":"Name","type":"string"},{"name":"Size__c","type":"double"},
  {"name":"Twice__c","type":"double","calculated":true},{"name":"IsDeleted","type":"boolean"},
  {"name":"SystemModstamp","type":"datetime"},{"name":"LastModifiedDate","type":"datetime"}]}"#;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) size: Option<i64>,
    pub(crate) stamp: i64,
    pub(crate) deleted: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Model {
    pub(crate) rows: BTreeMap<RecordId, Row>,
    pub(crate) now: i64,
    pub(crate) calls: u64,
    /// Whether its describe lets one write.
    pub(crate) writable: bool,
    /// Whether every second row comes before the one before it, where all are read.
    pub(crate) swapped: bool,
}

pub(crate) fn id(n: u32) -> RecordId {
    RecordId::from_number("a0000000000000A".parse::<RecordId>().unwrap().to_number() + u128::from(n) * 977)
        .unwrap()
}

impl Model {
    pub(crate) fn put(&mut self, n: u32, name: &str, size: Option<i64>) {
        self.now += 1000;
        let row = Row {
            name: name.to_owned(),
            size,
            stamp: self.now,
            deleted: false,
        };
        self.rows.insert(id(n), row);
    }

    pub(crate) fn delete(&mut self, n: u32) {
        self.now += 1000;
        let now = self.now;
        if let Some(row) = self.rows.get_mut(&id(n)) {
            (row.deleted, row.stamp) = (true, now);
        }
    }

    pub(crate) fn purge(&mut self, n: u32) {
        self.now += 1000;
        self.rows.remove(&id(n));
    }

    /// The canonical JSON of every live row.
    pub(crate) fn truth(&self) -> BTreeMap<RecordId, String> {
        self.rows
            .iter()
            .filter(|(_, r)| !r.deleted)
            .map(|(id, r)| (*id, canonical(*id, r)))
            .collect()
    }

    pub(crate) fn json(id: RecordId, row: &Row) -> String {
        let name = serde_json::to_string(&row.name).unwrap();
        let size = row.size.map_or("null".to_owned(), |s| format!("{s}.0"));
        let stamp = Stamp::from_millis(row.stamp).to_string().replace('Z', "+0000");
        format!(
            r#"{{"attributes":{{"type":"Thing__c","url":"/x"}},"Twice__c":{},"Id":"{id}","Name":{name},"Size__c":{size},"IsDeleted":{},"SystemModstamp":"{stamp}","LastModifiedDate":"{stamp}"}}"#,
            row.size.map_or("null".to_owned(), |s| (2 * s).to_string()),
            row.deleted
        )
    }
}

pub(crate) fn canonical(id: RecordId, row: &Row) -> String {
    let mut parts = vec![format!(r#""Id":"{id}","IsDeleted":false"#)];
    let stamp = Stamp::from_millis(row.stamp);
    parts.push(format!(r#""LastModifiedDate":"{stamp}""#));
    if !row.name.is_empty() {
        parts.push(format!(r#""Name":{}"#, serde_json::to_string(&row.name).unwrap()));
    }
    parts.extend(row.size.map(|s| format!(r#""Size__c":{s}"#)));
    parts.push(format!(r#""SystemModstamp":"{stamp}""#));
    parts.extend(row.size.map(|s| format!(r#""Twice__c":{}"#, s * 2)));
    format!("{{{}}}", parts.join(","))
}

impl Source for Model {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: "00D000000000001".parse()?,
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
        Ok(vec![
            SObjectInfo {
                name: "Thing__c".into(),
                unreadable: None,
            },
            SObjectInfo {
                name: "Event__e".into(),
                unreadable: Some("a platform event is not stored".into()),
            },
        ])
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        if sobject == "Thing__c" {
            let rights = r#","createable":true,"updateable":true,"nillable":true"#;
            let grant = |text: &str, after: &str| text.replace(after, &format!("{after}{rights}"));
            let fields = [
                r#""name":"Thing__c""#,
                r#""type":"string""#,
                r#""name":"Size__c""#,
            ];
            let text = fields.iter().filter(|_| self.writable);
            let text = text.fold(DESCRIBE.to_owned(), |text, field| grant(&text, field));
            Ok(text.into_bytes())
        } else {
            Err(Error::new(Kind::NotFound, "no such sObject"))
        }
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.calls += 1;
        let wanted = |id: &RecordId, row: &Row| match read.scope {
            Scope::All => true,
            Scope::Since(stamp) => row.stamp >= stamp.millis(),
            Scope::Ids(ids) => ids.contains(id),
            Scope::Having(..) => unreachable!("only a restore asks so"),
        };
        let mut rows: Vec<_> = self.rows.iter().filter(|(id, row)| wanted(id, row)).collect();
        if self.swapped && read.scope == Scope::All {
            rows.chunks_mut(2).for_each(<[_]>::reverse);
        }
        if read.scope != Scope::All {
            rows.sort_by_key(|(_, row)| row.stamp);
        }
        rows.into_iter()
            .try_for_each(|(id, row)| each(Model::json(*id, row).as_bytes()))
    }

    fn count(&mut self, _: &str) -> Result<u64> {
        Ok(self.rows.values().filter(|r| !r.deleted).count() as u64)
    }

    fn ids(&mut self, _: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        self.rows
            .iter()
            .filter(|(_, r)| !r.deleted)
            .try_for_each(|(id, _)| each(*id))
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
