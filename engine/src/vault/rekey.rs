//! A new master key for all that is to come; the former ones stay readable.
//!
//! Key decision: the swap of the root, which the new key authenticates, is the one moment at which it comes into
//! force. The ring and the slot of the new key are durable before it, the slots of the old key go after it, and
//! only those that were there before: so some slot opens the vault at every instant. It writes no chunk anew.

use std::sync::Arc;

use crate::base::error::{Error, Kind, Result};
use crate::format::entry::{numbered, prefix};
use crate::format::mark::MasterEntry;
use crate::format::master::GENERATIONS_MAX;
use crate::format::seal::{Keys, MasterKey};
use crate::store::backend::Backend;
use crate::vault::keys::{
    Cost, Holder, Secret, SlotInfo, create_slot, delete_twice, kept_twice, put_twice, ring_name, slots,
    unlock,
};
use crate::vault::open::{Vault, VaultOptions};

/// What a new key brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rekeyed {
    /// Which master key of the vault it is, from 1.
    pub generation: u16,
    /// The one slot that opens it.
    pub slot: String,
    /// The slots that are gone: their owners are to be added again.
    pub removed: Vec<SlotInfo>,
    /// Packs that are still sealed under former keys.
    pub former_packs: usize,
}

/// Gives a vault a new master key, wrapped by `kept` alone; `current` is what opens it now. Vaults that are open
/// meanwhile read on, and are refused at their next commit.
///
/// # Errors
/// As [`Holder::open`] and a commit. After an error either key may be in force; `current` opens the vault, or
/// `kept` does, and doing it again finishes it.
pub fn rekey(
    backend: &Arc<dyn Backend>,
    current: &Secret,
    kept: &Secret,
    options: VaultOptions,
    cost: Cost,
) -> Result<Rekeyed> {
    let holder = Holder::open(Arc::clone(backend), current)?;
    if usize::from(holder.ring.generation()) >= GENERATIONS_MAX {
        return Err(Error::new(
            Kind::Quota,
            format!("a vault has {GENERATIONS_MAX} keys at most"),
        ));
    }
    // Listed before the swap: what comes later may be of a newer key still.
    let (stale, rings) = (slots(&**backend)?, kept_twice(&**backend, "rings/")?);
    let clock = options.clock.clone();
    let ring = holder.ring.renewed(MasterKey::generate(&clock)?);
    let id = holder.vault;
    put_twice(&**backend, &ring_name(ring.newest()), &ring.seal()?)?;
    let slot = create_slot(&**backend, &id, &ring, kept, &clock, cost)?;
    let keys = Keys::of(&ring).with_roots_of(holder.ring.newest());
    let vault = Vault::open_with(Arc::clone(backend), id, keys, options)?;
    let generation = ring.generation();
    let catalog = vault.commit(&[], &mut |edit| {
        let entry = MasterEntry {
            since: edit.before.version() + 1,
            at: clock.now(),
        };
        edit.node(None)
            .put(numbered(prefix::MASTER, u64::from(generation)), entry.encode());
        edit.log("rekey", None, format!("key {generation}"));
        Ok(())
    })?;
    let (found, opened) = unlock(&**backend, &id, kept)?;
    if found != ring {
        return Err(
            Error::corrupt("key slot", format_args!("{opened} opens another key"))
                .hint("no slot was removed: run it again"),
        );
    }
    for slot in &stale {
        delete_twice(&**backend, &format!("keys/{}", slot.id))?;
    }
    for ring in rings {
        delete_twice(&**backend, &format!("rings/{ring}"))?;
    }
    Ok(Rekeyed {
        generation,
        slot,
        removed: stale,
        former_packs: catalog.former_packs()?.len(),
    })
}
