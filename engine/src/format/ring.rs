//! The object that hands the former master keys of a vault on to the newest.
//!
//! Key decision: the newest master key alone is wrapped by slots; it opens the ring with all before it, so slots
//! stay small and a new key costs one object. The ring's name comes from that key: it is found before anything
//! else of the vault can be read, and tells nothing. It is not a slot: no passphrase opens it.

use zeroize::Zeroizing;

use crate::base::error::{Error, Result};
use crate::format::codec::Reader;
use crate::format::master::GENERATIONS_MAX;
pub use crate::format::master::Ring;
use crate::format::seal::{Keys, MasterKey, open_object, seal_object};

const ROLE: &str = "key ring";
const VERSION: u8 = 1;

impl Ring {
    /// The id of the object that holds the keys before `newest`.
    pub fn id(newest: &MasterKey) -> [u8; 32] {
        blake3::derive_key("halite 2026-11 key ring id v1", newest.expose())
    }

    /// The sealed object; it holds all keys but the newest, which opens it.
    pub fn seal(&self) -> Result<Vec<u8>> {
        let mut plain = Zeroizing::new(Vec::with_capacity(3 + 32 * self.former().len()));
        plain.push(VERSION);
        plain.extend_from_slice(&(self.generation() - 1).to_le_bytes());
        for master in self.former() {
            plain.extend_from_slice(master.expose());
        }
        let keys = Keys::derive(self.newest());
        seal_object(&keys, ROLE, Self::id(self.newest()), &plain)
    }

    /// Opens what [`Ring::seal`] made, for a slot that says which `generation` its key is.
    pub fn open(newest: MasterKey, generation: u16, bytes: &[u8]) -> Result<Self> {
        let keys = Keys::derive(&newest);
        let plain = Zeroizing::new(open_object(&keys, ROLE, &Self::id(&newest), bytes)?);
        let mut r = Reader::new(&plain, "key ring");
        if r.u8()? != VERSION {
            return Err(r.bad("unknown version"));
        }
        let count = r.u16()?;
        if usize::from(count) >= GENERATIONS_MAX || count.checked_add(1) != Some(generation) {
            return Err(Error::corrupt(
                "key ring",
                format_args!("it holds {count} keys before that of generation {generation}"),
            ));
        }
        let former = (0..count).map(|_| r.array().map(MasterKey::from_bytes));
        let former = former.collect::<Result<_>>()?;
        r.end()?;
        Ok(Self::of(newest, former))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::seal::ChunkKind;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    fn ring() -> Ring {
        Ring::new(master(1)).renewed(master(2)).renewed(master(3))
    }

    #[test]
    fn it_opens_with_the_newest_key_alone() {
        let (ring, sealed) = (ring(), ring().seal().unwrap());
        assert_eq!((ring.generation(), ring.first()), (3, &master(1)));
        assert_eq!(Ring::open(master(3), 3, &sealed).unwrap(), ring);
        assert!(Ring::open(master(2), 3, &sealed).is_err());
        let e = Ring::open(master(3), 2, &sealed).unwrap_err();
        assert!(e.to_string().contains("2 keys before"), "{e}");
        for at in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[at] ^= 1;
            assert!(Ring::open(master(3), 3, &torn).is_err(), "byte {at}");
            assert!(Ring::open(master(3), 3, &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_eq!(format!("{ring:?}"), "Ring(3 secret keys)");
    }

    #[test]
    fn a_new_master_names_as_the_first_and_opens_what_former_ones_sealed() {
        let old = Keys::derive(&master(7));
        let ring = Ring::new(master(7)).renewed(master(8)).renewed(master(9));
        let new = Keys::of(&ring);
        assert_eq!(
            new.chunk_id(ChunkKind::Ids, b"x"),
            old.chunk_id(ChunkKind::Ids, b"x")
        );
        assert_eq!(new.object_name("a", b"b"), old.object_name("a", b"b"));
        let sealed = seal_object(&old, "grant", [3; 32], b"token").unwrap();
        assert_eq!(open_object(&new, "grant", &[3; 32], &sealed).unwrap(), b"token");
        let fresh = seal_object(&new, "grant", [3; 32], b"token").unwrap();
        for stranger in [&old, &Keys::derive(&master(8))] {
            assert!(open_object(stranger, "grant", &[3; 32], &fresh).is_err());
        }
        let (was, is) = (old.root_mac(b"root"), new.root_mac(b"root"));
        assert!(was != is && new.knows_root(b"root", is) && !new.knows_root(b"root", was));
        assert!(Keys::of(&ring).with_roots_of(&master(7)).knows_root(b"root", was));
    }

    #[test]
    fn the_bytes_are_for_ever() {
        let hash = blake3::hash(&[&Ring::id(&master(3))[..], &ring().seal().unwrap()].concat());
        assert_eq!(
            hash.to_hex().as_str(),
            "661cb5e61695e3f5aa0936517418d30e0a7013e2e5d8ac571032564dbafb0606"
        );
    }
}
