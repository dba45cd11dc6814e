//! `halite diff`: what changed between two times.
//!
//! Key decision: changes stream, one line each, so that a diff of any size needs no memory; `--summary` counts.
//! It does not say in which order things happened between the two.

use std::collections::BTreeMap;

use halite_engine::Result;
use halite_engine::ops::diff::{self, Change, ChangeKind};
use halite_engine::ops::state::Record;
use halite_engine::vault::{SnapshotInfo, Vault};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::args::Diff;
use crate::cmd::{raw, snapshot_json};
use crate::job::Job;
use crate::out::End;

/// Compares two snapshots.
pub fn run(job: &Job, flags: &Diff) -> Result<End> {
    let vault = job.vault()?;
    let org = job.org(&vault)?;
    let (a, b) = (
        job.snapshot(&vault, org, Some(&flags.a))?,
        job.snapshot(&vault, org, Some(&flags.b))?,
    );
    let only = flags.sobject.clone().map(|name| vec![name]);
    if flags.summary {
        return summary(job, &vault, [&a, &b], only.as_deref());
    }
    let mut any = false;
    diff::diff(&vault, &a, &b, only.as_deref(), &mut |change| {
        job.go_on()?;
        any = true;
        let kind = kind(change.kind);
        job.out.line(format_args!(
            "{kind:<8} {} {}  {}",
            change.sobject,
            change.id,
            change.fields.join(", ")
        ))?;
        if job.out.is_json() {
            job.out.value(&line(&change)?)
        } else {
            Ok(())
        }
    })?;
    if !any {
        job.out.line("no differences")?;
    }
    Ok(End::Done)
}

/// How many records of each sObject differ, and how.
fn summary(job: &Job, vault: &Vault, [a, b]: [&SnapshotInfo; 2], only: Option<&[String]>) -> Result<End> {
    let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    diff::touched(vault, a, b, only, &mut |touched| {
        job.go_on()?;
        let kinds = counts.entry(touched.sobject).or_default();
        *kinds.entry(kind(touched.kind)).or_default() += 1;
        Ok(())
    })?;
    for (sobject, kinds) in &counts {
        let said: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        job.out.line(format_args!("{sobject}: {}", said.join(", ")))?;
    }
    job.out
        .value(&json!({ "a": snapshot_json(a), "b": snapshot_json(b), "sobjects": counts }))?;
    if counts.is_empty() {
        job.out.line("no differences")?;
    }
    Ok(End::Done)
}

/// The kind of a change in one word.
fn kind(kind: ChangeKind) -> String {
    format!("{kind:?}").to_lowercase()
}

#[derive(Serialize)]
struct Line<'a> {
    sobject: &'a str,
    id: String,
    kind: ChangeKind,
    fields: &'a [String],
    before: Option<Box<RawValue>>,
    after: Option<Box<RawValue>>,
}

fn line(change: &Change) -> Result<Line<'_>> {
    let side = |record: &Option<Record>| record.as_ref().map(|r| raw(&r.json)).transpose();
    Ok(Line {
        sobject: &change.sobject,
        id: change.id.to_string(),
        kind: change.kind,
        fields: &change.fields,
        before: side(&change.before)?,
        after: side(&change.after)?,
    })
}
