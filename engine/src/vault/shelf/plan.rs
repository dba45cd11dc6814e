//! What is going to be read: chunks grouped by pack, so that asking for one of a group brings all of it.
//!
//! Key decision: a plan says and does nothing: it costs no request until somebody asks, and is gone with its guard. Gaps
//! that take less time than a request are read through. A group that was brought three times, since memory did not hold
//! it, is not brought again: then chunks come one by one. It knows neither kinds nor places.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::base::id::PackId;
use crate::vault::shelf::{REQUEST_MAX, Stretch, lock};

/// Bytes between two chunks that are read and thrown away rather than asking twice.
pub(super) const GAP: u64 = 256 << 10;
/// How often a group is brought.
const TIMES: u32 = 3;
/// Groups that are looked at.
const LOOKS: usize = 8;
/// The shortest longest group.
const LEAST: u64 = 1 << 20;

#[derive(Debug, Clone, Copy)]
struct Group {
    len: u64,
    plans: u32,
    /// Of these, plans that know just what will be read; those of walks are a guess.
    sure: u32,
    brought: u32,
}

/// The plans in force.
pub(super) struct Plans {
    most: u64,
    groups: BTreeMap<(PackId, u64), Group>,
}

impl Plans {
    /// `bytes`: what memory holds. Each thread may be in a group of its own, and none shall push out another's.
    pub fn new(bytes: usize) -> Self {
        let share = bytes / (2 * rayon::current_num_threads());
        Self {
            most: (share as u64).clamp(LEAST, REQUEST_MAX),
            groups: BTreeMap::new(),
        }
    }

    /// The group around what is wanted: one of a sure plan before one of a walk, so that all threads take the same; then
    /// the longest.
    pub fn around(&self, wanted: &Stretch) -> Option<Stretch> {
        let before = self
            .groups
            .range(..=(wanted.pack, wanted.start))
            .rev()
            .take(LOOKS);
        let around = before.filter_map(|(&(pack, start), group)| {
            let len = group.len;
            let stretch = Stretch { pack, start, len };
            let fits = group.brought < TIMES && stretch.covers(wanted);
            fits.then_some((group.sure > 0, len, stretch))
        });
        around.max().map(|(.., stretch)| stretch)
    }

    /// Notes that a group was fetched.
    pub fn brought(&mut self, whole: &Stretch) {
        let group = self.groups.get_mut(&(whole.pack, whole.start));
        if let Some(group) = group.filter(|group| group.len == whole.len) {
            group.brought += 1;
        }
    }
}

/// Stretches in order of their places, those that are near each other as one, with the number of those in it.
pub(super) fn join(
    stretches: impl IntoIterator<Item = Stretch>,
    gap: u64,
    most: u64,
) -> impl Iterator<Item = (Stretch, usize)> {
    let mut all: Vec<Stretch> = stretches.into_iter().collect();
    all.sort_unstable();
    let mut joined: Vec<(Stretch, usize)> = Vec::new();
    for next in all {
        match joined.last_mut() {
            Some((last, count))
                if last.pack == next.pack
                    && next.start <= last.end() + gap
                    && next.end().max(last.end()) - last.start <= most =>
            {
                last.len = next.end().max(last.end()) - last.start;
                *count += 1;
            }
            _ => joined.push((next, 1)),
        }
    }
    joined.into_iter()
}

/// A plan, as long as it is held.
pub(crate) struct Expected<'s> {
    plans: &'s Mutex<Plans>,
    keys: Vec<(PackId, u64)>,
    sure: bool,
}

impl<'s> Expected<'s> {
    pub(super) fn new(
        plans: &'s Mutex<Plans>,
        stretches: impl Iterator<Item = Stretch>,
        most: u64,
        sure: bool,
    ) -> Self {
        let most = most.min(lock(plans).most);
        // One chunk is no group.
        let groups: Vec<_> = join(stretches, GAP, most)
            .filter(|(_, count)| *count > 1)
            .collect();
        let mut known = lock(plans);
        for (stretch, _) in &groups {
            let group = known
                .groups
                .entry((stretch.pack, stretch.start))
                .or_insert(Group {
                    len: 0,
                    plans: 0,
                    sure: 0,
                    brought: 0,
                });
            group.len = group.len.max(stretch.len);
            group.plans += 1;
            group.sure += u32::from(sure);
        }
        drop(known);
        let keys = groups
            .iter()
            .map(|(stretch, _)| (stretch.pack, stretch.start))
            .collect();
        Self { plans, keys, sure }
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let mut known = lock(self.plans);
        for key in &self.keys {
            if let Some(group) = known.groups.get_mut(key) {
                group.plans -= 1;
                group.sure -= u32::from(self.sure);
                if group.plans == 0 {
                    known.groups.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(pack: u8, start: u64, len: u64) -> Stretch {
        Stretch {
            pack: PackId([pack; 32]),
            start,
            len,
        }
    }

    #[test]
    fn neighbours_are_joined_across_small_gaps_up_to_a_length() {
        let all = [
            (1, 100, 10),
            (1, 0, 10),
            (1, 111, 9),
            (2, 120, 10),
            (1, 400, 10),
            (1, 405, 1),
        ];
        let all = all.map(|(pack, start, len)| stretch(pack, start, len));
        let joined: Vec<_> = join(all, 100, 1000).collect();
        let whole = [
            (stretch(1, 0, 120), 3),
            (stretch(1, 400, 10), 2),
            (stretch(2, 120, 10), 1),
        ];
        assert_eq!(joined, whole);
        let joined: Vec<_> = join(all, 100, 115).map(|(stretch, _)| stretch.len).collect();
        assert_eq!(joined, [110, 9, 10, 10]);
    }

    #[test]
    fn a_plan_is_gone_with_its_guard_and_brings_nothing_for_ever() {
        let plans = Mutex::new(Plans::new(64 << 20));
        let chunks = || [stretch(1, 0, 10), stretch(1, 20, 10), stretch(1, 9 << 20, 10)].into_iter();
        let wanted = stretch(1, 20, 10);
        let around = || lock(&plans).around(&wanted);
        {
            let one = Expected::new(&plans, chunks(), u64::MAX, false);
            let two = Expected::new(&plans, chunks(), u64::MAX, false);
            assert_eq!(around(), Some(stretch(1, 0, 30)));
            assert_eq!(
                lock(&plans).around(&stretch(1, 9 << 20, 10)),
                None,
                "one is no group"
            );
            assert_eq!(lock(&plans).around(&stretch(2, 20, 10)), None);
            drop(one);
            assert!(around().is_some());
            (0..TIMES).for_each(|_| lock(&plans).brought(&stretch(1, 0, 30)));
            assert_eq!(around(), None);
            drop(two);
        }
        assert!(lock(&plans).groups.is_empty());
    }

    #[test]
    fn who_knows_goes_before_who_guesses() {
        let plans = Mutex::new(Plans::new(64 << 20));
        let guess = [stretch(1, 0, 10), stretch(1, 20, 10), stretch(1, 40, 10)];
        let around = || lock(&plans).around(&stretch(1, 20, 10)).map(|group| group.len);
        let walk = Expected::new(&plans, guess.into_iter(), u64::MAX, false);
        assert_eq!(around(), Some(50));
        let sure = Expected::new(&plans, guess[1..].iter().copied(), u64::MAX, true);
        assert_eq!(around(), Some(30));
        drop(sure);
        assert_eq!(around(), Some(50));
        drop(walk);
        assert_eq!(around(), None);
    }
}
