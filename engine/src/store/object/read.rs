//! Reading and deleting: requests that may be sent again as they are.
//!
//! Key decision: bytes are read straight into the buffer that is handed out, at most four pieces of 4 MiB at a time,
//! and whatever breaks off is asked for anew. It trusts no length that it did not count.

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, GetRange, GetResult, ObjectStoreExt, UpdateVersion};

use super::Remote;
use super::answer::{Failure, Nature};
use crate::base::error::{Error, Result};
use crate::base::stamp::Stamp;
use crate::store::backend::{Begin, OBJECT_BYTES_MAX, check_name, check_root_len, cut_short};

/// Longer ranges than twice this are read in pieces.
const PIECE: usize = 4 << 20;
/// What one request reads at most.
const MOST: usize = 2 * PIECE;
/// Pieces that are read at a time.
const AT_ONCE: usize = 4;

impl Remote {
    /// The whole object.
    pub(super) async fn get(&self, name: &str) -> Result<Vec<u8>> {
        let (path, mut tries) = (self.path(name)?, self.tries("reading", name));
        loop {
            let failure = match self.once(0, self.store.get(&path)).await {
                Ok(got) => {
                    let size = got.meta.size;
                    let len = usize::try_from(size).ok().filter(|&len| len <= OBJECT_BYTES_MAX);
                    let Some(len) = len else {
                        let why = format!("it has {size} bytes, above the {OBJECT_BYTES_MAX} of an object");
                        return Err(Error::corrupt(name, why).within(&self.address));
                    };
                    match self.rest(len, collect(got, len)).await {
                        Ok(bytes) if bytes.len() == len => return Ok(bytes),
                        Ok(bytes) => Failure::short(bytes.len(), size),
                        Err(failure) => failure,
                    }
                }
                Err(failure) => failure,
            };
            tries.again(&failure).await?;
        }
    }

    /// Exactly `len` bytes from `offset`.
    pub(super) async fn range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        let end = offset.checked_add(len as u64);
        let (Some(end), 1..=OBJECT_BYTES_MAX) = (end, len) else {
            let size = self.size(name).await?;
            return match end {
                Some(end) if len == 0 && end <= size => Ok(Vec::new()),
                _ => Err(cut_short(name, offset, len, size).within(&self.address)),
            };
        };
        if len <= MOST {
            return self.piece(name, offset, end).await;
        }
        let pieces = (offset..end).step_by(PIECE);
        let mut pieces = stream::iter(pieces)
            .map(|start| self.piece(name, start, end.min(start + PIECE as u64)))
            .buffered(AT_ONCE);
        let mut bytes = Vec::with_capacity(len);
        while let Some(piece) = pieces.try_next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// What [`crate::store::backend::Backend::get_part`] says.
    pub(super) async fn part(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
        let range = match from {
            Begin::At(offset) => offset
                .checked_add(len as u64)
                .map(|end| GetRange::Bounded(offset..end)),
            Begin::Tail => self.address.knows_tails().then_some(GetRange::Suffix(len as u64)),
        };
        let (Some(range), 1..=MOST) = (range, len) else {
            return self.part_in_two(name, from, len).await;
        };
        let (path, mut tries) = (self.path(name)?, self.tries("reading", name));
        loop {
            let request = async {
                let options = GetOptions {
                    range: Some(range.clone()),
                    ..GetOptions::default()
                };
                let got = self.store.get_opts(&path, options).await?;
                Ok((got.meta.size, collect(got, len).await?))
            };
            let failure = match self.once(len, request).await {
                Ok((size, bytes)) if bytes.len() == from.within(len, size).1 => return Ok((bytes, size)),
                Ok((size, bytes)) => Failure::short(bytes.len(), from.within(len, size).1 as u64),
                // It ends before, or is empty.
                Err(failure) if failure.nature == Nature::Range => {
                    return self.part_in_two(name, from, len).await;
                }
                Err(failure) => failure,
            };
            tries.again(&failure).await?;
        }
    }

    async fn part_in_two(&self, name: &str, from: Begin, len: usize) -> Result<(Vec<u8>, u64)> {
        let size = self.size(name).await?;
        let (start, len) = from.within(len, size);
        match len {
            0 => Ok((Vec::new(), size)),
            len => Ok((self.range(name, start, len).await?, size)),
        }
    }

    async fn piece(&self, name: &str, start: u64, end: u64) -> Result<Vec<u8>> {
        let (path, mut tries) = (self.path(name)?, self.tries("reading", name));
        let len = usize::try_from(end - start).unwrap_or(usize::MAX);
        loop {
            let request = async {
                let range = Some(GetRange::Bounded(start..end));
                let options = GetOptions {
                    range,
                    ..GetOptions::default()
                };
                let got = self.store.get_opts(&path, options).await?;
                Ok((got.meta.size, collect(got, len).await?))
            };
            let failure = match self.once(len, request).await {
                Ok((_, bytes)) if bytes.len() == len => return Ok(bytes),
                Ok((size, _)) if size < end => {
                    return Err(cut_short(name, start, len, size).within(&self.address));
                }
                Ok((_, bytes)) => Failure::short(bytes.len(), len as u64),
                Err(failure) if failure.nature == Nature::Range => {
                    let size = self.size(name).await?;
                    return Err(cut_short(name, start, len, size).within(&self.address));
                }
                Err(failure) => failure,
            };
            tries.again(&failure).await?;
        }
    }

