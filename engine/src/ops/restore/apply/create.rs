//! Creating what is gone: looked for first, found where the org makes it by itself, with its file where it has one.
//!
//! Key decision: every way to a record that may be there already comes before the one that makes it. What a lost reply
//! came to is not decided here.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::value::RawValue;

use super::change::{current, held};
use super::{Run, Write, end, may_be_there, names};
use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::describe::Field;
use crate::ops::org::{Outcome, Refusal, Scope, Upload};
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::journal::Final;
use crate::ops::restore::look::{Described, look, rows};
use crate::ops::restore::plan::{Born, Operation};
use crate::ops::restore::special::{CONTACT, DOCUMENT, DOCUMENT_ID};

/// The field that names who owns a row.
const OWNER: &str = "OwnerId";

impl<'a> Run<'a> {
    /// Creates what is not there: a record that cannot be undeleted on its own may have come back with its parent.
    pub(super) fn create_missing(&mut self, batch: &[&'a Operation], described: &Described) -> Result<()> {
        let (born, made): (Vec<&Operation>, Vec<&Operation>) = batch.iter().partition(|op| op.born.is_some());
        let born: Vec<_> = born
            .into_iter()
            .filter_map(|op| Some((op, op.born.as_ref()?)))
            .collect();
        self.born(&born, described)?;
        let plan = self.plan;
        let (unsure, sure): (Vec<_>, Vec<_>) = made.into_iter().partition(|op| may_be_there(plan, op));
        let mut gone = self.take_back(&unsure, described)?;
        gone.extend(sure);
        gone.sort_by_key(|op| op.number);
        self.create(
            gone.into_iter()
                .map(|op| Ok((op, op.fields.open()?)))
                .collect::<Result<_>>()?,
            described,
        )
    }

    /// Creates rows with these values, once what they point at has come back.
    pub(super) fn create(
        &mut self,
        batch: Vec<(&'a Operation, Values)>,
        described: &Described,
    ) -> Result<()> {
        let (mut ready, mut selves) = (Vec::new(), Vec::new());
        for (op, mut values) in batch {
            values.retain(|_, value| !fields::is_null(value));
            self.drop_unknown(op, described, &mut values)?;
            let lost = self.repoint(op, described, &mut values)?;
            if let Some((field, to)) = lost.iter().find(|(_, to)| *to != op.id) {
                self.settle(
                    op,
                    Final::Skipped(format!("its {field}, {to}, did not come back")),
                )?;
                continue;
            }
            if !lost.is_empty() {
                let names: Vec<String> = lost.into_iter().map(|(name, _)| name).collect();
                self.leave(
                    op,
                    names.clone(),
                    "it points at itself: to be set once it is there".into(),
                )?;
                selves.push((op, names));
            }
            ready.push((op, values));
        }
        let (sought, mut rest): (Vec<_>, Vec<_>) = ready.into_iter().partition(|(op, _)| !op.find.is_empty());
        rest.extend(self.find(sought, described)?);
        let (files, mut plain): (Vec<_>, Vec<_>) = rest.into_iter().partition(|(op, _)| op.body.is_some());
        if let Some(marker) = self.marker(described) {
            for (op, values) in &mut plain {
                values.insert(marker.clone(), fields::id_value(op.id)?);
            }
        }
        self.insert(plain, described)?;
        for (op, values) in files {
            self.upload(op, values, described)?;
        }
        self.point_at_themselves(&selves)
    }

    /// Sets the references of created rows to themselves.
    fn point_at_themselves(&mut self, selves: &[(&'a Operation, Vec<String>)]) -> Result<()> {
        let (mut ops, mut rows) = (Vec::new(), Vec::new());
        for (op, names) in selves {
            if let Some(Final::Created(new)) = self.past.outcomes.get(&op.number) {
                let values = names
                    .iter()
                    .map(|name| Ok((name.clone(), fields::id_value(*new)?)));
                rows.push((*new, fields::text(&values.collect::<Result<Values>>()?)?));
                ops.push((*op, names));
            }
        }
        let Some(sobject) = ops.first().map(|(op, _)| op.sobject.clone()) else {
            return Ok(());
        };
        let answers = self.target.update(&sobject, &rows)?;
        for ((op, names), answer) in ops.into_iter().zip(answers) {
            let (open, why) = match answer {
                Outcome::Done(_) => (Vec::new(), String::new()),
                Outcome::Unknown(why) => (names.clone(), why),
                Outcome::Refused(refusal) => {
                    (names.clone(), format!("{}: {}", refusal.code, refusal.message))
                }
            };
            self.leave(op, open, why)?;
        }
        Ok(())
    }

    /// Inserts rows; those refused for fields that may be left out go once more without them.
    fn insert(&mut self, mut rows: Vec<(&'a Operation, Values)>, described: &Described) -> Result<()> {
        self.leave_inactive(&mut rows, described)?;
        for again in [false, true] {
            let Some(sobject) = rows.first().map(|(op, _)| op.sobject.clone()) else {
                return Ok(());
            };
            let texts = rows
                .iter()
                .map(|(_, values)| fields::text(values))
                .collect::<Result<Vec<_>>>()?;
            let intents: Vec<_> = rows.iter().map(|(op, _)| (*op, Values::new())).collect();
            let answers = self.call(&intents, |target, _| target.create(&sobject, &texts))?;
            let (mut left, mut lost) = (Vec::new(), Vec::new());
            for ((op, values), answer) in rows.into_iter().zip(answers) {
                match (without(&answer, &values, described).filter(|_| !again), answer) {
                    (Some((rest, names, why)), _) => {
                        if names == [OWNER]
                            && let Some(owner) = values.get(OWNER)
                        {
                            self.inactive.insert(owner.get().to_owned(), why.clone());
                        }
                        self.leave(op, names, why)?;
                        left.push((op, rest));
                    }
                    (None, Outcome::Unknown(why)) => lost.push((op, values, why)),
                    (None, answer) => self.settle(op, end(answer, Final::Created, ""))?,
                }
            }
            self.lost(lost, described)?;
            rows = left;
        }
        Ok(())
    }

    /// Leaves out owners that the org refused before as inactive: a refusal costs a call.
    fn leave_inactive(&mut self, rows: &mut [(&'a Operation, Values)], described: &Described) -> Result<()> {
        if self.inactive.is_empty() || described.describe.field(OWNER).is_none_or(Field::required) {
            return Ok(());
        }
        for (op, values) in rows {
            let why = values
                .get(OWNER)
                .and_then(|owner| self.inactive.get(owner.get()))
                .cloned();
            if let Some(why) = why {
                values.remove(OWNER);
                self.leave(op, vec![OWNER.to_owned()], why)?;
            }
        }
        Ok(())
    }

    /// Creates one row with its file.
    fn upload(&mut self, op: &'a Operation, values: Values, described: &Described) -> Result<()> {
        let Some(body) = &op.body else { return Ok(()) };
        self.affords(1)?;
        let row = fields::text(&values)?;
        let name = ["PathOnClient", "Name"].iter().find_map(|name| values.get(*name));
        let name: String = name
            .and_then(|text| serde_json::from_str(text.get()).ok())
            .unwrap_or_default();
        let mut answers = self.call(&[(op, Values::new())], |target, bodies| {
            let mut unread = None;
            let mut file = Upload {
                field: &body.field,
                name: &name,
                bytes: body.bytes,
                read: &mut |each| {
                    let mut taken = Ok(());
                    let read = bodies.read(&op.sobject, &body.field, op.id, &mut |piece| {
                        taken = each(piece).map_err(|e| Error::new(e.kind(), e.to_string()));
                        taken
                            .as_ref()
                            .copied()
                            .map_err(|e| Error::new(e.kind(), e.to_string()))
                    });
                    if let (Err(e), Ok(())) = (&read, &taken) {
                        unread = Some(e.to_string());
                    }
                    read
                },
            };
            match (target.upload(&op.sobject, &row, &mut file), unread) {
                (_, Some(why)) => Ok(vec![no_file(why)]),
                (answer, None) => Ok(vec![answer?]),
            }
        })?;
        match answers.pop() {
            Some(Outcome::Unknown(why)) => self.lost(vec![(op, values, why)], described),
            Some(answer) => self.settle(op, end(answer, Final::Created, "")),
            None => Ok(()),
        }
    }

    /// Finds rows that the org made by itself and edits them; gives those that are not there.
    fn find(
        &mut self,
        sought: Vec<(&'a Operation, Values)>,
        described: &Described,
    ) -> Result<Vec<(&'a Operation, Values)>> {
        let mut by_key: HashMap<&[String], Vec<_>> = HashMap::new();
        for one in sought {
            by_key.entry(&one.0.find).or_default().push(one);
        }
        let (mut missing, mut writes) = (Vec::new(), Vec::new());
        for (key, sought) in by_key {
            let Some(first) = key.first() else { continue };
            let wanted: BTreeSet<String> = sought
                .iter()
                .filter_map(|(_, values)| text_of(values.get(first)?))
                .collect();
            let wanted: Vec<String> = wanted.into_iter().collect();
            let names = names(sought.iter().map(|(op, _)| *op))?;
            let shown: BTreeSet<&str> = names.iter().map(String::as_str).collect();
            let mut found: HashMap<Vec<String>, (RecordId, Values)> = HashMap::new();
            rows(
                self.target,
                described,
                Scope::Having(first, &wanted),
                &shown,
                &mut |id, values| {
                    found.insert(key_of(key, &values), (id, values));
                    Ok(())
                },
            )?;
            for (op, values) in sought {
                match found.remove(&key_of(key, &values)) {
                    Some((id, now)) => writes.push(self.differing(op, id, values, &now, described)),
                    None => missing.push((op, values)),
                }
            }
        }
        self.set(
            writes,
            Final::Adopted,
            Final::Adopted,
            "the org had made it by itself, but: ",
            described,
        )?;
        Ok(missing)
    }

    /// The first version of a document that could not be undeleted, and the field in which it names it.
    pub(super) fn version_of(&self, op: &Operation) -> Option<(&'a Operation, &'a str)> {
        let of = |version: &'a Operation| {
            let named = version
                .references
                .iter()
                .find(|reference| reference.to == op.id)?;
            (version.body.is_some() && named.field == DOCUMENT_ID).then_some((version, named.field.as_str()))
        };
        (op.sobject == DOCUMENT).then(|| self.plan.operations.iter().find_map(of))?
    }

    /// Creates a document that could not be undeleted, by its first version.
    pub(super) fn reborn(&mut self, op: &'a Operation, described: &Described) -> Result<()> {
        let Some((version, field)) = self.version_of(op) else {
            return Ok(());
        };
        let Some(of) = self.described.get(&version.sobject).map(Rc::clone) else {
            return Ok(());
        };
        let mut values = version.fields.open()?;
        values.remove(field);
        values.retain(|name, value| {
            !fields::is_null(value) && of.describe.field(name).is_some_and(fields::creatable)
        });
        self.repoint(version, &of, &mut values)?;
        self.upload(version, values, &of)?;
        let born = Born {
            sobject: version.sobject.clone(),
            of: version.id,
            field: field.to_owned(),
        };
        self.born(&[(op, &born)], described)
    }

    /// Takes records that the org made together with others, and sets what differs.
    pub(super) fn born(&mut self, batch: &[(&'a Operation, &Born)], described: &Described) -> Result<()> {
        let mut by_parent: HashMap<(&str, &str), Vec<(&'a Operation, &Born)>> = HashMap::new();
        for (op, born) in batch {
            by_parent
                .entry((&born.sobject, &born.field))
                .or_default()
                .push((op, born));
        }
        let mut taken = Vec::new();
        for ((sobject, field), ops) in by_parent {
            let Some(parent) = self.described.get(sobject).map(Rc::clone) else {
                continue;
            };
            let ids: Vec<RecordId> = ops.iter().filter_map(|(_, born)| self.id_now(born.of)).collect();
            let name = field.to_owned();
            let live = look(self.target, &parent, &ids, std::iter::once(&name))?;
            for (op, born) in ops {
                let row = self.id_now(born.of).and_then(|id| live.get(&id));
                match row.and_then(|row| fields::id_of(row.get(field)?)) {
                    Some(id) => taken.push((op, id)),
                    None => self.settle(
                        op,
                        Final::Skipped(format!(
                            "{} {}, which it comes with, did not come back",
                            born.sobject, born.of
                        )),
                    )?,
                }
            }
        }
        let ids: Vec<RecordId> = taken.iter().map(|(_, id)| *id).collect();
        let names = names(taken.iter().map(|(op, _)| *op))?;
        let live = look(self.target, described, &ids, names.iter())?;
        let mut writes = Vec::new();
        for (op, id) in taken {
            // The values of a person's contact are those of the account.
            let mut values = match op.sobject.as_str() {
                CONTACT => Values::new(),
                _ => op.fields.open()?,
            };
            self.drop_unknown(op, described, &mut values)?;
            self.repoint(op, described, &mut values)?;
            let now = live.get(&id).cloned().unwrap_or_default();
            writes.push(self.differing(op, id, values, &now, described));
        }
        self.set(
            writes,
            Final::Created,
            Final::Created,
            "it is there, but: ",
            described,
        )
    }

    /// What an edit would have to set so that a row has these values.
    fn differing(
        &self,
        op: &'a Operation,
        id: RecordId,
        mut values: Values,
        now: &Values,
        described: &Described,
    ) -> Write<'a> {
        values.retain(|name, value| {
            described.describe.field(name).is_some_and(fields::editable) && current(now, name) != value.get()
        });
        let before = values
            .keys()
            .map(|name| (name.clone(), held(now, name)))
            .collect();
        Write {
            op,
            id,
            values,
            before,
        }
    }

    /// The field that carries the old Id, where the sObject has it.
    pub(super) fn marker(&self, described: &Described) -> Option<String> {
        let field = described.describe.field(self.plan.header.marker.as_deref()?)?;
        (fields::creatable(field) && field.filterable).then(|| field.name.clone())
    }
}

fn no_file(why: String) -> Outcome {
    Outcome::Refused(Refusal {
        code: "FILE_NOT_READ".into(),
        message: why,
        fields: Vec::new(),
    })
}

fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn key_of(key: &[String], values: &Values) -> Vec<String> {
    key.iter().map(|name| current(values, name).to_owned()).collect()
}

/// The values without those for which the org refused them, their names, and why.
fn without(
    answer: &Outcome,
    values: &Values,
    described: &Described,
) -> Option<(Values, Vec<String>, String)> {
    let Outcome::Refused(refusal) = answer else {
        return None;
    };
    let names: Vec<String> = match refusal.code.as_str() {
        "INACTIVE_OWNER_OR_USER" => vec![OWNER.to_owned()],
        "INVALID_FIELD_FOR_INSERT_UPDATE" => refusal.fields.clone(),
        _ => return None,
    };
    let may = |name: &String| {
        values.contains_key(name)
            && described
                .describe
                .field(name)
                .is_some_and(|field| !field.required())
    };
    if names.is_empty() || !names.iter().all(may) {
        return None;
    }
    let mut rest = values.clone();
    names.iter().for_each(|name| drop(rest.remove(name)));
    Some((rest, names, format!("{}: {}", refusal.code, refusal.message)))
}
