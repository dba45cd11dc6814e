//! Damage: what a byte costs, what check says of it, what repair makes of it, and how the next capture fills the hole.
//!
//! Key decision: bytes are changed behind everybody's back in a store in memory, in every object and every region of it,
//! and every state is compared with the model before and after. It does not test the commands.

mod graft;
mod holes;
mod hostile;
mod regions;
mod uses;
mod zoo;

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::check::{CheckOptions, CheckReport, Level, check};
use halite_engine::ops::state::State;
use halite_engine::store::faulty::Faulty;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::model::Model;

type Truth = BTreeMap<RecordId, String>;

/// A vault with some days of an org in it.
struct Kept {
    store: Memory,
    model: Model,
    /// What each snapshot must show, the first first.
    truths: Vec<Truth>,
}

fn options(despite_losses: bool) -> VaultOptions {
    VaultOptions {
        despite_losses,
        ..VaultOptions::default()
    }
}

fn open(store: &Memory) -> Vault {
    Vault::open(Arc::new(store.clone()), &Secret::None, options(false)).unwrap()
}

impl Kept {
    /// Three days of `count` records: edits, a deletion, new ones.
    fn new(count: u32) -> Self {
        let store = Memory::new();
        let driven = VaultOptions {
            clock: Clock::driven(Stamp::from_millis(1_767_225_600_000), 7),
            ..options(false)
        };
        let vault = Vault::create(Arc::new(store.clone()), &Secret::None, driven).unwrap();
        let model = Model {
            now: 1_700_000_000_000,
            ..Model::default()
        };
        let mut kept = Self {
            store,
            model,
            truths: Vec::new(),
        };
        (0..count).for_each(|n| kept.model.put(n, &format!("name {n}"), Some(i64::from(n))));
        kept.capture(&vault);
        (0..count / 20).for_each(|n| kept.model.put(n * 19, "edited", None));
        kept.model.delete(7);
        kept.capture(&vault);
        (0..count / 30).for_each(|n| kept.model.put(count + n, "new", Some(1)));
        kept.capture(&vault);
        kept
    }

    fn capture(&mut self, vault: &Vault) {
        let report = backup(vault, &mut self.model, &BackupOptions::default(), &mut |_| ());
        assert!(report.unwrap().complete());
        self.model.now += 3_600_000;
        self.truths.push(self.model.truth());
    }

    /// The same vault with a byte changed.
    fn flipped(&self, name: &str, offset: usize) -> Memory {
        let store = Faulty::over(self.store.fork(), 1);
        store.corrupt(name, offset);
        store.memory()
    }
}

fn everything(vault: &Vault) -> CheckReport {
    let all = CheckOptions {
        level: Level::All,
        ..CheckOptions::default()
    };
    check(vault, &all).unwrap()
}

/// A state, as far as it can be read.
fn state(vault: &Vault, number: usize) -> halite_engine::Result<Truth> {
    let snapshot = vault.find_snapshot(vault.orgs()[0], &number.to_string())?;
    let mut all = Truth::new();
    State::at(vault, &snapshot).each("Thing__c", &mut |r| {
        all.insert(r.id, r.json.clone());
        Ok(())
    })?;
    Ok(all)
}
