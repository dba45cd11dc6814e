//! One commit: the runs that hold a record are there without it, counts and digests are, and it is known as erased.
//!
//! Key decision: a run is rewritten as a merge of one run with a filter on Ids, so that pages end where they would
//! anyway; digests are sums, so what each snapshot saw of the record is subtracted. It commits only if no run of the
//! org has changed since the versions were looked for. What the old runs used is left in its packs: [`purge`] follows.
//!
//! [`purge`]: crate::ops::erase::purge

use std::collections::BTreeSet;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId};
use crate::format::digest::{Digest, Tally};
use crate::format::entry::{ObjectEntry, RunEntry, named, numbered, of_sobject, prefix};
use crate::format::loss::{HoleEntry, LossEntry};
use crate::format::manifest::Manifest;
use crate::format::mark::{ErasureEntry, HoldEntry};
use crate::format::page::{KeyRow, VersionKind};
use crate::format::seal::ChunkKind;
use crate::ops::compact::columns;
use crate::ops::erase::find::{Found, find, live_at};
use crate::ops::erase::look::Wanted;
use crate::vault::catalog::Catalog;
use crate::vault::commit::Edit;
use crate::vault::erased::erasure_hash;
use crate::vault::merge::{Kept, Merge, Merged};
use crate::vault::open::Vault;
use crate::vault::run::Run;
use crate::vault::writer::Writer;

/// A run without the records.
struct Rewritten {
    sobject: String,
    before: RunEntry,
    after: Merged,
}

/// Takes all versions of `ids` out of the states of an org; gives what was taken.
///
/// # Errors
/// `Busy`: a hold is in the way, or others committed meanwhile; nothing has changed then. The flag tells the second.
pub fn take_out(vault: &Vault, org: OrgId, ids: &BTreeSet<RecordId>, withdrawn: &mut bool) -> Result<Found> {
    *withdrawn = false;
    let found = find(vault, org, ids)?;
    found.check_holds(&found.catalog, vault.clock.now())?;
    let erased = found.catalog.erased(org)?;
    let known = ids.iter().all(|id| erased.has(&vault.keys, *id));
    if known && found.sobjects.is_empty() && blanked(&found.catalog, org, ids)?.is_empty() {
        return Ok(found);
    }
    let mut writer = Writer::new(vault);
    let rewritten = rewrite(vault, &found, ids, &mut writer).and_then(|runs| writer.sync().map(|()| runs));
    let mut entered = false;
    let done = rewritten.and_then(|runs| {
        let packs = writer.written().0.to_vec();
        vault.commit(&packs, &mut |edit| {
            entered = false;
            let stands = writer
                .stands(&edit.before)
                .and_then(|()| unchanged(&found, &edit.before));
            *withdrawn = stands.as_ref().is_err_and(|e| e.kind() == Kind::Busy);
            stands?;
            found.check_holds(&edit.before, vault.clock.now())?;
            enter(vault, edit, &found, ids, &runs)?;
            entered = true;
            Ok(())
        })
    });
    if done.is_err() && !entered {
        writer.discard();
    }
    done.map(|_| found)
}

/// Writes the runs anew that hold some.
fn rewrite<'v>(
    vault: &'v Vault,
    found: &Found,
    ids: &BTreeSet<RecordId>,
    writer: &mut Writer<'v>,
) -> Result<Vec<Rewritten>> {
    let mut rewritten = Vec::new();
    for (sobject, versions) in &found.sobjects {
        let columns = columns(vault, &found.catalog, found.org, sobject)?;
        for run in &versions.runs {
            let merge = Merge {
                vault,
                runs: vec![Run::open(vault, run)?],
                columns: columns.clone(),
                reuse: true,
            };
            let after = merge.run(writer, &mut |versions, stay| {
                stay.extend(without(versions, ids));
                Ok(())
            })?;
            rewritten.push(Rewritten {
                sobject: sobject.clone(),
                before: run.clone(),
                after,
            });
        }
    }
    Ok(rewritten)
}

