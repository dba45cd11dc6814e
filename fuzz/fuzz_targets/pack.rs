//! Packs, roots and sealed objects from any bytes, and from a good pack with some bytes changed.
//!
//! Key decision: a changed pack gives the plaintext that was written, or an error: never another plaintext.
//! It does not search for keys.
#![no_main]

use halite_engine::base::id::PackId;
use halite_engine::format::pack::{PackBuilder, PackRole, open_chunk, read_directory};
use halite_engine::format::root::Root;
use halite_engine::format::scan::scan;
use halite_engine::format::seal::{ChunkKind, Compressor, Keys, MasterKey, open_object};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let keys = Keys::derive(&MasterKey::from_bytes([3; 32]));
    let id = PackId([5; 32]);
    let _ = Root::decode(&keys, bytes);
    let _ = open_object(&keys, "grant", &[9; 32], bytes);
    scan(&keys, &id, bytes).for_each(drop);
    let range = |offset: u64, len: usize| Ok(bytes[offset as usize..][..len].to_vec());
    let _ = read_directory(&keys, &id, bytes.len() as u64, range);
    let mut pack = PackBuilder::new(&keys, id, PackRole::Data);
    let plain = b"some plaintext, some plaintext, some plaintext".to_vec();
    let chunk = Compressor::new(1).prepare(&keys, ChunkKind::Blob, &plain).unwrap();
    let at = pack.append(&chunk).unwrap();
    let mut whole = pack.finish().unwrap();
    for change in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % whole.len();
        whole[place] ^= change[2];
    }
    let part = &whole[at.offset as usize..][..at.len as usize];
    if let Ok(read) = open_chunk(&keys, &chunk.id, ChunkKind::Blob, &id, part) {
        assert_eq!(read, plain);
    }
    for (_, read) in scan(&keys, &id, &whole).flatten() {
        assert_eq!(read, plain);
    }
});
