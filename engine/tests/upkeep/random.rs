//! Random histories of captures, forgets, holds, prunes and erasures: every kept snapshot is the model's after each step.
//!
//! Key decision: one vault handle that lives on and a fresh one for each look, so that stale caches are tried too.
//! In memory, and a few in a bucket. It does not fail calls: the fault tests do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halite_engine::base::stamp::Stamp;
use halite_engine::ops::erase::{EraseOptions, erase, prove};
use halite_engine::ops::hold::{hold, holds, release};
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::retain::{Policy, execute, forget, plan};
use halite_engine::store::backend::Backend;
use proptest::prelude::*;

use super::bucket::{bucket, memory};
use super::{Truth, capture, make, model, org, sound, state};
use crate::model::id;

#[derive(Debug, Clone)]
enum Step {
    Put(u32, u8),
    Delete(u32),
    Capture,
    Forget(proptest::sample::Index),
    Keep(u32),
    Hold(proptest::sample::Index),
    Release,
    Prune(bool),
    Erase(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<proptest::sample::Index>();
    prop_oneof![
        6 => (0..60_u32, any::<u8>()).prop_map(|(n, x)| Step::Put(n, x)),
        2 => (0..60_u32).prop_map(Step::Delete),
        5 => Just(Step::Capture),
        2 => which.clone().prop_map(Step::Forget),
        1 => (1..5_u32).prop_map(Step::Keep),
        1 => which.prop_map(Step::Hold),
        1 => Just(Step::Release),
        3 => any::<bool>().prop_map(Step::Prune),
        1 => (0..60_u32).prop_map(Step::Erase),
    ]
}

/// Plays a history on an empty store.
fn plays(store: &Arc<dyn Backend>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (vault, mut org_now) = (make(store), model());
    let (mut truths, mut held): (BTreeMap<u64, Truth>, Vec<u64>) = (BTreeMap::new(), Vec::new());
    let mut erased = BTreeSet::new();
    for step in steps {
        let snapshots = vault.snapshots(org(1)).unwrap();
        let newest = truths.keys().last().copied();
        match step {
            Step::Put(n, x) => org_now.put(n, &format!("name {x}"), Some(i64::from(x))),
            Step::Delete(n) => org_now.delete(n),
            Step::Capture => {
                let number = capture(&vault, &mut org_now).unwrap().snapshot;
                let mut truth = org_now.truth();
                truth.retain(|id, _| !erased.contains(id));
                truths.insert(number, truth);
            }
            Step::Forget(which) if !snapshots.is_empty() => {
                let one = which.get(&snapshots);
                let may = Some(one.number) != newest && !held.contains(&one.number);
                prop_assert_eq!(forget(&vault, org(1), std::slice::from_ref(one)).is_ok(), may);
                if may {
                    truths.remove(&one.number);
                }
            }
            Step::Keep(last) => {
                let planned = plan(
                    &vault,
                    org(1),
                    &Policy {
                        last,
                        ..Policy::default()
                    },
                )
                .unwrap();
                for gone in execute(&vault, &planned).unwrap() {
                    truths.remove(&gone.number);
                }
                prop_assert!(held.iter().all(|n| truths.contains_key(n)));
                prop_assert!(truths.len() <= last as usize + held.len() + 1);
            }
            Step::Hold(which) if !snapshots.is_empty() => {
                let one = which.get(&snapshots);
                hold(&vault, one, "a test", Stamp::NONE).unwrap();
                held.push(one.number);
            }
            Step::Release => {
                if let Some(one) = holds(&vault).unwrap().first() {
                    let number = release(&vault, &one.name.to_string()).unwrap().entry.snapshot;
                    let at = held.iter().position(|n| *n == number).unwrap();
                    held.remove(at);
                }
            }
            Step::Prune(all) => {
                let max_unused = if all { 0.0 } else { 0.3 };
                prune(&vault, &PruneOptions { max_unused, grace: 0 }).unwrap();
            }
            Step::Erase(n) if !snapshots.is_empty() => {
                let gone = erase(&vault, org(1), &[id(n)], &EraseOptions::default(), &mut |_| ());
                prop_assert_eq!(
                    gone.is_ok(),
                    held.iter().all(|at| !truths[at].contains_key(&id(n)))
                );
                if gone.is_ok() {
                    erased.insert(id(n));
                    truths.values_mut().for_each(|truth| drop(truth.remove(&id(n))));
                }
            }
            Step::Forget(_) | Step::Hold(_) | Step::Erase(_) => {}
        }
        for (number, truth) in &truths {
            prop_assert_eq!(&state(&vault, org(1), *number), truth);
        }
    }
    let all: Vec<_> = truths
        .iter()
        .map(|(number, truth)| (org(1), *number, truth))
        .collect();
    sound(store, &all);
    if !erased.is_empty() {
        let proof = prove(&vault, org(1), &erased).unwrap();
        prop_assert_eq!(proof.versions, 0);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_kept_snapshot_is_the_org_as_it_was(steps in proptest::collection::vec(step(), 1..60)) {
        plays(&memory(), steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn every_kept_snapshot_in_a_bucket_is_the_org_as_it_was(steps in proptest::collection::vec(step(), 1..40)) {
        plays(&bucket(), steps)?;
    }
}
