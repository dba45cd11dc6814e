//! From the text of a record to its canonical row: fields in byte order, nulls left out, values by their type.
//!
//! Key decision: one pass finds the values (a slot for each field of the schema), a second writes them in schema
//! order and hashes the content, so that JSON and CSV share every rule. A member of JSON that stands as it is going to
//! be written is copied whole. It keeps no record and does no I/O.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::base::limits;
use crate::base::stamp::{Stamp, parse_date, parse_time};
use crate::format::describe::FieldKind;
use crate::format::record::json::{Members, Token, unescape, utf8};
use crate::format::record::number::plain_decimal;
use crate::format::record::rows::{Cell, CellKind, Row, Rows, content_hash};
use crate::format::record::{decimal, escape};
use crate::format::schema::{Role, Schema, SchemaField};

/// What to do with a value that the describe's type refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Refuse the record: a file can be corrected.
    Refuse,
    /// Keep the value raw, tag it and count it: capture never stops for it.
    KeepRaw,
}

/// Canonicalises records of one schema; reuse it, it holds the scratch space.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::format::{describe::Describe, record::{Canon, Mode, Rows}, schema::Schema};
/// let describe = br#"{"name":"X__c","fields":[{"name":"Id","type":"id"},{"name":"N__c","type":"double"}]}"#;
/// let schema = Arc::new(Schema::of(&Describe::parse(describe).unwrap()).unwrap());
/// let (mut canon, mut rows) = (Canon::new(schema, &[7; 32], Mode::Refuse), Rows::default());
/// canon.json(br#"{"N__c":4.0E2,"Id":"a00D0000008pQRA"}"#, &mut rows).unwrap();
/// canon.columns(&["id", "n__c"]).unwrap();
/// canon.csv(["a00D0000008pQRAIA2", "400.00"], &mut rows).unwrap();
/// assert_eq!(rows.rows[0].hash, rows.rows[1].hash);
/// assert!(rows.arena.starts_with(br#"{"N__c":400}"#));
/// ```
pub struct Canon {
    schema: Arc<Schema>,
    key: [u8; 32],
    mode: Mode,
    /// `"Name":` of each field.
    names: Vec<Vec<u8>>,
    slots: Vec<Slot>,
    generation: u32,
    /// The fields in the order in which records have them, as far as it was seen, and the place of each there.
    order: Vec<u16>,
    places: Vec<Option<usize>>,
    /// Where the winner of a merge stands.
    master: Option<usize>,
    columns: Vec<u16>,
    line: Vec<u8>,
    scratch: Vec<u8>,
}

/// Where the value of a field stands in the record at hand, if `generation` is the current one.
#[derive(Clone, Copy, Default)]
struct Slot {
    generation: u32,
    shape: Shape,
    /// Whether the name stands right before it as it is written.
    named: bool,
    start: u32,
    len: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Null,
    /// Text in which nothing is escaped and nothing need be.
    Plain,
    /// A JSON string with escapes.
    Escaped,
    /// A CSV value.
    Csv,
    Bare,
    Nested,
}

