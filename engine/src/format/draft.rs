//! How far an unfinished capture has come: the slots of a draft, which hangs in the catalog.
//!
//! Key decision: the first slot is the capture as a whole, each other one an sObject, either done or under way;
//! everything that a slot refers to lies in packs that the draft names, so that nothing else need know of it.
//! `docs/format.md`, "Drafts", is the reference. It does not decide when a draft may be gone on with.

use crate::base::error::Result;
use crate::base::id::{ChunkId, PackId, RecordId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::format::entry::SchemaEntry;
use crate::format::manifest::Captured;
use crate::format::place::{ChunkRef, MetaRef, location, put_location};

/// The capture as a whole: the first slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftHead {
    /// The number of the snapshot to be.
    pub number: u64,
    /// The newest snapshot when it began.
    pub after: Option<SnapshotId>,
    /// What it was asked to read, as a text that is compared.
    pub options: String,
    /// The user whose sight it has.
    pub user: RecordId,
    /// What reads it, for instance `rest 67.0`.
    pub source: String,
    /// When it was last saved, by the clock of the machine that did.
    pub saved: Stamp,
    /// Calls, Bulk jobs, bytes of results and file bodies so far.
    pub spent: [u64; 4],
    /// E of a worker that has read everything and waits for the others.
    pub ended: Option<Stamp>,
}

/// One sObject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// It is read.
    Done(DoneSlot),
    /// Some of it is.
    UnderWay(UnderWay),
}

/// A run that is written and that no catalog names yet: its versions and its directory.
pub type StoredRun = (u64, MetaRef);

/// An sObject that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoneSlot {
    /// Counts and digests, or why it was not read.
    pub captured: Captured,
    /// Whether it should have been read and could not be.
    pub failed: bool,
    /// Its new runs.
    pub runs: Vec<StoredRun>,
    /// A schema that is new.
    pub schema: Option<SchemaEntry>,
    /// Where the next increment begins.
    pub read_from: Stamp,
    /// First characters of its Ids; zeros if unknown.
    pub key_prefix: [u8; 3],
    /// Holes that are filled by it.
    pub filled: Vec<ChunkId>,
}

/// An sObject that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Counts and digests so far.
    pub captured: Captured,
    /// The chunk that its schema is.
    pub schema: ChunkId,
    /// From where it is read; `NONE`: from the beginning, all of it.
    pub since: Stamp,
    /// Where the log of deletions ended before the reading began.
    pub covered: Stamp,
    /// Whether all its rows have come.
    pub read: bool,
    /// Where the source stands, in its own words.
    pub position: Option<Vec<u8>>,
    /// The runs so far.
    pub runs: Vec<StoredRun>,
    /// The Ids that have come.
    pub seen: SeenIds,
}

/// Lists of Ids in ascending order, one after another, in chunks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenIds {
    /// Where each list ends.
    pub ends: Vec<u64>,
    /// The chunks that hold the bytes.
    pub chunks: Vec<ChunkRef>,
}

const VERSION: u8 = 1;
/// Of a first slot that says when a worker ended.
const ENDED: u8 = 2;

impl DraftHead {
    /// Whether the other is of the same capture, whenever it was saved and however far it came.
    pub fn is_of(&self, other: &Self) -> bool {
        let other = Self {
            saved: self.saved,
            spent: self.spent,
            ended: self.ended,
            ..other.clone()
        };
        *self == other
    }

    /// The bytes of the slot.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![if self.ended.is_some() { ENDED } else { VERSION }];
        put_varint(&mut out, self.number);
        out.push(u8::from(self.after.is_some()));
        self.after.iter().for_each(|name| out.extend_from_slice(&name.0));
        put_bytes(&mut out, self.options.as_bytes());
        out.extend_from_slice(self.user.as_bytes());
        put_bytes(&mut out, self.source.as_bytes());
        put_signed(&mut out, self.saved.millis());
        self.spent.iter().for_each(|&n| put_varint(&mut out, n));
        self.ended
            .iter()
            .for_each(|ended| put_signed(&mut out, ended.millis()));
        out
    }

    /// Reads what [`DraftHead::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "draft slot");
        let version = r.u8()?;
        if ![VERSION, ENDED].contains(&version) {
            return Err(r.bad("unknown version"));
        }
        let head = Self {
            number: r.varint()?,
            after: if r.u8()? == 1 {
                Some(SnapshotId(r.array()?))
            } else {
                None
            },
            options: r.text()?.to_owned(),
            user: r.record_id()?,
            source: r.text()?.to_owned(),
            saved: Stamp::from_millis(r.signed()?),
            spent: [r.varint()?, r.varint()?, r.varint()?, r.varint()?],
            ended: if version == ENDED {
                Some(Stamp::from_millis(r.signed()?))
            } else {
                None
            },
        };
        r.end()?;
        Ok(head)
    }
}

fn open(bytes: &[u8]) -> Result<Reader<'_>> {
    let mut r = Reader::new(bytes, "draft slot");
    if r.u8()? == VERSION {
        Ok(r)
    } else {
        Err(r.bad("unknown version"))
    }
}

