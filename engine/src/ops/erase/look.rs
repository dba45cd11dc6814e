//! One chunk, searched for given Ids: versions of them, and where else they stand as text.
//!
//! Key decision: by kind, since keys hold Ids as numbers and value parts hold them with their beginnings left out; all
//! other kinds are searched as bytes. An Id counts wherever its 15 characters stand within letters and digits. It does
//! not know whether the chunk is alive.

use std::collections::HashSet;

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::page::{Part, decode_derived, decode_keys};
use crate::format::seal::ChunkKind;

/// The Ids that are looked for.
pub struct Wanted(HashSet<[u8; 15]>);

/// What a chunk says of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Versions of them.
    pub versions: u64,
    /// Values, stamps and other places that name one of them.
    pub mentions: u64,
}

impl Wanted {
    /// These Ids.
    pub fn new<'i>(ids: impl IntoIterator<Item = &'i RecordId>) -> Self {
        Self(ids.into_iter().map(|id| *id.as_bytes()).collect())
    }

    /// Whether a text names one of them.
    pub fn named_in(&self, text: &[u8]) -> bool {
        text.split(|c| !c.is_ascii_alphanumeric())
            .flat_map(|word| word.windows(15))
            .any(|window| <[u8; 15]>::try_from(window).is_ok_and(|id| self.0.contains(&id)))
    }

    fn has(&self, id: RecordId) -> bool {
        self.0.contains(id.as_bytes())
    }

    /// Searches the plaintext of a chunk.
    ///
    /// # Errors
    /// `Corrupt` if it cannot be read as what it says that it is.
    pub fn look(&self, kind: ChunkKind, plain: &[u8]) -> Result<Look> {
        let mut look = Look::default();
        match kind {
            ChunkKind::PageKeys => {
                for key in decode_keys(0, plain)? {
                    look.versions += u64::from(self.has(key.id));
                    let others = key.modified_by.into_iter().chain(key.winner);
                    look.mentions += others.filter(|id| self.has(*id)).count() as u64;
                }
            }
            ChunkKind::PageValues => look.mentions = self.cells(&Part::decode(plain)?),
            ChunkKind::PageDerived => look.mentions = self.cells(&decode_derived(plain)?.1),
            _ => look.mentions = u64::from(self.named_in(plain)),
        }
        Ok(look)
    }

    fn cells(&self, part: &Part) -> u64 {
        let cells = part
            .columns
            .iter()
            .flat_map(|column| column.cells.iter().flatten());
        cells.filter(|cell| self.named_in(part.bytes(cell))).count() as u64
    }
}

/// Whether chunks of a kind hold records or name them, so that none may be left to which nothing refers: of a value
/// part alone nobody can tell whose it was.
pub fn holds_records(kind: ChunkKind) -> bool {
    use ChunkKind::{
        Blob, BlobMap, Ids, Journal, Manifest, PageDerived, PageKeys, PageValues, RunHead, RunPart,
    };
    matches!(
        kind,
        PageKeys | PageValues | PageDerived | RunHead | RunPart | Blob | BlobMap | Journal | Ids | Manifest
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_within_text() {
        let ids: Vec<RecordId> = ["0012300000bVTq1", "0012300000bVTq2"]
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        let wanted = Wanted::new(&ids[..1]);
        for text in [
            "0012300000bVTq1",
            "0012300000bVTq1AAG",
            "see https://x/0012300000bVTq1/view",
            "x0012300000bVTq1y",
        ] {
            assert!(wanted.named_in(text.as_bytes()), "{text}");
        }
        for text in ["", "0012300000bVTq2", "0012300000bVTQ1", "0012300000bVT q1"] {
            assert!(!wanted.named_in(text.as_bytes()), "{text}");
        }
    }
}
