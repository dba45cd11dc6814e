//! A small, strict org in memory, and a state as the planner sees it.
//!
//! Key decision: it refuses what the API refuses (dead references, missing or unwritable fields), so that an order that
//! only looks right fails. It is not the simulator: no HTTP, no SOQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::fields::{self, Values};
use super::super::view::View;
use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;
use crate::format::page::VersionKind;
use crate::ops::org::*;

pub(super) type Key = (String, RecordId);

pub(super) fn id(text: &str) -> RecordId {
    format!("{text:0<15}").parse().unwrap()
}

pub(super) fn describe(sobject: &str) -> String {
    let lookup = |name: &str, to: &str, nillable: bool| {
        format!(
            r#",{{"name":"{name}","type":"reference","referenceTo":["{to}"],"createable":true,"updateable":{nillable},"nillable":{nillable}}}"#
        )
    };
    let more = match sobject {
        "Account" => lookup("ParentId", "Account", true) + &lookup("Main__c", "Contact", true),
        "Contact" => lookup("AccountId", "Account", true),
        "Detail__c" => lookup("Account__c", "Account", false),
        "Ring__c" => lookup("Next__c", "Ring__c", false),
        _ => String::new(),
    };
    format!(
        r#"{{"name":"{sobject}","createable":true,"updateable":true,"deletable":true,"undeletable":true,"fields":[{{"name":"Id","type":"id"}},
        {{"name":"IsDeleted","type":"boolean"}},{{"name":"CreatedDate","type":"datetime","createable":true}},
        {{"name":"Name","type":"string","createable":true,"updateable":true}},
        {{"name":"Amount__c","type":"double","createable":true,"updateable":true,"nillable":true}},
        {{"name":"Secret__c","type":"string","encrypted":true,"createable":true,"updateable":true,"nillable":true}},
        {{"name":"Sum__c","type":"double","calculated":true,"nillable":true}},
        {{"name":"Number__c","type":"string","autoNumber":true,"nillable":true}},
        {{"name":"OwnerId","type":"reference","referenceTo":["User"],"createable":true,"updateable":true,"defaultedOnCreate":true}}{more}]}}"#
    )
}

pub(super) const SOBJECTS: [&str; 6] = ["Account", "Contact", "Detail__c", "Ring__c", "User", "Stray__c"];

#[derive(Default, Clone)]
pub(super) struct State {
    pub live: BTreeMap<Key, Values>,
    pub gone: BTreeMap<Key, VersionKind>,
}

impl State {
    pub fn with(mut self, sobject: &str, name: &str, json: &str) -> Self {
        let mut values = fields::values(json).unwrap();
        values.insert("Id".into(), fields::id_value(id(name)).unwrap());
        values
            .entry("Name".into())
            .or_insert_with(|| fields::id_value(id(name)).unwrap());
        self.live.insert((sobject.into(), id(name)), values);
        self
    }

    pub fn without(mut self, sobject: &str, name: &str, kind: VersionKind) -> Self {
        self.live.remove(&(sobject.into(), id(name)));
        self.gone.insert((sobject.into(), id(name)), kind);
        self
    }
}

impl View for State {
    fn sobjects(&self) -> Vec<String> {
        SOBJECTS[..5].iter().map(|s| (*s).to_owned()).collect()
    }
    fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
        Describe::parse(describe(sobject).as_bytes()).map(Arc::new)
    }
    fn get(&self, sobject: &str, id: RecordId) -> Result<Option<String>> {
        self.live
            .get(&(sobject.to_owned(), id))
            .map(fields::text)
            .transpose()
    }
    fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        Ok(self.gone.get(&(sobject.to_owned(), id)).copied())
    }
}

#[derive(Default)]
pub(super) struct Org {
    pub live: BTreeMap<Key, Values>,
    pub bin: BTreeMap<RecordId, (String, Values)>,
    /// Brought back along with the key.
    pub cascade: BTreeMap<RecordId, Vec<RecordId>>,
    pub refuse_name: Option<String>,
    pub lose_replies: bool,
    /// How many rows there is room for.
    pub room: Option<usize>,
    /// Rows are changed as they are created, as a trigger would.
    pub shout: bool,
    pub now: i64,
    pub fail_creates: bool,
    pub made: usize,
    pub writes: u64,
    pub undeletes: u64,
}

