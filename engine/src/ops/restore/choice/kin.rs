//! What hangs together with chosen records by their values of then: what they point at, and what points at them.
//!
//! Key decision: level by level over sets of Ids, rows are read one by one and not held; the last level of children is found
//! among what differs, and only levels between are looked for in the whole state, since a way may lead over a record that is
//! as it was. References to what is never made (users, record types) make no kin. It does not judge whether kin can come back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::base::error::{Kind, Result};
use crate::base::id::RecordId;
use crate::ops::diff::{ChangeKind, diff_of};
use crate::ops::lookup::Lookup;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::seen::Seen;
use crate::ops::restore::special::NEVER_MADE;
use crate::ops::restore::view::{Change, View};
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;

/// Records by sObject.
pub(in crate::ops::restore) type Ids = BTreeMap<String, BTreeSet<RecordId>>;

/// Of records of one sObject, those that are not there now.
type Lacks<'l> = dyn FnMut(&str, Vec<RecordId>) -> Result<Vec<RecordId>> + 'l;

/// A field that names records of these sObjects.
struct Reference {
    field: String,
    to: Vec<String>,
}

/// The references of a state.
pub(in crate::ops::restore) struct Kin<'a, 'v> {
    then: &'a Seen<'v>,
    /// Of each sObject that may be planned.
    references: BTreeMap<String, Vec<Reference>>,
    /// The first characters of their Ids.
    prefixes: HashMap<String, [u8; 3]>,
}

impl<'a, 'v> Kin<'a, 'v> {
    /// Among the sObjects that `may` be planned.
    pub fn of(then: &'a Seen<'v>, may: &dyn Fn(&str) -> bool) -> Result<Self> {
        let (mut references, mut prefixes) = (BTreeMap::new(), HashMap::new());
        let objects = then.state.view.catalog().objects(then.state.snapshot().org)?;
        for name in then.sobjects.iter().filter(|name| may(name)) {
            let describe = match then.describe(name) {
                // It was imported without one: what its fields name is not known.
                Err(error) if error.kind() == Kind::NotFound => continue,
                described => described?,
            };
            let known = |name: &&String| !NEVER_MADE.contains(&name.as_str()) && may(name);
            let fields = describe.fields.iter().map(|field| Reference {
                field: field.name.clone(),
                to: field.reference_to.iter().filter(known).cloned().collect(),
            });
            let fields = fields.filter(|reference| !reference.to.is_empty());
            references.insert(name.clone(), fields.collect());
            prefixes.extend(objects.get(name).map(|object| (name.clone(), object.key_prefix)));
        }
        Ok(Self {
            then,
            references,
            prefixes,
        })
    }

    /// The sObjects whose records point at records of these.
    pub fn below(&self, sobjects: &BTreeSet<String>) -> BTreeSet<String> {
        let points = |reference: &Reference| reference.to.iter().any(|name| sobjects.contains(name));
        let found = self
            .references
            .iter()
            .filter(|(_, fields)| fields.iter().any(points));
        found.map(|(name, _)| name.clone()).collect()
    }

    /// The sObjects that records of these point at, and so on.
    pub fn above(&self, sobjects: &BTreeSet<String>) -> BTreeSet<String> {
        let mut found = sobjects.clone();
        loop {
            let fields = found
                .iter()
                .filter_map(|name| self.references.get(name))
                .flatten();
            let more: BTreeSet<String> = fields
                .flat_map(|reference| reference.to.iter().cloned())
                .collect();
            if more.is_subset(&found) {
                return found;
            }
            found.extend(more);
        }
    }

    /// What `chosen` records point at and so on, of that what `lacks` says. Of records that are edited, by the fields that
    /// are.
    pub fn parents(
        &self,
        chosen: &[Change],
        edits: &dyn Fn(&str) -> bool,
        lacks: &mut Lacks<'_>,
    ) -> Result<Vec<Change>> {
        let mut seen: HashSet<RecordId> = chosen.iter().map(|change| change.id).collect();
        let mut level: BTreeMap<String, BTreeMap<RecordId, bool>> = BTreeMap::new();
        for change in chosen.iter().filter(|change| change.in_then) {
            let ids = level.entry(change.sobject.clone()).or_default();
            ids.insert(change.id, change.in_now);
        }
        let mut added = Vec::new();
        while !level.is_empty() {
            let mut named = Ids::new();
            for (sobject, ids) in std::mem::take(&mut level) {
                self.named(&sobject, &ids, edits, &mut seen, &mut named)?;
            }
            for (sobject, ids) in named {
                let mut then = Lookup::new(&self.then.state, &sobject);
                let mut there = Vec::new();
                for id in ids {
                    if then.has(id)? {
                        there.push(id);
                    }
                }
                let gone = lacks(&sobject, there)?;
                added.extend(gone.iter().map(|id| gone_now(&sobject, *id)));
                if !gone.is_empty() {
                    let ids = gone.into_iter().map(|id| (id, false));
                    level.entry(sobject).or_default().extend(ids);
                }
            }
        }
        Ok(added)
    }

