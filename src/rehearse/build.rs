//! The simulated org of a rehearsal, made of a snapshot.
//!
//! Key decision: only the tables that the plan touches and points at, so that a few records of a large org are rehearsed in
//! little memory; those are held whole, as the rules of a save ask them. What the plan takes out of the recycle bin is
//! laid into the bin. What the snapshot does not hold and the plan points at gets a stand-in, and is counted.

use std::collections::{BTreeMap, BTreeSet};

use halite_engine::base::id::OrgId;
use halite_engine::format::blob::holds_bodies;
use halite_engine::format::describe::Describe;
use halite_engine::format::page::VersionKind;
use halite_engine::ops::history::history;
use halite_engine::ops::restore::fields::id_of;
use halite_engine::ops::restore::plan::{Action, Plan};
use halite_engine::ops::state::State;
use halite_engine::vault::{SnapshotInfo, Vault};
use halite_engine::{Error, Kind, Result};
use halite_simulator::{Bin, LoadError, Org, Rebuild};

use crate::connection::connection;
use crate::job::Job;

/// Tables that any write may ask.
const SETUP: [&str; 8] = [
    "Organization",
    "User",
    "Profile",
    "RecordType",
    "Group",
    "QueueSobject",
    "Pricebook2",
    "CurrencyType",
];
/// The user of a rehearsal, where no connection tells one.
const NOBODY: &str = "005000000000000";

/// What was made.
pub(super) struct Made {
    pub org: Org,
    pub records: u64,
    pub sobjects: u64,
    /// Records that the snapshot does not hold and that are taken to be there.
    pub stand_ins: u64,
    /// What could not be taken over, and why.
    pub left_out: Vec<String>,
}

/// Makes the org of a rehearsal.
pub(super) fn org(job: &Job, vault: &Vault, now: &SnapshotInfo, plan: &Plan) -> Result<Made> {
    let state = State::at(vault, now);
    let mut all: BTreeSet<String> = state.sobjects()?.into_iter().collect();
    all.retain(|name| !holds_bodies(name));
    let user = user(vault, now.org)?;
    let mut building = Building {
        job,
        rebuild: Rebuild::new(&now.org.to_string(), &user, &now.until.to_string()).map_err(|e| wrong(&e))?,
        state,
        all,
        records: 0,
        left_out: Vec::new(),
    };
    let tables = building.tables(plan)?;
    for sobject in &tables {
        building.table(sobject)?;
    }
    building.bin(vault, plan)?;
    let stand_ins = building.stand_ins(plan)?;
    Ok(Made {
        org: building.rebuild.finish(),
        records: building.records,
        sobjects: tables.len() as u64,
        stand_ins,
        left_out: building.left_out,
    })
}

/// The user that the org's connection is for.
fn user(vault: &Vault, org: OrgId) -> Result<String> {
    for name in vault.grants() {
        let kept = connection(vault, &name)?;
        if kept.org == org && !kept.settings.user.is_empty() {
            return Ok(kept.settings.user);
        }
    }
    Ok(NOBODY.to_owned())
}

fn wrong(error: &LoadError) -> Error {
    Error::invalid(error.to_string())
}

struct Building<'a> {
    job: &'a Job,
    rebuild: Rebuild,
    state: State<'a>,
    /// What the snapshot holds.
    all: BTreeSet<String>,
    records: u64,
    left_out: Vec<String>,
}

