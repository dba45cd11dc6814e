//! What a plan brings back, as a tree: each record under the first one that it points at.
//!
//! Key decision: cut in breadth and depth, with the number of what is left out, so that a plan of a million rows can be
//! shown as well as one of ten. It asks neither vault nor org: names are those of the plan's values.

use std::collections::HashMap;

use halite_engine::Result;
use halite_engine::base::id::RecordId;
use halite_engine::ops::restore::plan::{Operation, Plan};
use serde_json::{Value, json};

/// The most records shown at the top, and under one record.
const SHOWN: [usize; 2] = [20, 10];
/// The most levels shown.
const DEPTH: usize = 4;

/// Values by which people know a record.
const NAMES: [&str; 5] = ["Name", "LastName", "Subject", "Title", "CaseNumber"];

/// A record that comes back, with those that hang on it.
pub struct Branch {
    text: String,
    value: Value,
    under: Tree,
}

/// Records next to each other, and how many more there are.
#[derive(Default)]
pub struct Tree {
    shown: Vec<Branch>,
    more: usize,
}

impl Tree {
    /// What a plan brings back.
    pub fn of(plan: &Plan) -> Result<Self> {
        let back: Vec<&Operation> = plan
            .operations
            .iter()
            .filter(|op| op.action.brings_back())
            .collect();
        let at: HashMap<RecordId, usize> = back.iter().enumerate().map(|(n, op)| (op.id, n)).collect();
        let mut under: Vec<Vec<usize>> = vec![Vec::new(); back.len()];
        let mut top = Vec::new();
        for (n, op) in back.iter().enumerate() {
            let born = op.born.iter().map(|born| born.of);
            let mut parents = born.chain(op.references.iter().map(|reference| reference.to));
            // A plan that was edited badly may point in a ring; a parent stands before its child.
            match parents.find_map(|to| at.get(&to).copied().filter(|parent| *parent < n)) {
                Some(parent) => under[parent].push(n),
                None => top.push(n),
            }
        }
        Self::grow(&back, &under, &top, 0)
    }

    fn grow(back: &[&Operation], under: &[Vec<usize>], here: &[usize], depth: usize) -> Result<Self> {
        let most = if depth >= DEPTH { 0 } else { SHOWN[depth.min(1)] };
        let branch = |n: &usize| {
            let op = back[*n];
            let name = name(op)?;
            let called = name
                .as_ref()
                .map_or_else(String::new, |name| format!(" ({name})"));
            Ok(Branch {
                text: format!("{} {}{called}: {}", op.sobject, op.id, op.action),
                value: json!({ "sobject": op.sobject, "id": op.id.to_string(), "name": name, "action": op.action }),
                under: Self::grow(back, under, &under[*n], depth + 1)?,
            })
        };
        Ok(Self {
            shown: here.iter().take(most).map(branch).collect::<Result<_>>()?,
            more: here.len().saturating_sub(most),
        })
    }

    /// Gives the lines for a person, indented.
    pub fn lines(&self, indent: usize, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let space = " ".repeat(indent);
        for branch in &self.shown {
            each(&format!("{space}{}", branch.text))?;
            branch.under.lines(indent + 2, each)?;
        }
        if self.more > 0 {
            each(&format!("{space}and {} more", self.more))?;
        }
        Ok(())
    }

    /// The same for programs.
    pub fn value(&self) -> Value {
        let branch = |branch: &Branch| {
            let mut value = branch.value.clone();
            value["under"] = branch.under.value();
            value
        };
        json!({ "shown": self.shown.iter().map(branch).collect::<Vec<_>>(), "more": self.more })
    }
}

fn name(op: &Operation) -> Result<Option<String>> {
    let values = op.fields.open()?;
    let mut texts = NAMES
        .iter()
        .filter_map(|name| serde_json::from_str::<String>(values.get(*name)?.get()).ok());
    // One line each, whatever stands in the name.
    Ok(texts
        .next()
        .map(|text| text.chars().filter(|c| !c.is_control()).take(60).collect()))
}
