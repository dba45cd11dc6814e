//! What a writer does: captures of the org, imports of its state and of old ones, under its own and other orgs.
//!
//! Key decision: states come again, in the same org and in others, so that writers rely on chunks of others, above all of
//! snapshots that are about to go. Two writers share the org and its numbers, so one loses now and then. It does not read what it wrote: readers do.

use std::sync::Arc;

use halite_engine::base::id::{OrgId, RecordId, SnapshotId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::import::import;
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Source};
use halite_engine::ops::report::Report;
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};

use crate::actors::Actor;
use crate::book::{Content, May};
use crate::look::Verdict;
use crate::model::{Org, Rows, folder, id, org, row};

/// Captures or imports once.
pub fn step(me: &mut Actor<'_>) {
    match me.dice.below(10) {
        0..=4 => captured(me),
        5 => imported(me),
        6..=8 => imported_of_old(me),
        _ => changed(me),
    }
}

/// Notes what is no failure of the engine.
fn own(me: &Actor<'_>, done: Result<()>) {
    if let Err(error) = done {
        me.stage.book().wrong(format!("the soak itself failed: {error}"));
    }
}

/// A capture of the org as it is when the capture asks who answers: then it has read the root.
pub fn captured(me: &mut Actor<'_>) {
    let options = BackupOptions {
        full: me.dice.chance(1, 6),
        memory: if me.dice.chance(1, 6) { 4096 } else { 48 << 20 },
        ..BackupOptions::default()
    };
    me.with(
        "capture",
        |me, vault| {
            let mut source = Late { me, org: None };
            let report = backup(vault, &mut source, &options, &mut |_| ())?;
            let live = source.org()?.rows().len() as u64;
            acknowledged(source.me, &report, Some(live))
        },
        |_, _| false,
    );
}

/// The org, changed and cloned when it is first asked.
struct Late<'m, 's> {
    me: &'m mut Actor<'s>,
    org: Option<Org>,
}

impl Late<'_, '_> {
    fn org(&mut self) -> Result<&mut Org> {
        self.org
            .as_mut()
            .ok_or_else(|| Error::invalid("nobody asked who answers"))
    }
}

impl Source for Late<'_, '_> {
    fn identity(&mut self) -> Result<Identity> {
        let mut clone = {
            let (mut now, times) = (self.me.stage.org(), self.me.dice.below(60));
            now.change(&mut self.me.dice, times, self.me.stage.span)?;
            now.now += 1000;
            now.clone()
        };
        announce(self.me, org(1)?, clone.now, Content::Whole(clone.rows()));
        let identity = clone.identity();
        self.org = Some(clone);
        identity
    }

    fn now(&mut self) -> Result<Stamp> {
        self.org()?.now()
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        self.org()?.sobjects()
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        self.org()?.describe(sobject)
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.org()?.read(read, each)
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        self.org()?.count(sobject)
    }

    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        self.org()?.ids(sobject, each)
    }

    fn calls(&self) -> u64 {
        self.org.as_ref().map_or(0, Source::calls)
    }
}

/// An import of the org as it is now.
pub fn imported(me: &mut Actor<'_>) {
    let done = state_of_now(me);
    own(me, done);
}

fn state_of_now(me: &mut Actor<'_>) -> Result<()> {
    let (from, rows) = {
        let mut now = me.stage.org();
        now.now += 1000;
        (now.now, now.rows())
    };
    bring(me, org(1)?, from, &rows, None)
}

/// An import, under another org, of a state that was to be published some time.
pub fn imported_of_old(me: &mut Actor<'_>) {
    let done = old_state(me);
    own(me, done);
}

fn old_state(me: &mut Actor<'_>) -> Result<()> {
    let states: Vec<Arc<Rows>> = {
        let book = me.stage.book();
        let whole = |content: &Content| match content {
            Content::Whole(rows) => Some(Arc::clone(rows)),
            Content::Changes(..) => None,
        };
        book.attempts.values().filter_map(whole).collect()
    };
    let rows = me.dice.pick(&states).cloned().unwrap_or_default();
    let (under, at) = (org(2 + me.dice.below(2))?, me.clock.now().millis());
    bring(me, under, at, &rows, None)
}

/// An import of changes alone, under another org.
pub fn changed(me: &mut Actor<'_>) {
    let done = changes(me);
    own(me, done);
}

fn changes(me: &mut Actor<'_>) -> Result<()> {
    let (mut came, mut gone) = (Rows::new(), Vec::new());
    for _ in 0..=me.dice.below(20) {
        let id = id(me.dice.below(me.stage.span))?;
        if me.dice.chance(1, 4) {
            gone.push(id);
        } else {
            came.insert(id, row(&mut me.dice, 1_600_000_000_000));
        }
    }
    gone.sort();
    gone.dedup();
    gone.retain(|id| !came.contains_key(id));
    let (under, at) = (org(2 + me.dice.below(2))?, me.clock.now().millis());
    bring(me, under, at, &Arc::new(came), Some(&gone))
}

fn bring(
    me: &mut Actor<'_>,
    under: OrgId,
    at: i64,
    rows: &Arc<Rows>,
    gone: Option<&[RecordId]>,
) -> Result<()> {
    let content = match gone {
        None => Content::Whole(Arc::clone(rows)),
        Some(gone) => Content::Changes(Arc::clone(rows), gone.to_vec()),
    };
    announce(me, under, at, content);
    let dir = tempfile::tempdir().map_err(|e| Error::io("a folder to import", e))?;
    folder(dir.path(), rows, gone.unwrap_or_default())?;
    let live = gone.is_none().then_some(rows.len() as u64);
    me.with(
        &format!("import of org {under} at {at}"),
        |me, vault: &Vault| {
            let as_of = Stamp::from_millis(at);
            let report = import(vault, under, as_of, dir.path(), gone.is_some(), &mut |_| ())?;
            acknowledged(me, &report, live)
        },
        |book, error| {
            let newer = book.latest.get(&under).is_some_and(|latest| *latest >= at);
            error.kind() == Kind::Invalid && newer
        },
    );
    Ok(())
}

fn announce(me: &Actor<'_>, org: OrgId, from: i64, content: Content) {
    let mut book = me.stage.book();
    book.attempts.insert((org, from), content);
    book.may[me.seat] = May::Add(org, from);
}

/// What was said to be done must have been seen in a root.
fn acknowledged(me: &Actor<'_>, report: &Report, live: Option<u64>) -> Verdict {
    let name = SnapshotId::parse(&report.name);
    if !name.is_some_and(|name| me.stage.book().truths.contains_key(&name)) {
        return Ok(Some(format!(
            "snapshot {} was acknowledged and never published",
            report.snapshot
        )));
    }
    let told = report
        .sobjects
        .iter()
        .find(|s| s.skipped.is_none())
        .map(|s| s.live);
    let wrong = live.is_some() && told != live && (told.is_some() || live != Some(0));
    if wrong || !report.complete() {
        let skipped: Vec<_> = report
            .sobjects
            .iter()
            .filter_map(|s| s.skipped.as_deref())
            .collect();
        return Ok(Some(format!(
            "it tells of {told:?} live records instead of {live:?}; {skipped:?}"
        )));
    }
    Ok(None)
}
