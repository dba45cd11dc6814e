//! What became of a restore, for people and for programs: one line for each operation, in files.
//!
//! Key decision: everything is made of plan, outcomes and vault, so that a report can be made again at any time; lines
//! are written as they are made, and what a page shows of a long list is cut and counted. It judges nothing itself:
//! differences come from `verify`, remedies from `remedy`, old Ids from `texts`.

mod names;
mod page;
mod part;
mod sheet;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::ops::restore::journal::Final;
use crate::ops::restore::moved::{Moved, Outcomes, new_id};
use crate::ops::restore::plan::{Header, Operation, Plan};
use crate::ops::restore::remedy::remedy;
use crate::ops::restore::texts::standing;
use crate::ops::restore::verify::{Difference, Verified};
use crate::vault::catalog::SnapshotInfo;
use crate::vault::open::Vault;
use names::Names;
use page::Page;
use part::Part;
use sheet::Sheet;

/// What a report is about.
pub struct About<'a> {
    /// The vault of the plan.
    pub vault: &'a Vault,
    /// The plan.
    pub plan: &'a Plan,
    /// What became of it.
    pub outcomes: &'a Outcomes,
    /// How the org compares afterwards, if it was looked at.
    pub verified: Option<&'a Verified>,
    /// A snapshot from after the restore, whose texts are searched for old Ids.
    pub after: Option<&'a SnapshotInfo>,
}

/// One operation.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Its number in the plan.
    pub operation: u32,
    /// The sObject.
    pub sobject: String,
    /// The Id that the record had.
    pub old_id: String,
    /// The Id that it has now, if that is another.
    pub new_id: Option<String>,
    /// Its name, if one is known.
    pub name: Option<String>,
    /// What was to be done.
    pub action: String,
    /// `undeleted`, `created`, `edited`, `adopted`, `deleted`, `unchanged`, `conflict`, `refused`, `skipped`, `unknown`,
    /// or `not reached`.
    pub outcome: &'static str,
    /// The org's status code, where it refused.
    pub code: Option<String>,
    /// Why it was not done.
    pub cause: Option<String>,
    /// What to do about it.
    pub remedy: Option<&'static str>,
    /// Fields that were left out.
    pub left_out: Vec<String>,
    /// Why they were.
    pub left_out_cause: Option<String>,
    /// Fields that hold something else afterwards.
    pub differing: Vec<Difference>,
}

impl Line {
    fn of(op: &Operation, about: &About<'_>, name: Option<String>) -> Self {
        let end = about.outcomes.ends.get(&op.number);
        let code = match end {
            Some(Final::Refused(code, _)) => Some(code.clone()),
            _ => None,
        };
        let (left_out, why) = about.outcomes.left.get(&op.number).cloned().unzip();
        let differing = about
            .verified
            .and_then(|verified| verified.differing.get(&op.number));
        Self {
            operation: op.number,
            sobject: op.sobject.clone(),
            old_id: op.id.to_string(),
            new_id: end.and_then(new_id).map(|id| id.to_string()),
            name,
            action: op.action.to_string(),
            outcome: end.map_or("not reached", Final::name),
            code,
            cause: cause(end),
            remedy: remedy(end),
            left_out: left_out.unwrap_or_default(),
            left_out_cause: why,
            differing: differing.cloned().unwrap_or_default(),
        }
    }
}

/// Why an operation was not done, in the org's words or ours; `None` if it was.
pub fn cause(end: Option<&Final>) -> Option<String> {
    match end {
        Some(Final::Refused(code, message)) => Some(format!("{code}: {message}")),
        Some(Final::Conflict(why) | Final::Skipped(why) | Final::Unknown(why)) => Some(why.clone()),
        Some(_) => None,
        None => Some("the restore ended before it".to_owned()),
    }
}

