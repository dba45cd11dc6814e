//! Rows that come as a block of lines of JSON, as a file has them.
//!
//! Key decision: a block is cut into pieces at line ends, and each is looked at for lines by whoever canonicalises it, so
//! that one thread touches no byte twice; a line's number is counted only where an error names it. It does not read
//! files.

use crate::base::error::Result;
use crate::ops::ingest::Ingest;
use crate::vault::writer::Writer;

impl<'v> Ingest<'v> {
    /// Takes whole lines of JSON, a row each, blank ones between them; `first` is the number of the first line.
    ///
    /// # Errors
    /// `Invalid`, with the line's number.
    pub fn json_lines(&mut self, writer: &mut Writer<'v>, first: u64, block: &[u8]) -> Result<()> {
        self.digest(writer)?;
        let pieces = pieces(block, rayon::current_num_threads() * 2);
        let batches = self.canonicalise(pieces, |canon, (at, piece), rows| {
            let mut start = 0;
            while start < piece.len() {
                let end = memchr::memchr(b'\n', &piece[start..]).map_or(piece.len(), |len| start + len);
                let line = piece[start..end].trim_ascii();
                if !line.is_empty() {
                    let number = || first + line_ends(&block[..at + start]);
                    canon
                        .json(line, rows)
                        .map_err(|e| e.within(format_args!("line {}", number())))?;
                }
                start = end + 1;
            }
            Ok(())
        })?;
        self.hold(writer, batches)
    }
}

fn line_ends(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}

/// Cuts a block into about `count` pieces, each of whole lines, with where they begin.
fn pieces(block: &[u8], count: usize) -> Vec<(usize, &[u8])> {
    let (mut all, mut start) = (Vec::new(), 0);
    let target = block.len().div_ceil(count).max(1);
    while start < block.len() {
        let least = (start + target).min(block.len());
        let end = memchr::memchr(b'\n', &block[least..]).map_or(block.len(), |at| least + at + 1);
        all.push((start, &block[start..end]));
        start = end;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_lines() {
        for text in [
            "",
            "\n",
            "a",
            "a\n",
            "a\n\n\nbc",
            &"line\n".repeat(99),
            &"x".repeat(99),
        ] {
            for count in 1..9 {
                let pieces = pieces(text.as_bytes(), count);
                let mut at = 0;
                for (i, (start, piece)) in pieces.iter().enumerate() {
                    assert_eq!(*start, at);
                    assert!(piece.ends_with(b"\n") || i + 1 == pieces.len());
                    at += piece.len();
                }
                assert!(
                    at == text.len() && pieces.len() <= count.max(1),
                    "{text:?} in {count}"
                );
            }
        }
    }
}
