//! Which rows of another org stand for those of the plan's own: users, record types, queues, price books.
//!
//! Key decision: by the names that people gave them, never by Id, since Ids differ wherever an org was not copied; a
//! name that two rows share matches nothing, rather than the wrong one. It makes no rows and asks no org.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::ops::restore::fields::{self, Values, id_of};
use crate::ops::restore::plan::{Mapped, Plan};
use crate::ops::restore::special::{self, PRICEBOOK};
use crate::ops::state::State;

/// The fields by which rows of an sObject are matched, the best first.
const KEYS: [(&str, &[&[&str]]); 7] = [
    ("User", &[&["Username"], &["FederationIdentifier"], &["Email"]]),
    ("RecordType", &[&["SobjectType", "DeveloperName"]]),
    ("Group", &[&["Type", "DeveloperName"]]),
    ("Folder", &[&["Type", "DeveloperName"]]),
    ("Profile", &[&["Name"]]),
    ("BusinessHours", &[&["Name"]]),
    (PRICEBOOK, &[&["IsStandard"]]),
];
/// Those of all others.
const ANY: &[&[&str]] = &[&["DeveloperName"], &["Name"]];

/// What stands for what.
#[derive(Debug, Default)]
pub struct Mapping {
    by: HashMap<RecordId, Mapped>,
    /// Rows that are matched, those of the same Id too.
    known: HashSet<RecordId>,
}

impl Mapping {
    /// Matches the rows of `sobjects` in two states of two orgs; `by_hand` wins.
    ///
    /// # Errors
    /// `NotFound` for what is named by hand and is in neither org; what reading the states gives.
    pub fn between(
        then: &State<'_>,
        now: &State<'_>,
        sobjects: &BTreeSet<String>,
        by_hand: &[(RecordId, RecordId)],
    ) -> Result<Self> {
        let mut mapping = Self::default();
        for (from, to) in by_hand {
            let of = |state: &State<'_>, id: RecordId| {
                state.sobject_of(id)?.ok_or_else(|| {
                    let what = format!("{id}: no snapshot of org {} has it", state.snapshot().org);
                    Error::new(Kind::NotFound, what)
                        .hint("`--map FROM=TO` takes an Id of the old org, then one of the other")
                })
            };
            of(now, *to)?;
            mapping.note(of(then, *from)?, *from, *to, "by hand".into());
        }
        let shown: BTreeSet<String> = now.sobjects()?.into_iter().collect();
        let held: BTreeSet<String> = then.sobjects()?.into_iter().collect();
        for sobject in sobjects
            .iter()
            .filter(|name| shown.contains(*name) && held.contains(*name))
        {
            mapping.sobject(then, now, sobject)?;
        }
        Ok(mapping)
    }

    fn sobject(&mut self, then: &State<'_>, now: &State<'_>, sobject: &str) -> Result<()> {
        let found = KEYS.iter().find(|(name, _)| *name == sobject);
        let keys = found.map_or(ANY, |(_, keys)| keys);
        let mut there: Vec<Names> = keys.iter().map(|_| Names::default()).collect();
        now.each(sobject, &mut |record| {
            let values = fields::values(&record.json)?;
            for (key, names) in keys.iter().zip(&mut there) {
                names.note(key, &values, record.id);
            }
            Ok(())
        })?;
        then.each(sobject, &mut |record| {
            let values = fields::values(&record.json)?;
            if self.known.contains(&record.id) || sobject == PRICEBOOK && !special::is_standard_book(&values)
            {
                return Ok(());
            }
            for (key, names) in keys.iter().zip(&there) {
                if let Some((to, name)) = names.find(key, &values) {
                    self.note(
                        sobject.to_owned(),
                        record.id,
                        to,
                        format!("{} {name}", key.join(" and ")),
                    );
                    break;
                }
            }
            Ok(())
        })
    }

    fn note(&mut self, sobject: String, from: RecordId, to: RecordId, by: String) {
        self.known.insert(from);
        if from != to {
            self.by.insert(
                from,
                Mapped {
                    sobject,
                    from,
                    to,
                    by,
                },
            );
        }
    }

    /// Whether a row of the other org stands for this one.
    pub fn has(&self, id: RecordId) -> bool {
        self.known.contains(&id)
    }

    /// The lines for what a plan points at, in order of Ids.
    ///
    /// # Errors
    /// Never for a plan that was made.
    pub fn used(mut self, plan: &Plan) -> Result<Vec<Mapped>> {
        let mut named = BTreeSet::new();
        for op in &plan.operations {
            named.extend(op.fields.open()?.values().filter_map(|value| id_of(value)));
        }
        Ok(named.iter().filter_map(|id| self.by.remove(id)).collect())
    }
}

