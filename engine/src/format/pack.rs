//! The bytes of a pack: sealed chunks one after another, their directory, and a footer that finds it.
//!
//! Key decision: each chunk carries an authenticated header that says how long it is, so that one ranged read
//! gets a chunk and a pack whose directory is lost can still be read from front to back. Padding (Padme) stands
//! before the directory, so that one read of the tail gets it. A pack is never changed once it is finished.

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{ChunkId, PackId};
use crate::base::limits;
use crate::format::codec::Reader;
use crate::format::seal::{
    CIPHER_AES_256_GCM, ChunkKind, Codec, Keys, PackCipher, Prepared, TAG_BYTES, check_format, expand,
};

/// The newest format version of packs that this build reads, and the one it writes.
pub const PACK_VERSION: u16 = 1;
/// What a pack begins with: magic, version, cipher, role, pack id.
pub const HEADER_BYTES: usize = 44;
/// What stands before the ciphertext of each chunk.
pub const CHUNK_HEADER_BYTES: usize = 50;
/// What a pack ends with.
pub const FOOTER_BYTES: usize = 24;
/// The bytes of one directory entry.
pub const ENTRY_BYTES: usize = 45;
/// How much of the end of a pack is read at once to get its directory.
pub const TAIL_BYTES: usize = 64 << 10;

const MAGIC: &[u8; 8] = b"HALITEPK";
const END_MAGIC: &[u8; 8] = b"HALITEND";
pub(crate) const MARKER: &[u8; 4] = b"\xffHCk";

/// What a pack is for: metadata is read at every opening and kept apart from data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PackRole {
    /// Page parts and pieces of blobs.
    Data = 0,
    /// Run directories, schemas, manifests, catalogs.
    Metadata = 1,
}

impl PackRole {
    fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Data),
            1 => Some(Self::Metadata),
            _ => None,
        }
    }
}

/// Where a chunk is: one ranged read of these bytes, header and tag included, gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The pack.
    pub pack: PackId,
    /// From where in the pack.
    pub offset: u32,
    /// How many bytes.
    pub len: u32,
}

/// What the directory says of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name.
    pub id: ChunkId,
    /// What it holds.
    pub kind: ChunkKind,
    /// Where it is.
    pub location: Location,
    /// The length of its plaintext.
    pub raw_len: u32,
}

/// A pack while it is being filled, in memory.
pub struct PackBuilder {
    cipher: PackCipher,
    id: PackId,
    role: PackRole,
    bytes: Vec<u8>,
    entries: Vec<DirEntry>,
}

impl PackBuilder {
    /// An empty pack. The id must be random and never used before: its key and nonces follow from it.
    pub fn new(keys: &Keys, id: PackId, role: PackRole) -> Self {
        let bytes = header(&id, role);
        Self {
            cipher: keys.pack_cipher(&id),
            id,
            role,
            bytes,
            entries: Vec::new(),
        }
    }

    /// The pack's name.
    pub fn id(&self) -> PackId {
        self.id
    }

    /// Seals a chunk into the pack; says where it will be once the pack is stored.
    pub fn append(&mut self, chunk: &Prepared) -> Result<Location> {
        let offset = self.bytes.len();
        let len = CHUNK_HEADER_BYTES + chunk.bytes.len() + TAG_BYTES;
        let after = offset + len + (self.entries.len() + 1) * ENTRY_BYTES + TAG_BYTES + FOOTER_BYTES;
        if padme(after as u64) > limits::PACK_BYTES_MAX as u64 {
            return Err(Error::invalid(format!(
                "pack {} has no room for {} more bytes",
                self.id, len
            )));
        }
        let narrow =
            |n: usize| u32::try_from(n).map_err(|_| Error::invalid(format!("pack {} is too long", self.id)));
        let ordinal = narrow(self.entries.len())?;
        let head = ChunkHeader {
            ordinal,
            id: chunk.id,
            kind: chunk.kind,
            codec: chunk.codec,
            raw_len: chunk.raw_len,
            stored_len: narrow(chunk.bytes.len())?,
        };
        let location = Location {
            pack: self.id,
            offset: narrow(offset)?,
            len: narrow(len)?,
        };
        head.write(&mut self.bytes);
        let aad = chunk_aad(&self.id, &self.bytes[offset..]);
        self.bytes.extend_from_slice(&chunk.bytes);
        let body = &mut self.bytes[offset + CHUNK_HEADER_BYTES..];
        match self.cipher.seal_chunk(chunk.kind, ordinal, &aad, body) {
            Ok(tag) => self.bytes.extend_from_slice(&tag),
            Err(e) => {
                self.bytes.truncate(offset);
                return Err(e.within(format_args!("pack {}", self.id)));
            }
        }
        self.entries.push(DirEntry {
            id: chunk.id,
            kind: chunk.kind,
            location,
            raw_len: chunk.raw_len,
        });
        Ok(location)
    }

