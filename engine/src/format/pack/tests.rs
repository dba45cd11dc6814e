//! Tests of packs and of scanning them: round trips, every byte flipped, damage named, golden bytes.
//!
//! Key decision: tampering is tried on every byte of a small pack, not on a sample.
//! Nothing here knows how the bytes are laid out but the golden test, which only knows that they stay.

use super::*;
use crate::format::scan::scan;
use crate::format::seal::{Compressor, MasterKey};

const PACK: PackId = PackId([0x5a; 32]);

fn keys() -> Keys {
    Keys::derive(&MasterKey::from_bytes([7; 32]))
}

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// A pack of these chunks, and where they are.
fn pack_of(chunks: &[(ChunkKind, Vec<u8>)]) -> (Vec<u8>, Vec<DirEntry>) {
    let keys = keys();
    let mut builder = PackBuilder::new(&keys, PACK, PackRole::Data);
    let mut compressor = Compressor::new(1);
    for (kind, plain) in chunks {
        let prepared = compressor.prepare(&keys, *kind, plain).unwrap();
        let location = builder.append(&prepared).unwrap();
        assert_eq!(builder.len(), (location.offset + location.len) as usize);
    }
    let entries = builder.entries().to_vec();
    (builder.finish().unwrap(), entries)
}

fn small() -> Vec<(ChunkKind, Vec<u8>)> {
    vec![
        (ChunkKind::PageKeys, noise(1, 60)),
        (ChunkKind::PageValues, vec![b'x'; 500]),
        (ChunkKind::Ids, Vec::new()),
        (ChunkKind::Blob, noise(2, 90)),
    ]
}

fn ranges(bytes: &[u8]) -> impl FnMut(u64, usize) -> Result<Vec<u8>> {
    |offset, len| {
        let start = usize::try_from(offset).unwrap();
        let range = bytes.get(start..start + len);
        range
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Error::new(Kind::Corrupt, "out of range"))
    }
}

fn cut<'a>(bytes: &'a [u8], location: &Location) -> &'a [u8] {
    bytes
        .get(location.offset as usize..(location.offset + location.len) as usize)
        .unwrap_or_default()
}

fn plains(bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<Error>) {
    let keys = keys();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for item in scan(&keys, &PACK, bytes) {
        match item {
            Ok((_, plain)) => good.push(plain),
            Err(e) => bad.push(e),
        }
    }
    (good, bad)
}

#[test]
fn a_pack_gives_back_what_went_in() {
    let chunks = small();
    let (bytes, entries) = pack_of(&chunks);
    assert_eq!(bytes.len() as u64, padme(bytes.len() as u64));
    let read = read_directory(&keys(), &PACK, bytes.len() as u64, ranges(&bytes)).unwrap();
    assert_eq!(read, entries);
    for (entry, (kind, plain)) in read.iter().zip(&chunks) {
        let got = open_chunk(&keys(), &entry.id, *kind, &PACK, cut(&bytes, &entry.location)).unwrap();
        assert_eq!((&got, entry.raw_len as usize), (plain, plain.len()));
    }
    let (good, bad) = plains(&bytes);
    assert_eq!(good, chunks.into_iter().map(|c| c.1).collect::<Vec<_>>());
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn an_empty_pack_is_a_pack() {
    let (bytes, _) = pack_of(&[]);
    assert!(
        read_directory(&keys(), &PACK, bytes.len() as u64, ranges(&bytes))
            .unwrap()
            .is_empty()
    );
    assert!(plains(&bytes).1.is_empty());
}

#[test]
fn a_long_directory_takes_a_second_read() {
    let chunks: Vec<_> = (0..2000).map(|n| (ChunkKind::Ids, noise(n, 9))).collect();
    let (bytes, entries) = pack_of(&chunks);
    let mut reads = 0;
    let mut get = ranges(&bytes);
    let read = read_directory(&keys(), &PACK, bytes.len() as u64, |offset, len| {
        reads += 1;
        get(offset, len)
    });
    assert_eq!((read.unwrap(), reads), (entries, 2));
}

#[test]
fn every_flipped_byte_is_noticed_and_costs_one_chunk_at_most() {
    let chunks = small();
    let (bytes, entries) = pack_of(&chunks);
    for at in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut torn = bytes.clone();
            torn[at] ^= bit;
            let (good, bad) = plains(&torn);
            assert!(!bad.is_empty(), "byte {at} went unnoticed");
            assert!(
                good.iter().all(|plain| chunks.iter().any(|c| c.1 == *plain)),
                "byte {at} gave wrong data"
            );
            let newer = bad.iter().any(|e| e.kind() == Kind::Unsupported);
            assert!(
                newer || good.len() + 1 >= chunks.len(),
                "byte {at} cost {} chunks",
                chunks.len() - good.len()
            );
            for (entry, (kind, plain)) in entries.iter().zip(&chunks) {
                let inside = (entry.location.offset as usize..)
                    .take(entry.location.len as usize)
                    .any(|p| p == at);
                let got = open_chunk(&keys(), &entry.id, *kind, &PACK, cut(&torn, &entry.location));
                assert_eq!(got.as_ref().ok(), (!inside).then_some(plain), "byte {at}");
            }
            if let Ok(read) = read_directory(&keys(), &PACK, torn.len() as u64, ranges(&torn)) {
                assert_eq!(read, entries, "byte {at} changed the directory");
            }
        }
    }
}

