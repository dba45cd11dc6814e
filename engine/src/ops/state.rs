//! An org as it was at a snapshot: every record, one record, and the describes of the time.
//!
//! Key decision: records are put together from key and value parts only when asked for, one at a time, and nothing is
//! held but one page a run; whole sObjects as text are made in blocks, on all cores. It writes nothing anywhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId};
use crate::format::describe::Describe;
use crate::format::entry::RunEntry;
use crate::format::manifest::Manifest;
use crate::format::page::{KeyRow, VersionKind};
use crate::format::schema::{Role, Schema};
use crate::format::seal::ChunkKind;
use crate::ops::render::Renderer;
use crate::ops::view::{AtHand, View};
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::open::Vault;
use crate::vault::run::{Finder, Values};

/// A record as a snapshot saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its Id.
    pub id: RecordId,
    /// The whole record: `{"AccountId":"..","Id":"..",..}`, nulls left out.
    pub json: String,
    /// The snapshot that saw this version first.
    pub snapshot: u64,
}

/// An org at a snapshot. Reads take no lock; the catalog it began with stays, until something that it names has been
/// collected.
pub struct State<'v> {
    pub(crate) view: View<'v>,
    schemas: RefCell<HashMap<(String, u32), Arc<Schema>>>,
    renderer: RefCell<Renderer>,
}

