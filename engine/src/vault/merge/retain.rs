//! Which versions of one record stay when runs are merged, and what they then say.
//!
//! Key decision: a pure function over the keys of one Id, so that the rule can be tried against a plain model. It
//! follows `docs/upkeep.md`, "What a merge keeps". It reads no values and knows no runs.

use crate::base::id::ContentHash;
use crate::format::page::{KeyRow, VersionKind};

/// A version that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its keys, as they are written.
    pub key: KeyRow,
    /// Which version of the input has its values, if it is written with some.
    pub values: Option<usize>,
}

/// Of the versions of one Id (newest first, of one snapshot the one that counts first) those that stay: what a
/// snapshot of `kept` (ascending) sees, and the newest, added to `into`. `oldest`: no run is below these.
pub fn retain(versions: &[KeyRow], kept: &[u64], oldest: bool, into: &mut Vec<Kept>) {
    // Most have one, and nothing to weigh: no memory is asked for.
    if let [only] = versions {
        let values = (only.kind == VersionKind::Value).then_some(0);
        into.extend((only.kind.is_live() || !oldest).then_some(Kept { key: *only, values }));
        return;
    }
    let mut stay: Vec<usize> = Vec::new();
    let mut newer = None;
    for (i, version) in versions.iter().enumerate() {
        let from = kept.partition_point(|&k| k < version.snapshot);
        let seen = kept
            .get(from)
            .is_some_and(|&k| newer.is_none_or(|newer| k < newer));
        if newer.is_none() || (seen && newer != Some(version.snapshot)) {
            stay.push(i);
        }
        newer = Some(version.snapshot);
    }
    // Below the oldest there is nothing that a tombstone could hide.
    while oldest && stay.last().is_some_and(|&i| !versions[i].kind.is_live()) {
        stay.pop();
    }
    let mut below = versions.last().map_or(ContentHash::NONE, |v| v.replaced);
    let (mut given, first) = (None, into.len());
    for &i in stay.iter().rev() {
        let mut key = versions[i];
        let source = (i..versions.len()).find(|&j| versions[j].kind == VersionKind::Value);
        // Stamps alone need a version below that has the values; if there is none any more, this one takes them.
        if key.kind == VersionKind::Stamps && source.is_some() && source != given {
            key.kind = VersionKind::Value;
        }
        let values = source.filter(|_| key.kind == VersionKind::Value);
        given = values.or(given);
        key.replaced = below;
        below = key.hash;
        into.push(Kept { key, values });
    }
    into[first..].reverse();
}

#[cfg(test)]
mod tests {
    use super::{Kept, KeyRow, VersionKind};
    use crate::base::id::ContentHash;
    use crate::base::stamp::Stamp;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// What a capture does: (snapshot, content or none if it is gone, stamp), each unlike the one before.
    fn history(steps: &[(u64, Option<u8>)]) -> Vec<KeyRow> {
        let mut versions: Vec<KeyRow> = Vec::new();
        let mut snapshot = 0;
        for (i, (step, content)) in steps.iter().enumerate() {
            snapshot += step;
            let was = versions
                .last()
                .filter(|v| v.kind.is_live())
                .map_or(ContentHash::NONE, |v| v.hash);
            let hash = content.map_or(ContentHash::NONE, |c| ContentHash([c + 1; 16]));
            let kind = match content {
                None if was == ContentHash::NONE => continue,
                None => VersionKind::Deleted,
                Some(_) if hash == was => VersionKind::Stamps,
                Some(_) => VersionKind::Value,
            };
            versions.push(KeyRow {
                id: "a01000000000001".parse().unwrap(),
                snapshot,
                kind,
                schema: 1,
                hash,
                replaced: was,
                system: Stamp::from_millis(i as i64),
                modified: Stamp::NONE,
                modified_by: None,
                winner: None,
            });
        }
        versions.reverse();
        versions
    }

    fn retain(versions: &[KeyRow], kept: &[u64], oldest: bool) -> Vec<Kept> {
        let mut stay = Vec::new();
        super::retain(versions, kept, oldest, &mut stay);
        stay
    }

    /// The version in force at a snapshot: its content, its stamp, and the content that its values would have.
    fn at(
        versions: &[(KeyRow, Option<ContentHash>)],
        snapshot: u64,
    ) -> Option<(ContentHash, Stamp, ContentHash)> {
        let i = versions.iter().position(|(v, _)| v.snapshot <= snapshot)?;
        let key = versions[i].0;
        if !key.kind.is_live() {
            return None;
        }
        let values = versions[i..].iter().find_map(|(_, values)| *values);
        Some((key.hash, key.system, values.unwrap_or(ContentHash::NONE)))
    }

    proptest! {
        #[test]
        fn kept_snapshots_see_what_they_saw(
            steps in proptest::collection::vec((1..3_u64, proptest::option::weighted(0.8, 0..3_u8)), 1..12),
            dropped in proptest::collection::vec(any::<bool>(), 40), oldest: bool,
        ) {
            let all = history(&steps);
            let kept: Vec<u64> = (1..40).filter(|&k| !dropped[k as usize]).collect();
            let result = retain(&all, &kept, oldest);
            let own = |v: &KeyRow| (v.kind == VersionKind::Value).then_some(v.hash);
            let before: Vec<_> = all.iter().map(|v| (*v, own(v))).collect();
            let after: Vec<_> = result.iter().map(|k| (k.key, k.values.map(|i| all[i].hash))).collect();
            for snapshot in kept.iter().copied().chain([40]) {
                prop_assert_eq!(at(&before, snapshot), at(&after, snapshot), "at {}", snapshot);
            }
            // Nothing stays that nobody sees, each says what it replaced, and again changes nothing.
            let seen: BTreeSet<u64> = kept.iter().chain([&40])
                .filter_map(|k| all.iter().find(|v| v.snapshot <= *k)).map(|v| v.snapshot).collect();
            let mut below = ContentHash::NONE;
            for Kept { key, values } in result.iter().rev() {
                prop_assert!(seen.contains(&key.snapshot));
                prop_assert_eq!(key.replaced, below);
                prop_assert_eq!(values.is_some(), key.kind == VersionKind::Value);
                prop_assert!(key.kind != VersionKind::Stamps || key.hash == key.replaced);
                below = key.hash;
            }
            let keys: Vec<KeyRow> = result.iter().map(|k| k.key).collect();
            let again: Vec<KeyRow> = retain(&keys, &kept, oldest).iter().map(|k| k.key).collect();
            prop_assert_eq!(keys, again);
            if oldest {
                prop_assert!(result.last().is_none_or(|k| k.key.kind.is_live()));
            }
        }
    }

    #[test]
    fn of_one_snapshot_the_first_counts_and_takes_the_values() {
        let mut all = history(&[(5, Some(1)), (0, Some(1))]);
        assert_eq!(
            (all[0].kind, all[0].snapshot, all[1].snapshot),
            (VersionKind::Stamps, 5, 5)
        );
        all[1].replaced = ContentHash([9; 16]);
        let kept = retain(&all, &[5, 6], false);
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].key.kind, kept[0].values), (VersionKind::Value, Some(1)));
        assert_eq!(
            (kept[0].key.system, kept[0].key.replaced),
            (all[0].system, ContentHash([9; 16]))
        );
    }
}
