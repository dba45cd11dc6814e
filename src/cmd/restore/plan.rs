//! `halite restore plan`: the org as it is now, compared with what it was.
//!
//! Key decision: the org is read first, whatever was read before, since a plan made from an old look plans conflicts.
//! It writes a file and nothing else.

use std::fs;

use halite_engine::base::id::{OrgId, RecordId};
use halite_engine::ops::capture::{self, BackupOptions, Progress};
use halite_engine::ops::hold;
use halite_engine::ops::restore::automation;
use halite_engine::ops::restore::between::{self as revert, Scope, Span};
use halite_engine::ops::restore::condition::Condition;
use halite_engine::ops::restore::masking::Masks;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Result};

use super::show::show;
use super::{is_new, write};
use crate::args::RestorePlan;
use crate::connection::connection;
use crate::job::Job;
use crate::out::{End, note};

pub(super) fn run(job: &Job, flags: &RestorePlan) -> Result<End> {
    is_new(&flags.output)?;
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let deleted = pair(job, &vault, kept.org, flags.deleted_between.as_deref())?;
    let changed = pair(job, &vault, kept.org, flags.changed_between.as_deref())?;
    let then = match &flags.at {
        Some(at) => job.snapshot(&vault, kept.org, Some(at))?,
        None => begin(&[&deleted, &changed])?,
    };
    let mut scope = scope(flags)?;
    let name = flags.to.as_ref().unwrap_or(&flags.name);
    let to = connection(&vault, name)?.org;
    if flags.to.is_some() && to == kept.org {
        return Err(
            Error::invalid(format!("`{name}` is the org that the snapshot is of"))
                .hint("leave --to out: the plan brings back what differs"),
        );
    }
    let mut org = job.sign_in(&vault, name)?;
    let bar = job.out.progress();
    // A plan compares records.
    let options = BackupOptions {
        files: false,
        // A deletion that nobody logged shows in the count alone.
        count_all: true,
        ..BackupOptions::default()
    };
    let done = capture::backup(&vault, &mut org, &options, &mut |progress| {
        if let Progress::Done(sobject) = progress {
            bar.set_message(format!("reading the org as it is: {}", sobject.name));
        }
    });
    bar.finish_and_clear();
    let now = vault.find_snapshot(to, &done?.name)?;
    scope.deleted = deleted.map(|typed| typed.span(job, &vault)).transpose()?;
    scope.changed = changed.map(|typed| typed.span(job, &vault)).transpose()?;
    let mut plan = hold::during(&vault, &then, "a restore is being planned", || {
        revert::plan(&vault, &then, &now, &scope)
    })?;
    automation::tell(&mut plan, &mut org)?;
    write(&plan, &flags.output)?;
    show(job, &plan)?;
    job.out.line(format_args!(
        "`halite restore apply {}` does it",
        flags.output.display()
    ))?;
    if let Some(most) = flags.calls_at_most.filter(|most| plan.header.calls > *most) {
        note(format_args!(
            "it should take {} calls, more than {most}: `halite restore apply --calls-at-most {most}` does it in parts",
            plan.header.calls
        ));
        return Ok(End::Partly);
    }
    Ok(End::Done)
}

/// What is asked for, but for the spans.
fn scope(flags: &RestorePlan) -> Result<Scope> {
    let ids = flags
        .id
        .as_ref()
        .map(|ids| ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>>>());
    Ok(Scope {
        sobjects: flags.sobject.clone(),
        ids: ids.transpose()?,
        mode: flags.mode.into(),
        condition: flags.condition.as_deref().map(Condition::parse).transpose()?,
        by: flags.by.clone(),
        parents: flags.with_parents,
        children: flags.with_children.unwrap_or_default(),
        fields: flags.fields.clone(),
        told: told(flags),
        marker: flags.marker.clone(),
        overwrite: flags.overwrite,
        masks: masks(flags)?,
        by_hand: flags.map.iter().map(|pair| mapped(pair)).collect::<Result<_>>()?,
        ..Scope::default()
    })
}

/// A span as it was typed, and its ends as far as they are known before the org is looked at.
struct Typed {
    after: SnapshotInfo,
    upto: String,
}

impl Typed {
    /// The span, the look at the org included if it is not later than the end.
    fn span(self, job: &Job, vault: &Vault) -> Result<Span> {
        let upto = job.snapshot(vault, self.after.org, Some(&self.upto))?;
        Span::new(self.after, upto)
    }
}

/// A span from what was typed.
///
/// # Errors
/// `NotFound` for an end that is no snapshot; `Invalid` if it ends before it begins.
fn pair(job: &Job, vault: &Vault, org: OrgId, typed: Option<&[String]>) -> Result<Option<Typed>> {
    let Some([a, b]) = typed else { return Ok(None) };
    let (after, upto) = (
        job.snapshot(vault, org, Some(a))?,
        job.snapshot(vault, org, Some(b))?,
    );
    if after.number > upto.number {
        Span::new(after.clone(), upto)?;
    }
    Ok(Some(Typed {
        after,
        upto: b.clone(),
    }))
}

/// Where the spans begin: what they tell is taken back from there.
fn begin(spans: &[&Option<Typed>]) -> Result<SnapshotInfo> {
    let begins = spans
        .iter()
        .filter_map(|span| span.as_ref().map(|typed| &typed.after));
    let first = begins.min_by_key(|snapshot| snapshot.number);
    first
        .cloned()
        .ok_or_else(|| Error::invalid("no time to go back to").hint("give --at TIME"))
}

/// What was chosen, as it was typed.
fn told(flags: &RestorePlan) -> String {
    let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| names.join(","));
    let span = |ends: &Option<Vec<String>>| ends.as_ref().map(|ends| ends.join(" "));
    let typed = [
        ("--sobject", list(&flags.sobject)),
        ("--id", list(&flags.id).map(|ids| ids.chars().take(200).collect())),
        ("--where", flags.condition.clone()),
        ("--deleted-between", span(&flags.deleted_between)),
        ("--changed-between", span(&flags.changed_between)),
        ("--by", flags.by.clone()),
        ("--with-parents", flags.with_parents.then(String::new)),
        (
            "--with-children",
            flags.with_children.map(|depth| depth.to_string()),
        ),
        ("--fields", list(&flags.fields)),
    ];
    let typed = typed
        .into_iter()
        .filter_map(|(flag, value)| Some(format!("{flag} {}", value?)));
    typed
        .map(|text| text.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

fn masks(flags: &RestorePlan) -> Result<Masks> {
    let Some(path) = &flags.mask else {
        return Ok(Masks::default());
    };
    let text = fs::read_to_string(path).map_err(|e| Error::io(path.display(), e))?;
    Masks::parse(&text).map_err(|e| e.within(path.display()))
}

fn mapped(pair: &str) -> Result<(RecordId, RecordId)> {
    let ids = pair
        .split_once('=')
        .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    ids.ok_or_else(|| Error::invalid(format!("--map {pair}: it takes two Ids, FROM=TO")))
}
