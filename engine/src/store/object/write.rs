//! Writing: one conditional request, and what is done when nobody knows how it ended.
//!
//! Key decision: an unclear outcome is settled by looking at what is there, since the same request sent again would be
//! refused by its own first half. Only what looking leaves open is sent again. It never writes without a condition.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use object_store::{ObjectStore, PutMode, PutPayload, UpdateVersion};

use super::answer::{Failure, Nature};
use super::{ROOT, Remote};
use crate::base::error::Result;

impl Remote {
    /// Writes an object under the condition of `mode`; `false` if the condition did not hold.
    pub(super) async fn write(&self, name: &str, mode: PutMode, bytes: &Bytes) -> Result<bool> {
        let (path, mut tries) = (self.path(name)?, self.tries("storing", name));
        let creates = mode == PutMode::Create;
        let mut unclear = false;
        loop {
            let payload = PutPayload::from_bytes(bytes.clone());
            let request = self.store.put_opts(&path, payload, mode.clone().into());
            let failure = match self.once(bytes.len(), request).await {
                Ok(stored) => {
                    if name == ROOT && stored.e_tag.is_some() {
                        let version = UpdateVersion {
                            e_tag: stored.e_tag,
                            version: stored.version,
                        };
                        *self.seen() = Some((bytes.to_vec(), version));
                    }
                    return Ok(true);
                }
                Err(failure) => failure,
            };
            let refused =
                failure.nature == Nature::Condition || (!creates && failure.nature == Nature::Missing);
            if refused && !unclear {
                return Ok(false);
            }
            if refused || failure.nature == Nature::Unclear {
                unclear = true;
                let looked = self.same(name, bytes).await;
                let looked =
                    looked.map_err(|e| e.within(format_args!("{name}: after {}", failure.answer())))?;
                match looked {
                    Some(true) => return Ok(true),
                    // Of a version that is to be replaced other bytes are what one expects to find.
                    Some(false) if creates || refused => return Ok(false),
                    None if refused && !creates => return Ok(false),
                    _ => {}
                }
            }
            tries.again(&failure).await?;
        }
    }

    /// Replaces the root that was read, if it is the one that is expected.
    pub(super) async fn swap(&self, expected: Option<&[u8]>, new: &Bytes) -> Result<bool> {
        let (mut tries, mut outrun) = (self.tries("replacing", ROOT), false);
        // Where conditions are known to be kept, the one that was seen last need not be read once more.
        let seen = self.seen().take().filter(|_| self.asked.load(Ordering::Relaxed));
        let seen = seen.filter(|(bytes, _)| Some(bytes.as_slice()) == expected);
        if let Some((_, version)) = seen
            && self.write(ROOT, PutMode::Update(version), new).await?
        {
            return Ok(true);
        }
        loop {
            let now = self.small(ROOT).await?;
            if now.as_ref().map(|(bytes, _)| bytes.as_slice()) != expected {
                return Ok(false);
            }
            if outrun {
                // By the same bytes under another ETag, or the condition is not judged by what is there.
                tries.again(&Failure::outrun()).await?;
            }
            let mode = now.map_or(PutMode::Create, |(_, version)| PutMode::Update(version));
            if self.write(ROOT, mode, new).await? {
                return Ok(true);
            }
            outrun = true;
        }
    }
}
