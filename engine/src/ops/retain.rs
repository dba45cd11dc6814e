//! Which snapshots stay: a policy as a pure function, its plan as a value, and the commit that drops the rest.
//!
//! Key decision: what the plan says is looked at once more in the commit that carries it out, so that a hold made in
//! between is respected. Only entries go: what the dropped snapshots alone saw takes room until runs are merged and
//! packs pruned. It never deletes a pack.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::OrgId;
use crate::base::stamp::Stamp;
use crate::format::entry::{named, numbered, prefix};
use crate::vault::catalog::{Catalog, SnapshotInfo};
use crate::vault::commit::Edit;
use crate::vault::open::Vault;

/// What a policy keeps; a count of zero is a rule that is not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// The last so many.
    pub last: u32,
    /// The newest of each of the last so many hours that have a snapshot; by U, in UTC.
    pub hourly: u32,
    /// The same of days.
    pub daily: u32,
    /// The same of weeks, which begin on Monday.
    pub weekly: u32,
    /// The same of months.
    pub monthly: u32,
    /// The same of years.
    pub yearly: u32,
    /// All within so many milliseconds before the newest snapshot: an org that is not backed up any more loses nothing.
    pub within: Option<i64>,
}

/// Why a snapshot stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The newest of its org always stays.
    Newest,
    /// A hold is on it.
    Held,
    /// One of the last.
    Last,
    /// Young enough.
    Within,
    /// The newest of an hour.
    Hourly,
    /// The newest of a day.
    Daily,
    /// The newest of a week.
    Weekly,
    /// The newest of a month.
    Monthly,
    /// The newest of a year.
    Yearly,
}

/// What a policy does to the snapshots of one org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainPlan {
    /// The org.
    pub org: OrgId,
    /// What stays, oldest first, and every rule that keeps it.
    pub kept: Vec<(SnapshotInfo, Vec<Rule>)>,
    /// What goes, oldest first.
    pub dropped: Vec<SnapshotInfo>,
}

/// The number of the period that an instant is in.
type Period = fn(Stamp) -> i64;

/// Chooses. `snapshots` are those of one org, oldest first; `held` the numbers under a hold.
pub fn choose(
    policy: &Policy,
    snapshots: &[SnapshotInfo],
    held: &BTreeSet<u64>,
) -> BTreeMap<u64, BTreeSet<Rule>> {
    let mut kept: BTreeMap<u64, BTreeSet<Rule>> = BTreeMap::new();
    let mut order: Vec<&SnapshotInfo> = snapshots.iter().collect();
    order.sort_by_key(|s| std::cmp::Reverse((s.from, s.number)));
    let mut keep = |number: u64, rule| {
        kept.entry(number).or_default().insert(rule);
    };
    if let Some(newest) = snapshots.iter().map(|s| s.number).max() {
        keep(newest, Rule::Newest);
    }
    for snapshot in snapshots.iter().filter(|s| held.contains(&s.number)) {
        keep(snapshot.number, Rule::Held);
    }
    for snapshot in order.iter().take(policy.last as usize) {
        keep(snapshot.number, Rule::Last);
    }
    if let (Some(within), Some(newest)) = (policy.within, order.first()) {
        let since = newest.from.minus_millis(within);
        order
            .iter()
            .filter(|s| s.from >= since)
            .for_each(|s| keep(s.number, Rule::Within));
    }
    let rules: [(u32, Rule, Period); 5] = [
        (policy.hourly, Rule::Hourly, |at| {
            at.millis().div_euclid(3_600_000)
        }),
        (policy.daily, Rule::Daily, |at| at.date().0),
        // The first day of 1970 was a Thursday.
        (policy.weekly, Rule::Weekly, |at| (at.date().0 + 3).div_euclid(7)),
        (policy.monthly, Rule::Monthly, |at| {
            let (year, month, _) = at.date().1;
            year * 12 + month
        }),
        (policy.yearly, Rule::Yearly, |at| at.date().1.0),
    ];
    for (count, rule, period) in rules {
        let mut last = None;
        let firsts = order
            .iter()
            .filter(|s| last.replace(period(s.from)) != Some(period(s.from)));
        firsts.take(count as usize).for_each(|s| keep(s.number, rule));
    }
    kept
}

