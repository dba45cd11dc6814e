//! What stands on disk is for ever: fixed values and the exact bytes of format version 1 that they become.
//!
//! Key decision: the value stands here to be read, its bytes as length and BLAKE3; a failure prints the bytes in
//! full. Whoever changes a number here breaks every vault there is: a new format gets a new version instead.
//! It does not test sealing and packs (`format/pack/tests.rs`), nor that random values round-trip (each module).

use halite_engine::base::id::{ChunkId, ContentHash, PackId, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::format::blob;
use halite_engine::format::describe::Describe;
use halite_engine::format::pack::Location;
use halite_engine::format::page::{
    Cutter, KeyRow, Part, PartBuilder, VersionKind, decode_derived, decode_keys, encode_derived, encode_keys,
    id_hash,
};
use halite_engine::format::place::{ChunkRef, MetaRef};
use halite_engine::format::record::{Canon, CellKind, Mode, Rows};
use halite_engine::format::schema::Schema;
use halite_engine::format::seal::{Keys, MasterKey};

mod catalog;
mod vault;

/// A describe with a field of every type, and of every role.
pub(crate) const EVERY_TYPE: &str = r#"{"name":"Every__c","keyPrefix":"a01","fields":[
  {"name":"Id","type":"id"},{"name":"IsDeleted","type":"boolean"},{"name":"MasterRecordId","type":"reference"},
  {"name":"SystemModstamp","type":"datetime"},{"name":"LastModifiedDate","type":"datetime"},
  {"name":"LastModifiedById","type":"reference"},{"name":"Owner","type":"reference"},
  {"name":"FirstName","type":"string"},{"name":"LastName","type":"string"},{"name":"Name","type":"string"},
  {"name":"LastViewedDate","type":"datetime"},{"name":"Formula","type":"double","calculated":true},
  {"name":"A_Area","type":"textarea"},{"name":"A_Pick","type":"picklist"},{"name":"A_Multi","type":"multipicklist"},
  {"name":"A_Combo","type":"combobox"},{"name":"A_Email","type":"email"},{"name":"A_Phone","type":"phone"},
  {"name":"A_Url","type":"url"},{"name":"A_Secret","type":"encryptedstring","encrypted":true},
  {"name":"A_Category","type":"datacategorygroupreference"},
  {"name":"B_Flag","type":"boolean"},{"name":"B_Int","type":"int"},{"name":"B_Long","type":"long"},
  {"name":"B_Double","type":"double"},{"name":"B_Money","type":"currency"},{"name":"B_Percent","type":"percent"},
  {"name":"B_Byte","type":"byte"},{"name":"C_Date","type":"date"},{"name":"C_When","type":"datetime"},
  {"name":"C_Time","type":"time"},{"name":"D_Any","type":"anyType"},{"name":"D_Json","type":"json"},
  {"name":"D_Complex","type":"complexvalue"},{"name":"D_New","type":"a type of the future"},
  {"name":"E_Body","type":"base64"},{"name":"E_Address","type":"address"},{"name":"E_Place","type":"location"}]}"#;

/// The same bytes as ever.
#[track_caller]
fn same(what: &str, bytes: &[u8], len: usize, hash: &str) {
    let found = blake3::hash(bytes).to_hex();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert!(
        (bytes.len(), &found[..32]) == (len, hash),
        "{what}: {}, \"{}\"\n{hex}",
        bytes.len(),
        &found[..32]
    );
}

fn id(text: &str) -> RecordId {
    text.parse().unwrap()
}

fn at(text: &str) -> Stamp {
    text.parse().unwrap()
}

fn place(n: u8) -> Location {
    Location {
        pack: PackId([n; 32]),
        offset: 44 + 1000 * u32::from(n),
        len: 300,
    }
}

fn chunk(n: u8) -> ChunkRef {
    ChunkRef {
        id: ChunkId([n; 32]),
        at: place(n % 3),
    }
}

fn meta(n: u8) -> MetaRef {
    MetaRef {
        id: ChunkId([n; 32]),
        at: [place(1), place(2)],
    }
}

#[test]
fn a_schema() {
    let schema = Schema::of(&Describe::parse(EVERY_TYPE.as_bytes()).unwrap()).unwrap();
    same(
        "schema",
        &schema.encode(),
        446,
        "1895f539ad518ae4a6cca34d362b7780",
    );
    assert_eq!(Schema::decode(&schema.encode()).unwrap(), schema);
    let inferred = Schema::inferred("X__c", ["Name".to_owned(), "Id".to_owned()]).unwrap();
    assert_eq!(
        inferred.encode(),
        b"\x01\x04X__c\x02\x02Id\x00\x00\x00\x04Name\x09\x01\x00"
    );
}

