//! Who may open a vault: key slots added, listed, removed, repaired, and the master keys behind them.
//!
//! Key decision: any number of slots wrap the same random master key, so secrets are added, changed and revoked
//! without touching a chunk; each slot is stored twice. The root decides which master key is in force: the one
//! that authenticates it. Removing a slot does not change that key: who has unwrapped it keeps it.

use std::sync::Arc;

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::id::hex;
use crate::base::stamp::Stamp;
use crate::format::ring::Ring;
use crate::format::root::Root;
use crate::format::seal::{Keys, MasterKey};
use crate::store::backend::{Backend, Begin};
use crate::vault::marker;
use crate::vault::slot::Slot;

pub use crate::vault::slot::{Cost, KEY_FILE_BYTES_MIN, SLOT_BYTES, SLOT_VERSION, Secret, Wrap};

/// What a reader tries at most: each passphrase slot costs a second.
pub const SLOTS_MAX: usize = 64;
/// No slot or ring is longer.
const SMALL: usize = 64 << 10;

/// A slot as one may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotInfo {
    /// Its id in hex; its object is `keys/` and that.
    pub id: String,
    /// What it says of itself; `None` where neither copy can be read, or it is of a newer kind.
    pub facts: Option<SlotFacts>,
    /// Whether both copies can be read and are the same.
    pub whole: bool,
}

/// What a slot says in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotFacts {
    /// How it wraps.
    pub wrap: Wrap,
    /// When it was made, by the clock of the machine that did.
    pub made: Stamp,
    /// Which of the master keys of the vault it holds, from 1.
    pub generation: u16,
}

/// Somebody who has shown a secret that opens a vault: may change who else does.
///
/// ```
/// use std::sync::Arc;
/// use halite_engine::base::clock::Clock;
/// use halite_engine::store::memory::Memory;
/// use halite_engine::vault::keys::{Cost, Holder};
/// use halite_engine::vault::{Secret, Vault, VaultOptions};
/// let place = Arc::new(Memory::new());
/// Vault::create(place.clone(), &Secret::None, VaultOptions::default()).unwrap();
/// let file = Secret::KeyFile(vec![7; 32].into());
/// let open = Holder::open(place.clone(), &Secret::None).unwrap();
/// open.add(&file, &Clock::system(), Cost::STRONG).unwrap();
/// Holder::open(place.clone(), &file).unwrap().remove(open.slot()).unwrap();
/// assert!(Vault::open(place, &Secret::None, VaultOptions::default()).is_err());
/// ```
pub struct Holder {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) vault: [u8; 16],
    pub(super) ring: Ring,
    /// The root that said which key is in force.
    pub(super) root: Option<Vec<u8>>,
    slot: String,
}

impl Holder {
    /// Opens the slot of a secret.
    ///
    /// # Errors
    /// `NotFound`: not a vault, no slot. `Unsupported`: a newer format. `Auth`: the secret does not fit, or opens
    /// a key that the vault no longer uses. `Corrupt`: slot, ring or root.
    pub fn open(backend: Arc<dyn Backend>, secret: &Secret) -> Result<Self> {
        let vault = marker::read(&*backend)?;
        let root = backend.root()?;
        let (ring, slot) = unlock_for(&*backend, &vault, secret, root.as_deref())?;
        Ok(Self {
            backend,
            vault,
            ring,
            root,
            slot,
        })
    }

    /// The id of the slot that the secret opened.
    pub fn slot(&self) -> &str {
        &self.slot
    }

    /// Adds a slot for another secret; returns its id.
    pub fn add(&self, secret: &Secret, clock: &Clock, cost: Cost) -> Result<String> {
        if slot_ids(&*self.backend)?.len() >= SLOTS_MAX {
            let message = format!("{} has {SLOTS_MAX} key slots already", self.backend.describe());
            return Err(Error::new(Kind::Quota, message).hint("remove one that nobody uses"));
        }
        create_slot(&*self.backend, &self.vault, &self.ring, secret, clock, cost)
    }