/// What a policy would do to an org.
///
/// # Errors
/// `Invalid` for a policy without a rule: it would drop everything but the newest.
pub fn plan(vault: &Vault, org: OrgId, policy: &Policy) -> Result<RetainPlan> {
    if *policy == Policy::default() {
        return Err(
            Error::invalid("no rule says what to keep").hint("give at least one, for instance --keep-last 7")
        );
    }
    let catalog = vault.refresh()?;
    let snapshots = catalog.snapshots(org)?;
    let mut rules = choose(policy, &snapshots, &held(&catalog, org, vault.clock.now())?);
    let mut plan = RetainPlan {
        org,
        kept: Vec::new(),
        dropped: Vec::new(),
    };
    for snapshot in snapshots {
        match rules.remove(&snapshot.number) {
            Some(rules) => plan.kept.push((snapshot, rules.into_iter().collect())),
            None => plan.dropped.push(snapshot),
        }
    }
    Ok(plan)
}

/// Carries a plan out; gives what was dropped. A snapshot that came under a hold since the plan was made stays.
pub fn execute(vault: &Vault, plan: &RetainPlan) -> Result<Vec<SnapshotInfo>> {
    let mut dropped = Vec::new();
    if plan.dropped.is_empty() {
        return Ok(dropped);
    }
    vault.commit(&[], &mut |edit| {
        let held = held(&edit.before, plan.org, vault.clock.now())?;
        dropped.clone_from(&plan.dropped);
        dropped.retain(|s| !held.contains(&s.number));
        remove(edit, plan.org, &mut dropped)?;
        let detail = format!("{} kept, {} dropped", plan.kept.len(), dropped.len());
        edit.log("retain", Some(plan.org), detail);
        Ok(())
    })?;
    Ok(dropped)
}

/// Drops the snapshots that are named.
///
/// # Errors
/// `Busy` if one is under a hold, `Invalid` if one is the newest of its org; nothing is dropped then.
pub fn forget(vault: &Vault, org: OrgId, snapshots: &[SnapshotInfo]) -> Result<()> {
    vault
        .commit(&[], &mut |edit| {
            let held = held(&edit.before, org, vault.clock.now())?;
            if let Some(snapshot) = snapshots.iter().find(|s| held.contains(&s.number)) {
                return Err(Error::new(
                    Kind::Busy,
                    format!("snapshot {} is under a hold", snapshot.number),
                )
                .hint("`halite holds` tells which; `halite release` lets it go"));
            }
            let newest = edit.before.snapshots(org)?.pop();
            if let Some(newest) = newest.filter(|newest| snapshots.contains(newest)) {
                return Err(
                    Error::invalid(format!("snapshot {} is the newest of org {org}", newest.number))
                        .hint("the next backup builds on it; `halite forget --org ID --all` forgets the org"),
                );
            }
            let mut dropped = snapshots.to_vec();
            remove(edit, org, &mut dropped)?;
            let numbers: Vec<String> = dropped.iter().map(|s| s.number.to_string()).collect();
            edit.log("forget", Some(org), format!("snapshots {}", numbers.join(", ")));
            Ok(())
        })
        .map(drop)
}

/// Drops an org with all that hangs on it, and the grants of those names. What was erased stays known as erased.
///
/// # Errors
/// `Busy` while a hold is on one of its snapshots; `NotFound` if the vault does not know the org.
pub fn forget_org(vault: &Vault, org: OrgId, grants: &[String]) -> Result<()> {
    vault
        .commit(&[], &mut |edit| {
            let count = edit.before.snapshots(org)?.len();
            if !held(&edit.before, org, vault.clock.now())?.is_empty() {
                return Err(
                    Error::new(Kind::Busy, format!("org {org} has snapshots under a hold"))
                        .hint("`halite holds` tells which; `halite release` lets them go"),
                );
            }
            let Some(node) = edit.before.node(org) else {
                return Err(
                    Error::new(Kind::NotFound, format!("the vault knows no org {org}"))
                        .hint("`halite snapshots` lists what is there"),
                );
            };
            let keys: Vec<Vec<u8>> = node
                .scan(&[])
                .map(|(key, _)| key.to_vec())
                .filter(|key| key.first() != Some(&prefix::ERASURE))
                .collect();
            keys.iter().for_each(|key| edit.node(Some(org)).remove(key));
            for name in grants {
                edit.node(None).remove(&named(prefix::GRANT, name.as_bytes()));
            }
            edit.log("forget", Some(org), format!("the whole org, {count} snapshots"));
            Ok(())
        })
        .map(drop)
}

/// The snapshots of an org that are under a hold at `now`.
fn held(catalog: &Catalog, org: OrgId, now: Stamp) -> Result<BTreeSet<u64>> {
    let holds = catalog.holds(org)?.into_iter();
    Ok(holds
        .filter(|(_, hold)| hold.holds(now))
        .map(|(_, hold)| hold.snapshot)
        .collect())
}

