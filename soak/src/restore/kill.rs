//! A restore of thousands of operations, killed at every note of its journal, and the real command killed at random.
//!
//! Key decision: nothing else goes wrong, so nothing is excused: at the end each record is as it was, and the org has no row
//! more, live or deleted, than there were and were created. It does not try weather: the seeds do.

#![allow(clippy::disallowed_methods, reason = "a kill comes at a real instant")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use halite_connector::Bulk;
use halite_engine::ops::restore::apply::Applied;
use halite_engine::ops::restore::journal::Final;
use halite_engine::ops::restore::plan::Plan;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use serde_json::json;

use super::carry::{self, Notes};
use super::judge::Case;
use super::truth::{Fields, Tables, fields};
use super::weather::{Weather, is_settled};
use super::world::World;
use crate::capture::connect;
use crate::dice::Dice;
use crate::report::{Report, say};

/// Records of a tree: an account, two contacts, an opportunity.
const TREE: u64 = 4;

/// Kills a restore of about `operations` at every note, and `rounds` of the command.
pub(crate) fn run(halite: &Path, rounds: u64, operations: u64, seed: u64, report: &Report) {
    if rounds == 0 {
        return;
    }
    let wrong = at_every_note(operations, seed).unwrap_or_else(|error| vec![error]);
    report.case("killed at every note", &wrong);
    match Place::new(halite, operations, seed) {
        Ok(place) => place.rounds(rounds, seed, report),
        Err(error) => report.case("restores killed", &[error]),
    }
}

/// Trees of records in an org.
fn grow(org: &Org, operations: u64) -> Result<(), String> {
    for n in 0..operations.div_ceil(TREE) {
        let made = |object: &str, values| org.create(object, &values).map_err(|e| e.to_string());
        let account = made(
            "Account",
            json!({"Name": format!("Firm {n}"), "Customer_Number__c": format!("K{n}")}),
        )?;
        let values = json!({"LastName": format!("Boss {n}"), "AccountId": account, "Title": "boss"});
        let boss = made("Contact", values)?;
        let values = json!({"LastName": format!("Clerk {n}"), "AccountId": account, "ReportsToId": boss});
        made("Contact", values)?;
        made(
            "Opportunity",
            json!({"Name": format!("Deal {n}"), "AccountId": account,
            "StageName": "Prospecting", "CloseDate": "2026-03-01", "Amount": n as f64 / 4.0}),
        )?;
    }
    Ok(())
}

/// Of four trees one is purged, one deleted, and two are written over.
fn ruin(org: &Org) -> Result<(), String> {
    for (n, row) in org.rows("Account").iter().enumerate() {
        let id = row["Id"].as_str().unwrap_or_default();
        // Those of the sample have what forbids deleting them.
        let done = match n % 4 {
            _ if !row["Name"].as_str().unwrap_or_default().starts_with("Firm") => Ok(()),
            0 => org.purge(&[id]),
            1 => org.delete(id),
            _ => org.update(id, &json!({"Site": "ruined"})),
        };
        done.map_err(|e| e.to_string())?;
    }
    org.expire_purged();
    for (object, field) in [("Contact", "Title"), ("Opportunity", "NextStep")] {
        for row in org.rows(object) {
            let id = row["Id"].as_str().unwrap_or_default();
            org.update(id, &json!({ field: "ruined" }))
                .map_err(|e| e.to_string())?;
        }
    }
    Ok(())
}

/// What a restore is about, and what it must come to.
struct Ground {
    then: Tables,
    before: Tables,
    plan: Plan,
    fields: Fields,
}

impl Ground {
    fn judge(&self, org: &Org, applied: &Applied) -> Vec<String> {
        let after = Tables::of(org);
        let case = Case {
            then: &self.then,
            before: &self.before,
            after: &after,
            plan: &self.plan,
            applied,
            fields: &self.fields,
            weather: &Weather::default(),
            marked: false,
            api_user: org.api_user(),
        };
        let mut wrong = case.judge();
        let created = |end: &&Final| matches!(end, Final::Created(_));
        let created = applied.outcomes.ends.values().filter(created).count();
        let (were, are) = (self.before.count(), after.count());
        if were + created != are {
            wrong.push(format!("{were} rows and {created} created, but there are {are}"));
        }
        wrong
    }
}

