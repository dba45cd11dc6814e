//! Vaults that are sealed as they should be and say what they should not: every operation ends, with an answer or an
//! error that says so, and none panics.
//!
//! Key decision: each seed changes one chunk of some kind, and then everything is done that a user can do. What the
//! answer is does not matter here; a fuzzer does the same with inputs of its own.

use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::seal::{Keys, MasterKey};
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault};

use halite_engine::ops::check::{CheckOptions, Level, check};

use super::graft::Whole;
use super::uses::{reads, writes};
use super::{Kept, everything, open, options, state};

/// The keys of the vaults of [`Kept`]: its clock draws the vault's name, then the master key.
fn keys() -> Keys {
    let clock = Clock::driven(Stamp::from_millis(1_767_225_600_000), 7);
    let _: [u8; 16] = clock.random().unwrap();
    Keys::derive(&MasterKey::generate(&clock).unwrap())
}

/// What a user can do; whether it all went well.
fn everything_one_can_do(store: &Memory, kept: &mut Kept) -> bool {
    let opened = Vault::open(Arc::new(store.clone()), &Secret::None, options(true));
    opened.is_ok_and(|vault| reads(&vault) & writes(&vault, &mut kept.model))
}

fn sound(store: &Memory) -> bool {
    let all = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    let opened = Vault::open(Arc::new(store.clone()), &Secret::None, options(false));
    opened
        .and_then(|vault| check(&vault, &all))
        .is_ok_and(|report| report.is_sound())
}

#[test]
fn what_is_sealed_and_wrong_is_survived() {
    let mut kept = Kept::new(250);
    let whole = Whole::of(&kept.store, keys());
    let seeds = 400;
    let (mut refused, mut noticed, mut tried) = (0, 0, 0);
    for seed in 0..seeds {
        let mut byte = bytes(seed);
        let length = 5 + 3 * (seed as usize % 4);
        let input: Vec<u8> = (0..length).map(|_| byte()).collect();
        let Some(store) = whole.graft(&input) else {
            continue;
        };
        tried += 1;
        noticed += u64::from(!sound(&store));
        refused += u64::from(!everything_one_can_do(&store, &mut kept));
    }
    assert!(everything(&open(&kept.store)).is_sound());
    assert!(
        tried > seeds / 2 && refused > 0 && noticed > tried / 2,
        "{tried} {refused} {noticed}"
    );
}

/// Of page keys, page values, run parts and run heads.
const WHAT_STATES_COME_FROM: [u8; 4] = [0, 1, 3, 4];

#[test]
fn a_vault_that_check_calls_sound_shows_what_it_should() {
    let kept = Kept::new(250);
    let whole = Whole::of(&kept.store, keys());
    let (mut different, mut same) = (0, 0);
    for seed in 0..600 {
        let mut byte = bytes(seed);
        let kind = WHAT_STATES_COME_FROM[seed as usize % 4];
        // One byte is changed and nothing moves, or decoding alone would notice.
        let input = [kind, byte(), byte(), 0x60 | byte() & 0x1f, 1 << (byte() % 8)];
        let Some(store) = whole.graft(&input) else {
            continue;
        };
        let Ok(vault) = Vault::open(Arc::new(store.clone()), &Secret::None, options(false)) else {
            continue;
        };
        let states = (1..=kept.truths.len()).map(|number| state(&vault, number));
        let shown = states
            .zip(&kept.truths)
            .all(|(state, truth)| state.is_ok_and(|state| state == *truth));
        if shown {
            same += 1;
        } else {
            different += 1;
            assert!(!sound(&store), "{input:?}: nobody noticed");
        }
    }
    assert!(different > 200, "{different} {same}");
}

/// Bytes that follow from a seed.
fn bytes(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD134_2543_DE82_EF95;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    }
}