    /// The bytes so far, without directory and padding.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no chunk is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many chunks are in it.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// What is in it.
    pub fn entries(&self) -> &[DirEntry] {
        &self.entries
    }

    /// Pads, adds directory and footer: the bytes to be stored under the pack's name.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        let directory_len = self.entries.len() * ENTRY_BYTES;
        let total = padme((self.bytes.len() + directory_len + TAG_BYTES + FOOTER_BYTES) as u64);
        let offset = total - (directory_len + TAG_BYTES + FOOTER_BYTES) as u64;
        let too_long = || Error::invalid(format!("pack {} is too long", self.id));
        self.bytes
            .resize(usize::try_from(offset).map_err(|_| too_long())?, 0);
        let start = self.bytes.len();
        for entry in &self.entries {
            self.bytes.extend_from_slice(&entry.id.0);
            self.bytes.push(entry.kind as u8);
            for number in [entry.location.offset, entry.location.len, entry.raw_len] {
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let sealed_len = u32::try_from(directory_len + TAG_BYTES).map_err(|_| too_long())?;
        let footer = footer(offset, sealed_len, self.role);
        let aad = directory_aad(&self.id, &footer, total);
        let tag = self.cipher.seal_directory(&aad, &mut self.bytes[start..])?;
        self.bytes.extend_from_slice(&tag);
        self.bytes.extend_from_slice(&footer);
        Ok(self.bytes)
    }
}

/// Padme (Nikitin et al. 2019): rounds up so that a length tells O(log log) bits, for at most 12 % more.
pub fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1_u64 << exponent.saturating_sub(kept)) - 1;
    len.checked_add(mask).map_or(len, |sum| sum & !mask)
}

fn header(id: &PackId, role: PackRole) -> Vec<u8> {
    let version = PACK_VERSION.to_le_bytes();
    [&MAGIC[..], &version, &[CIPHER_AES_256_GCM, role as u8], &id.0].concat()
}

fn footer(offset: u64, sealed_len: u32, role: PackRole) -> [u8; FOOTER_BYTES] {
    let mut out = [0; FOOTER_BYTES];
    out[..8].copy_from_slice(&offset.to_le_bytes());
    out[8..12].copy_from_slice(&sealed_len.to_le_bytes());
    out[12..14].copy_from_slice(&PACK_VERSION.to_le_bytes());
    out[14] = CIPHER_AES_256_GCM;
    out[15] = role as u8;
    out[16..].copy_from_slice(END_MAGIC);
    out
}

fn chunk_aad(pack: &PackId, head: &[u8]) -> Vec<u8> {
    [b"halite chunk v1", &pack.0[..], head].concat()
}

fn directory_aad(pack: &PackId, footer: &[u8; FOOTER_BYTES], total: u64) -> Vec<u8> {
    [
        b"halite pack directory v1",
        &pack.0[..],
        footer,
        &total.to_le_bytes(),
    ]
    .concat()
}

/// What stands in clear before each chunk, authenticated with it.
pub(crate) struct ChunkHeader {
    pub(crate) ordinal: u32,
    pub(crate) id: ChunkId,
    pub(crate) kind: ChunkKind,
    codec: Codec,
    pub(crate) raw_len: u32,
    stored_len: u32,
}

