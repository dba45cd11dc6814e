//! Golden bytes of what names pages: run directories, the catalog, its entries, manifests, digests.
//!
//! Key decision: as in the module above: the value stands here, its bytes as length and hash.
//! It is not a test of how they hang together: that is the vault of `vault.rs`.

use halite_engine::base::id::{ContentHash, PackId, SnapshotId};
use halite_engine::base::stamp::Stamp;
use halite_engine::format::catalog::{Head, Node};
use halite_engine::format::digest::Digest;
use halite_engine::format::draft::{DoneSlot, DraftHead, SeenIds, Slot, UnderWay};
use halite_engine::format::entry::{
    DraftEntry, ObjectEntry, PackEntry, RunEntry, SchemaEntry, SnapshotEntry, numbered, of_sobject, prefix,
};
use halite_engine::format::kind::ChunkKind;
use halite_engine::format::loss::{HoleEntry, LossEntry};
use halite_engine::format::manifest::{Captured, Manifest};
use halite_engine::format::mark::{
    ActivityEntry, CondemnedEntry, Ended, ErasureEntry, HoldEntry, MasterEntry,
};
use halite_engine::format::pack::PackRole;
use halite_engine::format::page::{IdHash, id_hash};
use halite_engine::format::run::{Filter, PageEntry, PartEntry, RunHead, RunPart};

use super::{at, chunk, id, meta, same, versions};

/// A filter of ten bits an Id, as docs/format.md says.
fn ten_bits(hashes: &[IdHash]) -> Vec<u8> {
    let mut filter = vec![0; (hashes.len() * 10).div_ceil(8)];
    let bits = filter.len() as u64 * 8;
    let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
    for hash in hashes {
        let (a, b) = (half(&hash[..8]), half(&hash[8..]) | 1);
        for bit in (0..7).map(|i| a.wrapping_add(b.wrapping_mul(i)) % bits) {
            filter[(bit / 8) as usize] |= 1 << (bit % 8);
        }
    }
    filter
}

#[test]
fn a_run_directory() {
    let hashes: Vec<_> = versions().iter().map(|v| id_hash(&[9; 32], v.id)).collect();
    let page = PageEntry {
        first: id("a01000000000001"),
        last: id("a01000000000zz9"),
        rows: 4,
        span: (0, 2),
        continued: false,
        keys: chunk(1),
        values: Some(chunk(2)),
        derived: Some(chunk(3)),
    };
    let other = PageEntry {
        first: page.last,
        last: id("a0100000000Z000"),
        span: (300, 300),
        continued: true,
        values: None,
        derived: None,
        keys: chunk(4),
        ..page
    };
    let part = RunPart {
        pages: vec![page.clone(), other.clone()],
        filter: Filter::of(&hashes),
    };
    let now = part.encode();
    same("run part", &now, 324, "72904403a94931000c82c927a44bd1b6");
    // Its filter has 8 bytes behind their number. There were ten bits an Id once.
    let before = [&now[..now.len() - 9], &[10], &ten_bits(&hashes)].concat();
    same(
        "run part of before",
        &before,
        326,
        "978bc06d18fe86a81ecf89ca9b8a075f",
    );
    let read = RunPart::decode(&before).unwrap();
    assert!(read.pages == part.pages && hashes.iter().all(|hash| read.filter.may_hold(hash)));
    assert_eq!(RunPart::decode(&part.encode()).unwrap(), part);
    let parts = [&page, &other].map(|p| PartEntry {
        first: p.first,
        last: p.last,
        part: meta(5),
    });
    let head = RunHead {
        sobject: "Every__c".into(),
        rows: 1000,
        parts: parts.into(),
    };
    same(
        "run head",
        &head.encode(),
        281,
        "322ff958a9fceca5b4a145e90632f024",
    );
    assert_eq!(RunHead::decode(&head.encode()).unwrap(), head);
}

