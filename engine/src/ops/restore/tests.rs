//! Planning and applying against a small, strict org in memory.
//!
//! Key decision: the fake refuses what the API refuses (dead references, missing or unwritable fields), so that an
//! order that only looks right fails. It is not the simulator: no HTTP, no SOQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::apply::{Applied, NoBodies, apply, resume};
use super::fields::{self, Values};
use super::journal::{Final, Lines, NoJournal, replay};
use super::plan::{Action, Header, Mode, Plan};
use super::planner;
use super::undo::undo;
use super::view::{Change, View};
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;
use crate::format::page::VersionKind;
use crate::ops::org::*;

type Key = (String, RecordId);

fn id(text: &str) -> RecordId {
    format!("{text:0<15}").parse().unwrap()
}

fn describe(sobject: &str) -> String {
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

const SOBJECTS: [&str; 6] = ["Account", "Contact", "Detail__c", "Ring__c", "User", "Stray__c"];

#[derive(Default, Clone)]
struct State {
    live: BTreeMap<Key, Values>,
    gone: BTreeMap<Key, VersionKind>,
}

impl State {
    fn with(mut self, sobject: &str, name: &str, json: &str) -> Self {
        let mut values = fields::values(json).unwrap();
        values.insert("Id".into(), fields::id_value(id(name)).unwrap());
        values
            .entry("Name".into())
            .or_insert_with(|| fields::id_value(id(name)).unwrap());
        self.live.insert((sobject.into(), id(name)), values);
        self
    }

    fn without(mut self, sobject: &str, name: &str, kind: VersionKind) -> Self {
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
struct Org {
    live: BTreeMap<Key, Values>,
    bin: BTreeMap<RecordId, (String, Values)>,
    /// Brought back along with the key.
    cascade: BTreeMap<RecordId, Vec<RecordId>>,
    refuse_name: Option<String>,
    lose_replies: bool,
    /// How many rows there is room for.
    room: Option<usize>,
    /// Rows are changed as they are created, as a trigger would.
    shout: bool,
    now: i64,
    fail_creates: bool,
    made: usize,
    writes: u64,
}

impl Org {
    fn of(state: &State) -> Self {
        Org {
            live: state.live.clone(),
            ..Org::default()
        }
    }

    /// What stands in the bin, with the values that it had.
    fn binned(mut self, sobject: &str, name: &str, from: &State) -> Self {
        self.bin.insert(
            id(name),
            (sobject.into(), from.live[&(sobject.into(), id(name))].clone()),
        );
        self
    }

    fn check(&self, sobject: &str, row: &Values, create: bool) -> std::result::Result<(), Refusal> {
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

    fn value(&self, sobject: &str, id: RecordId, field: &str) -> String {
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

fn plan_in(mode: Mode, then: &State, now: &State) -> Plan {
    let text = |s: &str| s.to_owned();
    let header = Header {
        org: text("00D000000000001EAA"),
        at: text("a"),
        at_time: text("2024-01-01T00:00:00.000Z"),
        now: text("b"),
        mode,
        created: text("2024-01-02T00:00:00.000Z"),
        ..Header::default()
    };
    let keys: BTreeSet<&Key> = then.live.keys().chain(now.live.keys()).collect();
    let changes = keys.into_iter().map(|key| {
        let (in_then, in_now) = (then.live.contains_key(key), now.live.contains_key(key));
        Ok(Change {
            sobject: key.0.clone(),
            id: key.1,
            in_then,
            in_now,
        })
    });
    let plan = planner::plan(header, then, now, changes).unwrap();
    let again = Plan::read(&written(&plan)[..]).unwrap();
    assert_eq!(written(&plan), written(&again));
    plan
}

fn plan(then: &State, now: &State) -> Plan {
    plan_in(Mode::All, then, now)
}

fn written(plan: &Plan) -> Vec<u8> {
    let mut text = Vec::new();
    plan.write(&mut text).unwrap();
    text
}

fn run(plan: &Plan, org: &mut Org) -> Applied {
    let mut last = (0, 0);
    let applied = apply(plan, org, &mut NoJournal, &mut |done, total| last = (done, total)).unwrap();
    assert_eq!(applied.outcomes.len(), plan.operations.len());
    assert_eq!(last, (plan.operations.len(), plan.operations.len()));
    applied
}

fn ends(applied: &Applied) -> Vec<&Final> {
    applied.outcomes.iter().map(|(_, _, _, end)| end).collect()
}

fn refers(field: &str, to: &str) -> String {
    format!(r#"{{"{field}":"{}"}}"#, id(to))
}

#[test]
fn a_chain_is_created_from_the_root_and_repointed() {
    let then = State::default()
        .with("Account", "001a", &refers("ParentId", "001b"))
        .with("Account", "001b", &refers("ParentId", "001c"))
        .with(
            "Account",
            "001c",
            r#"{"Amount__c":12345678901234567.89,"Sum__c":3,"Number__c":"7","Secret__c":{"$masked":"**1"}}"#,
        )
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Detail__c", "a01a", &refers("Account__c", "001b"));
    let plan = plan(&then, &State::default());
    let mut org = Org::default();
    let applied = run(&plan, &mut org);
    assert_eq!(applied.counts(), [("created", 5)].into());
    let new = |name: &str| applied.id_map[&id(name)];
    assert_eq!(
        org.value("Account", new("001a"), "ParentId"),
        format!("\"{}\"", new("001b"))
    );
    assert_eq!(
        org.value("Detail__c", new("a01a"), "Account__c"),
        format!("\"{}\"", new("001b"))
    );
    assert_eq!(
        org.value("Account", new("001c"), "Amount__c"),
        "12345678901234567.89"
    );
    assert!(
        !org.live[&("Account".into(), new("001c"))]
            .keys()
            .any(|n| ["Sum__c", "Number__c", "Secret__c"].contains(&n.as_str()))
    );
}

#[test]
fn a_ring_is_cut_at_one_reference_and_closed_later() {
    let then = State::default()
        .with("Account", "001a", &refers("Main__c", "003a"))
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Account", "001b", &refers("ParentId", "001b"));
    let plan = plan(&then, &State::default());
    let late = plan.operations.iter().filter(|op| op.action == Action::Edit);
    assert_eq!(
        (late.count(), plan.counts()[&("Account", Action::Create)]),
        (2, 2)
    );
    let mut org = Org::default();
    let applied = run(&plan, &mut org);
    let new = |name: &str| applied.id_map[&id(name)];
    assert_eq!(
        org.value("Account", new("001a"), "Main__c"),
        format!("\"{}\"", new("003a"))
    );
    assert_eq!(
        org.value("Contact", new("003a"), "AccountId"),
        format!("\"{}\"", new("001a"))
    );
    assert_eq!(
        org.value("Account", new("001b"), "ParentId"),
        format!("\"{}\"", new("001b"))
    );
}

#[test]
fn a_ring_of_required_references_is_impossible_and_so_is_what_needs_it() {
    let then = State::default()
        .with("Ring__c", "a02a", &refers("Next__c", "a02b"))
        .with("Ring__c", "a02b", &refers("Next__c", "a02a"))
        .with("Ring__c", "a02c", &refers("Next__c", "a02a"))
        .with("User", "005a", "{}")
        .with("Stray__c", "a03a", "{}");
    let now = ["a02a", "a02b", "a02c"].iter().fold(State::default(), |s, n| {
        s.without("Ring__c", n, VersionKind::Purged)
    });
    let plan = plan(&then, &now);
    assert!(plan.operations.is_empty());
    assert_eq!(plan.impossible.len(), 5, "{:?}", plan.impossible);
}

#[test]
fn edits_set_only_what_differs_nulls_included_and_newer_records_stay() {
    let then = State::default().with("Account", "001a", r#"{"Name":"A"}"#).with(
        "Account",
        "001b",
        r#"{"Sum__c":1}"#,
    );
    let now = State::default()
        .with("Account", "001a", r#"{"Name":"B","Amount__c":5}"#)
        .with("Account", "001b", r#"{"Sum__c":2}"#)
        .with("Account", "001n", "{}");
    let plan = plan(&then, &now);
    assert_eq!(plan.operations.len(), 1);
    assert_eq!(
        fields::text(&plan.operations[0].fields.open().unwrap()).unwrap(),
        r#"{"Amount__c":null,"Name":"A"}"#
    );
    assert_eq!(plan.newer.len(), 1);
    let mut org = Org::of(&now);
    assert_eq!(ends(&run(&plan, &mut org)), [&Final::Edited]);
    assert_eq!(org.live[&("Account".into(), id("001a"))].len(), 2);
    assert_eq!(ends(&run(&plan, &mut org)), [&Final::Unchanged]);
}

#[test]
fn what_changed_since_the_plan_is_a_conflict() {
    let (then, now) = (
        State::default().with("Account", "001a", r#"{"Name":"A"}"#),
        State::default().with("Account", "001a", r#"{"Name":"B"}"#),
    );
    let plan = plan(&then, &now);
    let mut org = Org::of(&State::default().with("Account", "001a", r#"{"Name":"C"}"#));
    assert!(matches!(ends(&run(&plan, &mut org))[..], [Final::Conflict(_)]));
    assert_eq!(org.value("Account", id("001a"), "Name"), r#""C""#);
    assert!(matches!(
        ends(&run(&plan, &mut Org::default()))[..],
        [Final::Conflict(_)]
    ));
}

#[test]
fn undelete_keeps_the_id_and_edits_what_differs() {
    let then = State::default().with("Account", "001a", r#"{"Name":"A"}"#).with(
        "Contact",
        "003a",
        &refers("AccountId", "001a"),
    );
    let at_deletion = then
        .clone()
        .with("Account", "001a", r#"{"Name":"B","Amount__c":1.50}"#);
    let now = State::default()
        .without("Account", "001a", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Deleted);
    let plan = plan(&then, &now);
    let mut org = Org::default()
        .binned("Account", "001a", &at_deletion)
        .binned("Contact", "003a", &then);
    org.cascade.insert(id("001a"), vec![id("003a")]);
    assert_eq!(run(&plan, &mut org).counts(), [("undeleted", 2)].into());
    assert_eq!(org.value("Account", id("001a"), "Name"), r#""A""#);
    assert_eq!(org.value("Account", id("001a"), "Amount__c"), "null");
    assert_eq!(org.writes, 2);
}

#[test]
fn an_undelete_out_of_the_bin_falls_to_create_and_its_children_follow() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"A"}"#)
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Detail__c", "a01a", &refers("Account__c", "001a"))
        .with("Account", "001z", &refers("ParentId", "001a"));
    let now = State::default()
        .without("Account", "001a", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Deleted)
        .without("Detail__c", "a01a", VersionKind::Purged)
        .with("Account", "001z", "{}");
    let plan = plan(&then, &now);
    let mut org = Org {
        live: now.live,
        ..Org::default()
    }
    .binned("Contact", "003a", &then);
    let applied = run(&plan, &mut org);
    assert_eq!(
        applied.counts(),
        [("created", 2), ("edited", 1), ("undeleted", 1)].into()
    );
    let new = format!("\"{}\"", applied.id_map[&id("001a")]);
    assert_eq!(org.value("Contact", id("003a"), "AccountId"), new);
    assert_eq!(org.value("Account", id("001z"), "ParentId"), new);
    assert_eq!(
        org.value("Detail__c", applied.id_map[&id("a01a")], "Account__c"),
        new
    );
}

#[test]
fn what_needs_a_refused_parent_is_skipped() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"bad"}"#)
        .with("Detail__c", "a01a", &refers("Account__c", "001a"))
        .with("Account", "001b", "{}");
    let plan = plan(&then, &State::default());
    let mut org = Org {
        refuse_name: Some("bad".into()),
        ..Org::default()
    };
    assert_eq!(
        run(&plan, &mut org).counts(),
        [("created", 1), ("refused", 1), ("skipped", 1)].into()
    );
}

#[test]
fn references_to_what_stays_gone_are_left_out_where_they_may_be() {
    let then = State::default()
        .with("Contact", "003a", &refers("AccountId", "001x"))
        .with("Detail__c", "a01a", &refers("Account__c", "001x"));
    let now = State::default().without("Account", "001x", VersionKind::Purged);
    let plan = plan(&then, &now);
    assert_eq!((plan.operations.len(), plan.impossible.len()), (1, 1));
    assert_eq!(run(&plan, &mut Org::default()).counts(), [("created", 1)].into());
}

#[test]
fn modes_leave_the_rest() {
    let then = State::default()
        .with("Account", "001a", "{}")
        .with("Account", "001b", r#"{"Name":"A"}"#);
    let now = State::default().with("Account", "001b", r#"{"Name":"B"}"#);
    let only = |mode| {
        plan_in(mode, &then, &now)
            .operations
            .iter()
            .map(|op| op.action)
            .collect::<Vec<_>>()
    };
    assert_eq!(only(Mode::Existing), [Action::Edit]);
    assert_eq!(only(Mode::Deleted), [Action::Create]);
    assert_eq!(only(Mode::All), [Action::Create, Action::Edit]);
}

/// A plan of 450 creates, an org, and the journal of a first run.
fn lost(org: &mut Org) -> (Plan, Applied, String) {
    let mut then = State::default();
    for n in 0..450 {
        then = then.with("Account", &format!("001{n:06}"), r#"{"Amount__c":3}"#);
    }
    let plan = plan(&then, &State::default());
    let mut lines = Lines(Vec::new());
    let first = apply(&plan, org, &mut lines, &mut |_, _| ()).unwrap();
    (plan, first, String::from_utf8(lines.0).unwrap())
}

fn again(plan: &Plan, org: &mut Org, journal: &str) -> Applied {
    let past = replay(journal.lines()).unwrap();
    resume(plan, org, &mut NoJournal, past, &mut NoBodies, &mut |_, _| ()).unwrap()
}

#[test]
fn a_lost_create_is_found_by_what_was_sent() {
    let mut org = Org {
        lose_replies: true,
        ..Org::default()
    };
    let (plan, first, journal) = lost(&mut org);
    assert_eq!((first.counts(), org.made), ([("created", 450)].into(), 450));
    assert_eq!(first.id_map.values().collect::<BTreeSet<_>>().len(), 450);
    // Killed before the answers of any batch were noted.
    let cut: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    let resumed = again(&plan, &mut org, &cut);
    assert_eq!(
        (resumed.counts(), org.made),
        ([("created", 450)].into(), 450 + 250)
    );
}

#[test]
fn a_lost_create_that_cannot_be_told_is_unknown_and_never_repeated() {
    let mut org = Org {
        lose_replies: true,
        shout: true,
        ..Org::default()
    };
    let (plan, first, journal) = lost(&mut org);
    assert_eq!(first.counts(), [("unknown", 450)].into());
    org.now = 3_600_000;
    let resumed = again(&plan, &mut org, &journal);
    assert_eq!((resumed.counts(), org.made), ([("unknown", 450)].into(), 450));
}

#[test]
fn a_lost_create_of_which_there_is_no_trace_is_repeated_once_it_cannot_come_any_more() {
    let mut org = Org {
        lose_replies: true,
        ..Org::default()
    };
    let (plan, _, journal) = lost(&mut org);
    let cut: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    let intent = replay(cut.lines()).unwrap().open;
    assert_eq!(intent.len(), 200);
    let mut org = Org::default();
    assert_eq!(
        again(&plan, &mut org, &cut).counts(),
        [("created", 250), ("unknown", 200)].into()
    );
    let mut org = Org {
        now: 600_000 + intent.values().map(|at| at.millis()).max().unwrap(),
        ..Org::default()
    };
    assert_eq!(again(&plan, &mut org, &cut).counts(), [("created", 450)].into());
    assert_eq!(org.made, 450);
}

#[test]
fn a_full_storage_ends_the_run_which_goes_on_once_there_is_room() {
    let mut then = State::default();
    for n in 0..450 {
        then = then.with("Account", &format!("001{n:06}"), "{}");
    }
    let plan = plan(&then, &State::default());
    let mut org = Org {
        room: Some(100),
        ..Org::default()
    };
    let mut lines = Lines(Vec::new());
    let full = apply(&plan, &mut org, &mut lines, &mut |_, _| ()).unwrap_err();
    assert_eq!(
        (full.kind(), org.writes, org.made),
        (Kind::Quota, 1, 100),
        "{full}"
    );
    let journal = String::from_utf8(lines.0).unwrap();
    assert!(replay(journal.lines()).unwrap().open.is_empty());
    org.room = None;
    assert_eq!(
        again(&plan, &mut org, &journal).counts(),
        [("created", 450)].into()
    );
    assert_eq!(org.made, 450);
}

#[test]
fn a_call_that_never_left_can_be_made_again() {
    let then = State::default().with("Account", "001a", "{}");
    let (plan, mut lines) = (plan(&then, &State::default()), Lines(Vec::new()));
    let mut org = Org {
        fail_creates: true,
        ..Org::default()
    };
    assert!(apply(&plan, &mut org, &mut lines, &mut |_, _| ()).is_err());
    org.fail_creates = false;
    let text = String::from_utf8(lines.0).unwrap();
    let applied = resume(
        &plan,
        &mut org,
        &mut NoJournal,
        replay(text.lines()).unwrap(),
        &mut NoBodies,
        &mut |_, _| (),
    )
    .unwrap();
    assert_eq!(applied.counts(), [("created", 1)].into());
    assert!(replay(["{}"]).is_err());
}

#[test]
fn what_a_restore_did_can_be_undone_and_done_again() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"old"}"#)
        .with("Account", "001b", "{}")
        .with("Account", "001c", &refers("ParentId", "001b"))
        .with("Contact", "003a", &refers("AccountId", "001c"))
        .with("Contact", "003b", &refers("AccountId", "001b"));
    let now = State::default()
        .with("Account", "001a", r#"{"Name":"new","Amount__c":5}"#)
        .with("Contact", "003b", "{}")
        .without("Account", "001b", VersionKind::Purged)
        .without("Account", "001c", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Purged);
    let mut org = Org::of(&now).binned("Account", "001c", &then);
    // The delete had emptied it.
    org.bin.get_mut(&id("001c")).unwrap().1.remove("ParentId");
    let (before, forth) = (org.live.clone(), plan(&then, &now));
    let mut lines = Lines(Vec::new());
    let applied = apply(&forth, &mut org, &mut lines, &mut |_, _| ()).unwrap();
    assert_eq!(
        applied.counts(),
        [("created", 2), ("edited", 2), ("undeleted", 1)].into()
    );
    let restored = org.live.clone();
    let past = replay(std::str::from_utf8(&lines.0).unwrap().lines()).unwrap();
    let back = undo(&forth, &past, Stamp::from_millis(9)).unwrap();
    let back = Plan::read(&written(&back)[..]).unwrap();
    let mut lines = Lines(Vec::new());
    let undone = apply(&back, &mut org, &mut lines, &mut |_, _| ()).unwrap();
    assert_eq!(
        undone.counts(),
        [("deleted", 3), ("edited", 2)].into(),
        "{undone:?}"
    );
    assert_eq!(format!("{:?}", org.live), format!("{before:?}"));
    assert_eq!(back.warnings.iter().map(|w| w.operations.len()).sum::<usize>(), 2);
    let past = replay(std::str::from_utf8(&lines.0).unwrap().lines()).unwrap();
    let forth = undo(&back, &past, Stamp::from_millis(10)).unwrap();
    let again = run(&Plan::read(&written(&forth)[..]).unwrap(), &mut org);
    assert_eq!(
        again.counts(),
        [("edited", 2), ("undeleted", 3)].into(),
        "{again:?}"
    );
    assert_eq!(format!("{:?}", org.live), format!("{restored:?}"));
    assert!(undo(&forth, &Default::default(), Stamp::NONE).is_err());
}

#[test]
fn a_plan_edited_into_nonsense_names_its_line() {
    let then =
        State::default()
            .with("Account", "001a", "{}")
            .with("Contact", "003a", &refers("AccountId", "001a"));
    let text = String::from_utf8(written(&plan(&then, &State::default()))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    let swapped = [lines[0], lines[2], lines[1]].join("\n");
    let renumbered = swapped
        .replace("\"number\":2", "\"number\":9")
        .replace("\"number\":1", "\"number\":2")
        .replace("\"number\":9", "\"number\":1");
    let cases = [
        (
            text.replace("\"number\":2", "\"number\":3"),
            "line 3: operation number 3, expected 2",
        ),
        (text.replace("\"reason\"", "\"raison\""), "line 2: column"),
        (
            text.replace("\"version\":2", "\"version\":3"),
            "line 1: plan version 3",
        ),
        (
            text.replace("\"level\":1", "\"level\":0"),
            "line 3: AccountId points at",
        ),
        (swapped, "line 2: operation number 2"),
        (
            renumbered.replace("\"level\":1", "\"level\":0"),
            "line 2: AccountId points at",
        ),
        (
            text.replace("\"to\":\"001a", "\"to\":\"001b"),
            "line 3: the reference AccountId names",
        ),
        (text.replace("\"id\":\"003a", "\"id\":\"!03a"), "line 3: column"),
        (
            text.replace("\"action\":\"create\"", "\"action\":\"delete\""),
            "line 2: a delete of",
        ),
        (
            text.replace("\"action\":\"create\"", "\"action\":\"destroy\""),
            "line 2: column",
        ),
        (
            text.replace("\"Name\":", "\"Id\":"),
            "line 2: the field `Id` cannot be set",
        ),
        (text.replace("\"Name\":\"", "\"Name\":[\""), "line 2: column"),
        (format!("{text}{}", lines[0]), "line 4: a second header"),
        (
            format!("{text}{}", lines[2].replace("\"number\":2", "\"number\":3")),
            "line 4: a second create",
        ),
        (lines[1].to_owned(), "line 1: a plan begins with its header"),
        (String::new(), "an empty file"),
        (text[..text.len() - 9].to_owned(), "line 3: column"),
    ];
    for (bad, message) in cases {
        let error = Plan::read(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{message}: {error}");
    }
}
