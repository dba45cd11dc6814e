//! A folder of files as an org: an `Attachment` each, whose body is the file.
//!
//! Key decision: Halite takes bodies of files by no other way than a backup, so this implements the engine's own trait for
//! that, and what is measured is the whole of it: rows, cutting, deduplication, packs, snapshot. It never changes.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Scope, Source};
use halite_engine::{Error, Kind, Result};
use serde_json::json;

const DESCRIBE: &str = r#"{"name":"Attachment","keyPrefix":"00P","fields":[{"name":"Id","type":"id"},
  {"name":"Name","type":"string"},{"name":"BodyLength","type":"int"},{"name":"Body","type":"base64"},
  {"name":"IsDeleted","type":"boolean"},{"name":"SystemModstamp","type":"datetime"}]}"#;
/// 2026-01-01, in milliseconds since 1970.
const THEN: i64 = 1_767_225_600_000;
const HOUR: i64 = 3_600_000;
/// Bytes that are read at a time.
const BUFFER: usize = 1 << 20;

/// The org.
pub struct Folder {
    root: PathBuf,
    files: Vec<(PathBuf, u64)>,
    calls: u64,
}

impl Folder {
    /// Of the files below a folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn new(root: &Path) -> crate::Result<Self> {
        Ok(Self {
            root: root.to_owned(),
            files: crate::files_of(root)?,
            calls: 0,
        })
    }

    fn id(at: usize) -> Result<RecordId> {
        format!("00P{at:012}").parse()
    }

    fn at(&self, id: RecordId) -> Option<&Path> {
        let digits = std::str::from_utf8(&id.as_bytes()[3..]).ok()?;
        let (path, _) = self.files.get(digits.parse::<usize>().ok()?)?;
        Some(path)
    }
}

impl Source for Folder {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: "00D000000000001".parse()?,
            name: "Folder".into(),
            sandbox: false,
            user: "005000000000001".parse()?,
            user_name: "measured".into(),
            api_version: "67.0".into(),
        })
    }

    fn now(&mut self) -> Result<Stamp> {
        Ok(Stamp::from_millis(THEN + HOUR))
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        let (name, unreadable) = ("Attachment".to_owned(), None);
        Ok(vec![SObjectInfo { name, unreadable }])
    }

    fn describe(&mut self, _: &str) -> Result<Vec<u8>> {
        Ok(DESCRIBE.into())
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.calls += 1;
        let stamp = Stamp::from_millis(THEN);
        for (at, (path, bytes)) in self.files.iter().enumerate() {
            let id = Self::id(at)?;
            let wanted = match read.scope {
                Scope::All => true,
                Scope::Since(since) => since.millis() <= THEN,
                Scope::Ids(ids) => ids.contains(&id),
                Scope::Having(..) => false,
            };
            if wanted {
                let name = path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy();
                let row = json!({
                    "Id": id.to_string(), "Name": name, "BodyLength": bytes,
                    "IsDeleted": false, "SystemModstamp": stamp.to_string(),
                });
                each(row.to_string().as_bytes())?;
            }
        }
        Ok(())
    }

    fn count(&mut self, _: &str) -> Result<u64> {
        Ok(self.files.len() as u64)
    }

    fn ids(&mut self, _: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        (0..self.files.len()).try_for_each(|at| each(Self::id(at)?))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn body(
        &mut self,
        _: &str,
        id: RecordId,
        _: &str,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let missing = || Error::new(Kind::NotFound, format!("no file has the Id {id}"));
        let path = self.at(id).ok_or_else(missing)?;
        let io = |e: std::io::Error| Error::new(Kind::Io, format!("{}: {e}", path.display()));
        let mut file = File::open(path).map_err(io)?;
        // It knows no ranges: bytes come from the beginning.
        debug_assert!(from == 0, "a folder does not break off");
        let (mut buffer, mut at) = (vec![0; BUFFER], 0);
        loop {
            let n = file.read(&mut buffer).map_err(io)?;
            if n == 0 {
                return Ok(());
            }
            each(at, &buffer[..n])?;
            at += n as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use halite_engine::ops::bodies::body;
    use halite_engine::ops::capture::{BackupOptions, backup};
    use halite_engine::ops::state::State;
    use halite_engine::store::memory::Memory;
    use halite_engine::vault::{Secret, Vault, VaultOptions};

    use super::*;

    #[test]
    fn every_file_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        let texts = [
            ("a", "salt".to_owned()),
            ("below/b", String::new()),
            ("c", "sea ".repeat(900_000)),
        ];
        for (name, text) in &texts {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let place = Arc::new(Memory::new());
        let vault = Vault::create(place, &Secret::None, VaultOptions::default()).unwrap();
        let mut folder = Folder::new(dir.path()).unwrap();
        backup(&vault, &mut folder, &BackupOptions::default(), &mut |_| ()).unwrap();
        let info = vault.find_snapshot(vault.orgs()[0], "1").unwrap();
        let state = State::at(&vault, &info);
        for (at, (name, text)) in texts.iter().enumerate() {
            let (id, mut bytes) = (Folder::id(at).unwrap(), Vec::new());
            let mut take = |piece: &[u8]| {
                bytes.extend_from_slice(piece);
                Ok(())
            };
            body(&vault, &state, "Attachment", "Body", id, &mut take).unwrap();
            assert!(bytes == text.as_bytes(), "{name}");
        }
    }
}
