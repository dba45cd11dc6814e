//! The judge of the demo: whether the org, read afresh, is as the first snapshot has it.
//!
//! Key decision: every record of the first state must be there with every value that users could have set, under
//! its Id or the one that the restore gave it, linked to the same records; every other record must be one that the
//! plan listed as newer. System fields and those that the org derives are not compared, since nobody can set them.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::base::id::RecordId;
use halite_engine::format::blob::holds_bodies;
use halite_engine::format::describe::Field;
use halite_engine::ops::state::State;
use halite_engine::{Error, Result};
use serde_json::value::RawValue;

/// What the org itself keeps, whatever the describe says of it.
const SYSTEM: [&str; 12] = [
    "Id",
    "IsDeleted",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "LastActivityDate",
    "LastViewedDate",
    "LastReferencedDate",
    "MasterRecordId",
    "PhotoUrl",
];

/// What the comparison found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Records of the first state.
    pub compared: u64,
    /// Records that are newer and still there.
    pub newer_kept: u64,
    /// One line each: missing, differing, wrongly linked, or there without reason.
    pub differences: Vec<String>,
}

type Values = BTreeMap<String, Box<RawValue>>;

/// Compares the first state with the newest; `moved` maps old Ids to new ones.
pub fn compare(
    then: &State<'_>,
    now: &State<'_>,
    moved: &BTreeMap<RecordId, RecordId>,
    newer: &BTreeMap<RecordId, String>,
) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let mut names: BTreeSet<String> = then.sobjects()?.into_iter().collect();
    names.extend(now.sobjects()?);
    // What a restore makes anew has its body under another Id.
    names.retain(|name| !holds_bodies(name));
    for name in names {
        let mut expected = BTreeSet::new();
        let described = then.describe(&name)?;
        let fields: Vec<&Field> = described.fields.iter().filter(|f| compared(f)).collect();
        then.each(&name, &mut |record| {
            let id = moved.get(&record.id).copied().unwrap_or(record.id);
            expected.insert(id);
            verdict.compared += 1;
            match now.get(&name, id)? {
                None => verdict.differences.push(format!("{name} {id}: missing")),
                Some(found) => {
                    let (a, b) = (values(&record.json)?, values(&found.json)?);
                    verdict
                        .differences
                        .extend(unlike(&fields, &a, &b, moved).map(|what| format!("{name} {id}: {what}")));
                }
            }
            Ok(())
        })?;
        now.each(&name, &mut |record| {
            if expected.contains(&record.id) {
                return Ok(());
            }
            if newer.contains_key(&record.id) {
                verdict.newer_kept += 1;
            } else {
                verdict.differences.push(format!(
                    "{name} {}: it was not there, and the plan does not list it",
                    record.id
                ));
            }
            Ok(())
        })?;
    }
    Ok(verdict)
}

/// Whether somebody can set the field.
fn compared(field: &Field) -> bool {
    !SYSTEM.contains(&field.name.as_str())
        && !field.calculated
        && !field.auto_number
        && (field.createable || field.updateable)
}

fn values(json: &str) -> Result<Values> {
    serde_json::from_str(json).map_err(|e| Error::corrupt("a stored record", e))
}

/// The first field in which two records differ, their links mapped.
fn unlike(fields: &[&Field], a: &Values, b: &Values, moved: &BTreeMap<RecordId, RecordId>) -> Option<String> {
    fields.iter().find_map(|field| {
        let text = |values: &Values| {
            values
                .get(&field.name)
                .map_or_else(|| "null".to_owned(), |v| v.get().to_owned())
        };
        let wanted = text(a);
        let wanted = if field.is_reference() {
            mapped(&wanted, moved)
        } else {
            wanted
        };
        let found = text(b);
        let what = if field.is_reference() {
            "wrongly linked"
        } else {
            "differs"
        };
        (wanted != found).then(|| format!("{} {what}: {wanted} then, {found} now", field.name))
    })
}

/// A value in which the Id of a record that came back under another is replaced; every other text as it is.
fn mapped(text: &str, moved: &BTreeMap<RecordId, RecordId>) -> String {
    let id = text
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .and_then(|t| RecordId::parse(t.as_bytes()));
    match id.and_then(|id| moved.get(&id)) {
        Some(new) => format!("\"{new}\""),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_follow_their_records() {
        let (a, b): (RecordId, RecordId) = (
            "0012300000bVTq1".parse().unwrap(),
            "0012300000bVTq2".parse().unwrap(),
        );
        let moved = BTreeMap::from([(a, b)]);
        assert_eq!(mapped(&format!("\"{a}\""), &moved), format!("\"{b}\""));
        assert_eq!(mapped(&format!("\"{b}\""), &moved), format!("\"{b}\""));
        assert_eq!(mapped("12.50", &moved), "12.50");
    }
}
