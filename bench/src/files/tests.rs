//! What the files promise: versions that share what they should, archives that can be read.
//!
//! Key decision: an archive is read by its directory and its members' own headers, inflated by a decoder, and compared
//! with the documents.
//! This is not a check of how well any tool finds what versions share.

use std::collections::BTreeSet;
use std::io::Read;

use flate2::{Crc, read::DeflateDecoder};

use super::*;

const FILES: Files = Files {
    file_count: 8,
    file_bytes: 20_000,
    versions: 3,
};

fn library() -> Library {
    Library::new(&FILES, 3)
}

/// How many bytes two bodies have in common at their start and at their end.
fn common(a: &[u8], b: &[u8]) -> (usize, usize) {
    let same = |(a, b): &(&u8, &u8)| a == b;
    let start = a.iter().zip(b).take_while(same).count();
    let most = a.len().min(b.len()) - start;
    let end = a.iter().rev().zip(b.iter().rev()).take(most).take_while(same);
    (start, end.count())
}

/// Sentences of a text.
fn sentences(text: &[u8]) -> BTreeSet<&[u8]> {
    text.split(|byte| *byte == b'.').collect()
}

#[test]
fn documents_are_edited_in_places() {
    let library = library();
    let (mut sizes, mut grown, mut shrunk) = (0, 0, 0);
    for number in 0..40 {
        let (was, is) = (library.document(number, 4), library.document(number, 5));
        assert!(is.is_ascii() && was != is);
        let (was_said, is_said) = (sentences(&was), sentences(&is));
        let kept = was_said.intersection(&is_said).count();
        assert!(
            kept * 10 > was_said.len() * 5,
            "{number}: {kept} of {}",
            was_said.len()
        );
        grown += u32::from(is.len() > was.len());
        shrunk += u32::from(is.len() < was.len());
        sizes += library.document(number, 0).len();
    }
    assert!(grown > 5 && shrunk > 5, "{grown} {shrunk}");
    assert!((sizes / 40).abs_diff(20_000) < 4_000, "{}", sizes / 40);
    assert_eq!(library.document(3, 2), self::library().document(3, 2));
    assert_ne!(library.document(3, 2), Library::new(&FILES, 4).document(3, 2));
}

#[test]
fn images_are_noise_with_other_metadata_or_other_noise() {
    let library = library();
    let (mut kept, mut anew) = (0, 0);
    for number in 0..40 {
        let (was, is) = (library.image(number, 1), library.image(number, 2));
        assert!(is.starts_with(&[0xFF, 0xD8]) && is.ends_with(&[0xFF, 0xD9]));
        let (start, end) = common(&was, &is);
        assert!(start < 60, "the metadata stand in front");
        match end {
            ..100 => anew += 1,
            _ => {
                assert!(is.len() - end < 2_200);
                kept += 1;
            }
        }
        let packed = zstd::bulk::compress(&is, 3).unwrap().len();
        assert!(packed + 2_000 > is.len(), "{packed} of {}", is.len());
    }
    assert!((15..36).contains(&kept) && anew > 4, "{kept} {anew}");
}

/// A member as an archive holds it: its name, its body, and whether it is stored as it is.
type Found = (String, Vec<u8>, bool);

/// The members by the directory of an archive, each checked against its own header and its checksum.
fn members(archive: &[u8]) -> Vec<Found> {
    let number = |at: usize, bytes: usize| {
        let wide = archive[at..at + bytes].iter().rev();
        wide.fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
    };
    let end = archive.len() - 22;
    assert_eq!(&archive[end..end + 4], b"PK\x05\x06");
    let mut at = number(end + 16, 4);
    assert_eq!(at + number(end + 12, 4), end);
    let mut found = Vec::new();
    for _ in 0..number(end + 10, 2) {
        assert_eq!(&archive[at..at + 4], b"PK\x01\x02");
        let (own, name_length) = (number(at + 42, 4), number(at + 28, 2));
        assert_eq!(&archive[own..own + 4], b"PK\x03\x04");
        assert_eq!(archive[at + 6..at + 32], archive[own + 4..own + 30]);
        let name = &archive[at + 46..at + 46 + name_length];
        let start = own + 30 + name_length;
        assert_eq!(&archive[own + 30..start], name);
        let (stored, content) = (
            number(at + 10, 2) == 0,
            &archive[start..start + number(at + 20, 4)],
        );
        let mut body = Vec::new();
        if stored {
            body.extend_from_slice(content);
        } else {
            DeflateDecoder::new(content).read_to_end(&mut body).unwrap();
        }
        let mut crc = Crc::new();
        crc.update(&body);
        assert_eq!(
            (crc.sum() as usize, body.len()),
            (number(at + 16, 4), number(at + 24, 4))
        );
        found.push((String::from_utf8(name.to_vec()).unwrap(), body, stored));
        at += 46 + name_length;
    }
    assert_eq!(at, end);
    found
}

#[test]
fn archives_hold_documents_and_a_version_changes_one() {
    let library = library();
    for number in 0..8 {
        let [first, second] = [0, 1].map(|version| members(&library.archive(number, version)));
        assert_eq!(first.len(), MEMBERS as usize);
        for (index, (name, body, stored)) in first.iter().enumerate() {
            let document = (number + index as u64) % 8;
            assert_eq!(*name, format!("{index}-{document:04}.txt"));
            assert_eq!(*body, library.document(document, 0), "{name}");
            assert_eq!(*stored, number % 2 == 0);
        }
        let changed: Vec<_> = first.iter().zip(&second).filter(|(a, b)| a != b).collect();
        assert_eq!(changed.len(), 1, "{number}");
        let document = changed[0].1.0[2..6].parse().unwrap();
        assert_eq!(changed[0].1.1, library.document(document, 1));
    }
}

#[test]
fn each_version_is_a_folder_of_all_files() {
    let dir = tempfile::tempdir().unwrap();
    library().write(dir.path(), FILES.versions).unwrap();
    let read = |path: &str| std::fs::read(dir.path().join(path)).unwrap();
    assert_eq!(read("v2/documents/0007.txt"), library().document(7, 2));
    assert_eq!(read("v0/images/0000.jpg"), library().image(0, 0));
    assert_eq!(read("v1/archives/0001.zip"), library().archive(1, 1));
    assert!(!dir.path().join("v3").exists() && !dir.path().join("v0/images/0008.jpg").exists());
}
