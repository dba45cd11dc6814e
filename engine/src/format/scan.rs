//! Reading a pack from front to back, with or without its directory: for checking and for salvage.
//!
//! Key decision: after damage it looks for the next chunk that opens, and reports each damaged stretch once, so
//! that a damaged byte costs one chunk. It verifies every byte, padding too; it does not repair.

use memchr::memmem;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::PackId;
use crate::format::pack::{
    CHUNK_HEADER_BYTES, ChunkHeader, DirEntry, HEADER_BYTES, Location, MARKER, check_header, directory,
};
use crate::format::seal::{Keys, PackCipher};

/// Walks the chunks of a whole pack. A pack is sound if every item is `Ok`.
pub fn scan<'a>(keys: &'a Keys, pack: &PackId, bytes: &'a [u8]) -> Scan<'a> {
    let mut scan = Scan {
        keys,
        cipher: keys.pack_cipher(pack),
        pack: *pack,
        bytes,
        at: HEADER_BYTES,
        next_ordinal: 0,
        end: None,
        // Only bytes that were made to look like chunks can use this up.
        budget: bytes.len().saturating_mul(8),
        errors: Vec::new(),
        found: None,
        done: false,
    };
    scan.frame();
    scan.errors.reverse();
    scan
}

/// The iterator of [`scan`]: chunks in order, each with its plaintext, and an error a damaged stretch.
pub struct Scan<'a> {
    keys: &'a Keys,
    cipher: PackCipher,
    pack: PackId,
    bytes: &'a [u8],
    at: usize,
    next_ordinal: u32,
    /// Where the last chunk ends, if the directory is authentic.
    end: Option<usize>,
    budget: usize,
    errors: Vec<Error>,
    found: Option<(DirEntry, Vec<u8>)>,
    done: bool,
}

impl Scan<'_> {
    /// Checks header, directory and padding.
    fn frame(&mut self) {
        let header = check_header(&self.pack, self.bytes);
        if let Err(e) = &header
            && e.kind() == Kind::Unsupported
        {
            self.done = true;
        }
        let read = |offset: u64, len: usize| {
            let start = usize::try_from(offset).ok();
            let range = start.and_then(|s| self.bytes.get(s..s.checked_add(len)?));
            range
                .map(<[u8]>::to_vec)
                .ok_or_else(|| Error::corrupt("pack", "it is cut short"))
        };
        let found = directory(self.keys, &self.pack, self.bytes.len() as u64, read);
        if let (Ok(role), Ok((_, (_, other)))) = (&header, &found)
            && role != other
        {
            self.errors.push(Error::corrupt(
                "pack header",
                "its role is not the one in the footer",
            ));
        }
        self.errors.extend(header.err());
        match found {
            Ok((entries, (start, _))) => {
                let end = entries
                    .last()
                    .map_or(HEADER_BYTES, |e| (e.location.offset + e.location.len) as usize);
                self.end = Some(end);
                let padding = usize::try_from(start)
                    .ok()
                    .and_then(|start| self.bytes.get(end..start));
                if padding.is_none_or(|padding| padding.iter().any(|&b| b != 0)) {
                    self.errors.push(Error::corrupt("pack padding", "it is not zero"));
                }
            }
            Err(e) => self.errors.push(e),
        }
        let pack = self.pack;
        self.errors = self
            .errors
            .drain(..)
            .map(|e| e.within(format_args!("pack {pack}")))
            .collect();
    }

    fn limit(&self) -> usize {
        self.end.unwrap_or(self.bytes.len())
    }

    /// Opens the chunk that begins at `at`.
    fn open(&mut self, at: usize) -> Result<(DirEntry, Vec<u8>)> {
        let rest = self.bytes.get(at..self.limit()).unwrap_or_default();
        let head = ChunkHeader::read(rest)?;
        let bad = |why: &str| Error::corrupt(format_args!("{} {}", head.kind, head.id), why);
        let bytes = rest
            .get(..head.total_len())
            .ok_or_else(|| bad("it is cut short"))?;
        if head.ordinal < self.next_ordinal {
            return Err(bad("it is out of order"));
        }
        self.budget = self.budget.saturating_sub(bytes.len());
        let plain = head.open(self.keys, &self.cipher, &self.pack, bytes)?;
        let narrow = |n: usize| u32::try_from(n).map_err(|_| bad("it is too far in the file"));
        let location = Location {
            pack: self.pack,
            offset: narrow(at)?,
            len: narrow(bytes.len())?,
        };
        self.at = at + bytes.len();
        self.next_ordinal = head.ordinal.saturating_add(1);
        Ok((
            DirEntry {
                id: head.id,
                kind: head.kind,
                location,
                raw_len: head.raw_len,
            },
            plain,
        ))
    }

    /// The next chunk behind a damaged stretch.
    fn resume(&mut self) -> Option<(DirEntry, Vec<u8>)> {
        let mut from = self.at + 1;
        while self.budget > CHUNK_HEADER_BYTES {
            let rest = self.bytes.get(from..self.limit())?;
            let at = from + memmem::find(rest, MARKER)?;
            self.budget = self.budget.saturating_sub(CHUNK_HEADER_BYTES);
            if let Ok(found) = self.open(at) {
                return Some(found);
            }
            from = at + 1;
        }
        None
    }

    /// Whether what stands here may be padding and a directory that cannot be read, whose error is told already.
    fn may_be_tail(&self) -> bool {
        self.end.is_none() && !self.bytes.get(self.at..).unwrap_or_default().starts_with(MARKER)
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<(DirEntry, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(e) = self.errors.pop() {
            return Some(Err(e));
        }
        if let Some(found) = self.found.take() {
            return Some(Ok(found));
        }
        if self.done || self.at >= self.limit() {
            return None;
        }
        match self.open(self.at) {
            Ok(found) => Some(Ok(found)),
            Err(e) => {
                let (tail, at) = (self.may_be_tail(), self.at);
                self.found = self.resume();
                self.done = self.found.is_none();
                let tell = !(tail && self.done);
                tell.then(|| Err(e.within(format_args!("pack {} from byte {at}", self.pack))))
            }
        }
    }
}