/// All versions of an Id as they are, or none.
fn without(versions: &[KeyRow], ids: &BTreeSet<RecordId>) -> impl Iterator<Item = Kept> {
    let kept = |(i, key): (usize, &KeyRow)| Kept {
        key: *key,
        values: (key.kind == VersionKind::Value).then_some(i),
    };
    let stay = versions.first().is_some_and(|key| !ids.contains(&key.id));
    versions.iter().enumerate().filter(move |_| stay).map(kept)
}

/// Whether the runs of the org are those that were looked at.
fn unchanged(found: &Found, now: &Catalog) -> Result<()> {
    fn runs(catalog: &Catalog, org: OrgId) -> Vec<(&[u8], &[u8])> {
        let node = catalog.node(org).into_iter();
        node.flat_map(|node| node.scan(&[prefix::RUN])).collect()
    }
    if runs(&found.catalog, found.org) == runs(now, found.org) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Busy,
        "the runs of the org changed while it was written without the records",
    )
    .hint("nothing was erased; run it again"))
}

fn enter(
    vault: &Vault,
    edit: &mut Edit<'_>,
    found: &Found,
    ids: &BTreeSet<RecordId>,
    runs: &[Rewritten],
) -> Result<()> {
    let org = found.org;
    for run in runs {
        replace(edit, org, run)?;
    }
    manifests(vault, edit, found)?;
    for (sobject, versions) in &found.sobjects {
        if let Some(mut object) = edit.before.object(org, sobject)? {
            let gone = versions.records.values().filter_map(|v| live_at(v, u64::MAX));
            let ObjectEntry {
                live,
                content,
                stamps,
                ..
            } = &mut object;
            subtract(vault, sobject, gone, (live, content, stamps))?;
            let key = named(prefix::OBJECT, sobject.as_bytes());
            edit.node(Some(org)).put(key, object.encode());
        }
    }
    let at = vault.clock.now();
    for id in ids {
        let key = named(prefix::ERASURE, &erasure_hash(&vault.keys, *id));
        if edit.node(Some(org)).get(&key).is_none() {
            edit.node(Some(org)).put(key, ErasureEntry { at }.encode());
        }
    }
    // A capture that is not finished may hold the record: it begins anew.
    let drafts = edit.node(Some(org)).scan(&[prefix::DRAFT]);
    let drafts: Vec<_> = drafts.map(|(key, _)| key.to_vec()).collect();
    drafts.iter().for_each(|key| edit.node(Some(org)).remove(key));
    for (of, key, value) in blanked(&edit.before, org, ids)? {
        edit.node(of).put(key, value);
    }
    let (records, versions, runs) = found.counts();
    let detail = format!(
        "{} Ids: {versions} versions of {records} records taken out of {runs} runs",
        ids.len()
    );
    edit.log("erase", Some(org), detail);
    Ok(())
}

/// Puts a run in its own place, or nothing if nothing is left.
fn replace(edit: &mut Edit<'_>, org: OrgId, run: &Rewritten) -> Result<()> {
    let Rewritten {
        sobject,
        before,
        after,
    } = run;
    let (of_span, value) = (
        of_sobject(prefix::RUN, sobject, &[before.low, before.high]),
        before.encode(),
    );
    let node = edit.node(Some(org));
    let key = node
        .scan(&of_span)
        .find(|(_, entry)| **entry == value)
        .map(|(key, _)| key.to_vec());
    let key = key.ok_or_else(|| Error::corrupt("catalog", "a run that was rewritten is not in it"))?;
    if after.pages.is_empty() {
        node.remove(&key);
        return Ok(());
    }
    let head = after.pages.enter(edit, sobject)?;
    let entry = RunEntry {
        rows: after.pages.rows,
        head,
        ..*before
    };
    edit.node(Some(org)).put(key, entry.encode());
    Ok(())
}

