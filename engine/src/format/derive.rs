//! The keys of each purpose, made from the master key of a vault, and the ciphers of packs and objects.
//!
//! Key decision: one AEAD key a pack (or object) from its random id, so nonces are counters and no birthday bound
//! applies; values are sealed under a second key of their pack. What names things comes from the first master key
//! for ever, what seals them from the newest, so a new master costs no deduplication. It never shows a secret.

use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, PackId};
use crate::format::kind::ChunkKind;
use crate::format::master::{MasterKey, Ring};

/// Bytes that sealing adds to what it seals.
pub const TAG_BYTES: usize = 16;

/// What nonces are for; keeps the counters of one key apart.
pub(crate) mod domain {
    pub(crate) const CHUNK: u8 = 0;
    pub(crate) const DIRECTORY: u8 = 1;
    pub(crate) const OBJECT: u8 = 2;
    pub(crate) const SLOT: u8 = 3;
}

/// The keys of each purpose; shared by `Arc`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Keys {
    names: Names,
    /// Of each master key, newest first; never empty.
    seals: Vec<Seals>,
    /// The first authenticates new roots, any of them is taken for good.
    roots: Vec<[u8; 32]>,
}

/// What chunks, records and boundaries are known by; from the first master key, or nothing would be found again.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Names {
    chunk_id: [u8; 32],
    record: [u8; 32],
    cut: [u8; 32],
    blob_cut: [u8; 32],
    digest: [u8; 32],
    erasure: [u8; 32],
    object: [u8; 32],
}

/// What things are sealed under.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Seals {
    pack: [u8; 32],
    value: [u8; 32],
    object: [u8; 32],
}

impl Seals {
    fn of(master: &MasterKey) -> Self {
        Self {
            pack: master.purpose("halite 2026-11 pack keys v1"),
            value: master.purpose("halite 2026-11 value keys v1"),
            object: master.purpose("halite 2026-11 object keys v1"),
        }
    }
}

fn root_key(master: &MasterKey) -> [u8; 32] {
    master.purpose("halite 2026-11 root mac v1")
}

impl Keys {
    /// The keys of a vault that has had one master key.
    pub fn derive(master: &MasterKey) -> Self {
        Self::of(&Ring::new(master.clone()))
    }

    /// The keys of a vault with these master keys: names by the first, seals and roots by the newest; what former
    /// ones sealed opens too, their roots are refused.
    pub fn of(ring: &Ring) -> Self {
        let first = ring.first();
        Self {
            names: Names {
                chunk_id: first.purpose("halite 2026-11 chunk id v1"),
                record: first.purpose("halite 2026-11 record hash v1"),
                cut: first.purpose("halite 2026-11 page cuts v1"),
                blob_cut: first.purpose("halite 2026-11 blob cuts v1"),
                digest: first.purpose("halite 2026-11 state digest v1"),
                erasure: first.purpose("halite 2026-11 erasures v1"),
                object: first.purpose("halite 2026-11 object names v1"),
            },
            seals: ring.masters().map(Seals::of).collect(),
            roots: vec![root_key(ring.newest())],
        }
    }

    /// Takes the roots of `master` for good too: for the one commit that replaces it.
    #[must_use]
    pub fn with_roots_of(mut self, master: &MasterKey) -> Self {
        self.roots.push(root_key(master));
        self
    }

    /// The name of a chunk: keyed BLAKE3 over the kind and the plaintext.
    pub fn chunk_id(&self, kind: ChunkKind, plain: &[u8]) -> ChunkId {
        let mut hasher = blake3::Hasher::new_keyed(&self.names.chunk_id);
        hasher.update(&[kind as u8]).update(plain);
        ChunkId(*hasher.finalize().as_bytes())
    }

    /// The key of record content hashes.
    pub fn record_key(&self) -> &[u8; 32] {
        &self.names.record
    }

    /// The key of the hash of Ids that decides where pages are cut.
    pub fn cut_key(&self) -> &[u8; 32] {
        &self.names.cut
    }

    /// The key of the hashes that a state digest sums.
    pub fn digest_key(&self) -> &[u8; 32] {
        &self.names.digest
    }

    /// The key of the hashes by which erased records are known.
    pub fn erasure_key(&self) -> &[u8; 32] {
        &self.names.erasure
    }

    /// The secret table by which blobs are cut: 256 independent words, since one 64-bit seed is no protection.
    pub fn blob_cut_table(&self) -> Box<[u64; 256]> {
        let mut stream = blake3::Hasher::new_keyed(&self.names.blob_cut).finalize_xof();
        let mut table = Box::new([0; 256]);
        for word in table.iter_mut() {
            let mut bytes = [0; 8];
            stream.fill(&mut bytes);
            *word = u64::from_le_bytes(bytes);
        }
        table
    }

