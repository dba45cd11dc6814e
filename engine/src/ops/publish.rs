//! From what was captured to a snapshot: directories, schemas, manifest and catalog entries in one commit.
//!
//! Key decision: the commit refuses if another capture of this org came first or a pack that was relied on is no
//! longer live: a loser compares anew, it never re-attaches. It writes no pages: those are durable before.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, OrgId, SnapshotId};
use crate::base::stamp::Stamp;
use crate::format::draft::DoneSlot;
use crate::format::entry::{
    self, DraftEntry, ObjectEntry, RunEntry, SchemaEntry, SnapshotEntry, named, of_sobject, prefix,
};
use crate::format::loss::HoleEntry;
use crate::format::manifest::{Captured, Manifest};
use crate::format::place::MetaRef;
use crate::format::schema::Schema;
use crate::format::seal::ChunkKind;
use crate::ops::org::Spent;
use crate::ops::report::Report;
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::commit::Edit;
use crate::vault::open::Vault;
use crate::vault::run::NewRun;
use crate::vault::writer::Writer;

/// A snapshot about to be.
pub struct Draft {
    /// The org.
    pub org: OrgId,
    /// Its number: one more than the newest.
    pub number: u64,
    /// The name of the newest one: a number alone may come again, after the org was forgotten.
    pub after: Option<SnapshotId>,
    /// Its random name.
    pub name: SnapshotId,
    /// The fence of the draft that it goes on from, if there is one in the catalog.
    pub held: Option<u64>,
    /// The drafts of other workers that it is made of too, and their fences.
    pub beside: Vec<(SnapshotId, u64)>,
    /// U.
    pub from: Stamp,
    /// E.
    pub until: Stamp,
    /// What read it.
    pub source: String,
    /// Each sObject that was looked at.
    pub sobjects: Vec<Done>,
}

/// What one sObject adds.
pub struct Done {
    /// Counts and digests, or why it was not read.
    pub captured: Captured,
    /// Whether it should have been read and could not be.
    pub failed: bool,
    /// Its new runs.
    pub runs: Vec<NewRun>,
    /// A schema that is new.
    pub schema: Option<NewSchema>,
    /// Where the next increment begins.
    pub read_from: Stamp,
    /// First characters of its Ids.
    pub key_prefix: [u8; 3],
    /// The holes that were open when all of it was read: from this snapshot on they are filled.
    pub filled: Vec<ChunkId>,
}

/// A schema to be named in a catalog.
pub enum NewSchema {
    /// It goes with the commit that names it, and so does the describe it came from.
    Here(Arc<Schema>, Option<Vec<u8>>),
    /// It is written.
    Written(SchemaEntry),
}

impl NewSchema {
    fn enter(&self, edit: &mut Edit<'_>) -> Result<SchemaEntry> {
        match self {
            Self::Here(schema, describe) => {
                let schema = edit.put(ChunkKind::Schema, &schema.encode())?;
                let put = |text: &Vec<u8>| edit.put(ChunkKind::Describe, text);
                let describe = describe.as_ref().map(put).transpose()?;
                Ok(SchemaEntry { schema, describe })
            }
            Self::Written(entry) => Ok(entry.clone()),
        }
    }
}

impl Done {
    /// One that was not read, and why.
    pub fn skipped(name: &str, why: String) -> Self {
        let captured = Captured {
            name: name.to_owned(),
            skipped: Some(why),
            ..Captured::default()
        };
        Self {
            captured,
            failed: false,
            runs: Vec::new(),
            schema: None,
            read_from: Stamp::NONE,
            key_prefix: [0; 3],
            filled: Vec::new(),
        }
    }

    /// Writes what is not written, with a commit.
    pub fn enter(&self, edit: &mut Edit<'_>) -> Result<DoneSlot> {
        let schema = self.schema.as_ref().map(|schema| schema.enter(edit));
        let schema = schema.transpose()?;
        let mut runs = Vec::new();
        for run in &self.runs {
            runs.extend(run.enter(edit, &self.captured.name)?);
        }
        Ok(DoneSlot {
            captured: self.captured.clone(),
            failed: self.failed,
            runs,
            schema,
            read_from: self.read_from,
            key_prefix: self.key_prefix,
            filled: self.filled.clone(),
        })
    }
}