impl<'v> State<'v> {
    /// The state at that snapshot.
    pub fn at(vault: &'v Vault, snapshot: &SnapshotInfo) -> Self {
        Self {
            view: View::new(vault, snapshot),
            schemas: RefCell::default(),
            renderer: RefCell::default(),
        }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &SnapshotInfo {
        &self.view.snapshot
    }

    /// The sObjects that had been captured by then, in order of their names. One that never had a record by then,
    /// and was read again since, is left out: the catalog keeps only the newest reading of each.
    pub fn sobjects(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for (name, object) in self.view.catalog().objects(self.org())? {
            if object.snapshot <= self.view.snapshot.number || !self.runs(&name)?.is_empty() {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(super) fn org(&self) -> OrgId {
        self.view.snapshot.org
    }

    pub(super) fn runs(&self, sobject: &str) -> Result<Vec<RunEntry>> {
        self.view.runs(sobject, 0)
    }

    /// What the snapshot says of itself.
    pub fn manifest(&self) -> Result<Manifest> {
        self.view.steady(|| {
            let entry = self
                .view
                .catalog()
                .snapshot_entry(self.org(), self.view.snapshot.number)?;
            Manifest::decode(&self.view.vault.meta(ChunkKind::Manifest, &entry.manifest)?)
        })
    }

    /// The newest describe of an sObject.
    ///
    /// # Errors
    /// `NotFound` if its records were imported without one.
    pub fn describe(&self, sobject: &str) -> Result<Describe> {
        Describe::parse(&self.describe_text(sobject)?)
    }

    /// The same, as the text that the org sent.
    ///
    /// # Errors
    /// As [`State::describe`].
    pub fn describe_text(&self, sobject: &str) -> Result<Vec<u8>> {
        let object = self.view.catalog().object(self.org(), sobject)?;
        let object = object.ok_or_else(|| self.unknown(sobject))?;
        self.describe_text_under(sobject, object.schema)
    }

    /// The text of the describe that an sObject had under the schema of that number.
    ///
    /// # Errors
    /// As [`State::describe`].
    pub(crate) fn describe_text_under(&self, sobject: &str, schema: u32) -> Result<Vec<u8>> {
        match self.view.catalog().schema(self.org(), sobject, schema)?.describe {
            Some(describe) => Ok(self.view.vault.meta(ChunkKind::Describe, &describe)?.to_vec()),
            None => Err(Error::new(
                Kind::NotFound,
                format!("{sobject} was imported without a describe"),
            )
            .hint("import it with `<sObject>.describe.json` beside the data")),
        }
    }

    /// The describe that an sObject had under the schema of that number.
    ///
    /// # Errors
    /// As [`State::describe`].
    pub(crate) fn describe_under(&self, sobject: &str, schema: u32) -> Result<Describe> {
        match self.view.catalog().schema(self.org(), sobject, schema)?.describe {
            Some(describe) => Describe::parse(&self.view.vault.meta(ChunkKind::Describe, &describe)?),
            None => self.describe(sobject),
        }
    }

    pub(super) fn unknown(&self, sobject: &str) -> Error {
        Error::new(
            Kind::NotFound,
            format!("org {} has no sObject {sobject} in this vault", self.org()),
        )
        .hint("`halite snapshots` tells what was captured")
    }

    /// The schema of that number.
    pub(crate) fn schema(&self, sobject: &str, number: u32) -> Result<Arc<Schema>> {
        if let Some(schema) = self.schemas.borrow().get(&(sobject.to_owned(), number)) {
            return Ok(Arc::clone(schema));
        }
        let schema = self
            .view
            .steady(|| schema_of(self.view.vault, &self.view.catalog(), self.org(), sobject, number))?;
        let schema = Arc::new(schema);
        self.schemas
            .borrow_mut()
            .insert((sobject.to_owned(), number), Arc::clone(&schema));
        Ok(schema)
    }

    /// Gives every live record of an sObject to `each`, in order of Ids.
    pub fn each(&self, sobject: &str, each: &mut dyn FnMut(&Record) -> Result<()>) -> Result<()> {
        if self.view.catalog().object(self.org(), sobject)?.is_none() {
            return Err(self.unknown(sobject));
        }
        let mut cursor = self.view.rows(sobject, 0);
        let mut record = Record {
            id: RecordId::MIN,
            json: String::new(),
            snapshot: 0,
        };
        while let Some(version) = cursor.next(true)? {
            if version.key.kind.is_live()
                && self.fill(sobject, &version.key, version.values.as_ref(), &mut record)?
            {
                each(&record)?;
            }
        }
        Ok(())
    }

    /// Gives every record of an sObject that is known to be gone to `each`, and how, in order of Ids.
    pub fn each_gone(
        &self,
        sobject: &str,
        each: &mut dyn FnMut(RecordId, VersionKind) -> Result<()>,
    ) -> Result<()> {
        let mut cursor = self.view.rows(sobject, 0);
        while let Some(version) = cursor.next(false)? {
            if !version.key.kind.is_live() {
                each(version.key.id, version.key.kind)?;
            }
        }
        Ok(())
    }

    /// The version of a record in force, tombstones included; `None` if it was never seen by then.
    pub(crate) fn version(&self, sobject: &str, id: RecordId) -> Result<Option<(KeyRow, Option<Record>)>> {
        self.version_near(sobject, id, &mut AtHand::default())
    }

    /// The same, near a record of that sObject that was looked up before.
    pub(crate) fn version_near(
        &self,
        sobject: &str,
        id: RecordId,
        at_hand: &mut AtHand<'v>,
    ) -> Result<Option<(KeyRow, Option<Record>)>> {
        self.view.find((sobject, 0), at_hand, |finder| {
            self.view.whole(sobject, 0, Some(id))?;
            self.version_by(finder, sobject, id)
        })
    }

    /// The keys of the version in force, near a record of that sObject that was looked up before.
    pub(crate) fn key_near(
        &self,
        sobject: &str,
        id: RecordId,
        at_hand: &mut AtHand<'v>,
    ) -> Result<Option<KeyRow>> {
        let hits = self.view.find((sobject, 0), at_hand, |finder| {
            self.view.whole(sobject, 0, Some(id))?;
            finder.find(id, self.view.snapshot.number, false)
        })?;
        Ok(hits.first().map(|hit| hit.key))
    }

    /// The version of a record in force, with the help of a finder over the runs of the sObject.
    pub(crate) fn version_by(
        &self,
        finder: &mut Finder<'_>,
        sobject: &str,
        id: RecordId,
    ) -> Result<Option<(KeyRow, Option<Record>)>> {
        self.version_upto(finder, sobject, id, self.view.snapshot.number)
    }

    /// The version that was in force at another snapshot before this one, kept or not.
    pub(crate) fn version_upto(
        &self,
        finder: &mut Finder<'_>,
        sobject: &str,
        id: RecordId,
        upto: u64,
    ) -> Result<Option<(KeyRow, Option<Record>)>> {
        let hits = finder.find(id, upto, false)?;
        let Some(key) = hits.first().map(|hit| hit.key) else {
            return Ok(None);
        };
        if !key.kind.is_live() {
            return Ok(Some((key, None)));
        }
        let mut record = Record {
            id,
            json: String::new(),
            snapshot: 0,
        };
        let there = self.fill(sobject, &key, finder.values(&hits)?.as_ref(), &mut record)?;
        Ok(Some((key, there.then_some(record))))
    }

    /// One live record; for many, see [`crate::ops::lookup`].
    pub fn get(&self, sobject: &str, id: RecordId) -> Result<Option<Record>> {
        Ok(self.version(sobject, id)?.and_then(|(_, record)| record))
    }

    /// How a record is gone, if it is known to be.
    pub fn gone(&self, sobject: &str, id: RecordId) -> Result<Option<VersionKind>> {
        let key = self.key_near(sobject, id, &mut AtHand::default())?;
        Ok(key.map(|key| key.kind).filter(|kind| !kind.is_live()))
    }

    /// The sObject that a record is of: by the first characters of its Id, else by looking.
    pub fn sobject_of(&self, id: RecordId) -> Result<Option<String>> {
        let view = &self.view;
        view.steady(|| sobject_of(view.vault, &view.catalog(), self.org(), id))
    }

    /// Puts a record together; false if its values are lost and that is passed over.
    fn fill(
        &self,
        sobject: &str,
        key: &KeyRow,
        values: Option<&Values>,
        record: &mut Record,
    ) -> Result<bool> {
        let Some(values) = values else {
            let id = key.id;
            let why = format_args!("{sobject} {id}");
            return self.view.vault.pass_over(why).map(|()| false);
        };
        let schema = self.schema(sobject, key.schema)?;
        let mut bytes = std::mem::take(&mut record.json).into_bytes();
        bytes.clear();
        let has_deleted = schema.has(Role::Deleted);
        self.renderer
            .borrow_mut()
            .render(key, values, has_deleted, &mut bytes);
        let text = String::from_utf8(bytes);
        record.json =
            text.map_err(|_| Error::corrupt(format_args!("{sobject} {}", key.id), "text that is not UTF-8"))?;
        (record.id, record.snapshot) = (key.id, key.snapshot);
        Ok(true)
    }
}

/// The schema of that number.
pub(super) fn schema_of(
    vault: &Vault,
    catalog: &Catalog,
    org: OrgId,
    sobject: &str,
    number: u32,
) -> Result<Schema> {
    let entry = catalog.schema(org, sobject, number)?;
    Schema::decode(&vault.meta(ChunkKind::Schema, &entry.schema)?)
}

/// See [`State::sobject_of`].
pub(crate) fn sobject_of(
    vault: &Vault,
    catalog: &Catalog,
    org: OrgId,
    id: RecordId,
) -> Result<Option<String>> {
    let objects = catalog.objects(org)?;
    let (mut fits, others): (Vec<_>, Vec<_>) = objects
        .into_iter()
        .partition(|(_, o)| o.key_prefix == id.prefix());
    fits.extend(others.into_iter().filter(|(_, o)| o.key_prefix == [0; 3]));
    for (name, _) in fits {
        let hits = Finder::new(vault, &catalog.runs(org, &name)?).find(id, u64::MAX, false)?;
        if !hits.is_empty() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