    /// A name that only this vault's key holders can tell from random, for objects found by what they are about.
    pub fn object_name(&self, role: &str, about: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.names.object);
        hasher
            .update(&(role.len() as u64).to_le_bytes())
            .update(role.as_bytes())
            .update(about);
        *hasher.finalize().as_bytes()
    }

    /// The authentication of a root that is to be written.
    pub fn root_mac(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.roots[0], bytes).as_bytes()
    }

    /// Whether a root's authentication is good.
    pub fn knows_root(&self, bytes: &[u8], mac: [u8; 32]) -> bool {
        // `blake3::Hash` compares in constant time.
        let mac = blake3::Hash::from(mac);
        self.roots.iter().any(|key| blake3::keyed_hash(key, bytes) == mac)
    }

    /// The ciphers of one pack.
    pub fn pack_cipher(&self, pack: &PackId) -> PackCipher {
        let each = |context, secret: fn(&Seals) -> &[u8; 32]| {
            let sealer = |seals| Sealer::derived(context, secret(seals), &pack.0);
            self.seals.iter().map(sealer).collect()
        };
        PackCipher {
            index: each("halite 2026-11 pack key v1", |seals| &seals.pack),
            value: each("halite 2026-11 pack value key v1", |seals| &seals.value),
        }
    }

    /// The ciphers of one sealed object: the first seals, any may open.
    pub(crate) fn object_cipher(&self, id: &[u8; 32]) -> Vec<Sealer> {
        let sealer = |seals: &Seals| Sealer::derived("halite 2026-11 object key v1", &seals.object, id);
        self.seals.iter().map(sealer).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(secret)")
    }
}

/// The ciphers of one pack, keyed from its random id: what is sealed is sealed under the newest master key; what
/// is opened is tried under each, since a pack does not say how old it is.
pub struct PackCipher {
    index: Vec<Sealer>,
    value: Vec<Sealer>,
}

impl PackCipher {
    fn of(&self, kind: ChunkKind) -> &[Sealer] {
        if kind.is_value() { &self.value } else { &self.index }
    }

    pub(crate) fn seal_chunk(
        &self,
        kind: ChunkKind,
        ordinal: u32,
        aad: &[u8],
        body: &mut [u8],
    ) -> Result<[u8; TAG_BYTES]> {
        self.of(kind)[0].seal(domain::CHUNK, ordinal, aad, body)
    }

    pub(crate) fn open_chunk(
        &self,
        kind: ChunkKind,
        ordinal: u32,
        aad: &[u8],
        body: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> bool {
        let mut sealers = self.of(kind).iter();
        sealers.any(|sealer| sealer.open(domain::CHUNK, ordinal, aad, body, tag))
    }

    pub(crate) fn seal_directory(&self, aad: &[u8], body: &mut [u8]) -> Result<[u8; TAG_BYTES]> {
        self.index[0].seal(domain::DIRECTORY, 0, aad, body)
    }

    pub(crate) fn open_directory(&self, aad: &[u8], body: &mut [u8], tag: &[u8; TAG_BYTES]) -> bool {
        let mut sealers = self.index.iter();
        sealers.any(|sealer| sealer.open(domain::DIRECTORY, 0, aad, body, tag))
    }
}

/// AES-256-GCM under one key; callers choose nonces and never repeat one.
pub(crate) struct Sealer(Aes256Gcm);

impl Sealer {
    /// Keyed by `derive_key(context, secret ++ id)`.
    pub(crate) fn derived(context: &str, secret: &[u8], id: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        let mut key = *hasher.update(secret).update(id).finalize().as_bytes();
        let sealer = Self(Aes256Gcm::new(&key.into()));
        key.zeroize();
        sealer
    }

    /// Encrypts in place and returns the tag.
    pub(crate) fn seal(
        &self,
        domain: u8,
        count: u32,
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_BYTES]> {
        let tag = self
            .0
            .encrypt_inout_detached(&nonce(domain, count), aad, buffer.into());
        let tag = tag.map_err(|_| Error::new(Kind::Invalid, "too long to be sealed as one piece"))?;
        Ok(tag.into())
    }

    /// Decrypts in place; false where anything differs from what was sealed, and then the buffer is unchanged.
    pub(crate) fn open(
        &self,
        domain: u8,
        count: u32,
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_BYTES],
    ) -> bool {
        let tag = Tag::from(*tag);
        self.0
            .decrypt_inout_detached(&nonce(domain, count), aad, buffer.into(), &tag)
            .is_ok()
    }
}

/// Counter, zeros, and the domain in the last byte.
fn nonce(domain: u8, count: u32) -> Nonce<aes_gcm::aead::consts::U12> {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(&count.to_le_bytes());
    nonce[11] = domain;
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    #[test]
    fn derivation_is_for_ever() {
        let keys = Keys::derive(&master(7));
        let (names, seals) = (&keys.names, &keys.seals[0]);
        let all = [
            names.chunk_id,
            names.record,
            names.cut,
            names.blob_cut,
            names.digest,
            names.erasure,
            names.object,
            seals.pack,
            seals.value,
            seals.object,
            keys.roots[0],
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&all.concat());
        hasher.update(&keys.chunk_id(ChunkKind::Blob, b"piece").0);
        hasher.update(&keys.blob_cut_table()[255].to_le_bytes());
        hasher.update(&keys.object_name("grant", b"00D"));
        assert_eq!(
            hasher.finalize().to_hex().as_str(),
            "af96c2455bfa387d2247c8e6a9de16ef27a8fddc4b917d4ccfb0ec16c142d7ae"
        );
    }

    #[test]
    fn the_keys_of_a_pack_part_values_from_the_rest() {
        let cipher = Keys::derive(&master(7)).pack_cipher(&PackId([1; 32]));
        for &kind in ChunkKind::ALL {
            let mut body = *b"body";
            let tag = cipher.seal_chunk(kind, 0, b"", &mut body).unwrap();
            let values = [2, 3, 6, 13, 14].contains(&(kind as u8));
            assert_eq!(
                cipher.index[0].open(domain::CHUNK, 0, b"", &mut body.clone(), &tag),
                !values
            );
            assert_eq!(
                cipher.value[0].open(domain::CHUNK, 0, b"", &mut body.clone(), &tag),
                values
            );
        }
    }
}
