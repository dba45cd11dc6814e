//! Key slots: the master key of a vault, wrapped by what its owner has or knows.
//!
//! Key decision: any number of slots wrap the same random master key, so secrets are added, changed and revoked
//! without touching a chunk; each slot is stored twice and carries a checksum, so that a damaged slot is told from
//! a wrong passphrase. Removing a slot does not change the master key: who has unwrapped it keeps it.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::format::codec::Reader;
use crate::format::seal::{CIPHER_AES_256_GCM, MasterKey, Sealer, TAG_BYTES, check_format, domain};
use crate::store::backend::Backend;

/// The newest format version of key slots that this build reads, and the one it writes.
pub const SLOT_VERSION: u16 = 1;
/// The length of a slot.
pub const SLOT_BYTES: usize = HEADER_BYTES + 32 + TAG_BYTES + CHECK_BYTES;
/// A key file is at least this long.
pub const KEY_FILE_BYTES_MIN: usize = 32;

const MAGIC: &[u8; 8] = b"HALITEKS";
const HEADER_BYTES: usize = 8 + 2 + 1 + 1 + 1 + 3 + 16 + 16 + 4 + 4 + 4 + 16;
const CHECK_BYTES: usize = 32;
/// The slot holds the master key. 2 is kept for a capture key, which reads Ids and keyed hashes and no values.
const TYPE_MASTER: u8 = 1;
/// What a reader tries at most: each passphrase slot costs a second.
const SLOTS_MAX: usize = 64;
/// What a slot may ask of a reader: 1 GiB, 64 passes.
const MEMORY_KIB_MAX: u32 = 1 << 20;
const PASSES_MAX: u32 = 64;
const LANES_MAX: u32 = 16;

/// What opens a vault.
#[derive(Clone)]
pub enum Secret {
    /// A passphrase, as it was typed.
    Passphrase(Zeroizing<String>),
    /// The content of a key file, or what a command printed: at least 32 random bytes.
    KeyFile(Zeroizing<Vec<u8>>),
    /// Nothing: the vault is not protected, whoever can read it has the key.
    None,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({})", self.wrap().name())
    }
}

impl Secret {
    fn wrap(&self) -> Wrap {
        match self {
            Self::Passphrase(_) => Wrap::Passphrase,
            Self::KeyFile(_) => Wrap::KeyFile,
            Self::None => Wrap::None,
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Passphrase(text) if text.is_empty() => Err(Error::invalid("the passphrase is empty")),
            Self::KeyFile(bytes) if bytes.len() < KEY_FILE_BYTES_MIN => {
                let message = format!(
                    "the key file has {} bytes, {KEY_FILE_BYTES_MIN} at least are due",
                    bytes.len()
                );
                Err(Error::invalid(message).hint("make one with `head -c 32 /dev/urandom > KEYFILE`"))
            }
            _ => Ok(()),
        }
    }
}

/// How a slot wraps the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wrap {
    /// Not at all.
    None = 0,
    /// By a passphrase through Argon2id.
    Passphrase = 1,
    /// By a key file.
    KeyFile = 2,
}

impl Wrap {
    fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Passphrase),
            2 => Some(Self::KeyFile),
            _ => None,
        }
    }

    /// The words for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no secret",
            Self::Passphrase => "a passphrase",
            Self::KeyFile => "a key file",
        }
    }
}

/// What guessing a passphrase costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// 64 MiB and three passes in one lane (RFC 9106, second recommendation, without its threads).
    pub const STRONG: Cost = Cost {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 1,
    };
    /// Costs nothing and protects nothing.
    #[cfg(feature = "testing")]
    pub const FOR_TESTS: Cost = Cost {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
    const NONE: Cost = Cost {
        memory_kib: 0,
        passes: 0,
        lanes: 0,
    };
}

/// A slot as it stands on disk.
#[derive(Clone)]
struct Slot {
    wrap: Wrap,
    vault: [u8; 16],
    id: [u8; 16],
    cost: Cost,
    salt: [u8; 16],
    sealed: [u8; 32],
    tag: [u8; TAG_BYTES],
}