impl ChunkHeader {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MARKER);
        out.extend_from_slice(&self.ordinal.to_le_bytes());
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&[self.kind as u8, self.codec as u8]);
        out.extend_from_slice(&self.raw_len.to_le_bytes());
        out.extend_from_slice(&self.stored_len.to_le_bytes());
    }

    /// Reads a header and checks what can be checked without a key.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut r = Reader::new(bytes, "chunk header");
        if &r.array::<4>()? != MARKER {
            return Err(r.bad("no chunk begins here"));
        }
        let (ordinal, id) = (r.u32()?, ChunkId(r.array()?));
        let (kind, codec) = (r.u8()?, r.u8()?);
        let kind =
            ChunkKind::from_u8(kind).ok_or_else(|| r.bad(format_args!("chunk kind {kind} is unknown")))?;
        let codec = Codec::from_u8(codec).ok_or_else(|| r.bad(format_args!("codec {codec} is unknown")))?;
        let (raw_len, stored_len) = (r.u32()?, r.u32()?);
        if stored_len > raw_len || usize::try_from(raw_len).is_ok_and(|n| n > limits::CHUNK_BYTES_MAX) {
            return Err(r.bad(format_args!(
                "lengths {raw_len} and {stored_len} are not those of a chunk"
            )));
        }
        Ok(Self {
            ordinal,
            id,
            kind,
            codec,
            raw_len,
            stored_len,
        })
    }

    /// The bytes of the chunk with header and tag; bounded, since `read` bounds `stored_len`.
    pub(crate) fn total_len(&self) -> usize {
        CHUNK_HEADER_BYTES + self.stored_len as usize + TAG_BYTES
    }

    /// Decrypts, decompresses and checks the chunk that `bytes` are, header to tag.
    pub(crate) fn open(
        &self,
        keys: &Keys,
        cipher: &PackCipher,
        pack: &PackId,
        bytes: &[u8],
    ) -> Result<Vec<u8>> {
        let body = self.unseal(cipher, pack, bytes)?;
        expand(keys, &self.id, self.kind, self.codec, self.raw_len, body)
    }

    /// Decrypts the chunk; its bytes are still compressed, and not proven to be those of its name.
    fn unseal(&self, cipher: &PackCipher, pack: &PackId, bytes: &[u8]) -> Result<Vec<u8>> {
        let bad = |why: &str| Error::corrupt(format_args!("{} {}", self.kind, self.id), why);
        if bytes.len() != self.total_len() {
            return Err(bad("its length is not the one in its header"));
        }
        let (head, rest) = bytes.split_at(CHUNK_HEADER_BYTES);
        let (body, tag) = rest
            .split_last_chunk::<TAG_BYTES>()
            .ok_or_else(|| bad("it is cut short"))?;
        let mut body = body.to_vec();
        if !cipher.open_chunk(self.kind, self.ordinal, &chunk_aad(pack, head), &mut body, tag) {
            return Err(bad("its seal is broken"));
        }
        Ok(body)
    }
}

/// Opens and verifies the chunk that `bytes` (as a [`Location`] says them) should be, and makes it ready for
/// another pack without compressing it again.
pub(crate) fn reopen_chunk(
    keys: &Keys,
    id: &ChunkId,
    kind: ChunkKind,
    pack: &PackId,
    bytes: &[u8],
) -> Result<Prepared> {
    let head = named_header(id, kind, pack, bytes)?;
    let within = |e: Error| e.within(format_args!("pack {pack}"));
    let body = head
        .unseal(&keys.pack_cipher(pack), pack, bytes)
        .map_err(within)?;
    expand(keys, id, kind, head.codec, head.raw_len, body.clone()).map_err(within)?;
    Ok(Prepared {
        id: *id,
        kind,
        raw_len: head.raw_len,
        codec: head.codec,
        bytes: body,
    })
}

/// Opens the chunk that `bytes` (as a [`Location`] says them) should be. Every byte is verified.
pub fn open_chunk(
    keys: &Keys,
    id: &ChunkId,
    kind: ChunkKind,
    pack: &PackId,
    bytes: &[u8],
) -> Result<Vec<u8>> {
    named_header(id, kind, pack, bytes)?
        .open(keys, &keys.pack_cipher(pack), pack, bytes)
        .map_err(|e| e.within(format_args!("pack {pack}")))
}

/// The header of a chunk, if it is the one that was asked for.
fn named_header(id: &ChunkId, kind: ChunkKind, pack: &PackId, bytes: &[u8]) -> Result<ChunkHeader> {
    let what = format_args!("{kind} {id} in pack {pack}");
    let head = ChunkHeader::read(bytes).map_err(|e| e.within(what))?;
    if head.id != *id || head.kind != kind {
        let why = format!("{} {} stands in its place", head.kind, head.id);
        return Err(Error::corrupt(what, why));
    }
    Ok(head)
}

/// What the footer of a pack says.
struct Footer {
    bytes: [u8; FOOTER_BYTES],
    offset: u64,
    sealed_len: usize,
    role: PackRole,
}

impl Footer {
    /// Reads the footer at the end of `tail`, which is the end of a pack of `total` bytes.
    fn read(tail: &[u8], total: u64) -> Result<Self> {
        let bytes = *tail
            .last_chunk()
            .ok_or_else(|| Error::corrupt("pack footer", "the file is cut short"))?;
        let mut r = Reader::new(&bytes, "pack footer");
        let (offset, sealed_len) = (r.u64()?, r.u32()?);
        let (version, cipher, role) = (r.u16()?, r.u8()?, r.u8()?);
        if &r.array::<8>()? != END_MAGIC {
            return Err(r.bad("the file does not end with HALITEND"));
        }
        check_format("pack", version, PACK_VERSION, cipher)?;
        let role =
            PackRole::from_u8(role).ok_or_else(|| r.bad(format_args!("pack role {role} is unknown")))?;
        let end = offset.checked_add(u64::from(sealed_len) + FOOTER_BYTES as u64);
        let entries = (sealed_len as usize)
            .checked_sub(TAG_BYTES)
            .filter(|n| n % ENTRY_BYTES == 0);
        if end != Some(total) || entries.is_none() || offset < HEADER_BYTES as u64 {
            return Err(r.bad("the directory does not fill the file's end"));
        }
        Ok(Self {
            bytes,
            offset,
            sealed_len: sealed_len as usize,
            role,
        })
    }
}