/// One restore whose every run dies at its second or third note, kept or not, until nothing is left to note.
fn at_every_note(operations: u64, seed: u64) -> Result<Vec<String>, String> {
    let said = |e: halite_engine::Error| e.to_string();
    let world = World::new(seed, false)?;
    grow(&world.org, operations)?;
    let server = Server::start(world.org.clone()).map_err(|e| e.to_string())?;
    let vault =
        Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default()).map_err(said)?;
    world.org.configure(|s| s.page_size = 2_000);
    let mut reader = connect(&server, Bulk::Never).map_err(said)?;
    let fields = fields(&mut reader)?;
    let at = carry::snapshot(&vault, &mut reader).map_err(said)?;
    let then = Tables::of(&world.org);
    ruin(&world.org)?;
    let now = carry::snapshot(&vault, &mut reader).map_err(said)?;
    let before = Tables::of(&world.org);
    let plan = carry::plan(&vault, &at, &now).map_err(said)?;
    let ground = Ground {
        then,
        before,
        plan,
        fields,
    };
    let (mut notes, mut runs) = (Notes::default(), 0_usize);
    world.org.reset_calls();
    loop {
        // What a killed run left open is not done once no call can be under way.
        world.org.clock().advance(Duration::from_secs(11 * 60));
        notes.dies = Some((1 + runs / 2 % 2, runs % 2 == 1));
        runs += 1;
        match carry::run(&ground.plan, &server, &mut notes, None) {
            Ok(applied) if is_settled(&applied) => {
                let calls = world.org.calls();
                let writes =
                    ["collections", "soap.undelete"].map(|kind| calls.get(kind).copied().unwrap_or(0));
                say(format_args!(
                    "{} operations, killed {} times at {} notes: {} calls of collections, {} of undeletes; {:?}",
                    ground.plan.operations.len(),
                    runs - 1,
                    notes.lines.len(),
                    writes[0],
                    writes[1],
                    applied.counts()
                ));
                return Ok(ground.judge(&world.org, &applied));
            }
            Err(error) if !error.to_string().contains(carry::KILLED) => return Err(error.to_string()),
            _ if runs > 20 * ground.plan.operations.len() => return Err(format!("not done in {runs} runs")),
            _ => {}
        }
    }
}

/// A vault with a plan, and the org as it was when the plan was made.
struct Place {
    halite: PathBuf,
    dir: tempfile::TempDir,
    address: std::net::SocketAddr,
    ground: Ground,
    took: Duration,
}

impl Place {
    fn new(halite: &Path, operations: u64, seed: u64) -> Result<Self, String> {
        let said = |e: halite_engine::Error| e.to_string();
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let world = World::new(seed, false)?;
        grow(&world.org, operations)?;
        world.org.configure(|s| s.page_size = 2_000);
        let server = Server::start(world.org.clone()).map_err(|e| e.to_string())?;
        let url = server.url();
        let address = url
            .trim_start_matches("http://")
            .parse()
            .map_err(|e| format!("{url}: {e}"))?;
        let fields = fields(&mut connect(&server, Bulk::Never).map_err(said)?)?;
        let command = |args: &[&str]| done(halite, dir.path(), "first", args);
        command(&["init", "--no-encryption"])?;
        command(&[
            "connect",
            "sim",
            "--environment",
            &url,
            "--client-id",
            CLIENT_ID,
            "--client-secret-env",
            "APP_SECRET",
        ])?;
        command(&["backup", "sim", "--no-files"])?;
        let then = Tables::of(&world.org);
        ruin(&world.org)?;
        world.org.clock().advance(Duration::from_secs(60));
        let file = dir.path().join("plan");
        command(&[
            "restore",
            "plan",
            "sim",
            "--at",
            "1",
            "-o",
            &file.to_string_lossy(),
        ])?;
        let before = Tables::of(&world.org);
        world
            .org
            .save(&dir.path().join("org"))
            .map_err(|e| e.to_string())?;
        let text = std::fs::File::open(&file).map_err(|e| e.to_string())?;
        let plan = Plan::read(std::io::BufReader::new(text)).map_err(said)?;
        drop(server);
        let ground = Ground {
            then,
            before,
            plan,
            fields,
        };
        let mut place = Self {
            halite: halite.to_owned(),
            dir,
            address,
            ground,
            took: Duration::ZERO,
        };
        let (org, _server) = place.fresh()?;
        let start = Instant::now();
        place.apply()?;
        place.took = start.elapsed();
        match place.end(&org)?.first() {
            Some(wrong) => Err(format!("undisturbed: {wrong}")),
            None => Ok(place),
        }
    }

