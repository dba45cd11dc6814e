//! The Ids that a full read has seen, so that absence and duplicates can be told at its end.
//!
//! Key decision: sorted segments of differences, two or three bytes an Id, merged when asked.
//! It holds no records, and it never forgets an Id.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::codec::{Reader, put_varint128};

/// Ids in sorted segments.
#[derive(Default)]
pub struct Seen {
    segments: Vec<Vec<u8>>,
}

impl Seen {
    /// Adds Ids that are in ascending order.
    pub fn add(&mut self, ids: impl Iterator<Item = RecordId>) {
        let mut segment = Vec::new();
        let mut last = 0;
        for id in ids {
            let number = id.to_number();
            put_varint128(&mut segment, number - last);
            last = number;
        }
        self.segments.push(segment);
    }

    /// All Ids in ascending order, duplicates included.
    pub fn merged(&self) -> Merged<'_> {
        let mut merged = Merged {
            segments: Vec::new(),
            heap: BinaryHeap::new(),
        };
        for (i, segment) in self.segments.iter().enumerate() {
            merged
                .segments
                .push((Reader::new(segment, "list of seen Ids"), 0));
            merged.refill(i);
        }
        merged
    }
}

/// Merges segments.
pub struct Merged<'a> {
    segments: Vec<(Reader<'a>, u128)>,
    heap: BinaryHeap<Reverse<(u128, usize)>>,
}

impl Merged<'_> {
    fn refill(&mut self, i: usize) {
        let (reader, last) = &mut self.segments[i];
        if let Ok(step) = reader.varint128() {
            *last += step;
            self.heap.push(Reverse((*last, i)));
        }
    }

    /// The next Id.
    pub fn next(&mut self) -> Result<Option<RecordId>> {
        let Some(Reverse((number, i))) = self.heap.pop() else {
            return Ok(None);
        };
        self.refill(i);
        Ok(RecordId::from_number(number))
    }
}
