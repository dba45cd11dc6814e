//! An uploaded CSV, row by row.
//!
//! Key decision: strict. The `csv` crate takes anything for CSV, so the bytes of each row are looked at too:
//! a quote in the wrong place, another line end than the job's or a row of another width is a flaw, and ends
//! the job. A row can be read again from where it began, so that results need no copy of the upload.
//! Source: RFC 4180; Bulk API 2.0 guide, "Prepare CSV Files", "Bulk API 2.0 Limits"; the wording is that of
//! failed jobs that people reported.
//! Not here: what the columns mean (`columns`).

use std::io::{self, Read, Seek, SeekFrom};

use csv::{ByteRecord, Position, Reader, ReaderBuilder, Terminator};

use super::job::Format;

/// Columns of a row at most.
const MAX_COLUMNS: usize = 5000;
/// Characters of a row, and of a value, at most.
const MAX_ROW: usize = 400_000;
const MAX_CELL: usize = 131_072;

/// Bytes read ahead, which a jump throws away.
const BUFFER: usize = 1024;

/// Why an upload is no CSV, in the words of a job's `errorMessage`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {0}")]
    Ending(&'static str),
    #[error(
        "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
    )]
    Unescaped,
    #[error("InvalidBatch : Failed to parse CSV. Not expecting more text after end quote")]
    AfterQuote,
    #[error("InvalidBatch : Failed to parse CSV. EOF reached before closing an opened quote")]
    Unclosed,
    #[error("InvalidBatch : Failed to parse CSV. A row has {0} columns, the header has {1}")]
    Width(usize, usize),
    #[error("InvalidBatch : Failed to parse CSV. Exceeded max number of columns per record : {MAX_COLUMNS}")]
    Columns,
    #[error(
        "InvalidBatch : Failed to parse CSV. Exceeded max length for one record: {0}. Max length for one record should be less than or equal to {MAX_ROW}"
    )]
    Row(usize),
    #[error("InvalidBatch : Failed to parse CSV. Exceeded max field size: {0}")]
    Cell(usize),
}

/// A reader of an upload; it stands behind the row that it read last.
pub(crate) struct Sheet<'a> {
    bytes: &'a [u8],
    format: Format,
    reader: Reader<Source<'a>>,
    cells: ByteRecord,
    /// Where the next row begins.
    at: usize,
    /// Cells of the first row.
    width: Option<usize>,
}

impl<'a> Sheet<'a> {
    pub fn new(bytes: &'a [u8], format: Format) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(format.delimiter())
            .terminator(Terminator::Any(b'\n'))
            .has_headers(false)
            .buffer_capacity(BUFFER)
            .flexible(true)
            .from_reader(Source { bytes, at: 0 });
        Self {
            bytes,
            format,
            reader,
            cells: ByteRecord::new(),
            at: 0,
            width: None,
        }
    }

    /// Cells of the row read last.
    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.iter()
    }

    /// Goes to where a row began.
    pub fn seek(&mut self, start: usize) {
        if self.at == start {
            return;
        }
        let mut position = Position::new();
        position.set_byte(start as u64);
        // Memory can be read from anywhere.
        drop(self.reader.seek(position));
        self.at = start;
    }

    /// Reads on to the next row that is not empty; gives where it began, `None` after the last.
    pub fn read(&mut self) -> Result<Option<usize>, Flaw> {
        loop {
            let start = self.at;
            let more = matches!(self.reader.read_byte_record(&mut self.cells), Ok(true));
            self.at = usize::try_from(self.reader.position().byte())
                .unwrap_or(usize::MAX)
                .saturating_sub(1);
            let raw = self.bytes.get(start..self.at).unwrap_or_default();
            check(raw, self.format)?;
            if !more {
                return Ok(None);
            }
            if self.format.crlf && raw.ends_with(b"\r\n") {
                self.drop_return();
            }
            if self.cells.iter().all(<[u8]>::is_empty) {
                continue;
            }
            let width = *self.width.get_or_insert(self.cells.len());
            if self.cells.len() != width {
                return Err(Flaw::Width(self.cells.len(), width));
            }
            self.measure()?;
            return Ok(Some(start));
        }
    }

    /// Takes the carriage return of a line end, which the reader leaves in the last value, out of it.
    fn drop_return(&mut self) {
        let Some(last) = self.cells.len().checked_sub(1) else {
            return;
        };
        let cut = self.cells.get(last).and_then(|c| c.strip_suffix(b"\r"));
        let cut = cut.unwrap_or_default().to_vec();
        self.cells.truncate(last);
        self.cells.push_field(&cut);
    }

    /// Refuses rows that are too wide or too long.
    fn measure(&self) -> Result<(), Flaw> {
        if self.cells.len() > MAX_COLUMNS {
            return Err(Flaw::Columns);
        }
        if self.cells.as_slice().len() <= MAX_CELL {
            return Ok(());
        }
        let length = |bytes| String::from_utf8_lossy(bytes).encode_utf16().count();
        if let Some(long) = self.cells.iter().map(length).find(|n| *n > MAX_CELL) {
            return Err(Flaw::Cell(long));
        }
        match length(self.cells.as_slice()) {
            all if all > MAX_ROW => Err(Flaw::Row(all)),
            _ => Ok(()),
        }
    }
}

/// Looks at the quotes and the line end of a row, and of the empty lines before it.
fn check(raw: &[u8], format: Format) -> Result<(), Flaw> {
    let row = raw
        .iter()
        .position(|b| *b != b'\n')
        .map_or(&raw[..0], |at| &raw[at..]);
    let ended = row.strip_suffix(b"\n");
    let body = ended.unwrap_or(row);
    let returned = ended.and_then(|b| b.strip_suffix(b"\r"));
    quotes(returned.unwrap_or(body), format.delimiter())?;
    let bare = row.len() < raw.len();
    if format.crlf && bare || ended.is_some() && returned.is_some() != format.crlf {
        return Err(Flaw::Ending(format.ending_name()));
    }
    Ok(())
}

/// Looks at the quotes of a row without its line end.
fn quotes(row: &[u8], delimiter: u8) -> Result<(), Flaw> {
    #[derive(PartialEq)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    if !row.contains(&b'"') {
        return Ok(());
    }
    let mut at = At::Start;
    for byte in row {
        at = match (at, *byte) {
            (At::Start | At::Closed, b'"') => At::Quoted,
            (At::Quoted, b'"') => At::Closed,
            (At::Quoted, _) => At::Quoted,
            (_, b) if b == delimiter => At::Start,
            (At::Plain, b'"') => return Err(Flaw::Unescaped),
            (At::Start | At::Plain, _) => At::Plain,
            (At::Closed, _) => return Err(Flaw::AfterQuote),
        };
    }
    if at == At::Quoted {
        return Err(Flaw::Unclosed);
    }
    Ok(())
}

/// The upload behind one more line end, so that every row follows one: the reader takes a byte order mark
/// off whatever it begins with, and a row that is read again must not lose one.
struct Source<'a> {
    bytes: &'a [u8],
    /// 0 is the line end.
    at: usize,
}

impl Read for Source<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut rest = match self.at.checked_sub(1) {
            None => b"\n",
            Some(at) => self.bytes.get(at..).unwrap_or_default(),
        };
        let n = rest.read(out)?;
        self.at += n;
        Ok(n)
    }
}

impl Seek for Source<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.at = usize::try_from(at).unwrap_or(usize::MAX);
        Ok(at)
    }
}
