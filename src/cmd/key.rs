//! `halite key` and `halite rekey`: who may open the vault, and a new master key for what is to come.
//!
//! Key decision: a new key comes from a command, a file, the environment or the terminal, never from an argument.
//! What removing one does not do is said each time: who has opened the vault once may have kept its master key.

use halite_engine::base::clock::Clock;
use halite_engine::vault::keys::{Cost, SlotInfo, Wrap, slots};
use halite_engine::vault::rekey::rekey as renew;
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::{Key, NewKey};
use crate::job::{Job, ask_twice};
use crate::out::{End, count};

/// Does what was asked of the keys.
pub fn run(job: &Job, what: &Key) -> Result<End> {
    match what {
        Key::Add(flags) => add(job, flags),
        Key::List => list(job),
        Key::Remove(flags) => remove(job, &flags.key),
        Key::Repair => repair(job),
    }
}

fn add(job: &Job, flags: &NewKey) -> Result<End> {
    let (holder, _) = job.holder()?;
    let secret = match Job::other_key(flags)? {
        Some(secret) => secret,
        None => ask_twice().map_err(|e| match e.kind() {
            Kind::Auth => e.hint("give --new-key-file, --new-passphrase-command or HALITE_NEW_PASSPHRASE"),
            _ => e,
        })?,
    };
    let id = holder.add(&secret, &Clock::system(), Cost::STRONG)?;
    job.out
        .line(format_args!("key {} opens the vault too", short(&id)))?;
    job.out.value(&json!({ "added": id }))?;
    Ok(End::Done)
}

fn list(job: &Job) -> Result<End> {
    let all = slots(&*job.store()?)?;
    for slot in &all {
        let (id, damage) = (
            short(&slot.id),
            if slot.whole { "" } else { "  one copy is damaged" },
        );
        match slot.facts {
            Some(facts) => {
                let (wrap, made) = (facts.wrap.name(), facts.made);
                let generation = facts.generation;
                job.out.line(format_args!(
                    "{id}  {wrap:14}  made {made}  master key {generation}{damage}"
                ))?;
            }
            None => job
                .out
                .line(format_args!("{id}  cannot be read, or is of a newer kind"))?,
        }
    }
    let damaged = all.iter().filter(|slot| !slot.whole).count() as u64;
    if damaged > 0 {
        job.out.line(format_args!(
            "{} damaged: `halite key repair`",
            count(damaged, "key")
        ))?;
    }
    let open = |slot: &SlotInfo| slot.facts.is_some_and(|facts| facts.wrap == Wrap::None);
    if all.iter().any(open) {
        job.out
            .line("the vault is not protected: one key has no secret")?;
    }
    job.out.value(&all.iter().map(slot_json).collect::<Vec<_>>())?;
    Ok(End::Done)
}

fn remove(job: &Job, id: &str) -> Result<End> {
    let slot = job.holder()?.0.remove(id)?;
    job.out.line(format_args!(
        "key {} is removed; who opened the vault with it may have kept the master key: `halite rekey` makes a new one",
        short(&slot.id)
    ))?;
    job.out.value(&json!({ "removed": slot_json(&slot) }))?;
    Ok(End::Done)
}

fn repair(job: &Job) -> Result<End> {
    let written = job.holder()?.0.repair()?;
    for name in &written {
        job.out
            .line(format_args!("{name} is written anew from its other copy"))?;
    }
    if written.is_empty() {
        job.out.line("every copy that can be repaired is whole")?;
    }
    job.out.value(&json!({ "written": written }))?;
    Ok(End::Done)
}

/// Gives the vault a new master key.
pub fn rekey(job: &Job, flags: &NewKey) -> Result<End> {
    let other = Job::other_key(flags)?;
    let (_, current) = job.holder()?;
    let kept = other.as_ref().unwrap_or(&current);
    let place = job.store()?;
    let done =
        renew(&place, &current, kept, job.options(), Cost::STRONG).map_err(|e: Error| match e.kind() {
            Kind::Io | Kind::Busy => e.hint("run it again to finish it"),
            _ => e,
        })?;
    job.out.line(format_args!(
        "master key {} seals what is to come; key {} opens the vault, and no other",
        done.generation,
        short(&done.slot)
    ))?;
    for slot in &done.removed {
        let wrap = slot.facts.map_or("unreadable", |facts| facts.wrap.name());
        job.out.line(format_args!(
            "removed key {} ({wrap}); add its owner again with `halite key add`",
            short(&slot.id)
        ))?;
    }
    job.out.line(format_args!(
        "{} sealed under former keys; prune brings them over as it repacks",
        count(done.former_packs as u64, "pack")
    ))?;
    job.out.value(&json!({
        "generation": done.generation,
        "key": done.slot,
        "removed": done.removed.iter().map(slot_json).collect::<Vec<_>>(),
        "former_packs": done.former_packs,
    }))?;
    Ok(End::Done)
}

/// What is shown of an id; `key remove` takes it.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn slot_json(slot: &SlotInfo) -> Value {
    json!({
        "id": slot.id,
        "wrap": slot.facts.map(|facts| match facts.wrap {
            Wrap::None => "none",
            Wrap::Passphrase => "passphrase",
            Wrap::KeyFile => "key_file",
        }),
        "made": slot.facts.map(|facts| facts.made.to_string()),
        "generation": slot.facts.map(|facts| facts.generation),
        "whole": slot.whole,
    })
}
