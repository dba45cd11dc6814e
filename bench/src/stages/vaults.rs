//! Stages that need a vault: ingest, index, merge, point read, diff, export.
//!
//! Key decision: vaults lie in memory under driven clocks, and each run opens one anew from a fork, so that caches are
//! cold, names are the same and no run sees what another wrote. What these cost on a disk is for the pipeline to say.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::{ChunkId, OrgId, PackId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::format::pack::Location;
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::diff::diff;
use halite_engine::ops::export::ndjson;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::memory::Memory;
use halite_engine::vault::Secret;
use halite_engine::vault::index::Index;
use halite_engine::vault::{SnapshotInfo, Vault, VaultOptions};
use tempfile::TempDir;

use crate::describe;
use crate::stages::input::{CONTACT, FIRST};
use crate::stages::{Input, Outcome, Stage};

const DAY: i64 = 86_400_000;
/// Days after the first, each with other records edited.
const DAYS: u64 = 6;
/// Each day one in so many is edited.
const EDITED: usize = 100;
/// Records that are read one by one.
const READS: usize = 100;
/// Chunks in the index, of so many packs each the same share; looked up so many at once.
const CHUNKS: u32 = 4_096;
const PACKS: u8 = 8;
const AT_ONCE: usize = 256;

/// The org of all vaults here.
pub fn org() -> Outcome<OrgId> {
    Ok("00D000000000001".parse()?)
}

/// A folder with the dump of a first state; it goes when dropped.
pub struct Dump(TempDir);

impl Dump {
    /// Of this text.
    pub fn new(text: &[u8]) -> Outcome<Self> {
        let dump = Self(TempDir::new()?);
        fs::write(dump.folder().join("Contact.describe.json"), describe(CONTACT))?;
        dump.set(text)?;
        Ok(dump)
    }

