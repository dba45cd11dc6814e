//! An org with documents and attachments, as a plain map, and a vault to take it into.
//!
//! Key decision: it counts which bodies were asked for, and can refuse them, spoil them or be gone between two, so that a
//! test says what a capture may fetch. It is not the simulator: no HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::org::{EachRow, Identity, Read, SObjectInfo, Scope, Source, Spent};
use halite_engine::ops::report::Report;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

pub(super) const VERSIONS: &str = r#"{"name":"ContentVersion","keyPrefix":"068","fields":[{"name":"Id","type":"id"},
  {"name":"ContentDocumentId","type":"reference"},{"name":"VersionNumber","type":"string"},{"name":"Title","type":"string"},
  {"name":"PathOnClient","type":"string"},{"name":"Checksum","type":"string"},{"name":"ContentSize","type":"int"},
  {"name":"ContentLocation","type":"picklist"},{"name":"VersionData","type":"base64"},
  {"name":"IsDeleted","type":"boolean"},{"name":"SystemModstamp","type":"datetime"}]}"#;
pub(super) const ATTACHMENTS: &str = r#"{"name":"Attachment","keyPrefix":"00P","fields":[{"name":"Id","type":"id"},
  {"name":"Name","type":"string"},{"name":"BodyLength","type":"int"},{"name":"Body","type":"base64"},
  {"name":"IsDeleted","type":"boolean"},{"name":"SystemModstamp","type":"datetime"}]}"#;

#[derive(Clone)]
pub(crate) struct File {
    pub document: u32,
    pub name: String,
    pub body: Vec<u8>,
    pub stamp: i64,
    pub deleted: bool,
    pub elsewhere: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Org {
    pub versions: BTreeMap<u32, File>,
    pub attachments: BTreeMap<u32, File>,
    pub now: i64,
    pub calls: u64,
    pub asked: Vec<RecordId>,
    /// Bodies that the org refuses, and those of which other bytes come.
    pub refused: BTreeSet<RecordId>,
    pub spoilt: BTreeSet<RecordId>,
    /// Bodies until the org is gone.
    pub left: Option<u64>,
    /// Bodies asked for by processes before this one.
    pub before: usize,
    pub silent: bool,
}

pub(crate) fn id(prefix: &str, n: u32) -> RecordId {
    format!("{prefix}00000000{n:04}").parse().unwrap()
}

pub(crate) fn noise(seed: u32, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new()
        .update(&seed.to_le_bytes())
        .finalize_xof()
        .fill(&mut out);
    out
}

impl Org {
    pub(crate) fn new() -> Self {
        Self {
            now: 1_700_000_000_000,
            ..Self::default()
        }
    }

    pub fn file(&mut self, document: u32, body: Vec<u8>) -> File {
        self.now += 1000;
        File {
            document,
            name: format!("file {document}.txt"),
            body,
            stamp: self.now,
            deleted: false,
            elsewhere: false,
        }
    }

    pub(crate) fn version(&mut self, n: u32, document: u32, body: Vec<u8>) {
        let file = self.file(document, body);
        self.versions.insert(n, file);
    }

    pub(crate) fn attachment(&mut self, n: u32, body: Vec<u8>) {
        let file = self.file(n, body);
        self.attachments.insert(n, file);
    }

    pub fn touch(&mut self, n: u32, act: impl FnOnce(&mut File)) {
        self.now += 1000;
        let file = self.versions.get_mut(&n).unwrap();
        file.stamp = self.now;
        act(file);
    }

    pub fn files(&self, sobject: &str) -> (&'static str, &BTreeMap<u32, File>) {
        match sobject {
            "ContentVersion" => ("068", &self.versions),
            _ => ("00P", &self.attachments),
        }
    }

