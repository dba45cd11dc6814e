//! Who changed or deleted a record last, as far as the org says.
//!
//! Key decision: by the `LastModifiedById` of the newest version, which stands among the keys, that of the row in the
//! recycle bin included; where there is none, the record is counted and told, not left out in silence. It knows of no
//! change before the last.

use std::collections::BTreeMap;

use crate::base::error::{Error, Kind, Result};
use crate::base::id::RecordId;
use crate::format::page::KeyRow;
use crate::ops::lookup::Lookup;
use crate::ops::restore::fields;
use crate::ops::restore::plan::Warning;
use crate::ops::restore::seen::Seen;
use crate::ops::restore::special;

const USER: &str = "User";

const REMEDY: &str = "`--by` takes a Username as Setup, Users shows it, or the Id of a user";

/// The user whose doing is taken back.
pub(super) struct By {
    user: RecordId,
    named: String,
    /// Whether a snapshot has such a user.
    known: bool,
    /// Whether something was the user's.
    found: bool,
    /// Records of which nobody knows.
    unknown: BTreeMap<String, u64>,
}

impl By {
    /// A user by Username or Id.
    ///
    /// # Errors
    /// `NotFound` for a Username that neither state has.
    pub fn of<'v>(named: &str, then: &Seen<'v>, now: &Seen<'v>) -> Result<Self> {
        let held = |seen: &&Seen<'v>| seen.sobjects.iter().any(|name| name == USER);
        let states: Vec<&Seen<'v>> = [now, then].into_iter().filter(held).collect();
        let by = |user, known| Self {
            user,
            named: named.to_owned(),
            known,
            found: false,
            unknown: BTreeMap::new(),
        };
        if let Ok(user) = named.parse() {
            for seen in states {
                if Lookup::new(&seen.state, USER).has(user)? {
                    return Ok(by(user, true));
                }
            }
            // Not every user that signs records is shown.
            return Ok(by(user, false));
        }
        for seen in &states {
            let mut user = None;
            seen.state.each(USER, &mut |record| {
                let values = fields::values(&record.json)?;
                let name = special::text(&values, "Username");
                if name.is_some_and(|name| name.eq_ignore_ascii_case(named)) {
                    user = Some(record.id);
                }
                Ok(())
            })?;
            if let Some(user) = user {
                return Ok(by(user, true));
            }
        }
        let what = if states.is_empty() {
            "no snapshot has users".to_owned()
        } else {
            format!("no user has the Username {named}")
        };
        Err(Error::new(Kind::NotFound, what).hint(REMEDY))
    }

    /// Whether the newest version of a record is the user's doing; `None` if nobody knows.
    pub fn is(&self, newest: &KeyRow) -> Option<bool> {
        newest.modified_by.map(|user| user == self.user)
    }

    /// Notes a record that all else chooses; gives whether it is the user's.
    pub fn note(&mut self, sobject: &str, newest: &KeyRow, in_then: bool) -> bool {
        let is = self.is(newest);
        if is.is_none() && in_then {
            *self.unknown.entry(sobject.to_owned()).or_default() += 1;
        }
        self.found |= is == Some(true);
        is == Some(true)
    }

    /// What is to be said of the records of which nobody knows.
    ///
    /// # Errors
    /// `NotFound` for an Id that no snapshot knows and that nothing was by.
    pub fn end(self) -> Result<Vec<Warning>> {
        if !self.known && !self.found {
            let what = format!(
                "no snapshot has a user {}, and nothing that differs is by that",
                self.named
            );
            return Err(Error::new(Kind::NotFound, what).hint(REMEDY));
        }
        let told = self.unknown.into_iter().map(|(sobject, count)| Warning {
            what: format!(
                "{count} records differ and the org does not say who changed or deleted them last: they are not planned"
            ),
            remedy: "look at them with `halite diff`, and plan those that belong to it with --id".into(),
            operations: Vec::new(),
            sobject,
        });
        Ok(told.collect())
    }
}