    /// The folder.
    pub fn folder(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// Other records in it.
    fn set(&self, text: &[u8]) -> Outcome<()> {
        Ok(fs::write(self.folder().join("Contact.ndjson"), text)?)
    }
}

/// Options under which a vault does the same again; each opening of one place needs a seed of its own.
fn options(seed: u64) -> VaultOptions {
    VaultOptions {
        clock: Clock::driven(Stamp::from_millis(FIRST), seed),
        ..VaultOptions::default()
    }
}

fn open(place: Memory, seed: u64) -> Outcome<Vault> {
    Ok(Vault::open(Arc::new(place), &Secret::None, options(seed))?)
}

fn empty() -> Outcome<Memory> {
    let place = Memory::new();
    Vault::create(Arc::new(place.clone()), &Secret::None, options(1))?;
    Ok(place)
}

fn day(number: u64) -> Stamp {
    Stamp::from_millis(FIRST + DAY * number as i64)
}

/// A vault of a first state and some days after it.
fn days(input: &Input) -> Outcome<Memory> {
    let (place, dump) = (empty()?, Dump::new(input.text())?);
    let vault = open(place.clone(), 2)?;
    import(&vault, org()?, day(0), &dump.folder(), false, &mut |_| ())?;
    for number in 1..=DAYS {
        dump.set(&edited(input, number))?;
        import(&vault, org()?, day(number), &dump.folder(), true, &mut |_| ())?;
    }
    Ok(place)
}

/// The records that are edited on a day.
fn edited(input: &Input, day: u64) -> Vec<u8> {
    let (name, mut out) = (b"\"LastName\":\"", Vec::new());
    for line in input.lines().skip(day as usize).step_by(EDITED) {
        let at = line.windows(name.len()).position(|part| part == name);
        let behind = at.map_or(0, |at| at + name.len());
        out.extend_from_slice(&line[..behind]);
        out.extend_from_slice(format!("Day {day} ").as_bytes());
        out.extend_from_slice(&line[behind..]);
        out.push(b'\n');
    }
    out
}

fn last_two(vault: &Vault) -> Outcome<[SnapshotInfo; 2]> {
    let all = vault.snapshots(org()?)?;
    Ok(all.last_chunk::<2>().ok_or("two snapshots were due")?.clone())
}

/// Lookups of chunks that are there, and of as many that are not.
pub fn index(_: &Arc<Input>) -> Outcome<Stage> {
    let name = |about: &[u8], number: u32| {
        let hash = blake3::Hasher::new()
            .update(about)
            .update(&number.to_le_bytes())
            .finalize();
        *hash.as_bytes()
    };
    let index = Index::open(None, &[7; 16])?;
    for number in 0..PACKS {
        let pack = PackId([number; 32]);
        let chunks = (u32::from(number)..CHUNKS).step_by(usize::from(PACKS));
        let entries = chunks.map(|chunk| {
            let (offset, len) = (chunk * 4_096, 4_096);
            (ChunkId(name(b"there", chunk)), Location { pack, offset, len })
        });
        index.add_pack(&pack, entries)?;
    }
    let there = (0..CHUNKS).map(|number| ChunkId(name(b"there", number)));
    let asked: Vec<ChunkId> = there
        .zip((0..CHUNKS).map(|number| ChunkId(name(b"not", number))))
        .flat_map(|(one, other)| [one, other])
        .collect();
    Ok(Stage::new(asked.len() * size_of::<ChunkId>(), move || {
        let mut found = 0;
        for ids in asked.chunks(AT_ONCE) {
            found += index.get_many(ids)?.iter().flatten().count();
        }
        Ok(found as u64)
    }))
}

/// A first state from a file into a vault: everything from reading to the commit.
pub fn ingest(input: &Arc<Input>) -> Outcome<Stage> {
    let (place, dump) = (empty()?, Dump::new(input.text())?);
    Ok(Stage::new(input.text().len(), move || {
        let vault = open(place.fork(), 2)?;
        let report = import(&vault, org()?, day(0), &dump.folder(), false, &mut |_| ())?;
        Ok(report.bytes_added)
    }))
}

/// All runs into one.
pub fn merge(input: &Arc<Input>) -> Outcome<Stage> {
    let place = days(input)?;
    let options = CompactOptions {
        keep_single: 0,
        all: true,
    };
    Ok(Stage::new(input.text().len(), move || {
        let report = compact(&open(place.fork(), 3)?, &options, &mut |_| ())?;
        Ok(report.merges.iter().map(|merge| merge.versions).sum())
    }))
}

/// Records one by one, far apart, out of several runs.
pub fn point_read(input: &Arc<Input>) -> Outcome<Stage> {
    let (place, rows) = (days(input)?, input.rows()?);
    let step = (rows.rows.len() / READS).max(1);
    let mut ids: Vec<RecordId> = rows.rows.iter().step_by(step).map(|row| row.id).collect();
    // Neighbours are not asked for in turn, or a page would be read once for several.
    ids.sort_unstable_by_key(|id| *blake3::hash(id.as_bytes()).as_bytes());
    let lens = input.lines().step_by(step).map(<[u8]>::len);
    Ok(Stage::new(lens.sum(), move || {
        let vault = open(place.fork(), 3)?;
        let [_, last] = last_two(&vault)?;
        let (state, mut bytes) = (State::at(&vault, &last), 0);
        for id in &ids {
            let record = state.get(CONTACT, *id)?.ok_or("a record is not there")?;
            bytes += record.json.len();
        }
        Ok(bytes as u64)
    }))
}

/// What changed on the last day, with the records before and after.
pub fn diff_of_days(input: &Arc<Input>) -> Outcome<Stage> {
    let (place, changed) = (days(input)?, edited(input, DAYS));
    Ok(Stage::new(changed.len(), move || {
        let vault = open(place.fork(), 3)?;
        let [a, b] = last_two(&vault)?;
        let mut changes = 0;
        diff(&vault, &a, &b, None, &mut |_| {
            changes += 1;
            Ok(())
        })?;
        Ok(changes)
    }))
}

/// The last state as a file.
pub fn export(input: &Arc<Input>) -> Outcome<Stage> {
    let place = days(input)?;
    Ok(Stage::new(input.text().len(), move || {
        let vault = open(place.fork(), 3)?;
        let ([_, last], folder) = (last_two(&vault)?, TempDir::new()?);
        let done = ndjson(&State::at(&vault, &last), None, folder.path())?;
        Ok(done.iter().map(|(_, count)| count).sum())
    }))
}