/// One version of each kind, with and without stamps; the second has two versions.
fn versions() -> Vec<KeyRow> {
    let (one, two) = (ContentHash([0x11; 16]), ContentHash([0x22; 16]));
    let live = KeyRow {
        id: id("a01000000000001"),
        snapshot: 7,
        kind: VersionKind::Value,
        schema: 1,
        hash: one,
        replaced: ContentHash::NONE,
        system: at("2026-01-02T03:04:05.000Z"),
        modified: at("2026-01-02T03:04:00.000Z"),
        modified_by: Some(id("005000000000001")),
        winner: None,
    };
    let gone = KeyRow {
        hash: ContentHash::NONE,
        replaced: two,
        system: Stamp::NONE,
        modified: Stamp::NONE,
        modified_by: None,
        ..live
    };
    let of = |n: &str, kind, row: KeyRow| KeyRow {
        id: id(n),
        kind,
        ..row
    };
    vec![
        live,
        KeyRow {
            snapshot: 9,
            replaced: two,
            ..of("a01000000000002", VersionKind::Value, live)
        },
        KeyRow {
            hash: two,
            schema: 2,
            ..of("a01000000000002", VersionKind::Value, live)
        },
        KeyRow {
            replaced: one,
            system: at("2026-01-02T04:00:00.000Z"),
            ..of("a01000000000zz9", VersionKind::Stamps, live)
        },
        of("a01000000001000", VersionKind::Deleted, gone),
        of("a01000000001001", VersionKind::Purged, gone),
        KeyRow {
            winner: Some(live.id),
            system: live.system,
            ..of("a01000000001002", VersionKind::Merged, gone)
        },
        KeyRow {
            modified: live.modified,
            modified_by: Some(id("005000000000002")),
            ..of("a0100000000Z000", VersionKind::Vanished, gone)
        },
    ]
}

#[test]
fn keys_of_a_page() {
    let mut rows = versions();
    let (bytes, hashes) = encode_keys(7, &rows);
    assert_eq!(hashes[1] - hashes[0], 16 * 8, "{hashes:?}");
    same("page keys", &bytes, 266, "764d9df2f32e4fa6eacc71435a34a477");
    assert_eq!(decode_keys(7, &bytes).unwrap(), rows);
    rows[0].system = at("2026-01-02T03:04:05.678Z");
    let (bytes, _) = encode_keys(7, &rows);
    same(
        "page keys in milliseconds",
        &bytes,
        269,
        "15632ab64f943584edd0153e1e6a2e8d",
    );
    assert_eq!(decode_keys(7, &bytes).unwrap(), rows);
    let (alone, _) = encode_keys(7, &rows[4..5]);
    let mut want = b"\x01\x01".to_vec();
    want.extend(*b"\xf8\xe5\xd2\xe5\xee\xf3\x8d\x86\x8d\x99\xbc\x8a\x17");
    want.extend(*b"\x00\x0a\x00\x00\x00\x01");
    want.extend([0x22; 16]);
    want.extend(*b"\x00\x01\x00\x00\x00\x00\x00\x00\x00");
    assert_eq!(alone, want, "{alone:02x?}");
}

/// A column of each layout, with gaps, and of each kind of cell.
fn values() -> Vec<u8> {
    columns(0..8)
}

/// Those of them.
fn columns(wanted: std::ops::Range<usize>) -> Vec<u8> {
    let names = [
        "constant",
        "dictionary",
        "fixed",
        "ids",
        "instants",
        "mixed",
        "none",
        "plain",
    ];
    let mut part = PartBuilder::new(names.map(str::to_owned));
    let kinds = [
        CellKind::Text,
        CellKind::Bare,
        CellKind::Masked,
        CellKind::Raw,
        CellKind::Blob,
    ];
    for n in 0..10_usize {
        let mut push = |column: usize, kind, bytes: &[u8]| {
            if wanted.contains(&column) {
                part.push(column, kind, bytes);
            }
        };
        push(0, CellKind::Text, b"same");
        if n != 3 {
            push(1, CellKind::Bare, [&b"true"[..], b"false"][n % 2]);
        }
        push(2, CellKind::Bare, format!("{}", 10 + n).as_bytes());
        push(3, CellKind::Id, &id(&format!("0010000000abC0{n}")).to_18());
        push(
            4,
            CellKind::DateTime,
            format!("2026-01-02T03:04:0{n}.000Z").as_bytes(),
        );
        push(5, kinds[n % 5], format!("m{n}").as_bytes());
        if n % 2 == 1 {
            push(7, CellKind::Text, &b"abcdefghij"[..n]);
        }
        part.end_row();
    }
    let mut out = Vec::new();
    part.finish(&mut out);
    out
}

