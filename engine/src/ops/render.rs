//! A record put together from its keys and values: canonical JSON, fields in byte order of their names, nulls left out.
//!
//! Key decision: which field comes after which, and the text of its name, is found once a page; a record is then plain
//! copies. It reads nothing and knows no schema.

use std::sync::Arc;

use crate::base::id::RecordId;
use crate::base::stamp::Stamp;
use crate::format::page::{Column, KeyRow, Part};
use crate::format::record::{CellKind, escape};
use crate::vault::run::Values;

/// Puts records together. Keep it while the records of one page follow each other.
#[derive(Default)]
pub struct Renderer {
    content: Option<Arc<Part>>,
    derived: Option<Arc<(Vec<Stamp>, Part)>>,
    has_deleted: bool,
    members: Vec<Member>,
}

/// A field: `,"Name":`, and where its value comes from.
struct Member {
    name: Vec<u8>,
    from: From,
}

#[derive(Clone, Copy)]
enum From {
    Id,
    Deleted,
    ModifiedBy,
    Modified,
    System,
    Content(usize),
    Derived(usize),
}

impl Renderer {
    /// Appends the whole record; `has_deleted` says whether its sObject has the field `IsDeleted`.
    pub fn render(&mut self, key: &KeyRow, values: &Values, has_deleted: bool, out: &mut Vec<u8>) {
        if !self.fits(values, has_deleted) {
            self.arrange(values, has_deleted);
        }
        let start = out.len();
        for Member { name, from } in &self.members {
            match *from {
                From::Id => id(name, key.id, out),
                From::Deleted => {
                    out.extend_from_slice(name);
                    CellKind::Bare.write(out, b"false");
                }
                From::ModifiedBy => key.modified_by.iter().for_each(|by| id(name, *by, out)),
                From::Modified => stamp(name, key.modified, out),
                From::System => stamp(name, key.system, out),
                From::Content(column) => cell(name, &values.content, column, values.row, out),
                From::Derived(column) => {
                    if let Some(derived) = values.derived.as_deref() {
                        cell(name, &derived.1, column, values.row, out);
                    }
                }
            }
        }
        // In place of the comma of the first.
        out[start] = b'{';
        out.push(b'}');
    }

    /// Whether the fields are those of the record before, if only by their names: where runs lie side by side records
    /// come now from the page of one, now from that of another.
    fn fits(&mut self, values: &Values, has_deleted: bool) -> bool {
        let (Some(content), true) = (&self.content, self.has_deleted == has_deleted) else {
            return false;
        };
        let derived = match (&self.derived, &values.derived) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || alike(&one.1, &other.1),
            (None, None) => true,
            _ => false,
        };
        if !derived || Arc::ptr_eq(content, &values.content) {
            return derived;
        }
        let fits = alike(content, &values.content);
        if fits {
            self.content = Some(Arc::clone(&values.content));
            self.derived.clone_from(&values.derived);
        }
        fits
    }

    fn arrange(&mut self, values: &Values, has_deleted: bool) {
        let heads = [
            ("Id", From::Id),
            ("IsDeleted", From::Deleted),
            ("LastModifiedById", From::ModifiedBy),
            ("LastModifiedDate", From::Modified),
            ("SystemModstamp", From::System),
        ];
        let content = values.content.columns.iter().enumerate();
        let derived = values.derived.iter().flat_map(|d| d.1.columns.iter().enumerate());
        let mut all: Vec<(&str, From)> = heads
            .into_iter()
            .filter(|(_, from)| has_deleted || !matches!(from, From::Deleted))
            .chain(content.map(|(i, column)| (column.name.as_str(), From::Content(i))))
            .chain(derived.map(|(i, column)| (column.name.as_str(), From::Derived(i))))
            .collect();
        all.sort_by_key(|(name, _)| *name);
        let member = |(name, from): (&str, From)| {
            let mut text = b",\"".to_vec();
            escape(name, &mut text);
            text.extend_from_slice(b"\":");
            Member { name: text, from }
        };
        self.members = all.into_iter().map(member).collect();
        self.content = Some(Arc::clone(&values.content));
        self.derived.clone_from(&values.derived);
        self.has_deleted = has_deleted;
    }
}

/// Whether two pages have the same columns.
fn alike(one: &Part, other: &Part) -> bool {
    let same_name = |(a, b): (&Column, &Column)| a.name == b.name;
    one.columns.len() == other.columns.len() && one.columns.iter().zip(&other.columns).all(same_name)
}

fn id(name: &[u8], id: RecordId, out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    CellKind::Id.write(out, &id.to_18());
}

fn stamp(name: &[u8], stamp: Stamp, out: &mut Vec<u8>) {
    if stamp.is_some() {
        out.extend_from_slice(name);
        out.push(b'"');
        stamp.write(out);
        out.push(b'"');
    }
}

fn cell(name: &[u8], part: &Part, column: usize, row: usize, out: &mut Vec<u8>) {
    if let Some(span) = part.columns[column].cells.get(row).and_then(Option::as_ref) {
        out.extend_from_slice(name);
        span.kind.write(out, part.bytes(span));
    }
}
