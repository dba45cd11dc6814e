//! Rows whose SELECT list is too long for one URI: read in slices of columns and joined by Id.
//!
//! Key decision: one page of the first slice at a time, the other slices of just those rows, so that memory is
//! bounded by a page. A row whose stamp differs between slices was edited in between: it is read again by Id
//! until all slices agree, and never joined from two states. Without a stamp an edit cannot be seen, which holds
//! for the few sObjects that have none.

use std::collections::BTreeMap;

use halite_engine::base::error::Kind;
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::EachRow;

use super::live;
use super::page::Page;
use super::pages::{Start, pages};
use super::row::Row;
use super::soql::{IDS_FEW, Order, Select, among, between};
use crate::error::Fault;
use crate::rest::Rest;
use crate::retry::{Caller, Session};

/// How often a row is read again until its slices agree.
const TRIES: u32 = 5;

/// Rows of one slice by their Id.
type Rows = BTreeMap<RecordId, Vec<u8>>;

/// What a joined reading needs throughout.
struct Join<'a> {
    rest: &'a Rest,
    select: &'a Select<'a>,
    slices: &'a [Vec<&'a str>],
    stamp: Option<&'a str>,
}

/// Reads `select` in `slices`, each of which holds Id and `stamp`.
pub fn read<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    select: &Select<'_>,
    slices: &[Vec<&str>],
    stamp: Option<&str>,
    each: &mut EachRow<'_>,
) -> Result<(), Fault> {
    let join = Join {
        rest,
        select,
        slices,
        stamp,
    };
    let mut first = select.clone();
    first.fields.clone_from(&slices[0]);
    if let Order::Stamp(by) = select.order
        && !first.fields.contains(&by)
    {
        first.fields.push(by);
    }
    pages(caller, rest, &first, Start::default(), &mut |caller, page| {
        join.page(caller, page, each)
    })
}

impl Join<'_> {
    /// Completes the rows of one page of the first slice.
    fn page<S: Session>(
        &self,
        caller: &mut Caller<S>,
        page: &Page,
        each: &mut EachRow<'_>,
    ) -> Result<(), Fault> {
        let ids = page
            .rows()
            .map(|row| self.id_of(row))
            .collect::<Result<Vec<_>, _>>()?;
        let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
            return Ok(());
        };
        let whole = self.select.order == Order::Id && self.select.filter.is_none();
        let filters: Vec<String> = if whole {
            vec![between(*first, *last)]
        } else {
            ids.chunks(IDS_FEW).map(|some| among("Id", some)).collect()
        };
        let mut others = Vec::new();
        for slice in &self.slices[1..] {
            others.push(self.slice(caller, slice, &filters)?);
        }
        let mut torn = Vec::new();
        for (id, row) in ids.iter().zip(page.rows()) {
            let parts: Option<Vec<&[u8]>> = std::iter::once(Some(row))
                .chain(others.iter().map(|o| o.get(id).map(Vec::as_slice)))
                .collect();
            match parts.map(|parts| self.join(&parts)).transpose()?.flatten() {
                Some(text) => each(&text)?,
                None => torn.push(*id),
            }
        }
        torn.iter().try_for_each(|id| self.again(caller, *id, each))
    }

    /// The rows of one slice.
    fn slice<S: Session>(
        &self,
        caller: &mut Caller<S>,
        fields: &[&str],
        filters: &[String],
    ) -> Result<Rows, Fault> {
        let mut rows = Rows::new();
        for filter in filters {
            let (fields, filter) = (fields.to_vec(), Some(filter.clone()));
            let select = Select {
                sobject: self.select.sobject,
                fields,
                filter,
                order: Order::Id,
                limit: None,
            };
            pages(caller, self.rest, &select, Start::default(), &mut |_, page| {
                for row in page.rows() {
                    rows.insert(self.id_of(row)?, row.to_vec());
                }
                Ok(())
            })?;
        }
        Ok(rows)
    }

    /// Reads one row again until its slices agree; a row that is gone by then is not handed over.
    fn again<S: Session>(
        &self,
        caller: &mut Caller<S>,
        id: RecordId,
        each: &mut EachRow<'_>,
    ) -> Result<(), Fault> {
        let filters = [among("Id", &[id])];
        for _ in 0..TRIES {
            let mut parts = Vec::new();
            for slice in self.slices {
                parts.push(self.slice(caller, slice, &filters)?.remove(&id));
            }
            if parts.iter().all(Option::is_none) {
                tracing::info!(sobject = self.select.sobject, %id, "gone while it was read");
                return Ok(());
            }
            let whole: Option<Vec<&[u8]>> = parts.iter().map(Option::as_deref).collect();
            if let Some(text) = whole.map(|parts| self.join(&parts)).transpose()?.flatten() {
                return Ok(each(&text)?);
            }
        }
        let why = format!("{} {id} is being edited while it is read", self.select.sobject);
        Err(Fault::doubt(Kind::Busy, why))
    }

    fn id_of(&self, row: &[u8]) -> Result<RecordId, Fault> {
        let why = || format!("a row of {} without a valid Id", self.select.sobject);
        live::id_of(row).ok_or_else(|| Fault::doubt(Kind::Io, why()))
    }

    /// One row out of its parts; none where they are of different states.
    fn join(&self, parts: &[&[u8]]) -> Result<Option<Vec<u8>>, Fault> {
        let broken = |why| {
            let why = format!("a row of {} that does not parse: {why}", self.select.sobject);
            Fault::doubt(Kind::Io, why)
        };
        let rows = parts
            .iter()
            .map(|part| Row::parse(part).map_err(broken))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        if let Some(stamp) = self.stamp
            && rows.iter().any(|row| row.raw(stamp) != first.raw(stamp))
        {
            return Ok(None);
        }
        let wanted = |name: &str| {
            name == "attributes"
                || self
                    .select
                    .fields
                    .iter()
                    .any(|field| field.eq_ignore_ascii_case(name))
        };
        let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        for (at, row) in rows.iter().enumerate() {
            let own = |name: &str| at == 0 || !rows[..at].iter().any(|before| before.raw(name).is_some());
            for (name, value) in row.fields().filter(|(name, _)| wanted(name) && own(name)) {
                out.push(if out.is_empty() { b'{' } else { b',' });
                out.push(b'"');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"\":");
                out.extend_from_slice(value.as_bytes());
            }
        }
        out.push(b'}');
        Ok(Some(out))
    }
}