/// The version of [`Captured`] in a slot.
const CAPTURED: u8 = 2;

impl Slot {
    /// What was captured of it so far.
    pub fn captured(&self) -> &Captured {
        match self {
            Self::Done(slot) => &slot.captured,
            Self::UnderWay(slot) => &slot.captured,
        }
    }

    /// The packs that its metadata lies in.
    pub fn packs(&self) -> impl Iterator<Item = PackId> {
        let (runs, schema) = match self {
            Self::Done(slot) => (&slot.runs, slot.schema.as_ref()),
            Self::UnderWay(slot) => (&slot.runs, None),
        };
        let schema = schema.into_iter().flat_map(|s| [Some(s.schema), s.describe]);
        let metas = runs.iter().map(|(_, head)| *head).chain(schema.flatten());
        metas.flat_map(|meta| meta.at.map(|at| at.pack))
    }

    /// The bytes of the slot.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Done(slot) => {
                out.push(0);
                slot.put(&mut out);
            }
            Self::UnderWay(slot) => {
                out.push(1);
                slot.put(&mut out);
            }
        }
        out
    }

    /// Reads what [`Slot::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes)?;
        let slot = match r.u8()? {
            0 => Self::Done(DoneSlot::read(&mut r, bytes.len())?),
            1 => Self::UnderWay(UnderWay::read(&mut r, bytes.len())?),
            _ => return Err(r.bad("unknown kind")),
        };
        r.end()?;
        Ok(slot)
    }
}

fn put_runs(out: &mut Vec<u8>, runs: &[StoredRun]) {
    put_varint(out, runs.len() as u64);
    for (rows, head) in runs {
        put_varint(out, *rows);
        head.put(out);
    }
}

fn read_runs(r: &mut Reader<'_>, most: usize) -> Result<Vec<StoredRun>> {
    (0..r.count(most)?)
        .map(|_| Ok((r.varint()?, MetaRef::read(r)?)))
        .collect()
}

impl DoneSlot {
    fn put(&self, out: &mut Vec<u8>) {
        self.captured.put(out);
        out.push(u8::from(self.failed));
        put_runs(out, &self.runs);
        let schema = self.schema.as_ref().map(SchemaEntry::encode);
        put_bytes(out, &schema.unwrap_or_default());
        put_signed(out, self.read_from.millis());
        out.extend_from_slice(&self.key_prefix);
        put_varint(out, self.filled.len() as u64);
        self.filled.iter().for_each(|id| out.extend_from_slice(&id.0));
    }

    fn read(r: &mut Reader<'_>, most: usize) -> Result<Self> {
        Ok(Self {
            captured: Captured::read(r, CAPTURED)?,
            failed: r.u8()? == 1,
            runs: read_runs(r, most)?,
            schema: match r.bytes()? {
                [] => None,
                entry => Some(SchemaEntry::decode(entry)?),
            },
            read_from: Stamp::from_millis(r.signed()?),
            key_prefix: r.array()?,
            filled: (0..r.count(most)?)
                .map(|_| r.array().map(ChunkId))
                .collect::<Result<_>>()?,
        })
    }
}

impl UnderWay {
    fn put(&self, out: &mut Vec<u8>) {
        self.captured.put(out);
        out.extend_from_slice(&self.schema.0);
        put_signed(out, self.since.millis());
        put_signed(out, self.covered.millis());
        out.push(u8::from(self.read) | u8::from(self.position.is_some()) << 1);
        self.position.iter().for_each(|at| put_bytes(out, at));
        put_runs(out, &self.runs);
        put_varint(out, self.seen.ends.len() as u64);
        self.seen.ends.iter().for_each(|&end| put_varint(out, end));
        put_varint(out, self.seen.chunks.len() as u64);
        for chunk in &self.seen.chunks {
            out.extend_from_slice(&chunk.id.0);
            put_location(out, &chunk.at);
        }
    }

    fn read(r: &mut Reader<'_>, most: usize) -> Result<Self> {
        let (captured, schema) = (Captured::read(r, CAPTURED)?, ChunkId(r.array()?));
        let (since, covered) = (Stamp::from_millis(r.signed()?), Stamp::from_millis(r.signed()?));
        let flags = r.u8()?;
        Ok(Self {
            captured,
            schema,
            since,
            covered,
            read: flags & 1 != 0,
            position: if flags & 2 == 0 {
                None
            } else {
                Some(r.bytes()?.to_vec())
            },
            runs: read_runs(r, most)?,
            seen: SeenIds {
                ends: (0..r.count(most)?).map(|_| r.varint()).collect::<Result<_>>()?,
                chunks: (0..r.count(most)?)
                    .map(|_| {
                        let (id, at) = (ChunkId(r.array()?), location(r)?);
                        Ok(ChunkRef { id, at })
                    })
                    .collect::<Result<_>>()?,
            },
        })
    }
}
