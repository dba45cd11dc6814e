//! Whether an org shows as much as it did to the last capture: asked before another user takes over.
//!
//! Key decision: what is compared is what a snapshot holds (sObjects, fields of their schemas, live records) with what the
//! org lists, describes and counts now; of counts those of the largest alone, since each costs. It decides nothing: a
//! person does.

use std::collections::BTreeMap;

use crate::base::error::Result;
use crate::base::id::OrgId;
use crate::format::describe::Describe;
use crate::format::entry::ObjectEntry;
use crate::format::schema::Schema;
use crate::format::seal::ChunkKind;
use crate::ops::org::Source;
use crate::vault::open::Vault;

/// How many sObjects are counted, the largest first.
const COUNTED: usize = 25;
/// Fewer rows than this share of what is held, in percent, and by more than so many, are told.
const SHARE: u64 = 90;
const ROWS: u64 = 10;

/// What is not seen any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Unseen {
    /// sObjects, and how many live records of each are held.
    pub sobjects: Vec<(String, u64)>,
    /// Fields, as `Account.Name`.
    pub fields: Vec<String>,
    /// sObjects of which far fewer rows are seen: how many are held, and how many the org counts.
    pub fewer: Vec<(String, u64, u64)>,
    /// sObjects that were looked at.
    pub looked_at: usize,
}

impl Unseen {
    /// Whether as much is seen as before.
    pub fn is_nothing(&self) -> bool {
        self.sobjects.is_empty() && self.fields.is_empty() && self.fewer.is_empty()
    }
}

/// Compares what the org shows with what the vault holds of it.
pub fn unseen(vault: &Vault, org: OrgId, source: &mut dyn Source) -> Result<Unseen> {
    let mut held = vault.catalog().objects(org)?;
    // Bodies of files are kept under names of our own.
    held.retain(|name, _| !name.contains('.'));
    let mut found = Unseen {
        looked_at: held.len(),
        ..Unseen::default()
    };
    let shown: Vec<String> = source
        .sobjects()?
        .into_iter()
        .filter(|info| info.unreadable.is_none())
        .map(|info| info.name)
        .collect();
    for (name, entry) in &held {
        if !shown.contains(name) {
            found.sobjects.push((name.clone(), entry.live));
        }
    }
    held.retain(|name, _| shown.contains(name));
    fields(vault, org, source, &held, &mut found)?;
    let mut largest: Vec<(&String, u64)> = held.iter().map(|(name, entry)| (name, entry.live)).collect();
    largest.sort_by_key(|(_, live)| std::cmp::Reverse(*live));
    largest.truncate(COUNTED);
    let names: Vec<&str> = largest.iter().map(|(name, _)| name.as_str()).collect();
    source.counts(&names, &mut |at, answer| {
        let (name, live) = largest[at];
        let counted = answer.unwrap_or_else(|error| {
            tracing::info!(name, %error, "not counted");
            live
        });
        if counted.saturating_mul(100) < live.saturating_mul(SHARE) && live - counted > ROWS {
            found.fewer.push((name.clone(), live, counted));
        }
        Ok(())
    })?;
    Ok(found)
}

fn fields(
    vault: &Vault,
    org: OrgId,
    source: &mut dyn Source,
    held: &BTreeMap<String, ObjectEntry>,
    found: &mut Unseen,
) -> Result<()> {
    let catalog = vault.catalog();
    let names: Vec<&str> = held.keys().map(String::as_str).collect();
    source.describes(&names, &mut |at, answer| {
        let name = names[at];
        let Ok(describe) = answer.and_then(|bytes| Describe::parse(&bytes)) else {
            found.sobjects.push((name.to_owned(), held[name].live));
            return Ok(());
        };
        let entry = catalog.schema(org, name, held[name].schema)?;
        let schema = Schema::decode(&vault.meta(ChunkKind::Schema, &entry.schema)?)?;
        let gone = schema
            .fields()
            .iter()
            .filter(|field| describe.field(&field.name).is_none());
        found
            .fields
            .extend(gone.map(|field| format!("{name}.{}", field.name)));
        Ok(())
    })
}