    /// Removes the slot whose id begins with `id`. The one that was opened is refused, so that what is left is
    /// known to open the vault.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`: no slot, more than one, or the one opened.
    pub fn remove(&self, id: &str) -> Result<SlotInfo> {
        let all = slots(&*self.backend)?;
        let mut fit = all
            .into_iter()
            .filter(|slot| !id.is_empty() && slot.id.starts_with(id));
        let slot = match (fit.next(), fit.next()) {
            (Some(slot), None) => slot,
            (None, _) => {
                return Err(Error::new(Kind::NotFound, format!("no key slot `{id}`"))
                    .hint("`halite key list` lists them"));
            }
            _ => {
                return Err(Error::invalid(format!(
                    "more than one key slot begins with `{id}`"
                )));
            }
        };
        if slot.id == self.slot {
            let message = format!("slot {} is the one that this key opened", slot.id);
            return Err(Error::invalid(message).hint(
                "open the vault with another key to remove it; with `halite key add` if there is none",
            ));
        }
        delete_twice(&*self.backend, &slot_name(&slot.id))?;
        Ok(slot)
    }

    /// Writes damaged or lost copies of slots and of the ring anew from the good ones; returns their names.
    pub fn repair(&self) -> Result<Vec<String>> {
        let mut written = Vec::new();
        for id in slot_ids(&*self.backend)? {
            let read = |bytes: &[u8]| decode_slot(&self.vault, bytes).is_ok();
            written.extend(mend(&*self.backend, &slot_name(&id), &read)?);
        }
        if self.ring.generation() > 1 {
            let name = ring_name(self.ring.newest());
            let read = |bytes: &[u8]| open_ring(&self.ring, bytes).is_ok();
            written.extend(mend(&*self.backend, &name, &read)?);
        }
        Ok(written)
    }
}

fn open_ring(ring: &Ring, bytes: &[u8]) -> Result<Ring> {
    Ring::open(ring.newest().clone(), ring.generation(), bytes)
}

/// Of an object kept twice: writes the bad copy anew if the other one is good. The good one is not touched.
fn mend(backend: &dyn Backend, name: &str, good: &dyn Fn(&[u8]) -> bool) -> Result<Option<String>> {
    let names = [name.to_owned(), copy_of(name)];
    let read = |name: &String| read_small(backend, name).ok().filter(|bytes| good(bytes));
    let (bad, bytes) = match (read(&names[0]), read(&names[1])) {
        (Some(bytes), None) => (&names[1], bytes),
        (None, Some(bytes)) => (&names[0], bytes),
        // The first is the one that readers take.
        (Some(bytes), Some(other)) if bytes != other => (&names[1], bytes),
        _ => return Ok(None),
    };
    backend.delete(bad)?;
    backend.put_new(bad, &bytes)?;
    Ok(Some(bad.clone()))
}

/// Wraps the newest master key by a secret in a new slot, stored twice. Returns the slot's id.
pub(super) fn create_slot(
    backend: &dyn Backend,
    vault: &[u8; 16],
    ring: &Ring,
    secret: &Secret,
    clock: &Clock,
    cost: Cost,
) -> Result<String> {
    let slot = Slot::seal(vault, (ring.generation(), ring.newest()), secret, clock, cost)?;
    let id = hex(&slot.id);
    put_twice(backend, &slot_name(&id), &slot.encode())?;
    Ok(id)
}

/// Every slot of a vault, by id; needs no secret.
pub fn slots(backend: &dyn Backend) -> Result<Vec<SlotInfo>> {
    let vault = marker::read(backend)?;
    let info = |id: String| {
        let name = slot_name(&id);
        let read = |name: &str| {
            let bytes = read_small(backend, name).ok()?;
            decode_slot(&vault, &bytes).ok().map(|slot| (slot, bytes))
        };
        let (one, two) = (read(&name), read(&copy_of(&name)));
        let whole = matches!((&one, &two), (Some((_, a)), Some((_, b))) if a == b);
        let slot = one.or(two).and_then(|(slot, _)| slot);
        let facts = slot.map(|slot| SlotFacts {
            wrap: slot.wrap,
            made: slot.made,
            generation: slot.generation,
        });
        SlotInfo { id, facts, whole }
    };
    Ok(slot_ids(backend)?.into_iter().map(info).collect())
}

