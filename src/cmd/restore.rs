//! `halite restore plan|show|apply`: what would bring a state back, a look at it, and doing it.
//!
//! Key decision: a plan is a file between two commands, and applying keeps a journal beside it, so that the same
//! command goes on where an interrupted one stopped. Nothing in the org is ever deleted.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use halite_engine::ops::capture::{self, BackupOptions, Progress};
use halite_engine::ops::erase::erased_among;
use halite_engine::ops::org::Source;
use halite_engine::ops::restore::apply::{self, Applied};
use halite_engine::ops::restore::journal::{Final, Journal, Past, replay};
use halite_engine::ops::restore::plan::Plan;
use halite_engine::ops::state::State;
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::{Restore, RestorePlan};
use crate::connection::connection;
use crate::job::Job;
use crate::out::End;
use halite_engine::ops::hold;
use halite_engine::ops::restore::between::{self as revert, Scope};

/// Does what was typed after `restore`.
pub fn run(job: &Job, what: &Restore) -> Result<End> {
    match what {
        Restore::Plan(flags) => plan(job, flags),
        Restore::Show(flags) => {
            show(job, &read(&flags.plan)?)?;
            Ok(End::Done)
        }
        Restore::Apply(flags) => apply(job, &flags.plan),
    }
}

fn plan(job: &Job, flags: &RestorePlan) -> Result<End> {
    if flags.output.exists() {
        return Err(
            Error::invalid(format!("{}: the file is there already", flags.output.display()))
                .hint("name another, or remove it"),
        );
    }
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let then = job.snapshot(&vault, kept.org, Some(&flags.at))?;
    let ids = flags
        .id
        .as_ref()
        .map(|ids| ids.iter().map(|id| id.parse()).collect::<Result<Vec<_>>>());
    let scope = Scope {
        sobjects: flags.sobject.clone(),
        ids: ids.transpose()?,
    };
    let mut org = job.sign_in(&vault, &flags.name)?;
    let bar = job.out.progress();
    // A plan compares records.
    let options = BackupOptions {
        files: false,
        ..BackupOptions::default()
    };
    let done = capture::backup(&vault, &mut org, &options, &mut |progress| {
        if let Progress::Done(sobject) = progress {
            bar.set_message(format!("reading the org as it is: {}", sobject.name));
        }
    });
    bar.finish_and_clear();
    let now = vault.find_snapshot(kept.org, &done?.name)?;
    let plan = hold::during(&vault, &then, "a restore is being planned", || {
        revert::plan(&vault, &then, &now, &scope)
    })?;
    write(&plan, &flags.output)?;
    show(job, &plan)?;
    job.out.line(format_args!(
        "`halite restore apply {}` does it",
        flags.output.display()
    ))?;
    Ok(End::Done)
}

/// Writes the file whole or not at all.
fn write(plan: &Plan, path: &Path) -> Result<()> {
    let part = beside(path, "part");
    let failed = |e| Error::io(part.display(), e);
    let mut file = File::create(&part).map_err(failed)?;
    plan.write(std::io::BufWriter::new(&mut file))?;
    file.sync_all().map_err(failed)?;
    fs::rename(&part, path).map_err(|e| Error::io(path.display(), e))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn read(path: &Path) -> Result<Plan> {
    let file = File::open(path).map_err(|e| Error::io(path.display(), e))?;
    Plan::read(BufReader::new(file)).map_err(|e| {
        let hint = e
            .next_step()
            .unwrap_or("mend the line, or make the plan anew")
            .to_owned();
        e.within(path.display()).hint(hint)
    })
}

fn show(job: &Job, plan: &Plan) -> Result<()> {
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

/// A journal that is on the disk when a note returns.
struct OnDisk {
    file: File,
    path: PathBuf,
}

impl Journal for OnDisk {
    fn note(&mut self, entry: &str) -> Result<()> {
        let line = format!("{entry}\n");
        let written = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.sync_data());
        written.map_err(|e| Error::io(self.path.display(), e))
    }
}

fn apply(job: &Job, path: &Path) -> Result<End> {
    let plan = read(path)?;
    let vault = job.vault()?;
    let name = connection_of(&vault, &plan.header.org)?;
    nothing_erased(&vault, &plan)?;
    let journal = beside(path, "journal");
    let before = match fs::read_to_string(&journal) {
        Ok(text) => whole_lines(&text, &journal)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Past::default(),
        Err(e) => return Err(Error::io(journal.display(), e)),
    };
    let ended = before.outcomes.values().filter(|end| end.is_final()).count();
    if before.begun.is_some() {
        job.out.line(format_args!(
            "going on after {ended} operations of an earlier run"
        ))?;
    }
    let mut org = job.sign_in(&vault, &name)?;
    let who = org.identity()?;
    if who.org.to_string() != plan.header.org {
        return Err(Error::invalid(format!(
            "the plan is for org {}, `{name}` is {}",
            plan.header.org, who.org
        ))
        .hint("connect to the org of the plan"));
    }
    let file = File::options()
        .append(true)
        .create(true)
        .open(&journal)
        .map_err(|e| Error::io(journal.display(), e))?;
    let bar = job.out.progress();
    let mut keeper = OnDisk { file, path: journal };
    let mut bodies = bodies(&vault, &plan)?;
    let applied = apply::resume(
        &plan,
        &mut org,
        &mut keeper,
        before,
        &mut *bodies,
        &mut |done, all| bar.set_message(format!("{done} of {all}")),
    );
    bar.finish_and_clear();
    said(job, &applied?)
}

/// Where the files of a plan come from; a plan without any outlives its snapshot.
fn bodies<'v>(vault: &'v Vault, plan: &Plan) -> Result<Box<dyn apply::Bodies + 'v>> {
    if plan.operations.iter().all(|op| op.body.is_none()) {
        return Ok(Box::new(apply::NoBodies));
    }
    let then = vault.find_snapshot(plan.header.org.parse()?, &plan.header.at)?;
    let state = State::at(vault, &then);
    Ok(Box::new(apply::Stored { vault, state }))
}