#[test]
fn every_truncation_and_every_tail_is_noticed() {
    let (bytes, entries) = pack_of(&small());
    for len in 0..bytes.len() {
        let torn = &bytes[..len];
        assert!(
            read_directory(&keys(), &PACK, len as u64, ranges(torn)).is_err(),
            "cut at {len}"
        );
        let (good, bad) = plains(torn);
        let whole = entries
            .iter()
            .filter(|e| (e.location.offset + e.location.len) as usize <= len)
            .count();
        assert_eq!((good.len(), bad.is_empty()), (whole, false), "cut at {len}");
    }
    let longer = [&bytes[..], &[0; 64], &bytes[bytes.len() - FOOTER_BYTES..]].concat();
    assert!(read_directory(&keys(), &PACK, longer.len() as u64, ranges(&longer)).is_err());
}

#[test]
fn chunks_and_packs_cannot_be_swapped() {
    let (bytes, entries) = pack_of(&small());
    let other = PackId([9; 32]);
    let first = cut(&bytes, &entries[0].location);
    assert!(open_chunk(&keys(), &entries[0].id, ChunkKind::PageKeys, &other, first).is_err());
    assert!(open_chunk(&keys(), &entries[0].id, ChunkKind::PageValues, &PACK, first).is_err());
    assert!(open_chunk(&keys(), &entries[3].id, ChunkKind::PageKeys, &PACK, first).is_err());
    assert!(read_directory(&keys(), &other, bytes.len() as u64, ranges(&bytes)).is_err());
    let stranger = Keys::derive(&MasterKey::from_bytes([8; 32]));
    assert!(open_chunk(&stranger, &entries[0].id, ChunkKind::PageKeys, &PACK, first).is_err());
    let e = open_chunk(&keys(), &entries[0].id, ChunkKind::PageKeys, &other, first).unwrap_err();
    assert!(
        e.message().contains(&other.to_string()) && e.message().contains("page keys"),
        "{e}"
    );
    assert!(e.message().contains(&entries[0].id.to_string()), "{e}");
}

#[test]
fn an_authentic_chunk_under_a_wrong_name_is_refused() {
    let keys = keys();
    let mut builder = PackBuilder::new(&keys, PACK, PackRole::Data);
    let mut chunk = Compressor::new(1)
        .prepare(&keys, ChunkKind::Ids, b"content")
        .unwrap();
    chunk.id.0[0] ^= 1;
    let location = builder.append(&chunk).unwrap();
    let bytes = builder.finish().unwrap();
    let e = open_chunk(&keys, &chunk.id, ChunkKind::Ids, &PACK, cut(&bytes, &location)).unwrap_err();
    assert!(e.message().contains("not that of its name"), "{e}");
}