impl Slot {
    /// What stands before the sealed key, and is authenticated with it.
    fn header(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&SLOT_VERSION.to_le_bytes());
        out.extend_from_slice(&[CIPHER_AES_256_GCM, TYPE_MASTER, self.wrap as u8, 0, 0, 0]);
        out.extend_from_slice(&self.vault);
        out.extend_from_slice(&self.id);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.salt);
        out
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = self.header();
        out.extend_from_slice(&self.sealed);
        out.extend_from_slice(&self.tag);
        let check = checksum(&out);
        out.extend_from_slice(&check);
        out
    }

    /// Reads a slot; `None` for a slot of another type, which is not damaged but of no use here.
    fn decode(bytes: &[u8]) -> Result<Option<Self>> {
        let mut r = Reader::new(bytes, "key slot");
        if &r.array::<8>()? != MAGIC {
            return Err(r.bad("it does not begin with HALITEKS"));
        }
        let body = bytes
            .len()
            .checked_sub(CHECK_BYTES)
            .and_then(|at| bytes.split_at_checked(at));
        if body.is_none_or(|(body, check)| checksum(body) != check) {
            return Err(r.bad("its checksum does not fit"));
        }
        check_format("key slot", r.u16()?, SLOT_VERSION, r.u8()?)?;
        let (kind, wrap) = (r.u8()?, r.u8()?);
        let Some(wrap) = Wrap::from_u8(wrap).filter(|_| kind == TYPE_MASTER) else {
            return Ok(None);
        };
        if r.array()? != [0; 3] {
            return Err(r.bad("reserved bytes are set"));
        }
        let (vault, id) = (r.array()?, r.array()?);
        let cost = Cost {
            memory_kib: r.u32()?,
            passes: r.u32()?,
            lanes: r.u32()?,
        };
        if cost.memory_kib > MEMORY_KIB_MAX || cost.passes > PASSES_MAX || cost.lanes > LANES_MAX {
            return Err(r.bad(format_args!(
                "it asks for {} KiB and {} passes",
                cost.memory_kib, cost.passes
            )));
        }
        let slot = Self {
            wrap,
            vault,
            id,
            cost,
            salt: r.array()?,
            sealed: r.array()?,
            tag: r.array()?,
        };
        r.array::<CHECK_BYTES>()?;
        r.end()?;
        Ok(Some(slot))
    }

    /// The key that wraps, from the secret; it is bound to this slot.
    fn sealer(&self, secret: &Secret) -> Result<Sealer> {
        let mut material = Zeroizing::new([0; 32]);
        match secret {
            Secret::Passphrase(text) => self.stretch(text, &mut material)?,
            Secret::KeyFile(bytes) => *material = blake3::derive_key("halite 2026-11 key file v1", bytes),
            Secret::None => {}
        }
        let context = match secret {
            Secret::None => "halite 2026-11 slot without secret v1",
            _ => "halite 2026-11 slot key v1",
        };
        Ok(Sealer::derived(
            context,
            &*material,
            &[self.id, self.salt].concat(),
        ))
    }

    fn stretch(&self, passphrase: &str, out: &mut [u8; 32]) -> Result<()> {
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(out.len()));
        let params =
            params.map_err(|e| Error::corrupt("key slot", format_args!("its Argon2 parameters: {e}")))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2
            .hash_password_into(passphrase.as_bytes(), &self.salt, out)
            .map_err(|e| {
                let needs = format!(
                    "a passphrase needs {} MiB of memory for a moment: {e}",
                    memory_kib >> 10
                );
                Error::new(Kind::Quota, needs)
            })
    }

    fn open(&self, secret: &Secret) -> Result<Option<MasterKey>> {
        let mut key = self.sealed;
        let opened = self
            .sealer(secret)?
            .open(domain::SLOT, 0, &self.header(), &mut key, &self.tag);
        let master = opened.then(|| MasterKey::from_bytes(key));
        key.zeroize();
        Ok(master)
    }
}

/// Tells damage from a wrong secret; it authenticates nothing.
fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    blake3::derive_key("halite 2026-11 slot checksum v1", bytes)
}

/// Wraps the master key by a secret in a new slot, stored twice. Returns the slot's name.
pub fn create_slot(
    backend: &dyn Backend,
    vault_id: &[u8; 16],
    master: &MasterKey,
    secret: &Secret,
    clock: &Clock,
) -> Result<String> {
    create_slot_with(backend, vault_id, master, secret, clock, Cost::STRONG)
}

/// The same at another cost of guessing.
pub fn create_slot_with(
    backend: &dyn Backend,
    vault_id: &[u8; 16],
    master: &MasterKey,
    secret: &Secret,
    clock: &Clock,
    cost: Cost,
) -> Result<String> {
    secret.check()?;
    let wrap = secret.wrap();
    let cost = if wrap == Wrap::Passphrase {
        cost
    } else {
        Cost::NONE
    };
    let (id, salt): ([u8; 16], [u8; 16]) = (clock.random()?, clock.random()?);
    let tag = [0; TAG_BYTES];
    let mut slot = Slot {
        wrap,
        vault: *vault_id,
        id,
        cost,
        salt,
        sealed: *master.expose(),
        tag,
    };
    let (sealer, header) = (slot.sealer(secret)?, slot.header());
    slot.tag = sealer.seal(domain::SLOT, 0, &header, &mut slot.sealed)?;
    if slot.open(secret)?.as_ref() != Some(master) {
        return Err(Error::corrupt(
            "key slot",
            "it does not open again; nothing was stored",
        ));
    }
    let name = format!("keys/{}", hex(&id));
    let bytes = slot.encode();
    backend.put_new(&name, &bytes)?;
    backend.put_new(&format!("{name}.copy"), &bytes)?;
    Ok(name)
}

