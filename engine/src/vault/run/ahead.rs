//! What is going to be read of a run, said before it is read, so that neighbours come from a far store together.
//!
//! Key decision: a walk says what the part of the directory at hand holds, whoever looks for many Ids says in which pages
//! they may lie. Nothing is fetched by saying so. It does not know why somebody reads.

use crate::base::error::Result;
use crate::base::id::RecordId;
use crate::format::pack::Location;
use crate::format::place::ChunkRef;
use crate::format::run::{PageEntry, PartEntry, RunPart};
use crate::vault::open::Vault;
use crate::vault::run::Run;
use crate::vault::shelf::Expected;

/// The longest request of a walk: many of them may go on at a time.
const WALK: u64 = 2 << 20;

/// What is said, as long as it is held.
pub struct AheadOf<'v> {
    /// First of the directory, then of pages.
    said: Vec<Option<Expected<'v>>>,
}

fn place(part: &PartEntry) -> Location {
    part.part.at[0]
}

impl<'v> AheadOf<'v> {
    /// All of a directory is going to be read.
    pub(super) fn directory(run: &Run<'v>) -> Self {
        let parts = run.head.parts.iter().map(place);
        Self {
            said: vec![run.vault.shelf.expect(parts, u64::MAX, false)],
        }
    }

    /// The pages of this part are next.
    pub(super) fn turn_to(&mut self, vault: &'v Vault, part: Option<&RunPart>) {
        let pages = || part.into_iter().flat_map(|part| &part.pages);
        let of = |chunk: fn(&PageEntry) -> Option<&ChunkRef>| {
            let chunks = pages().filter_map(chunk);
            vault.shelf.expect(chunks.map(|chunk| chunk.at), WALK, false)
        };
        self.said.truncate(1);
        self.said.extend([
            of(|page| Some(&page.keys)),
            of(|page| page.values.as_ref()),
            of(|page| page.derived.as_ref()),
        ]);
    }
}

impl<'v> Run<'v> {
    /// Whether it comes from a far store.
    pub fn is_far(&self) -> bool {
        self.vault.backend.is_far()
    }

    /// The keys of all pages are going to be read in which one of these Ids, which are in ascending order, may lie.
    pub fn expect_keys(&self, ids: &[RecordId]) -> Result<AheadOf<'v>> {
        let between = |first: RecordId, last: RecordId| {
            let next = ids.get(ids.partition_point(|id| *id < first));
            next.is_some_and(|id| *id <= last)
        };
        let parts = || {
            let parts = self.head.parts.iter().enumerate();
            parts.filter(|(_, part)| between(part.first, part.last))
        };
        let shelf = &self.vault.shelf;
        let directory = shelf.expect(parts().map(|(_, part)| place(part)), u64::MAX, true);
        let mut keys = Vec::new();
        for (number, _) in parts() {
            let part = self.part(number)?.unwrap_or_default();
            let pages = part.pages.iter().filter(|page| between(page.first, page.last));
            keys.extend(pages.map(|page| page.keys.at));
        }
        Ok(AheadOf {
            said: vec![directory, shelf.expect(keys, u64::MAX, true)],
        })
    }
}
