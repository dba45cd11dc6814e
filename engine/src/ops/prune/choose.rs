//! Which packs go: those without a live byte, then those with the largest dead share, until little enough is left.
//!
//! Key decision: data and metadata each for itself, so that the many small dead nodes of old catalogs go although
//! they are little beside the data. What a commit itself leaves dead is let lie, or pruning would never come to rest.
//! It is a pure function.

use crate::format::pack::PackRole;
use crate::ops::prune::{PackUse, Survey};

/// The packs to be repacked, and those of which nothing is alive.
pub fn leaving(survey: &Survey, max_unused: f64) -> (Vec<PackUse>, Vec<PackUse>) {
    let of = |role| survey.packs.iter().filter(move |pack| pack.role == role).copied();
    let mut all = among(of(PackRole::Data).collect(), max_unused, 0);
    all.extend(among(of(PackRole::Metadata).collect(), max_unused, survey.idle()));
    all.into_iter().partition(|pack| pack.alive > 0)
}

/// `idle` bytes may be dead in any case. Once there are more, half of that is to be left: the commits that bring the others
/// away leave some dead themselves, and would be the reason of the next run.
fn among(mut packs: Vec<PackUse>, max_unused: f64, idle: u64) -> Vec<PackUse> {
    let alive: u64 = packs.iter().map(|pack| pack.alive).sum();
    let mut dead: u64 = packs.iter().map(|pack| pack.dead).sum();
    if dead <= idle {
        return Vec::new();
    }
    let share = |pack: &PackUse| pack.dead as f64 / (pack.alive + pack.dead).max(1) as f64;
    packs.sort_by(|a, b| share(b).total_cmp(&share(a)).then(a.pack.cmp(&b.pack)));
    let enough = |dead: u64| dead <= idle / 2 || dead as f64 <= max_unused * (alive + dead) as f64;
    let stay = packs.iter().position(|pack| {
        let stays = pack.alive > 0 && enough(dead);
        if !stays {
            dead -= pack.dead;
        }
        stays
    });
    packs.truncate(stay.unwrap_or(packs.len()));
    packs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::PackId;
    use proptest::prelude::*;

    fn pack(n: u8, alive: u64, dead: u64) -> PackUse {
        PackUse {
            pack: PackId([n; 32]),
            role: PackRole::Data,
            bytes: alive + dead,
            alive,
            dead,
        }
    }

    fn names(packs: &[PackUse]) -> Vec<u8> {
        packs.iter().map(|pack| pack.pack.0[0]).collect()
    }

    #[test]
    fn the_deadest_go_until_little_enough_is_left() {
        let packs = vec![
            pack(1, 100, 0),
            pack(2, 0, 5),
            pack(3, 20, 80),
            pack(4, 60, 40),
            pack(5, 97, 3),
        ];
        assert_eq!(names(&among(packs.clone(), 0.05, 0)), [2, 3, 4]);
        assert_eq!(names(&among(packs.clone(), 0.2, 0)), [2, 3]);
        assert_eq!(names(&among(packs.clone(), 0.0, 0)), [2, 3, 4, 5]);
        assert_eq!(names(&among(packs.clone(), 1.0, 0)), [2]);
        assert_eq!(names(&among(packs.clone(), 0.0, 86)), [2, 3]);
        assert!(among(packs, 0.0, 128).is_empty());
    }

    proptest! {
        #[test]
        fn no_more_is_left_dead_than_is_allowed(
            sizes in proptest::collection::vec((0..1000_u64, 0..1000_u64), 0..30), percent in 0..100_u32,
        ) {
            let packs: Vec<_> = (0..).zip(&sizes).map(|(n, (alive, dead))| pack(n, *alive, *dead)).collect();
            let share = f64::from(percent) / 100.0;
            let gone = names(&among(packs.clone(), share, 0));
            let stays = || packs.iter().filter(|p| !gone.contains(&p.pack.0[0]));
            let (dead, alive): (u64, u64) = (stays().map(|p| p.dead).sum(), sizes.iter().map(|s| s.0).sum());
            prop_assert!(dead as f64 <= share * (alive + dead) as f64);
            prop_assert!(stays().all(|p| p.alive > 0 || (p.dead == 0 && packs.iter().all(|p| p.dead == 0))));
        }
    }
}
