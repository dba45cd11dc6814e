//! Restores of simulated orgs by the real command: what re-creating, undeleting and editing many records costs in calls,
//! time and memory, and how often rows are sent again for a lock.
//!
//! Key decision: the least number of calls that write is arithmetic, full batches of each action and sObject of the plan; the
//! org counts the calls that were made. The command is a process of its own. It does not test what is restored: the soak does.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use halite_simulator::{Org, Plan};
use serde_json::{Value, json};

use crate::capture::clients::{self, Halite};
use crate::figures::Figures;

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Restore {
    /// Records that are brought back, about
    #[arg(long, default_value_t = 100_000)]
    pub records: usize,
    /// The command; by default the one built beside this program
    #[arg(long)]
    pub halite: Option<PathBuf>,
}

/// Rows that one call writes.
const BATCH: u64 = 200;

type Rows = Vec<(String, Vec<String>)>;

/// One way in which records are lost: its name, what is done to them, and which calls bring them back.
struct Loss {
    name: &'static str,
    lose: fn(&Org, &Rows),
    calls: &'static str,
    locks: bool,
}

const LOSSES: [Loss; 4] = [
    Loss {
        name: "create",
        lose: purge,
        calls: "collections",
        locks: false,
    },
    Loss {
        name: "create_locked",
        lose: purge,
        calls: "collections",
        locks: true,
    },
    Loss {
        name: "undelete",
        lose: delete,
        calls: "soap.undelete",
        locks: false,
    },
    Loss {
        name: "edit",
        lose: edit,
        calls: "collections",
        locks: false,
    },
];

/// Measures; the figures, and whether all are within their limits.
///
/// # Errors
/// A command that fails, with what it said.
pub fn measure(options: &Restore) -> Result<(Value, bool), Box<dyn Error>> {
    let mut figures = Figures::default();
    let halite = clients::command(options.halite.as_deref())?;
    let mut unlocked = 0;
    for loss in &LOSSES {
        let writes = one(&halite, options.records, loss, &mut figures)?;
        match loss.name {
            "create" => unlocked = writes,
            "create_locked" => {
                let again = writes.saturating_sub(unlocked) as f64 / unlocked.max(1) as f64;
                figures.limit("create_locked_sent_again_share", again, 0.01);
            }
            _ => {}
        }
    }
    Ok(figures.end())
}

/// Loses records and brings them back; the calls that wrote.
fn one(
    halite: &std::path::Path,
    records: usize,
    loss: &Loss,
    figures: &mut Figures,
) -> Result<u64, Box<dyn Error>> {
    let org = Org::generate(&Plan {
        // What belongs to files or cannot be undeleted is not brought back here.
        records: records + records / 50,
        files: 0.0,
        deleted: 0.0,
        ..Plan::default()
    });
    org.configure(|s| (s.page_size, s.daily_requests) = (2_000, 100_000_000));
    let rows = lost(&org);
    let place = Halite::connect(halite, &org)?;
    place.run(&["backup", "sim", "--no-files"])?;
    (loss.lose)(&org, &rows);
    org.clock().advance(Duration::from_secs(60));
    let plan = place.path("plan");
    place.run(&["restore", "plan", "sim", "--at", "1", "-o", &plan])?;
    if loss.locks {
        org.configure(|s| s.behaviour.write_time = Duration::from_millis(20));
    }
    org.reset_calls();
    let told = place.run(&["restore", "apply", &plan])?;
    let (seconds, peak) = told.split_once(' ').ok_or("`time` says nothing")?;
    let calls = org.calls();
    let writes = calls.get(loss.calls).copied().unwrap_or(0);
    let planned = planned(&plan)?;
    let least: u64 = match loss.name {
        // What falls with its parent rises with it.
        "undelete" => rows
            .iter()
            .filter(|(name, _)| ROOTS.contains(&name.as_str()))
            .map(|(_, ids)| (ids.len() as u64).div_ceil(BATCH))
            .sum(),
        _ => planned.values().map(|rows| rows.div_ceil(BATCH)).sum(),
    };
    let name = |what: &str| format!("{}_{what}", loss.name);
    let left: usize = rows
        .iter()
        .map(|(object, ids)| ids.len().abs_diff(org.rows(object).len()))
        .sum();
    figures.note(&name("operations"), planned.values().sum::<u64>());
    figures.limit(&name("records_that_differ_in_number"), left as f64, 0.0);
    figures.note(&name("seconds"), seconds.parse::<f64>()?);
    figures.note(&name("calls_of_all_kinds"), calls.values().sum::<u64>());
    figures.note(&name("calls_by_kind"), json!(calls));
    figures.note(&name("calls_that_write"), writes);
    figures.note(&name("least_calls"), least);
    figures.limit(&name("to_least"), writes as f64 / least.max(1) as f64, 1.1);
    figures.limit(
        &name("peak_megabytes"),
        peak.parse::<f64>()? * 1024.0 / 1e6,
        250.0,
    );
    Ok(writes)
}

/// What is lost, children first, so that nothing forbids it.
const OBJECTS: [&str; 6] = [
    "OpportunityContactRole",
    "Case",
    "Opportunity",
    "Contact",
    "Lead",
    "Account",
];
/// What is deleted by itself, where it is deleted.
const ROOTS: [&str; 3] = ["Case", "Lead", "Account"];

fn lost(org: &Org) -> Rows {
    let ids = |object: &str| {
        let rows = org.rows(object).into_iter();
        rows.filter_map(|row| row["Id"].as_str().map(str::to_owned))
            .collect()
    };
    OBJECTS.map(|object| (object.to_owned(), ids(object))).into()
}

/// How many operations a plan has of each action and sObject; what falls with its parent and what pointed at it too.
fn planned(plan: &str) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut counts = BTreeMap::new();
    for line in BufReader::new(File::open(plan)?).lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let operation = &line["operation"];
        if operation.is_object() {
            let kind = format!("{} {}", operation["action"], operation["sobject"]);
            *counts.entry(kind).or_default() += 1;
        }
    }
    Ok(counts)
}

fn purge(org: &Org, rows: &Rows) {
    for id in rows.iter().flat_map(|(_, ids)| ids) {
        let _ = org.purge(&[id]);
    }
    org.expire_purged();
}

fn delete(org: &Org, rows: &Rows) {
    for (_, ids) in rows.iter().filter(|(object, _)| ROOTS.contains(&object.as_str())) {
        ids.iter().for_each(|id| drop(org.delete(id)));
    }
}

fn edit(org: &Org, rows: &Rows) {
    for (object, ids) in rows {
        let field = match object.as_str() {
            "OpportunityContactRole" => "Role",
            "Opportunity" => "NextStep",
            "Case" => "Subject",
            "Contact" | "Lead" => "Title",
            _ => "Site",
        };
        ids.iter()
            .for_each(|id| drop(org.update(id, &json!({ field: "Other" }))));
    }
}
