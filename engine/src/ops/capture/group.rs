//! One group of sObjects, from their describes to what the snapshot will say of them.
//!
//! Key decision: a fixed order of few questions, each for the whole group: describes, logs of deletions, rows; then
//! what is missing is proved sObject by sObject, and counts are compared. What failed because the schema moved under
//! it is tried once more with a new describe. It neither proves absence nor settles counts: those stand beside.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::stamp::Stamp;
use crate::format::describe::Describe;
use crate::format::draft::UnderWay;
use crate::format::record::Mode;
use crate::format::schema::{Role, Schema};
use crate::format::seal::ChunkKind;
use crate::ops::capture::read::{Ask, Take};
use crate::ops::capture::{Capture, Hear};
use crate::ops::ingest::{Ingest, Rules, Target};
use crate::ops::org::{SObjectInfo, Source};
use crate::ops::publish::{Done, NewSchema, Numbered, numbered, open_holes};

impl<'v> Capture<'v, '_> {
    /// Reads a group to its end.
    pub(super) fn group(
        &mut self,
        source: &mut dyn Source,
        infos: &[SObjectInfo],
        hear: &mut Hear<'_>,
    ) -> Result<()> {
        let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
        let again = self.attempt(source, &names, true, hear)?;
        if !again.is_empty() {
            let names: Vec<&str> = again.iter().map(String::as_str).collect();
            self.attempt(source, &names, false, hear)?;
        }
        Ok(())
    }

    /// The same once; gives back those that a new describe may help, if this is the `first` time.
    fn attempt(
        &mut self,
        source: &mut dyn Source,
        names: &[&str],
        first: bool,
        hear: &mut Hear<'_>,
    ) -> Result<Vec<String>> {
        let mut asks = self.describe(source, names, hear)?;
        self.ask_logs(source, &mut asks)?;
        let mut takes = Vec::with_capacity(asks.len());
        for ask in &mut asks {
            takes.push(self.begin_one(ask)?);
        }
        self.read_group(source, &asks, &mut takes, hear)?;
        let mut again = Vec::new();
        for at in 0..asks.len() {
            self.settle_doubts(source, &asks[at], &mut takes[at])?;
            self.prove_absence(source, &asks[at], &mut takes[at])?;
            self.save_if_due(source, &mut takes, hear)?;
        }
        self.reconcile(source, &asks, &mut takes)?;
        let bodies = self.files(source, &asks, &mut takes, hear)?;
        for (ask, take) in asks.into_iter().zip(takes).chain(bodies) {
            let name = ask.describe.name.clone();
            match take.failed {
                Some((_, true)) if first => again.push(name),
                Some((why, _)) => {
                    let mut failed = Done::skipped(&name, why);
                    failed.failed = true;
                    self.add(failed, hear);
                }
                None => {
                    let done = self.finish_one(ask, take)?;
                    self.add(done, hear);
                }
            }
        }
        Ok(again)
    }

    /// Describes a group; what cannot be described is done.
    fn describe(&mut self, source: &mut dyn Source, names: &[&str], hear: &mut Hear<'_>) -> Result<Vec<Ask>> {
        let mut answers = Vec::with_capacity(names.len());
        source.describes(names, &mut |at, answer| {
            answers.push((at, answer));
            Ok(())
        })?;
        let mut asks = Vec::with_capacity(names.len());
        for (at, answer) in answers {
            let ask = answer.and_then(|text| {
                let describe = Describe::parse(&text)?;
                let schema = Schema::of(&describe)?;
                Ok((text, describe, Arc::new(schema)))
            });
            match ask {
                Ok((text, describe, schema)) => asks.push(self.ask(text, describe, schema)?),
                Err(error) => {
                    let mut failed = Done::skipped(names[at], error.to_string());
                    failed.failed = true;
                    self.add(failed, hear);
                }
            }
        }
        Ok(asks)
    }

    /// What to ask of one sObject.
    pub(super) fn ask(&mut self, text: Vec<u8>, describe: Describe, schema: Arc<Schema>) -> Result<Ask> {
        let name = schema.sobject();
        let before = self.vault.catalog().object(self.org, name)?;
        let Numbered {
            number,
            fresh,
            same_fields,
        } = numbered(self.vault, self.org, &schema, Some(&text))?;
        let stamped = schema.has(Role::SystemModstamp) || schema.has(Role::LastModifiedDate);
        let bound = before.as_ref().map_or(Stamp::NONE, |b| b.read_from);
        let since = bound.minus_millis(self.options.overlap_millis);
        let holes = open_holes(self.vault, self.org, name)?;
        let increment = !self.options.full && same_fields && stamped && since.is_some() && holes.is_empty();
        Ok(Ask {
            fields: schema.selected().iter().map(|name| (*name).to_owned()).collect(),
            schema_id: self.vault.keys.chunk_id(ChunkKind::Schema, &schema.encode()),
            since: if increment { since } else { Stamp::NONE },
            covered: Stamp::NONE,
            log: None,
            log_failed: false,
            from: None,
            before: before.as_ref().map_or(0, |b| b.live),
            agreed: before.as_ref().map_or(Stamp::NONE, |b| b.agreed),
            unfinished: false,
            holes,
            number,
            fresh,
            describe,
            text,
            schema,
        })
    }

    /// Asks who was deleted, before anything is read: what commits later stays behind the bound that this gives.
    fn ask_logs(&mut self, source: &mut dyn Source, asks: &mut [Ask]) -> Result<()> {
        let near = self.from.minus_millis(self.options.overlap_millis);
        let since = |ask: &Ask| if ask.full() { near } else { ask.since };
        let asked: Vec<(String, Stamp)> = asks
            .iter()
            .map(|ask| (ask.describe.name.clone(), since(ask)))
            .collect();
        let asked: Vec<(&str, Stamp)> = asked
            .iter()
            .map(|(name, since)| (name.as_str(), *since))
            .collect();
        let no_log = &mut self.no_log;
        source.deleted(&asked, &mut |at, log| {
            no_log.remove(asked[at].0);
            match log {
                Ok(Some(log)) => {
                    asks[at].covered = log.covered;
                    asks[at].log = Some(log);
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(sobject = asked[at].0, %error, "no log of deletions: all Ids are compared");
                    asks[at].log_failed = true;
                    no_log.insert(asked[at].0.to_owned(), error.to_string());
                }
            }
            Ok(())
        })
    }

    /// Begins to take one sObject, or goes on where an attempt before this one had come.
    pub(super) fn begin_one(&mut self, ask: &mut Ask) -> Result<Take<'v>> {
        let slot = self.under.slots.remove(&ask.describe.name);
        let same = |slot: &UnderWay| {
            (slot.schema, slot.captured.schema, slot.since.is_some())
                == (ask.schema_id, ask.number, !ask.full())
        };
        let slot = slot.filter(same);
        if let Some(slot) = slot {
            // The window is the one in which the rows were read that are there.
            (ask.since, ask.covered, ask.from) = (slot.since, slot.covered, slot.position.clone());
            // Those rows were read without a log: what came late then is not known by the one that there is now.
            ask.log_failed |= ask.log.is_some() && !slot.covered.is_some();
            match self.ingest(ask, Some(&slot)) {
                Ok(ingest) => return Ok(ask.take(ingest, Some(&slot))),
                Err(error) => {
                    tracing::warn!(sobject = ask.describe.name, %error, "what was saved does not read: anew");
                    ask.from = None;
                }
            }
        }
        Ok(ask.take(self.ingest(ask, None)?, None))
    }

    fn ingest(&self, ask: &Ask, slot: Option<&UnderWay>) -> Result<Ingest<'v>> {
        let (catalog, name) = (self.vault.catalog(), ask.schema.sobject());
        let target = Target {
            vault: self.vault,
            snapshot: self.number,
            schema_number: ask.number,
            schema: Arc::clone(&ask.schema),
            runs: catalog.runs(self.org, name)?,
            before: catalog.object(self.org, name)?,
            read: self.from,
            holes: if ask.full() { ask.holes.clone() } else { Vec::new() },
            erased: self.writer.erased(self.org)?,
        };
        let rules = Rules {
            mode: Mode::KeepRaw,
            full: ask.full(),
            once: false,
            memory: self.options.memory,
        };
        match slot {
            Some(slot) => Ingest::resume(target, rules, slot),
            None => Ingest::new(target, rules),
        }
    }

    /// What the snapshot will say of it.
    fn finish_one(&mut self, ask: Ask, take: Take<'v>) -> Result<Done> {
        let Some(ingest) = take.ingest else {
            return Ok(Done::skipped(&ask.describe.name, "it was given up".to_owned()));
        };
        let (runs, captured) = ingest.finish(&mut self.writer)?;
        let prefix = ask.describe.key_prefix.as_deref();
        let before = self.vault.catalog().object(self.org, &ask.describe.name)?;
        let bound = if ask.unfinished {
            Stamp::NONE
        } else if ask.log_failed {
            before.map_or(Stamp::NONE, |before| before.read_from)
        } else if ask.covered.is_some() {
            self.from.min(ask.covered)
        } else {
            self.from
        };
        Ok(Done {
            captured,
            failed: false,
            runs,
            schema: ask.fresh.then_some(NewSchema::Here(ask.schema, Some(ask.text))),
            read_from: bound,
            key_prefix: prefix
                .and_then(|p| p.as_bytes().try_into().ok())
                .unwrap_or_default(),
            filled: ask.holes.into_iter().map(|(chunk, _)| chunk).collect(),
        })
    }
}
