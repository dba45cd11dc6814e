//! The same in a bucket: where the races and histories are played besides memory, and machines that die at a request.
//!
//! Key decision: one server for all, a prefix for each test, so that a test costs its requests and no more; those whose
//! server fails have one of their own. A machine that dies is one whose requests are all hung up on from some instant on,
//! before or after the one at which it died was done. It does not try what one request may be answered: `object` does.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use halite_engine::ops::prune::prune;
use halite_engine::ops::retain::forget_org;
use halite_engine::store::backend::Backend;
use halite_engine::store::memory::Memory;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{Act, Asked, Judge, S3};

use super::{AT_ONCE, Truth, capture, make, model, open, org, packs, prune_times, rows, sound, truth};

/// A store in memory.
pub(super) fn memory() -> Arc<dyn Backend> {
    Arc::new(Memory::new())
}

/// An empty prefix of a bucket.
pub(super) fn bucket() -> Arc<dyn Backend> {
    static SERVER: OnceLock<S3> = OnceLock::new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let s3 = SERVER.get_or_init(|| S3::start("vaults").unwrap());
    let n = MADE.fetch_add(1, Ordering::SeqCst);
    machine(s3, &format!("s3://vaults/{n}"))
}

/// Both.
pub(super) fn places() -> [Arc<dyn Backend>; 2] {
    [memory(), bucket()]
}

/// A machine that asks once and gives up.
fn machine(s3: &S3, url: &str) -> Arc<dyn Backend> {
    let patience = Patience {
        requests: 1,
        pause: Duration::from_millis(1),
        ..Patience::default()
    };
    Arc::new(Bucket::open_with(url, s3.variables(), patience).unwrap())
}

/// Dies at its `at`th change of what is stored, the probe's left out.
struct Dies {
    at: u32,
    done: bool,
    changes: Arc<AtomicU32>,
}

impl Judge for Dies {
    fn asked(&mut self, asked: &Asked) -> Option<Act> {
        let changes = ["PUT", "DELETE"].contains(&asked.method.as_str()) && !asked.key.contains("/tmp/");
        let before = self.changes.fetch_add(u32::from(changes), Ordering::SeqCst);
        if before >= self.at {
            return Some(Act::HangUp);
        }
        let now = changes && before + 1 == self.at;
        now.then_some(if self.done { Act::DoAndHangUp } else { Act::HangUp })
    }

    fn answered(&mut self, _: &Asked, _: u16) {}
}

/// Lets a machine die at its first, second, third ... change, before and after it was done, until it lives to the end:
/// `begin` makes the vault, `work` is what it dies of, and `then` looks, told whether the work ended well.
fn dies_everywhere<T>(
    begin: impl Fn(&Arc<dyn Backend>) -> T,
    work: impl Fn(&Arc<dyn Backend>, &mut T) -> bool,
    then: impl Fn(&Arc<dyn Backend>, &T, bool),
) -> u32 {
    let s3 = S3::start("vaults").unwrap();
    let mut least = u32::MAX;
    for done in [false, true] {
        for nth in 1.. {
            let url = format!("s3://vaults/{done}-{nth}");
            let mut begun = begin(&machine(&s3, &url));
            let changes = Arc::new(AtomicU32::new(0));
            let (at, counts) = (nth, Arc::clone(&changes));
            s3.judge(Dies {
                at,
                done,
                changes: counts,
            });
            let ended = work(&machine(&s3, &url), &mut begun);
            s3.calm();
            let reached = changes.load(Ordering::SeqCst) >= nth;
            assert!(reached || ended, "it failed without a reason");
            let survivor = machine(&s3, &url);
            then(&survivor, &begun, ended);
            if !reached {
                least = least.min(nth);
                break;
            }
        }
    }
    least
}

/// After enough runs nothing is in the bucket but what is live.
fn comes_to_rest(store: &Arc<dyn Backend>) {
    let rests = (0..8).any(|_| {
        let before = open(store).catalog().version();
        prune_times(store, 1);
        open(store).catalog().version() == before
    });
    assert!(rests, "still busy after 8 runs");
    assert_eq!(packs(store).len(), open(store).catalog().packs().len());
}

#[test]
fn a_capture_whose_machine_dies_at_any_request_loses_nothing() {
    let died = dies_everywhere(
        |store| {
            let mut now = model();
            (0..300).for_each(|n| now.put(n, &format!("name {n}"), Some(i64::from(n))));
            capture(&make(store), &mut now).unwrap();
            let first = now.truth();
            (0..300).step_by(3).for_each(|n| now.put(n, "edited", None));
            (now, first)
        },
        |store, (now, _)| capture(&open(store), now).is_ok(),
        |store, (now, first), ended| {
            let there = open(store).snapshots(org(1)).unwrap().len();
            assert!(there == 2 || !ended, "said to be done, and is not there");
            let mut now = now.clone();
            let second = now.truth();
            let mut truths = vec![(org(1), 1, first), (org(1), 2, &second)];
            sound(store, &truths[..there]);
            now.put(1, "the next one", None);
            let third = now.truth();
            assert_eq!(
                capture(&open(store), &mut now).unwrap().snapshot,
                there as u64 + 1
            );
            truths.truncate(there);
            truths.push((org(1), there as u64 + 1, &third));
            comes_to_rest(store);
            sound(store, &truths);
        },
    );
    assert!(died > 4, "a pack, two copies of metadata and a root: {died}");
}

#[test]
fn a_prune_whose_machine_dies_at_any_request_loses_nothing() {
    let kept: Truth = truth(0, 500);
    let died = dies_everywhere(
        |store| {
            let vault = make(store);
            rows(&vault, org(1), 1, 0, 500).unwrap();
            rows(&vault, org(2), 1, 0, 500).unwrap();
            rows(&vault, org(3), 1, 600, 700).unwrap();
            forget_org(&vault, org(1), &[]).unwrap();
            forget_org(&vault, org(3), &[]).unwrap();
        },
        |store, ()| {
            let opens = || Vault::open(store.clone(), &Secret::None, VaultOptions::default());
            (0..4).all(|_| opens().and_then(|vault| prune(&vault, &AT_ONCE)).is_ok())
        },
        |store, (), _| {
            sound(store, &[(org(2), 1, &kept)]);
            comes_to_rest(store);
            sound(store, &[(org(2), 1, &kept)]);
        },
    );
    assert!(died > 8, "packs, roots, deletions: {died}");
}
