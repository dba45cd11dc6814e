//! All versions of one record: one look a run, by directory and filter.
//!
//! Key decision: each run keeps the page that it looked at last and the part of its directory, so that asking for many
//! Ids in order reads each page once; who asks for them in no order has more parts kept. Of keys and values only the
//! rows in question are decoded. It does not walk: that is the state cursor.

use std::collections::HashMap;

use crate::base::error::Result;
use crate::base::id::{ChunkId, RecordId};
use crate::format::entry::RunEntry;
use crate::format::page::{IdHash, KeyRow, Sight, VersionKind, id_hash};
use crate::format::run::{PageEntry, RunPart};
use crate::vault::open::Vault;
use crate::vault::run::{PlainValues, Run, Values, Version};

/// Looks records up in the runs of one sObject.
pub struct Finder<'v> {
    vault: &'v Vault,
    /// The oldest first.
    runs: Vec<(RunEntry, Option<Opened<'v>>)>,
    /// How many parts of a run's directory are kept.
    keeps: usize,
}

struct Opened<'v> {
    run: Run<'v>,
    parts: HashMap<usize, RunPart>,
    /// The numbers of the part and of the page in it whose keys are at hand.
    page: Option<(usize, usize)>,
    keys: Vec<u8>,
    /// Of the Id that was looked for last, its keys in that page, and how many values stand before each.
    rows: Vec<KeyRow>,
    ordinals: Vec<u32>,
    /// The values that were looked at last.
    plain: Option<(ChunkId, PlainValues)>,
}

/// A version that was found, and where.
#[derive(Clone)]
pub struct Hit {
    /// Its keys.
    pub key: KeyRow,
    run: usize,
    page: PageEntry,
    ordinal: u32,
}

impl Hit {
    /// The page that it stands in.
    pub fn page(&self) -> &PageEntry {
        &self.page
    }
}

impl<'v> Finder<'v> {
    /// Over these runs, oldest first; none is opened yet.
    pub fn new(vault: &'v Vault, runs: &[RunEntry]) -> Self {
        let runs = runs.iter().map(|run| (run.clone(), None)).collect();
        let keeps = 1;
        Self { vault, runs, keeps }
    }

    /// Keeps so many parts of each run's directory, of up to 256 pages each.
    #[must_use]
    pub fn keeping(self, keeps: usize) -> Self {
        Self { keeps, ..self }
    }

    /// The versions of `id` up to that snapshot, newest first. With `all` false it stops at the newest that has
    /// values, behind which nothing older can matter.
    pub fn find(&mut self, id: RecordId, upto: u64, all: bool) -> Result<Vec<Hit>> {
        let hash = id_hash(self.vault.keys.cut_key(), id);
        let mut hits: Vec<Hit> = Vec::new();
        for (number, (entry, opened)) in self.runs.iter_mut().enumerate().rev() {
            let newest = |hit: &Hit| hit.key.kind != VersionKind::Stamps && hit.key.snapshot > entry.high;
            if !all && hits.iter().any(newest) {
                break;
            }
            if entry.low > upto {
                continue;
            }
            let run = match opened {
                Some(run) => run,
                None => opened.insert(Opened {
                    run: Run::open(self.vault, entry)?,
                    parts: HashMap::new(),
                    page: None,
                    keys: Vec::new(),
                    rows: Vec::new(),
                    ordinals: Vec::new(),
                    plain: None,
                }),
            };
            run.find(id, &hash, self.keeps, |key, page, ordinal| {
                if key.snapshot <= upto {
                    hits.push(Hit {
                        key: *key,
                        run: number,
                        page: page.clone(),
                        ordinal,
                    });
                }
            })?;
        }
        hits.sort_by_key(|hit| std::cmp::Reverse((hit.key.snapshot, hit.key.system)));
        Ok(hits)
    }

    /// The values of the newest of `hits`: its own, or those of the version that it left as it was.
    pub fn values(&mut self, hits: &[Hit]) -> Result<Option<Values>> {
        let live = hits.first().filter(|hit| hit.key.kind.is_live());
        let source = live.and_then(|_| hits.iter().find(|hit| hit.key.kind == VersionKind::Value));
        let Some(hit) = source else { return Ok(None) };
        let (Some(opened), Some(chunk)) = (&mut self.runs[hit.run].1, &hit.page.values) else {
            return Ok(None);
        };
        if opened.plain.as_ref().is_none_or(|(id, _)| *id != chunk.id) {
            opened.plain = opened.run.plain(&hit.page)?.map(|plain| (chunk.id, plain));
        }
        let plain = opened
            .plain
            .as_ref()
            .map(|(_, plain)| plain.decode(Some(&[hit.ordinal])));
        plain.transpose()
    }
}

impl Opened<'_> {
    fn find(
        &mut self,
        id: RecordId,
        hash: &IdHash,
        keeps: usize,
        mut hit: impl FnMut(&KeyRow, &PageEntry, u32),
    ) -> Result<()> {
        let sight = Sight {
            from: id,
            ids: 1,
            ..Sight::ALL
        };
        let first = self.run.head.parts.partition_point(|part| part.last < id);
        for number in first..self.run.head.parts.len() {
            if self.run.head.parts[number].first > id {
                break;
            }
            if !self.parts.contains_key(&number) {
                let Some(part) = self.run.part(number)? else { break };
                if self.parts.len() >= keeps {
                    self.parts.clear();
                }
                self.parts.insert(number, part);
            }
            let Some(part) = self.parts.get(&number) else {
                break;
            };
            if !part.filter.may_hold(hash) {
                continue;
            }
            let first = part.pages.partition_point(|page| page.last < id);
            for (place, page) in part.pages.iter().enumerate().skip(first) {
                if page.first > id {
                    break;
                }
                if self.page != Some((number, place)) {
                    self.page = None;
                    self.keys = self.run.plain_keys(page)?;
                    self.page = Some((number, place));
                }
                let (rows, ordinals) = (&mut self.rows, &mut self.ordinals);
                self.run.look(page, &self.keys, &sight, rows, ordinals)?;
                let versions = rows.iter().zip(ordinals).filter(|(key, _)| key.id == id);
                versions.for_each(|(key, ordinal)| hit(key, page, *ordinal));
            }
        }
        Ok(())
    }
}

/// All versions of one Id that are kept, newest first. A version whose stamps alone moved has the values of the one
/// before it.
pub fn versions(vault: &Vault, runs: &[RunEntry], id: RecordId) -> Result<Vec<Version>> {
    let mut finder = Finder::new(vault, runs);
    let hits = finder.find(id, u64::MAX, true)?;
    let all = (0..hits.len()).map(|i| {
        Ok(Version {
            key: hits[i].key,
            values: finder.values(&hits[i..])?,
        })
    });
    all.collect()
}
