//! The proof of a plan: what must be true of any plan before a person is shown it.
//!
//! Key decision: written from docs/restore.md and not from the planner, so that a mistake of the planner is found here and
//! not in the org; a plan that cannot be proved is refused whole. It mends nothing, and what the org may refuse is
//! `foretell`'s.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::ops::restore::fields::{self, Values};
use crate::ops::restore::file;
use crate::ops::restore::foretell;
use crate::ops::restore::plan::{Action, Mode, Operation, Plan};
use crate::ops::restore::seen::Seen;
use crate::ops::restore::special::NEVER_MADE;
use crate::ops::restore::view::View;

/// Operations by sObject and field.
pub(super) type ByField = BTreeMap<(String, String), Vec<u32>>;

/// Proves a plan, and writes into it what will probably be refused.
///
/// # Errors
/// `Invalid`, naming the operation, for a plan that must not be carried out; what reading the states gives.
pub(super) fn check<'v>(plan: &mut Plan, then: &Seen<'v>, now: &Seen<'v>) -> Result<()> {
    let unseen = prove(plan, now)?;
    let warnings = foretell::warnings(plan, then, now, unseen)?;
    plan.warnings.extend(warnings);
    Ok(())
}

/// Proves a plan; gives the references to records that the state of now does not show.
pub(super) fn prove(plan: &Plan, now: &dyn View) -> Result<ByField> {
    file::prove(&plan.operations).map_err(refused)?;
    let back = plan.operations.iter().filter(|op| op.action.brings_back());
    let mut proof = Proof {
        plan,
        now,
        sobjects: now.sobjects().into_iter().collect(),
        brought: back.map(|op| (op.id, op.level)).collect(),
        mapped: plan.maps.iter().map(|map| map.from).collect(),
        there: HashMap::new(),
        unseen: ByField::new(),
    };
    for op in &plan.operations {
        proof
            .operation(op)
            .map_err(|e| refused(e.within(format_args!("operation {}", op.number))))?;
    }
    Ok(proof.unseen)
}

fn refused(e: Error) -> Error {
    e.within("the plan does not hold").hint(
        "nothing was written; this is a mistake in Halite: report it, and plan less at a time with --sobject or --id",
    )
}

struct Proof<'a> {
    plan: &'a Plan,
    now: &'a dyn View,
    sobjects: HashSet<String>,
    /// The level on which a record is brought back.
    brought: HashMap<RecordId, u32>,
    mapped: HashSet<RecordId>,
    /// Whether the org of now shows a record that is pointed at.
    there: HashMap<RecordId, bool>,
    unseen: ByField,
}

