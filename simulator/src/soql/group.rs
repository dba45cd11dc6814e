//! Queries that give groups: keys, measures, `HAVING`, `AggregateResult` rows.
//!
//! Key decision: one pass over the rows; groups come in an order shuffled by the seed unless one is asked
//! for. Sums are rounded to six decimals, where the real ones are exact decimals.
//! Source: SOQL and SOSL Reference, "Aggregate Functions", "GROUP BY", "HAVING"; recorded replies.
//! Not here: what may be grouped (`plan::group`).

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::ast::Aggregate;
use super::compare::order;
use super::dates;
use super::eval::{Reading, holds, rank};
use super::plan::{Column, Groups, Plan, Slot};
use super::run::{Shown, bounds, matching, settled};
use crate::id::mix;
use crate::org::State;
use crate::schema::Kind;

/// A group while rows are read, and its values after.
struct Found {
    keys: Vec<Value>,
    sums: Vec<Sum>,
    measures: Vec<Value>,
}

impl Found {
    fn of(groups: &Groups, keys: Vec<Value>) -> Self {
        Self {
            keys,
            sums: groups.measures.iter().map(|_| Sum::default()).collect(),
            measures: Vec::new(),
        }
    }

    fn get(&self, slot: Slot) -> &Value {
        match slot {
            Slot::Key(i) => &self.keys[i],
            Slot::Measure(i) => &self.measures[i],
        }
    }
}

/// What one measure has seen.
#[derive(Default)]
struct Sum {
    count: u64,
    total: f64,
    best: Value,
    distinct: BTreeSet<String>,
}

impl Sum {
    fn add(&mut self, aggregate: Aggregate, column: &Column, value: &Value) {
        if value.is_null() {
            return;
        }
        self.count += 1;
        self.total += value.as_f64().unwrap_or(0.0);
        let better = match aggregate {
            Aggregate::Min => order(!column.exact, value, &self.best).is_lt(),
            Aggregate::Max => order(!column.exact, value, &self.best).is_gt(),
            _ => false,
        };
        if better || self.best.is_null() {
            self.best = value.clone();
        }
        if aggregate == Aggregate::CountDistinct {
            let text = value.to_string();
            self.distinct
                .insert(if column.exact { text } else { text.to_lowercase() });
        }
    }

    fn value(&self, aggregate: Aggregate, column: &Column) -> Value {
        let rounded = |n: f64| json!(format!("{n:.6}").parse::<f64>().unwrap_or(n));
        match aggregate {
            Aggregate::Count => json!(self.count),
            Aggregate::CountDistinct => json!(self.distinct.len()),
            _ if self.count == 0 => Value::Null,
            Aggregate::Sum if column.kind == Kind::Int => json!(self.total as i64),
            Aggregate::Sum => rounded(self.total),
            Aggregate::Avg => rounded(self.total / self.count as f64),
            Aggregate::Min | Aggregate::Max => self.best.clone(),
        }
    }
}

/// The rows of the reply.
pub(crate) fn rows(state: &State, plan: &Plan, groups: &Groups, all: bool) -> Vec<Shown> {
    let mut found = gathered(state, plan, groups, all);
    for group in &mut found {
        let sums = group.sums.iter().zip(&groups.measures);
        group.measures = sums
            .map(|(s, (aggregate, column))| s.value(*aggregate, column))
            .collect();
    }
    if let Some(having) = &groups.having {
        found.retain(|g| holds(having, &|slot: &Slot| g.get(*slot).clone()));
    }
    let folded = |slot: Slot| match slot {
        Slot::Key(i) => !groups.keys[i].exact,
        Slot::Measure(i) => !groups.measures[i].1.exact,
    };
    found.sort_by(|a, b| {
        groups
            .order
            .iter()
            .map(|item| rank(item, folded(item.of), a.get(item.of), b.get(item.of)))
            .find(|o| o.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let (offset, limit) = bounds(plan);
    let shown = found.iter().skip(offset).take(limit);
    shown.map(|group| show(groups, group)).collect()
}

/// The groups with what was summed up, in the order of the seed.
fn gathered(state: &State, plan: &Plan, groups: &Groups, all: bool) -> Vec<Found> {
    let filter = plan.filter.as_ref().map(|f| settled(state, f, all));
    let mut found: HashMap<String, Found> = HashMap::new();
    let add = |group: &mut Found, row: Reading<'_>| {
        for (sum, (aggregate, column)) in group.sums.iter_mut().zip(&groups.measures) {
            sum.add(*aggregate, column, &row.value(column));
        }
    };
    if !groups.grouped {
        let mut one = Found::of(groups, Vec::new());
        for row in matching(state, plan, filter.as_ref(), all) {
            add(&mut one, row);
        }
        return vec![one];
    }
    for row in matching(state, plan, filter.as_ref(), all) {
        let keys: Vec<Value> = groups.keys.iter().map(|k| row.value(k)).collect();
        let text = Value::Array(keys.clone()).to_string();
        add(found.entry(text).or_insert_with(|| Found::of(groups, keys)), row);
    }
    let mut found: Vec<(String, Found)> = found.into_iter().collect();
    let seed = state.settings.seed;
    found.sort_by_cached_key(|(text, _)| (mix(seed, text), text.clone()));
    found.into_iter().map(|(_, group)| group).collect()
}

fn show(groups: &Groups, group: &Found) -> Shown {
    let kind = Shown::Plain(json!("AggregateResult"));
    let head = (
        "attributes".to_owned(),
        Shown::Object(vec![("type".to_owned(), kind)]),
    );
    let values = groups.shown.iter().map(|(name, slot, formatted)| {
        let value = group.get(*slot);
        let value = if *formatted {
            dates::formatted(value)
        } else {
            value.clone()
        };
        (name.clone(), Shown::Plain(value))
    });
    Shown::Object([head].into_iter().chain(values).collect())
}
