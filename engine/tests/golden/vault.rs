//! A whole vault of format version 1, kept as files in `fixtures/v1`, and what must be read from it for ever.
//!
//! Key decision: the files were written once and are never written again; `fixtures/v1.txt` says in plain text what
//! is in them. A vault made anew must hold the same chunks, but need not have the same files: zstd may change.
//! It is not a test of captures: those are in `capture.rs`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halite_engine::base::clock::Clock;
use halite_engine::base::id::PackId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::digest::Digest;
use halite_engine::format::manifest::Captured;
use halite_engine::format::scan::scan;
use halite_engine::format::seal::{ChunkKind, Keys, MasterKey};
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::diff::diff;
use halite_engine::ops::history::history;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::backend::Backend;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use super::EVERY_TYPE;
use crate::model::{Model, id};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn secret() -> Secret {
    Secret::None
}

fn clock() -> Clock {
    Clock::driven(Stamp::from_millis(1_767_225_600_000), 2026)
}

const EVERY: &str = r#"{"Id":"a01000000000001","IsDeleted":false,"SystemModstamp":"2026-01-02T03:04:05.000+0000","LastModifiedDate":"2026-01-02T03:04:00.000+0000","LastModifiedById":"005000000000001AAA","Owner":"005000000000002AAA","FirstName":"Zoë","LastName":"\u00c5str\u00f6m","Name":"Zoë Åström","LastViewedDate":"2026-01-02T03:04:05.000+0000","Formula":2.50,"A_Area":"a\r\nb\t\"\\","A_Pick":"one","A_Multi":"one;two","A_Combo":"c","A_Email":"z@example.com","A_Phone":"+46 1","A_Url":"https://example.com/","A_Secret":"***1","A_Category":"g","B_Flag":true,"B_Int":-7,"B_Long":9007199254740993,"B_Double":4.0E2,"B_Money":0.10,"B_Percent":12.5,"B_Byte":1,"C_Date":"2024-02-29","C_When":"1999-12-31T23:59:59.999+0000","C_Time":"01:02:03.000Z","D_Any":4.50,"D_Json":"{}","D_Complex":"x","D_New":"y","E_Address":{"city":"x"}}"#;

/// Two orgs: one captured (edits, stamps alone, deletions, a purge, two pages), one imported (every type).
fn write_vault(backend: Arc<dyn Backend>) -> Vault {
    let options = VaultOptions {
        clock: clock(),
        ..VaultOptions::default()
    };
    let vault = Vault::create(backend, &secret(), options).unwrap();
    let mut model = Model {
        now: 1_767_225_600_000,
        ..Model::default()
    };
    let take = |model: &mut Model, full| {
        let options = BackupOptions {
            full,
            overlap_millis: 0,
            memory: 1 << 20,
            only: None,
            ..BackupOptions::default()
        };
        assert!(backup(&vault, model, &options, &mut |_| ()).unwrap().complete());
        model.now += 5000;
    };
    (0..90).for_each(|n| {
        model.put(
            n,
            ["Ann", "Bob", "", "Zoë \"Z\""][n as usize % 4],
            (n % 3 > 0).then_some(i64::from(n)),
        )
    });
    take(&mut model, false);
    model.put(3, "Cleo", Some(-1));
    model.put(4, "Ann", Some(4));
    model.delete(5);
    model.put(90, "New", None);
    take(&mut model, false);
    model.delete(6);
    model.purge(7);
    model.put(5, "Back", Some(5));
    take(&mut model, true);
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("Every__c.describe.json", EVERY_TYPE);
    write(
        "Every__c.ndjson",
        &format!("{EVERY}\n{{\"Id\":\"a01000000000002\"}}\n"),
    );
    write(
        "Plain__c.csv",
        "Id,N\n\"a02000000000001\",\"4.50\"\n\"a02000000000002\",\"\"\n",
    );
    let org = "00D000000000002".parse().unwrap();
    import(
        &vault,
        org,
        "2026-01-02".parse().unwrap(),
        dir.path(),
        false,
        &mut |_| (),
    )
    .unwrap();
    write(
        "Every__c.ndjson",
        &EVERY.replace("\"one\"", "\"two\"").replace("4.0E2", "401"),
    );
    import(
        &vault,
        org,
        "2026-01-03".parse().unwrap(),
        dir.path(),
        false,
        &mut |_| (),
    )
    .unwrap();
    vault
}