#[test]
fn a_catalog() {
    let mut node = Node::default();
    node.put(numbered(prefix::SNAPSHOT, 1), b"one".to_vec());
    node.put(numbered(prefix::SNAPSHOT, 0x0102), b"two".to_vec());
    node.put(of_sobject(prefix::RUN, "Every__c", &[1, 2, 0]), b"run".to_vec());
    node.rebase();
    node.put(numbered(prefix::SNAPSHOT, 3), b"three".to_vec());
    node.remove(&numbered(prefix::SNAPSHOT, 1));
    same(
        "catalog base",
        &node.encode_base(),
        69,
        "80d1b14c899a99aaed9e7622b632ec62",
    );
    same(
        "catalog overlay",
        &node.encode_overlay(),
        30,
        "c862b4132b4a28eb5c10fe1e53264cfe",
    );
    let numbers: Vec<u8> = node.scan(b"S").map(|(key, _)| key[8]).collect();
    assert_eq!(numbers, [3, 2], "3 before 0x0102");
    let mut head = Head {
        version: 300,
        ..Head::default()
    };
    head.nodes.insert(None, (meta(1), meta(2)));
    head.nodes.insert(Some(id("00D000000000001")), (meta(3), meta(4)));
    same(
        "catalog head",
        &head.encode(),
        437,
        "912c2d6dc6fc5a0ddc351911960d5965",
    );
    assert_eq!(Head::decode(&head.encode()).unwrap(), head);
}

#[test]
fn entries_of_a_catalog() {
    let snapshot = SnapshotEntry {
        name: SnapshotId([0xab; 16]),
        from: at("2026-01-02T00:00:00.000Z"),
        until: at("2026-01-02T00:05:00.000Z"),
        taken: Stamp::NONE,
        source: "rest 67.0".into(),
        manifest: meta(1),
    };
    same(
        "snapshot entry",
        &snapshot.encode(),
        153,
        "975dad0033ecf83b0c3c5f346a07e187",
    );
    assert_eq!(SnapshotEntry::decode(&snapshot.encode()).unwrap(), snapshot);
    let object = ObjectEntry {
        schema: 2,
        snapshot: 300,
        live: 1_000_000,
        read_from: snapshot.from,
        content: Digest([1; 32]),
        stamps: Digest([2; 32]),
        key_prefix: *b"a01",
        agreed: snapshot.from,
        left_out: 1,
        out_of_sight: 300,
    };
    same(
        "object entry",
        &object.encode(),
        89,
        "016acdd82bf927f1e30a67169caabaaf",
    );
    assert_eq!(ObjectEntry::decode(&object.encode()).unwrap(), object);
    let run = RunEntry {
        low: 1,
        high: 300,
        rows: 5,
        head: meta(2),
    };
    same(
        "run entry",
        &run.encode(),
        109,
        "eae24e65306791190915d406df05bf1f",
    );
    assert_eq!(RunEntry::decode(&run.encode()).unwrap(), run);
    let schema = SchemaEntry {
        schema: meta(3),
        describe: Some(meta(4)),
    };
    same(
        "schema entry",
        &schema.encode(),
        210,
        "6dc7d9a678e0c47df7801fb412490cf9",
    );
    assert_eq!(SchemaEntry::decode(&schema.encode()).unwrap(), schema);
    let pack = PackEntry {
        role: PackRole::Metadata,
        since: 300,
    };
    assert_eq!(pack.encode(), [1, 1, 0xac, 2]);
    assert_eq!(PackEntry::decode(&pack.encode()).unwrap(), pack);
    let draft = DraftEntry {
        from: snapshot.from,
        fence: 3,
        packs: vec![PackId([7; 32])],
        slots: vec![b"slot".to_vec(), Vec::new()],
    };
    same(
        "draft entry",
        &draft.encode(),
        48,
        "f5c78bdc95df1a6de465fb66eaa805c1",
    );
    assert_eq!(DraftEntry::decode(&draft.encode()).unwrap(), draft);
}

