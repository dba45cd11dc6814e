//! Tests of the index: in line with the packs, gone wrong in every way a file can, never believed half.
//!
//! Key decision: the packs of the tests are a plain map, and after each damage the index must agree with it.
//! Nothing here tests redb itself.

use std::collections::BTreeMap;

use super::*;
use crate::format::seal::ChunkKind;

const VAULT: [u8; 16] = [9; 16];

fn pack(n: u8) -> PackId {
    PackId([n; 32])
}

fn chunk(n: u32) -> ChunkId {
    ChunkId(*blake3::hash(&n.to_le_bytes()).as_bytes())
}

/// Packs and the chunks they hold.
type World = BTreeMap<PackId, Vec<u32>>;

fn world(packs: &[(u8, std::ops::Range<u32>)]) -> World {
    packs
        .iter()
        .map(|(n, chunks)| (pack(*n), chunks.clone().collect()))
        .collect()
}

fn directory(world: &World, pack: &PackId) -> Result<Vec<DirEntry>> {
    let chunks = world
        .get(pack)
        .ok_or_else(|| Error::new(Kind::NotFound, "no such pack"))?;
    let entry = |(i, n): (usize, &u32)| {
        let location = Location {
            pack: *pack,
            offset: 44 + i as u32 * 100,
            len: 100,
        };
        DirEntry {
            id: chunk(*n),
            kind: ChunkKind::Ids,
            location,
            raw_len: 10,
        }
    };
    Ok(chunks.iter().enumerate().map(entry).collect())
}

/// Brings the index in line; says how many directories were read.
fn sync(index: &Index, world: &World) -> usize {
    let mut reads = 0;
    let load = &mut |pack: &PackId| {
        reads += 1;
        directory(world, pack)
    };
    index.sync(&world.keys().copied().collect(), load).unwrap();
    reads
}

/// The index says of every chunk below `max` what the packs say.
fn agrees(index: &Index, world: &World, max: u32) {
    assert_eq!(index.packs(), world.keys().copied().collect());
    let ids: Vec<_> = (0..max).map(chunk).collect();
    let mut places: BTreeMap<ChunkId, BTreeSet<Location>> = BTreeMap::new();
    for entry in world.keys().flat_map(|pack| directory(world, pack).unwrap()) {
        places.entry(entry.id).or_default().insert(entry.location);
    }
    let none = BTreeSet::new();
    for (n, found) in index.get_many(&ids).unwrap().into_iter().enumerate() {
        let places = places.get(&ids[n]).unwrap_or(&none);
        assert_eq!(found.is_some(), !places.is_empty(), "chunk {n}");
        assert!(found.is_none_or(|at| places.contains(&at)), "chunk {n}");
        if n % 8 == 0 {
            assert_eq!(
                index
                    .places(&ids[n])
                    .unwrap()
                    .into_iter()
                    .collect::<BTreeSet<_>>(),
                *places,
                "chunk {n}"
            );
        }
    }
}

fn file(dir: &Path) -> PathBuf {
    fs::read_dir(dir).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn it_follows_the_live_packs() {
    let dir = tempfile::tempdir().unwrap();
    for dir in [None, Some(dir.path())] {
        let index = Index::open(dir, &VAULT).unwrap();
        assert_eq!(index.get(&chunk(1)).unwrap(), None);
        let first = world(&[(1, 0..50), (2, 40..90)]);
        assert_eq!((sync(&index, &first), sync(&index, &first)), (2, 0));
        agrees(&index, &first, 100);
        // Chunks 40 to 49 stand in both packs: they stay when one goes.
        let second = world(&[(2, 40..90), (3, 80..100)]);
        assert_eq!(sync(&index, &second), 1);
        agrees(&index, &second, 110);
        // A pack that comes back is read again.
        assert_eq!(sync(&index, &first), 1);
        agrees(&index, &first, 110);
        assert_eq!(sync(&index, &World::new()), 0);
        agrees(&index, &World::new(), 110);
    }
}

#[test]
fn it_is_kept_between_openings() {
    let dir = tempfile::tempdir().unwrap();
    let first = world(&[(1, 0..2000), (2, 1990..2500)]);
    sync(&Index::open(Some(dir.path()), &VAULT).unwrap(), &first);
    let index = Index::open(Some(dir.path()), &VAULT).unwrap();
    assert_eq!(sync(&index, &first), 0);
    agrees(&index, &first, 2600);
    let entries = directory(&world(&[(3, 7000..7010)]), &pack(3)).unwrap();
    index
        .add_pack(&pack(3), entries.iter().map(|e| (e.id, e.location)))
        .unwrap();
    assert_eq!(index.get(&chunk(7001)).unwrap().unwrap().pack, pack(3));
    drop(index);
    // Whether the pack was kept or not: it is not live, so it does not count.
    let index = Index::open(Some(dir.path()), &VAULT).unwrap();
    sync(&index, &first);
    agrees(&index, &first, 2600);
    assert_eq!(index.get(&chunk(7001)).unwrap(), None);
}

#[test]
fn a_file_in_use_or_of_another_vault_is_not_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let packs = world(&[(1, 0..50)]);
    let one = Index::open(Some(dir.path()), &VAULT).unwrap();
    sync(&one, &packs);
    let two = Index::open(Some(dir.path()), &VAULT).unwrap();
    assert_eq!(sync(&two, &packs), 1, "the second one has its own in memory");
    agrees(&two, &packs, 60);
    agrees(&one, &packs, 60);
    drop((one, two));
    // The first eight bytes name the file; the rest decides whose it is.
    let mut other = VAULT;
    other[15] = 1;
    let index = Index::open(Some(dir.path()), &other).unwrap();
    assert!(index.packs().is_empty());
    assert_eq!(sync(&index, &packs), 1);
    let blocked = dir.path().join("a file");
    fs::write(&blocked, b"x").unwrap();
    assert_eq!(sync(&Index::open(Some(&blocked), &VAULT).unwrap(), &packs), 1);
}

