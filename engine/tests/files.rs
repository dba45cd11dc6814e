//! Bodies of files: what is fetched, what is not, what could not be had, and that each body is there at its time.
//!
//! Key decision: the org counts every body that is asked for, so that "never twice" is a number; bodies are compared
//! with what the org had. It tests no API: ranges and retries are the connector's.

mod org;

use std::collections::BTreeSet;

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::format::seal::ChunkKind;
use halite_engine::ops::bodies;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::check::{CheckOptions, Level, check};
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::erase::{EraseOptions, erase};
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::ops::repair::repair;
use halite_engine::ops::report::Report;
use halite_engine::ops::retain::{self, Policy};
use halite_engine::ops::state::State;
use halite_engine::ops::walk::{Seen, Visit, walk};
use halite_engine::store::backend::{Backend, pack_name};
use halite_engine::store::memory::Memory;
use halite_engine::vault::Vault;
use halite_engine::{Kind, Result};

pub(crate) use org::{Org, id, noise, org_id, take, vault};

fn body(vault: &Vault, snapshot: u64, sobject: &str, id: RecordId) -> Result<Vec<u8>> {
    let info = vault.find_snapshot(org_id(), &snapshot.to_string())?;
    let field = if sobject == "Attachment" {
        "Body"
    } else {
        "VersionData"
    };
    let mut out = Vec::new();
    let state = State::at(vault, &info);
    let length = bodies::body(vault, &state, sobject, field, id, &mut |piece| {
        out.extend_from_slice(piece);
        Ok(())
    })?;
    assert_eq!(length, out.len() as u64);
    Ok(out)
}

/// Every body of the org is in the newest snapshot, byte for byte.
#[track_caller]
fn all_there(vault: &Vault, org: &Org) {
    let newest = vault.snapshots(org_id()).unwrap().last().unwrap().number;
    for sobject in ["ContentVersion", "Attachment"] {
        let (prefix, files) = org.files(sobject);
        for (n, file) in files.iter().filter(|(_, file)| !file.deleted && !file.elsewhere) {
            let found = body(vault, newest, sobject, id(prefix, *n));
            assert!(found.unwrap() == file.body, "{sobject} {n}");
        }
    }
}

#[test]
fn nothing_is_fetched_twice() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.version(1, 1, noise(1, 3_000_000));
    org.version(2, 2, noise(2, 40));
    org.version(3, 3, Vec::new());
    org.attachment(1, noise(3, 500));
    org.attachment(2, noise(4, 600));
    let (report, files) = take(&vault, &mut org);
    assert_eq!((files, report.complete(), report.spent.files), (4, true, 4));
    all_there(&vault, &org);

    // A quiet day, a title that is edited, a full read.
    assert_eq!(take(&vault, &mut org).1, 0);
    org.touch(1, |file| file.name = "other.txt".into());
    let (report, files) = take(&vault, &mut org);
    assert_eq!((files, report.complete()), (0, true));
    let full = BackupOptions {
        full: true,
        ..BackupOptions::default()
    };
    backup(&vault, &mut org, &full, &mut |_| ()).unwrap();
    assert_eq!(org.asked.len(), 4);

    // A new version of equal content in the same document; of the same content in another; of other content.
    org.version(4, 1, noise(1, 3_000_000));
    assert_eq!(take(&vault, &mut org).1, 0);
    org.version(5, 9, noise(1, 3_000_000));
    let (report, files) = take(&vault, &mut org);
    assert!(
        files == 1 && report.bytes_added < 100_000,
        "{}",
        report.bytes_added
    );
    org.version(6, 1, noise(5, 3_000_000));
    assert_eq!(take(&vault, &mut org).1, 1);

    // Two new versions of one new document and equal content in one capture.
    org.version(7, 7, noise(7, 70));
    org.version(8, 7, noise(7, 70));
    assert_eq!(take(&vault, &mut org).1, 1);

    // An attachment whose stamp moved, and one whose length did.
    let again = org.attachments[&1].body.clone();
    org.attachment(1, again);
    assert_eq!(take(&vault, &mut org).1, 1);
    org.attachment(2, noise(8, 601));
    assert_eq!(take(&vault, &mut org).1, 1);
    all_there(&vault, &org);
    assert_eq!(
        body(&vault, 1, "Attachment", id("00P", 2)).unwrap(),
        noise(4, 600)
    );

    // Deleted, and back.
    org.touch(2, |file| file.deleted = true);
    take(&vault, &mut org);
    let gone = body(
        &vault,
        vault.snapshots(org_id()).unwrap().last().unwrap().number,
        "ContentVersion",
        id("068", 2),
    );
    assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
    org.touch(2, |file| file.deleted = false);
    assert_eq!(take(&vault, &mut org).1, 0);
    all_there(&vault, &org);
    let report = check(
        &vault,
        &CheckOptions {
            level: Level::All,
            ..CheckOptions::default()
        },
    )
    .unwrap();
    assert!(report.is_sound() && report.states_unproved == 0, "{report:?}");
}

