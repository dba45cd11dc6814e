//! One sObject on its way to a folder: records into columns, columns into row groups, row groups into parts.
//!
//! Key decision: rows are gathered by column up to a fixed size, then encoded on all cores and written one after the
//! other; the folder gets its name when the last part is whole. A value that does not fit makes its column one of
//! texts and what was written worthless: nothing more is written then, but the rest is looked at, so that a second
//! pass is the last. It does not choose columns or records, and overwrites nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor, Type, TypePtr};
use rayon::prelude::*;

use super::column::Column;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::record::{Members, Token};

/// Bytes of values and levels after which a row group is written; few in tests, so that there are many.
const GROUP_BYTES: usize = if cfg!(test) { 64 << 10 } else { 64 << 20 };
/// Row groups of a part: what its end says of them is held until then.
const PART_GROUPS: usize = if cfg!(test) { 3 } else { 16 };

/// A column that is text because a value did not fit its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsText {
    /// The field.
    pub field: String,
    /// The first record with such a value.
    pub id: RecordId,
}

/// The rows of one sObject.
pub struct Table {
    columns: Vec<Column>,
    /// Columns in front that are not fields of the record.
    extra: usize,
    rows: usize,
    bytes: usize,
    /// Rows of all groups.
    count: u64,
    parts: Parts,
    /// What became text in this pass: what it wrote is not of these types.
    as_text: Vec<AsText>,
}

impl Table {
    /// Begins below `dir`; the first `extra` columns are given beside the records, whose fields the others are.
    pub fn begin(
        dir: &Path,
        sobject: &str,
        columns: Vec<Column>,
        extra: usize,
        told: Vec<KeyValue>,
    ) -> Result<Self> {
        let parts = Parts::begin(dir, sobject, &columns, told)?;
        Ok(Self {
            columns,
            extra,
            rows: 0,
            bytes: 0,
            count: 0,
            parts,
            as_text: Vec::new(),
        })
    }

    /// Takes a record: the JSON that states give, and values for the columns in front.
    pub fn take(&mut self, extra: &[Token<'_>], line: &[u8]) -> Result<()> {
        for (at, value) in extra.iter().enumerate() {
            self.value(at, *value, line)?;
        }
        let (mut members, mut next) = (Members::new(line)?, self.extra);
        while members.more()? {
            let ahead = &self.columns[next..];
            let at = match ahead.iter().position(|column| members.is_named(column.member())) {
                Some(further) => next + further,
                None => self.find(members.name()?)?,
            };
            self.value(at, members.value()?, line)?;
            next = at + 1;
        }
        // A null costs a level in every column.
        self.bytes += self.columns.len() * size_of::<i16>();
        (self.rows, self.count) = (self.rows + 1, self.count + 1);
        if self.bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// The column of a name, escaped as it stands in records, that is not where the order of names puts it.
    fn find(&self, name: &[u8]) -> Result<usize> {
        let is = |column: &Column| &column.member()[1..column.member().len() - 2] == name;
        let found = self.columns[self.extra..].iter().position(is);
        found.map(|at| at + self.extra).ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            Error::corrupt(
                self.parts.whole.display(),
                format_args!("no schema knows the field {name}"),
            )
        })
    }

    fn value(&mut self, at: usize, value: Token<'_>, line: &[u8]) -> Result<()> {
        let column = &mut self.columns[at];
        match column.push(self.rows, value)? {
            Some(bytes) => self.bytes += bytes,
            None => {
                column.widen();
                self.as_text.push(AsText {
                    field: column.name.clone(),
                    id: id_of(line)?,
                });
            }
        }
        Ok(())
    }