/// A value of a field, as far as its source is understood.
enum Value<'a> {
    /// Text, and whether it is known that it can stand in JSON as it is.
    Text(&'a str, bool),
    Bare(&'a str),
    Nested(&'a str),
}

/// How many fields may be left out, as null or absent, for the next one to be foreseen.
const LOOK_AHEAD: usize = 8;

impl Canon {
    /// Hashes with `key`, the vault's key for record content.
    pub fn new(schema: Arc<Schema>, key: &[u8; 32], mode: Mode) -> Self {
        let names = schema.fields().iter().map(|f| {
            let mut name = vec![b'"'];
            escape(&f.name, &mut name);
            name.extend_from_slice(b"\":");
            name
        });
        let count = schema.fields().len();
        Self {
            names: names.collect(),
            slots: vec![Slot::default(); count],
            order: Vec::with_capacity(count),
            places: vec![None; count],
            master: schema.position(b"MasterRecordId"),
            schema,
            key: *key,
            mode,
            generation: 0,
            columns: Vec::new(),
            line: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Adds the row of one JSON object.
    ///
    /// # Errors
    /// `Invalid`: malformed JSON, no Id, an unknown field, a field twice, or a refused value in [`Mode::Refuse`].
    /// Nothing is added then.
    pub fn json(&mut self, text: &[u8], rows: &mut Rows) -> Result<()> {
        let text = check_len(text)?;
        self.generation = self.generation.wrapping_add(1);
        let mut members = Members::new(text.as_bytes())?;
        let mut next = 0;
        while members.more()? {
            let known = self.foreseen(&mut next, &mut members);
            let behind_name = members.at();
            let field = match known {
                Some(field) => field,
                None => match members.name()? {
                    b"attributes" => {
                        valid_json(members.value()?)?;
                        continue;
                    }
                    name => self.find(&mut next, name)?,
                },
            };
            let (shape, part) = match members.value()? {
                Token::Null => (Shape::Null, &[][..]),
                Token::Text(inside, false) => (Shape::Plain, inside),
                Token::Text(inside, true) => (Shape::Escaped, inside),
                Token::Bare(token) => (Shape::Bare, token),
                token @ Token::Nested(part) => {
                    valid_json(token)?;
                    (Shape::Nested, part)
                }
            };
            let quote = usize::from(matches!(shape, Shape::Plain | Shape::Escaped));
            let start = members.at() - quote - part.len();
            let plain = matches!(shape, Shape::Plain | Shape::Bare);
            let named = plain && known.is_some() && behind_name + quote == start;
            self.set(field, shape, named, start, part.len())?;
        }
        self.emit(text, rows)
    }

    /// Names the columns of the CSV rows that follow; compared without regard to case.
    ///
    /// # Errors
    /// `Invalid`: a column that the schema does not know, or one twice.
    pub fn columns(&mut self, names: &[&str]) -> Result<()> {
        self.columns.clear();
        for name in names {
            let field = self
                .schema
                .position_any_case(name)
                .ok_or_else(|| self.unknown(name))? as u16;
            if self.columns.contains(&field) {
                return Err(Error::invalid(format!("the column {name} stands there twice")));
            }
            self.columns.push(field);
        }
        Ok(())
    }

    /// Adds the row of one CSV line, its values in the order of the columns.
    ///
    /// # Errors
    /// `Invalid`: another number of values than columns, a value that is not UTF-8, no Id, or a refused value in
    /// [`Mode::Refuse`].
    pub fn csv<V: AsRef<[u8]>>(
        &mut self,
        values: impl IntoIterator<Item = V>,
        rows: &mut Rows,
    ) -> Result<()> {
        self.generation = self.generation.wrapping_add(1);
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        let mut count = 0;
        for value in values {
            let Some(&field) = self.columns.get(count) else {
                return Err(self.wrong_count());
            };
            count += 1;
            let value = value.as_ref();
            if !value.is_empty() {
                self.set(usize::from(field), Shape::Csv, false, line.len(), value.len())?;
                line.extend_from_slice(value);
                // Halves of a character in two values do not become one.
                line.push(b',');
            }
        }
        if count != self.columns.len() {
            return Err(self.wrong_count());
        }
        let result = check_len(&line).and_then(|text| self.emit(text, rows));
        self.line = line;
        result
    }

    fn wrong_count(&self) -> Error {
        Error::invalid(format!(
            "a row with another number of values than the {} columns",
            self.columns.len()
        ))
    }

    fn unknown(&self, name: &str) -> Error {
        Error::invalid(format!("{} has no field {name}", self.schema.sobject()))
            .hint("correct the name, or give a describe that has it")
    }

    /// The field of the member at hand, if it is one of the next in order; `next` goes behind it.
    fn foreseen(&self, next: &mut usize, members: &mut Members<'_>) -> Option<usize> {
        for (place, field) in self.order.iter().enumerate().skip(*next).take(LOOK_AHEAD) {
            if members.is_named(&self.names[usize::from(*field)]) {
                *next = place + 1;
                return Some(usize::from(*field));
            }
        }
        None
    }

    /// The field of that name, which takes its place in the order; `next` goes behind it.
    fn find(&mut self, next: &mut usize, name: &[u8]) -> Result<usize> {
        let found = match self.schema.position(name) {
            Some(found) => found,
            None => {
                let mut plain = String::new();
                unescape(name, &mut plain)?;
                self.schema
                    .position(plain.as_bytes())
                    .ok_or_else(|| self.unknown(&plain))?
            }
        };
        if self.places[found].is_none() {
            self.order.insert(*next, found as u16);
            for (place, field) in self.order.iter().enumerate().skip(*next) {
                self.places[usize::from(*field)] = Some(place);
            }
        }
        *next = self.places[found].unwrap_or(*next) + 1;
        Ok(found)
    }

    fn set(&mut self, field: usize, shape: Shape, named: bool, start: usize, len: usize) -> Result<()> {
        let slot = &mut self.slots[field];
        if slot.generation == self.generation {
            let name = &self.schema.fields()[field].name;
            return Err(Error::invalid(format!("the field {name} stands there twice")));
        }
        *slot = Slot {
            generation: self.generation,
            shape,
            named,
            start: start as u32,
            len: len as u32,
        };
        Ok(())
    }

    /// Writes the row that the slots describe; `text` is what they point into.
    fn emit(&mut self, text: &str, rows: &mut Rows) -> Result<()> {
        let (arena, cells, refused) = (rows.arena.len(), rows.cells.len(), rows.refused);
        let result = self.emit_row(text, rows);
        match result {
            Ok(row) => rows.rows.push(row),
            Err(_) => {
                rows.arena.truncate(arena);
                rows.cells.truncate(cells);
                rows.refused = refused;
            }
        }
        result.map(|_| ())
    }

    fn emit_row(&mut self, text: &str, rows: &mut Rows) -> Result<Row> {
        let mut head = Head::default();
        let schema = Arc::clone(&self.schema);
        let (start, first) = (rows.arena.len(), rows.cells.len() as u32);
        rows.arena.push(b'{');
        for (i, field) in schema.fields().iter().enumerate() {
            match field.role {
                Role::Content => self.cell(i, field, text, rows, true)?,
                Role::Derived | Role::Dropped => {}
                _ => self.key_column(i, field, text, &mut head)?,
            }
        }
        rows.arena.push(b'}');
        let hash = content_hash(&self.key, &rows.arena[start..]);
        let derived = rows.cells.len() as u32;
        for (i, field) in schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, f)| f.role == Role::Derived)
        {
            self.cell(i, field, text, rows, false)?;
        }
        let id = head
            .id
            .ok_or_else(|| Error::invalid(format!("a record of {} without Id", schema.sobject())))?;
        Ok(Row {
            id,
            hash,
            system: head.system,
            modified: head.modified,
            modified_by: head.modified_by,
            deleted: head.deleted,
            master: self.master(text),
            cells: first,
            derived,
            end: rows.cells.len() as u32,
        })
    }

    /// Appends the value of field `i`, as a member of the object if it `counts`, and its cell; nothing if it is null.
    fn cell(
        &mut self,
        i: usize,
        field: &SchemaField,
        text: &str,
        rows: &mut Rows,
        counts: bool,
    ) -> Result<()> {
        let slot = self.slots[i];
        if slot.generation != self.generation || slot.shape == Shape::Null {
            return Ok(());
        }
        let mut buffer = String::new();
        let value = value(slot, text, &mut buffer)?;
        self.scratch.clear();
        let written = canonical(field, &value, slot.shape == Shape::Csv, &mut self.scratch);
        let (kind, bytes, as_it_came): (CellKind, &[u8], bool) = match written {
            Some(Written::Null) => return Ok(()),
            Some(Written::AsIs(kind, bytes)) => (kind, bytes, slot.named),
            Some(Written::Scratch(kind)) => (kind, &self.scratch, false),
            None if self.mode == Mode::Refuse => return Err(refusal(field, &value)),
            None => {
                rows.refused += 1;
                self.scratch.clear();
                escape(value.text(), &mut self.scratch);
                (CellKind::Raw, &self.scratch, false)
            }
        };
        let (before, after) = kind.frame();
        let (name, arena) = (if counts { &self.names[i][..] } else { &[] }, &mut rows.arena);
        if counts && arena.last() != Some(&b'{') {
            arena.push(b',');
        }
        if as_it_came {
            let start = slot.start as usize;
            let from = start - before.len() - name.len();
            arena.extend_from_slice(&text.as_bytes()[from..start + bytes.len()]);
        } else {
            arena.extend_from_slice(name);
            arena.extend_from_slice(before);
            arena.extend_from_slice(bytes);
        }
        rows.cells.push(Cell {
            field: i as u16,
            kind,
            start: (arena.len() - bytes.len()) as u32,
            len: bytes.len() as u32,
        });
        arena.extend_from_slice(after);
        Ok(())
    }

    /// Takes the fields that are columns of the key part. A stamp that is none is an error in both modes.
    fn key_column(&self, i: usize, field: &SchemaField, text: &str, head: &mut Head) -> Result<()> {
        let slot = self.slots[i];
        if slot.generation != self.generation || slot.shape == Shape::Null {
            return Ok(());
        }
        let mut buffer = String::new();
        let value = value(slot, text, &mut buffer)?;
        let bytes = value.text().as_bytes();
        if bytes.is_empty() {
            return Ok(());
        }
        let stamp = || Stamp::parse(bytes).ok_or_else(|| refusal(field, &value));
        match field.role {
            Role::Id => head.id = Some(RecordId::parse(bytes).ok_or_else(|| refusal(field, &value))?),
            Role::SystemModstamp => head.system = stamp()?,
            Role::LastModifiedDate => head.modified = stamp()?,
            Role::LastModifiedById => {
                head.modified_by = Some(RecordId::parse(bytes).ok_or_else(|| refusal(field, &value))?);
            }
            Role::Deleted => head.deleted = bytes == b"true",
            Role::Content | Role::Derived | Role::Dropped => {}
        }
        Ok(())
    }

    /// The winner of a merge.
    fn master(&self, text: &str) -> Option<RecordId> {
        let slot = self.slots[self.master?];
        if slot.generation != self.generation {
            return None;
        }
        let mut buffer = String::new();
        match value(slot, text, &mut buffer).ok()? {
            Value::Text(text, _) => RecordId::parse(text.as_bytes()),
            Value::Bare(_) | Value::Nested(_) => None,
        }
    }
}

struct Head {
    id: Option<RecordId>,
    system: Stamp,
    modified: Stamp,
    modified_by: Option<RecordId>,
    deleted: bool,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            id: None,
            system: Stamp::NONE,
            modified: Stamp::NONE,
            modified_by: None,
            deleted: false,
        }
    }
}

