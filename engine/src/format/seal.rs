//! From plaintext to what may be stored and back: compression of chunks, sealing of objects outside packs.
//!
//! Key decision: whatever is compressed is decoded again before it counts, since compressors have written what
//! they could not read (restic 4523, 4677); what a capture reads back itself is proven by that. Keys are made in `derive`. It does no input or output.

use std::cell::RefCell;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::ChunkId;
use crate::base::limits;
use crate::format::codec::Reader;
use crate::format::derive::domain;
pub use crate::format::derive::{Keys, PackCipher, TAG_BYTES};
pub use crate::format::kind::ChunkKind;
pub use crate::format::master::MasterKey;

/// The one cipher of format version 1: AES-256-GCM with 12-byte nonces and 16-byte tags.
pub const CIPHER_AES_256_GCM: u8 = 1;
/// How the plaintext of a chunk was made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// As it is.
    Raw = 0,
    /// Zstd frames without dictionary, one after the other.
    Zstd = 1,
}

impl Codec {
    /// The codec of a number on disk.
    pub fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            1 => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Level of zstd of what is read once and deleted.
const PASSING: i32 = -3;
/// Bytes that are worth a frame of their own.
const FRAME_MIN: usize = 256;

/// A chunk that is named, compressed and proven to decode; what is left is to seal it into a pack.
#[derive(Clone)]
pub struct Prepared {
    /// Its name.
    pub id: ChunkId,
    /// What it holds.
    pub kind: ChunkKind,
    /// The length of its plaintext.
    pub raw_len: u32,
    pub(crate) codec: Codec,
    pub(crate) bytes: Vec<u8>,
}

impl Prepared {
    /// The bytes it will take in a pack before sealing.
    pub fn stored_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Makes chunks ready for a pack. Keeps its contexts between chunks: one a thread.
pub struct Compressor {
    level: Option<i32>,
    /// Whether what is compressed is decoded again.
    proves: bool,
    zstd: zstd::bulk::Compressor<'static>,
    squeezed: Vec<u8>,
    proof: Vec<u8>,
}

impl Compressor {
    /// Compresses at a zstd level; 1 to 3 is for the backup's path, more for upkeep.
    pub fn new(level: i32) -> Self {
        Self {
            level: Some(level),
            proves: true,
            zstd: zstd::bulk::Compressor::default(),
            squeezed: Vec::new(),
            proof: Vec::new(),
        }
    }

    /// For what is read once, by who wrote it, before anything counts: quickly, and decoded only then.
    pub fn passing() -> Self {
        Self {
            proves: false,
            ..Self::new(PASSING)
        }
    }

    /// Names and compresses a chunk, and decodes it again to see that it can be read, unless it is [passing](Self::passing).
    pub fn prepare(&mut self, keys: &Keys, kind: ChunkKind, plain: &[u8]) -> Result<Prepared> {
        self.prepare_in_parts(keys, kind, plain, &[])
    }

    /// The same, in frames that end where the bytes change their likeness, in ascending order: each then has codes of
    /// its own. Parts that are too short for that go with those behind them.
    pub fn prepare_in_parts(
        &mut self,
        keys: &Keys,
        kind: ChunkKind,
        plain: &[u8],
        ends: &[usize],
    ) -> Result<Prepared> {
        let raw_len = u32::try_from(plain.len())
            .ok()
            .filter(|_| plain.len() <= limits::CHUNK_BYTES_MAX);
        let raw_len = raw_len.ok_or_else(|| {
            Error::invalid(format!(
                "{kind} of {} bytes is above {}",
                plain.len(),
                limits::CHUNK_BYTES_MAX
            ))
        })?;
        let id = keys.chunk_id(kind, plain);
        let (codec, bytes) = self
            .squeeze(plain, ends)
            .map_err(|e| Error::io(format_args!("zstd on {kind} {id}"), e))?;
        if self.proves && codec == Codec::Zstd && !self.reads_back(&bytes, plain) {
            return Err(Error::corrupt(
                format_args!("{kind} {id}"),
                "zstd cannot read what it wrote",
            ));
        }
        Ok(Prepared {
            id,
            kind,
            raw_len,
            codec,
            bytes,
        })
    }

    /// Whether what was compressed gives the plaintext again.
    fn reads_back(&mut self, bytes: &[u8], plain: &[u8]) -> bool {
        expand_zstd(bytes, plain.len(), &mut self.proof).is_some() && self.proof == plain
    }