/// A report in few numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Operations of the plan.
    pub operations: usize,
    /// How many ended in each way.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The same for each sObject.
    pub sobjects: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Records that cannot be brought back.
    pub impossible: usize,
    /// Records that were newer and were kept.
    pub newer: usize,
    /// The snapshot that was compared with afterwards; none if the org was not looked at.
    pub compared_with: Option<String>,
    /// Records that were compared, and fields and bodies of files of them.
    pub compared: [u64; 3],
    /// Operations with fields that differ afterwards.
    pub differing: usize,
    /// sObjects that could not be compared, and why.
    pub unseen: BTreeMap<String, String>,
    /// Places where an old Id still stands in a text; none if the texts were not searched.
    pub old_ids_in_texts: Option<u64>,
}

impl Summary {
    fn of(about: &About<'_>) -> Self {
        let mut summary = Self {
            operations: about.plan.operations.len(),
            impossible: about.plan.impossible.len(),
            newer: about.plan.newer.len(),
            ..Self::default()
        };
        for op in &about.plan.operations {
            let end = about
                .outcomes
                .ends
                .get(&op.number)
                .map_or("not reached", Final::name);
            *summary.outcomes.entry(end).or_default() += 1;
            let of_sobject = summary.sobjects.entry(op.sobject.clone()).or_default();
            *of_sobject.entry(end).or_default() += 1;
        }
        if let Some(verified) = about.verified {
            summary.compared_with = Some(verified.snapshot.clone());
            summary.compared = [verified.records, verified.fields, verified.bodies];
            summary.differing = verified.differing.len();
            summary.unseen = verified.unseen.clone();
        }
        summary
    }
}

/// The `format` of `report.json`.
const FORMAT: &str = "halite restore report";

#[derive(Serialize)]
struct Head<'a> {
    format: &'a str,
    version: u32,
    written: String,
    plan: &'a Header,
}

/// Writes `report.json`, `outcomes.csv`, `ids.csv`, `texts.csv` and `report.html` into the folder `dir`, each whole or not
/// at all, readable by their owner alone; what an earlier report left there is replaced.
///
/// # Errors
/// What reading the vault and writing the files give.
pub fn write(about: &About<'_>, dir: &Path) -> Result<Summary> {
    fs::create_dir_all(dir).map_err(|e| Error::io(dir.display(), e))?;
    let mut summary = Summary::of(about);
    let written = Clock::system().now().to_string();
    let mut page = Page::default();
    let mut json = Json::begin(Part::new(dir, "report.json")?, about, &written)?;
    let outcomes = lines(about, dir, &mut json, &mut page)?;
    let ids = ids(about, dir, &mut json, &mut page)?;
    json.list("impossible")?;
    for record in &about.plan.impossible {
        json.item(record)?;
        page.impossible(record);
    }
    let texts = texts(about, dir, &mut json, &mut page, &mut summary)?;
    let json = json.end(&summary)?;
    let mut html = Part::new(dir, "report.html")?;
    let shown = page.write(&about.plan.header, &summary, &written, &mut html);
    shown.map_err(|e| html.failed(e))?;
    for part in [outcomes, ids, texts, json, html] {
        part.keep()?;
    }
    Ok(summary)
}

/// A line for each operation.
fn lines(about: &About<'_>, dir: &Path, json: &mut Json, page: &mut Page) -> Result<Part> {
    let columns = [
        "operation",
        "sobject",
        "old_id",
        "new_id",
        "name",
        "action",
        "outcome",
        "code",
        "cause",
        "remedy",
        "left_out",
        "differing",
    ];
    let mut sheet = Sheet::new(Part::new(dir, "outcomes.csv")?, &columns)?;
    let then = names::then(about.vault, about.plan);
    let mut names = Names::of(then.as_ref());
    json.list("operations")?;
    for op in &about.plan.operations {
        about.vault.go_on()?;
        let line = Line::of(op, about, names.get(op)?);
        let differing: Vec<String> = line.differing.iter().map(told).collect();
        sheet.row(&[
            &line.operation.to_string(),
            &line.sobject,
            &line.old_id,
            line.new_id.as_deref().unwrap_or_default(),
            line.name.as_deref().unwrap_or_default(),
            &line.action,
            line.outcome,
            line.code.as_deref().unwrap_or_default(),
            line.cause.as_deref().unwrap_or_default(),
            line.remedy.unwrap_or_default(),
            &line.left_out.join(" "),
            &differing.join("; "),
        ])?;
        json.item(&line)?;
        page.line(line);
    }
    Ok(sheet.end())
}