#[test]
fn what_cannot_be_had_is_said_and_asked_for_again_now_and_then() {
    let (_, vault) = vault();
    let mut org = Org::new();
    for n in 0..12 {
        org.attachment(n, noise(n, 100 + n as usize));
    }
    org.version(1, 1, noise(50, 5000));
    org.version(2, 2, noise(51, 10));
    org.versions.get_mut(&2).unwrap().elsewhere = true;
    org.spoilt.insert(id("068", 1));
    org.refused.extend((0..12).map(|n| id("00P", n)));
    let (report, files) = take(&vault, &mut org);
    // The spoilt one is asked for twice.
    assert!(files == 14 && !report.complete(), "{files}");
    let told: Vec<_> = report
        .missing_bodies
        .iter()
        .map(|m| (m.sobject.as_str(), m.rows, m.reason.as_str()))
        .collect();
    assert_eq!(told[0], ("Attachment.Body", 12, "403 FORBIDDEN"));
    assert!(
        told[1].0 == "ContentVersion.VersionData" && told[1].2.contains("another length or MD5"),
        "{told:?}"
    );
    let standing = |report: &Report, name: &str| {
        let one = report.sobjects.iter().find(|s| s.name == name).unwrap();
        one.standing.clone()
    };
    assert_eq!(standing(&report, "Attachment.Body"), "short 12");
    let error = body(&vault, 1, "Attachment", id("00P", 3)).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    // Five are tried, and the spoilt one, twice.
    let (report, files) = take(&vault, &mut org);
    assert!(files == 7 && report.missing_bodies[0].rows == 12, "{files}");
    // The third of them comes, and so do those behind it.
    org.refused.retain(|asked| *asked < id("00P", 2));
    org.spoilt.clear();
    let (report, files) = take(&vault, &mut org);
    assert_eq!(
        (
            files,
            report.missing_bodies[0].rows,
            standing(&report, "Attachment.Body")
        ),
        (13, 2, "short 2".into())
    );
    org.refused.clear();
    let (report, files) = take(&vault, &mut org);
    assert!(files == 2 && report.complete() && report.missing_bodies.is_empty());
    all_there(&vault, &org);
}

#[test]
fn a_source_without_bodies_and_a_user_who_wants_none() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.attachment(1, noise(1, 10));
    org.silent = true;
    let (report, _) = take(&vault, &mut org);
    let told = &report.missing_bodies[0];
    assert_eq!(
        (told.rows, told.reason.as_str()),
        (1, "this source gives no file bodies")
    );
    org.silent = false;
    let without = BackupOptions {
        files: false,
        ..BackupOptions::default()
    };
    let report = backup(&vault, &mut org, &without, &mut |_| ()).unwrap();
    assert!(org.asked.is_empty() && report.missing_bodies.is_empty());
    assert_eq!(take(&vault, &mut org).1, 1);
    all_there(&vault, &org);
    // While none are wanted an attachment changes: that is not forgotten.
    org.attachment(1, noise(2, 10));
    backup(&vault, &mut org, &without, &mut |_| ()).unwrap();
    assert_eq!(take(&vault, &mut org).1, 1);
    all_there(&vault, &org);
}

