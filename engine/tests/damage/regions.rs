//! A changed byte anywhere costs the records of its page and no more, and is never silent.
//!
//! Key decision: bytes of all objects in turn, and after each the whole way: check, repair, check, every state.
//! It does not look at the words of reports.

use std::sync::Arc;

use halite_engine::base::id::RecordId;
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::repair::repair;
use halite_engine::store::backend::Backend;
use halite_engine::store::faulty::Faulty;
use halite_engine::store::memory::Memory;
use halite_engine::vault::rescue::rescue;
use halite_engine::vault::{Secret, Vault};

use super::{Kept, everything, open, options, state};

/// Every how many bytes one is changed: a prime, so that all parts of all headers have their turn.
const STRIDE: usize = 131;

fn objects(store: &Memory) -> Vec<(String, usize)> {
    let mut objects: Vec<(String, usize)> = ["packs/", "keys/"]
        .iter()
        .flat_map(|prefix| store.list(prefix).unwrap())
        .map(|name| {
            let size = store.size(&name).unwrap();
            (name, usize::try_from(size).unwrap())
        })
        .collect();
    objects.push(("root".into(), store.root().unwrap().unwrap().len()));
    objects.push((
        "vault".into(),
        usize::try_from(store.size("vault").unwrap()).unwrap(),
    ));
    objects
}

/// A record as it should be, without its formula if that is lost.
fn without_formula<'t>(truth: &'t str, found: &str) -> std::borrow::Cow<'t, str> {
    match truth.find(",\"Twice__c\"") {
        Some(at) if !found.contains("Twice__c") => format!("{}}}", &truth[..at]).into(),
        _ => truth.into(),
    }
}

/// What check, repair and every state make of one changed byte.
fn one(kept: &Kept, name: &str, offset: usize) -> (usize, bool) {
    let store = kept.flipped(name, offset);
    let place: Arc<dyn Backend> = Arc::new(store.clone());
    let at = format!("{name} at {offset}");
    let (vault, mended) = rescue(&place, &Secret::None, &options(false)).unwrap();
    let found = everything(&vault);
    assert!(
        !found.is_sound() || !mended.is_empty(),
        "{at}: nobody noticed: {found:?}"
    );
    assert!(found.states_unproved == 0 || !found.losses.is_empty(), "{at}");
    let done = repair(&vault).unwrap();
    assert_eq!(
        done.packs_condemned,
        u64::from(name.starts_with("packs/")),
        "{at}"
    );
    let lost: std::collections::BTreeSet<_> = done.found.losses.iter().map(|loss| loss.chunk).collect();
    assert_eq!(
        (done.losses_entered, done.losses_taken_back),
        (lost.len() as u64, 0),
        "{at}"
    );
    halite_engine::vault::keys::Holder::open(place.clone(), &Secret::None)
        .unwrap()
        .repair()
        .unwrap();
    let after = everything(&open(&store));
    assert!(
        after.is_sound(),
        "{at}: after repair {:?} {:?}",
        after.damages,
        after.losses
    );
    let mut losses = done.found.losses.iter();
    let derived_lost = losses.any(|loss| loss.kind.name() == "page derived values");
    let mut cost = 0;
    let despite = Vault::open(place, &Secret::None, options(true)).unwrap();
    for (number, truth) in (1..).zip(&kept.truths) {
        let read = state(&despite, number).unwrap();
        let covered = |id: &RecordId| {
            let mut losses = done.found.losses.iter();
            losses.any(|loss| loss.first.is_some_and(|first| first <= *id) && loss.last >= Some(*id))
        };
        for (id, json) in truth {
            match read.get(id) {
                Some(found) if derived_lost => assert_eq!(found[..], *without_formula(json, found), "{at}"),
                Some(found) if found == json => {}
                // Of what is lost the version before may be shown, or none.
                Some(found) => {
                    let earlier = kept.truths[..number - 1].iter().any(|t| t.get(id) == Some(found));
                    assert!(covered(id) && earlier, "{at}: {id} is {found}");
                    cost += 1;
                }
                None => {
                    assert!(covered(id), "{at}: {id} is gone and no loss says so");
                    cost += 1;
                }
            }
        }
        let mut strangers = read.keys().filter(|id| !truth.contains_key(id));
        assert!(strangers.all(covered), "{at}");
        // Who has not said so is not shown less than there was.
        let strict = state(&open(&store), number);
        assert!(strict.is_err() || strict.unwrap() == *truth, "{at}");
    }
    (cost, mended.is_empty())
}