impl From<DoneSlot> for Done {
    fn from(slot: DoneSlot) -> Self {
        Self {
            captured: slot.captured,
            failed: slot.failed,
            runs: slot.runs.into_iter().map(NewRun::Written).collect(),
            schema: slot.schema.map(NewSchema::Written),
            read_from: slot.read_from,
            key_prefix: slot.key_prefix,
            filled: slot.filled,
        }
    }
}

impl Draft {
    /// What the catalog would say of it if it were published now.
    pub fn info(&self, taken: Stamp) -> SnapshotInfo {
        SnapshotInfo {
            number: self.number,
            name: self.name,
            org: self.org,
            from: self.from,
            until: self.until,
            taken,
            source: self.source.clone(),
        }
    }

    /// What is to be told of it.
    pub fn report(&self, info: &SnapshotInfo, bytes: u64, spent: Spent) -> Report {
        let failed = self.sobjects.iter().filter(|done| done.failed);
        Report {
            failed: failed.map(|done| done.captured.name.clone()).collect(),
            ..Report::of(
                info,
                self.sobjects.iter().map(|done| &done.captured),
                bytes,
                spent,
            )
        }
    }
}

/// The number that the next snapshot of an org gets, and the name of the newest.
pub fn next_number(vault: &Vault, org: OrgId) -> Result<(u64, Option<SnapshotId>)> {
    let snapshots = vault.snapshots(org)?;
    Ok(snapshots
        .last()
        .map_or((1, None), |s| (s.number + 1, Some(s.name))))
}

/// The number that a schema has in its org.
pub struct Numbered {
    /// The number.
    pub number: u32,
    /// Whether it is a new one, to be written.
    pub fresh: bool,
    /// Whether its fields are those of the schema before.
    pub same_fields: bool,
}

/// The number of the newest schema if it is this one, describe included, else the next.
pub fn numbered(vault: &Vault, org: OrgId, schema: &Schema, describe: Option<&[u8]>) -> Result<Numbered> {
    let catalog = vault.catalog();
    let Some(before) = catalog.object(org, schema.sobject())? else {
        return Ok(Numbered {
            number: 1,
            fresh: true,
            same_fields: false,
        });
    };
    let entry = catalog.schema(org, schema.sobject(), before.schema)?;
    let id = describe.map(|text| vault.keys.chunk_id(ChunkKind::Describe, text));
    let same_fields = is_stored(vault, &catalog, schema, &entry.schema)?;
    let fresh = !same_fields || entry.describe.map(|d| d.id) != id;
    Ok(Numbered {
        number: before.schema + u32::from(fresh),
        fresh,
        same_fields,
    })
}

/// Whether a schema is the one that is stored: mostly its name says so, and it need not be read. Not if that is lost.
fn is_stored(vault: &Vault, catalog: &Catalog, schema: &Schema, stored: &MetaRef) -> Result<bool> {
    if catalog.is_lost(&stored.id) {
        return Ok(false);
    }
    if vault.keys.chunk_id(ChunkKind::Schema, &schema.encode()) == stored.id {
        return Ok(true);
    }
    Ok(Schema::decode(&vault.meta(ChunkKind::Schema, stored)?)? == *schema)
}

/// The holes of an sObject that are not filled.
pub fn open_holes(vault: &Vault, org: OrgId, sobject: &str) -> Result<Vec<(ChunkId, HoleEntry)>> {
    let mut holes = vault.catalog().holes(org, sobject)?;
    holes.retain(|(_, hole)| hole.filled == 0);
    Ok(holes)
}

/// Makes everything durable, then visible.
///
/// # Errors
/// `Busy`: another capture of this org was published meanwhile; nothing is visible then.
pub fn publish(vault: &Vault, mut writer: Writer<'_>, draft: &Draft) -> Result<(SnapshotInfo, u64)> {
    let synced = writer.sync();
    // From here on an error may hide a root that does name the packs: then they stay.
    let mut entered = false;
    let result = synced.and_then(|()| {
        let (packs, _, bytes) = writer.written();
        let packs = packs.to_vec();
        let catalog = vault.commit(&packs, &mut |edit| {
            entered = false;
            if edit.before.snapshots(draft.org)?.last().map(|s| s.name) != draft.after {
                let message = format!(
                    "another capture of org {} was published meanwhile, or it was forgotten",
                    draft.org
                );
                return Err(Error::new(Kind::Busy, message).hint("nothing was published; run it again"));
            }
            fence_is(&edit.before, draft.org, draft.name, draft.held)?;
            for (name, fence) in &draft.beside {
                fence_is(&edit.before, draft.org, *name, Some(*fence))?;
            }
            writer.stands(&edit.before)?;
            enter(edit, draft, vault.clock.now())?;
            entered = true;
            Ok(())
        })?;
        Ok((catalog, bytes))
    });
    match result {
        Ok((catalog, bytes)) => {
            let all = catalog.snapshots(draft.org)?;
            let info = all.into_iter().find(|s| s.name == draft.name);
            let info = info.ok_or_else(|| Error::corrupt("catalog", "the new snapshot is not in it"))?;
            Ok((info, bytes))
        }
        Err(error) => {
            if !entered {
                writer.discard();
            }
            Err(error)
        }
    }
}

