//! What the entries of a catalog mean: their keys, which sort, and their values.
//!
//! Key decision: one small type a fact, each with its own key prefix and its own version byte; a reader that meets
//! an unknown prefix leaves it alone. `docs/format.md`, "Catalog", is the reference. It does not hold the map.

use crate::base::error::Result;
use crate::base::id::{PackId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::codec::{Reader, put_bytes, put_signed, put_varint};
use crate::format::digest::Digest;
use crate::format::pack::PackRole;
use crate::format::place::{MetaRef, number};

/// Prefixes of the keys: in an org's node `S`napshots, `O`bjects, `R`uns, s`C`hemas, `D`rafts, `H`olds, `E`rasures;
/// in the vault's own node `P`acks, condemned packs (`X`), `L`osses, `G`rants, `A`ctivity, master `K`eys.
pub mod prefix {
    /// A kept snapshot.
    pub const SNAPSHOT: u8 = b'S';
    /// The state of an sObject.
    pub const OBJECT: u8 = b'O';
    /// A live run.
    pub const RUN: u8 = b'R';
    /// A schema by number.
    pub const SCHEMA: u8 = b'C';
    /// A capture that is not finished.
    pub const DRAFT: u8 = b'D';
    /// A live pack.
    pub const PACK: u8 = b'P';
    /// A sealed grant.
    pub const GRANT: u8 = b'G';
    /// A pack on its way out.
    pub const CONDEMNED: u8 = b'X';
    /// What keeps a snapshot.
    pub const HOLD: u8 = b'H';
    /// A chunk that is lost.
    pub const LOSS: u8 = b'L';
    /// A record that was erased.
    pub const ERASURE: u8 = b'E';
    /// A line of the activity log.
    pub const ACTIVITY: u8 = b'A';
    /// A master key after the first, by its generation.
    pub const MASTER: u8 = b'K';
}

/// The key of a numbered entry, big-endian so that it sorts.
pub fn numbered(prefix: u8, number: u64) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The key of a named entry.
pub fn named(prefix: u8, name: &[u8]) -> Vec<u8> {
    let mut key = vec![prefix];
    key.extend_from_slice(name);
    key
}

/// The key of a numbered thing of an sObject; zero cannot stand in an API name.
pub fn of_sobject(prefix: u8, sobject: &str, numbers: &[u64]) -> Vec<u8> {
    let mut key = named(prefix, sobject.as_bytes());
    key.push(0);
    numbers
        .iter()
        .for_each(|n| key.extend_from_slice(&n.to_be_bytes()));
    key
}

/// The version of every entry.
pub(super) const VERSION: u8 = 1;

/// Reads the version of an entry.
pub(super) fn open<'a>(bytes: &'a [u8], what: &'static str) -> Result<Reader<'a>> {
    let mut r = Reader::new(bytes, what);
    if r.u8()? == VERSION {
        Ok(r)
    } else {
        Err(r.bad("unknown version"))
    }
}

/// A kept snapshot; its key is its number in the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its random name.
    pub name: SnapshotId,
    /// U: the org's clock before the first read.
    pub from: Stamp,
    /// E: the org's clock after the last.
    pub until: Stamp,
    /// This machine's clock at publication.
    pub taken: Stamp,
    /// Where it came from: `rest`, `import`.
    pub source: String,
    /// What it captured.
    pub manifest: MetaRef,
}

impl SnapshotEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&self.name.0);
        [self.from, self.until, self.taken]
            .iter()
            .for_each(|s| put_signed(&mut out, s.millis()));
        put_bytes(&mut out, self.source.as_bytes());
        self.manifest.put(&mut out);
        out
    }

    /// Reads what [`SnapshotEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "snapshot entry")?;
        let name = SnapshotId(r.array()?);
        let mut stamp = || r.signed().map(Stamp::from_millis);
        let (from, until, taken) = (stamp()?, stamp()?, stamp()?);
        let entry = Self {
            name,
            from,
            until,
            taken,
            source: r.text()?.to_owned(),
            manifest: MetaRef::read(&mut r)?,
        };
        r.end()?;
        Ok(entry)
    }
}

/// The state of an sObject as the newest snapshot that touched it left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// The number of its newest schema.
    pub schema: u32,
    /// The number of the newest snapshot that read it.
    pub snapshot: u64,
    /// Live records.
    pub live: u64,
    /// The next increment reads from here; `NONE` means: read everything.
    pub read_from: Stamp,
    /// Over contents of live records.
    pub content: Digest,
    /// Over stamps of live records.
    pub stamps: Digest,
    /// First characters of its Ids; zeros if unknown.
    pub key_prefix: [u8; 3],
    /// U of the last capture in which the org's count agreed.
    pub agreed: Stamp,
    /// Live rows of the org that are left out, since they were erased.
    pub left_out: u64,
    /// Live records that the org did not show any more.
    pub out_of_sight: u64,
}

/// Version 1 of an object entry ends behind the key prefix.
const OBJECT_VERSION: u8 = 2;

