//! Grants to orgs, each sealed under a role of its own, and lines of the activity log that belong to no other commit.
//!
//! Key decision: a change is a function over the bytes in force, run again if another commit came first, so that a token
//! that was rotated meanwhile is never overwritten by an older one. What the bytes mean is not known here: whoever keeps
//! a connection knows (`docs/connections.md`).

use zeroize::Zeroizing;

use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::format::entry::{named, prefix};
use crate::format::mark::ActivityEntry;
use crate::format::seal::{Keys, open_object, seal_object};
use crate::vault::catalog::Catalog;
use crate::vault::open::Vault;

/// Gives the bytes that are to be kept, none to remove them, from those that are.
pub type ChangeGrant<'a> = dyn FnMut(Option<&[u8]>) -> Result<Option<Zeroizing<Vec<u8>>>> + 'a;

impl Vault {
    /// Keeps a grant to an org under `name`; replaces one of that name.
    pub fn put_grant(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.change_grant(name, None, &mut |_| Ok(Some(Zeroizing::new(bytes.to_vec()))))
    }

    /// Changes what is kept under `name`, and tells the activity log of it with `line`. Nothing is written where
    /// nothing changes and nothing is told.
    ///
    /// # Errors
    /// What `change` returns; then nothing is changed.
    pub fn change_grant(
        &self,
        name: &str,
        line: Option<&ActivityEntry>,
        change: &mut ChangeGrant<'_>,
    ) -> Result<()> {
        self.refresh()?;
        let key = named(prefix::GRANT, name.as_bytes());
        self.commit(&[], &mut |edit| {
            let before = opened(&self.keys, &edit.before, name)?;
            match change(before.as_ref().map(|bytes| &bytes[..]))? {
                Some(bytes) => edit
                    .node(None)
                    .put(key.clone(), sealed(&self.keys, &self.clock, &bytes)?),
                None => edit.node(None).remove(&key),
            }
            line.iter().for_each(|line| edit.log_line((*line).clone()));
            Ok(())
        })
        .map(drop)
    }

    /// The grant of that name.
    pub fn grant(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        opened(&self.keys, &self.catalog(), name)
    }

    /// The names of the grants.
    pub fn grants(&self) -> Vec<String> {
        let catalog = self.catalog();
        let node = catalog.nodes.get(&None);
        let names = node.into_iter().flat_map(|n| {
            n.scan(&[prefix::GRANT])
                .map(|(k, _)| String::from_utf8_lossy(&k[1..]).into_owned())
                .collect::<Vec<_>>()
        });
        names.collect()
    }

    /// Adds a line to the activity log; when, and who asked, are filled in.
    pub fn log(&self, line: &ActivityEntry) -> Result<()> {
        self.commit(&[], &mut |edit| {
            edit.log_line(line.clone());
            Ok(())
        })
        .map(drop)
    }
}

fn sealed(keys: &Keys, clock: &Clock, bytes: &[u8]) -> Result<Vec<u8>> {
    let id: [u8; 32] = clock.random()?;
    let mut value = id.to_vec();
    value.extend_from_slice(&seal_object(keys, "grant", id, bytes)?);
    Ok(value)
}

fn opened(keys: &Keys, catalog: &Catalog, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let node = catalog.nodes.get(&None);
    let Some(value) = node.and_then(|n| n.get(&named(prefix::GRANT, name.as_bytes()))) else {
        return Ok(None);
    };
    let (id, sealed) = value
        .split_first_chunk::<32>()
        .ok_or_else(|| Error::corrupt("grant", "it is cut short"))?;
    open_object(keys, "grant", id, sealed).map(|bytes| Some(Zeroizing::new(bytes)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::memory::Memory;
    use crate::vault::{Secret, VaultOptions};

    #[test]
    fn two_who_change_one_grant_lose_nothing() {
        let place = Arc::new(Memory::new());
        let options = |asked_by: &str| VaultOptions {
            asked_by: asked_by.to_owned(),
            ..VaultOptions::default()
        };
        let one = Vault::create(place.clone(), &Secret::None, options("ada")).unwrap();
        one.put_grant("acme", b"1").unwrap();
        let two = Vault::open(place, &Secret::None, options("cron")).unwrap();
        let push = |vault: &Vault, sign: u8| {
            let line = ActivityEntry {
                verb: "set".into(),
                ..ActivityEntry::default()
            };
            vault
                .change_grant("acme", Some(&line), &mut |before| {
                    let mut bytes = before.unwrap_or_default().to_vec();
                    bytes.push(sign);
                    Ok(Some(bytes.into()))
                })
                .unwrap();
        };
        push(&two, b'2');
        push(&one, b'3');
        two.refresh().unwrap();
        assert_eq!(two.grant("acme").unwrap().unwrap().as_slice(), b"123");
        let log = two.catalog().activity().unwrap();
        let who: Vec<&str> = log.iter().map(|line| line.asked_by.as_str()).collect();
        assert_eq!(who, ["cron", "ada"]);
        two.change_grant("acme", None, &mut |_| Ok(None)).unwrap();
        assert_eq!((two.grant("acme").unwrap(), two.grants().len()), (None, 0));
    }
}