/// Where the directory of a pack begins, as the footer at the end of `tail` says; not verified.
pub(crate) fn directory_start(tail: &[u8]) -> Option<u64> {
    let footer = tail.last_chunk::<FOOTER_BYTES>()?;
    footer.first_chunk().map(|offset| u64::from_le_bytes(*offset))
}

/// The directory of a pack of `size` bytes, mostly in one ranged read of its tail. Reads neither header nor
/// chunks nor padding: [`crate::format::scan`] verifies those.
pub fn read_directory(
    keys: &Keys,
    pack: &PackId,
    size: u64,
    get_range: impl FnMut(u64, usize) -> Result<Vec<u8>>,
) -> Result<Vec<DirEntry>> {
    directory(keys, pack, size, get_range)
        .map(|(entries, _)| entries)
        .map_err(|e| e.within(format_args!("pack {pack}")))
}

/// The directory, and where it begins.
pub(crate) fn directory(
    keys: &Keys,
    pack: &PackId,
    size: u64,
    mut get_range: impl FnMut(u64, usize) -> Result<Vec<u8>>,
) -> Result<(Vec<DirEntry>, (u64, PackRole))> {
    if size > limits::PACK_BYTES_MAX as u64 || size < (HEADER_BYTES + TAG_BYTES + FOOTER_BYTES) as u64 {
        return Err(Error::corrupt(
            "pack",
            format_args!("{size} bytes is not the length of a pack"),
        ));
    }
    let tail_len = size.min(TAIL_BYTES as u64);
    let tail = get_range(size - tail_len, tail_len as usize)?;
    let footer = Footer::read(&tail, size)?;
    let behind = footer.sealed_len + FOOTER_BYTES;
    let mut sealed = match tail.len().checked_sub(behind) {
        Some(start) => tail[start..start + footer.sealed_len].to_vec(),
        None => get_range(footer.offset, footer.sealed_len)?,
    };
    let bad = |why: &str| Error::corrupt("pack directory", why);
    let (body, tag) = sealed
        .split_last_chunk_mut::<TAG_BYTES>()
        .ok_or_else(|| bad("it is cut short"))?;
    let aad = directory_aad(pack, &footer.bytes, size);
    if body.len() + TAG_BYTES != footer.sealed_len || !keys.pack_cipher(pack).open_directory(&aad, body, tag)
    {
        return Err(bad("its seal is broken"));
    }
    Ok((
        read_entries(pack, body, footer.offset)?,
        (footer.offset, footer.role),
    ))
}

/// Entries must follow one another from the header on: what is not named by one is padding.
fn read_entries(pack: &PackId, body: &[u8], end: u64) -> Result<Vec<DirEntry>> {
    let mut r = Reader::new(body, "pack directory");
    let mut entries = Vec::with_capacity(body.len() / ENTRY_BYTES);
    let mut next = HEADER_BYTES as u64;
    while r.left() > 0 {
        let (id, kind) = (ChunkId(r.array()?), r.u8()?);
        let kind = ChunkKind::from_u8(kind).ok_or_else(|| {
            Error::new(Kind::Unsupported, format!("chunk kind {kind} is unknown")).hint("use a newer halite")
        })?;
        let (offset, len, raw_len) = (r.u32()?, r.u32()?, r.u32()?);
        if u64::from(offset) != next {
            return Err(r.bad("chunks do not follow one another"));
        }
        next += u64::from(len);
        entries.push(DirEntry {
            id,
            kind,
            location: Location {
                pack: *pack,
                offset,
                len,
            },
            raw_len,
        });
    }
    if next > end {
        Err(r.bad("chunks reach into the directory"))
    } else {
        Ok(entries)
    }
}

/// Checks the header of a whole pack: that it is this pack, in a format that this build reads.
pub(crate) fn check_header(pack: &PackId, bytes: &[u8]) -> Result<PackRole> {
    let mut r = Reader::new(bytes, "pack header");
    if &r.array::<8>()? != MAGIC {
        return Err(r.bad("the file does not begin with HALITEPK"));
    }
    check_format("pack", r.u16()?, PACK_VERSION, r.u8()?)?;
    let role = r.u8()?;
    let role = PackRole::from_u8(role).ok_or_else(|| r.bad(format_args!("pack role {role} is unknown")))?;
    let id = PackId(r.array()?);
    if id != *pack {
        return Err(r.bad(format_args!("the file is pack {id}")));
    }
    Ok(role)
}

#[cfg(test)]
mod tests;