/// A field that differs, for people.
fn told(difference: &Difference) -> String {
    let Difference { field, wanted, found } = difference;
    format!("{field} is {found}, not {wanted}")
}

/// Old and new Ids of what was made.
fn ids(about: &About<'_>, dir: &Path, json: &mut Json, page: &mut Page) -> Result<Part> {
    let mut sheet = Sheet::new(Part::new(dir, "ids.csv")?, &["old_id", "new_id", "sobject"])?;
    json.list("ids")?;
    for op in &about.plan.operations {
        let Some(new) = about.outcomes.ends.get(&op.number).and_then(new_id) else {
            continue;
        };
        let (old, new) = (op.id.to_string(), new.to_string());
        sheet.row(&[&old, &new, &op.sobject])?;
        json.item(&BTreeMap::from([
            ("old_id", &old),
            ("new_id", &new),
            ("sobject", &op.sobject),
        ]))?;
        page.id(&old, &new, &op.sobject);
    }
    Ok(sheet.end())
}

/// Old Ids in texts.
fn texts(
    about: &About<'_>,
    dir: &Path,
    json: &mut Json,
    page: &mut Page,
    summary: &mut Summary,
) -> Result<Part> {
    let columns = ["sobject", "id", "field", "old_id", "new_id"];
    let mut sheet = Sheet::new(Part::new(dir, "texts.csv")?, &columns)?;
    json.list("texts")?;
    if let Some(after) = about.after {
        let moved = Moved::of(about.plan, about.outcomes);
        let mut count = 0;
        standing(about.vault, after, &moved, &mut |found| {
            count += 1;
            sheet.row(&[&found.sobject, &found.id, &found.field, &found.old, &found.new])?;
            json.item(found)?;
            page.text(found);
            Ok(())
        })?;
        summary.old_ids_in_texts = Some(count);
    }
    Ok(sheet.end())
}

/// `report.json` as it is written: the head, lists, and the summary last.
struct Json {
    part: Part,
    open: bool,
    first: bool,
}

impl Json {
    fn begin(part: Part, about: &About<'_>, written: &str) -> Result<Self> {
        let head = Head {
            format: FORMAT,
            version: 1,
            written: written.to_owned(),
            plan: &about.plan.header,
        };
        let mut json = Self {
            part,
            open: false,
            first: true,
        };
        let mut text = json.text(&head)?;
        text.truncate(text.len() - 1);
        json.put(&text)?;
        Ok(json)
    }

    fn text(&self, value: &impl Serialize) -> Result<String> {
        serde_json::to_string(value).map_err(|e| self.part.failed(e.into()))
    }

    fn put(&mut self, text: &str) -> Result<()> {
        let written = self.part.write_all(text.as_bytes());
        written.map_err(|e| self.part.failed(e))
    }

    /// Begins a list, ends the one before.
    fn list(&mut self, name: &str) -> Result<()> {
        let end = if self.open { "\n]" } else { "" };
        self.put(&format!("{end},\n\"{name}\":["))?;
        (self.open, self.first) = (true, true);
        Ok(())
    }

    fn item(&mut self, value: &impl Serialize) -> Result<()> {
        let text = self.text(value)?;
        let comma = if self.first { "" } else { "," };
        self.first = false;
        self.put(&format!("{comma}\n{text}"))
    }

    fn end(mut self, summary: &Summary) -> Result<Part> {
        let text = self.text(summary)?;
        self.put(&format!("\n],\n\"summary\":{text}}}\n"))?;
        Ok(self.part)
    }
}
