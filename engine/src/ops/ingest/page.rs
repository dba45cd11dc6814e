//! Rows that come as a page of CSV, as the Bulk API gives them.
//!
//! Key decision: a page is cut into pieces at line ends outside of quotes, and all cores parse and canonicalise them;
//! columns go by the page's own header, in any order. A page is refused whole if it does not read as CSV. It does not
//! know the files of an import, whose rows come one by one.

use crate::base::error::{Error, Kind, Result};
use crate::ops::ingest::Ingest;
use crate::vault::writer::Writer;

/// Pieces are not smaller than this.
const PIECE_MIN: usize = 64 << 10;

impl<'v> Ingest<'v> {
    /// Takes a page: a line of names, then whole rows.
    ///
    /// # Errors
    /// `Io` for a page that is no CSV or has other columns than the schema: the answer is broken, not the record.
    pub fn csv_page(&mut self, writer: &mut Writer<'v>, page: &[u8]) -> Result<()> {
        self.target.vault.go_on()?;
        let broken = |e: Error| Error::new(Kind::Io, format!("a page of CSV: {}", e.message()));
        let mut reader = csv::ReaderBuilder::new().from_reader(page);
        let names = reader.headers().map_err(|e| broken(csv_error(&e)))?.clone();
        let body = reader.position().byte() as usize;
        let pieces = pieces(
            page.get(body..).unwrap_or_default(),
            rayon::current_num_threads() * 2,
        );
        let batches = self.canonicalise(pieces, |canon, piece, rows| {
            canon.columns(&names.iter().collect::<Vec<_>>())?;
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(piece);
            let mut record = csv::ByteRecord::new();
            rows.arena.reserve(piece.len());
            while reader.read_byte_record(&mut record).map_err(|e| csv_error(&e))? {
                canon.csv(&record, rows)?;
            }
            Ok(())
        });
        let batches = batches.map_err(broken)?;
        self.hold(writer, batches)
    }
}

fn csv_error(error: &csv::Error) -> Error {
    Error::invalid(error.to_string())
}

/// Cuts CSV rows into about `count` pieces, each of whole rows.
fn pieces(rows: &[u8], count: usize) -> Vec<&[u8]> {
    let target = (rows.len() / count.max(1)).max(PIECE_MIN);
    let (mut all, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut end = rest.len().min(target);
        // An odd number of quotes is an open one.
        let mut quoted = quotes(&rest[..end]);
        while let Some(line) = memchr::memchr(b'\n', &rest[end..]) {
            quoted ^= quotes(&rest[end..end + line]);
            end += line + 1;
            if !quoted {
                break;
            }
        }
        if quoted || rest[end - 1] != b'\n' {
            end = rest.len();
        }
        let (piece, behind) = rest.split_at(end);
        all.push(piece);
        rest = behind;
    }
    all
}

/// Whether the number of quotes is odd.
fn quotes(text: &[u8]) -> bool {
    memchr::memchr_iter(b'"', text).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::base::stamp::Stamp;
    use crate::format::record::Mode;
    use crate::format::schema::Schema;
    use crate::ops::ingest::{Rules, Target};
    use crate::store::memory::Memory;
    use crate::vault::{Secret, Vault, VaultOptions};

    /// Who asks for the page again does so when it is broken, and not when it is asked to stop.
    #[test]
    fn a_stop_is_no_broken_page() {
        let cancel = Arc::new(AtomicBool::new(false));
        let options = VaultOptions {
            cancel: Arc::clone(&cancel),
            ..VaultOptions::default()
        };
        let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, options).unwrap();
        let mut writer = Writer::new(&vault);
        let target = Target {
            vault: &vault,
            snapshot: 1,
            schema_number: 1,
            schema: Arc::new(Schema::inferred("X", vec!["Id".to_owned()]).unwrap()),
            runs: Vec::new(),
            before: None,
            read: Stamp::NONE,
            holes: Vec::new(),
            erased: writer.erased("00D000000000001".parse().unwrap()).unwrap(),
        };
        let rules = Rules {
            mode: Mode::Refuse,
            full: true,
            once: true,
            memory: 1 << 20,
        };
        let mut ingest = Ingest::new(target, rules).unwrap();
        let mut kind = |page: &[u8]| ingest.csv_page(&mut writer, page).err().map(|e| e.kind());
        assert_eq!(kind(b"Id\n001000000000001\n"), None);
        assert_eq!(kind(b"Id\n\"001"), Some(Kind::Io));
        cancel.store(true, Ordering::Relaxed);
        assert_eq!(kind(b"Id\n001000000000002\n"), Some(Kind::Interrupted));
    }

    #[test]
    fn pieces_are_whole_rows() {
        let row = |n: usize| format!("\"{n}\",\"a \"\"quoted\"\"\nline,{}\"\n", "x".repeat(n % 90));
        let text: String = (0..9000).map(row).collect();
        let pieces = pieces(text.as_bytes(), 8);
        assert!(pieces.len() > 4 && pieces.concat() == text.as_bytes());
        for piece in pieces {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(piece);
            assert!(reader.records().all(|row| row.is_ok_and(|row| row.len() == 2)));
        }
    }
}