impl Building<'_> {
    /// Describes the tables that are needed, and names them.
    fn tables(&mut self, plan: &Plan) -> Result<BTreeSet<String>> {
        let touched: BTreeSet<&str> = plan.operations.iter().map(|op| op.sobject.as_str()).collect();
        let mut wanted: BTreeSet<String> = SETUP.iter().map(|name| (*name).to_owned()).collect();
        wanted.extend(touched.iter().map(|name| (*name).to_owned()));
        let deletes = plan.operations.iter().any(|op| op.action == Action::Delete);
        let names: Vec<String> = self.all.iter().cloned().collect();
        for name in names {
            let mine = touched.contains(name.as_str());
            if !mine && !deletes {
                continue;
            }
            let Some(describe) = self.described(&name)? else {
                continue;
            };
            let describe = Describe::parse(&describe)?;
            let mut parents = describe.fields.iter().flat_map(|field| &field.reference_to);
            if mine {
                wanted.extend(parents.cloned());
            } else if parents.any(|parent| touched.contains(parent.as_str())) {
                wanted.insert(name);
            }
        }
        wanted.retain(|name| self.all.contains(name));
        let mut tables = BTreeSet::new();
        for name in wanted {
            let Some(text) = self.described(&name)? else {
                self.left_out
                    .push(format!("{name}: the vault has no describe of it"));
                continue;
            };
            let value = serde_json::from_slice(&text)
                .map_err(|e| Error::corrupt(format_args!("the describe of {name}"), e))?;
            self.rebuild.describe(&value).map_err(|e| wrong(&e))?;
            tables.insert(name);
        }
        Ok(tables)
    }

    fn described(&self, name: &str) -> Result<Option<Vec<u8>>> {
        match self.state.describe_text(name) {
            Err(e) if e.kind() == Kind::NotFound => Ok(None),
            text => text.map(Some),
        }
    }

    /// Lays down the rows of a table.
    fn table(&mut self, sobject: &str) -> Result<()> {
        let (job, rebuild) = (self.job, &mut self.rebuild);
        let (mut taken, mut refused) = (0, None);
        self.state.each(sobject, &mut |record| {
            job.go_on()?;
            match rebuild.row(sobject, &record.json, Bin::Live) {
                Ok(()) => taken += 1,
                Err(e) => {
                    refused = Some((
                        refused.take().map_or(1, |(n, _): (u64, String)| n + 1),
                        e.to_string(),
                    ))
                }
            }
            Ok(())
        })?;
        self.records += taken;
        if let Some((n, why)) = refused {
            self.left_out.push(format!("{sobject}: {n}, for instance: {why}"));
        }
        Ok(())
    }

    /// Lays into the bin what is in the bin and the plan is about, as it was last.
    fn bin(&mut self, vault: &Vault, plan: &Plan) -> Result<()> {
        let org = self.state.snapshot().org;
        for op in plan.operations.iter().filter(|op| op.action.brings_back()) {
            self.job.go_on()?;
            if self.state.gone(&op.sobject, op.id)? != Some(VersionKind::Deleted) {
                continue;
            }
            let last = history(vault, org, op.id)?
                .into_iter()
                .rev()
                .find_map(|version| version.json);
            let Some(json) = last else { continue };
            match self.rebuild.row(&op.sobject, &json, Bin::InBin) {
                Ok(()) => self.records += 1,
                Err(e) => self
                    .left_out
                    .push(format!("{} {} in the bin: {e}", op.sobject, op.id)),
            }
        }
        Ok(())
    }

    /// Makes stand-ins for what the plan points at and the snapshot does not hold.
    fn stand_ins(&mut self, plan: &Plan) -> Result<u64> {
        let brought: BTreeSet<_> = plan.operations.iter().map(|op| op.id).collect();
        let mut made: BTreeMap<String, u64> = BTreeMap::new();
        for op in &plan.operations {
            let values = op.fields.open()?;
            let named = values.values().filter_map(|value| id_of(value));
            for id in named.filter(|id| !brought.contains(id)) {
                if let Some(object) = self.rebuild.stand_in(&id.to_string(), &self.all) {
                    *made.entry(object).or_default() += 1;
                }
            }
        }
        for (object, n) in &made {
            self.left_out.push(format!(
                "{object}: the snapshot has no such rows; {n} that the plan points at are taken to be there"
            ));
        }
        Ok(made.values().sum())
    }
}