    /// The length of the object.
    pub(super) async fn size(&self, name: &str) -> Result<u64> {
        let (path, mut tries) = (self.path(name)?, self.tries("looking at", name));
        loop {
            match self.once(0, self.store.head(&path)).await {
                Ok(meta) => return Ok(meta.size),
                Err(failure) => tries.again(&failure).await?,
            }
        }
    }

    /// An object of the length of a root, with what a replacement of just this one is conditional on.
    pub(super) async fn small(&self, name: &str) -> Result<Option<(Vec<u8>, UpdateVersion)>> {
        let (path, mut tries) = (self.path(name)?, self.tries("reading", name));
        loop {
            let request = async {
                let got = self.store.get(&path).await?;
                let version = UpdateVersion {
                    e_tag: got.meta.e_tag.clone(),
                    version: got.meta.version.clone(),
                };
                let len = usize::try_from(got.meta.size).unwrap_or(usize::MAX);
                match check_root_len(len) {
                    Ok(()) => Ok(Ok((collect(got, len).await?, len, version))),
                    Err(refused) => Ok(Err(refused)),
                }
            };
            let failure = match self.once(0, request).await {
                Ok(Ok((bytes, len, version))) if bytes.len() == len => return Ok(Some((bytes, version))),
                Ok(Ok((bytes, len, _))) => Failure::short(bytes.len(), len as u64),
                Ok(Err(refused)) => return Err(refused.within(&self.address)),
                Err(failure) if failure.nature == Nature::Missing => return Ok(None),
                Err(failure) => failure,
            };
            tries.again(&failure).await?;
        }
    }

    /// Whether the object has these bytes; none if there is no object. Compared as it comes.
    pub(super) async fn same(&self, name: &str, bytes: &Bytes) -> Result<Option<bool>> {
        let (path, mut tries) = (self.path(name)?, self.tries("looking at", name));
        loop {
            let request = async {
                let got = self.store.get(&path).await?;
                if got.meta.size != bytes.len() as u64 {
                    return Ok(Ok(false));
                }
                let (mut stream, mut seen) = (got.into_stream(), 0);
                while let Some(piece) = stream.try_next().await? {
                    if bytes.get(seen..seen + piece.len()) != Some(&piece[..]) {
                        return Ok(Ok(false));
                    }
                    seen += piece.len();
                }
                // An end before its length is no answer.
                Ok(if seen == bytes.len() { Ok(true) } else { Err(seen) })
            };
            let failure = match self.once(bytes.len(), request).await {
                Ok(Ok(same)) => return Ok(Some(same)),
                Ok(Err(seen)) => Failure::short(seen, bytes.len() as u64),
                Err(failure) if failure.nature == Nature::Missing => return Ok(None),
                Err(failure) => failure,
            };
            tries.again(&failure).await?;
        }
    }

    /// The names that begin with `prefix`, sorted.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let below = self.below(folder).await?.into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = below
            .filter(|name| name.starts_with(prefix) && check_name(name).is_ok())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// What lies below a folder, with when it was written.
    pub(super) async fn below(&self, folder: &str) -> Result<Vec<(String, Stamp)>> {
        let key = self.address.key(folder);
        let path = match key.trim_end_matches('/') {
            "" => None,
            _ => Some(self.path(folder)?),
        };
        let named = match folder {
            "" => "everything".to_owned(),
            _ => format!("{folder}/"),
        };
        let mut tries = self.tries("listing", &named);
        loop {
            // A listing of any length: its time is that between two answers.
            let mut stream = self.store.list(path.as_ref());
            let mut found = Vec::new();
            let failure = loop {
                match self.once(0, stream.try_next()).await {
                    Ok(Some(meta)) => found.extend(self.address.name(meta.location.as_ref()).map(|name| {
                        let written = Stamp::from_millis(meta.last_modified.timestamp_millis());
                        (name.to_owned(), written)
                    })),
                    Ok(None) => return Ok(found),
                    Err(failure) => break failure,
                }
            };
            tries.again(&failure).await?;
        }
    }

    /// Removes an object, if there is one.
    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let (path, mut tries) = (self.path(name)?, self.tries("deleting", name));
        loop {
            match self.once(0, self.store.delete(&path)).await {
                Ok(()) => return Ok(()),
                Err(failure) if failure.nature == Nature::Missing => return Ok(()),
                Err(failure) => tries.again(&failure).await?,
            }
        }
    }
}

/// What comes, up to one byte more than `len`.
async fn collect(got: GetResult, len: usize) -> object_store::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    let mut stream = got.into_stream();
    while let Some(piece) = stream.try_next().await? {
        let left = (len + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..left).unwrap_or(&piece));
    }
    Ok(bytes)
}