impl Org {
    pub fn of(state: &State) -> Self {
        Org {
            live: state.live.clone(),
            ..Org::default()
        }
    }

    /// What stands in the bin, with the values that it had.
    pub fn binned(mut self, sobject: &str, name: &str, from: &State) -> Self {
        self.bin.insert(
            id(name),
            (sobject.into(), from.live[&(sobject.into(), id(name))].clone()),
        );
        self
    }

    pub fn check(&self, sobject: &str, row: &Values, create: bool) -> std::result::Result<(), Refusal> {
        let refuse = |code: &str, field: &str| {
            Err(Refusal {
                code: code.into(),
                message: format!("bad {field}"),
                fields: vec![field.into()],
            })
        };
        let describe = Describe::parse(describe(sobject).as_bytes()).unwrap();
        for (name, value) in row {
            let Some(field) = describe.field(name) else {
                return refuse("INVALID_FIELD", name);
            };
            let system = ["Id", "IsDeleted"].contains(&name.as_str())
                || (name == "CreatedDate" && !create)
                || field.calculated
                || field.auto_number;
            let allowed = if create {
                field.createable
            } else {
                field.updateable
            };
            if system || !allowed || !fields::plain(value) {
                return refuse("INVALID_FIELD_FOR_INSERT_UPDATE", name);
            }
            if fields::is_null(value) && !field.nillable {
                return refuse("REQUIRED_FIELD_MISSING", name);
            }
            let target = field
                .reference_to
                .first()
                .filter(|to| *to != "User")
                .zip(fields::id_of(value));
            if target.is_some_and(|(to, id)| !self.live.contains_key(&(to.clone(), id))) {
                return refuse("INVALID_CROSS_REFERENCE_KEY", name);
            }
        }
        if create
            && let Some(field) = describe
                .fields
                .iter()
                .find(|f| f.required() && f.name != "CreatedDate" && !row.contains_key(&f.name))
        {
            return refuse("REQUIRED_FIELD_MISSING", &field.name);
        }
        match (&self.refuse_name, row.get("Name")) {
            (Some(bad), Some(name)) if name.get().contains(bad.as_str()) => {
                refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Name")
            }
            _ => Ok(()),
        }
    }

    pub fn value(&self, sobject: &str, id: RecordId, field: &str) -> String {
        self.live[&(sobject.to_owned(), id)]
            .get(field)
            .map_or("null".into(), |v| v.get().to_owned())
    }
}

impl Source for Org {
    fn identity(&mut self) -> Result<Identity> {
        Err(Error::invalid("not asked"))
    }
    fn now(&mut self) -> Result<Stamp> {
        Ok(Stamp::from_millis(self.now))
    }
    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        Ok(Vec::new())
    }
    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        Ok(describe(sobject).into_bytes())
    }
    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        let made: Vec<RecordId>;
        let ids = match read.scope {
            Scope::Ids(ids) => ids,
            Scope::Since(_) => {
                let keys = self
                    .live
                    .keys()
                    .filter(|(sobject, _)| *sobject == read.describe.name);
                made = keys
                    .map(|(_, id)| *id)
                    .filter(|id| id.to_string().starts_with("NEW"))
                    .collect();
                &made
            }
            _ => return Err(Error::invalid("not asked")),
        };
        assert!(ids.len() <= 2000 || matches!(read.scope, Scope::Since(_)));
        let dead = |id: &RecordId| self.bin.get(id).map(|(_, v)| (v, true));
        for (id, (values, deleted)) in ids.iter().filter_map(|id| {
            let live = self
                .live
                .get(&(read.describe.name.clone(), *id))
                .map(|v| (v, false));
            Some((id, live.or_else(|| dead(id))?))
        }) {
            let mut row: Values = values.clone();
            row.retain(|name, _| read.fields.contains(&name.as_str()));
            let rest = fields::text(&row)?
                .trim_start_matches('{')
                .replace("\"Id\":", "\"Id\": ");
            assert!(rest.contains(&id.to_string()));
            each(format!(r#"{{"attributes":{{"type":"x"}},"IsDeleted":{deleted},{rest}"#).as_bytes())?;
        }
        Ok(())
    }
    fn count(&mut self, _: &str) -> Result<u64> {
        Ok(0)
    }
    fn ids(&mut self, _: &str, _: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        Ok(())
    }
    fn calls(&self) -> u64 {
        self.writes
    }
}

