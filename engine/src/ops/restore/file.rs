//! Plans as files: a header line, then a line for each operation, newer record and impossible record.
//!
//! Key decision: a plan may have been edited by hand, so reading checks all that can be checked without the org
//! and names the line; what does not fit is refused whole. It never repairs a plan.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Result};
use crate::base::limits::RECORD_BYTES_MAX;
use crate::ops::restore::fields::{id_of, plain};
use crate::ops::restore::plan::{
    Action, Born, FORMAT, Header, Impossible, Mapped, Newer, Operation, Plan, VERSION, Warning,
};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Header(Header),
    Map(Mapped),
    Operation(Box<Operation>),
    Newer(Newer),
    Impossible(Impossible),
    Warning(Warning),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Out<'a> {
    Header(&'a Header),
    Map(&'a Mapped),
    Operation(&'a Operation),
    Newer(&'a Newer),
    Impossible(&'a Impossible),
    Warning(&'a Warning),
}

impl Plan {
    /// Writes the plan as JSON lines.
    ///
    /// # Errors
    /// `Io` if writing fails.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        let lines = std::iter::once(Out::Header(&self.header))
            .chain(self.maps.iter().map(Out::Map))
            .chain(self.operations.iter().map(Out::Operation))
            .chain(self.newer.iter().map(Out::Newer))
            .chain(self.impossible.iter().map(Out::Impossible))
            .chain(self.warnings.iter().map(Out::Warning));
        for line in lines {
            let mut text = serde_json::to_vec(&line)
                .map_err(|e| Error::invalid(format!("a plan that is not JSON: {e}")))?;
            text.push(b'\n');
            to.write_all(&text).map_err(|e| Error::io("the plan", e))?;
        }
        to.flush().map_err(|e| Error::io("the plan", e))
    }

    /// Reads a plan and checks it.
    ///
    /// # Errors
    /// `Invalid`, naming the line, for all that is not a plan that could be carried out; `Unsupported` for a newer
    /// version; `Io` if reading fails.
    pub fn read(mut from: impl BufRead) -> Result<Plan> {
        let (mut plan, mut number, mut check) = (None, 0, Check::default());
        let mut text = String::new();
        while next_line(&mut from, &mut text, number + 1)? {
            number += 1;
            if text.trim().is_empty() {
                continue;
            }
            let at = |e: Error| e.within(format_args!("line {number}"));
            match (line(&text).map_err(at)?, &mut plan) {
                (Line::Header(found), None) => {
                    known(&found).map_err(at)?;
                    plan = Some(Plan::new(found));
                }
                (Line::Header(_), Some(_)) => return Err(at(Error::invalid("a second header"))),
                (_, None) => return Err(at(Error::invalid("a plan begins with its header"))),
                (Line::Operation(operation), Some(plan)) => {
                    check.operation(&operation).map_err(at)?;
                    plan.push(*operation)?;
                }
                (Line::Map(map), Some(plan)) => plan.maps.push(map),
                (Line::Newer(record), Some(plan)) => plan.newer.push(record),
                (Line::Impossible(record), Some(plan)) => plan.impossible.push(record),
                (Line::Warning(warning), Some(plan)) => plan.warnings.push(warning),
            }
        }
        plan.ok_or_else(|| Error::invalid("an empty file is not a restore plan"))
    }
}

/// The longest line: two states of a record, escaped once more.
const LINE_BYTES_MAX: u64 = 4 * RECORD_BYTES_MAX as u64;

fn next_line(from: &mut impl BufRead, text: &mut String, number: u32) -> Result<bool> {
    text.clear();
    let within = format!("line {number} of the plan");
    let mut limited = std::io::Read::take(from, LINE_BYTES_MAX);
    let read = limited.read_line(text).map_err(|e| match e.kind() {
        std::io::ErrorKind::InvalidData => Error::invalid(format!("line {number}: not UTF-8")),
        _ => Error::io(within, e),
    })?;
    if read as u64 == LINE_BYTES_MAX {
        return Err(Error::invalid(format!(
            "line {number}: longer than {LINE_BYTES_MAX} bytes"
        )));
    }
    Ok(read > 0)
}

fn line(text: &str) -> Result<Line> {
    serde_json::from_str(text.trim()).map_err(|e| Error::invalid(format!("column {}: {e}", e.column())))
}

fn known(header: &Header) -> Result<()> {
    if header.format != FORMAT {
        return Err(Error::invalid(format!("`{}` is not `{FORMAT}`", header.format)));
    }
    if header.version == 0 || header.version > VERSION {
        let kind = crate::base::error::Kind::Unsupported;
        return Err(Error::new(
            kind,
            format!("plan version {}; this build reads 1 to {VERSION}", header.version),
        ));
    }
    Ok(())
}

/// Checks operations as [`Plan::read`] would.
pub(super) fn prove(operations: &[Operation]) -> Result<()> {
    let mut check = Check::default();
    let mut proved = operations.iter().map(|op| {
        check
            .operation(op)
            .map_err(|e| e.within(format_args!("operation {}", op.number)))
    });
    proved.try_for_each(|one| one)
}

/// What the lines before have said.
#[derive(Default)]
struct Check {
    count: u32,
    level: u32,
    seen: HashSet<(String, [u8; 15], Action)>,
    /// Level at which the plan brings a record back.
    back: HashMap<[u8; 15], u32>,
}

impl Check {
    fn operation(&mut self, op: &Operation) -> Result<()> {
        self.count += 1;
        if op.number != self.count {
            return Err(
                Error::invalid(format!("operation number {}, expected {}", op.number, self.count))
                    .hint("number the operations 1, 2, 3, ... in the order of the lines"),
            );
        }
        if op.level < self.level {
            return Err(Error::invalid(format!(
                "level {} after level {}",
                op.level, self.level
            )));
        }
        self.level = op.level;
        let key = *op.id.as_bytes();
        if op.sobject.is_empty()
            || op
                .sobject
                .bytes()
                .any(|b| !b.is_ascii_alphanumeric() && b != b'_')
        {
            return Err(Error::invalid(format!(
                "`{}` is not an sObject's name",
                op.sobject
            )));
        }
        if !self.seen.insert((op.sobject.clone(), key, op.action)) {
            return Err(Error::invalid(format!(
                "a second {} of {} {}",
                op.action, op.sobject, op.id
            )));
        }
        values(op)?;
        self.references(op)?;
        if let Some(born) = &op.born {
            self.born(op, born)?;
        }
        if op.action.brings_back() && self.back.insert(key, op.level).is_some() {
            return Err(Error::invalid(format!("{} is brought back twice", op.id)));
        }
        if op.action.brings_back() && self.seen.contains(&(op.sobject.clone(), key, Action::Edit)) {
            return Err(Error::invalid(format!(
                "{} is edited before it is brought back",
                op.id
            )));
        }
        Ok(())
    }

    fn born(&self, op: &Operation, born: &Born) -> Result<()> {
        match self.back.get(born.of.as_bytes()) {
            Some(&level) if level < op.level => Ok(()),
            _ => Err(Error::invalid(format!(
                "{} is born with {}, which no level before creates",
                op.id, born.of
            ))),
        }
    }

    fn references(&self, op: &Operation) -> Result<()> {
        let mut named = HashSet::new();
        let values = op.fields.open()?;
        for reference in &op.references {
            let (field, to) = (&reference.field, reference.to);
            if !named.insert(field) {
                return Err(Error::invalid(format!("the reference {field} is named twice")));
            }
            if values.get(field).and_then(|value| id_of(value)) != Some(to) {
                return Err(Error::invalid(format!(
                    "the reference {field} names {to}, the field another value"
                )));
            }
            match self.back.get(to.as_bytes()) {
                Some(&level) if level < op.level => {}
                Some(_) => {
                    return Err(Error::invalid(format!(
                        "{field} points at {to} of the same level"
                    )));
                }
                None => {
                    return Err(Error::invalid(format!(
                        "{field} points at {to}, which no line before brings back"
                    ))
                    .hint("put the parent's line first, or leave the reference out of both lists"));
                }
            }
        }
        Ok(())
    }
}

fn values(op: &Operation) -> Result<()> {
    if op.action == Action::Edit && op.fields.is_empty() {
        return Err(Error::invalid(format!("an edit of {} without fields", op.id)));
    }
    if op.compare != (op.action == Action::Undelete) {
        return Err(Error::invalid(
            "`compare` belongs to an undelete, and to nothing else",
        ));
    }
    if op.action != Action::Edit && !op.before.is_empty() {
        return Err(Error::invalid("`before` belongs to an edit"));
    }
    if op.action != Action::Create && (op.born.is_some() || !op.find.is_empty() || op.gone) {
        return Err(Error::invalid("`find`, `born` and `gone` belong to a create"));
    }
    if !op.action.brings_back() && op.body.is_some() {
        return Err(Error::invalid("`body` belongs to a create or an undelete"));
    }
    if op.action == Action::Delete && !(op.fields.is_empty() && op.references.is_empty()) {
        return Err(Error::invalid(format!("a delete of {} with fields", op.id)));
    }
    let (set, before) = (op.fields.open()?, op.before.open()?);
    if let Some(name) = op.find.iter().find(|name| !set.contains_key(*name)) {
        return Err(Error::invalid(format!("`find` names {name}, `fields` does not")));
    }
    if let Some(name) = before.keys().find(|name| !set.contains_key(*name)) {
        return Err(Error::invalid(format!(
            "`before` names {name}, `fields` does not"
        )));
    }
    for (name, value) in &set {
        if name.is_empty() || name.eq_ignore_ascii_case("Id") || name == "attributes" {
            return Err(Error::invalid(format!("the field `{name}` cannot be set")));
        }
        if !plain(value) {
            return Err(Error::invalid(format!(
                "the value of {name} is not a text, number, boolean or null"
            )));
        }
    }
    Ok(())
}
