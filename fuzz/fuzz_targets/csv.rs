//! An upload of the Bulk API from any bytes: the rows that a plain model of RFC 4180 finds, or a refusal of both.
//!
//! Key decision: the model goes byte by byte and knows no crate; and what the API writes is read back the same.
//! The first byte picks the format. It does not look at what the columns mean.
#![no_main]

use halite_simulator::fuzzing::{Cells, Csv};

const DELIMITERS: [(&str, u8); 6] = [
    ("COMMA", b','),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

/// The rows that are not empty, all of one width; `None` for what is no CSV of this format.
fn model(text: &[u8], delimiter: u8, crlf: bool) -> Option<Cells> {
    let mut rows: Cells = Vec::new();
    let (mut row, mut cell) = (Vec::new(), Vec::new());
    let mut at = 0;
    // Whether the cell was quoted and is closed.
    let mut closed = false;
    loop {
        let next = text.get(at..).unwrap_or_default();
        let end = match next {
            [] => Some(0),
            [b'\r', b'\n', ..] if crlf => Some(2),
            [b'\r', b'\n', ..] => return None,
            [b'\n', ..] if crlf => return None,
            [b'\n', ..] => Some(1),
            _ => None,
        };
        if let Some(length) = end {
            row.push(std::mem::take(&mut cell));
            let whole = std::mem::take(&mut row);
            if whole.iter().any(|c: &Vec<u8>| !c.is_empty()) {
                rows.push(whole);
            }
            closed = false;
            at += length;
            if length == 0 {
                let width = rows.first().map_or(0, Vec::len);
                return rows.iter().all(|r| r.len() == width).then_some(rows);
            }
            continue;
        }
        at += 1;
        match next[0] {
            b if b == delimiter => {
                row.push(std::mem::take(&mut cell));
                closed = false;
            }
            _ if closed => return None,
            b'"' if cell.is_empty() => {
                loop {
                    match text.get(at..)? {
                        [b'"', b'"', ..] => {
                            cell.push(b'"');
                            at += 2;
                        }
                        [b'"', ..] => break,
                        [b, ..] => {
                            cell.push(*b);
                            at += 1;
                        }
                        [] => return None,
                    }
                }
                at += 1;
                closed = true;
            }
            b'"' => return None,
            b => cell.push(b),
        }
    }
}

/// Rows of one width out of bytes: the first says how wide, 0xff ends a cell.
fn table(bytes: &[u8]) -> Cells {
    let Some((width, bytes)) = bytes.split_first() else {
        return Cells::new();
    };
    let cells: Vec<Vec<u8>> = bytes.split(|b| *b == 0xff).map(<[u8]>::to_vec).collect();
    let rows = cells
        .chunks_exact(usize::from(width % 7) + 1)
        .map(<[Vec<u8>]>::to_vec);
    rows.filter(|row| row.iter().any(|c| !c.is_empty())).collect()
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((how, rest)) = bytes.split_first() else {
        return;
    };
    let (name, delimiter) = DELIMITERS[usize::from(how >> 2) % DELIMITERS.len()];
    let crlf = how & 1 == 1;
    let csv = Csv::named(name, if crlf { "CRLF" } else { "LF" }).unwrap();
    if how & 2 == 2 {
        let rows = table(rest);
        assert_eq!(csv.read(&csv.write(&rows)), Ok(rows));
    } else {
        assert_eq!(csv.read(rest).ok(), model(rest, delimiter, crlf));
    }
});
