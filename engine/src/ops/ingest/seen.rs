//! Sorted lists of Ids that may be larger than memory: those that a full read has seen, and those that did not come.
//!
//! Key decision: sorted segments of differences, two or three bytes an Id, in memory up to a bound and then in a
//! temporary file that has no name; merged when asked. It holds no records, and it never forgets an Id.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::codec::{Reader, put_varint128};
use crate::ops::spill::Spill;

/// Bytes of segments that are held in memory.
const HELD: usize = 4 << 20;
/// Bytes of a segment that are read at once.
const AT_ONCE: usize = 16 << 10;
/// The longest difference.
const STEP_MAX: usize = 19;

/// Ids in sorted segments.
#[derive(Default)]
pub struct Ids {
    /// Where the segments end.
    ends: Vec<u64>,
    bytes: Spill,
    last: u128,
}

impl Ids {
    /// Adds Ids that are in ascending order, as a segment.
    pub fn add(&mut self, ids: impl Iterator<Item = RecordId>) -> Result<()> {
        for id in ids {
            self.push(id)?;
        }
        self.end_segment();
        Ok(())
    }

    /// Adds an Id that is not smaller than the one before in its segment.
    pub fn push(&mut self, id: RecordId) -> Result<()> {
        let number = id.to_number();
        put_varint128(self.bytes.end(), number - self.last);
        self.last = number;
        self.bytes.beyond(HELD)
    }

    /// Adds the bytes of segments that end at `ends`, as [`Ids::read`] gave them.
    pub fn load(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.end().extend_from_slice(bytes);
        self.bytes.beyond(HELD)
    }

    /// Says where the segments end that were loaded.
    pub fn loaded(&mut self, ends: &[u64]) {
        self.ends = ends.to_vec();
    }

    /// Moves what is held to the file.
    pub fn spill(&mut self) -> Result<()> {
        self.bytes.beyond(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.len() == 0
    }

    /// The next Id may be smaller.
    pub fn end_segment(&mut self) {
        self.last = 0;
        let end = self.bytes.len();
        if self.ends.last().copied().unwrap_or(0) < end {
            self.ends.push(end);
        }
    }

    /// All Ids in ascending order, duplicates included.
    pub fn merged(self) -> Result<Merged> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let segment = |(at, end)| Segment {
            at,
            end,
            read: Vec::new(),
            next: 0,
            last: 0,
        };
        let segments: Vec<Segment> = starts.zip(self.ends.iter().copied()).map(segment).collect();
        let count = segments.len();
        let mut merged = Merged {
            ids: self,
            segments,
            heap: BinaryHeap::new(),
        };
        (0..count).try_for_each(|i| merged.refill(i))?;
        Ok(merged)
    }

    /// Where the finished segments end, and how many bytes there are.
    pub fn ends(&self) -> (&[u64], u64) {
        (&self.ends, self.bytes.len())
    }

    /// Reads what stands at `at`, as much as fits.
    pub fn read(&mut self, at: u64, into: &mut [u8]) -> Result<()> {
        self.bytes.read(at, into)
    }
}

/// Merges segments.
pub struct Merged {
    ids: Ids,
    segments: Vec<Segment>,
    heap: BinaryHeap<Reverse<(u128, usize)>>,
}

struct Segment {
    /// What is not read yet.
    at: u64,
    end: u64,
    read: Vec<u8>,
    next: usize,
    last: u128,
}

impl Merged {
    fn refill(&mut self, i: usize) -> Result<()> {
        let segment = &mut self.segments[i];
        if segment.read.len() - segment.next < STEP_MAX && segment.at < segment.end {
            segment.read.drain(..segment.next);
            segment.next = 0;
            let old = segment.read.len();
            let more = (segment.end - segment.at).min(AT_ONCE as u64) as usize;
            segment.read.resize(old + more, 0);
            self.ids.read(segment.at, &mut segment.read[old..])?;
            segment.at += more as u64;
        }
        if segment.next < segment.read.len() {
            let mut reader = Reader::new(&segment.read[segment.next..], "list of Ids");
            segment.last += reader.varint128()?;
            segment.next += reader.at();
            self.heap.push(Reverse((segment.last, i)));
        }
        Ok(())
    }

    /// The next Id.
    pub fn next(&mut self) -> Result<Option<RecordId>> {
        let Some(Reverse((number, i))) = self.heap.pop() else {
            return Ok(None);
        };
        self.refill(i)?;
        Ok(RecordId::from_number(number))
    }

    /// The Ids that were merged, to be merged again.
    pub fn into_ids(self) -> Ids {
        self.ids
    }

    /// The next few; none at the end.
    pub fn next_few(&mut self, most: usize) -> Result<Vec<RecordId>> {
        let mut few = Vec::new();
        while few.len() < most
            && let Some(id) = self.next()?
        {
            few.push(id);
        }
        Ok(few)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u64) -> RecordId {
        RecordId::from_number(u128::from(n)).unwrap()
    }

    #[test]
    fn more_ids_than_memory_come_back_in_order() {
        let mut ids = Ids::default();
        // Steps of 7 bytes, so that these pass the bound.
        let numbers: Vec<u64> = (0..800_000_u64).map(|n| n * (u64::MAX / 800_001)).collect();
        for segment in numbers.chunks(70_000) {
            ids.add(segment.iter().map(|&n| id(n))).unwrap();
        }
        ids.add([id(5), id(5)].into_iter()).unwrap();
        assert!(ids.bytes.is_in_file());
        let mut merged = ids.merged().unwrap();
        let few = merged.next_few(3).unwrap();
        assert_eq!(few, [id(0), id(5), id(5)]);
        let mut rest = Vec::new();
        while let Some(id) = merged.next().unwrap() {
            rest.push(id);
        }
        assert!(rest.iter().copied().eq(numbers[1..].iter().map(|&n| id(n))));
        assert!(Ids::default().merged().unwrap().next().unwrap().is_none());
    }
}
