//! One body: taken in piece by piece, told as a record, and given back.
//!
//! Key decision: the length and the MD5 are those of the bytes that went by, held against what the org says of the row
//! (`Checksum`, `ContentSize`, `BodyLength`; Object Reference, "ContentVersion", "Attachment"); pieces are named by the
//! vault's own hash, since an MD5 can be forged. It neither decides which bodies are fetched nor fetches them.

use md5::{Digest, Md5};
use serde::Deserialize;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{RecordId, hex};
use crate::base::stamp::Stamp;
use crate::format::blob::{Cutter, PIECE_MAX, Piece, read_pieces, write_pieces};
use crate::format::seal::{ChunkKind, Compressor};
use crate::ops::render::Renderer;
use crate::ops::state::State;
use crate::vault::open::Vault;
use crate::vault::run::Version;
use crate::vault::writer::Writer;

/// What is kept of a body: the record of `<sObject>.<field>`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Body {
    /// Bytes.
    #[serde(rename = "Length")]
    pub length: u64,
    /// Their MD5, in hexadecimal.
    #[serde(rename = "MD5")]
    pub md5: String,
    /// The pieces; none for a body without a byte.
    #[serde(rename = "Pieces", default)]
    pub pieces: String,
}

/// What a row says of its file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Facts {
    checksum: Option<String>,
    content_size: Option<u64>,
    body_length: Option<u64>,
    content_document_id: Option<String>,
    content_location: Option<String>,
    version_number: Option<String>,
    /// As they are compared.
    #[serde(skip)]
    pub md5: Option<String>,
    #[serde(skip)]
    pub length: Option<u64>,
    #[serde(skip)]
    pub document: Option<String>,
}

fn json(version: &Version) -> Result<Vec<u8>> {
    let id = version.key.id;
    let values = version.values.as_ref();
    let values =
        values.ok_or_else(|| Error::corrupt(id, "its values are lost").hint("run `halite repair`"))?;
    let mut text = Vec::new();
    Renderer::default().render(&version.key, values, false, &mut text);
    Ok(text)
}

impl Facts {
    /// Of a row.
    pub fn of(row: &Version) -> Result<Self> {
        Self::parse(row.key.id, &json(row)?)
    }

    /// Of the JSON of a row.
    pub fn parse(id: RecordId, row: &[u8]) -> Result<Self> {
        let mut facts: Self = serde_json::from_slice(row)
            .map_err(|e| Error::corrupt(id, format_args!("what it says of its file: {e}")))?;
        facts.md5 = facts.checksum.take().map(|md5| md5.to_ascii_lowercase());
        facts.length = facts.content_size.or(facts.body_length);
        facts.document = facts.content_document_id.take();
        Ok(facts)
    }

    /// Whether the bytes are not in the org: a link, or a file of another system.
    pub fn elsewhere(&self) -> bool {
        matches!(self.content_location.as_deref(), Some("E" | "L"))
    }

    /// The document and the MD5, where the row has both.
    pub fn content(&self) -> Option<(String, String)> {
        Some((self.document.clone()?, self.md5.clone()?))
    }

    /// Whether the document has earlier versions.
    pub fn is_later_version(&self) -> bool {
        self.version_number.as_deref().is_some_and(|n| n != "1")
    }

    /// Whether a body has the checksum and the length.
    pub fn fits(&self, body: &Body) -> bool {
        self.md5.as_ref() == Some(&body.md5) && self.length.is_none_or(|length| length == body.length)
    }

    /// Whether what was fetched is what the row says.
    ///
    /// # Errors
    /// `Corrupt` if it is not: the row may have changed meanwhile, and the next capture asks again.
    pub fn check(&self, body: &Body) -> Result<()> {
        let length = self.length.is_none_or(|length| length == body.length);
        if length && self.md5.as_ref().is_none_or(|md5| *md5 == body.md5) {
            return Ok(());
        }
        let (told, came) = (self.length.unwrap_or(body.length), body.length);
        Err(Error::corrupt(
            "file",
            format_args!("{came} bytes came with another length or MD5 than the row's {told} bytes"),
        ))
    }
}

impl Body {
    /// Of the record that it is.
    pub fn of(version: &Version) -> Result<Self> {
        Self::read_from(version.key.id, &json(version)?)
    }

    /// Of the JSON of that record.
    ///
    /// # Errors
    /// `Corrupt` if it is none.
    pub fn parse(id: RecordId, record: &str) -> Result<Self> {
        Self::read_from(id, record.as_bytes())
    }

    fn read_from(id: RecordId, record: &[u8]) -> Result<Self> {
        serde_json::from_slice(record)
            .map_err(|e| Error::corrupt(id, format_args!("the record of its body: {e}")))
    }