#[test]
fn a_capture_that_stops_goes_on_behind_the_last_durable_body() {
    let mut org = Org::new();
    for n in 0..30 {
        org.attachment(n, noise(n, 2000 + n as usize));
    }
    org.version(1, 1, noise(99, 1_500_000));
    for each in [1, 2, 7, 16] {
        let (_, vault) = vault();
        let mut org = org.clone();
        let (mut runs, options) = (
            1,
            BackupOptions {
                save_every: 1,
                ..BackupOptions::default()
            },
        );
        let report = loop {
            org.left = Some(each);
            (org.calls, org.before) = (0, org.asked.len());
            match backup(&vault, &mut org, &options, &mut |_| ()) {
                Ok(report) => break report,
                Err(error) => assert_eq!(error.kind(), Kind::Quota),
            }
            runs += 1;
            assert!(runs < 40, "{} asked for", org.asked.len());
        };
        assert_eq!((org.asked.len(), runs), (31, 31_u64.div_ceil(each)));
        assert!(
            report.complete() && report.spent.files == 31 && vault.snapshots(org_id()).unwrap().len() == 1
        );
        all_there(&vault, &org);
    }
}

#[derive(Default)]
struct Blobs(
    BTreeSet<(ChunkKind, String)>,
    Vec<halite_engine::base::id::PackId>,
);

impl Visit for Blobs {
    fn chunk(&mut self, seen: &Seen<'_>) -> Result<()> {
        if seen.kind == ChunkKind::Blob {
            self.0.insert((seen.kind, seen.owner.sobject.unwrap().to_owned()));
            self.1.extend(seen.at.iter().map(|at| at.pack));
        }
        Ok(())
    }

    fn draft(&mut self, _: OrgId, _: &halite_engine::base::id::PackId) -> Result<()> {
        Ok(())
    }
}

fn blobs(vault: &Vault) -> Blobs {
    let mut blobs = Blobs::default();
    walk(vault, &vault.catalog(), &mut blobs).unwrap();
    blobs
}

