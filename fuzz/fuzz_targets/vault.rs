//! A whole vault that is sealed as it should be and says what it should not; everything that one can do is done with it.
//!
//! Key decision: the same changes and the same uses as in the engine's own test (`engine/tests/damage`), with inputs that
//! the fuzzer finds. No answer is wrong but a panic, a hang, or memory without bound.
#![no_main]

#[path = "../../engine/tests/damage/graft.rs"]
mod graft;
#[path = "../../engine/tests/model.rs"]
#[allow(dead_code)]
mod model;
#[path = "../../engine/tests/damage/uses.rs"]
mod uses;

use std::sync::{Arc, LazyLock};

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::seal::{Keys, MasterKey};
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

fn clock() -> Clock {
    Clock::driven(Stamp::from_millis(1_767_225_600_000), 7)
}

fn org(day: u32) -> model::Model {
    let mut model = model::Model {
        now: 1_700_000_000_000 + i64::from(day) * 86_400_000,
        ..model::Model::default()
    };
    (0..200 + day).for_each(|n| model.put(n, if n % 19 == day { "edited" } else { "as it was" }, Some(1)));
    model
}

/// Three days of a small org, taken apart.
static WHOLE: LazyLock<graft::Whole> = LazyLock::new(|| {
    let store = Memory::new();
    let options = VaultOptions {
        clock: clock(),
        ..VaultOptions::default()
    };
    let vault = Vault::create(Arc::new(store.clone()), &Secret::None, options).unwrap();
    for day in 0..3 {
        backup(&vault, &mut org(day), &BackupOptions::default(), &mut |_| ()).unwrap();
    }
    let drawn = clock();
    let _: [u8; 16] = drawn.random().unwrap();
    graft::Whole::of(&store, Keys::derive(&MasterKey::generate(&drawn).unwrap()))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(store) = WHOLE.graft(bytes) else { return };
    let options = VaultOptions {
        despite_losses: true,
        ..VaultOptions::default()
    };
    if let Ok(vault) = Vault::open(Arc::new(store), &Secret::None, options) {
        uses::reads(&vault);
        uses::writes(&vault, &mut org(4));
    }
});