#[test]
fn slots_of_a_draft() {
    let head = DraftHead {
        number: 300,
        after: Some(SnapshotId([5; 16])),
        options: "full false".into(),
        user: id("005000000000001"),
        source: "rest 67.0".into(),
        saved: at("2026-01-02T00:00:00.000Z"),
        spent: [300, 2, 70_000, 1],
        ended: None,
    };
    same(
        "draft head",
        &head.encode(),
        69,
        "88f3071ba00737574ee93ab5336e963a",
    );
    assert_eq!(DraftHead::decode(&head.encode()).unwrap(), head);
    let ended = DraftHead {
        ended: Some(at("2026-01-02T01:00:00.000Z")),
        ..head
    };
    same(
        "draft head of a worker that ended",
        &ended.encode(),
        75,
        "91fc35fee6675ed7ec59f18d76d2c8fd",
    );
    assert_eq!(DraftHead::decode(&ended.encode()).unwrap(), ended);
    let captured = Captured {
        name: "Account".into(),
        schema: 2,
        read: 300,
        live: 299,
        counted: Some(299),
        out_of_sight: 1,
        agreed: at("2026-01-01T00:00:00.000Z"),
        ..Captured::default()
    };
    let done = Slot::Done(DoneSlot {
        captured: captured.clone(),
        failed: true,
        runs: vec![(300, meta(3))],
        schema: Some(SchemaEntry {
            schema: meta(3),
            describe: None,
        }),
        read_from: at("2026-01-01T00:00:00.000Z"),
        key_prefix: *b"001",
        filled: vec![chunk(1).id],
    });
    same(
        "slot that is done",
        &done.encode(),
        352,
        "b8a587df6964772530ef3f516e24a590",
    );
    assert_eq!(Slot::decode(&done.encode()).unwrap(), done);
    let under = Slot::UnderWay(UnderWay {
        captured,
        schema: chunk(2).id,
        since: Stamp::NONE,
        covered: at("2026-01-01T00:00:00.000Z"),
        read: true,
        position: Some(b"q 5".to_vec()),
        runs: vec![(300, meta(3))],
        seen: SeenIds {
            ends: vec![10, 300],
            chunks: vec![chunk(4)],
        },
    });
    same(
        "slot under way",
        &under.encode(),
        328,
        "b4d3348f1ee0db858ef61cc732db147a",
    );
    assert_eq!(Slot::decode(&under.encode()).unwrap(), under);
}

#[test]
fn marks_of_a_catalog() {
    let made = at("2026-01-02T00:00:00.000Z");
    let condemned = CondemnedEntry {
        condemned: true,
        since: 300,
        at: made,
    };
    same(
        "condemned entry",
        &condemned.encode(),
        10,
        "ccc9b4544d6accba04da32730466d438",
    );
    assert_eq!(CondemnedEntry::decode(&condemned.encode()).unwrap(), condemned);
    let hold = HoldEntry {
        snapshot: 7,
        made,
        until: Stamp::NONE,
        reason: "lawsuit".into(),
    };
    same(
        "hold entry",
        &hold.encode(),
        26,
        "d916bdc162e7edc1dd2226de53bcc6e7",
    );
    assert_eq!(HoldEntry::decode(&hold.encode()).unwrap(), hold);
    let loss = LossEntry {
        kind: 2,
        at: made,
        what: "Every__c a01 to a02".into(),
    };
    same(
        "loss entry",
        &loss.encode(),
        28,
        "b28b98de3d97e2a9ad6b3debc262eec8",
    );
    assert_eq!(LossEntry::decode(&loss.encode()).unwrap(), loss);
    let hole = HoleEntry {
        kind: ChunkKind::PageKeys,
        low: 3,
        filled: 300,
        first: id("a01000000000001"),
        last: id("a01000000000002"),
    };
    same(
        "hole entry",
        &hole.encode(),
        35,
        "200b930f296d931f699f886f06bb780f",
    );
    assert_eq!(HoleEntry::decode(&hole.encode()).unwrap(), hole);
    let erasure = ErasureEntry { at: made };
    same(
        "erasure entry",
        &erasure.encode(),
        7,
        "218e731a4207545c74b6109cc3dc4483",
    );
    assert_eq!(ErasureEntry::decode(&erasure.encode()).unwrap(), erasure);
    let master = MasterEntry { since: 300, at: made };
    assert_eq!(MasterEntry::decode(&master.encode()).unwrap(), master);
    assert_eq!(master.encode()[..3], [1, 0xac, 2]);
    assert_eq!(master.encode()[3..], erasure.encode()[1..]);
}