    /// What records of one sObject point at, but for what was seen.
    fn named(
        &self,
        sobject: &str,
        ids: &BTreeMap<RecordId, bool>,
        edits: &dyn Fn(&str) -> bool,
        seen: &mut HashSet<RecordId>,
        named: &mut Ids,
    ) -> Result<()> {
        let Some(references) = self.references.get(sobject) else {
            return Ok(());
        };
        let mut then = Lookup::new(&self.then.state, sobject);
        for (id, in_now) in ids {
            let Some(record) = then.get(*id)? else { continue };
            let values = fields::values(&record.json)?;
            for reference in references.iter().filter(|r| !in_now || edits(&r.field)) {
                let to = values
                    .get(&reference.field)
                    .and_then(|value| fields::id_of(value));
                let Some(to) = to.filter(|to| seen.insert(*to)) else {
                    continue;
                };
                for name in reference.to.iter().filter(|name| self.fits(name, to)) {
                    named.entry(name.clone()).or_default().insert(to);
                }
            }
        }
        Ok(())
    }

    /// Whether an Id may be one of that sObject, by its first characters.
    fn fits(&self, sobject: &str, id: RecordId) -> bool {
        let prefix = self.prefixes.get(sobject);
        prefix.is_some_and(|prefix| *prefix == [0; 3] || *prefix == id.prefix())
    }

    /// What pointed at `roots` then, and so on to that depth, of that what differs `now`.
    pub fn children(&self, vault: &Vault, now: &SnapshotInfo, roots: Ids, depth: u32) -> Result<Vec<Change>> {
        let (mut seen, mut level) = (flat(&roots), roots);
        let mut added = Vec::new();
        for step in 1..=depth {
            let differing = self.differing(vault, now, &level)?;
            let fresh = differing.into_iter().filter(|change| !seen.contains(&change.id));
            added.extend(fresh);
            if step == depth {
                break;
            }
            level = self.pointing(&level, &mut seen)?;
            if level.is_empty() {
                break;
            }
        }
        // What a later level finds again was found by an earlier one.
        added.sort();
        added.dedup();
        Ok(added)
    }

    /// What pointed at `roots` then, and so on to that depth.
    pub fn all_children(&self, roots: Ids, depth: u32) -> Result<Vec<Change>> {
        let (mut seen, mut level) = (flat(&roots), roots);
        let mut added = Vec::new();
        for _ in 0..depth {
            level = self.pointing(&level, &mut seen)?;
            for (sobject, ids) in &level {
                added.extend(ids.iter().map(|id| gone_now(sobject, *id)));
            }
        }
        Ok(added)
    }

    /// The records of then that point at one of `level` and were not seen yet.
    fn pointing(&self, level: &Ids, seen: &mut HashSet<RecordId>) -> Result<Ids> {
        let mut found = Ids::new();
        for (sobject, references) in self.leading_to(level) {
            self.then.state.each(sobject, &mut |record| {
                if !seen.contains(&record.id) && points(&references, &fields::values(&record.json)?, level) {
                    found.entry(sobject.clone()).or_default().insert(record.id);
                }
                Ok(())
            })?;
        }
        seen.extend(found.values().flatten());
        Ok(found)
    }

    /// The same, of what differs between then and now.
    fn differing(&self, vault: &Vault, now: &SnapshotInfo, level: &Ids) -> Result<Vec<Change>> {
        let into = self.leading_to(level);
        let only: Vec<String> = into.keys().map(|name| (*name).clone()).collect();
        let mut found = Vec::new();
        diff_of(
            vault,
            self.then.state.snapshot(),
            now,
            Some(&only),
            &mut |touched, _| Ok(touched.kind != ChangeKind::Created),
            &mut |change, _| {
                let (Some(before), Some(references)) = (&change.before, into.get(&change.sobject)) else {
                    return Ok(());
                };
                if points(references, &fields::values(&before.json)?, level) {
                    found.push(Change {
                        in_then: true,
                        in_now: change.after.is_some(),
                        sobject: change.sobject,
                        id: change.id,
                    });
                }
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// The references into the sObjects of a level, by the sObject that has them.
    fn leading_to(&self, level: &Ids) -> BTreeMap<&String, Vec<&Reference>> {
        let leads = |reference: &&Reference| reference.to.iter().any(|name| level.contains_key(name));
        let all = self
            .references
            .iter()
            .map(|(name, fields)| (name, fields.iter().filter(leads).collect::<Vec<_>>()));
        all.filter(|(_, fields)| !fields.is_empty()).collect()
    }
}

fn points(references: &[&Reference], values: &Values, level: &Ids) -> bool {
    references.iter().any(|reference| {
        let to = values
            .get(&reference.field)
            .and_then(|value| fields::id_of(value));
        to.is_some_and(|to| {
            let mut lists = reference.to.iter().filter_map(|name| level.get(name));
            lists.any(|ids| ids.contains(&to))
        })
    })
}

fn flat(ids: &Ids) -> HashSet<RecordId> {
    ids.values().flatten().copied().collect()
}

fn gone_now(sobject: &str, id: RecordId) -> Change {
    Change {
        sobject: sobject.to_owned(),
        id,
        in_then: true,
        in_now: false,
    }
}

/// Changes by sObject and Id.
pub(in crate::ops::restore) fn by_sobject<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Ids {
    let mut ids = Ids::new();
    for change in changes {
        let of = ids.entry(change.sobject.clone()).or_default();
        of.insert(change.id);
    }
    ids
}
