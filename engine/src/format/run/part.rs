//! A part of a run's directory: the pages of a range of Ids, and a filter on the Ids in it.
//!
//! Key decision: packs are named once and then by number, since the pages of a run lie in few packs. A page's
//! values may lie anywhere, also with another org's. It does not hold the pages themselves.

use crate::base::error::Result;
use crate::base::id::{ChunkId, PackId, RecordId};
use crate::base::limits::RUN_PART_PAGES;
use crate::format::codec::{Reader, put_varint};
use crate::format::pack::Location;
use crate::format::place::{ChunkRef, number};
use crate::format::run::Filter;

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageEntry {
    /// Its smallest Id.
    pub first: RecordId,
    /// Its largest Id.
    pub last: RecordId,
    /// Versions in it.
    pub rows: u32,
    /// Snapshots of its versions, lowest and highest, counted from the run's lowest.
    pub span: (u64, u64),
    /// Whether the versions of `first` began in the page before.
    pub continued: bool,
    /// The key part.
    pub keys: ChunkRef,
    /// The values, if any version has some.
    pub values: Option<ChunkRef>,
    /// The derived values, if any.
    pub derived: Option<ChunkRef>,
}

/// Up to 256 pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunPart {
    /// In ascending order of Ids.
    pub pages: Vec<PageEntry>,
    /// On the Ids of all of them.
    pub filter: Filter,
}

const VERSION: u8 = 1;
const VALUES: u8 = 1;
const DERIVED: u8 = 2;
const CONTINUED: u8 = 4;

impl RunPart {
    /// The bytes of the chunk.
    pub fn encode(&self) -> Vec<u8> {
        let refs = self
            .pages
            .iter()
            .flat_map(|p| [Some(p.keys), p.values, p.derived].into_iter().flatten());
        let mut packs: Vec<PackId> = refs.map(|r| r.at.pack).collect();
        packs.sort_unstable();
        packs.dedup();
        let mut out = vec![VERSION];
        put_varint(&mut out, packs.len() as u64);
        packs.iter().for_each(|p| out.extend_from_slice(&p.0));
        put_varint(&mut out, self.pages.len() as u64);
        for page in &self.pages {
            let flags = [
                (page.values.is_some(), VALUES),
                (page.derived.is_some(), DERIVED),
                (page.continued, CONTINUED),
            ];
            out.push(flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
            out.extend_from_slice(page.first.as_bytes());
            out.extend_from_slice(page.last.as_bytes());
            put_varint(&mut out, u64::from(page.rows));
            put_varint(&mut out, page.span.0);
            put_varint(&mut out, page.span.1 - page.span.0);
            for chunk in [Some(page.keys), page.values, page.derived].into_iter().flatten() {
                out.extend_from_slice(&chunk.id.0);
                put_varint(&mut out, packs.binary_search(&chunk.at.pack).unwrap_or(0) as u64);
                put_varint(&mut out, u64::from(chunk.at.offset));
                put_varint(&mut out, u64::from(chunk.at.len));
            }
        }
        self.filter.put(&mut out);
        out
    }

    /// Reads what [`RunPart::encode`] wrote; pages must be in order.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "run directory part");
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let packs = (0..r.count(RUN_PART_PAGES * 3)?)
            .map(|_| r.array().map(PackId))
            .collect::<Result<Vec<_>>>()?;
        let count = r.count(RUN_PART_PAGES)?;
        let mut pages: Vec<PageEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let page = page(&mut r, &packs)?;
            if page.last < page.first || pages.last().is_some_and(|before| before.last > page.first) {
                return Err(r.bad("pages out of order"));
            }
            pages.push(page);
        }
        let filter = Filter::read(&mut r)?;
        r.end()?;
        Ok(Self { pages, filter })
    }
}

fn page(r: &mut Reader<'_>, packs: &[PackId]) -> Result<PageEntry> {
    let flags = r.u8()?;
    let (first, last) = (r.record_id()?, r.record_id()?);
    let rows = number(r)?;
    let low = r.varint()?;
    let high = low
        .checked_add(r.varint()?)
        .ok_or_else(|| r.bad("snapshot number too large"))?;
    let keys = chunk(r, packs)?;
    let values = if flags & VALUES != 0 {
        Some(chunk(r, packs)?)
    } else {
        None
    };
    let derived = if flags & DERIVED != 0 {
        Some(chunk(r, packs)?)
    } else {
        None
    };
    Ok(PageEntry {
        first,
        last,
        rows,
        span: (low, high),
        continued: flags & CONTINUED != 0,
        keys,
        values,
        derived,
    })
}

fn chunk(r: &mut Reader<'_>, packs: &[PackId]) -> Result<ChunkRef> {
    let id = ChunkId(r.array()?);
    let pack = r.count(packs.len())?;
    let pack = *packs.get(pack).ok_or_else(|| r.bad("no such pack"))?;
    Ok(ChunkRef {
        id,
        at: Location {
            pack,
            offset: number(r)?,
            len: number(r)?,
        },
    })
}