    /// Org, vault and plan as they were; the journal is gone.
    fn fresh(&self) -> Result<(Org, Server), String> {
        let org = Org::load_saved(&self.dir.path().join("org")).map_err(|e| e.to_string())?;
        let server = Server::start_on(org.clone(), self.address).map_err(|e| e.to_string())?;
        let _ = std::fs::remove_file(self.dir.path().join("plan.journal"));
        let _ = std::fs::remove_dir_all(self.dir.path().join("round"));
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(self.dir.path().join("first"))
            .arg(self.dir.path().join("round"));
        let copied = copy.status().map_err(|e| e.to_string())?;
        copied
            .success()
            .then_some((org, server))
            .ok_or_else(|| "cp failed".into())
    }

    fn apply(&self) -> Result<(), String> {
        let plan = self.dir.path().join("plan");
        done(
            &self.halite,
            self.dir.path(),
            "round",
            &["restore", "apply", &plan.to_string_lossy()],
        )
    }

    /// What is wrong at the end; what the journal says is asked of a run that has nothing left to do.
    fn end(&self, org: &Org) -> Result<Vec<String>, String> {
        let text =
            std::fs::read_to_string(self.dir.path().join("plan.journal")).map_err(|e| e.to_string())?;
        let mut notes = Notes {
            lines: text.lines().map(str::to_owned).collect(),
            dies: None,
        };
        let server = Server::start(org.clone()).map_err(|e| e.to_string())?;
        let applied = carry::run(&self.ground.plan, &server, &mut notes, None).map_err(|e| e.to_string())?;
        Ok(self.ground.judge(org, &applied))
    }

    fn rounds(&self, rounds: u64, seed: u64, report: &Report) {
        let (mut dice, mut landed) = (Dice::new(seed, 10), 0);
        for round in 0..rounds {
            let wrong = match self.round(&mut dice) {
                Ok((wrong, killed)) => {
                    landed += u64::from(killed);
                    wrong
                }
                Err(error) => vec![error],
            };
            report.case(
                format_args!("restore killed, round {round} of seed {seed}"),
                &wrong,
            );
        }
        say(format_args!(
            "{landed} of {rounds} commands were killed in their work of {} operations and {:.1} s",
            self.ground.plan.operations.len(),
            self.took.as_secs_f64()
        ));
        if landed * 4 < rounds {
            report.case("restores killed", &["too few landed inside the work".to_owned()]);
        }
    }

    /// Kills a command, and runs it again once no call of it can be under way.
    fn round(&self, dice: &mut Dice) -> Result<(Vec<String>, bool), String> {
        let (org, _server) = self.fresh()?;
        let plan = self.dir.path().join("plan");
        let mut child = command(
            &self.halite,
            self.dir.path(),
            "round",
            &["restore", "apply", &plan.to_string_lossy()],
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
        let micros = u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX);
        std::thread::sleep(Duration::from_micros(dice.below(micros.max(1))));
        child.kill().map_err(|e| e.to_string())?;
        let killed = !child.wait().map_err(|e| e.to_string())?.success();
        while org.busy() {
            std::thread::sleep(Duration::from_millis(1));
        }
        org.clock().advance(Duration::from_secs(11 * 60));
        self.apply()?;
        Ok((self.end(&org)?, killed))
    }
}

fn command(halite: &Path, dir: &Path, vault: &str, args: &[&str]) -> Command {
    let mut command = Command::new(halite);
    command.arg("--vault").arg(dir.join(vault)).args(args);
    command
        .env("XDG_CACHE_HOME", dir.join("cache"))
        .env("APP_SECRET", CLIENT_SECRET)
        .stdin(Stdio::null());
    command
}

fn done(halite: &Path, dir: &Path, vault: &str, args: &[&str]) -> Result<(), String> {
    let output = command(halite, dir, vault, args).output();
    let output = output.map_err(|e| format!("{}: {e}", halite.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let told = [output.stdout, output.stderr].concat();
    Err(format!("{args:?}: {}", String::from_utf8_lossy(&told)))
}