/// Writes the manifests of kept snapshots anew that saw one of the records.
fn manifests(vault: &Vault, edit: &mut Edit<'_>, found: &Found) -> Result<()> {
    let before = std::sync::Arc::clone(&edit.before);
    for snapshot in before.snapshots(found.org)? {
        if !found.seen_at(snapshot.number) {
            continue;
        }
        let mut entry = before.snapshot_entry(found.org, snapshot.number)?;
        let mut manifest = Manifest::decode(&vault.meta(ChunkKind::Manifest, &entry.manifest)?)?;
        for captured in manifest.sobjects.iter_mut().filter(|c| c.skipped.is_none()) {
            let Some(versions) = found.sobjects.get(&captured.name) else {
                continue;
            };
            let gone = versions.records.values();
            let gone = gone.filter_map(|v| live_at(v, snapshot.number));
            let counts = (
                &mut captured.live,
                &mut captured.content,
                &mut captured.stamps_digest,
            );
            subtract(vault, &captured.name, gone, counts)?;
        }
        entry.manifest = edit.put(ChunkKind::Manifest, &manifest.encode())?;
        edit.node(Some(found.org))
            .put(numbered(prefix::SNAPSHOT, snapshot.number), entry.encode());
    }
    Ok(())
}

/// Takes live versions off a count and off the digests of content and of stamps.
fn subtract<'k>(
    vault: &Vault,
    sobject: &str,
    gone: impl Iterator<Item = &'k KeyRow>,
    (live, content, stamps): (&mut u64, &mut Digest, &mut Digest),
) -> Result<()> {
    let mut tally = Tally::default();
    gone.for_each(|version| tally.add(&Tally::of(vault.keys.digest_key(), sobject, version)));
    *live = live.checked_sub(tally.live).ok_or_else(|| {
        Error::corrupt(sobject, "more records are live than were counted").hint("run `halite check`")
    })?;
    content.sub(&tally.content);
    stamps.sub(&tally.stamps);
    Ok(())
}

/// An entry of the catalog: where, its key, and what it becomes.
type Change = (Option<OrgId>, Vec<u8>, Vec<u8>);

/// The entries of a catalog that name one of the Ids, as they are without: losses, holes, and reasons of holds.
fn blanked(catalog: &Catalog, org: OrgId, ids: &BTreeSet<RecordId>) -> Result<Vec<Change>> {
    let wanted = Wanted::new(ids);
    let blank = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, id| {
            let long = id.to_string();
            text.replace(&long, "(erased)").replace(&long[..15], "(erased)")
        })
    };
    let mut changed = Vec::new();
    for (chunk, loss) in catalog.losses()? {
        if wanted.named_in(loss.what.as_bytes()) {
            let what = blank(&loss.what);
            let key = named(prefix::LOSS, &chunk.0);
            changed.push((None, key, LossEntry { what, ..loss }.encode()));
        }
    }
    for of in catalog.nodes.keys().copied().flatten() {
        for (name, hold) in catalog.holds(of)? {
            if wanted.named_in(hold.reason.as_bytes()) {
                let reason = blank(&hold.reason);
                let key = named(prefix::HOLD, &name);
                changed.push((Some(of), key, HoldEntry { reason, ..hold }.encode()));
            }
        }
    }
    for sobject in catalog.objects(org)?.keys() {
        for (chunk, hole) in catalog.holes(org, sobject)? {
            if ids.contains(&hole.first) || ids.contains(&hole.last) {
                let key = HoleEntry::key(sobject, &chunk);
                changed.push((Some(org), key, narrowed(hole, ids).encode()));
            }
        }
    }
    Ok(changed)
}

/// A hole that neither begins nor ends with one of the Ids. It stays, since states are short of it.
fn narrowed(mut hole: HoleEntry, ids: &BTreeSet<RecordId>) -> HoleEntry {
    let beside = |id: RecordId, step: fn(u128, u128) -> Option<u128>| {
        step(id.to_number(), 1).and_then(RecordId::from_number)
    };
    while ids.contains(&hole.first) {
        hole.first = beside(hole.first, u128::checked_add).unwrap_or(RecordId::MIN);
    }
    while ids.contains(&hole.last) && hole.first < hole.last {
        hole.last = beside(hole.last, u128::checked_sub).unwrap_or(RecordId::MAX);
    }
    hole.last = hole.last.max(hole.first);
    hole
}