/// The rows of one sObject by what they are called; `None` where two share it.
#[derive(Default)]
struct Names {
    exact: HashMap<String, Option<RecordId>>,
    /// Usernames without a sandbox's ending.
    short: HashMap<String, Option<RecordId>>,
}

impl Names {
    fn note(&mut self, key: &[&str], values: &Values, id: RecordId) {
        let Some(name) = name_of(key, values) else { return };
        if key == ["Username"] {
            for short in without_endings(&name) {
                add(&mut self.short, short.to_owned(), id);
            }
        }
        add(&mut self.exact, name, id);
    }

    /// The row that is called as this one is, and how that is.
    fn find(&self, key: &[&str], values: &Values) -> Option<(RecordId, String)> {
        let name = name_of(key, values)?;
        let mut found = self.exact.get(&name).copied();
        if key == ["Username"] {
            found = found
                .or_else(|| self.short.get(&name).copied())
                .or_else(|| without_endings(&name).find_map(|short| self.exact.get(short).copied()));
        }
        Some((found.flatten()?, name))
    }
}

fn add(names: &mut HashMap<String, Option<RecordId>>, name: String, id: RecordId) {
    names.entry(name).and_modify(|at| *at = None).or_insert(Some(id));
}

/// What a row is called, in lower case; none where a part is missing.
fn name_of(key: &[&str], values: &Values) -> Option<String> {
    let part = |name: &&str| {
        let value = values.get(*name)?.get();
        let text = serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
        let text = text.trim().to_lowercase();
        let text = text
            .strip_suffix(".invalid")
            .filter(|_| *name == "Email")
            .map_or(text.clone(), str::to_owned);
        (!text.is_empty()).then_some(text)
    };
    let parts = key.iter().map(part).collect::<Option<Vec<String>>>()?;
    Some(parts.join(" "))
}

/// A username without one or more endings such as a sandbox appends, as long as it is one: it has the form of an e-mail
/// address (Salesforce Help, "Usernames in Sandboxes").
fn without_endings(username: &str) -> impl Iterator<Item = &str> {
    let host = username.find('@').map_or(username.len(), |at| at + 1);
    let dots = username
        .match_indices('.')
        .map(|(at, _)| at)
        .filter(move |at| *at > host);
    dots.map(|at| &username[..at])
        .filter(move |short| short[host..].contains('.'))
        .rev()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        format!("00500000000000{n}").parse().unwrap()
    }

    fn called(json: &str) -> Values {
        fields::values(json).unwrap()
    }

    #[test]
    fn a_sandbox_has_the_same_users() {
        let mut names = Names::default();
        let key = ["Username"];
        names.note(&key, &called(r#"{"Username":"ada@salt.example.dev"}"#), id(1));
        names.note(&key, &called(r#"{"Username":"bob@salt.example"}"#), id(2));
        let find = |name: &str| {
            let found = names.find(&key, &called(&format!(r#"{{"Username":"{name}"}}"#)));
            found.map(|(id, _)| id)
        };
        assert_eq!(find("Ada@salt.example.DEV"), Some(id(1)));
        assert_eq!(find("ada@salt.example"), Some(id(1)));
        assert_eq!(find("bob@salt.example.uat"), Some(id(2)));
        assert_eq!(find("bob@salt.org"), None);
        assert_eq!(find("ada@salt"), None);
    }

    #[test]
    fn a_name_that_two_share_matches_nothing() {
        let mut names = Names::default();
        let key = ["Type", "DeveloperName"];
        let queue = called(r#"{"Type":"Queue","DeveloperName":"Support"}"#);
        names.note(&key, &queue, id(1));
        assert_eq!(names.find(&key, &queue).unwrap().0, id(1));
        names.note(&key, &queue, id(2));
        assert_eq!(names.find(&key, &queue), None);
        assert_eq!(names.find(&key, &called(r#"{"Type":"Queue"}"#)), None);
    }
}