#[test]
fn a_newer_pack_is_refused_as_such() {
    let (bytes, _) = pack_of(&small());
    let mut newer = bytes;
    newer[8] = 2;
    let version = newer.len() - FOOTER_BYTES + 12;
    newer[version] = 2;
    let e = read_directory(&keys(), &PACK, newer.len() as u64, ranges(&newer)).unwrap_err();
    assert_eq!(e.kind(), Kind::Unsupported, "{e}");
    let (good, bad) = plains(&newer);
    assert!(
        good.is_empty() && bad.iter().all(|e| e.kind() == Kind::Unsupported),
        "{bad:?}"
    );
}

#[test]
fn a_scan_of_forged_chunks_ends() {
    let mut head = Vec::new();
    head.extend_from_slice(MARKER);
    head.extend_from_slice(&[0; 36]);
    head.extend_from_slice(&[1, 0]);
    head.extend_from_slice(&40_000_u32.to_le_bytes());
    head.extend_from_slice(&40_000_u32.to_le_bytes());
    let bytes = head.repeat(20_000);
    let (good, bad) = plains(&bytes);
    assert!(good.is_empty() && bad.len() >= 2, "{bad:?}");
}

#[test]
fn a_full_pack_says_so() {
    let keys = keys();
    let mut builder = PackBuilder::new(&keys, PACK, PackRole::Data);
    let piece = Compressor::new(1)
        .prepare(&keys, ChunkKind::Blob, &noise(1, 15 << 20))
        .unwrap();
    while builder.append(&piece).is_ok() {}
    assert_eq!(builder.count(), 3);
    let bytes = builder.finish().unwrap();
    assert!(bytes.len() <= limits::PACK_BYTES_MAX);
    assert_eq!(
        read_directory(&keys, &PACK, bytes.len() as u64, ranges(&bytes))
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn padme_rounds_up_by_an_eighth_at_most() {
    for len in (0..5000_u64).chain([1 << 20, (1 << 24) + 1, u64::MAX]) {
        let padded = padme(len);
        assert!(padded >= len && padded - len <= len / 8, "{len} became {padded}");
        assert_eq!(padme(padded), padded, "{len}");
    }
    assert_eq!(
        [padme(9), padme(1001), padme((1 << 24) + 1)],
        [10, 1024, (1 << 24) + (1 << 19)]
    );
}

/// A change of these hashes is a change of the format: raise the version and keep reading the old one.
#[test]
fn the_bytes_are_for_ever() {
    // Raw chunks only, so that a new zstd may compress otherwise.
    let (bytes, _) = pack_of(&[
        (ChunkKind::PageKeys, noise(1, 60)),
        (ChunkKind::Blob, noise(2, 90)),
    ]);
    assert_eq!(bytes.len(), 464);
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "ec8bd6b4fadfb0f7e1dcbaa34d263d22832fa032b7ca52fe2b3387b2b4d44654"
    );
}

/// What the zstd of format version 1 wrote must stay readable.
#[test]
fn old_frames_stay_readable() {
    let frame = [
        40, 181, 47, 253, 32, 200, 77, 0, 0, 16, 120, 120, 1, 0, 67, 10, 96, 1,
    ];
    let keys = keys();
    let id = keys.chunk_id(ChunkKind::PageValues, &[b'x'; 200]);
    let plain = expand(
        &keys,
        &id,
        ChunkKind::PageValues,
        Codec::Zstd,
        200,
        frame.to_vec(),
    );
    assert_eq!(plain.unwrap(), [b'x'; 200]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn any_chunks_round_trip(chunks in proptest::collection::vec((1..15_u8, proptest::collection::vec(0..9_u8, 0..3000)), 0..12)) {
        let chunks: Vec<_> = chunks.into_iter().map(|(k, plain)| (ChunkKind::from_u8(k).unwrap(), plain)).collect();
        let (bytes, entries) = pack_of(&chunks);
        let read = read_directory(&keys(), &PACK, bytes.len() as u64, ranges(&bytes)).unwrap();
        proptest::prop_assert_eq!(&read, &entries);
        let (good, bad) = plains(&bytes);
        proptest::prop_assert!(bad.is_empty());
        proptest::prop_assert_eq!(good, chunks.into_iter().map(|c| c.1).collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        proptest::prop_assert!(!plains(&bytes).1.is_empty());
        proptest::prop_assert!(ChunkHeader::read(&bytes).is_err());
    }
}
