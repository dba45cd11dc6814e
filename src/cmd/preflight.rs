//! `halite preflight`: what the org's user lacks for a backup or a restore, and where in Setup it is given.
//!
//! Key decision: each right on a line of its own, by the name that Setup has for it, so that it can be handed to whoever
//! may give it; 3 if something that is needed is missing. It changes nothing in the org.

use halite_connector::{Preflight, Purpose, SalesforceOrg};
use halite_engine::Result;
use halite_engine::base::id::OrgId;
use halite_engine::ops::org::Source;
use halite_engine::vault::Vault;
use serde_json::json;

use crate::args;
use crate::connection::connection;
use crate::job::Job;
use crate::out::{End, Out, count};

/// Looks, and says what is missing.
pub fn run(job: &Job, flags: &args::Preflight) -> Result<End> {
    let vault = job.vault()?;
    let kept = connection(&vault, &flags.name)?;
    let mut org = job.sign_in(&vault, &flags.name)?;
    let who = org.identity()?;
    let purpose = match flags.purpose {
        args::Purpose::Backup => Purpose::Backup,
        args::Purpose::RestoreAll => Purpose::RestoreAll,
        args::Purpose::RestoreExisting => Purpose::RestoreExisting,
        args::Purpose::RestoreDeleted => Purpose::RestoreDeleted,
    };
    let found = look(&vault, &mut org, kept.org, purpose)?;
    job.out
        .line(format_args!("{} of {} ({})", who.user_name, who.name, who.org))?;
    tell(job.out, &found)?;
    job.out.value(&json!({
        "name": flags.name, "org": who.org.to_string(), "user": who.user.to_string(), "user_name": who.user_name,
        "passes": found.passes(), "found": found,
    }))?;
    Ok(if found.passes() { End::Done } else { End::Partly })
}

/// Looks at what is wanted for `purpose`: for a restore at the sObjects that the vault has records of, if it has any.
pub fn look(vault: &Vault, org: &mut SalesforceOrg, id: OrgId, purpose: Purpose) -> Result<Preflight> {
    let held = vault.catalog().objects(id)?.into_iter();
    let held: Vec<String> = held
        .filter(|(_, entry)| entry.live > 0)
        .map(|(name, _)| name)
        .collect();
    let wanted = (purpose != Purpose::Backup && !held.is_empty()).then_some(held);
    org.preflight(purpose, wanted.as_deref())
        .map_err(|e| e.within("looking at the user's rights"))
}

/// Says what was found.
pub fn tell(out: Out, found: &Preflight) -> Result<()> {
    for missing in &found.missing {
        let how = if missing.needed { "missing" } else { "advised" };
        let (right, place, why) = (&missing.right, &missing.place, &missing.why);
        out.line(format_args!("  {how}: {right}: {why}; {place}"))?;
    }
    for what in &found.unchecked {
        out.line(format_args!("  not looked at: {what}"))?;
    }
    let (objects, fields) = (
        count(found.sobjects as u64, "sObject"),
        count(found.fields as u64, "field"),
    );
    let needed = found.missing.iter().filter(|missing| missing.needed).count() as u64;
    let verdict = match needed {
        0 => "nothing that is needed is missing".to_owned(),
        n => format!("{} missing", count(n, "right")),
    };
    let edition = found
        .edition
        .as_deref()
        .map_or(String::new(), |edition| format!(" of {edition}"));
    out.line(format_args!("preflight: {objects}{edition}, {fields}: {verdict}"))
}