    /// The record, as the row of an org.
    pub(super) fn row(&self, id: RecordId, stamp: Stamp) -> String {
        let Self { length, md5, pieces } = self;
        let stamp = if stamp.is_some() {
            format!("\"{stamp}\"")
        } else {
            "null".to_owned()
        };
        format!(
            r#"{{"Id":"{id}","Length":{length},"MD5":"{md5}","Pieces":"{pieces}","SystemModstamp":{stamp}}}"#
        )
    }

    /// Gives the bytes to `each`, piece by piece, and proves them.
    ///
    /// # Errors
    /// `Corrupt` if a piece is lost or the whole is not what was fetched; an error of `each`.
    pub fn read(&self, vault: &Vault, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut md5, mut length) = (Md5::new(), 0);
        for piece in read_pieces(&self.pieces)? {
            vault.go_on()?;
            let bytes = vault.piece(&piece.id)?;
            length += bytes.len() as u64;
            md5.update(&bytes);
            each(&bytes)?;
        }
        if length != self.length || hex(&md5.finalize()) != self.md5 {
            return Err(Error::corrupt(
                "file",
                "its pieces do not make up what was fetched",
            ));
        }
        Ok(())
    }
}

/// Gives the body of a file, as a state has it, to `each`; its length.
///
/// # Errors
/// `NotFound` if the state has no such body; as [`Body::read`].
///
/// ```no_run
/// # use halite_engine::{Result, ops::{bodies::body, state::State}, vault::Vault};
/// # fn f(vault: &Vault, state: &State<'_>) -> Result<()> {
/// let mut file = Vec::new();
/// body(vault, state, "Attachment", "Body", "00P000000000001AAA".parse()?, &mut |bytes| {
///     file.extend_from_slice(bytes);
///     Ok(())
/// })?;
/// # Ok(())
/// # }
/// ```
pub fn body(
    vault: &Vault,
    state: &State<'_>,
    sobject: &str,
    field: &str,
    id: RecordId,
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<u64> {
    let name = format!("{sobject}.{field}");
    let record = state.get(&name, id)?.ok_or_else(|| {
        Error::new(Kind::NotFound, format!("the state has no {field} of {id}"))
            .hint("it was not there, or could not be fetched: `halite snapshots` tells")
    })?;
    let body = Body::parse(id, &record.json)?;
    body.read(vault, each)?;
    Ok(body.length)
}

/// A body on its way into the vault; holds less than two pieces.
pub(super) struct Intake<'a> {
    vault: &'a Vault,
    cutter: &'a Cutter,
    compressor: Compressor,
    held: Vec<u8>,
    pieces: Vec<Piece>,
    length: u64,
    md5: Md5,
}

impl<'a> Intake<'a> {
    /// Of nothing yet.
    pub fn new(vault: &'a Vault, cutter: &'a Cutter) -> Self {
        Self {
            vault,
            cutter,
            compressor: Compressor::new(vault.level),
            held: Vec::new(),
            pieces: Vec::new(),
            length: 0,
            md5: Md5::new(),
        }
    }

    /// Whether bytes that stand at `at` can be taken.
    ///
    /// # Errors
    /// `Corrupt` for those that neither follow on what came nor begin it anew.
    pub fn follows(&self, at: u64) -> Result<()> {
        if at == self.length || at == 0 {
            return Ok(());
        }
        let why = format!("it goes on at byte {at}, and {} have come", self.length);
        Err(Error::corrupt("file", why).hint("run it again"))
    }

    /// Takes the bytes that stand at `at`. Those that come from the beginning again may be of another content: then all
    /// begins anew.
    pub fn take(&mut self, writer: &mut Writer<'_>, at: u64, bytes: &[u8]) -> Result<()> {
        if at == 0 && self.length > 0 {
            (self.length, self.md5) = (0, Md5::new());
            self.held.clear();
            self.pieces.clear();
        }
        self.length += bytes.len() as u64;
        self.md5.update(bytes);
        self.held.extend_from_slice(bytes);
        while self.held.len() >= PIECE_MAX {
            self.cut(writer)?;
        }
        Ok(())
    }

    fn cut(&mut self, writer: &mut Writer<'_>) -> Result<()> {
        let len = self.cutter.cut(&self.held);
        let id = self.vault.keys.chunk_id(ChunkKind::Blob, &self.held[..len]);
        if writer.present(&[id])?[0].is_none() {
            let piece = &self.held[..len];
            let chunk = self
                .compressor
                .prepare(&self.vault.keys, ChunkKind::Blob, piece)?;
            writer.put(&chunk)?;
        }
        self.pieces.push(Piece { id, len: len as u32 });
        self.held.drain(..len);
        Ok(())
    }

    /// Everything has come.
    pub fn finish(mut self, writer: &mut Writer<'_>) -> Result<Body> {
        while !self.held.is_empty() {
            self.cut(writer)?;
        }
        Ok(Body {
            length: self.length,
            md5: hex(&self.md5.finalize()),
            pieces: write_pieces(&self.pieces),
        })
    }
}
