//! `halite restore show`: a plan told to a person.
//!
//! Key decision: what comes first is what decides whether it is carried out: counts, then what comes back, what cannot, and
//! what will probably be refused, each with what to do; long lists are cut. It asks neither vault nor org, and decides
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Display;

use halite_engine::Result;
use halite_engine::ops::restore::automation::ALL;
use halite_engine::ops::restore::plan::{Action, Header, Operation, Plan};
use serde_json::{Value, json};

use super::tree::Tree;
use crate::job::Job;
use crate::out::count;

/// The most lines of one list.
const TOLD: usize = 50;

/// Tells a plan.
pub(super) fn show(job: &Job, plan: &Plan) -> Result<()> {
    head(job, &plan.header)?;
    let mut sobjects: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for ((sobject, action), n) in plan.counts() {
        job.out.line(format_args!("  {sobject}: {n} to {action}"))?;
        sobjects.entry(sobject).or_default().insert(action.to_string(), n);
    }
    let tree = Tree::of(plan)?;
    if plan.operations.iter().any(|op| op.action.brings_back()) {
        job.out.line("what comes back:")?;
        tree.lines(2, &mut |line| job.out.line(line))?;
    }
    let late = late(plan);
    list(job, "references that are set at the end", &late, |op| {
        let fields: Vec<&str> = op.references.iter().map(|r| r.field.as_str()).collect();
        format!(
            "{} {}: {} (operation {})",
            op.sobject,
            op.id,
            fields.join(", "),
            op.number
        )
    })?;
    list(job, "cannot be brought back", &plan.impossible, |record| {
        format!("cannot: {} {}: {}", record.sobject, record.id, record.reason)
    })?;
    list(job, "to be expected", &plan.warnings, |warning| {
        let n = match warning.operations.len() {
            0 => String::new(),
            n => format!(" ({})", count(n as u64, "operation")),
        };
        let about = match warning.sobject.as_str() {
            ALL => "all sObjects",
            one => one,
        };
        format!("{about}{n}: {}\n    {}", warning.what, warning.remedy)
    })?;
    job.out.line(format_args!(
        "{} operations, {} newer records kept, {} impossible, {}",
        plan.operations.len(),
        plan.newer.len(),
        plan.impossible.len(),
        count(plan.warnings.len() as u64, "warning")
    ))?;
    let impossible: Vec<Value> = plan
        .impossible
        .iter()
        .map(|r| json!({ "sobject": r.sobject, "id": r.id.to_string(), "reason": r.reason }))
        .collect();
    let late: Vec<u32> = late.iter().map(|op| op.number).collect();
    job.out.value(&json!({
        "header": plan.header, "operations": plan.operations.len(), "sobjects": sobjects, "tree": tree.value(),
        "late": late, "newer": plan.newer.len(), "impossible": impossible, "warnings": plan.warnings,
    }))
}

fn head(job: &Job, header: &Header) -> Result<()> {
    job.out.line(format_args!(
        "org {} back to {} (snapshot {})",
        header.org, header.at_time, header.at
    ))?;
    let marker = header.marker.as_deref().unwrap_or_default();
    let overwrite = if header.overwrite {
        "what changed since the plan was made"
    } else {
        ""
    };
    for (what, text) in [
        ("made in org", header.to.as_deref().unwrap_or_default()),
        ("chosen", header.choice.as_str()),
        ("old Ids are kept in", marker),
        ("writes over", overwrite),
    ] {
        if !text.is_empty() {
            job.out.line(format_args!("  {what}: {text}"))?;
        }
    }
    Ok(())
}

/// References of records that come back which are set once all are there.
fn late(plan: &Plan) -> Vec<&Operation> {
    let back: std::collections::HashSet<_> = plan
        .operations
        .iter()
        .filter(|op| op.action.brings_back())
        .map(|op| op.id)
        .collect();
    let is_late = |op: &&Operation| op.action == Action::Edit && back.contains(&op.id);
    plan.operations.iter().filter(is_late).collect()
}

/// A list under its title, cut; nothing if it is empty.
fn list<T, D: Display>(job: &Job, title: &str, all: &[T], line: impl Fn(&T) -> D) -> Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    job.out.line(format_args!("{title}:"))?;
    for one in all.iter().take(TOLD) {
        job.out.line(format_args!("  {}", line(one)))?;
    }
    if all.len() > TOLD {
        job.out.line(format_args!("  and {} more", all.len() - TOLD))?;
    }
    Ok(())
}