#[test]
fn values_of_a_page() {
    let bytes = values();
    same("page values", &bytes, 229, "e44b68ef92cec22ce3016950f9bc2528");
    let part = Part::decode(&bytes).unwrap();
    assert_eq!((part.rows, part.columns.len()), (10, 7));
    assert_eq!(part.get(9, "plain"), Some((CellKind::Text, &b"abcdefghi"[..])));
    assert_eq!(part.get(3, "dictionary"), None);
    assert_eq!(part.get(4, "mixed"), Some((CellKind::Blob, &b"m4"[..])));
    assert_eq!(part.get(5, "ids").unwrap().1, &id("0010000000abC05").to_18());
}

/// Builds before November 2026 wrote all columns in order of their names, as versions 1 and 2.
#[test]
fn values_of_a_page_as_they_were() {
    let alone = |column| columns(column..column + 1).split_off(3);
    let mut bytes = b"\x01\x0a\x07".to_vec();
    (0..8).for_each(|column| bytes.extend(alone(column)));
    same(
        "page values, version 1",
        &bytes,
        229,
        "9fac11a655595035fb2ab55ab98340fc",
    );
    let (old, new) = (Part::decode(&bytes).unwrap(), Part::decode(&values()).unwrap());
    for column in &new.columns {
        (0..10).for_each(|row| assert_eq!(old.get(row, &column.name), new.get(row, &column.name)));
    }
    let names = |part: &Part| part.columns.iter().map(|c| c.name.clone()).collect::<Vec<_>>();
    assert!(names(&old) == names(&new) && names(&new).is_sorted());
}

/// Two versions of one record, of which one field differs, and a record of its own.
#[test]
fn values_of_versions_side_by_side() {
    let mut part = PartBuilder::new(["m", "n"].map(str::to_owned));
    part.push(0, CellKind::Bare, b"1");
    part.push(1, CellKind::Text, b"x");
    part.end_row();
    part.push(1, CellKind::Text, b"x");
    part.end_version();
    part.push(0, CellKind::Bare, b"2");
    part.push(1, CellKind::Text, b"y");
    part.end_row();
    let mut bytes = Vec::new();
    part.finish(&mut bytes);
    let (m, n) = (
        *b"\x01m\x02\x01\x00\x01\x05\x01\x01\x02\x011\x012\x00\x01",
        *b"\x01n\x02\x00\x00\x00\x01\x02\x01x\x01y\x00\x01",
    );
    let want = [&b"\x04\x03\x02\x02\x01\x02"[..], &n, &m].concat();
    assert_eq!(bytes, want, "{bytes:02x?}");
    let before = [&b"\x02\x03\x02\x02\x01\x02"[..], &m, &n].concat();
    for bytes in [bytes, before] {
        versions_side_by_side(&Part::decode(&bytes).unwrap());
    }
}

fn versions_side_by_side(part: &Part) {
    assert_eq!(
        (part.get(1, "m"), part.get(1, "n")),
        (None, Some((CellKind::Text, &b"x"[..])))
    );
}

#[test]
fn derived_values_of_a_page() {
    let moment = at("2026-01-02T03:04:05.000Z");
    let bytes = encode_derived(&[moment; 10], &values());
    same(
        "derived, read at once",
        &bytes,
        237,
        "53e219770a33eadaa733d8cca217ad0a",
    );
    assert_eq!(decode_derived(&bytes).unwrap().0, [moment; 10]);
    let mut times = [moment; 10];
    times[9] = at("2026-01-02T03:04:06.001Z");
    let bytes = encode_derived(&times, &values());
    same(
        "derived, read at two times",
        &bytes,
        254,
        "12c84e32f5ec0fa1cac27c72e9d4973d",
    );
    assert_eq!(decode_derived(&bytes).unwrap().0, times);
}

