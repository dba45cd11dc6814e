//! `halite restore show`: a plan told to a person.
//!
//! Key decision: counts first, then each record that cannot be brought back, with the reason. It asks neither vault
//! nor org, and decides nothing.

use std::collections::BTreeMap;

use halite_engine::Result;
use halite_engine::ops::restore::plan::Plan;
use serde_json::{Value, json};

use crate::job::Job;

pub(super) fn show(job: &Job, plan: &Plan) -> Result<()> {
    let header = &plan.header;
    job.out.line(format_args!(
        "org {} back to {} (snapshot {})",
        header.org, header.at_time, header.at
    ))?;
    let mut sobjects: BTreeMap<&str, BTreeMap<String, usize>> = BTreeMap::new();
    for ((sobject, action), n) in plan.counts() {
        job.out.line(format_args!("  {sobject}: {n} to {action}"))?;
        sobjects.entry(sobject).or_default().insert(action.to_string(), n);
    }
    for record in &plan.impossible {
        job.out.line(format_args!(
            "  cannot: {} {}: {}",
            record.sobject, record.id, record.reason
        ))?;
    }
    job.out.line(format_args!(
        "{} operations, {} newer records kept, {} impossible",
        plan.operations.len(),
        plan.newer.len(),
        plan.impossible.len()
    ))?;
    let impossible: Vec<Value> = plan
        .impossible
        .iter()
        .map(|r| json!({ "sobject": r.sobject, "id": r.id.to_string(), "reason": r.reason }))
        .collect();
    job.out.value(&json!({
        "header": header, "operations": plan.operations.len(), "sobjects": sobjects,
        "newer": plan.newer.len(), "impossible": impossible,
    }))
}