/// The names of slots and rings of which one of the two copies is damaged or gone; needs no secret.
pub fn damaged_copies(backend: &dyn Backend) -> Result<Vec<String>> {
    let slots = slots(backend)?;
    let slots = slots.iter().filter(|slot| !slot.whole);
    let mut names: Vec<String> = slots.map(|slot| slot_name(&slot.id)).collect();
    for id in kept_twice(backend, "rings/")? {
        let name = format!("rings/{id}");
        let read = |name: &str| read_small(backend, name).ok();
        if read(&name).is_none() || read(&name) != read(&copy_of(&name)) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Unwraps the master keys of a vault with a secret: those that the root in force is authenticated by. Says which
/// slot it was.
pub(super) fn unlock(backend: &dyn Backend, vault: &[u8; 16], secret: &Secret) -> Result<(Ring, String)> {
    unlock_for(backend, vault, secret, backend.root()?.as_deref())
}

/// The same where no root says which master key is in force: then it is the newest that the secret opens.
pub(super) fn unlock_without_root(backend: &dyn Backend, vault: &[u8; 16], secret: &Secret) -> Result<Ring> {
    unlock_for(backend, vault, secret, None).map(|(ring, _)| ring)
}

/// The vault that the slots are of, if one of them can be read.
pub(super) fn vault_of_slots(backend: &dyn Backend) -> Result<Option<[u8; 16]>> {
    for id in slot_ids(backend)? {
        let slot = read_twice(backend, &slot_name(&id), Slot::decode);
        if let Ok(Some(slot)) = slot {
            return Ok(Some(slot.vault));
        }
    }
    Ok(None)
}

fn unlock_for(
    backend: &dyn Backend,
    vault: &[u8; 16],
    secret: &Secret,
    root: Option<&[u8]>,
) -> Result<(Ring, String)> {
    secret.check()?;
    let (mut refused, mut newest, mut seen) = (Refused::default(), 0, Vec::new());
    for id in slot_ids(backend)? {
        match read_slot(backend, vault, &slot_name(&id)) {
            Ok(Some(slot)) => {
                newest = newest.max(slot.generation);
                if slot.wrap == secret.wrap() {
                    seen.push((slot, id));
                } else {
                    refused.others.push(slot.wrap);
                }
            }
            Ok(None) => {}
            Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => {
                refused.damage = Some(e)
            }
            Err(e) => return Err(e),
        }
    }
    // After a new key the slots of the old one are most likely gone or of no use.
    seen.sort_by_key(|(slot, _)| std::cmp::Reverse(slot.generation));
    let mut stale = None;
    for (slot, id) in seen {
        refused.tried += 1;
        let Some(master) = slot.open(secret)? else {
            continue;
        };
        let fits = root.map(|root| Root::decode(&Keys::derive(&master), root));
        match fits {
            None | Some(Ok(_)) => return Ok((read_ring(backend, master, slot.generation)?, id)),
            Some(Err(e)) if e.kind() == Kind::Corrupt => stale = Some((slot.generation, e)),
            Some(Err(e)) => return Err(e),
        }
    }
    Err(match stale {
        Some((generation, _)) if generation < newest => Error::new(
            Kind::Auth,
            format!(
                "{} was given a new key, and this secret opens the one before it",
                backend.describe()
            ),
        )
        .hint("have it added again with `halite key add`"),
        Some((_, e)) => e,
        None => refused.tell(backend, secret),
    })
}

/// What was in the way of a secret.
#[derive(Default)]
struct Refused {
    tried: usize,
    others: Vec<Wrap>,
    damage: Option<Error>,
}

impl Refused {
    /// Why a secret does not open a vault, and what to do.
    fn tell(self, backend: &dyn Backend, secret: &Secret) -> Error {
        let (at, tried, damage) = (backend.describe(), self.tried, self.damage);
        let mut e = match (secret, tried, self.others.first()) {
            (Secret::Passphrase(_), 1.., _) => {
                Error::new(Kind::Auth, format!("the passphrase does not open {at}"))
                    .hint("passphrases count every letter")
            }
            (Secret::KeyFile(_), 1.., _) => {
                Error::new(Kind::Auth, format!("the key file does not open {at}"))
                    .hint("a key file must be byte for byte the one that was used")
            }
            (Secret::None, 1.., _) => {
                Error::corrupt("key slot", format_args!("the open slot of {at} does not open"))
            }
            (_, 0, Some(other)) => {
                let given = secret.wrap().name();
                Error::new(
                    Kind::Auth,
                    format!("{at} is opened by {}, not by {given}", other.name()),
                )
                .hint("give --key-file, HALITE_PASSPHRASE or --passphrase-command")
            }
            (_, 0, None) => match damage {
                Some(damage) => return damage.within(format_args!("no key slot of {at} can be read")),
                None => Error::new(Kind::NotFound, format!("{at} has no key slot"))
                    .hint("bring back the objects under `keys/` from a copy"),
            },
        };
        if let Some(damage) = damage {
            e = e.within(format_args!("a key slot cannot be read ({})", damage.message()));
        }
        e
    }
}

fn slot_name(id: &str) -> String {
    format!("keys/{id}")
}

fn copy_of(name: &str) -> String {
    format!("{name}.copy")
}

/// Where the keys before `newest` are.
pub(super) fn ring_name(newest: &MasterKey) -> String {
    format!("rings/{}", hex(&Ring::id(newest)[..16]))
}

/// Stores an object and its copy, since a lost master key is a lost vault.
pub(super) fn put_twice(backend: &dyn Backend, name: &str, bytes: &[u8]) -> Result<()> {
    backend.put_new(name, bytes)?;
    backend.put_new(&copy_of(name), bytes)
}

/// Removes an object and its copy.
pub(super) fn delete_twice(backend: &dyn Backend, name: &str) -> Result<()> {
    backend.delete(&copy_of(name))?;
    backend.delete(name)
}

/// The names under a prefix of things kept twice, without the prefix; a thing may be there by its copy alone.
pub(super) fn kept_twice(backend: &dyn Backend, prefix: &str) -> Result<Vec<String>> {
    let names = backend.list(prefix)?;
    let plain = |name: &String| {
        let name = name.strip_prefix(prefix).unwrap_or(name);
        name.strip_suffix(".copy").unwrap_or(name).to_owned()
    };
    let mut names: Vec<String> = names.iter().map(plain).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// The ids of the slots.
pub(super) fn slot_ids(backend: &dyn Backend) -> Result<Vec<String>> {
    let ids = kept_twice(backend, "keys/")?;
    if ids.len() > SLOTS_MAX {
        let message = format!(
            "{} has {} key slots, above {SLOTS_MAX}",
            backend.describe(),
            ids.len()
        );
        return Err(Error::invalid(message).hint("remove those that nobody uses"));
    }
    Ok(ids)
}

/// The bytes of a slot or ring, if it has no more than one may have.
fn read_small(backend: &dyn Backend, name: &str) -> Result<Vec<u8>> {
    let (bytes, size) = backend.get_part(name, Begin::At(0), SMALL)?;
    if bytes.len() as u64 != size {
        return Err(Error::corrupt(
            name,
            format_args!("it has {size} bytes, which no key has"),
        ));
    }
    Ok(bytes)
}

/// Reads an object kept twice by `open`, or its copy where that fails.
fn read_twice<T>(backend: &dyn Backend, name: &str, open: impl Fn(&[u8]) -> Result<T>) -> Result<T> {
    let read = |name: &str| open(&read_small(backend, name)?).map_err(|e| e.within(name));
    read(name).or_else(|first| {
        tracing::warn!(name, error = %first, "it cannot be read, trying its copy");
        read(&copy_of(name)).map_err(|_| first)
    })
}

/// `None` for a type of slot that is not for us.
fn decode_slot(vault: &[u8; 16], bytes: &[u8]) -> Result<Option<Slot>> {
    let slot = Slot::decode(bytes)?;
    if slot.as_ref().is_some_and(|slot| slot.vault != *vault) {
        return Err(Error::corrupt("key slot", "it belongs to another vault"));
    }
    Ok(slot)
}

fn read_slot(backend: &dyn Backend, vault: &[u8; 16], name: &str) -> Result<Option<Slot>> {
    read_twice(backend, name, |bytes| decode_slot(vault, bytes))
}

/// All master keys up to the one of that generation.
fn read_ring(backend: &dyn Backend, newest: MasterKey, generation: u16) -> Result<Ring> {
    if generation == 1 {
        return Ok(Ring::new(newest));
    }
    let name = ring_name(&newest);
    read_twice(backend, &name, |bytes| {
        Ring::open(newest.clone(), generation, bytes)
    })
    .map_err(|e| e.hint("without it nothing from before the new key can be read: bring it back from a copy"))
}

#[cfg(test)]
mod tests;
