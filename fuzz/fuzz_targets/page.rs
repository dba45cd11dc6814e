//! The parts of a page from any bytes: an error or rows, never a panic, and rows write back to what reads the same.
//!
//! Key decision: what decodes is encoded and decoded again, so that a reader laxer than the writer is found too.
//! It does not look at compression or seals: `pack` does.
#![no_main]

use halite_engine::format::page::{Part, decode_derived, decode_keys, encode_keys};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = Part::decode(bytes);
    let _ = decode_derived(bytes);
    if let Ok(rows) = decode_keys(7, bytes)
        && rows.is_sorted_by_key(|row| row.id)
    {
        assert_eq!(decode_keys(7, &encode_keys(7, &rows).0).unwrap(), rows);
    }
});
