//! All records of an sObject as text, a line each, in order of Ids: what an export writes.
//!
//! Key decision: the Ids are cut into spans at the borders of pages; each span is read and put together on a core of its
//! own, a few at a time, while those before are being taken by a thread beside. What is held is bounded by the pages of a few spans. It
//! goes on under a newer root as [`crate::ops::view`] does, and it writes no file.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

use rayon::prelude::*;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::entry::RunEntry;
use crate::format::schema::Role;
use crate::ops::render::Renderer;
use crate::ops::state::{State, schema_of};
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::open::Vault;
use crate::vault::run::{Pages, Run, StateCursor, Version};

/// Pages that begin in a span; few in tests, so that there are many spans. A page that reaches over several spans is
/// decoded in each, so that they are not small.
const SPAN_PAGES: usize = if cfg!(test) { 1 } else { 64 };
/// Bytes of text after which a span ends early; so few in tests that some do.
const SPAN_BYTES: usize = if cfg!(test) { 8 << 10 } else { 24 << 20 };

/// The lines of a span of Ids.
struct Block {
    text: Vec<u8>,
    records: u64,
    /// The first Id that is not in it, unless nothing follows.
    next: Option<RecordId>,
}

/// An sObject at a snapshot, through one catalog.
struct Reading<'v> {
    vault: &'v Vault,
    catalog: Arc<Catalog>,
    snapshot: SnapshotInfo,
    sobject: String,
    runs: Vec<RunEntry>,
}

