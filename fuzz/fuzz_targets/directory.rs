//! Directories, manifests, catalogs, schemas and entries from any bytes: an error or a value, never a panic.
//!
//! Key decision: a value that was read is written and read again and must be equal. The first byte picks the decoder.
//! It does not check that a value makes sense: that is the vault's business.
#![no_main]

use halite_engine::format::catalog::{Head, Node};
use halite_engine::format::entry::{DraftEntry, ObjectEntry, PackEntry, RunEntry, SchemaEntry, SnapshotEntry};
use halite_engine::format::manifest::Manifest;
use halite_engine::format::mark::MasterEntry;
use halite_engine::format::run::{RunHead, RunPart};
use halite_engine::format::schema::Schema;

macro_rules! again {
    ($type:ty, $bytes:expr) => {
        if let Ok(value) = <$type>::decode($bytes) {
            assert_eq!(<$type>::decode(&value.encode()).unwrap(), value);
        }
    };
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((pick, bytes)) = bytes.split_first() else { return };
    match pick % 13 {
        0 => again!(RunPart, bytes),
        1 => again!(RunHead, bytes),
        2 => again!(Manifest, bytes),
        3 => again!(Head, bytes),
        4 => again!(Schema, bytes),
        5 => again!(SnapshotEntry, bytes),
        6 => again!(ObjectEntry, bytes),
        7 => again!(RunEntry, bytes),
        8 => again!(SchemaEntry, bytes),
        9 => again!(PackEntry, bytes),
        10 => again!(DraftEntry, bytes),
        11 => again!(MasterEntry, bytes),
        _ => drop(Node::decode(bytes, bytes)),
    }
});
