//! Everything that one catalog keeps alive, reference by reference: what prune, check, repair and erase go by.
//!
//! Key decision: a stream, with the owner of each chunk told before what lies below it, so that memory is one
//! directory part; directories are read through the cache. A chunk that several refer to is told as often. It never
//! looks at a listing, reads no chunks of pages but those whose records name the pieces of files, and asks the index for
//! these alone: nothing else says where they lie.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::error::{Error, Result};
use crate::base::id::{ChunkId, OrgId, PackId, RecordId};
use crate::format::blob::{PIECES, holds_bodies, read_pieces};
use crate::format::catalog::Node;
use crate::format::entry::{DraftEntry, RunEntry, SchemaEntry, prefix};
use crate::format::pack::Location;
use crate::format::page::Part;
use crate::format::place::{ChunkRef, MetaRef};
use crate::format::run::{RunHead, RunPart};
use crate::format::seal::ChunkKind;
use crate::vault::catalog::{Catalog, snapshot};
use crate::vault::open::Vault;

/// One reference to a chunk.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Its name.
    pub id: ChunkId,
    /// What it holds.
    pub kind: ChunkKind,
    /// Where the reference says that it lies: one place for data, two for metadata. A pack that is not live any more
    /// is no damage: the index knows where the chunk went. For a piece of a file it is where the index says, if it does.
    pub at: &'a [Location],
    /// What it belongs to.
    pub owner: Owner<'a>,
}

/// What a chunk belongs to, as far as that can be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The org; `None`: the vault itself.
    pub org: Option<OrgId>,
    /// The sObject.
    pub sobject: Option<&'a str>,
    /// Lowest and highest snapshot number: the one of a manifest, the span of a run or of a page.
    pub snapshots: Option<(u64, u64)>,
    /// Smallest and largest Id, of a run part or a page.
    pub ids: Option<(RecordId, RecordId)>,
}

/// Hears of what is alive. An error ends the walk.
pub trait Visit {
    /// A chunk is referred to.
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()>;

    /// A pack belongs to a capture that is not finished, with all that is in it.
    fn draft(&mut self, org: OrgId, pack: &PackId) -> Result<()>;

    /// A run's head or a part of its directory, told before, cannot be read: nothing below it will be told.
    /// Unless a visitor takes that, it ends the walk.
    fn unreadable(&mut self, seen: &Seen<'_>, error: Error) -> Result<()> {
        let _ = seen;
        Err(error)
    }
}

/// Tells `visit` of everything that `catalog` keeps alive.
///
/// # Errors
/// `Corrupt` for an entry of the catalog that cannot be read; what `visit` gives.
pub fn walk(vault: &Vault, catalog: &Catalog, visit: &mut dyn Visit) -> Result<()> {
    let head = Seen {
        id: catalog.root.catalog,
        kind: ChunkKind::CatalogHead,
        at: &catalog.root.locations,
        owner: Owner::default(),
    };
    visit.chunk(&head)?;
    for (org, (base, overlay)) in &catalog.head.nodes {
        let owner = Owner {
            org: *org,
            ..Owner::default()
        };
        meta(visit, ChunkKind::CatalogNode, base, owner)?;
        meta(visit, ChunkKind::CatalogNode, overlay, owner)?;
    }
    walk_since(vault, catalog, None, visit)
}

/// The same, the catalog's own chunks and all entries that stood in `before` left out: what a commit that came in
/// between may refer to.
pub(crate) fn walk_since(
    vault: &Vault,
    catalog: &Catalog,
    before: Option<&Catalog>,
    visit: &mut dyn Visit,
) -> Result<()> {
    for (org, node) in &catalog.nodes {
        let Some(org) = *org else { continue };
        let before = before.and_then(|before| before.node(org));
        Walk { vault, org, visit }.node(node, before)?;
    }
    Ok(())
}

fn meta(visit: &mut dyn Visit, kind: ChunkKind, to: &MetaRef, owner: Owner<'_>) -> Result<()> {
    let (id, at) = (to.id, &to.at);
    visit.chunk(&Seen { id, kind, at, owner })
}

struct Walk<'w> {
    vault: &'w Vault,
    org: OrgId,
    visit: &'w mut dyn Visit,
}