#[test]
fn a_damaged_file_is_never_believed() {
    let dir = tempfile::tempdir().unwrap();
    let packs = world(&[(1, 0..900), (2, 850..1200)]);
    sync(&Index::open(Some(dir.path()), &VAULT).unwrap(), &packs);
    let path = file(dir.path());
    let sound = fs::read(&path).unwrap();
    let mut dice = blake3::Hasher::new().finalize_xof();
    for round in 0..60 {
        let mut torn = sound.clone();
        let mut at = [0; 8];
        dice.fill(&mut at);
        let at = usize::try_from(u64::from_le_bytes(at) % torn.len() as u64).unwrap();
        match round % 3 {
            0 => torn[at] ^= 0x20,
            1 => torn.truncate(at),
            _ => torn[at & !4095..].iter_mut().take(4096).for_each(|b| *b = 0),
        }
        fs::write(&path, &torn).unwrap();
        let index = Index::open(Some(dir.path()), &VAULT).unwrap();
        sync(&index, &packs);
        agrees(&index, &packs, 1250);
    }
    for junk in [&b""[..], b"not a database", &[0xff; 8192]] {
        fs::write(&path, junk).unwrap();
        let index = Index::open(Some(dir.path()), &VAULT).unwrap();
        assert_eq!(sync(&index, &packs), 2);
        agrees(&index, &packs, 1250);
    }
}

#[test]
fn an_entry_that_does_not_fit_its_check_empties_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let packs = world(&[(1, 0..50)]);
    let index = Index::open(Some(dir.path()), &VAULT).unwrap();
    sync(&index, &packs);
    let wrong = Location {
        pack: pack(1),
        offset: 4444,
        len: 100,
    };
    let mut stored = value(&chunk(7), &wrong);
    stored[0] ^= 1;
    {
        let state = index.write();
        let tx = state.db.begin_write().unwrap();
        tx.open_table(CHUNKS)
            .unwrap()
            .insert(&key(&chunk(7), 0), &stored)
            .unwrap();
        tx.commit().unwrap();
    }
    assert!(index.get(&chunk(6)).unwrap().is_some());
    assert_eq!(index.get(&chunk(7)).unwrap_err().kind(), Kind::Busy);
    assert!(index.packs().is_empty() && !dir.path().join(file_name()).exists());
    let live = packs.keys().copied().collect();
    let found = index
        .locate(&[chunk(7)], &live, &mut |p| directory(&packs, p))
        .unwrap();
    assert_eq!(found[0].unwrap().offset, 44 + 700);
    agrees(&index, &packs, 60);
}

fn file_name() -> String {
    format!("index-{}.redb", "09".repeat(8))
}

#[test]
fn a_pack_that_cannot_be_read_is_an_error_and_covers_nothing() {
    let index = Index::open(None, &VAULT).unwrap();
    let packs = world(&[(1, 0..50)]);
    let live = [pack(1), pack(2)].into();
    let e = index.sync(&live, &mut |p| directory(&packs, p)).unwrap_err();
    assert_eq!(e.kind(), Kind::NotFound);
    assert!(!index.packs().contains(&pack(2)));
    assert_eq!(sync(&index, &packs), 1);
    agrees(&index, &packs, 60);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(40))]
    #[test]
    fn any_history_of_live_packs_agrees(steps in proptest::collection::vec(
        proptest::collection::btree_map(0..8_u8, (0..60_u32, 0..40_u32), 0..6), 1..8)) {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::open(Some(dir.path()), &VAULT).unwrap();
        let mut contents: BTreeMap<u8, std::ops::Range<u32>> = BTreeMap::new();
        for (n, step) in steps.iter().enumerate() {
            // A pack id always means the same chunks.
            let packs: Vec<_> = step.iter().map(|(n, (from, len))| {
                (*n, contents.entry(*n).or_insert(*from..from + len).clone())
            }).collect();
            let packs = world(&packs);
            sync(&index, &packs);
            agrees(&index, &packs, 100);
            if n % 2 == 0 {
                drop(index);
                index = Index::open(Some(dir.path()), &VAULT).unwrap();
            }
        }
    }
}