impl Target for Org {
    fn undelete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        assert!(ids.len() <= 200);
        self.writes += 1;
        self.undeletes += 1;
        let mut answers = Vec::new();
        for id in ids {
            let Some((sobject, values)) = self.bin.remove(id) else {
                let message = "Entity is not in the recycle bin".into();
                answers.push(Outcome::Refused(Refusal {
                    code: "UNDELETE_FAILED".into(),
                    message,
                    fields: vec![],
                }));
                continue;
            };
            self.live.insert((sobject, *id), values);
            for child in self.cascade.remove(id).unwrap_or_default() {
                let (sobject, values) = self.bin.remove(&child).unwrap();
                self.live.insert((sobject, child), values);
            }
            answers.push(Outcome::Done(*id));
        }
        Ok(answers)
    }
    fn delete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        assert!(ids.len() <= 200);
        self.writes += 1;
        let mut answers = Vec::new();
        for id in ids {
            let key = self.live.keys().find(|(_, live)| live == id).cloned().unwrap();
            let held = |row: &Values| {
                row.iter()
                    .any(|(n, v)| !["Id", "Name"].contains(&n.as_str()) && fields::id_of(v) == Some(*id))
            };
            let holders: Vec<&Key> = self
                .live
                .iter()
                .filter(|(_, row)| held(row))
                .map(|(key, _)| key)
                .collect();
            assert_eq!(holders, Vec::<&Key>::new(), "deleted before its children");
            let values = self.live.remove(&key).unwrap();
            self.bin.insert(*id, (key.0, values));
            answers.push(Outcome::Done(*id));
        }
        Ok(answers)
    }
    fn create(&mut self, sobject: &str, rows: &[String]) -> Result<Vec<Outcome>> {
        assert!(rows.len() <= 200);
        if self.fail_creates {
            return Err(Error::invalid("no network"));
        }
        self.writes += 1;
        let mut answers = Vec::new();
        for row in rows {
            let mut values = fields::values(row)?;
            if let Err(refusal) = self.check(sobject, &values, true) {
                answers.push(Outcome::Refused(refusal));
                continue;
            }
            if self.room.is_some_and(|room| self.made >= room) {
                answers.push(Outcome::Refused(Refusal {
                    code: "STORAGE_LIMIT_EXCEEDED".into(),
                    message: "storage limit exceeded".into(),
                    fields: vec![],
                }));
                continue;
            }
            self.made += 1;
            let new = id(&format!("NEW{:06}", self.made));
            values.insert("Id".into(), fields::id_value(new)?);
            if self.shout {
                values.insert("Amount__c".into(), serde_json::value::to_raw_value(&7).unwrap());
            }
            self.live.insert((sobject.into(), new), values);
            answers.push(if self.lose_replies {
                Outcome::Unknown("lost".into())
            } else {
                Outcome::Done(new)
            });
        }
        Ok(answers)
    }
    fn update(&mut self, sobject: &str, rows: &[(RecordId, String)]) -> Result<Vec<Outcome>> {
        assert!(rows.len() <= 200);
        self.writes += 1;
        let mut answers = Vec::new();
        for (id, row) in rows {
            let values = fields::values(row)?;
            answers.push(match self.check(sobject, &values, false) {
                Err(refusal) => Outcome::Refused(refusal),
                Ok(()) => {
                    let live = self.live.get_mut(&(sobject.to_owned(), *id)).unwrap();
                    live.extend(values);
                    live.retain(|_, v| !fields::is_null(v));
                    Outcome::Done(*id)
                }
            });
        }
        Ok(answers)
    }
}