/// Removes a slot and its copy. The caller sees to it that another one is left.
pub fn remove_slot(backend: &dyn Backend, name: &str) -> Result<()> {
    backend.delete(&format!("{name}.copy"))?;
    backend.delete(name)
}

/// A slot as one may show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotInfo {
    /// The name of its object.
    pub name: String,
    /// How it wraps; `None` where neither copy can be read, or it is of a newer kind.
    pub wrap: Option<Wrap>,
}

/// Every slot of a vault, for listing.
pub fn slots(backend: &dyn Backend, vault_id: &[u8; 16]) -> Result<Vec<SlotInfo>> {
    let names = slot_names(backend)?;
    let info = |name: String| {
        let slot = read_slot(backend, vault_id, &name).ok().flatten();
        SlotInfo {
            wrap: slot.map(|slot| slot.wrap),
            name,
        }
    };
    Ok(names.into_iter().map(info).collect())
}

/// Unwraps the master key of a vault with a secret.
pub fn unlock(backend: &dyn Backend, vault_id: &[u8; 16], secret: &Secret) -> Result<MasterKey> {
    secret.check()?;
    let (mut tried, mut others, mut damage) = (0, Vec::new(), None);
    for name in slot_names(backend)? {
        match read_slot(backend, vault_id, &name) {
            Ok(Some(slot)) if slot.wrap == secret.wrap() => {
                if let Some(master) = slot.open(secret)? {
                    return Ok(master);
                }
                tried += 1;
            }
            Ok(Some(slot)) => others.push(slot.wrap),
            Ok(None) => {}
            Err(e) if matches!(e.kind(), Kind::Corrupt | Kind::Unsupported | Kind::NotFound) => {
                damage = Some(e)
            }
            Err(e) => return Err(e),
        }
    }
    Err(refusal(backend, secret, tried, &others, damage))
}

/// Why a secret does not open a vault, and what to do.
fn refusal(
    backend: &dyn Backend,
    secret: &Secret,
    tried: usize,
    others: &[Wrap],
    damage: Option<Error>,
) -> Error {
    let at = backend.describe();
    let mut e = match (secret, tried, others.first()) {
        (Secret::Passphrase(_), 1.., _) => {
            Error::new(Kind::Auth, format!("the passphrase does not open {at}"))
                .hint("passphrases count every letter")
        }
        (Secret::KeyFile(_), 1.., _) => Error::new(Kind::Auth, format!("the key file does not open {at}"))
            .hint("a key file must be byte for byte the one that was used"),
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

/// The names of the slots, copies folded in: a slot may be there by its copy alone.
fn slot_names(backend: &dyn Backend) -> Result<Vec<String>> {
    let mut names = backend.list("keys/")?;
    names
        .iter_mut()
        .for_each(|name| name.truncate(name.strip_suffix(".copy").map_or(name.len(), str::len)));
    names.sort_unstable();
    names.dedup();
    if names.len() > SLOTS_MAX {
        let message = format!(
            "{} has {} key slots, above {SLOTS_MAX}",
            backend.describe(),
            names.len()
        );
        return Err(Error::invalid(message).hint("remove those that nobody uses"));
    }
    Ok(names)
}

/// Reads a slot, or its copy where the slot is damaged. `None` for a type of slot that is not for us.
fn read_slot(backend: &dyn Backend, vault_id: &[u8; 16], name: &str) -> Result<Option<Slot>> {
    let read = |name: &str| {
        let size = backend.size(name)?;
        if size > 4096 {
            return Err(Error::corrupt(
                name,
                format_args!("it has {size} bytes, which no key slot has"),
            ));
        }
        let slot = Slot::decode(&backend.get(name)?).map_err(|e| e.within(name))?;
        if slot.as_ref().is_some_and(|slot| slot.vault != *vault_id) {
            return Err(Error::corrupt(name, "it belongs to another vault"));
        }
        Ok(slot)
    };
    let copy = format!("{name}.copy");
    read(name).or_else(|first| {
        tracing::warn!(slot = name, error = %first, "the key slot cannot be read, trying its copy");
        read(&copy).map_err(|_| first)
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
