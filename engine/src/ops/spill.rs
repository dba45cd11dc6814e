//! Bytes that may be more than memory: appended, and read again by their place.
//!
//! Key decision: held in memory up to a bound, then in a temporary file that has no name, which the system takes back when
//! its last user goes. It knows nothing of what the bytes mean, and forgets none.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use crate::base::error::{Error, Result};

/// Bytes, the first of them perhaps in a file.
#[derive(Default)]
pub struct Spill {
    held: Vec<u8>,
    spilled: u64,
    file: Option<File>,
}

fn failed(e: std::io::Error) -> Error {
    Error::io("a temporary file", e)
}

impl Spill {
    /// How many bytes there are.
    pub fn len(&self) -> u64 {
        self.spilled + self.held.len() as u64
    }

    /// Where bytes are appended.
    pub fn end(&mut self) -> &mut Vec<u8> {
        &mut self.held
    }

    /// Moves what is held to the file if it is as much as `most`.
    pub fn beyond(&mut self, most: usize) -> Result<()> {
        if self.held.len() < most.max(1) {
            return Ok(());
        }
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(failed)?),
        };
        // Reading moved to elsewhere.
        file.seek(SeekFrom::Start(self.spilled))
            .and_then(|_| file.write_all(&self.held))
            .map_err(failed)?;
        self.spilled += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// Reads the bytes that stand at `at`, as many as fit; there must be so many.
    pub fn read(&mut self, at: u64, into: &mut [u8]) -> Result<()> {
        let in_file = self.spilled.saturating_sub(at).min(into.len() as u64) as usize;
        let (from_file, from_memory) = into.split_at_mut(in_file);
        if let Some(file) = self.file.as_mut().filter(|_| in_file > 0) {
            let read = file
                .seek(SeekFrom::Start(at))
                .and_then(|_| file.read_exact(from_file));
            read.map_err(failed)?;
        }
        let start = (at + in_file as u64 - self.spilled.min(at + in_file as u64)) as usize;
        from_memory.copy_from_slice(&self.held[start..start + from_memory.len()]);
        Ok(())
    }

    /// Whether some of it is in the file.
    #[cfg(test)]
    pub fn is_in_file(&self) -> bool {
        self.file.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_from_file_and_memory_alike() {
        let all: Vec<u8> = (0..1_000_u32).map(|n| (n * 7 % 251) as u8).collect();
        let mut spill = Spill::default();
        for piece in all.chunks(13) {
            spill.end().extend_from_slice(piece);
            spill.beyond(100).unwrap();
            assert!(spill.held.len() < 100);
        }
        assert!(spill.is_in_file() && !spill.held.is_empty());
        assert_eq!(spill.len(), 1_000);
        for (at, length) in [(0, 1_000), (0, 0), (5, 90), (895, 105), (999, 1), (1_000, 0)] {
            let mut read = vec![0; length];
            spill.read(at as u64, &mut read).unwrap();
            assert_eq!(read, all[at..at + length], "{at}");
        }
    }
}