impl Proof<'_> {
    fn operation(&mut self, op: &Operation) -> Result<()> {
        self.mode(op)?;
        if op.action == Action::Delete {
            return Ok(());
        }
        let values = op.fields.open()?;
        self.references(op, &values)
    }

    /// Nothing is done that the mode does not name.
    fn mode(&self, op: &Operation) -> Result<()> {
        let header = &self.plan.header;
        let is_late = self.brought.contains_key(&op.id);
        let fits = match (op.action, header.mode) {
            (Action::Delete, _) => header.undoes.is_some(),
            (_, Mode::All) => true,
            (Action::Edit, Mode::Existing) => true,
            (Action::Edit, Mode::Deleted) => is_late,
            (Action::Create | Action::Undelete, mode) => mode == Mode::Deleted,
        };
        if fits {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "{} of {} {} is not within the mode",
            op.action, op.sobject, op.id
        )))
    }

    /// What a field points at is there, comes back on a level before, or is told.
    fn references(&mut self, op: &Operation, values: &Values) -> Result<()> {
        let describe = self.now.describe(&op.sobject)?;
        let named: HashSet<&str> = op.references.iter().map(|r| r.field.as_str()).collect();
        for (name, value) in values {
            let Some(to) = fields::id_of(value).filter(|to| *to != op.id) else {
                continue;
            };
            let Some(field) = describe.field(name).filter(|field| field.is_reference()) else {
                continue;
            };
            match self.brought.get(&to).copied() {
                Some(level) if level >= op.level => {
                    return Err(Error::invalid(format!("its {name}, {to}, comes back no earlier")));
                }
                Some(_) if !named.contains(name.as_str()) => {
                    return Err(Error::invalid(format!(
                        "its {name}, {to}, comes back under an Id that it would not be given"
                    )));
                }
                Some(_) => continue,
                None if self.mapped.contains(&to) || self.is_there(&field.reference_to, to)? => continue,
                None => {}
            }
            if self.plan.header.to.is_none() && self.is_gone(&field.reference_to, to)? {
                return Err(Error::invalid(format!(
                    "its {name}, {to}, is gone and stays gone"
                )));
            }
            let key = (op.sobject.clone(), name.clone());
            self.unseen.entry(key).or_default().push(op.number);
        }
        Ok(())
    }

    fn is_there(&mut self, sobjects: &[String], to: RecordId) -> Result<bool> {
        if let Some(there) = self.there.get(&to) {
            return Ok(*there);
        }
        let mut there = false;
        for sobject in sobjects.iter().filter(|name| self.sobjects.contains(*name)) {
            there = there || self.now.get(sobject, to)?.is_some();
        }
        self.there.insert(to, there);
        Ok(there)
    }

    fn is_gone(&self, sobjects: &[String], to: RecordId) -> Result<bool> {
        let owned = |name: &&String| self.sobjects.contains(*name) && !NEVER_MADE.contains(&name.as_str());
        for sobject in sobjects.iter().filter(owned) {
            if self.now.gone(sobject, to)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::format::describe::Describe;
    use crate::format::page::VersionKind;
    use crate::ops::restore::plan::Header;

    const PARENT: &str = "001000000000001AAA";
    const CHILD: &str = "003000000000001AAA";

    /// An org that shows one account, knows of one that is gone, and no more.
    struct Now;

    impl View for Now {
        fn sobjects(&self) -> Vec<String> {
            vec!["Account".into(), "Contact".into()]
        }

        fn describe(&self, sobject: &str) -> Result<Arc<Describe>> {
            let field = r#"{"name":"AccountId","type":"reference","referenceTo":["Account"],"createable":true,"nillable":true}"#;
            let json = format!(r#"{{"name":"{sobject}","fields":[{{"name":"Id","type":"id"}},{field}]}}"#);
            Describe::parse(json.as_bytes()).map(Arc::new)
        }

        fn get(&self, _: &str, id: RecordId) -> Result<Option<String>> {
            Ok((id.to_string() == "001000000000007AAA").then(|| "{}".to_owned()))
        }

        fn gone(&self, _: &str, id: RecordId) -> Result<Option<VersionKind>> {
            Ok((id.to_string() == "001000000000008AAA").then_some(VersionKind::Purged))
        }
    }

    /// What comes of a plan of these lines.
    fn proved(mode: Mode, lines: &[String]) -> Result<ByField> {
        let mut plan = Plan::new(Header {
            mode,
            ..Header::default()
        });
        for line in lines {
            plan.operations.push(serde_json::from_str(line).unwrap());
        }
        prove(&plan, &Now)
    }

    fn parent(level: u32) -> String {
        format!(
            r#"{{"number":1,"level":{level},"action":"create","sobject":"Account","id":"{PARENT}","fields":{{"Name":"x"}},"reason":""}}"#
        )
    }

    fn child(number: u32, to: &str, named: bool) -> String {
        let named = if named {
            format!(r#"{{"field":"AccountId","to":"{to}"}}"#)
        } else {
            String::new()
        };
        format!(
            r#"{{"number":{number},"level":1,"action":"create","sobject":"Contact","id":"{CHILD}","fields":{{"AccountId":"{to}"}},"references":[{named}],"reason":""}}"#
        )
    }

    fn says(mode: Mode, lines: &[String], words: &str) {
        let error = proved(mode, lines).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn a_good_plan_is_proved_and_names_what_it_does_not_see() {
        assert!(
            proved(Mode::All, &[parent(0), child(2, PARENT, true)])
                .unwrap()
                .is_empty()
        );
        assert!(
            proved(Mode::All, &[child(1, "001000000000007AAA", false)])
                .unwrap()
                .is_empty()
        );
        let unseen = proved(Mode::Deleted, &[child(1, "001000000000009AAA", false)]).unwrap();
        let key = ("Contact".to_owned(), "AccountId".to_owned());
        assert_eq!(unseen, ByField::from([(key, vec![1])]));
    }

    #[test]
    fn each_way_in_which_a_plan_is_wrong_is_found() {
        says(
            Mode::All,
            &[parent(1), child(2, PARENT, true)],
            "of the same level",
        );
        says(
            Mode::All,
            &[parent(1), child(2, PARENT, false)],
            "comes back no earlier",
        );
        says(
            Mode::All,
            &[parent(0), child(2, PARENT, false)],
            "would not be given",
        );
        says(
            Mode::All,
            &[child(1, "001000000000008AAA", false)],
            "is gone and stays gone",
        );
        says(Mode::Existing, &[parent(0)], "not within the mode");
        let edit = parent(0).replace("create", "edit");
        says(Mode::Deleted, &[edit], "not within the mode");
        let delete = parent(0).replace("create", "delete").replace(r#""Name":"x""#, "");
        says(Mode::All, &[delete], "not within the mode");
    }
}