    /// Writes the rows at hand as a row group, unless something became text.
    fn flush(&mut self) -> Result<()> {
        if self.as_text.is_empty() {
            self.parts.group(&mut self.columns, self.rows)?;
        }
        self.columns.iter_mut().for_each(Column::clear);
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Gives the folder its name, and how many rows there are; or the columns that became text, and leaves nothing.
    pub fn end(mut self) -> Result<Result<u64, Vec<AsText>>> {
        if !self.as_text.is_empty() {
            return Ok(Err(self.as_text));
        }
        if self.rows > 0 {
            self.flush()?;
        }
        self.parts.end()?;
        Ok(Ok(self.count))
    }
}

/// The Id of a record.
fn id_of(line: &[u8]) -> Result<RecordId> {
    let mut members = Members::new(line)?;
    while let Some((name, value)) = members.member()? {
        if let (b"Id", Token::Text(id, false)) = (name, value)
            && let Some(id) = RecordId::parse(id)
        {
            return Ok(id);
        }
    }
    Err(Error::corrupt("a stored record", "it has no Id"))
}

/// The files of a table: under another name until all are whole, removed if they never are.
struct Parts {
    whole: PathBuf,
    folder: PathBuf,
    schema: TypePtr,
    descr: SchemaDescriptor,
    props: WriterPropertiesPtr,
    file: Option<SerializedFileWriter<File>>,
    count: usize,
}

impl Parts {
    fn begin(dir: &Path, sobject: &str, columns: &[Column], told: Vec<KeyValue>) -> Result<Self> {
        let (whole, folder) = (dir.join(sobject), dir.join(format!("_{sobject}.part")));
        if whole.exists() {
            let message = format!("{} is there already", whole.display());
            return Err(Error::new(Kind::Busy, message).hint("name an empty folder"));
        }
        let fields = columns.iter().map(Column::schema).collect::<Result<_, _>>();
        let schema = fields.and_then(|fields| Type::group_type_builder("record").with_fields(fields).build());
        let schema = TypePtr::new(schema.map_err(failed(&folder))?);
        let id = columns.iter().position(|column| column.name == "Id");
        let sorted = id.map(|id| SortingColumn {
            column_idx: id as i32,
            descending: false,
            nulls_first: false,
        });
        let props = WriterProperties::builder()
            .set_created_by(concat!("halite version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            // No Id stands there twice.
            .set_column_dictionary_enabled(ColumnPath::from("Id"), false)
            .set_sorting_columns(sorted.map(|id| vec![id]))
            .set_key_value_metadata(Some(told));
        fs::create_dir(&folder).map_err(|e| Error::io(folder.display(), e))?;
        Ok(Self {
            whole,
            folder,
            descr: SchemaDescriptor::new(Arc::clone(&schema)),
            schema,
            props: Arc::new(props.build()),
            file: None,
            count: 0,
        })
    }

    /// The part at hand; a new one if there is none.
    fn file(&mut self) -> Result<&mut SerializedFileWriter<File>> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let path = self.folder.join(format!("part-{:05}.parquet", self.count));
                self.count += 1;
                let file = File::create_new(&path).map_err(|e| Error::io(path.display(), e))?;
                SerializedFileWriter::new(file, Arc::clone(&self.schema), Arc::clone(&self.props))
                    .map_err(failed(&path))?
            }
        };
        Ok(self.file.insert(file))
    }

    fn group(&mut self, columns: &mut [Column], rows: usize) -> Result<()> {
        let (descr, props) = (&self.descr, &self.props);
        let encoded: Result<Vec<_>, ParquetError> = columns
            .par_iter_mut()
            .enumerate()
            .map(|(at, column)| column.encode(rows, descr.column(at), Arc::clone(props)))
            .collect();
        let folder = self.folder.clone();
        let encoded = encoded.map_err(failed(&folder))?;
        let file = self.file()?;
        let mut group = file.next_row_group().map_err(failed(&folder))?;
        for (pages, closed) in encoded {
            group.append_column(&pages, closed).map_err(failed(&folder))?;
        }
        group.close().map_err(failed(&folder))?;
        if file.flushed_row_groups().len() == PART_GROUPS {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if let Some(file) = self.file.take() {
            file.close().map_err(failed(&self.folder))?;
        }
        Ok(())
    }

    /// Closes the last part, or makes one without rows, and gives the folder its name.
    fn end(&mut self) -> Result<()> {
        if self.count == 0 {
            self.file()?;
        }
        self.close()?;
        fs::rename(&self.folder, &self.whole).map_err(|e| Error::io(self.whole.display(), e))
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Gone if it was given its name; else nobody is left to be told that it stays.
        drop(self.file.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a failure of the writer means here: mostly that the disk is full.
fn failed(folder: &Path) -> impl Fn(ParquetError) -> Error {
    move |error| match error {
        ParquetError::External(cause) => match cause.downcast::<std::io::Error>() {
            Ok(cause) => Error::io(folder.display(), *cause),
            Err(cause) => Error::new(Kind::Io, format!("{}: {cause}", folder.display())),
        },
        other => Error::new(Kind::Io, format!("{}: {other}", folder.display())),
    }
}
