//! Captures of simulated orgs by the real command: what a quiet increment and a million changed rows cost in calls, what
//! a million records cost in time and memory beside what clients take to download them, and whether REST and Bulk give the
//! same state.
//!
//! Key decision: the org is served by this process and everything measured is a process of its own, the command and the
//! client it is compared with in the same run. Calls are counted by the org. It does not test what is captured.

pub(crate) mod clients;
mod quiet;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use halite_engine::ops::state::State;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{Org, Plan};
use serde_json::Value;

use crate::figures::Figures;
use clients::{Client, Halite};

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct Capture {
    /// Records of the large org
    #[arg(long, default_value_t = 1_000_000)]
    pub records: usize,
    /// sObjects of the quiet org
    #[arg(long, default_value_t = 500)]
    pub objects: usize,
    /// How often the capture and the download are repeated; the best of each counts
    #[arg(long, default_value_t = 3)]
    pub rounds: u32,
    /// The command; by default the one built beside this program
    #[arg(long)]
    pub halite: Option<PathBuf>,
    /// A Python that has simple-salesforce; by default one is made below the target folder
    #[arg(long)]
    pub python: Option<PathBuf>,
}

/// Rows from which on the client compared with downloads an sObject by Bulk.
const LARGE: usize = 2_000;
/// What the Bulk API of the simulated org refuses.
const REFUSED: [&str; 1] = ["Attachment"];

/// Measures; the figures, and whether all are within their limits.
///
/// # Errors
/// A command that fails, with what it said.
pub fn measure(options: &Capture) -> Result<(Value, bool), Box<dyn Error>> {
    let mut figures = Figures::default();
    let halite = clients::command(options.halite.as_deref())?;
    quiet::measure(&halite, options.objects, &mut figures)?;
    let others = [
        Client::simple_salesforce(options.python.as_deref())?,
        Client::jsforce()?,
    ];
    let org = Org::generate(&Plan {
        records: options.records,
        ..Plan::default()
    });
    org.configure(|s| (s.page_size, s.daily_requests) = (2_000, 100_000_000));
    let large: Vec<String> = org
        .objects()
        .into_iter()
        .filter(|name| !REFUSED.contains(&name.as_str()) && org.rows(name).len() >= LARGE)
        .collect();
    let (mut fastest, mut downloads, mut peak) = (f64::MAX, [f64::MAX; 2], 0);
    let mut place = Halite::connect(&halite, &org)?;
    for round in 0..options.rounds.max(1) {
        if round > 0 {
            place = Halite::connect(&halite, &org)?;
        }
        let run = place.backup(&["--no-files"])?;
        (fastest, peak) = (fastest.min(run.seconds), peak.max(run.peak_kilobytes));
        figures.note("first_capture_calls", run.calls);
        for (client, best) in others.iter().zip(&mut downloads) {
            let (seconds, rows) = client.download(&place, &large)?;
            *best = best.min(seconds);
            figures.note(&format!("rows_by_{}", client.name), rows);
        }
    }
    figures.note("capture_seconds", fastest);
    let [simple_salesforce, jsforce] = downloads;
    figures.note("download_seconds", simple_salesforce);
    figures.limit("capture_to_download", fastest / simple_salesforce, 1.2);
    figures.note("jsforce_seconds", jsforce);
    figures.note("capture_to_jsforce", fastest / jsforce);
    figures.limit("peak_megabytes", f64::from(peak) * 1024.0 / 1e6, 250.0);
    place.backup(&["--full", "--rest-only", "--no-files"])?;
    let (first, second) = (digests(&place, 0)?, digests(&place, 1)?);
    let differ = first.iter().zip(&second).filter(|(a, b)| a != b).count();
    figures.note("sobjects_compared", first.len());
    figures.limit("states_that_differ_by_rest", differ as f64, 0.0);
    let mut changed = 0;
    org.clock().advance(Duration::from_secs(7_200));
    for name in &large {
        changed += org.restamp(name)?;
    }
    let run = place.backup(&["--no-files"])?;
    figures.note("changed_rows", changed);
    figures.note("changed_seconds", run.seconds);
    figures.limit("changed_calls", run.calls as f64, 200.0);
    Ok(figures.end())
}

/// Live records and digests of each sObject of a snapshot.
fn digests(place: &Halite, snapshot: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let vault = Vault::open(
        std::sync::Arc::new(Local::open(&place.vault())?),
        &Secret::None,
        VaultOptions::default(),
    )?;
    let org = *vault.orgs().first().ok_or("the vault holds no org")?;
    let snapshots = vault.snapshots(org)?;
    let info = snapshots.get(snapshot).ok_or("a snapshot is missing")?;
    let manifest = State::at(&vault, info).manifest()?;
    let read = manifest.sobjects.iter().filter(|s| s.skipped.is_none());
    let mut all: Vec<String> = read
        .map(|s| format!("{} {} {:?} {:?}", s.name, s.live, s.content, s.stamps_digest))
        .collect();
    all.sort();
    Ok(all)
}
