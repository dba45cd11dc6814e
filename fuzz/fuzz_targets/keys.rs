//! Key slots and key rings from any bytes, and a good ring with some bytes changed.
//!
//! Key decision: a slot is read as a vault's, through its public list; whatever it says it opens nothing. A changed
//! ring gives the keys that it held, or an error. Argon2 is not run: its cost is bounded before it is.
#![no_main]

use halite_engine::format::ring::Ring;
use halite_engine::format::seal::MasterKey;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::vault::keys::{Holder, slots};
use halite_engine::vault::Secret;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let store = std::sync::Arc::new(Memory::new());
    let marker = format!("halite vault\nformat 1\nid {}\n", "09".repeat(16));
    store.put_new("vault", marker.as_bytes()).unwrap();
    store.put_new("keys/00", bytes).unwrap();
    slots(&*store).unwrap();
    assert!(Holder::open(store, &Secret::None).is_err());
    let master = |byte| MasterKey::from_bytes([byte; 32]);
    let ring = Ring::new(master(1)).renewed(master(2));
    assert!(Ring::open(master(2), 2, bytes).is_err());
    let mut whole = ring.seal().unwrap();
    for change in bytes.chunks_exact(2) {
        let place = usize::from(change[0]) % whole.len();
        whole[place] ^= change[1];
    }
    if let Ok(read) = Ring::open(master(2), 2, &whole) {
        assert!(read == ring);
    }
});
