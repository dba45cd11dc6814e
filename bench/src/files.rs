//! Files in successive versions: documents, images, and archives of documents.
//!
//! Key decision: a body is a function of (seed, kind, number, version); a version is made by going through those before
//! it, so no folder needs the one before.
//! These are not files that a program would show: images have the frame of a JPEG and noise inside.

mod zip;

use std::io;
use std::path::Path;

use clap::Args;

use crate::random::Random;
use crate::values;

/// Members of an archive.
const MEMBERS: u64 = 5;
/// Streams of numbers, apart from those of records.
const SIZE: u64 = 2_000;
const TEXT: u64 = 2_001;
const EDIT: u64 = 2_002;
const NOISE: u64 = 2_003;
const ENCODE: u64 = 2_004;
const MEMBER: u64 = 2_005;

/// How many files there are, how large, in how many versions.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Files of each kind: documents, images, archives
    #[arg(long, default_value_t = 30)]
    pub file_count: u64,
    /// Mean bytes of a document and of an image; an archive has five documents
    #[arg(long, default_value_t = 200_000)]
    pub file_bytes: u64,
    /// Versions of each file, the first included
    #[arg(long, default_value_t = 5)]
    pub versions: u64,
}

/// Bodies of files, by number and version.
pub struct Library {
    seed: u64,
    count: u64,
    bytes: u64,
    vocabulary: Vec<Vec<u8>>,
}

impl Library {
    /// The library of a seed; another number of files gives other archives.
    pub fn new(files: &Files, seed: u64) -> Self {
        Self {
            seed,
            count: files.file_count.max(1),
            bytes: files.file_bytes,
            vocabulary: values::vocabulary(),
        }
    }

    fn random(&self, stream: u64, number: u64, version: u64) -> Random {
        Random::of([self.seed, stream, number, version])
    }

    /// From a quarter to seven quarters of the mean.
    fn size(&self, number: u64, version: u64) -> usize {
        (self.bytes / 4 + self.random(SIZE, number, version).below(self.bytes * 3 / 2 + 1)) as usize
    }

    /// Text that each version edits in one to four places: a span put in, taken out, or replaced.
    pub fn document(&self, number: u64, version: u64) -> Vec<u8> {
        let mut text = Vec::new();
        let mut random = self.random(TEXT, number, 0);
        values::text(&mut text, &mut random, &self.vocabulary, self.size(2 * number, 0));
        for version in 1..=version {
            let mut random = self.random(EDIT, number, version);
            for _ in 0..1 + random.below(4) {
                self.edit(&mut text, &mut random);
            }
        }
        text
    }

    fn edit(&self, text: &mut Vec<u8>, random: &mut Random) {
        let at = random.below(text.len() as u64) as usize;
        let start = at + text[at..].iter().position(|byte| *byte == b' ').unwrap_or(0);
        let (puts, takes) = [(true, false), (false, true), (true, true)][random.below(3) as usize];
        let mut bytes = || 20 + random.skewed(self.bytes / 20 + 1) as usize;
        let (put, taken) = (bytes(), if takes { bytes() } else { 0 });
        let mut span = Vec::new();
        if puts {
            span.push(b' ');
            values::text(&mut span, random, &self.vocabulary, put);
        }
        let end = (start + taken).min(text.len());
        text.splice(start..end, span);
    }

    /// Noise in the frame of a JPEG. A version has other metadata in front of the same noise, or, one in three, is
    /// encoded anew: all of it is other noise.
    pub fn image(&self, number: u64, version: u64) -> Vec<u8> {
        let anew = |version: &u64| self.random(ENCODE, number, *version).below(3) == 0;
        let encoded = (1..=version).rev().find(anew).unwrap_or(0);
        let mut notes = format!("<x:xmpmeta><dc:identifier>{number}.{version}</dc:identifier>").into_bytes();
        let mut random = self.random(TEXT, number, version + 1);
        let bytes = 40 + random.below(1_500) as usize;
        values::text(&mut notes, &mut random, &self.vocabulary, bytes);
        notes.extend_from_slice(b"</x:xmpmeta>");
        // Start of image, an application segment with its length, start of scan.
        let mut image = vec![0xFF, 0xD8, 0xFF, 0xE1];
        image.extend_from_slice(&(notes.len() as u16 + 2).to_be_bytes());
        image.append(&mut notes);
        image.extend_from_slice(&[0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0x3F, 0]);
        let end = image.len() + self.size(2 * number + 1, encoded);
        let mut random = self.random(NOISE, number, encoded);
        while image.len() < end {
            // A mark in the noise would be read as a segment.
            image.extend(random.next().to_le_bytes().map(|byte| byte.min(0xFE)));
        }
        image.extend_from_slice(&[0xFF, 0xD9]);
        image
    }

    /// A zip of documents: even ones store them, odd ones deflate them. A version has the next version of one of them.
    pub fn archive(&self, number: u64, version: u64) -> Vec<u8> {
        let mut versions = [0; MEMBERS as usize];
        for version in 1..=version {
            versions[self.random(MEMBER, number, version).below(MEMBERS) as usize] += 1;
        }
        let members = (0..MEMBERS).zip(versions).map(|(index, version)| {
            let document = (number + index) % self.count;
            zip::Member {
                name: format!("{index}-{document:04}.txt"),
                day: 1 + (version % 28) as u16,
                body: self.document(document, version),
            }
        });
        zip::zip(members, number % 2 == 1)
    }

    /// Writes `DIR/v0`, `DIR/v1`, …: each with all files as they are in that version.
    ///
    /// # Errors
    /// What the disk says.
    pub fn write(&self, dir: &Path, versions: u64) -> io::Result<()> {
        for version in 0..versions {
            let place = dir.join(format!("v{version}"));
            self.folder(&place.join("documents"), "txt", &|number| {
                self.document(number, version)
            })?;
            self.folder(&place.join("images"), "jpg", &|number| {
                self.image(number, version)
            })?;
            self.folder(&place.join("archives"), "zip", &|number| {
                self.archive(number, version)
            })?;
        }
        Ok(())
    }

    fn folder(&self, dir: &Path, ending: &str, body: &dyn Fn(u64) -> Vec<u8>) -> io::Result<()> {
        std::fs::create_dir_all(dir)?;
        (0..self.count)
            .try_for_each(|number| std::fs::write(dir.join(format!("{number:04}.{ending}")), body(number)))
    }
}

#[cfg(test)]
mod tests;
