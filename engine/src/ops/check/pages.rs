//! The pages of every run: in order, as their directory says, and each content with the hash that it should have.
//!
//! Key decision: pages that cannot be read were told by the walk of references; here they only make the states that
//! need them unprovable. It holds a page at a time.

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ContentHash, OrgId};
use crate::format::page::{KeyRow, VersionKind, id_hash};
use crate::format::record::{content_hash, escape};
use crate::format::run::{PageEntry, RunPart};
use crate::ops::check::CheckReport;
use crate::ops::check::prove::{Expected, prove};
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;
use crate::vault::run::{Run, Values};

/// Looks at every page, and proves every state.
pub fn pages(vault: &Vault, catalog: &Catalog, report: &mut CheckReport) -> Result<()> {
    for org in catalog.orgs() {
        let mut expected = Expected::of(vault, catalog, org)?;
        for sobject in catalog.objects(org)?.into_keys() {
            let mut look = Look {
                vault,
                org,
                sobject: &sobject,
                report,
                whole: true,
                text: Vec::new(),
            };
            for entry in catalog.runs(org, &sobject)? {
                match readable(Run::open(vault, &entry))? {
                    Some(run) => look.run(&run, (entry.low, entry.high))?,
                    None => look.whole = false,
                }
            }
            let whole = look.whole;
            prove(
                vault,
                catalog,
                (org, &sobject),
                &expected.take(&sobject),
                whole,
                report,
            )?;
        }
    }
    Ok(())
}

/// `None` for what is damaged, which has been told.
fn readable<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Busy | Kind::NotFound) => Ok(None),
        read => read.map(Some),
    }
}

struct Look<'l> {
    vault: &'l Vault,
    org: OrgId,
    sobject: &'l str,
    report: &'l mut CheckReport,
    /// Whether all keys could be read.
    whole: bool,
    text: Vec<u8>,
}

impl Look<'_> {
    fn run(&mut self, run: &Run<'_>, span: (u64, u64)) -> Result<()> {
        let (mut keys, mut last) = (Vec::new(), None);
        for number in 0..run.head.parts.len() {
            let Some(part) = readable(run.part(number))?.flatten() else {
                self.whole = false;
                continue;
            };
            for page in &part.pages {
                if readable(run.keys(page, &mut keys))?.is_none() || keys.is_empty() {
                    (self.whole, last) = (false, None);
                    continue;
                }
                self.report.versions += keys.len() as u64;
                if let Err(why) = self.order(&part, page, &keys, span, last) {
                    self.tell(page, &why);
                }
                last = keys.last().copied();
                self.values(run, page, &keys)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, page: &PageEntry, why: &Error) {
        let (org, sobject) = (self.org, self.sobject);
        let (first, last) = (page.first, page.last);
        self.report.damage(
            format_args!("a page of org {org}, {sobject}, Ids {first} to {last}"),
            why,
        );
    }

    /// Whether the keys are in order, within what directory and run say, and found by the filter.
    fn order(
        &self,
        part: &RunPart,
        page: &PageEntry,
        keys: &[KeyRow],
        span: (u64, u64),
        before: Option<KeyRow>,
    ) -> Result<()> {
        let bad = |why: &str| Err(Error::corrupt("page keys", why));
        let ends = keys.first().map(|key| key.id).zip(keys.last().map(|key| key.id));
        if ends != Some((page.first, page.last)) || keys.len() != page.rows as usize {
            return bad("Ids and rows are not those that the directory says");
        }
        let mut before = before;
        for key in keys {
            if before.is_some_and(|last| (last.id, key.snapshot) >= (key.id, last.snapshot)) {
                return bad("versions are out of order");
            }
            before = Some(*key);
        }
        if keys
            .iter()
            .any(|key| key.snapshot < span.0 || key.snapshot > span.1)
        {
            return bad("a version is of a snapshot outside its run");
        }
        let cut_key = self.vault.keys.cut_key();
        if keys
            .iter()
            .any(|key| !part.filter.may_hold(&id_hash(cut_key, key.id)))
        {
            return bad("the filter of its directory does not know one of its Ids");
        }
        Ok(())
    }

    /// Whether each content has the hash that its keys say.
    fn values(&mut self, run: &Run<'_>, page: &PageEntry, keys: &[KeyRow]) -> Result<()> {
        let Some(values) = readable(run.values(page, None))? else {
            return Ok(());
        };
        let live: Vec<&KeyRow> = keys.iter().filter(|key| key.kind == VersionKind::Value).collect();
        let rows = values.as_ref().map_or(0, |values| values.content.rows);
        if rows != live.len() && (page.values.is_none() || values.is_some()) {
            let why = Error::corrupt("page values", "it has another number of rows than its keys");
            self.tell(page, &why);
            return Ok(());
        }
        let Some(values) = values else { return Ok(()) };
        for (row, key) in live.into_iter().enumerate() {
            if self.hash_of(&values, row) != key.hash {
                let why = Error::corrupt(key.id, "its content does not have the hash in its keys");
                self.tell(page, &why);
            }
        }
        Ok(())
    }

    /// The hash of a row's content, computed as when it was captured.
    fn hash_of(&mut self, values: &Values, row: usize) -> ContentHash {
        let out = &mut self.text;
        out.clear();
        out.push(b'{');
        for column in &values.content.columns {
            let Some(Some(span)) = column.cells.get(row) else {
                continue;
            };
            if out.len() > 1 {
                out.push(b',');
            }
            out.push(b'"');
            escape(&column.name, out);
            out.extend_from_slice(b"\":");
            span.kind.write(out, values.content.bytes(span));
        }
        out.push(b'}');
        content_hash(self.vault.keys.record_key(), out)
    }
}