/// Everything that a vault says, as text.
fn read_vault(vault: &Vault) -> String {
    let mut out = String::new();
    for org in vault.orgs() {
        let snapshots = vault.snapshots(org).unwrap();
        for snapshot in &snapshots {
            let state = State::at(vault, snapshot);
            let (number, name, from, until) = (snapshot.number, snapshot.name, snapshot.from, snapshot.until);
            writeln!(
                out,
                "# {org} snapshot {number} {name} {from} {until} {}",
                snapshot.source
            )
            .unwrap();
            for captured in state.manifest().unwrap().sobjects {
                writeln!(out, "manifest {}", told(&captured)).unwrap();
            }
            for sobject in state.sobjects().unwrap() {
                state
                    .each(&sobject, &mut |r| {
                        writeln!(out, "{} {}", r.snapshot, r.json).unwrap();
                        Ok(())
                    })
                    .unwrap();
            }
        }
        for (a, b) in snapshots
            .iter()
            .flat_map(|a| snapshots.iter().map(move |b| (a, b)))
        {
            writeln!(out, "# {org} diff {} {}", a.number, b.number).unwrap();
            diff(vault, a, b, None, &mut |c| {
                writeln!(out, "{:?} {} {} {:?}", c.kind, c.sobject, c.id, c.fields).unwrap();
                Ok(())
            })
            .unwrap();
        }
    }
    let of_model = vault.orgs()[0];
    let every = (vault.orgs()[1], "a01000000000001".parse().unwrap());
    for (org, id) in (3..8).map(|n| (of_model, id(n))).chain([every]) {
        writeln!(out, "# {org} history {id}").unwrap();
        for version in history(vault, org, id).unwrap() {
            let number = version.snapshot.map(|s| s.number);
            writeln!(
                out,
                "{number:?} {:?} {:?} {:?}",
                version.kind, version.fields, version.json
            )
            .unwrap();
        }
    }
    out
}

/// A line of a manifest.
fn told(c: &Captured) -> String {
    let hex = |digest: &Digest| digest.0.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let counts = [
        u64::from(c.schema),
        c.read,
        c.created,
        c.edited,
        c.stamps,
        c.deleted,
        c.refused,
        c.live,
    ];
    let (content, stamps) = (hex(&c.content), hex(&c.stamps_digest));
    format!(
        "{} {:?} {counts:?} {:?} {content} {stamps}",
        c.name, c.skipped, c.counted
    )
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Copies a folder; the copy may not be written to.
fn copy_read_only(from: &Path, to: &Path) {
    for file in files(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(&file, &copy).unwrap();
        let mut mode = fs::metadata(&copy).unwrap().permissions();
        mode.set_readonly(true);
        fs::set_permissions(&copy, mode).unwrap();
    }
}

#[test]
fn version_1_is_read_as_ever() {
    let (v1, copy) = (fixtures().join("v1"), tempfile::tempdir().unwrap());
    copy_read_only(&v1, copy.path());
    let options = VaultOptions::default();
    let vault = Vault::open(Arc::new(Local::open(copy.path()).unwrap()), &secret(), options).unwrap();
    let told = fs::read_to_string(fixtures().join("v1.txt")).unwrap();
    let found = read_vault(&vault);
    for (n, (found, told)) in found.lines().zip(told.lines()).enumerate() {
        assert_eq!(found, told, "line {} of v1.txt", n + 1);
    }
    assert_eq!(found.lines().count(), told.lines().count());
    let names = |dir: &Path| -> Vec<_> {
        files(dir)
            .iter()
            .map(|f| (f.strip_prefix(dir).unwrap().to_owned(), fs::read(f).unwrap()))
            .collect()
    };
    assert_eq!(names(copy.path()), names(&v1), "reading wrote something");
}

/// Ids of all chunks that name no places, which depend on how well zstd did.
fn chunks(backend: &dyn Backend) -> BTreeSet<(ChunkKind, String)> {
    let drawn = clock();
    let _vault: [u8; 16] = drawn.random().unwrap();
    let keys = Keys::derive(&MasterKey::generate(&drawn).unwrap());
    let mut found = BTreeSet::new();
    for name in backend.list("packs/").unwrap() {
        let pack = PackId::parse(name.rsplit('/').next().unwrap()).unwrap();
        for item in scan(&keys, &pack, &backend.get(&name).unwrap()) {
            let (entry, _) = item.unwrap();
            found.insert((entry.kind, entry.id.to_string()));
        }
    }
    use ChunkKind::{CatalogHead, CatalogNode, Manifest, PageDerived, PageValues, RunHead, RunPart};
    // Manifests are of version 2 by now, and parts of values of version 3.
    let others = [
        CatalogHead,
        CatalogNode,
        Manifest,
        PageDerived,
        PageValues,
        RunHead,
        RunPart,
    ];
    found.retain(|(kind, _)| !others.contains(kind));
    found
}

#[test]
fn version_1_is_written_as_ever() {
    let dir = tempfile::tempdir().unwrap();
    let new = Arc::new(Local::create(dir.path()).unwrap());
    let vault = write_vault(new.clone());
    assert_eq!(
        read_vault(&vault),
        fs::read_to_string(fixtures().join("v1.txt")).unwrap()
    );
    let (old, new) = (
        chunks(&Local::open(&fixtures().join("v1")).unwrap()),
        chunks(&*new),
    );
    assert!(old.len() > 10, "{}", old.len());
    assert_eq!(old, new);
}
