//! Upkeep: what is kept is never lost by it, whoever does what at the same time and wherever it is interrupted.
//!
//! Key decision: every state that a vault should hold is compared with the model after each step, through a vault opened
//! anew. Others act from hooks in the store, at the very call that is meant, so that no test waits for a race.
//! It does not test the commands.

mod bucket;
mod copy;
mod erase;
mod faults;
mod locked;
mod races;
mod random;
mod space;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use halite_engine::Result;
use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::import::import;
use halite_engine::ops::prune::{PruneOptions, PruneReport, prune, survey};
use halite_engine::ops::report::Report;
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::model::{Model, id};

type Truth = BTreeMap<RecordId, String>;

/// Everything that may go goes at the next run.
const AT_ONCE: PruneOptions = PruneOptions {
    max_unused: 0.0,
    grace: 0,
};

fn make(store: &(impl Backend + Clone + 'static)) -> Vault {
    Vault::create(Arc::new(store.clone()), &Secret::None, VaultOptions::default()).unwrap()
}

fn open(store: &(impl Backend + Clone + 'static)) -> Vault {
    Vault::open(Arc::new(store.clone()), &Secret::None, VaultOptions::default()).unwrap()
}

fn org(n: u8) -> OrgId {
    format!("00D00000000000{n}").parse().unwrap()
}

fn model() -> Model {
    Model {
        now: 1_700_000_000_000,
        ..Model::default()
    }
}

fn capture(vault: &Vault, model: &mut Model) -> Result<Report> {
    let report = backup(vault, model, &BackupOptions::default(), &mut |_| ());
    model.now += 3_600_000;
    report
}

/// Imports rows `from..to` as a snapshot of an org; the same rows are the same pages in every org.
fn rows(vault: &Vault, org: OrgId, day: u8, from: u32, to: u32) -> Result<Report> {
    let dir = tempfile::tempdir().unwrap();
    let line = |n: u32| format!("{{\"Id\":\"{}\",\"Name\":\"{}\"}}\n", id(n), words(n));
    let text: String = (from..to).map(line).collect();
    std::fs::write(dir.path().join("Thing__c.ndjson"), text).unwrap();
    let at: Stamp = format!("2026-01-{day:02}").parse().unwrap();
    import(vault, org, at, Path::new(dir.path()), false, &mut |_| ())
}

/// What [`rows`] makes.
fn truth(from: u32, to: u32) -> Truth {
    let one = |n: u32| {
        (
            id(n),
            format!("{{\"Id\":\"{}\",\"Name\":\"{}\"}}", id(n), words(n)),
        )
    };
    (from..to).map(one).collect()
}

/// Text that does not compress to nothing.
fn words(n: u32) -> String {
    let seed = u64::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{seed:016x}{:016x}", seed.wrapping_mul(0xD134_2543_DE82_EF95))
}

fn state(vault: &Vault, org: OrgId, number: u64) -> Truth {
    let snapshot = vault.find_snapshot(org, &number.to_string()).unwrap();
    let mut all = Truth::new();
    State::at(vault, &snapshot)
        .each("Thing__c", &mut |r| {
            all.insert(r.id, r.json.clone());
            Ok(())
        })
        .unwrap();
    all
}

/// Opened anew, without index or cache: each snapshot is what it should be, there are no others, and every chunk that is
/// referred to is where the vault believes it.
fn sound(store: &(impl Backend + Clone + 'static), truths: &[(OrgId, u64, &Truth)]) {
    let vault = open(store);
    let there: usize = vault
        .orgs()
        .iter()
        .map(|org| vault.snapshots(*org).unwrap().len())
        .sum();
    assert_eq!(there, truths.len());
    for (org, number, truth) in truths {
        assert_eq!(
            &state(&vault, *org, *number),
            *truth,
            "org {org}, snapshot {number}"
        );
    }
    survey(&vault, vault.catalog()).unwrap();
}

fn prune_times(store: &(impl Backend + Clone + 'static), times: u32) -> PruneReport {
    let mut last = PruneReport::default();
    for _ in 0..times {
        last = prune(&open(store), &AT_ONCE).unwrap();
    }
    last
}

/// The packs in the store.
fn packs(store: &impl Backend) -> Vec<String> {
    store.list("packs/").unwrap()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// After the first pack is stored.
    Stored,
    /// Before the root is swapped.
    Swap,
    /// After the root is swapped.
    Swapped,
}

type Act = Box<dyn FnOnce() + Send>;

/// A store at whose calls somebody else acts, once.
#[derive(Clone)]
struct Hooked {
    under: Arc<dyn Backend>,
    hook: Arc<Mutex<Option<(When, Act)>>>,
}

impl Hooked {
    fn over(
        under: &(impl Backend + Clone + 'static),
        when: When,
        act: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self {
            under: Arc::new(under.clone()),
            hook: Arc::new(Mutex::new(Some((when, Box::new(act))))),
        }
    }

    fn done(&self) -> bool {
        self.hook.lock().unwrap().is_none()
    }

    fn at(&self, when: When) {
        let taken = {
            let mut hook = self.hook.lock().unwrap();
            if hook.as_ref().is_some_and(|(at, _)| *at == when) {
                hook.take()
            } else {
                None
            }
        };
        if let Some((_, act)) = taken {
            act();
        }
    }
}

impl Backend for Hooked {
    crate::forward::pass_on!(under: get, get_range, size, list, delete, root, describe);

    fn put_new(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.under.put_new(name, bytes)?;
        self.at(When::Stored);
        Ok(())
    }

    fn swap_root(&self, expected: Option<&[u8]>, new: &[u8]) -> Result<bool> {
        self.at(When::Swap);
        let swapped = self.under.swap_root(expected, new)?;
        self.at(When::Swapped);
        Ok(swapped)
    }
}