/// Fails unless a capture's draft has this fence in the catalog, or is not there.
pub fn fence_is(catalog: &Catalog, org: OrgId, name: SnapshotId, held: Option<u64>) -> Result<()> {
    let key = named(prefix::DRAFT, &name.0);
    let entry = catalog.node(org).and_then(|node| node.get(&key));
    let fence = entry
        .map(DraftEntry::decode)
        .transpose()?
        .map(|entry| entry.fence);
    if fence == held {
        return Ok(());
    }
    let message = format!("the capture of org {org} was taken over by another process, or given up");
    Err(Error::new(Kind::Busy, message)
        .hint("what was saved goes on there; run it again if that stopped too"))
}

/// Writes the entries of a snapshot, which ends all drafts of the org: they began after the one before it.
fn enter(edit: &mut Edit<'_>, draft: &Draft, taken: Stamp) -> Result<()> {
    for done in draft
        .sobjects
        .iter()
        .filter(|done| done.captured.skipped.is_none())
    {
        enter_sobject(edit, draft, done)?;
    }
    let drafts: Vec<_> = edit
        .node(Some(draft.org))
        .scan(&[prefix::DRAFT])
        .map(|(key, _)| key.to_vec())
        .collect();
    drafts
        .iter()
        .for_each(|key| edit.node(Some(draft.org)).remove(key));
    let sobjects = draft.sobjects.iter().map(|done| done.captured.clone()).collect();
    let Draft {
        org,
        number,
        name,
        from,
        until,
        ..
    } = *draft;
    let source = draft.source.clone();
    let manifest = Manifest {
        org,
        name,
        number,
        from,
        until,
        source: source.clone(),
        sobjects,
    };
    let manifest = edit.put(ChunkKind::Manifest, &manifest.encode())?;
    let entry = SnapshotEntry {
        name,
        from,
        until,
        taken,
        source,
        manifest,
    };
    edit.node(Some(org))
        .put(entry::numbered(prefix::SNAPSHOT, number), entry.encode());
    Ok(())
}

fn enter_sobject(edit: &mut Edit<'_>, draft: &Draft, done: &Done) -> Result<()> {
    let (org, captured, number) = (Some(draft.org), &done.captured, draft.number);
    let done = done.enter(edit)?;
    if let Some(entry) = &done.schema {
        let key = of_sobject(prefix::SCHEMA, &captured.name, &[u64::from(captured.schema)]);
        edit.node(org).put(key, entry.encode());
    }
    for (ordinal, (rows, head)) in (0..).zip(done.runs) {
        let (low, high) = (number, number);
        let entry = RunEntry {
            low,
            high,
            rows,
            head,
        };
        let key = of_sobject(prefix::RUN, &captured.name, &[number, number, ordinal]);
        edit.node(org).put(key, entry.encode());
    }
    for chunk in &done.filled {
        let key = HoleEntry::key(&captured.name, chunk);
        let open = edit.node(org).get(&key).map(HoleEntry::decode).transpose()?;
        if let Some(hole) = open.filter(|hole| hole.filled == 0) {
            let filled = HoleEntry {
                filled: number,
                ..hole
            };
            edit.node(org).put(key, filled.encode());
        }
    }
    let entry = ObjectEntry {
        schema: captured.schema,
        snapshot: number,
        live: captured.live,
        read_from: done.read_from,
        content: captured.content,
        stamps: captured.stamps_digest,
        key_prefix: done.key_prefix,
        agreed: captured.agreed,
        left_out: captured.left_out,
        out_of_sight: captured.out_of_sight,
    };
    edit.node(org)
        .put(named(prefix::OBJECT, captured.name.as_bytes()), entry.encode());
    Ok(())
}
