//! `halite demo`: a simulated org backed up, changed, backed up again, restored, and read afresh to compare.
//!
//! Key decision: all but the changes themselves goes over HTTP through the connector, and what counts as restored
//! is judged by a new full reading of the org, never by what the restore says of itself. It needs no account.

mod change;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use halite_connector::{Connect, Grant, SalesforceOrg, Secret as Hidden};
use halite_engine::base::clock::Clock;
use halite_engine::ops::capture::{self, BackupOptions};
use halite_engine::ops::diff;
use halite_engine::ops::org::Source;
use halite_engine::ops::report::Report;
use halite_engine::ops::restore::apply;
use halite_engine::ops::restore::journal::{Final, NoJournal};
use halite_engine::ops::state::State;
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Error, Result};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::args::Demo;
use crate::job::Job;
use crate::out::{End, bytes, count};
use crate::simulate;
use halite_engine::ops::restore::between::{self as revert, Scope};

/// What is under way: the org behind HTTP, the vault, and what was said so far.
struct Stage<'a> {
    job: &'a Job,
    clock: Clock,
    org: Org,
    vault: Vault,
    source: SalesforceOrg,
    steps: Vec<Value>,
    began: Instant,
}

/// The whole round trip.
pub fn run(job: &Job, flags: &Demo) -> Result<End> {
    let clock = Clock::system();
    let began = clock.instant();
    let (org, loaded) = simulate::org(job.global.org.as_deref().map(std::path::Path::new))?;
    let server = Server::start(org.clone()).map_err(|e| Error::io("the simulated org", e))?;
    let scratch = tempfile::tempdir().map_err(|e| Error::io("a temporary folder", e))?;
    let dir = flags.keep.clone().unwrap_or_else(|| scratch.path().join("vault"));
    let secret = Secret::Passphrase(Zeroizing::new("a passphrase of the demo".to_owned()));
    let vault = Vault::create(Arc::new(Local::create(&dir)?), &secret, VaultOptions::default())?;
    let grant = Grant::ClientCredentials {
        client_id: CLIENT_ID.into(),
        client_secret: Hidden::new(CLIENT_SECRET),
    };
    let mut source = Connect::new(server.url().parse()?)
        .grant(grant)
        .cancel(Arc::clone(&job.cancel))
        .open()?;
    let who = source.identity()?;
    let mut stage = Stage {
        job,
        clock,
        org,
        vault,
        source,
        steps: Vec::new(),
        began,
    };
    let objects = stage.org.objects();
    let rows: u64 = objects.iter().map(|o| stage.org.rows(o).len() as u64).sum();
    let said = format!(
        "signed in to {} ({}) at {}: {}",
        who.name,
        who.org,
        server.url(),
        count(rows, "record")
    );
    stage.step(
        "connect",
        &said,
        json!({ "org": who.org.to_string(), "records": rows, "left_out": loaded.skipped }),
    )?;
    stage.play()
}

