//! All versions of one record: which snapshot saw it first, what changed, when it went and came back.
//!
//! Key decision: one seek a run, by directory and filter. A version whose stamps alone moved is listed as such.
//! It does not look at snapshots that saw nothing new of the record.

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{OrgId, RecordId};
use crate::format::page::VersionKind;
use crate::format::schema::Role;
use crate::format::seal::ChunkKind;
use crate::ops::diff::differing;
use crate::ops::render::Renderer;
use crate::ops::state::sobject_of;
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::open::Vault;
use crate::vault::run::versions;

/// One version of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// API name.
    pub sobject: String,
    /// The snapshot that saw it first, if it is still kept.
    pub snapshot: Option<SnapshotInfo>,
    /// What it is.
    pub kind: VersionKind,
    /// The whole record, if it is live.
    pub json: Option<String>,
    /// The fields that differ from the live version before.
    pub fields: Vec<String>,
}

/// The versions of a record, oldest first.
///
/// # Errors
/// `NotFound` if no kept snapshot of the org ever saw it.
pub fn history(vault: &Vault, org: OrgId, id: RecordId) -> Result<Vec<Version>> {
    loop {
        let catalog = vault.catalog();
        match under(vault, &catalog, org, id) {
            // What it read was collected: once more under a newer root, if there is one.
            Err(error) if error.kind() == Kind::Busy && vault.refresh()?.version() != catalog.version() => {}
            done => return done,
        }
    }
}

fn under(vault: &Vault, catalog: &Catalog, org: OrgId, id: RecordId) -> Result<Vec<Version>> {
    let sobject = sobject_of(vault, catalog, org, id)?.ok_or_else(|| {
        Error::new(
            Kind::NotFound,
            format!("no snapshot of org {org} has a record {id}"),
        )
    })?;
    for (_, hole) in catalog.holes(org, &sobject)? {
        if hole.costs_versions() && hole.covers(id) {
            vault.pass_over(format_args!("{sobject}, {hole}"))?;
        }
    }
    let snapshots = catalog.snapshots(org)?;
    let (mut history, mut before): (Vec<Version>, Option<String>) = (Vec::new(), None);
    for version in versions(vault, &catalog.runs(org, &sobject)?, id)?
        .into_iter()
        .rev()
    {
        let json = match &version.values {
            Some(values) if version.key.kind.is_live() => {
                let entry = catalog.schema(org, &sobject, version.key.schema)?;
                let schema = vault.meta(ChunkKind::Schema, &entry.schema)?;
                let schema = crate::format::schema::Schema::decode(&schema)?;
                let mut out = Vec::new();
                Renderer::default().render(&version.key, values, schema.has(Role::Deleted), &mut out);
                Some(String::from_utf8(out).map_err(|_| Error::corrupt("record", "text that is not UTF-8"))?)
            }
            _ => None,
        };
        let fields = match (&before, &json) {
            (Some(before), Some(json)) => differing(before, json)?,
            _ => Vec::new(),
        };
        let snapshot = snapshots
            .iter()
            .find(|s| s.number == version.key.snapshot)
            .cloned();
        before = json.clone();
        history.push(Version {
            sobject: sobject.clone(),
            snapshot,
            kind: version.key.kind,
            json,
            fields,
        });
    }
    Ok(history)
}
