//! The root: the one small object of a vault that is ever replaced. It names the catalog in force.
//!
//! Key decision: fixed layout with a keyed authentication over all of it, so that nobody without the key can
//! point a vault at another catalog, and the hash of the predecessor, so that history cannot fork unseen.
//! It is not encrypted, and says nothing of what is in the vault but how often it changed.

use crate::base::error::{Error, Result};
use crate::base::id::{ChunkId, PackId};
use crate::format::codec::Reader;
use crate::format::pack::Location;
use crate::format::seal::{CIPHER_AES_256_GCM, Keys, check_format};

/// The newest format version of roots that this build reads, and the one it writes.
pub const ROOT_VERSION: u16 = 1;
/// The length of an encoded root.
pub const ROOT_BYTES: usize = BODY_BYTES + 32;

const MAGIC: &[u8; 8] = b"HALITERT";
const BODY_BYTES: usize = 8 + 2 + 2 + 16 + 8 + 8 + 32 + 2 * 40 + 32;

/// What the root says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The vault's random name.
    pub vault: [u8; 16],
    /// Counts replacements; clients refuse one lower than they have seen.
    pub version: u64,
    /// Raised when a collector condemns packs.
    pub epoch: u64,
    /// The head of the catalog.
    pub catalog: ChunkId,
    /// Where it stands, twice, in different packs.
    pub locations: [Location; 2],
    /// The [`Root::hash`] of the root before; zeros for the first.
    pub predecessor: [u8; 32],
}

impl Root {
    /// The bytes to be stored.
    pub fn encode(&self, keys: &Keys) -> Vec<u8> {
        let mut out = self.body();
        let mac = keys.root_mac(&out);
        out.extend_from_slice(&mac);
        out
    }

    /// Reads and authenticates a root.
    pub fn decode(keys: &Keys, bytes: &[u8]) -> Result<Self> {
        let root = Self::decode_unverified(bytes)?;
        let (body, mac) = bytes.split_at(BODY_BYTES);
        let mac: [u8; 32] = mac
            .try_into()
            .map_err(|_| Error::corrupt("root", "it is cut short"))?;
        if !keys.knows_root(body, mac) {
            return Err(Error::corrupt(
                "root",
                "it was not written with this vault's key, or changed since",
            )
            .hint("if the vault was given a new key meanwhile, open it anew"));
        }
        Ok(root)
    }

    /// Reads a root without a key: enough to tell which vault it is of, never to be acted on.
    pub fn decode_unverified(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "root");
        if &r.array::<8>()? != MAGIC {
            return Err(r.bad("it does not begin with HALITERT"));
        }
        check_format("root", r.u16()?, ROOT_VERSION, r.u8()?)?;
        if r.u8()? != 0 {
            return Err(r.bad("a reserved byte is set"));
        }
        let (vault, version, epoch) = (r.array()?, r.u64()?, r.u64()?);
        let catalog = ChunkId(r.array()?);
        let locations = [read_location(&mut r)?, read_location(&mut r)?];
        let predecessor = r.array()?;
        r.take(32)?;
        r.end()?;
        Ok(Self {
            vault,
            version,
            epoch,
            catalog,
            locations,
            predecessor,
        })
    }

    /// What the next root names as its predecessor.
    pub fn hash(&self) -> [u8; 32] {
        blake3::derive_key("halite 2026-11 root hash v1", &self.body())
    }

    fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ROOT_BYTES);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&ROOT_VERSION.to_le_bytes());
        out.extend_from_slice(&[CIPHER_AES_256_GCM, 0]);
        out.extend_from_slice(&self.vault);
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.catalog.0);
        for location in &self.locations {
            out.extend_from_slice(&location.pack.0);
            out.extend_from_slice(&location.offset.to_le_bytes());
            out.extend_from_slice(&location.len.to_le_bytes());
        }
        out.extend_from_slice(&self.predecessor);
        out
    }
}

fn read_location(r: &mut Reader<'_>) -> Result<Location> {
    Ok(Location {
        pack: PackId(r.array()?),
        offset: r.u32()?,
        len: r.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::seal::MasterKey;

    fn sample() -> Root {
        let location = |b| Location {
            pack: PackId([b; 32]),
            offset: 44,
            len: 1000,
        };
        Root {
            vault: [1; 16],
            version: 7,
            epoch: 2,
            catalog: ChunkId([3; 32]),
            locations: [location(4), location(5)],
            predecessor: [6; 32],
        }
    }

    #[test]
    fn round_trips_and_refuses_every_change() {
        let keys = Keys::derive(&MasterKey::from_bytes([7; 32]));
        let bytes = sample().encode(&keys);
        assert_eq!(bytes.len(), ROOT_BYTES);
        assert_eq!(Root::decode(&keys, &bytes).unwrap(), sample());
        for at in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[at] ^= 0x40;
            assert!(Root::decode(&keys, &torn).is_err(), "byte {at}");
            assert!(Root::decode(&keys, &bytes[..at]).is_err(), "cut at {at}");
        }
        assert!(Root::decode(&keys, &[&bytes[..], &[0]].concat()).is_err());
        assert!(Root::decode(&Keys::derive(&MasterKey::from_bytes([8; 32])), &bytes).is_err());
    }

    #[test]
    fn the_bytes_are_for_ever() {
        let keys = Keys::derive(&MasterKey::from_bytes([7; 32]));
        let all = [sample().encode(&keys), sample().hash().to_vec()].concat();
        assert_eq!(
            blake3::hash(&all).to_hex().as_str(),
            "d320d5a6f70e53a725114ec01eeac33ac556bb504152e8948d7fcd49201eeaf8"
        );
    }
}
