//! What changed between two snapshots.
//!
//! Key decision: which records differ is told by the keys of the runs that overlap (A, B] alone, since a version says
//! what it replaced; the records themselves are then looked up in order, each page once. Fields that one of the
//! schemas does not know are *unknown*, never a change; derived fields and stamps make no change by themselves. It
//! does not judge: it lists.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ContentHash, RecordId};
use crate::format::page::KeyRow;
use crate::format::schema::Role;
use crate::ops::state::{Record, State};
use crate::ops::view::AtHand;
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Not there before, there after.
    Created,
    /// There both times, with other content.
    Edited,
    /// There before, gone after.
    Deleted,
}

/// One record that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// API name.
    pub sobject: String,
    /// The record.
    pub id: RecordId,
    /// What became of it.
    pub kind: ChangeKind,
    /// The record before.
    pub before: Option<Record>,
    /// The record after.
    pub after: Option<Record>,
    /// For an edit, the content fields that differ, in byte order.
    pub fields: Vec<String>,
}

/// Gives every record that differs between snapshots `a` and `b` to `each`, by sObject, then Id.
pub fn diff(
    vault: &Vault,
    a: &SnapshotInfo,
    b: &SnapshotInfo,
    only: Option<&[String]>,
    each: &mut dyn FnMut(Change) -> Result<()>,
) -> Result<()> {
    diff_of(vault, a, b, only, &mut |_, _| Ok(true), &mut |change, _| {
        each(change)
    })
}

/// As [`diff`], but looks only at records that `takes` takes; both are told the keys of the newer of the two versions.
pub(crate) fn diff_of(
    vault: &Vault,
    a: &SnapshotInfo,
    b: &SnapshotInfo,
    only: Option<&[String]>,
    takes: &mut dyn FnMut(&Touched, &KeyRow) -> Result<bool>,
    each: &mut dyn FnMut(Change, &KeyRow) -> Result<()>,
) -> Result<()> {
    walk(vault, a, b, only, &mut |pair, touched, key| {
        if !takes(&touched, key)? {
            return Ok(());
        }
        pair.look(touched.id)?.map_or(Ok(()), |change| each(change, key))
    })
}

/// A record that differs, without its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// API name.
    pub sobject: String,
    /// The record.
    pub id: RecordId,
    /// What became of it.
    pub kind: ChangeKind,
}

/// As [`diff`], but says only which records differ, and how: that costs what changed, wherever the records lie.
pub fn touched(
    vault: &Vault,
    a: &SnapshotInfo,
    b: &SnapshotInfo,
    only: Option<&[String]>,
    each: &mut dyn FnMut(Touched) -> Result<()>,
) -> Result<()> {
    walk(vault, a, b, only, &mut |pair, touched, _| {
        // Under two schemas another hash may come from a field that one of them does not know.
        if touched.kind == ChangeKind::Edited && pair.schemas > 1 && pair.look(touched.id)?.is_none() {
            return Ok(());
        }
        each(touched)
    })
}

/// The two states of one sObject, to look records up in.
struct Pair<'a, 'v> {
    sobject: &'a str,
    schemas: u32,
    before: &'a State<'v>,
    after: &'a State<'v>,
    newer: &'a State<'v>,
    /// Over the runs of the newer state.
    finder: AtHand<'v>,
}

/// Finds by keys alone the records whose content differs.
fn walk<'v>(
    vault: &'v Vault,
    a: &SnapshotInfo,
    b: &SnapshotInfo,
    only: Option<&[String]>,
    each: &mut dyn FnMut(&mut Pair<'_, 'v>, Touched, &KeyRow) -> Result<()>,
) -> Result<()> {
    if a.org != b.org {
        return Err(Error::invalid("the two snapshots are of different orgs"));
    }
    let catalog = vault.catalog();
    let (mut before, mut after) = (State::at(vault, a), State::at(vault, b));
    (before.view.beside, after.view.beside) = (Some(b.clone()), Some(a.clone()));
    before.view.kept()?;
    let low = a.number.min(b.number);
    let objects = catalog.objects(a.org)?;
    if let Some(unknown) = only
        .into_iter()
        .flatten()
        .find(|name| !objects.contains_key(*name))
    {
        return Err(Error::new(
            Kind::NotFound,
            format!("org {} has no sObject {unknown} in this vault", a.org),
        ));
    }
    let wanted = objects
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only.contains(name)));
    let newer = if a.number > b.number { &before } else { &after };
    for (sobject, object) in wanted {
        let mut cursor = newer.view.rows(sobject, low);
        let holes = newer.view.holes(sobject, low)?;
        let mut pair = Pair {
            sobject,
            schemas: object.schema,
            before: &before,
            after: &after,
            newer,
            finder: AtHand::default(),
        };
        while let Some(version) = cursor.next(false)? {
            // What became of a record is not known if its versions before are lost.
            if holes.iter().any(|hole| hole.covers(version.key.id)) {
                continue;
            }
            let replaced = cursor
                .oldest()
                .map_or(ContentHash::NONE, |oldest| oldest.replaced);
            let mut hashes = [replaced, version.key.hash];
            if a.number > b.number {
                hashes.reverse();
            }
            let kind = match hashes.map(|hash| hash != ContentHash::NONE) {
                _ if hashes[0] == hashes[1] => continue,
                [false, _] => ChangeKind::Created,
                [_, false] => ChangeKind::Deleted,
                _ => ChangeKind::Edited,
            };
            let (sobject, id) = (sobject.clone(), version.key.id);
            each(&mut pair, Touched { sobject, id, kind }, &version.key)?;
        }
    }
    Ok(())
}

