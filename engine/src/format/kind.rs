//! What a chunk holds, by number.
//!
//! Key decision: the kind is part of a chunk's name and of what is authenticated, and decides under which of the
//! two keys of a pack it is sealed. It does not know how any of them is laid out.

use std::fmt;

macro_rules! chunk_kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What a chunk holds. The numbers stand on disk and are never used again for something else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum ChunkKind { $($(#[$doc])* $name = $number,)* }

        impl ChunkKind {
            /// Every kind, in the order of their numbers.
            pub const ALL: &[ChunkKind] = &[$(ChunkKind::$name,)*];

            /// The kind of a number on disk.
            pub fn from_u8(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// The words for messages.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

chunk_kinds! {
    /// Ids, snapshots, hashes and stamps of a page.
    PageKeys = 1, "page keys";
    /// The fields of a page, by column.
    PageValues = 2, "page values";
    /// Formulas and the like, with the time they were read.
    PageDerived = 3, "page derived values";
    /// The first part of a run directory.
    RunHead = 4, "run head";
    /// A further part of a run directory.
    RunPart = 5, "run part";
    /// A piece of a file's body.
    Blob = 6, "blob piece";
    /// A describe as the API told it.
    Describe = 7, "describe";
    /// The exact field list that versions were read under.
    Schema = 8, "schema";
    /// What a snapshot captured.
    Manifest = 9, "manifest";
    /// The top of the catalog.
    CatalogHead = 10, "catalog head";
    /// A node of the catalog.
    CatalogNode = 11, "catalog node";
    /// A list of record Ids.
    Ids = 12, "id list";
    /// The pieces of a file's body in order.
    BlobMap = 13, "blob map";
    /// An entry of a restore's journal.
    Journal = 14, "journal entry";
}

impl ChunkKind {
    /// Whether it holds what records say: sealed under a key of its own, so that who may see which records there
    /// are and when they changed need not be able to read them.
    pub fn is_value(self) -> bool {
        matches!(
            self,
            Self::PageValues | Self::PageDerived | Self::Blob | Self::BlobMap | Self::Journal
        )
    }
}

impl fmt::Display for ChunkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
