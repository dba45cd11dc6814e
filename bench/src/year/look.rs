//! Looks at the vault in the ways that have a limit, and says how long each took.
//!
//! Key decision: the vault is opened anew for each look and the best of three counts: the disk's cache is warm, the
//! engine's own is cold. It writes nothing.

use std::error::Error;
use std::time::Duration;

use halite_engine::Result;
use halite_engine::base::id::RecordId;
use halite_engine::ops::diff::{diff, touched};
use halite_engine::ops::history::history;
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};

use crate::year::make::{CONTACT, Maker};

/// How often each look is taken.
const TIMES: usize = 3;
/// Records that are looked up one by one.
const RECORDS: usize = 50;

type Timed = std::result::Result<Duration, Box<dyn Error>>;

fn best(maker: &Maker, look: &mut dyn FnMut(&Vault) -> Result<()>) -> Timed {
    best_of(&|| maker.open(), look)
}

fn best_of(
    open: &dyn Fn() -> std::result::Result<Vault, Box<dyn Error>>,
    look: &mut dyn FnMut(&Vault) -> Result<()>,
) -> Timed {
    let mut best = Duration::MAX;
    for _ in 0..TIMES {
        let vault = open()?;
        let start = crate::now();
        look(&vault)?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn snapshot(vault: &Vault, day: u64) -> Result<SnapshotInfo> {
    vault.find_snapshot(vault.orgs()[0], &day.to_string())
}

/// Every record of a day.
pub fn full_read(maker: &Maker, day: u64) -> Timed {
    best(maker, &mut |vault| everything(vault, day))
}

/// Every record of the first day, from the vault as it was when it held nothing else.
pub fn first_read(maker: &Maker) -> Timed {
    best_of(&|| maker.open_first(), &mut |vault| everything(vault, 1))
}

fn everything(vault: &Vault, day: u64) -> Result<()> {
    let mut bytes = 0;
    State::at(vault, &snapshot(vault, day)?).each(CONTACT, &mut |record| {
        bytes += record.json.len();
        Ok(())
    })?;
    assert!(bytes > 0, "a day without records");
    Ok(())
}

/// Some Ids, far apart.
fn some(maker: &Maker, day: u64) -> std::result::Result<Vec<RecordId>, Box<dyn Error>> {
    let vault = maker.open()?;
    let mut ids = Vec::new();
    State::at(&vault, &snapshot(&vault, day)?).each(CONTACT, &mut |record| {
        ids.push(record.id);
        Ok(())
    })?;
    let step = (ids.len() / RECORDS).max(1);
    Ok(ids.into_iter().step_by(step).take(RECORDS).collect())
}

/// One record of a day, out of a vault that was read from before.
pub fn point_read(maker: &Maker, day: u64) -> Timed {
    let ids = some(maker, day)?;
    let all = best(maker, &mut |vault| {
        let state = State::at(vault, &snapshot(vault, day)?);
        ids.iter().try_for_each(|id| {
            assert!(state.get(CONTACT, *id)?.is_some(), "{id} is not there");
            Ok(())
        })
    })?;
    Ok(all / ids.len() as u32)
}

/// All versions of one record.
pub fn versions(maker: &Maker, day: u64) -> Timed {
    let ids = some(maker, day)?;
    let all = best(maker, &mut |vault| {
        let mut versions = 0;
        for id in &ids {
            versions += history(vault, vault.orgs()[0], *id)?.len();
        }
        assert!(versions >= ids.len(), "a record without versions");
        Ok(())
    })?;
    Ok(all / ids.len() as u32)
}

/// Which records differ between two days, and how.
pub fn which_differ(maker: &Maker, a: u64, b: u64) -> Timed {
    best(maker, &mut |vault| {
        let mut count = 0;
        touched(
            vault,
            &snapshot(vault, a)?,
            &snapshot(vault, b)?,
            None,
            &mut |_| {
                count += 1;
                Ok(())
            },
        )?;
        assert!(count > 0 || maker.stamps_alone(b), "nothing differs");
        Ok(())
    })
}

/// The records that differ between two days, both ways, with the fields that changed.
pub fn differences(maker: &Maker, a: u64, b: u64) -> Timed {
    best(maker, &mut |vault| {
        let mut fields = 0;
        diff(
            vault,
            &snapshot(vault, a)?,
            &snapshot(vault, b)?,
            None,
            &mut |change| {
                fields += change.fields.len();
                Ok(())
            },
        )?;
        assert!(fields > 0 || maker.stamps_alone(b), "nothing differs");
        Ok(())
    })
}