impl State<'_> {
    /// Gives all live records of an sObject to `take` in order of Ids: blocks of whole lines, a record each, and how
    /// many records they are.
    ///
    /// # Errors
    /// As [`State::each`], and what `take` says.
    pub fn lines(
        &self,
        sobject: &str,
        take: &mut (dyn FnMut(&[u8], u64) -> Result<()> + Send),
    ) -> Result<()> {
        let (give, coming) = sync_channel::<Vec<Block>>(0);
        std::thread::scope(|scope| {
            let taking = scope.spawn(move || {
                let mut blocks = coming.into_iter().flatten();
                blocks.try_for_each(|block| take(&block.text, block.records))
            });
            let read = self.give_blocks(sobject, &give);
            drop(give);
            let taken = taking
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            taken.and(read)
        })
    }

    /// Hands all blocks on; ends early where they are taken no more.
    fn give_blocks(&self, sobject: &str, give: &SyncSender<Vec<Block>>) -> Result<()> {
        let (mut reading, mut from) = (self.reading(sobject)?, Some(RecordId::MIN));
        while let Some(start) = from {
            match reading.blocks(start) {
                Ok(blocks) => {
                    from = blocks.last().and_then(|block| block.next);
                    if give.send(blocks).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == Kind::Busy => {
                    self.view.renew(reading.catalog.version(), error)?;
                    reading = self.reading(sobject)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn reading(&self, sobject: &str) -> Result<Reading<'_>> {
        let catalog = self.view.kept()?;
        if catalog.object(self.org(), sobject)?.is_none() {
            return Err(self.unknown(sobject));
        }
        self.view.whole(sobject, 0, None)?;
        Ok(Reading {
            vault: self.view.vault,
            catalog,
            snapshot: self.view.snapshot.clone(),
            sobject: sobject.to_owned(),
            runs: self.runs(sobject)?,
        })
    }
}

impl Reading<'_> {
    /// The next few blocks.
    fn blocks(&self, from: RecordId) -> Result<Vec<Block>> {
        let borders = self.borders(from)?;
        let starts = std::iter::once(from).chain(borders.iter().copied().flatten());
        let spans: Vec<_> = starts.zip(borders.iter().copied()).collect();
        let blocks = spans.into_par_iter().map(|(from, end)| self.block(from, end));
        let mut blocks = blocks.collect::<Result<Vec<_>>>()?;
        // What follows on a span that ended early is read again behind it.
        let early = blocks
            .iter()
            .zip(&borders)
            .position(|(block, end)| block.next != *end);
        blocks.truncate(early.map_or(blocks.len(), |at| at + 1));
        Ok(blocks)
    }

    /// Where the next few spans end; the last is `None` if it goes to the end of all runs.
    fn borders(&self, from: RecordId) -> Result<Vec<Option<RecordId>>> {
        let spans = if cfg!(test) {
            2
        } else {
            rayon::current_num_threads()
        };
        let (mut firsts, mut known) = (Vec::new(), None::<RecordId>);
        for run in &self.runs {
            let mut pages = Pages::new(Run::open(self.vault, run)?);
            pages.seek(from)?;
            let mut last = None;
            for _ in 0..spans * SPAN_PAGES {
                last = pages.turn()?.map(|page| page.first);
                let Some(first) = last else { break };
                firsts.push(first);
            }
            // Of this run nothing is known behind it.
            known = match (known, last) {
                (Some(known), Some(last)) => Some(known.min(last)),
                (known, last) => known.or(last),
            };
        }
        firsts.retain(|first| *first > from && known.is_none_or(|known| *first <= known));
        firsts.sort_unstable();
        firsts.dedup();
        let mut borders: Vec<_> = firsts
            .into_iter()
            .skip(SPAN_PAGES - 1)
            .step_by(SPAN_PAGES)
            .map(Some)
            .collect();
        if known.is_none() {
            borders.push(None);
        } else if borders.is_empty() {
            borders.push(known.filter(|known| *known > from));
        }
        Ok(borders)
    }

    /// The lines of the records from `from` on, before `end`.
    fn block(&self, from: RecordId, end: Option<RecordId>) -> Result<Block> {
        let mut cursor = StateCursor::open(self.vault, &self.runs, self.snapshot.number)?;
        cursor.seek(from)?;
        let mut block = Block {
            text: Vec::new(),
            records: 0,
            next: end,
        };
        let (mut renderer, mut schema) = (Renderer::default(), None);
        while let Some(version) = cursor.next(true)? {
            let id = version.key.id;
            if end.is_some_and(|end| end <= id) {
                break;
            }
            if block.text.len() >= SPAN_BYTES {
                block.next = Some(id);
                break;
            }
            if version.key.kind.is_live() {
                self.line(&version, &mut renderer, &mut schema, &mut block)?;
            }
        }
        Ok(block)
    }

    fn line(
        &self,
        version: &Version,
        renderer: &mut Renderer,
        schema: &mut Option<(u32, bool)>,
        block: &mut Block,
    ) -> Result<()> {
        let (key, sobject) = (&version.key, &self.sobject);
        let Some(values) = &version.values else {
            return self.vault.pass_over(format_args!("{sobject} {}", key.id));
        };
        let has_deleted = match *schema {
            Some((number, has)) if number == key.schema => has,
            _ => {
                let org = self.snapshot.org;
                let has = schema_of(self.vault, &self.catalog, org, sobject, key.schema)?.has(Role::Deleted);
                *schema = Some((key.schema, has));
                has
            }
        };
        let start = block.text.len();
        renderer.render(key, values, has_deleted, &mut block.text);
        if std::str::from_utf8(&block.text[start..]).is_err() {
            let what = format_args!("{sobject} {}", key.id);
            return Err(Error::corrupt(what, "text that is not UTF-8"));
        }
        block.text.push(b'\n');
        block.records += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::id::OrgId;
    use crate::ops::import::import;
    use crate::store::memory::Memory;
    use crate::vault::{Secret, VaultOptions};

    fn vault() -> (Vault, OrgId) {
        let store = Arc::new(Memory::new());
        let vault = Vault::create(store, &Secret::None, VaultOptions::default()).unwrap();
        (vault, "00D000000000001".parse().unwrap())
    }

    fn day(vault: &Vault, org: OrgId, day: u8, delta: bool, dir: &Path, text: &str) {
        std::fs::write(dir.join("Account.ndjson"), text).unwrap();
        import(
            vault,
            org,
            format!("2026-01-{day:02}").parse().unwrap(),
            dir,
            delta,
            &mut |_| (),
        )
        .unwrap();
    }

    /// By lines and record by record; how many blocks there were.
    fn same(vault: &Vault, org: OrgId) -> usize {
        let mut blocks = 0;
        for snapshot in vault.snapshots(org).unwrap() {
            let state = State::at(vault, &snapshot);
            let (mut one_by_one, mut records) = (String::new(), 0);
            state
                .each("Account", &mut |record| {
                    one_by_one += &record.json;
                    one_by_one.push('\n');
                    records += 1;
                    Ok(())
                })
                .unwrap();
            let (mut lines, mut counted) = (Vec::new(), 0);
            state
                .lines("Account", &mut |text, count| {
                    lines.extend_from_slice(text);
                    counted += count;
                    blocks += 1;
                    Ok(())
                })
                .unwrap();
            assert!(lines == one_by_one.as_bytes(), "snapshot {}", snapshot.number);
            assert_eq!(records, counted);
        }
        blocks
    }

    #[test]
    fn lines_are_the_records_of_all_runs_in_order() {
        let (vault, org) = vault();
        let dir = tempfile::tempdir().unwrap();
        let line = |n: usize, name: &str| format!("{{\"Id\":\"001{n:012}\",\"Name\":\"{name} {n}\"}}\n");
        let lines = |range: std::ops::Range<usize>, step, name| -> String {
            range.step_by(step).map(|n| line(n, name)).collect()
        };
        day(&vault, org, 1, false, dir.path(), &lines(1000..4000, 1, "first"));
        day(&vault, org, 2, true, dir.path(), &lines(0..4000, 7, "second"));
        day(&vault, org, 3, true, dir.path(), &lines(3500..9000, 3, "third"));
        std::fs::write(
            dir.path().join("Account.deleted"),
            "001000000001000\n001000000002345\n",
        )
        .unwrap();
        day(
            &vault,
            org,
            4,
            true,
            dir.path(),
            &lines(20_000..20_001, 1, "alone"),
        );
        assert!(same(&vault, org) > 40);
    }

    /// Where a record comes from a page with other columns than that of the record before.
    #[test]
    fn fields_are_those_of_each_record() {
        let (vault, org) = vault();
        let dir = tempfile::tempdir().unwrap();
        let id = |n: usize| format!("001{n:012}");
        let named = |n: usize| format!("{{\"Id\":\"{}\",\"Name\":\"name {n}\"}}\n", id(n));
        let sited = |n: usize| format!("{{\"Id\":\"{}\",\"Site\":\"site {n}\"}}\n", id(n));
        let all = (0..2000).map(named);
        let edited = (0..2000).step_by(3).map(sited);
        day(&vault, org, 1, false, dir.path(), &all.collect::<String>());
        day(&vault, org, 2, true, dir.path(), &edited.collect::<String>());
        let wanted = (0..2000).map(|n| if n % 3 == 0 { sited(n) } else { named(n) });
        let wanted = wanted.enumerate().map(|(n, line)| {
            let whole: RecordId = id(n).parse().unwrap();
            line.replace(&id(n), &whole.to_string())
        });
        let mut lines = Vec::new();
        let last = vault.find_snapshot(org, "2").unwrap();
        State::at(&vault, &last)
            .lines("Account", &mut |text, _| {
                lines.extend_from_slice(text);
                Ok(())
            })
            .unwrap();
        assert_eq!(String::from_utf8(lines).unwrap(), wanted.collect::<String>());
    }

    #[test]
    fn what_cannot_be_taken_ends_it() {
        let (vault, org) = vault();
        let dir = tempfile::tempdir().unwrap();
        let line = |n: usize| format!("{{\"Id\":\"001{n:012}\",\"Name\":\"name {n}\"}}\n");
        day(
            &vault,
            org,
            1,
            false,
            dir.path(),
            &(0..4000).map(line).collect::<String>(),
        );
        let state = State::at(&vault, &vault.find_snapshot(org, "1").unwrap());
        for pass in [0, 3] {
            let mut blocks = 0;
            let ended = state.lines("Account", &mut |_, _| {
                blocks += 1;
                if blocks > pass {
                    return Err(Error::invalid("the disk is full"));
                }
                Ok(())
            });
            assert_eq!(ended.unwrap_err().message(), "the disk is full");
            assert_eq!(blocks, pass + 1);
        }
    }
}
