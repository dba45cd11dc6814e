//! The body of a file: where it is cut, and how a record names its pieces.
//!
//! Key decision: FastCDC with normalised chunking (Xia and others, USENIX ATC 2016), its gear table derived from the
//! vault's keys, so that where pieces end says nothing about known files; a record names all its pieces in a text of its
//! own, so that whatever moves records moves bodies. It neither fetches nor stores.

use std::fmt::Write;

use crate::base::error::{Error, Result};
use crate::base::id::ChunkId;

/// No piece but the last is smaller.
pub const PIECE_MIN: usize = 256 << 10;
/// Around here a cut becomes likely.
const PIECE_NORMAL: usize = 1 << 20;
/// No piece is larger.
pub const PIECE_MAX: usize = 4 << 20;
/// Bits that are zero at a cut before the normal size, and behind it.
const MASK_BEFORE: u64 = ((1 << 22) - 1) << 42;
const MASK_BEHIND: u64 = ((1 << 18) - 1) << 46;

/// The field of a body's record that names its pieces.
pub const PIECES: &str = "Pieces";

/// Whether an sObject of the vault holds bodies: `<sObject>.<field>`, for instance `Attachment.Body`.
pub fn holds_bodies(sobject: &str) -> bool {
    sobject.contains('.')
}

/// Finds the ends of pieces.
pub struct Cutter(Box<[u64; 256]>);

impl Cutter {
    /// Cuts by the table that [`crate::format::seal::Keys::blob_cut_table`] gives.
    pub fn new(table: Box<[u64; 256]>) -> Self {
        Self(table)
    }

    /// The length of the first piece of `bytes`, which hold either at least [`PIECE_MAX`] or the rest of a body.
    ///
    /// ```
    /// use halite_engine::format::blob::{Cutter, PIECE_MAX};
    /// let cutter = Cutter::new(Box::new([7; 256]));
    /// assert_eq!(cutter.cut(b"short"), 5);
    /// assert!(cutter.cut(&vec![0; 9 << 20]) <= PIECE_MAX);
    /// ```
    pub fn cut(&self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(PIECE_MAX);
        if most <= PIECE_MIN {
            return most;
        }
        let (mut hash, normal) = (0_u64, most.min(PIECE_NORMAL));
        for (mask, from, to) in [(MASK_BEFORE, PIECE_MIN, normal), (MASK_BEHIND, normal, most)] {
            for (at, byte) in bytes[from..to].iter().enumerate() {
                hash = (hash << 1).wrapping_add(self.0[usize::from(*byte)]);
                if hash & mask == 0 {
                    return from + at + 1;
                }
            }
        }
        most
    }
}

/// One piece of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// The chunk (kind 6).
    pub id: ChunkId,
    /// Its bytes.
    pub len: u32,
}

/// The text that names pieces: of each 64 hexadecimal digits, `-` and the length, with a blank between.
pub fn write_pieces(pieces: &[Piece]) -> String {
    let mut text = String::with_capacity(pieces.len() * 72);
    for piece in pieces {
        let blank = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{blank}{}-{}", piece.id, piece.len);
    }
    text
}

/// Reads what [`write_pieces`] wrote.
///
/// # Errors
/// `Corrupt` for anything else.
pub fn read_pieces(text: &str) -> Result<Vec<Piece>> {
    let bad = || Error::corrupt("body", "a list of pieces that does not read");
    let piece = |text: &str| {
        let (id, len) = text.split_once('-').ok_or_else(bad)?;
        let len = len
            .parse()
            .ok()
            .filter(|len| (1..=PIECE_MAX as u32).contains(len));
        Ok(Piece {
            id: ChunkId::parse(id).ok_or_else(bad)?,
            len: len.ok_or_else(bad)?,
        })
    };
    text.split(' ')
        .filter(|text| !text.is_empty())
        .map(piece)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_moves_few_cuts() {
        let table: Vec<u64> = (0..256_u64)
            .map(|n| {
                n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17) ^ n.wrapping_mul(0xD6E8_FEB8_6659_FD93)
            })
            .collect();
        let cutter = Cutter::new(Box::new(table.try_into().unwrap()));
        let mut state = 1_u64;
        let mut bytes: Vec<u8> = (0..20 << 20)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        let pieces = |bytes: &[u8]| {
            let (mut all, mut rest) = (Vec::new(), bytes);
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(cutter.cut(rest));
                assert!(piece.len() <= PIECE_MAX && (piece.len() >= PIECE_MIN || behind.is_empty()));
                all.push(blake3::hash(piece));
                rest = behind;
            }
            all
        };
        let before = pieces(&bytes);
        assert!((8..40).contains(&before.len()), "{}", before.len());
        bytes.splice(10 << 20..10 << 20, *b"inserted");
        let after = pieces(&bytes);
        let new = after.iter().filter(|piece| !before.contains(piece)).count();
        assert!(new <= 2, "{new} of {}", after.len());
    }

    #[test]
    fn a_list_of_pieces_reads_as_it_was_written() {
        let all = [1, 2].map(|n| Piece {
            id: ChunkId([n; 32]),
            len: u32::from(n) * 1000,
        });
        assert_eq!(read_pieces(&write_pieces(&all)).unwrap(), all);
        assert_eq!(read_pieces("").unwrap(), []);
        for bad in [
            "x",
            "00-1",
            "-5",
            &format!("{}-0", ChunkId([1; 32])),
            &format!("{}-9999999", ChunkId([1; 32])),
        ] {
            assert!(read_pieces(bad).is_err(), "{bad}");
        }
    }
}
