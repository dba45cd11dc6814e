//! Whether a store keeps conditions: asked before the first write, since one that ignores them loses snapshots.
//!
//! Key decision: seen by what it does and not by its name, under random names that nobody else looks at, alone and
//! eight at once. It can show that a store is unfit, not that it is fit for ever; and it leaves nothing behind, unless
//! it is killed: then a prune sweeps what is a day old.

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::{PutMode, UpdateVersion};

use super::{Remote, TMP};
use crate::base::error::{Error, Kind, Result};
use crate::base::id::hex;
use crate::base::stamp::Stamp;

/// Writers that race.
const RACERS: u8 = 8;

impl Remote {
    /// Refuses a store that does not keep conditions, with `races` also one that keeps them only one after the other;
    /// `random` makes the names.
    pub(super) async fn probe(&self, random: [u8; 16], races: bool) -> Result<()> {
        let random = hex(&random);
        let (one, many) = (format!("{TMP}/{random}-one"), format!("{TMP}/{random}-many"));
        let outcome = match self.alone(&one).await {
            Ok(()) if races => self.race(&many).await,
            ended => ended,
        };
        for name in [Some(&one), races.then_some(&many)].into_iter().flatten() {
            if let Err(e) = self.delete(name).await {
                tracing::warn!(name, error = %e, "what the probe wrote was not deleted");
            }
        }
        outcome
    }

    /// Removes what probes that crashed left, if it was written before `due`.
    pub(super) async fn sweep(&self, due: Stamp) -> Result<()> {
        for (name, written) in self.below(TMP).await? {
            if written < due {
                tracing::info!(name, "removing what a crashed probe left");
                self.delete(&name).await?;
            }
        }
        Ok(())
    }

    /// One writer: creates twice, and replaces what it has replaced.
    async fn alone(&self, name: &str) -> Result<()> {
        let create = |text| self.write(name, PutMode::Create, text);
        let (first, second, third) = (bytes(b'a'), bytes(b'b'), bytes(b'c'));
        if !create(&first).await? {
            return Err(self.unfit("a name that nobody has used counted as taken"));
        }
        if create(&second).await? {
            return Err(self.unfit("a name was created twice"));
        }
        let version = self.stands(name, &first, "a create that it refused").await?;
        let replace = |text| self.write(name, PutMode::Update(version.clone()), text);
        if !replace(&second).await? {
            return Err(self.unfit("an object could not be replaced on its own ETag"));
        }
        if replace(&third).await? {
            return Err(self.unfit("an object was replaced on a stale ETag"));
        }
        self.stands(name, &second, "a replacement that it refused")
            .await
            .map(drop)
    }

    /// Several writers: of those that create one name, and of those that replace it, one may win.
    async fn race(&self, name: &str) -> Result<()> {
        let winner = self.winner(name, &PutMode::Create, b'0').await?;
        let version = self.stands(name, &winner, "creates that it refused").await?;
        let winner = self.winner(name, &PutMode::Update(version), b'A').await?;
        self.stands(name, &winner, "replacements that it refused")
            .await
            .map(drop)
    }

    async fn winner(&self, name: &str, mode: &PutMode, base: u8) -> Result<Bytes> {
        let racers = (0..RACERS).map(|n| async move {
            let text = bytes(base + n);
            self.write(name, mode.clone(), &text).await.map(|won| (won, text))
        });
        let mut won = Vec::new();
        for outcome in join_all(racers).await {
            let (one, text) = outcome?;
            won.extend(one.then_some(text));
        }
        match <[Bytes; 1]>::try_from(won) {
            Ok([winner]) => Ok(winner),
            Err(won) => {
                let count = won.len();
                Err(self.unfit(&format!(
                    "of {RACERS} writers at once {count} won, where one must"
                )))
            }
        }
    }

    /// Sees that the bytes are there; gives the version to replace.
    async fn stands(&self, name: &str, bytes: &Bytes, despite: &str) -> Result<UpdateVersion> {
        match self.small(name).await? {
            Some((now, version)) if now == **bytes => Ok(version),
            _ => Err(self.unfit(&format!(
                "{despite} took effect, or what it had stored was not there"
            ))),
        }
    }

    fn unfit(&self, what: &str) -> Error {
        let message = format!(
            "{}: this store does not keep conditions on writes: {what}",
            self.address
        );
        Error::new(Kind::Unsupported, message).hint(
            "two writers could lose each other's snapshots there, so nothing was written; use a store with \
             If-None-Match and If-Match (docs/object-storage.md), or a folder",
        )
    }
}

fn bytes(letter: u8) -> Bytes {
    Bytes::from(vec![letter; 32])
}
