//! What the org holds after a restore, against what the plan set.
//!
//! Key decision: the judge is a snapshot taken afterwards, read and made canonical like any other, never what the restore
//! says of itself. It forgives only what the org is documented to do to texts: blanks at both ends and kinds of line
//! ends (SOAP API guide, "Field Types", string). It asks no org and mends nothing.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::describe::{Describe, FieldKind};
use crate::format::record::decimal;
use crate::ops::bodies::{Body, Facts};
use crate::ops::lookup::Lookup;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::Final;
use crate::ops::restore::moved::{Moved, Outcomes};
use crate::ops::restore::plan::{Action, FileBody, Operation, Plan};
use crate::ops::state::{Record, State};
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// A field that does not hold what the plan set; values are JSON, null for none, and cut where they are long. A record
/// that is not there, or still there, shows in its `Id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// What the plan set.
    pub wanted: String,
    /// What the org holds.
    pub found: String,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The snapshot that was compared with.
    pub snapshot: String,
    /// Records that were compared.
    pub records: u64,
    /// Fields that were compared.
    pub fields: u64,
    /// Bodies of files that were compared, by length and MD5.
    pub bodies: u64,
    /// sObjects whose records could not be compared, and why.
    pub unseen: BTreeMap<String, String>,
    /// By number of the operation, what differs; one without differences does not stand here.
    pub differing: BTreeMap<u32, Vec<Difference>>,
}

/// Compares what `plan` set, where it succeeded, with the org as `snapshot` has it.
///
/// # Errors
/// What reading the vault gives.
pub fn verify(vault: &Vault, snapshot: &SnapshotInfo, plan: &Plan, outcomes: &Outcomes) -> Result<Verified> {
    let then = vault.find_snapshot(snapshot_org(plan, snapshot), &plan.header.at);
    let then = then.ok().map(|then| State::at(vault, &then));
    verify_by(&State::at(vault, snapshot), then.as_ref(), plan, outcomes)
}

/// The same with the org as `state` has it, which may be of another vault than the state `then` that was brought back;
/// without that one, files are not compared.
///
/// # Errors
/// What reading the vaults gives.
pub fn verify_by(
    state: &State<'_>,
    then: Option<&State<'_>>,
    plan: &Plan,
    outcomes: &Outcomes,
) -> Result<Verified> {
    let mut looked: BTreeMap<String, Option<String>> = BTreeMap::new();
    for captured in state.manifest()?.sobjects {
        looked.insert(captured.name, captured.skipped);
    }
    let mut judge = Judge {
        then,
        state,
        moved: Moved::of(plan, outcomes),
        later: later(plan, outcomes)?,
        verdict: Verified {
            snapshot: state.snapshot().name.to_string(),
            ..Verified::default()
        },
    };
    let mut groups: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for op in &plan.operations {
        if outcomes.done(op.number) {
            groups.entry(&op.sobject).or_default().push(op);
        }
    }
    for (sobject, mut group) in groups {
        let why = match looked.get(sobject) {
            None => Some("the snapshot did not read it".to_owned()),
            Some(why) => why.clone(),
        };
        if let Some(why) = why {
            judge.verdict.unseen.insert(sobject.to_owned(), why);
            continue;
        }
        // In order of Ids neighbours stand on one page.
        group.sort_by_key(|op| judge.moved.now(op.id));
        let describe = state.describe(sobject).ok();
        let mut lookup = Lookup::new(state, sobject);
        for op in group {
            state.view.vault.go_on()?;
            let found = lookup.get(judge.moved.now(op.id))?;
            judge.one(op, found.as_ref(), outcomes, describe.as_ref())?;
        }
    }
    Ok(judge.verdict)
}

/// The org that the plan's own snapshots are of.
fn snapshot_org(plan: &Plan, snapshot: &SnapshotInfo) -> RecordId {
    plan.header.org.parse().unwrap_or(snapshot.org)
}

/// Fields that a later operation of the plan set once more: it is the later value that counts.
fn later(plan: &Plan, outcomes: &Outcomes) -> Result<HashSet<(u32, String)>> {
    let back = plan.operations.iter().filter(|op| op.action.brings_back());
    let back: BTreeMap<RecordId, &Operation> = back.map(|op| (op.id, op)).collect();
    let mut later = HashSet::new();
    for op in plan.operations.iter().filter(|op| op.action == Action::Edit) {
        if let Some(first) = back.get(&op.id)
            && outcomes.done(op.number)
        {
            later.extend(op.fields.open()?.into_keys().map(|name| (first.number, name)));
        }
    }
    Ok(later)
}

struct Judge<'a> {
    state: &'a State<'a>,
    then: Option<&'a State<'a>>,
    moved: Moved,
    later: HashSet<(u32, String)>,
    verdict: Verified,
}