impl Walk<'_> {
    fn owner<'a>(&self, sobject: Option<&'a str>) -> Owner<'a> {
        Owner {
            org: Some(self.org),
            sobject,
            ..Owner::default()
        }
    }

    fn node(&mut self, node: &Node, before: Option<&Node>) -> Result<()> {
        for (key, value) in node.scan(&[]) {
            if before.is_some_and(|before| before.get(key) == Some(value)) {
                continue;
            }
            match key.first() {
                Some(&prefix::SNAPSHOT) => self.snapshot(key, value)?,
                Some(&prefix::SCHEMA) => self.schema(sobject(key)?, &SchemaEntry::decode(value)?)?,
                Some(&prefix::RUN) => self.run(sobject(key)?, &RunEntry::decode(value)?)?,
                Some(&prefix::DRAFT) => {
                    let packs = DraftEntry::decode(value)?.packs;
                    packs
                        .iter()
                        .try_for_each(|pack| self.visit.draft(self.org, pack))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn snapshot(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let (info, entry) = snapshot(self.org, key, value)?;
        let owner = Owner {
            snapshots: Some((info.number, info.number)),
            ..self.owner(None)
        };
        meta(self.visit, ChunkKind::Manifest, &entry.manifest, owner)
    }

    fn schema(&mut self, sobject: &str, entry: &SchemaEntry) -> Result<()> {
        let owner = self.owner(Some(sobject));
        meta(self.visit, ChunkKind::Schema, &entry.schema, owner)?;
        match &entry.describe {
            Some(describe) => meta(self.visit, ChunkKind::Describe, describe, owner),
            None => Ok(()),
        }
    }

    fn run(&mut self, sobject: &str, run: &RunEntry) -> Result<()> {
        let owner = Owner {
            snapshots: Some((run.low, run.high)),
            ..self.owner(Some(sobject))
        };
        let Some(bytes) = self.directory(ChunkKind::RunHead, &run.head, owner)? else {
            return Ok(());
        };
        for entry in RunHead::decode(&bytes)?.parts {
            let owner = Owner {
                ids: Some((entry.first, entry.last)),
                ..owner
            };
            if let Some(bytes) = self.directory(ChunkKind::RunPart, &entry.part, owner)? {
                self.pages(&RunPart::decode(&bytes)?, run.low, owner)?;
            }
        }
        Ok(())
    }

    /// Tells of a chunk of a directory, then reads it; `None` if the visitor goes on without.
    fn directory(
        &mut self,
        kind: ChunkKind,
        to: &MetaRef,
        owner: Owner<'_>,
    ) -> Result<Option<std::sync::Arc<[u8]>>> {
        self.vault.go_on()?;
        meta(self.visit, kind, to, owner)?;
        match self.vault.meta(kind, to) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => {
                let (id, at) = (to.id, &to.at);
                self.visit
                    .unreadable(&Seen { id, kind, at, owner }, error)
                    .map(|()| None)
            }
        }
    }

    fn pages(&mut self, part: &RunPart, low: u64, owner: Owner<'_>) -> Result<()> {
        for page in &part.pages {
            let owner = Owner {
                snapshots: Some((low + page.span.0, low + page.span.1)),
                ids: Some((page.first, page.last)),
                ..owner
            };
            let mut tell = |kind, chunk: &ChunkRef| {
                let (id, at) = (chunk.id, std::slice::from_ref(&chunk.at));
                self.visit.chunk(&Seen { id, kind, at, owner })
            };
            tell(ChunkKind::PageKeys, &page.keys)?;
            page.values
                .iter()
                .try_for_each(|chunk| tell(ChunkKind::PageValues, chunk))?;
            page.derived
                .iter()
                .try_for_each(|chunk| tell(ChunkKind::PageDerived, chunk))?;
            if let (Some(values), Some(sobject)) = (&page.values, owner.sobject)
                && holds_bodies(sobject)
            {
                self.pieces(values, owner)?;
            }
        }
        Ok(())
    }

    /// The pieces of the files of a page of bodies' records.
    fn pieces(&mut self, values: &ChunkRef, owner: Owner<'_>) -> Result<()> {
        self.vault.go_on()?;
        let kind = ChunkKind::PageValues;
        let part = match self.vault.chunk(kind, values) {
            Ok(bytes) => Part::decode_rows(&std::sync::Arc::new(bytes), None)?,
            Err(error) => {
                let (id, at) = (values.id, std::slice::from_ref(&values.at));
                return self.visit.unreadable(&Seen { id, kind, at, owner }, error);
            }
        };
        let mut ids = BTreeSet::new();
        let column = part.columns.iter().find(|column| column.name == PIECES);
        for cell in column.iter().flat_map(|column| column.cells.iter().flatten()) {
            let text = std::str::from_utf8(part.bytes(cell)).unwrap_or_default();
            ids.extend(read_pieces(text)?.into_iter().map(|piece| piece.id));
        }
        let ids: Vec<ChunkId> = ids.into_iter().collect();
        for (id, at) in ids.iter().zip(self.vault.locate(&ids)?) {
            let (id, kind, at) = (*id, ChunkKind::Blob, at.as_slice());
            self.visit.chunk(&Seen { id, kind, at, owner })?;
        }
        Ok(())
    }
}

/// The sObject in a key: what stands before the zero.
fn sobject(key: &[u8]) -> Result<&str> {
    let name = key.get(1..).and_then(|rest| rest.split(|b| *b == 0).next());
    std::str::from_utf8(name.unwrap_or_default())
        .map_err(|_| Error::corrupt("catalog", "a name that is not UTF-8"))
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(org) = self.org else {
            return f.write_str("the vault itself");
        };
        write!(f, "org {org}")?;
        if let Some(sobject) = self.sobject {
            write!(f, ", {sobject}")?;
        }
        if let Some((first, last)) = self.ids {
            write!(f, ", Ids {first} to {last}")?;
        }
        match self.snapshots {
            Some((one, same)) if one == same => write!(f, ", snapshot {one}"),
            Some((low, high)) => write!(f, ", snapshots {low} to {high}"),
            None => Ok(()),
        }
    }
}
