//! Every bound in one place, with the reason for its value.
//!
//! Key decision: a decoder refuses what a writer may not write, so that hostile bytes cannot ask for memory.
//! These are limits of format version 1, not settings.

/// The longest plaintext of a chunk: 16 MiB. A page is far below it; a run directory part too.
pub const CHUNK_BYTES_MAX: usize = 16 << 20;
/// A pack is closed when it passes this many bytes: 16 MiB keeps a listing of a terabyte at 65,536 names.
pub const PACK_BYTES_TARGET: usize = 16 << 20;
/// The largest pack that a reader accepts: one target, one chunk over it, and the directory.
pub const PACK_BYTES_MAX: usize = 48 << 20;
/// The longest record, as canonical JSON: the Bulk API's 400,000 characters of 4 bytes, with room.
pub const RECORD_BYTES_MAX: usize = 4 << 20;
/// The most fields of one record: the Bulk API allows 5,000.
pub const FIELDS_MAX: usize = 8_000;
/// A page is cut at this many Ids.
pub const PAGE_ROWS_MAX: usize = 512;
/// A page is cut behind the Id that brings it to this many versions.
pub const PAGE_VERSIONS_NORMAL: usize = 1024;
/// The most versions in a page; it is cut inside an Id's versions before it would pass them.
pub const PAGE_VERSIONS_MAX: usize = 2048;
/// A page is not cut before this many Ids.
pub const PAGE_ROWS_MIN: usize = 64;
/// The count of Ids around which the cut becomes likely.
pub const PAGE_ROWS_NORMAL: usize = 192;
/// A page is cut when its values pass this many bytes, whatever the count.
pub const PAGE_BYTES_MAX: usize = 1 << 20;
/// The pages that one part of a run directory names.
pub const RUN_PART_PAGES: usize = 256;

const _: () = assert!(PAGE_BYTES_MAX + RECORD_BYTES_MAX < CHUNK_BYTES_MAX);
const _: () = assert!(PAGE_ROWS_MAX <= PAGE_VERSIONS_NORMAL && PAGE_VERSIONS_NORMAL < PAGE_VERSIONS_MAX);
const _: () = assert!(PACK_BYTES_TARGET + CHUNK_BYTES_MAX < PACK_BYTES_MAX);
const _: () = assert!(PAGE_ROWS_MIN < PAGE_ROWS_NORMAL && PAGE_ROWS_NORMAL < PAGE_ROWS_MAX);