    fn squeeze(&mut self, plain: &[u8], ends: &[usize]) -> std::io::Result<(Codec, Vec<u8>)> {
        if let Some(level) = self.level {
            self.zstd.set_compression_level(level)?;
            self.level = None;
        }
        let (mut bytes, mut start) = (Vec::new(), 0);
        for end in ends.iter().copied().chain([plain.len()]) {
            let (Some(part), Some(rest)) = (plain.get(start..end), plain.get(end..)) else {
                continue;
            };
            let short = |part: &[u8]| part.len() < FRAME_MIN;
            if end < plain.len() && (short(part) || short(rest)) {
                continue;
            }
            self.squeezed.clear();
            self.squeezed.reserve(zstd::zstd_safe::compress_bound(part.len()));
            self.zstd.compress_to_buffer(part, &mut self.squeezed)?;
            bytes.extend_from_slice(&self.squeezed);
            start = end;
        }
        if bytes.len() >= plain.len() {
            return Ok((Codec::Raw, plain.to_vec()));
        }
        Ok((Codec::Zstd, bytes))
    }
}

thread_local! {
    static DECODER: RefCell<zstd::bulk::Decompressor<'static>> = RefCell::default();
}

/// Decodes zstd frames into `out`; `None` unless they give exactly `raw_len` bytes.
fn expand_zstd(bytes: &[u8], raw_len: usize, out: &mut Vec<u8>) -> Option<()> {
    out.clear();
    out.try_reserve_exact(raw_len).ok()?;
    // `out` may keep room from before: the length is compared, since only the capacity bounds the decoder.
    let len = DECODER
        .with_borrow_mut(|decoder| decoder.decompress_to_buffer(bytes, out))
        .ok()?;
    (len == raw_len).then_some(())
}

/// Decompresses the authentic bytes of a chunk and checks that they are the chunk of that name.
pub(crate) fn expand(
    keys: &Keys,
    id: &ChunkId,
    kind: ChunkKind,
    codec: Codec,
    raw_len: u32,
    bytes: Vec<u8>,
) -> Result<Vec<u8>> {
    let bad = |why: &str| Error::corrupt(format_args!("{kind} {id}"), why);
    let raw_len = usize::try_from(raw_len)
        .ok()
        .filter(|&n| n <= limits::CHUNK_BYTES_MAX);
    let raw_len = raw_len.ok_or_else(|| bad("its length is above what a chunk may have"))?;
    let plain = match codec {
        Codec::Raw if bytes.len() == raw_len => bytes,
        Codec::Raw => return Err(bad("its length is not the one in its header")),
        Codec::Zstd => {
            let mut plain = Vec::new();
            expand_zstd(&bytes, raw_len, &mut plain)
                .ok_or_else(|| bad("zstd does not give the length in its header"))?;
            plain
        }
    };
    if keys.chunk_id(kind, &plain) != *id {
        return Err(bad("its content is not that of its name"));
    }
    Ok(plain)
}

const OBJECT_MAGIC: &[u8; 8] = b"HALITEOB";
const OBJECT_VERSION: u16 = 1;
const OBJECT_HEADER: usize = 44;

/// Seals a thing that stands outside packs. `id` is random and used once; `role` says what the thing is for,
/// and must be the same when it is opened.
pub fn seal_object(keys: &Keys, role: &str, id: [u8; 32], plain: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(OBJECT_HEADER + plain.len() + TAG_BYTES);
    out.extend_from_slice(OBJECT_MAGIC);
    out.extend_from_slice(&OBJECT_VERSION.to_le_bytes());
    out.extend_from_slice(&[CIPHER_AES_256_GCM, 0]);
    out.extend_from_slice(&id);
    let aad = [b"halite object v1", &out[..], role.as_bytes()].concat();
    out.extend_from_slice(plain);
    let tag = keys.object_cipher(&id)[0].seal(domain::OBJECT, 0, &aad, &mut out[OBJECT_HEADER..])?;
    out.extend_from_slice(&tag);
    Ok(out)
}

/// Opens what [`seal_object`] made under the same role and id.
pub fn open_object(keys: &Keys, role: &str, id: &[u8; 32], bytes: &[u8]) -> Result<Vec<u8>> {
    if object_id(bytes)? != *id {
        return Err(Error::corrupt(
            format_args!("sealed object ({role})"),
            "it is another object",
        ));
    }
    let (header, rest) = bytes.split_at(OBJECT_HEADER);
    let Some((body, tag)) = rest.split_last_chunk::<TAG_BYTES>() else {
        return Err(Error::corrupt(
            format_args!("sealed object ({role})"),
            "it is cut short",
        ));
    };
    let aad = [b"halite object v1", header, role.as_bytes()].concat();
    let mut plain = body.to_vec();
    let ciphers = keys.object_cipher(id);
    if !ciphers
        .iter()
        .any(|cipher| cipher.open(domain::OBJECT, 0, &aad, &mut plain, tag))
    {
        return Err(Error::corrupt(
            format_args!("sealed object ({role})"),
            "its seal is broken",
        ));
    }
    Ok(plain)
}

/// The id that a sealed object says it has; not authentic until it is opened.
pub fn object_id(bytes: &[u8]) -> Result<[u8; 32]> {
    let mut r = Reader::new(bytes, "sealed object");
    if &r.array::<8>()? != OBJECT_MAGIC {
        return Err(r.bad("it does not begin with HALITEOB"));
    }
    check_format("sealed object", r.u16()?, OBJECT_VERSION, r.u8()?)?;
    r.u8()?;
    r.array()
}

/// Refuses what a newer build wrote.
pub(crate) fn check_format(what: &str, version: u16, newest: u16, cipher: u8) -> Result<()> {
    if version == 0 || version > newest {
        let message = format!("{what} has format version {version}, this build reads up to {newest}");
        return Err(Error::new(Kind::Unsupported, message).hint("use a newer halite"));
    }
    if cipher != CIPHER_AES_256_GCM {
        let message = format!("{what} is sealed with cipher {cipher}, which this build does not have");
        return Err(Error::new(Kind::Unsupported, message).hint("use a newer halite"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::derive(&MasterKey::from_bytes([7; 32]))
    }

    #[test]
    fn secrets_do_not_show() {
        let shown = format!("{:?} {:?}", MasterKey::from_bytes([7; 32]), keys());
        assert_eq!(shown, "MasterKey(secret) Keys(secret)");
    }

    #[test]
    fn the_kind_is_part_of_the_name() {
        let keys = keys();
        let ids: std::collections::BTreeSet<_> = ChunkKind::ALL
            .iter()
            .map(|&k| keys.chunk_id(k, b"same"))
            .collect();
        assert_eq!(ids.len(), ChunkKind::ALL.len());
        for &kind in ChunkKind::ALL {
            assert_eq!(ChunkKind::from_u8(kind as u8), Some(kind));
        }
        assert_eq!(ChunkKind::from_u8(0).or(ChunkKind::from_u8(15)), None);
    }

    #[test]
    fn noise_is_stored_raw_and_rows_are_compressed() {
        let mut noise = vec![0; 10_000];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let mut compressor = Compressor::new(3);
        let raw = compressor.prepare(&keys(), ChunkKind::Blob, &noise).unwrap();
        assert_eq!((raw.codec, raw.stored_len()), (Codec::Raw, 10_000));
        let rows = compressor
            .prepare(&keys(), ChunkKind::PageValues, &[b'x'; 10_000])
            .unwrap();
        assert!(rows.codec == Codec::Zstd && rows.stored_len() < 100);
        let empty = compressor.prepare(&keys(), ChunkKind::Ids, b"").unwrap();
        assert_eq!((empty.codec, empty.stored_len()), (Codec::Raw, 0));
        let long = vec![0; limits::CHUNK_BYTES_MAX + 1];
        assert_eq!(
            compressor
                .prepare(&keys(), ChunkKind::Blob, &long)
                .err()
                .unwrap()
                .kind(),
            Kind::Invalid
        );
    }

    #[test]
    fn a_compressor_that_errs_is_found_out() {
        let mut compressor = Compressor::new(3);
        let (_, good) = compressor.squeeze(&[b'x'; 500], &[]).unwrap();
        assert!(compressor.reads_back(&good, &[b'x'; 500]));
        assert!(!compressor.reads_back(&good, &[b'y'; 500]) && !compressor.reads_back(&good, &[b'x'; 499]));
        assert!(!compressor.reads_back(&good[..good.len() - 1], &[b'x'; 500]));
    }

    #[test]
    fn a_bomb_is_bounded_by_the_length_in_the_header() {
        let keys = keys();
        let bomb = zstd::bulk::compress(&vec![0; 8 << 20], 3).unwrap();
        let id = keys.chunk_id(ChunkKind::Blob, &[0; 100]);
        for raw_len in [100, u32::MAX] {
            let e = expand(&keys, &id, ChunkKind::Blob, Codec::Zstd, raw_len, bomb.clone()).unwrap_err();
            assert_eq!(e.kind(), Kind::Corrupt, "{e}");
        }
    }

    #[test]
    fn objects_open_under_their_role_and_id_alone() {
        let keys = keys();
        let sealed = seal_object(&keys, "grant", [3; 32], b"token").unwrap();
        assert_eq!(open_object(&keys, "grant", &[3; 32], &sealed).unwrap(), b"token");
        assert_eq!(object_id(&sealed).unwrap(), [3; 32]);
        assert!(open_object(&keys, "journal", &[3; 32], &sealed).is_err());
        assert!(open_object(&keys, "grant", &[4; 32], &sealed).is_err());
        let other = Keys::derive(&MasterKey::from_bytes([8; 32]));
        assert!(open_object(&other, "grant", &[3; 32], &sealed).is_err());
        for at in 0..sealed.len() {
            let mut torn = sealed.clone();
            torn[at] ^= 1;
            assert!(open_object(&keys, "grant", &[3; 32], &torn).is_err(), "byte {at}");
            assert!(
                open_object(&keys, "grant", &[3; 32], &sealed[..at]).is_err(),
                "cut at {at}"
            );
        }
    }
    #[test]
    fn an_object_is_for_ever() {
        let sealed = seal_object(&keys(), "grant", [3; 32], b"token").unwrap();
        assert_eq!(
            blake3::hash(&sealed).to_hex().as_str(),
            "a5537c5ed52d6afb2a588259ad6c365b01b1b26b2f5cb861d2fcf48d101dc7a0"
        );
    }
}
