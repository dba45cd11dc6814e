//! Reading a vault and comparing it with what is true: states, differences, histories, counts.
//!
//! Key decision: every answer is compared whole; a wrong one is told apart from an error, since an error may be somebody's
//! fault, and a wrong answer never is. It decides nothing about which errors may come: the actors do.

use std::collections::BTreeMap;

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::ops::diff::{ChangeKind, diff, touched};
use halite_engine::ops::history::history;
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Kind, Result};

use crate::model::{Row, Rows, SOBJECT, canonical};

/// `Some` says what is wrong.
pub type Verdict = Result<Option<String>>;

fn name(snapshot: &SnapshotInfo) -> String {
    format!("snapshot {} of org {}", snapshot.number, snapshot.org)
}

/// The whole state, record by record.
pub fn state(vault: &Vault, snapshot: &SnapshotInfo, rows: &Rows) -> Verdict {
    let state = State::at(vault, snapshot);
    let (mut expected, mut wrong) = (rows.iter(), None);
    state.each(SOBJECT, &mut |record| {
        let next = expected.next();
        if wrong.is_none() && next.is_none_or(|(id, row)| record.json != canonical(*id, row)) {
            let next = next.map(|(id, row)| canonical(*id, row));
            wrong = Some(format!(
                "{}: {} instead of {}",
                name(snapshot),
                record.json,
                next.as_deref().unwrap_or("the end")
            ));
        }
        Ok(())
    })?;
    if let Some((id, _)) = expected.next() {
        wrong.get_or_insert(format!("{}: record {id} is not given", name(snapshot)));
    }
    Ok(wrong)
}

/// One record.
pub fn record(vault: &Vault, snapshot: &SnapshotInfo, id: RecordId, rows: &Rows) -> Verdict {
    let found = State::at(vault, snapshot)
        .get(SOBJECT, id)?
        .map(|record| record.json);
    let wanted = rows.get(&id).map(|row| canonical(id, row));
    Ok((found != wanted).then(|| format!("{}: {found:?} instead of {wanted:?}", name(snapshot))))
}

/// What the manifest says against what changed from `old` to `new`.
pub fn counts(vault: &Vault, snapshot: &SnapshotInfo, old: &Rows, new: &Rows) -> Verdict {
    let manifest = State::at(vault, snapshot).manifest()?;
    let changes = differences(old, new);
    let of = |kind| changes.values().filter(|(k, _)| *k == kind).count() as u64;
    let wanted = [
        new.len() as u64,
        of(ChangeKind::Created),
        of(ChangeKind::Edited),
        of(ChangeKind::Deleted),
    ];
    let found = manifest.sobjects.iter().find(|s| s.name == SOBJECT);
    let found = found.map(|c| [c.live, c.created, c.edited, c.deleted]);
    let told = || {
        format!(
            "{}: live, created, edited, deleted {found:?} instead of {wanted:?}",
            name(snapshot)
        )
    };
    Ok((found != Some(wanted) || manifest.name != snapshot.name).then(told))
}

type Changes = BTreeMap<RecordId, (ChangeKind, Vec<String>)>;

/// The model's own difference; stamps and what is computed make none.
fn differences(old: &Rows, new: &Rows) -> Changes {
    let mut all = Changes::new();
    for (id, row) in new {
        let fields = |was: &Row| {
            let name = (was.name != row.name).then(|| "Name".to_owned());
            let size = (was.size != row.size).then(|| "Size__c".to_owned());
            name.into_iter().chain(size).collect::<Vec<_>>()
        };
        match old.get(id).map(fields) {
            None => drop(all.insert(*id, (ChangeKind::Created, Vec::new()))),
            Some(fields) if !fields.is_empty() => drop(all.insert(*id, (ChangeKind::Edited, fields))),
            Some(_) => {}
        }
    }
    for id in old.keys().filter(|id| !new.contains_key(id)) {
        all.insert(*id, (ChangeKind::Deleted, Vec::new()));
    }
    all
}

/// The difference between two snapshots, with and without the records.
pub fn difference(
    vault: &Vault,
    (a, old): (&SnapshotInfo, &Rows),
    (b, new): (&SnapshotInfo, &Rows),
) -> Verdict {
    let (wanted, mut found, mut wrong) = (differences(old, new), Changes::new(), None);
    diff(vault, a, b, None, &mut |change| {
        let json = |record: Option<halite_engine::ops::state::Record>| record.map(|r| r.json);
        let row = |rows: &Rows| rows.get(&change.id).map(|row| canonical(change.id, row));
        if (json(change.before), json(change.after)) != (row(old), row(new)) {
            wrong = Some(format!("record {} is another one", change.id));
        }
        found.insert(change.id, (change.kind, change.fields));
        Ok(())
    })?;
    let mut kinds = BTreeMap::new();
    touched(vault, a, b, None, &mut |t| {
        kinds.insert(t.id, t.kind);
        Ok(())
    })?;
    let told = |what: String| format!("from {} to {}: {what}", name(a), name(b));
    let plain: BTreeMap<_, _> = wanted.iter().map(|(id, (kind, _))| (*id, *kind)).collect();
    if kinds != plain {
        let first = plain.iter().find(|(id, kind)| kinds.get(id) != Some(kind));
        wrong = Some(format!(
            "{} touched instead of {}, {first:?}",
            kinds.len(),
            plain.len()
        ));
    }
    if found != wanted {
        let first = wanted.iter().find(|(id, change)| found.get(id) != Some(change));
        wrong = Some(format!(
            "{} changes instead of {}, {first:?}",
            found.len(),
            wanted.len()
        ));
    }
    Ok(wrong.map(told))
}

/// The versions of a record: those of snapshots that are known hold what was true then.
pub fn versions<'t>(
    vault: &Vault,
    org: OrgId,
    id: RecordId,
    truth: impl Fn(&SnapshotInfo) -> Option<&'t Rows>,
) -> Verdict {
    let found = match history(vault, org, id) {
        Err(e) if e.kind() == Kind::NotFound => Vec::new(),
        found => found?,
    };
    for version in &found {
        let Some((snapshot, rows)) = version.snapshot.as_ref().and_then(|s| Some((s, truth(s)?))) else {
            continue;
        };
        let wanted = rows.get(&id).map(|row| canonical(id, row));
        if version.json != wanted {
            return Ok(Some(format!(
                "history of {id} at {}: {:?} instead of {wanted:?}",
                name(snapshot),
                version.json
            )));
        }
    }
    let latest = vault.snapshots(org)?.pop();
    let live = latest.as_ref().and_then(|s| truth(s)?.get(&id));
    let last = found.last().and_then(|version| version.json.clone());
    // The newest snapshot of the catalog that the history was read under may be newer than this one.
    let wanted = live.map(|row| canonical(id, row));
    Ok((last.is_none() && wanted.is_some() && latest.is_some())
        .then(|| format!("history of {id} does not have its newest version")))
}