/// Refuses a plan that is older than an erasure and would bring the record back.
fn nothing_erased(vault: &Vault, plan: &Plan) -> Result<()> {
    let org = plan.header.org.parse()?;
    let ids = plan.operations.iter().map(|operation| operation.id);
    match erased_among(vault, org, ids)? {
        None => Ok(()),
        Some(id) => Err(
            Error::invalid(format!("the plan is about {id}, which was erased"))
                .hint("make a new plan, and delete this one"),
        ),
    }
}

/// The outcomes in a journal; a last line that a crash cut short was never acted upon.
fn whole_lines(text: &str, path: &Path) -> Result<Past> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let kept = whole.len() + usize::from(!whole.is_empty());
    if kept < text.len() {
        let file = File::options()
            .write(true)
            .open(path)
            .map_err(|e| Error::io(path.display(), e))?;
        file.set_len(kept as u64)
            .map_err(|e| Error::io(path.display(), e))?;
    }
    replay(whole.lines()).map_err(|e| e.within(path.display()))
}

fn connection_of(vault: &Arc<Vault>, org: &str) -> Result<String> {
    for name in vault.grants() {
        if connection(vault, &name)?.org.to_string() == org {
            return Ok(name);
        }
    }
    Err(Error::new(Kind::NotFound, format!("no connection to org {org}"))
        .hint("`halite connect NAME` makes one"))
}

fn said(job: &Job, applied: &Applied) -> Result<End> {
    let mut outcomes = Vec::new();
    let mut all_done = true;
    for (number, sobject, id, outcome) in &applied.outcomes {
        let why = match outcome {
            Final::Undeleted
            | Final::Created(_)
            | Final::Adopted(_)
            | Final::Edited
            | Final::Deleted
            | Final::Unchanged => None,
            Final::Conflict(why) | Final::Skipped(why) | Final::Unknown(why) => Some(why.clone()),
            Final::Refused(code, message) => Some(format!("{code}: {message}")),
        };
        all_done &= why.is_none();
        if let Some(why) = why {
            job.out.line(format_args!(
                "  not done: {sobject} {id} (operation {number}): {why}"
            ))?;
        }
        outcomes.push(
            json!({ "operation": number, "sobject": sobject, "id": id.to_string(), "outcome": outcome }),
        );
    }
    let counts = applied.counts();
    let words: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
    job.out.line(if words.is_empty() {
        "nothing to do".to_owned()
    } else {
        words.join(", ")
    })?;
    let ids: BTreeMap<String, String> = applied
        .id_map
        .iter()
        .map(|(a, b)| (a.to_string(), b.to_string()))
        .collect();
    job.out
        .value(&json!({ "counts": counts, "outcomes": outcomes, "new_ids": ids, "calls": applied.calls }))?;
    Ok(if all_done { End::Done } else { End::Partly })
}