enum Written<'a> {
    Null,
    AsIs(CellKind, &'a [u8]),
    Scratch(CellKind),
}

impl<'a> Value<'a> {
    fn text(&self) -> &'a str {
        match self {
            Self::Text(text, _) | Self::Bare(text) | Self::Nested(text) => text,
        }
    }
}

fn value<'a>(slot: Slot, text: &'a str, buffer: &'a mut String) -> Result<Value<'a>> {
    let part = text
        .get(slot.start as usize..(slot.start + slot.len) as usize)
        .unwrap_or_default();
    Ok(match slot.shape {
        Shape::Null | Shape::Plain => Value::Text(part, true),
        Shape::Csv => Value::Text(part, false),
        Shape::Escaped => {
            unescape(part.as_bytes(), buffer)?;
            Value::Text(buffer, false)
        }
        Shape::Bare => Value::Bare(part),
        Shape::Nested => Value::Nested(part),
    })
}

/// The canonical value, or `None` if the field's type refuses it.
fn canonical<'a>(
    field: &SchemaField,
    value: &Value<'a>,
    csv: bool,
    out: &mut Vec<u8>,
) -> Option<Written<'a>> {
    let text = value.text();
    let bytes = text.as_bytes();
    if let Value::Text("", _) = value {
        return Some(Written::Null);
    }
    let is_text = matches!(value, Value::Text(..));
    match field.kind {
        FieldKind::Text | FieldKind::Any => match value {
            Value::Text(..) if field.encrypted && masked(text) => {
                escape(text, out);
                Some(Written::Scratch(CellKind::Masked))
            }
            Value::Text(_, clean) if *clean || (csv && is_clean(bytes)) => {
                Some(Written::AsIs(CellKind::Text, bytes))
            }
            _ if !is_text && field.kind == FieldKind::Text => None,
            Value::Bare(_) if !bare_is_valid(bytes) => None,
            _ => {
                escape(text, out);
                Some(Written::Scratch(CellKind::Text))
            }
        },
        FieldKind::Id if is_text => {
            let id = RecordId::parse(bytes)?;
            if bytes.len() == 18 {
                return Some(Written::AsIs(CellKind::Id, bytes));
            }
            out.extend_from_slice(&id.to_18());
            Some(Written::Scratch(CellKind::Id))
        }
        FieldKind::Boolean if csv != is_text => None,
        FieldKind::Boolean => {
            matches!(text, "true" | "false").then_some(Written::AsIs(CellKind::Bare, bytes))
        }
        FieldKind::Number if csv != is_text => None,
        FieldKind::Number => match plain_decimal(bytes) {
            Some(plain) => Some(Written::AsIs(CellKind::Bare, plain)),
            None => decimal(bytes, out).then_some(Written::Scratch(CellKind::Bare)),
        },
        FieldKind::Date if is_text => parse_date(bytes).map(|_| Written::AsIs(CellKind::Text, bytes)),
        FieldKind::DateTime if is_text => instant(bytes, out),
        FieldKind::Time if is_text => {
            let (millis, b"Z" | b"") = parse_time(bytes)? else {
                return None;
            };
            Stamp::from_millis(millis).write(out);
            out.drain(..11);
            Some(Written::Scratch(CellKind::Text))
        }
        _ => None,
    }
}