impl ObjectEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![OBJECT_VERSION];
        put_varint(&mut out, u64::from(self.schema));
        put_varint(&mut out, self.snapshot);
        put_varint(&mut out, self.live);
        put_signed(&mut out, self.read_from.millis());
        out.extend_from_slice(&self.content.0);
        out.extend_from_slice(&self.stamps.0);
        out.extend_from_slice(&self.key_prefix);
        put_signed(&mut out, self.agreed.millis());
        put_varint(&mut out, self.left_out);
        put_varint(&mut out, self.out_of_sight);
        out
    }

    /// Reads what [`ObjectEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "object entry");
        let version = r.u8()?;
        if !(1..=OBJECT_VERSION).contains(&version) {
            return Err(r.bad("unknown version"));
        }
        let mut entry = Self {
            schema: number(&mut r)?,
            snapshot: r.varint()?,
            live: r.varint()?,
            read_from: Stamp::from_millis(r.signed()?),
            content: Digest(r.array()?),
            stamps: Digest(r.array()?),
            key_prefix: r.array()?,
            agreed: Stamp::NONE,
            left_out: 0,
            out_of_sight: 0,
        };
        if version > 1 {
            entry.agreed = Stamp::from_millis(r.signed()?);
            (entry.left_out, entry.out_of_sight) = (r.varint()?, r.varint()?);
        }
        r.end()?;
        Ok(entry)
    }
}

/// A live run; its key is sObject, lowest and highest snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEntry {
    /// Lowest snapshot.
    pub low: u64,
    /// Highest snapshot.
    pub high: u64,
    /// Versions in it.
    pub rows: u64,
    /// Its directory.
    pub head: MetaRef,
}

impl RunEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        [self.low, self.high, self.rows]
            .iter()
            .for_each(|&n| put_varint(&mut out, n));
        self.head.put(&mut out);
        out
    }

    /// Reads what [`RunEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "run entry")?;
        let entry = Self {
            low: r.varint()?,
            high: r.varint()?,
            rows: r.varint()?,
            head: MetaRef::read(&mut r)?,
        };
        r.end()?;
        if entry.low <= entry.high {
            Ok(entry)
        } else {
            Err(r.bad("a span that ends before it begins"))
        }
    }
}

/// A schema; its key is sObject and number. Names the describe it was made from, if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaEntry {
    /// The exact field list.
    pub schema: MetaRef,
    /// The describe as the org gave it.
    pub describe: Option<MetaRef>,
}

impl SchemaEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        self.schema.put(&mut out);
        out.push(u8::from(self.describe.is_some()));
        self.describe.iter().for_each(|d| d.put(&mut out));
        out
    }

    /// Reads what [`SchemaEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "schema entry")?;
        let schema = MetaRef::read(&mut r)?;
        let describe = if r.u8()? == 1 {
            Some(MetaRef::read(&mut r)?)
        } else {
            None
        };
        r.end()?;
        Ok(Self { schema, describe })
    }
}

/// A live pack; its key is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackEntry {
    /// What it is for.
    pub role: PackRole,
    /// The root version that brought it in.
    pub since: u64,
}

impl PackEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.role as u8];
        put_varint(&mut out, self.since);
        out
    }

    /// Reads what [`PackEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "pack entry")?;
        let role = if r.u8()? == 0 {
            PackRole::Data
        } else {
            PackRole::Metadata
        };
        let entry = Self {
            role,
            since: r.varint()?,
        };
        r.end()?;
        Ok(entry)
    }
}

/// A capture that is not finished; its key is the name of its snapshot to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftEntry {
    /// U of the capture.
    pub from: Stamp,
    /// The fencing number: a machine that takes the draft over raises it.
    pub fence: u64,
    /// Packs written so far; they count as live.
    pub packs: Vec<PackId>,
    /// How far each worker has come, one slot each, in the capture's own words.
    pub slots: Vec<Vec<u8>>,
}

impl DraftEntry {
    /// The bytes of the entry.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        put_signed(&mut out, self.from.millis());
        put_varint(&mut out, self.fence);
        put_varint(&mut out, self.packs.len() as u64);
        self.packs.iter().for_each(|p| out.extend_from_slice(&p.0));
        put_varint(&mut out, self.slots.len() as u64);
        self.slots.iter().for_each(|s| put_bytes(&mut out, s));
        out
    }

    /// Reads what [`DraftEntry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = open(bytes, "draft entry")?;
        let (from, fence) = (Stamp::from_millis(r.signed()?), r.varint()?);
        let packs = (0..r.count(bytes.len())?)
            .map(|_| r.array().map(PackId))
            .collect::<Result<_>>()?;
        let slots = (0..r.count(bytes.len())?)
            .map(|_| r.bytes().map(<[u8]>::to_vec))
            .collect::<Result<_>>()?;
        r.end()?;
        Ok(Self {
            from,
            fence,
            packs,
            slots,
        })
    }
}