impl Pair<'_, '_> {
    fn look(&mut self, id: RecordId) -> Result<Option<Change>> {
        let (sobject, before, after) = (self.sobject, self.before, self.after);
        let view = &self.newer.view;
        view.find((sobject, 0), &mut self.finder, |finder| {
            let was = before.version_by(finder, sobject, id)?;
            let is = after.version_by(finder, sobject, id)?;
            compare(sobject, id, (before, was), (after, is))
        })
    }
}

/// A version, with its values if it is live and they are not lost.
pub(crate) type Found = Option<(KeyRow, Option<Record>)>;

/// What two versions of a record differ in, if in anything that both their schemas know.
pub(crate) fn compare(
    sobject: &str,
    id: RecordId,
    was: (&State<'_>, Found),
    is: (&State<'_>, Found),
) -> Result<Option<Change>> {
    let hash = |found: &Found| {
        found
            .as_ref()
            .filter(|(key, _)| key.kind.is_live())
            .map_or(ContentHash::NONE, |f| f.0.hash)
    };
    if hash(&was.1) == hash(&is.1) {
        return Ok(None);
    }
    // Values that are lost are passed over.
    let lost = |found: &Found| matches!(found, Some((key, None)) if key.kind.is_live());
    if lost(&was.1) || lost(&is.1) {
        return Ok(None);
    }
    let schemas = [&was, &is].map(|(state, found)| {
        found
            .as_ref()
            .map(|(key, _)| state.schema(sobject, key.schema))
            .transpose()
    });
    let [old, new] = schemas;
    let (old, new) = (old?, new?);
    let record = |found: Found| found.and_then(|(_, record)| record);
    let (before, after) = (record(was.1), record(is.1));
    let (kind, fields) = match (&before, &after) {
        (None, None) => return Ok(None),
        (None, Some(_)) => (ChangeKind::Created, Vec::new()),
        (Some(_), None) => (ChangeKind::Deleted, Vec::new()),
        (Some(x), Some(y)) => {
            let knows = |schema: &Option<std::sync::Arc<crate::format::schema::Schema>>, name: &str| {
                let schema = schema.as_ref();
                schema.is_some_and(|s| {
                    s.position(name.as_bytes())
                        .is_some_and(|i| s.fields()[i].role == Role::Content)
                })
            };
            let mut fields = differing(&x.json, &y.json)?;
            fields.retain(|name| knows(&old, name) && knows(&new, name));
            if fields.is_empty() {
                return Ok(None);
            }
            (ChangeKind::Edited, fields)
        }
    };
    Ok(Some(Change {
        sobject: sobject.to_owned(),
        id,
        kind,
        before,
        after,
        fields,
    }))
}

/// The names whose values differ between two canonical records, in byte order.
pub fn differing(one: &str, other: &str) -> Result<Vec<String>> {
    let parse = |text: &str| -> Result<BTreeMap<String, Box<RawValue>>> {
        serde_json::from_str(text).map_err(|e| Error::corrupt("record", e))
    };
    let (one, other) = (parse(one)?, parse(other)?);
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let value =
        |record: &BTreeMap<String, Box<RawValue>>, name: &str| record.get(name).map(|v| v.get().to_owned());
    Ok(names
        .into_iter()
        .filter(|name| value(&one, name) != value(&other, name))
        .cloned()
        .collect())
}