#[test]
fn where_pages_end() {
    let mut cutter = Cutter::default();
    let start = id("a01000000000000").to_number();
    let ids = (0..2000_u32).map(|n| RecordId::from_number(start + u128::from(n) * 3).unwrap());
    let ends: Vec<usize> = (0..)
        .zip(ids)
        .filter(|(_, id)| cutter.ends_after(&id_hash(&[9; 32], *id), 1, 100))
        .map(|(n, _)| n)
        .collect();
    assert_eq!(
        ends,
        [226, 437, 647, 763, 847, 1034, 1227, 1422, 1487, 1686, 1900]
    );
}

/// What the org sent, and the record as it is hashed and kept.
#[test]
fn a_canonical_record() {
    let sent = r#" { "attributes" : {"type":"Every__c","url":"/x"}, "Id":"a01000000000001", "IsDeleted":false,
        "SystemModstamp":"2026-01-02T03:04:05.000+0000", "LastModifiedById":"005000000000001AAA",
        "B_Double":4.0E2, "B_Int":-0, "B_Money":1E+40, "B_Flag":true, "A_Area":"\u00e9\/\u0001\t\"\\ \ud83d\ude00",
        "A_Email":"", "A_Phone":null, "A_Secret":"***", "C_Date":"2026-02-29", "C_When":"2026-01-02T05:04:05+02:00",
        "C_Time":"01:02:03Z", "D_Any":4.50, "D_Json":{"b":[1, 2]}, "E_Address":{"city":"x"}, "Formula":2.50,
        "Name":"A B", "FirstName":" A ", "Owner":"005000000000002" } "#;
    let schema = Schema::of(&Describe::parse(EVERY_TYPE.as_bytes()).unwrap()).unwrap();
    let mut canon = Canon::new(schema.into(), &[5; 32], Mode::KeepRaw);
    let mut rows = Rows::default();
    canon.json(sent.as_bytes(), &mut rows).unwrap();
    let kept = concat!(
        r#"{"A_Area":"é/\u0001\t\"\\ 😀","A_Secret":{"$masked":"***"},"B_Double":400,"B_Flag":true,"B_Int":0,"#,
        r#""B_Money":1E+40,"C_Date":{"$raw":"2026-02-29"},"C_Time":"01:02:03.000Z","#,
        r#""C_When":"2026-01-02T03:04:05.000Z","D_Any":"4.50","D_Json":"{\"b\":[1, 2]}","FirstName":" A ","#,
        r#""Owner":"005000000000002AAA"}"#
    );
    let row = rows.rows[0];
    let text = String::from_utf8(rows.arena.clone()).unwrap();
    assert_eq!(&text[..kept.len()], kept);
    assert_eq!(
        &text[kept.len()..],
        r#"2.5"A B""#,
        "derived values follow, and are not hashed"
    );
    assert_eq!(
        row.hash.0,
        blake3::keyed_hash(&[5; 32], kept.as_bytes()).as_bytes()[..16]
    );
    assert_eq!(row.hash.to_string(), "57a8d56b181b8aa42b0de55ce6934ada");
    assert_eq!(
        (row.system, row.modified),
        (at("2026-01-02T03:04:05.000Z"), Stamp::NONE)
    );
    assert_eq!(
        (row.id, row.modified_by),
        (id("a01000000000001"), Some(id("005000000000001")))
    );
    assert_eq!((rows.refused, row.deleted), (1, false));
}

#[test]
fn where_a_body_is_cut_and_how_its_pieces_are_told() {
    let keys = Keys::derive(&MasterKey::from_bytes([7; 32]));
    let cutter = blob::Cutter::new(keys.blob_cut_table());
    let mut body = vec![0; 9 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut body);
    let (mut rest, mut lengths) = (&body[..], Vec::new());
    while !rest.is_empty() {
        let len = cutter.cut(rest);
        lengths.push(len);
        rest = &rest[len..];
    }
    let wanted = [
        1_741_522, 1_264_005, 1_168_499, 1_100_861, 1_271_767, 1_091_136, 1_420_242, 379_152,
    ];
    assert_eq!(lengths, wanted);
    let piece = |n: u8| blob::Piece {
        id: ChunkId([n; 32]),
        len: u32::from(n) + 1000,
    };
    let told = blob::write_pieces(&[piece(0x0a), piece(0xff)]);
    assert_eq!(told, format!("{}-1010 {}-1255", "0a".repeat(32), "ff".repeat(32)));
}