#[test]
fn a_line_of_the_activity_log() {
    let line = ActivityEntry {
        at: at("2026-01-02T03:04:05.000Z"),
        verb: "backup".into(),
        org: Some(id("00D000000000001")),
        detail: "snapshot 3".into(),
        began: at("2026-01-02T03:00:00.000Z"),
        asked_by: "ada".into(),
        user: "Integration (005000000000001)".into(),
        connection: "acme".into(),
        ended: Ended::Paused,
        as_set: true,
        counts: vec![("calls".into(), 300), ("rows".into(), 0)],
    };
    same(
        "activity entry",
        &line.encode(),
        103,
        "3ffac235c4d1a04fa526c6a887b221e1",
    );
    assert_eq!(ActivityEntry::decode(&line.encode()).unwrap(), line);
    // What version 1 wrote.
    let mut old = vec![1];
    old.extend(
        &ActivityEntry {
            at: line.at,
            ..ActivityEntry::default()
        }
        .encode()[1..7],
    );
    old.extend(b"\x06forget\x00\x0b3 snapshots");
    let read = ActivityEntry::decode(&old).unwrap();
    assert_eq!(
        (read.at, read.verb.as_str(), read.detail.as_str()),
        (line.at, "forget", "3 snapshots")
    );
    assert_eq!(
        (read.began, read.ended, read.asked_by.as_str()),
        (Stamp::NONE, Ended::Done, "")
    );
}

#[test]
fn a_manifest() {
    let captured = Captured {
        name: "Every__c".into(),
        skipped: None,
        schema: 2,
        read: 1,
        created: 2,
        edited: 3,
        stamps: 4,
        deleted: 5,
        refused: 6,
        live: 700,
        counted: Some(0),
        left_out: 7,
        out_of_sight: 300,
        agreed: at("2026-01-02T00:00:00.000Z"),
        content: Digest([1; 32]),
        stamps_digest: Digest([2; 32]),
    };
    let skipped = Captured {
        name: "Event__e".into(),
        skipped: Some("a platform event is not stored".into()),
        ..Captured::default()
    };
    let manifest = Manifest {
        org: id("00D000000000001"),
        name: SnapshotId([0xab; 16]),
        number: 300,
        from: at("2026-01-02T00:00:00.000Z"),
        until: at("1969-12-31T23:59:59.999Z"),
        source: "rest 67.0".into(),
        sobjects: vec![captured, skipped],
    };
    same(
        "manifest",
        &manifest.encode(),
        270,
        "87cce1047f8107058ec639082365ee38",
    );
    assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
}

#[test]
fn a_digest() {
    let (key, id) = ([3; 32], id("a01000000000001"));
    let mut sum = Digest::content(&key, "Every__c", id, &ContentHash([0x11; 16]));
    let stamp = at("2026-01-02T03:04:05.000Z");
    sum.add(&Digest::stamps(&key, "Every__c", id, stamp, Stamp::NONE));
    same("digest", &sum.0, 32, "5f79ebc0be19dbf2d92f5f1718f8f6b9");
}
