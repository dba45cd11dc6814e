//! Records chosen by when they went or changed: random histories with merges and dropped snapshots, against a plain map.
//!
//! Key decision: the rule is written anew, over the org as it was at each snapshot. What only a dropped snapshot saw may be
//! known or not, as merges had it; all else must be. Not here: users and kin, which the command's tests choose by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halite_engine::base::id::RecordId;
use halite_engine::ops::diff::ChangeKind;
use halite_engine::ops::restore::between::{Scope, Span, plan};
use halite_engine::store::memory::Memory;
use proptest::prelude::*;

use crate::capture::model_diff;
use crate::merging::{Step, Truth, Under, step};

type Truths = BTreeMap<u64, Truth>;

/// What went, or what changed, in a span.
fn happened(truths: &Truths, (a, b): (u64, u64), went: bool) -> BTreeSet<RecordId> {
    let states: Vec<&Truth> = truths.range(a..=b).map(|(_, truth)| truth).collect();
    let mut ids = BTreeSet::new();
    for pair in states.windows(2) {
        let differ = model_diff(pair[0], pair[1]).into_iter();
        let differ = differ.filter(|(_, kind)| !went || *kind == ChangeKind::Deleted);
        ids.extend(differ.map(|(id, _)| id));
    }
    ids
}

/// Plans from each of some states, by each of some spans.
fn check(under: &Under, all: &Truths) {
    let kept: Vec<u64> = under.truths.keys().copied().collect();
    let now = kept[kept.len() - 1];
    for at in [kept[0], kept[kept.len() / 2]] {
        let differ = model_diff(&under.truths[&at], &under.truths[&now]);
        let lost = differ
            .into_iter()
            .filter(|(_, kind)| *kind != ChangeKind::Created);
        let lost: BTreeSet<RecordId> = lost.map(|(id, _)| id).collect();
        for ends in kept
            .windows(2)
            .map(|w| (w[0], w[1]))
            .chain([(kept[0], now)])
            .filter(|(a, b)| a < b)
        {
            for went in [true, false] {
                let span = Span::new(under.find(ends.0), under.find(ends.1)).unwrap();
                let (deleted, changed) = if went {
                    (Some(span), None)
                } else {
                    (None, Some(span))
                };
                let scope = Scope {
                    deleted,
                    changed,
                    ..Scope::default()
                };
                let plan = plan(&under.vault, &under.find(at), &under.find(now), &scope).unwrap();
                let found: BTreeSet<RecordId> = plan.operations.iter().map(|op| op.id).collect();
                let known = &happened(&under.truths, ends, went) & &lost;
                let most = &happened(all, ends, went) & &lost;
                assert!(
                    found.is_superset(&known),
                    "{at} {ends:?} {went}: {found:?} lacks of {known:?}"
                );
                assert!(
                    found.is_subset(&most),
                    "{at} {ends:?} {went}: {found:?} beyond {most:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_happened_in_a_span_is_chosen(steps in proptest::collection::vec(step(), 1..60)) {
        let mut under = Under::begin(Arc::new(Memory::new()));
        let mut all = Truths::new();
        under.backup(true, 1 << 20);
        let last = Step::Backup { full: false, memory: 1 << 20 };
        for step in steps.iter().chain([&last]) {
            under.take(step);
            all.extend(under.truths.clone());
        }
        check(&under, &all);
    }
}