impl Judge<'_> {
    fn one(
        &mut self,
        op: &Operation,
        found: Option<&Record>,
        outcomes: &Outcomes,
        describe: Option<&Describe>,
    ) -> Result<()> {
        let id = self.moved.now(op.id);
        self.verdict.records += 1;
        let mut differences = Vec::new();
        match (found, op.action) {
            (None, Action::Delete) => {}
            (Some(_), Action::Delete) => differences.push(difference("Id", "null", &quoted(id))),
            (None, _) => differences.push(difference("Id", &quoted(id), "null")),
            (Some(record), _) => {
                let now = fields::values(&record.json)?;
                let left = outcomes.left.get(&op.number).map_or(&[][..], |(names, _)| names);
                self.compare(op, left, describe, &now, &mut differences)?;
                let made = matches!(outcomes.ends.get(&op.number), Some(Final::Created(_)));
                if let Some(body) = op.body.as_ref().filter(|_| made) {
                    self.body(op, body, id, &record.json, &mut differences)?;
                }
            }
        }
        if !differences.is_empty() {
            self.verdict.differing.insert(op.number, differences);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        op: &Operation,
        left: &[String],
        describe: Option<&Describe>,
        now: &Values,
        differences: &mut Vec<Difference>,
    ) -> Result<()> {
        for (name, value) in &op.fields.open()? {
            if self.later.contains(&(op.number, name.clone())) || left.contains(name) {
                continue;
            }
            let field = describe.and_then(|d| d.field(name));
            let named = op.references.iter().any(|r| r.field == *name);
            let moved = if named || field.is_some_and(|f| f.is_reference()) {
                self.moved.value(value)?
            } else {
                None
            };
            let wanted = moved.as_ref().map_or(value.get(), |moved| moved.get());
            let found = now.get(name).map_or("null", |value| value.get());
            self.verdict.fields += 1;
            let kind = field.map(|f| f.kind);
            if wanted != found && canonical(kind, wanted) != canonical(kind, found) {
                differences.push(difference(name, wanted, found));
            }
        }
        Ok(())
    }

    /// Compares the body that was sent, the one of then, with that of the record that was made.
    fn body(
        &mut self,
        op: &Operation,
        body: &FileBody,
        id: RecordId,
        row: &str,
        differences: &mut Vec<Difference>,
    ) -> Result<()> {
        let name = format!("{}.{}", op.sobject, body.field);
        let then = match self.then {
            Some(then) => then.get(&name, op.id)?,
            None => None,
        };
        let Some(then) = then else { return Ok(()) };
        let sent = Body::parse(op.id, &then.json)?;
        self.verdict.bodies += 1;
        let wanted = told(Some(sent.length), Some(&sent.md5));
        if let Some(now) = self.state.get(&name, id)? {
            let now = Body::parse(id, &now.json)?;
            if (now.length, &now.md5) != (sent.length, &sent.md5) {
                differences.push(difference(
                    &body.field,
                    &wanted,
                    &told(Some(now.length), Some(&now.md5)),
                ));
            }
            return Ok(());
        }
        // Its bytes were not fetched; the row says how many they are, and perhaps which.
        let facts = Facts::parse(id, row.as_bytes())?;
        let other = facts.length.is_some_and(|length| length != sent.length)
            || facts.md5.as_ref().is_some_and(|md5| *md5 != sent.md5);
        if other || (facts.length.is_none() && facts.md5.is_none()) {
            let found = told(facts.length, facts.md5.as_deref());
            differences.push(difference(&body.field, &wanted, &found));
        }
        Ok(())
    }
}

/// Characters of a value that are told.
const TOLD: usize = 400;

fn difference(field: &str, wanted: &str, found: &str) -> Difference {
    let short = |value: &str| match value.char_indices().nth(TOLD) {
        Some((at, _)) => format!("{}… ({} characters)", &value[..at], value.chars().count()),
        None => value.to_owned(),
    };
    Difference {
        field: field.to_owned(),
        wanted: short(wanted),
        found: short(found),
    }
}

fn quoted(id: RecordId) -> String {
    format!("\"{id}\"")
}

/// A body for people.
fn told(length: Option<u64>, md5: Option<&str>) -> String {
    match (length, md5) {
        (Some(length), Some(md5)) => format!("\"{length} bytes, MD5 {md5}\""),
        (Some(length), None) => format!("\"{length} bytes\""),
        (None, Some(md5)) => format!("\"MD5 {md5}\""),
        (None, None) => "null".to_owned(),
    }
}

/// A value as it is compared; a person may have written it into the plan in another way than the org does.
fn canonical(kind: Option<FieldKind>, value: &str) -> String {
    match kind {
        Some(FieldKind::Number) => {
            let mut out = Vec::new();
            if decimal(value.as_bytes(), &mut out) {
                return String::from_utf8_lossy(&out).into_owned();
            }
        }
        Some(FieldKind::Id) => {
            let inside = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            if let Some(id) = inside.and_then(|v| RecordId::parse(v.as_bytes())) {
                return quoted(id);
            }
        }
        Some(FieldKind::DateTime) => {
            let inside = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            if let Some(stamp) = inside.and_then(|v| Stamp::parse(v.as_bytes())) {
                return stamp.to_string();
            }
        }
        _ => {
            if let Ok(text) = serde_json::from_str::<String>(value) {
                let text = text.replace("\r\n", "\n").replace('\r', "\n");
                // The org keeps no empty text: it is null.
                return match text.trim() {
                    "" => "null".to_owned(),
                    text => format!("\"{text}"),
                };
            }
        }
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_forgive_blanks_and_line_ends_alone() {
        let same =
            |a: &str, b: &str| canonical(Some(FieldKind::Text), a) == canonical(Some(FieldKind::Text), b);
        assert!(same(r#"" a\r\nb ""#, r#""a\nb""#));
        assert!(same(r#""  ""#, "null"));
        assert!(!same(r#""a b""#, r#""a  b""#));
        assert!(!same(r#""A""#, r#""a""#));
        assert!(!same(r#""null""#, "null"));
    }

    #[test]
    fn values_of_one_meaning_are_one() {
        let same = |kind, a: &str, b: &str| canonical(Some(kind), a) == canonical(Some(kind), b);
        assert!(same(FieldKind::Number, "4.0E2", "400"));
        assert!(!same(FieldKind::Number, "400", "401"));
        assert!(same(
            FieldKind::Id,
            r#""001000000000001""#,
            r#""001000000000001AAA""#
        ));
        let (a, b) = (
            r#""2026-01-01T00:00:00.000+0000""#,
            r#""2026-01-01T00:00:00.000Z""#,
        );
        assert!(same(FieldKind::DateTime, a, b));
    }
}
