//! The bytes of a key slot: a master key of a vault, wrapped by what its owner has or knows.
//!
//! Key decision: a checksum that authenticates nothing tells a damaged slot from a wrong passphrase; everything
//! before the sealed key is authenticated with it, and what a slot may ask of a reader is bounded before it is
//! done. It does not know where slots are kept, nor which of them is in force.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::{Zeroize, Zeroizing};

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::stamp::Stamp;
use crate::format::codec::Reader;
use crate::format::derive::{Sealer, domain};
use crate::format::master::GENERATIONS_MAX;
use crate::format::seal::{CIPHER_AES_256_GCM, MasterKey, TAG_BYTES, check_format};

/// The newest format version of key slots that this build reads, and the one it writes.
pub const SLOT_VERSION: u16 = 1;
/// The length of a slot.
pub const SLOT_BYTES: usize = HEADER_BYTES + 32 + TAG_BYTES + CHECK_BYTES;
/// A key file is at least this long.
pub const KEY_FILE_BYTES_MIN: usize = 32;

const MAGIC: &[u8; 8] = b"HALITEKS";
const HEADER_BYTES: usize = 8 + 2 + 1 + 1 + 1 + 1 + 2 + 16 + 16 + 4 + 4 + 4 + 16 + 8;
pub(super) const CHECK_BYTES: usize = 32;
/// The slot holds a master key. 2 is kept for a capture key, which reads Ids and keyed hashes and no values.
const TYPE_MASTER: u8 = 1;
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
    pub(super) fn wrap(&self) -> Wrap {
        match self {
            Self::Passphrase(_) => Wrap::Passphrase,
            Self::KeyFile(_) => Wrap::KeyFile,
            Self::None => Wrap::None,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
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
pub(super) struct Slot {
    pub(super) wrap: Wrap,
    /// Which of the master keys of the vault it holds, from 1.
    pub(super) generation: u16,
    pub(super) vault: [u8; 16],
    pub(super) id: [u8; 16],
    cost: Cost,
    salt: [u8; 16],
    pub(super) made: Stamp,
    sealed: [u8; 32],
    tag: [u8; TAG_BYTES],
}

impl Slot {
    /// Wraps the `generation`th master key of a vault, and sees that it opens again.
    pub(super) fn seal(
        vault: &[u8; 16],
        (generation, master): (u16, &MasterKey),
        secret: &Secret,
        clock: &Clock,
        cost: Cost,
    ) -> Result<Self> {
        secret.check()?;
        let wrap = secret.wrap();
        let cost = if wrap == Wrap::Passphrase {
            cost
        } else {
            Cost::NONE
        };
        let mut slot = Self {
            wrap,
            generation,
            vault: *vault,
            id: clock.random()?,
            cost,
            salt: clock.random()?,
            made: clock.now(),
            sealed: *master.expose(),
            tag: [0; TAG_BYTES],
        };
        let (sealer, header) = (slot.sealer(secret)?, slot.header());
        slot.tag = sealer.seal(domain::SLOT, 0, &header, &mut slot.sealed)?;
        if slot.open(secret)?.as_ref() != Some(master) {
            return Err(Error::corrupt(
                "key slot",
                "it does not open again; nothing was stored",
            ));
        }
        Ok(slot)
    }

    /// What stands before the sealed key, and is authenticated with it.
    fn header(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&SLOT_VERSION.to_le_bytes());
        out.extend_from_slice(&[CIPHER_AES_256_GCM, TYPE_MASTER, self.wrap as u8, 0]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.vault);
        out.extend_from_slice(&self.id);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.made.millis().to_le_bytes());
        out
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = self.header();
        out.extend_from_slice(&self.sealed);
        out.extend_from_slice(&self.tag);
        let check = checksum(&out);
        out.extend_from_slice(&check);
        out
    }

    /// Reads a slot; `None` for a slot of another type, which is not damaged but of no use here.
    pub(super) fn decode(bytes: &[u8]) -> Result<Option<Self>> {
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
        if r.u8()? != 0 {
            return Err(r.bad("a reserved byte is set"));
        }
        let generation = r.u16()?;
        if generation == 0 || usize::from(generation) > GENERATIONS_MAX {
            return Err(r.bad(format_args!("its key is of generation {generation}")));
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
            generation,
            vault,
            id,
            cost,
            salt: r.array()?,
            made: Stamp::from_millis(i64::from_le_bytes(r.array()?)),
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

    pub(super) fn open(&self, secret: &Secret) -> Result<Option<MasterKey>> {
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
pub(super) fn checksum(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    blake3::derive_key("halite 2026-11 slot checksum v1", bytes)
}