#[test]
fn a_changed_byte_costs_its_page_and_is_never_silent() {
    let kept = Kept::new(900);
    let (mut tried, mut free, mut most) = (0, 0, 0);
    for (name, size) in objects(&kept.store) {
        for offset in (0..size).step_by(STRIDE).chain([0, size - 1]) {
            let (cost, _) = one(&kept, &name, offset);
            tried += 1;
            free += usize::from(cost == 0);
            most = most.max(cost);
        }
    }
    assert!(tried > 200 && free > tried / 2, "{tried} {free}");
    // Three states of one page.
    assert!((1..=3 * 512).contains(&most), "{most}");
}

#[test]
fn a_lost_pack_is_told_and_the_rest_is_read() {
    let kept = Kept::new(900);
    for name in kept.store.list("packs/").unwrap() {
        let store = kept.store.fork();
        store.delete(&name).unwrap();
        let vault = open(&store);
        for level in [Level::Structure, Level::Sample, Level::All] {
            let looked = CheckOptions {
                level,
                ..CheckOptions::default()
            };
            assert!(!check(&vault, &looked).unwrap().is_sound(), "{name} {level:?}");
        }
        repair(&vault).unwrap();
        assert!(everything(&open(&store)).is_sound());
        let at_once = PruneOptions {
            max_unused: 0.0,
            grace: 0,
        };
        for _ in 0..3 {
            prune(&open(&store), &at_once).unwrap();
        }
        assert!(everything(&open(&store)).is_sound());
        let despite = Vault::open(Arc::new(store), &Secret::None, options(true)).unwrap();
        for number in 1..=kept.truths.len() {
            state(&despite, number).unwrap();
        }
    }
}

#[test]
fn a_sample_of_everything_finds_what_all_finds() {
    let kept = Kept::new(300);
    let mut noticed = 0;
    for name in &kept.store.list("packs/").unwrap() {
        let size = usize::try_from(kept.store.size(name).unwrap()).unwrap();
        let store = kept.flipped(name, size / 3);
        let looked = |level, share| {
            let options = CheckOptions {
                level,
                share,
                seed: 3,
            };
            check(&open(&store), &options).unwrap()
        };
        let all = looked(Level::All, 0.0);
        let sample = looked(Level::Sample, 1.0);
        assert_eq!(sample.losses, all.losses, "{name}");
        assert!(looked(Level::Sample, 0.0).sampled == 0);
        noticed += usize::from(!all.losses.is_empty());
    }
    assert!(noticed > 0);
}

#[test]
fn all_directories_at_once_cost_nothing() {
    let kept = Kept::new(900);
    let mut store = kept.store.fork();
    let packs = store.list("packs/").unwrap();
    for name in &packs {
        let faulty = Faulty::over(store, 1);
        faulty.corrupt(name, usize::try_from(faulty.size(name).unwrap()).unwrap() - 3);
        store = faulty.memory();
    }
    let done = repair(&open(&store)).unwrap();
    assert_eq!(done.packs_condemned, packs.len() as u64);
    assert!(done.chunks_salvaged > 10 && done.losses_entered == 0, "{done:?}");
    assert!(everything(&open(&store)).is_sound());
    for (number, truth) in (1..).zip(&kept.truths) {
        assert_eq!(state(&open(&store), number).unwrap(), *truth);
    }
}