/// Takes out the entries of snapshots that are still there under the same name, and the holds on them, which have
/// ended; `dropped` is left with what went. The newest stays.
fn remove(edit: &mut Edit<'_>, org: OrgId, dropped: &mut Vec<SnapshotInfo>) -> Result<()> {
    let mut there = edit.before.snapshots(org)?;
    there.pop();
    dropped.retain(|s| there.iter().any(|t| t.name == s.name));
    let ended = edit.before.holds(org)?;
    for snapshot in dropped.iter() {
        let holds = ended.iter().filter(|(_, hold)| hold.snapshot == snapshot.number);
        for (name, _) in holds {
            edit.node(Some(org)).remove(&named(prefix::HOLD, name));
        }
        edit.node(Some(org))
            .remove(&numbered(prefix::SNAPSHOT, snapshot.number));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::SnapshotId;
    use proptest::prelude::*;

    fn taken(at: &[i64]) -> Vec<SnapshotInfo> {
        let one = |(n, at): (u64, &i64)| SnapshotInfo {
            number: n,
            name: SnapshotId([u8::try_from(n % 251).unwrap(); 16]),
            org: OrgId::MIN,
            from: Stamp::from_millis(*at),
            until: Stamp::from_millis(*at),
            taken: Stamp::from_millis(*at),
            source: String::new(),
        };
        (1..).zip(at).map(one).collect()
    }

    fn at(text: &str) -> i64 {
        text.parse::<Stamp>().unwrap().millis()
    }

    /// The model: for each period by its text, the newest; then the last so many periods.
    fn model(count: u32, snapshots: &[SnapshotInfo], period: impl Fn(&str) -> String) -> BTreeSet<u64> {
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        for s in snapshots {
            newest.insert(period(&s.from.to_string()), s.number);
        }
        newest.into_values().rev().take(count as usize).collect()
    }

    proptest! {
        #[test]
        fn the_rules_keep_what_a_plain_model_keeps(
            gaps in proptest::collection::vec(0..40 * 86_400_000_i64, 1..60),
            counts in proptest::array::uniform5(0..6_u32), within in proptest::option::of(0..90 * 86_400_000_i64),
            held in proptest::collection::btree_set(1..60_u64, 0..4),
        ) {
            let mut now = at("2023-11-20");
            let times: Vec<i64> = gaps.iter().map(|gap| { now += gap; now }).collect();
            let snapshots = taken(&times);
            let [last, hourly, daily, monthly, yearly] = counts;
            let policy = Policy { last, hourly, daily, weekly: 0, monthly, yearly, within };
            let kept = choose(&policy, &snapshots, &held);
            let of = |rule| kept.iter().filter(|(_, rules)| rules.contains(&rule)).map(|(n, _)| *n).collect::<BTreeSet<_>>();
            prop_assert_eq!(of(Rule::Hourly), model(hourly, &snapshots, |t| t[..13].to_owned()));
            prop_assert_eq!(of(Rule::Daily), model(daily, &snapshots, |t| t[..10].to_owned()));
            prop_assert_eq!(of(Rule::Monthly), model(monthly, &snapshots, |t| t[..7].to_owned()));
            prop_assert_eq!(of(Rule::Yearly), model(yearly, &snapshots, |t| t[..4].to_owned()));
            let count = snapshots.len() as u64;
            prop_assert_eq!(of(Rule::Last), (1..=count).rev().take(last as usize).collect::<BTreeSet<_>>());
            let young = |s: &&SnapshotInfo| within.is_some_and(|w| s.from.millis() >= now - w);
            prop_assert_eq!(of(Rule::Within), snapshots.iter().filter(young).map(|s| s.number).collect::<BTreeSet<_>>());
            prop_assert_eq!(of(Rule::Held), held.into_iter().filter(|n| *n <= count).collect::<BTreeSet<_>>());
            prop_assert_eq!(of(Rule::Newest), BTreeSet::from([count]));
        }
    }

    #[test]
    fn weeks_begin_on_monday_in_utc() {
        // 2026-11-22 is a Sunday.
        let times = [
            "2026-11-22T23:59:59Z",
            "2026-11-23T00:00:00Z",
            "2026-11-29T12:00:00Z",
        ]
        .map(at);
        let policy = Policy {
            weekly: 9,
            ..Policy::default()
        };
        let kept = choose(&policy, &taken(&times), &BTreeSet::new());
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), [1, 3]);
    }
}