    pub fn json(sobject: &str, id: RecordId, file: &File) -> String {
        let stamp = Stamp::from_millis(file.stamp).to_string();
        let own = if sobject == "ContentVersion" {
            let place = if file.elsewhere { "E" } else { "S" };
            format!(
                r#""ContentDocumentId":"{}","VersionNumber":"2","Title":"{1}","PathOnClient":"{1}","Checksum":"{2}","ContentSize":{3},"ContentLocation":"{place}""#,
                crate::files::id("069", file.document),
                file.name,
                md5(&file.body),
                file.body.len()
            )
        } else {
            format!(r#""Name":"{}","BodyLength":{}"#, file.name, file.body.len())
        };
        format!(
            r#"{{"Id":"{id}",{own},"IsDeleted":{},"SystemModstamp":"{stamp}"}}"#,
            file.deleted
        )
    }
}

pub(super) fn md5(bytes: &[u8]) -> String {
    use md5::Digest;
    md5::Md5::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

impl Source for Org {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: "00D000000000001".parse()?,
            name: "Files".into(),
            sandbox: false,
            user: "005000000000001".parse()?,
            user_name: "u".into(),
            api_version: "67.0".into(),
        })
    }

    fn now(&mut self) -> Result<Stamp> {
        Ok(Stamp::from_millis(self.now))
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        let info = |name: &str| SObjectInfo {
            name: name.into(),
            unreadable: None,
        };
        Ok(["Attachment", "ContentVersion"].map(info).to_vec())
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        Ok(match sobject {
            "ContentVersion" => VERSIONS.into(),
            _ => ATTACHMENTS.into(),
        })
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.calls += 1;
        let sobject = read.describe.name.as_str();
        let (prefix, files) = self.files(sobject);
        for (n, file) in files {
            let id = id(prefix, *n);
            let wanted = match read.scope {
                Scope::All => true,
                Scope::Since(stamp) => file.stamp >= stamp.millis(),
                Scope::Ids(ids) => ids.contains(&id),
                Scope::Having(..) => unreachable!("only a restore asks so"),
            };
            if wanted {
                each(Self::json(sobject, id, file).as_bytes())?;
            }
        }
        Ok(())
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        let (_, files) = self.files(sobject);
        Ok(files.values().filter(|file| !file.deleted).count() as u64)
    }

    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        let (prefix, files) = self.files(sobject);
        let live = files.iter().filter(|(_, file)| !file.deleted);
        live.map(|(n, _)| id(prefix, *n)).try_for_each(each)
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn spent(&self) -> Spent {
        Spent {
            calls: self.calls,
            files: (self.asked.len() - self.before) as u64,
            ..Spent::default()
        }
    }

    fn body(
        &mut self,
        sobject: &str,
        asked: RecordId,
        field: &str,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.silent {
            return Err(Error::new(Kind::Unsupported, "this source gives no file bodies"));
        }
        assert_eq!(
            (field, from),
            (
                if sobject == "Attachment" {
                    "Body"
                } else {
                    "VersionData"
                },
                0
            )
        );
        if let Some(left) = &mut self.left {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| Error::new(Kind::Quota, "the ceiling is reached"))?;
        }
        self.calls += 1;
        self.asked.push(asked);
        if self.refused.contains(&asked) {
            return Err(Error::new(Kind::Denied, "403 FORBIDDEN"));
        }
        let (prefix, files) = self.files(sobject);
        let (_, file) = files.iter().find(|(n, _)| id(prefix, **n) == asked).unwrap();
        let mut body = file.body.clone();
        if self.spoilt.contains(&asked) {
            body[0] ^= 1;
        }
        // It breaks off in the middle, and comes from its beginning again.
        each(0, &body[..body.len() / 2])?;
        let mut at = 0;
        for piece in body.chunks(100_000) {
            each(at, piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }
}

pub(crate) fn vault() -> (Arc<Memory>, Vault) {
    let store = Arc::new(Memory::new());
    let clock = Clock::driven(Stamp::from_millis(1_700_000_000_000), 1);
    let options = VaultOptions {
        clock,
        ..VaultOptions::default()
    };
    (
        store.clone(),
        Vault::create(store, &Secret::None, options).unwrap(),
    )
}

/// One more snapshot, and how many bodies it asked for.
pub(crate) fn take(vault: &Vault, org: &mut Org) -> (Report, usize) {
    org.now += 3_600_000;
    let before = org.asked.len();
    let options = BackupOptions {
        overlap_millis: 0,
        ..BackupOptions::default()
    };
    let report = backup(vault, org, &options, &mut |_| ()).unwrap();
    (report, org.asked.len() - before)
}

pub(crate) fn org_id() -> OrgId {
    "00D000000000001".parse().unwrap()
}