#[test]
fn upkeep_keeps_what_is_named_and_takes_what_is_not() {
    let (store, vault) = vault();
    let mut org = Org::new();
    org.attachment(1, noise(1, 2_500_000));
    org.attachment(2, noise(2, 2_500_000));
    take(&vault, &mut org);
    org.attachment(1, noise(3, 2_500_000));
    take(&vault, &mut org);
    assert_eq!(blobs(&vault).0.len(), 1);
    let full = |store: &Memory| -> u64 {
        let packs = store.list("packs/").unwrap();
        packs.iter().map(|name| store.size(name).unwrap()).sum()
    };
    let before = full(&store);

    // The first snapshot goes, and with it the body that it alone had.
    let policy = Policy {
        last: 1,
        ..Policy::default()
    };
    retain::execute(&vault, &retain::plan(&vault, org_id(), &policy).unwrap()).unwrap();
    let all = CompactOptions {
        all: true,
        keep_single: 0,
    };
    compact(&vault, &all, &mut |_| ()).unwrap();
    for _ in 0..3 {
        let options = PruneOptions {
            max_unused: 0.0,
            grace: 0,
        };
        prune(&vault, &options).unwrap();
    }
    let after = full(&store);
    assert!(after + 2_300_000 < before, "{before} to {after}");
    all_there(&vault, &org);
    assert_eq!(take(&vault, &mut org).1, 0);

    // A record that is erased takes its body along; the same body of another stays.
    org.attachment(3, noise(2, 2_500_000));
    take(&vault, &mut org);
    let gone = erase(
        &vault,
        org_id(),
        &[id("00P", 1), id("00P", 2)],
        &EraseOptions::default(),
        &mut |_| (),
    )
    .unwrap();
    assert!(gone.proof.holds() && gone.records == 4, "{gone:?}");
    org.attachments.remove(&1);
    org.attachments.remove(&2);
    all_there(&vault, &org);
    assert!(full(&store) + 2_300_000 < after, "{}", full(&store));
    let report = check(
        &vault,
        &CheckOptions {
            level: Level::All,
            ..CheckOptions::default()
        },
    )
    .unwrap();
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_body_that_is_lost_is_fetched_again() {
    let (store, vault) = vault();
    let mut org = Org::new();
    org.attachment(1, noise(1, 3_000_000));
    org.version(1, 1, noise(2, 1000));
    take(&vault, &mut org);
    let pack = blobs(&vault).1[0];
    let (name, bytes) = (pack_name(&pack), store.get(&pack_name(&pack)).unwrap());
    let mut spoilt = bytes;
    spoilt[300_000] ^= 1;
    store.delete(&name).unwrap();
    store.put_new(&name, &spoilt).unwrap();
    let error = body(&vault, 1, "Attachment", id("00P", 1)).unwrap_err();
    assert_eq!(error.kind(), Kind::Corrupt, "{error}");
    let report = repair(&vault).unwrap();
    assert_eq!((report.losses_entered, report.packs_condemned), (1, 1));
    assert!(body(&vault, 1, "Attachment", id("00P", 1)).is_err());
    assert_eq!(
        body(&vault, 1, "ContentVersion", id("068", 1)).unwrap(),
        noise(2, 1000)
    );
    assert_eq!(take(&vault, &mut org).1, 1);
    all_there(&vault, &org);
    // What is there again is no loss any more, in the old state too.
    assert_eq!(repair(&vault).unwrap().losses_taken_back, 1);
    assert_eq!(
        body(&vault, 1, "Attachment", id("00P", 1)).unwrap(),
        noise(1, 3_000_000)
    );
    assert_eq!(take(&vault, &mut org).1, 0);
}

#[test]
fn a_prune_spares_pieces_on_which_a_backup_relies_meanwhile() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.attachment(1, noise(1, 2_500_000));
    org.attachment(2, noise(2, 10));
    take(&vault, &mut org);
    org.attachment(1, noise(3, 10));
    take(&vault, &mut org);
    let policy = Policy {
        last: 1,
        ..Policy::default()
    };
    retain::execute(&vault, &retain::plan(&vault, org_id(), &policy).unwrap()).unwrap();
    let all = CompactOptions {
        all: true,
        keep_single: 0,
    };
    compact(&vault, &all, &mut |_| ()).unwrap();
    let at_once = PruneOptions {
        max_unused: 0.0,
        grace: 0,
    };
    // When this is planned nothing names the pieces of the first body; when it is done something does.
    let plan = halite_engine::ops::prune::plan(&vault, &at_once).unwrap();
    org.attachment(3, noise(1, 2_500_000));
    let (report, _) = take(&vault, &mut org);
    assert!(
        report.bytes_added < 100_000,
        "they are there: {}",
        report.bytes_added
    );
    halite_engine::ops::prune::execute(&vault, &plan).unwrap();
    for _ in 0..2 {
        prune(&vault, &at_once).unwrap();
    }
    all_there(&vault, &org);
}

#[test]
fn an_import_says_nothing_of_bodies() {
    let (_, vault) = vault();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("Attachment.Body.ndjson"),
        "{\"Id\":\"00P000000000001\",\"Pieces\":\"x\"}\n",
    )
    .unwrap();
    let at = "2026-01-02".parse().unwrap();
    let error = halite_engine::ops::import::import(&vault, org_id(), at, dir.path(), false, &mut |_| ());
    assert_eq!(error.unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn an_export_writes_each_under_its_id_with_its_ending() {
    let (_, vault) = vault();
    let mut org = Org::new();
    org.attachment(1, noise(1, 500));
    org.version(1, 1, noise(2, 600));
    org.version(2, 2, noise(3, 700));
    org.versions.get_mut(&2).unwrap().name = "../no.t/x".into();
    take(&vault, &mut org);
    let dir = tempfile::tempdir().unwrap();
    let state = State::at(&vault, &vault.snapshots(org_id()).unwrap()[0]);
    let written = halite_engine::ops::export::files(&vault, &state, None, dir.path()).unwrap();
    assert_eq!(
        written,
        [
            ("Attachment.Body".into(), 1),
            ("ContentVersion.VersionData".into(), 2)
        ]
    );
    for (path, wanted) in [
        (format!("Attachment.Body/{}.txt", id("00P", 1)), noise(1, 500)),
        (
            format!("ContentVersion.VersionData/{}.txt", id("068", 1)),
            noise(2, 600),
        ),
        (
            format!("ContentVersion.VersionData/{}", id("068", 2)),
            noise(3, 700),
        ),
    ] {
        assert!(std::fs::read(dir.path().join(&path)).unwrap() == wanted, "{path}");
    }
}