fn instant<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> Option<Written<'a>> {
    let stamp = Stamp::parse(bytes).filter(|s| (YEAR_0..YEAR_10000).contains(&s.millis()))?;
    if Stamp::is_canonical(bytes) {
        return Some(Written::AsIs(CellKind::DateTime, bytes));
    }
    match bytes {
        // As the API writes it.
        [to_millis @ .., b'+', b'0', b'0', b'0', b'0'] if Stamp::is_canonical_to_zone(to_millis) => {
            out.extend_from_slice(to_millis);
            out.push(b'Z');
        }
        _ => stamp.write(out),
    }
    Some(Written::Scratch(CellKind::DateTime))
}

/// Years 0 to 9999 in milliseconds: what four digits can say.
const YEAR_0: i64 = -62_167_219_200_000;
const YEAR_10000: i64 = 253_402_300_800_000;

/// Whether nothing in it need be escaped in JSON. It looks at all bytes, so that the compiler does many at a time.
fn is_clean(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |clean, &b| clean & (b >= 0x20) & (b != b'"') & (b != b'\\'))
}

fn bare_is_valid(token: &[u8]) -> bool {
    matches!(token, b"true" | b"false") || decimal(token, &mut Vec::new())
}

/// Classic encryption shows a mask of `*` or `X` where the right to see is missing (field attribute `mask`).
fn masked(text: &str) -> bool {
    text.contains("***") || text.contains("XXX")
}

fn refusal(field: &SchemaField, value: &Value<'_>) -> Error {
    let text: String = value.text().chars().take(60).collect();
    Error::invalid(format!(
        "the field {} ({:?}) cannot hold `{text}`",
        field.name, field.kind
    ))
}

fn check_len(text: &[u8]) -> Result<&str> {
    if text.len() > limits::RECORD_BYTES_MAX {
        return Err(Error::invalid(format!(
            "a record of {} bytes, more than {}",
            text.len(),
            limits::RECORD_BYTES_MAX
        )));
    }
    utf8(text)
}

/// Nested values are skipped by depth when they are found; what is dropped or kept whole must still be JSON.
fn valid_json(token: Token<'_>) -> Result<()> {
    let Token::Nested(text) = token else { return Ok(()) };
    serde_json::from_slice::<serde::de::IgnoredAny>(text)
        .map(|_| ())
        .map_err(|e| Error::invalid(format!("malformed JSON: {e}")))
}