impl Stage<'_> {
    fn play(&mut self) -> Result<End> {
        let first = self.backup("backup 1")?;
        self.change(&first)?;
        let second = self.backup("backup 2")?;
        self.diff(&first, &second)?;
        let third = self.backup("backup 3")?;
        let plan = self.plan(&first, &third)?;
        let (applied, restored) = self.apply(&plan)?;
        let fourth = self.backup("backup 4")?;
        let newer: BTreeMap<_, _> = plan.newer.iter().map(|n| (n.id, n.sobject.clone())).collect();
        let (then, now) = (State::at(&self.vault, &first), State::at(&self.vault, &fourth));
        let verdict = verify::compare(&then, &now, &applied.id_map, &newer)?;
        let said = format!(
            "read afresh over the API and compared {} with snapshot 1",
            count(verdict.compared, "record")
        );
        let differences = verdict.differences.len();
        let found = json!({ "compared": verdict.compared, "newer_kept": verdict.newer_kept, "found": verdict.differences });
        self.step("verify", &said, found)?;
        for difference in verdict.differences.iter().take(50) {
            self.job.out.line(format_args!("    {difference}"))?;
        }
        let kept = verdict.newer_kept;
        self.job.out.value(&json!({
            "restored": restored, "newer_kept": kept, "differences": differences,
            "millis": self.millis(self.began), "steps": self.steps,
        }))?;
        self.job.out.line(format_args!(
            "{restored} restored, {kept} newer kept, {differences} differences"
        ))?;
        Ok(if differences == 0 { End::Done } else { End::Bad })
    }

    fn millis(&self, since: Instant) -> u64 {
        let passed = self.clock.instant().saturating_duration_since(since);
        u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// Says what was done and remembers its figures.
    fn step(&mut self, name: &str, said: &str, mut figures: Value) -> Result<()> {
        self.job.go_on()?;
        self.job.out.line(format_args!("{name:<9} {said}"))?;
        if let Some(map) = figures.as_object_mut() {
            map.insert("step".into(), name.into());
            map.insert("said".into(), said.into());
        }
        self.steps.push(figures);
        Ok(())
    }

    fn backup(&mut self, name: &str) -> Result<SnapshotInfo> {
        self.org.clock().advance(Duration::from_secs(3600));
        let start = self.clock.instant();
        let done = capture::backup(
            &self.vault,
            &mut self.source,
            &BackupOptions::default(),
            &mut |_| {},
        )?;
        let millis = self.millis(start);
        let sum = |of: fn(&halite_engine::ops::report::SObjectReport) -> u64| {
            done.sobjects.iter().map(of).sum::<u64>()
        };
        let (read, live, refused) = (sum(|s| s.read), sum(|s| s.live), sum(|s| s.refused));
        let said = format!(
            "{} live, {} read in {}, {} added, {millis} ms",
            count(live, "record"),
            count(read, "row"),
            count(done.calls, "call"),
            bytes(done.bytes_added)
        );
        let figures = json!({
            "snapshot": done.snapshot, "read": read, "live": live, "refused": refused, "calls": done.calls,
            "bytes_added": done.bytes_added, "millis": millis, "changes": changes(&done),
            "complete": done.complete(),
        });
        self.step(name, &said, figures)?;
        let org = self.source.identity()?.org;
        self.vault.find_snapshot(org, &done.name)
    }

    fn change(&mut self, first: &SnapshotInfo) -> Result<()> {
        self.org.clock().advance(Duration::from_secs(3600));
        let made = change::all(&self.org, &State::at(&self.vault, first), &self.job.cancel)?;
        let said = format!(
            "behind the API's back: {} edited, {} relinked, {} added, {} deleted ({} by cascade), {} purged",
            made.edited, made.relinked, made.added, made.deleted, made.cascaded, made.purged
        );
        self.step("change", &said, serde_json::to_value(made).unwrap_or_default())
    }

    fn diff(&mut self, a: &SnapshotInfo, b: &SnapshotInfo) -> Result<()> {
        let start = self.clock.instant();
        let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut totals: BTreeMap<String, u64> = BTreeMap::new();
        diff::diff(&self.vault, a, b, None, &mut |change| {
            let kind = format!("{:?}", change.kind).to_lowercase();
            *totals.entry(kind.clone()).or_default() += 1;
            *counts.entry(change.sobject).or_default().entry(kind).or_default() += 1;
            Ok(())
        })?;
        let millis = self.millis(start);
        let words: Vec<String> = totals.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let said = format!(
            "snapshots {} and {}: {}, {millis} ms",
            a.number,
            b.number,
            words.join(", ")
        );
        self.step(
            "diff",
            &said,
            json!({ "totals": totals, "sobjects": counts, "millis": millis }),
        )
    }

    fn plan(
        &mut self,
        then: &SnapshotInfo,
        now: &SnapshotInfo,
    ) -> Result<halite_engine::ops::restore::plan::Plan> {
        let start = self.clock.instant();
        let plan = revert::plan(&self.vault, then, now, &Scope::default())?;
        let mut actions: BTreeMap<String, usize> = BTreeMap::new();
        for ((_, action), n) in plan.counts() {
            *actions.entry(action.to_string()).or_default() += n;
        }
        let words: Vec<String> = actions
            .iter()
            .map(|(action, n)| format!("{n} to {action}"))
            .collect();
        let (newer, impossible) = (plan.newer.len(), plan.impossible.len());
        let millis = self.millis(start);
        let said = format!(
            "{}; {newer} newer, {impossible} impossible, {millis} ms",
            words.join(", ")
        );
        let reasons: Vec<String> = plan
            .impossible
            .iter()
            .map(|i| format!("{} {}: {}", i.sobject, i.id, i.reason))
            .collect();
        let figures =
            json!({ "operations": actions, "newer": newer, "impossible": reasons, "millis": millis });
        self.step("plan", &said, figures)?;
        Ok(plan)
    }

    /// Carries the plan out; also how many records came back.
    fn apply(&mut self, plan: &halite_engine::ops::restore::plan::Plan) -> Result<(apply::Applied, usize)> {
        let start = self.clock.instant();
        let applied = apply::apply(plan, &mut self.source, &mut NoJournal, &mut |_, _| {})?;
        let millis = self.millis(start);
        let counts = applied.counts();
        let words: Vec<String> = counts.iter().map(|(name, n)| format!("{n} {name}")).collect();
        let back = |end: &Final| {
            matches!(
                end,
                Final::Undeleted | Final::Created(_) | Final::Edited | Final::Unchanged
            )
        };
        let (mut ids, mut failed) = (BTreeSet::new(), Vec::new());
        for op in &plan.operations {
            match applied.outcomes.ends.get(&op.number) {
                Some(end) if !back(end) => failed.push(format!("{} {}: {end:?}", op.sobject, op.id)),
                _ => drop(ids.insert(op.id)),
            }
        }
        let said = format!(
            "{} in {}, {millis} ms",
            words.join(", "),
            count(applied.calls, "call")
        );
        let figures =
            json!({ "counts": counts, "not_done": failed, "calls": applied.calls, "millis": millis });
        self.step("apply", &said, figures)?;
        for line in failed.iter().take(50) {
            self.job.out.line(format_args!("    not done: {line}"))?;
        }
        Ok((applied, ids.len()))
    }
}

/// The sObjects in which a backup found something, with its counts.
fn changes(report: &Report) -> Value {
    let changed = report
        .sobjects
        .iter()
        .filter(|s| s.created + s.edited + s.deleted + s.stamps > 0);
    let rows = changed.map(|s| {
        let figures =
            json!({ "created": s.created, "edited": s.edited, "deleted": s.deleted, "stamps": s.stamps });
        (s.name.clone(), figures)
    });
    Value::Object(rows.collect())
}
