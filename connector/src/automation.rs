//! What runs by itself when rows are written: active triggers, flows and rules on some sObjects.
//!
//! Key decision: five queries, one a kind, in one composite call for fifty sObjects (Tooling API guide, "Improve Performance
//! with the Composite Resource": tooling queries may stand in it, five of them). Whether a workflow rule is active stands in
//! its metadata alone, which are read 25 a call, a hundred at most. A flow is active if it has an active version: `IsActive`
//! is about the latest one (Object Reference, "FlowDefinitionView"). A custom sObject is named by an Id of 15 or 18
//! characters, so that both are asked for. What the user may not see is told as unseen, never as none. It judges nothing.

use std::collections::BTreeMap;

use halite_engine::base::error::{Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::{Automation, Automations, Fires, Unseen, Write};
use serde_json::Value;

use crate::composite::{MOST, QUERIES, bodies};
use crate::error::Fault;
use crate::query::{Page, follow, soql};
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};

/// sObjects in one round of queries: their names and Ids fit a URI, should the org take no composite call.
const ROUND: usize = 50;
/// Rows of one kind on the sObjects of a round.
const ROWS_MAX: usize = 2_000;
/// Workflow rules whose metadata are read.
const WORKFLOW_MAX: usize = 100;

/// One kind: where it is asked for, and what of it.
struct Asked {
    fires: Fires,
    resource: &'static str,
    select: &'static str,
    /// The field that names the sObject.
    of: &'static str,
}

const ASKED: [Asked; 5] = [
    Asked {
        fires: Fires::Trigger,
        resource: "/tooling/query",
        select: "SELECT Id, Name, NamespacePrefix, TableEnumOrId, UsageBeforeInsert, UsageAfterInsert, UsageBeforeUpdate, \
                 UsageAfterUpdate, UsageBeforeDelete, UsageAfterDelete, UsageAfterUndelete FROM ApexTrigger \
                 WHERE Status = 'Active' AND",
        of: "TableEnumOrId",
    },
    Asked {
        fires: Fires::Flow,
        resource: "/query",
        select: "SELECT ApiName, NamespacePrefix, ActiveVersionId, ProcessType, TriggerType, RecordTriggerType, \
                 TriggerObjectOrEventId FROM FlowDefinitionView WHERE",
        of: "TriggerObjectOrEventId",
    },
    Asked {
        fires: Fires::ValidationRule,
        resource: "/tooling/query",
        select: "SELECT Id, ValidationName, NamespacePrefix, EntityDefinitionId FROM ValidationRule WHERE Active = true AND",
        of: "EntityDefinitionId",
    },
    Asked {
        fires: Fires::WorkflowRule,
        resource: "/tooling/query",
        select: "SELECT Id, Name, NamespacePrefix, TableEnumOrId FROM WorkflowRule WHERE",
        of: "TableEnumOrId",
    },
    Asked {
        fires: Fires::DuplicateRule,
        resource: "/query",
        select: "SELECT Id, DeveloperName, NamespacePrefix, SobjectType FROM DuplicateRule WHERE IsActive = true AND",
        of: "SobjectType",
    },
];

/// What is active on these sObjects, and what could not be seen.
pub fn automation<S: Session>(caller: &mut Caller<S>, rest: &Rest, sobjects: &[&str]) -> Result<Automations> {
    for name in sobjects {
        api_name(name)?;
    }
    let mut found = Automations::default();
    let mut rules = Vec::new();
    for some in sobjects.chunks(ROUND) {
        let names = keys(caller, rest, some, &mut found)?;
        round(caller, rest, &names, &mut found, &mut rules)?;
    }
    workflow(caller, rest, rules, &mut found)?;
    found.active.sort();
    found.active.dedup();
    found.unseen.sort();
    found.unseen.dedup();
    Ok(found)
}

/// What each of these sObjects may be named by in the setup.
fn keys<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobjects: &[&str],
    found: &mut Automations,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut keys: BTreeMap<String, String> = BTreeMap::new();
    keys.extend(
        sobjects
            .iter()
            .map(|name| ((*name).to_owned(), (*name).to_owned())),
    );
    let text = format!(
        "SELECT QualifiedApiName, DurableId FROM EntityDefinition WHERE QualifiedApiName IN ({})",
        quoted(sobjects.iter().copied())
    );
    let paths = [soql::path(&rest.path("/query"), &text)];
    bodies(caller, rest, &paths, 1, &mut |caller, _, body| {
        match body.and_then(|body| rows(caller, body)) {
            Ok(rows) => {
                for row in rows {
                    let (name, id) = (text_of(&row, "QualifiedApiName"), text_of(&row, "DurableId"));
                    if let Some(id) = RecordId::parse(id.as_bytes()).map(|id| id.to_string()) {
                        keys.insert(id[..15].to_owned(), name.to_owned());
                        keys.insert(id, name.to_owned());
                    }
                }
            }
            Err(fault) => {
                let custom: Vec<&str> = sobjects
                    .iter()
                    .copied()
                    .filter(|name| name.contains("__"))
                    .collect();
                let what = format!("all that is on {}", custom.join(", "));
                let unseen = unseen(what, fault)?;
                found.unseen.extend((!custom.is_empty()).then_some(unseen));
            }
        }
        Ok(())
    })?;
    Ok(keys)
}

/// A workflow rule of which it is not known yet whether it is active.
struct Rule {
    id: String,
    sobject: String,
    name: String,
}

/// All five kinds on some sObjects.
fn round<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    keys: &BTreeMap<String, String>,
    found: &mut Automations,
    rules: &mut Vec<Rule>,
) -> Result<(), Fault> {
    let list = quoted(keys.keys().map(String::as_str));
    let path = |asked: &Asked| {
        let text = format!("{} {} IN ({list})", asked.select, asked.of);
        soql::path(&rest.path(asked.resource), &text)
    };
    let paths: Vec<String> = ASKED.iter().map(path).collect();
    bodies(caller, rest, &paths, QUERIES, &mut |caller, at, body| {
        let asked = &ASKED[at];
        let rows = match body.and_then(|body| rows(caller, body)) {
            Ok(rows) => rows,
            Err(fault) => {
                found.unseen.push(unseen(asked.fires.plural().to_owned(), fault)?);
                return Ok(());
            }
        };
        for row in rows {
            let Some(sobject) = keys.get(text_of(&row, asked.of)) else {
                continue;
            };
            let (sobject, name) = (sobject.clone(), name(&row));
            if asked.fires == Fires::WorkflowRule {
                let id = text_of(&row, "Id").to_owned();
                rules.push(Rule { id, sobject, name });
                continue;
            }
            let (fires, on) = (asked.fires, events(asked.fires, &row));
            let one = Automation {
                sobject,
                fires,
                name,
                on,
            };
            found.active.extend((!one.on.is_empty()).then_some(one));
        }
        Ok(())
    })
}

/// Of these workflow rules those that are active.
fn workflow<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    mut rules: Vec<Rule>,
    found: &mut Automations,
) -> Result<(), Fault> {
    if rules.len() > WORKFLOW_MAX {
        let what = Fires::WorkflowRule.plural().to_owned();
        let why = format!(
            "there are {}, and whether each is active was asked of {WORKFLOW_MAX}",
            rules.len()
        );
        found.unseen.push(Unseen { what, why });
        rules.truncate(WORKFLOW_MAX);
    }
    let path = |rule: &Rule| rest.path(&format!("/tooling/sobjects/WorkflowRule/{}", rule.id));
    let paths: Vec<String> = rules.iter().map(path).collect();
    bodies(caller, rest, &paths, MOST, &mut |_, at, body| {
        let rule = &rules[at];
        let whole: Value = match body {
            Ok(body) => serde_json::from_slice(&body)
                .map_err(|e| Fault::unreadable(format!("a workflow rule that does not parse: {e}")))?,
            Err(fault) => {
                let what = format!(
                    "whether the workflow rule {} on {} is active",
                    rule.name, rule.sobject
                );
                found.unseen.push(unseen(what, fault)?);
                return Ok(());
            }
        };
        let metadata = &whole["Metadata"];
        let on = match metadata["triggerType"].as_str() {
            Some("onCreateOnly") => vec![Write::Create],
            _ => vec![Write::Create, Write::Edit],
        };
        if metadata["active"] != Value::Bool(false) {
            let (sobject, name) = (rule.sobject.clone(), rule.name.clone());
            let fires = Fires::WorkflowRule;
            found.active.push(Automation {
                sobject,
                fires,
                name,
                on,
            });
        }
        Ok(())
    })
}

/// The writes that set a row's automation off; none for what is not active, or waits for something else.
fn events(fires: Fires, row: &Value) -> Vec<Write> {
    let saves = vec![Write::Create, Write::Edit];
    match fires {
        Fires::Trigger => {
            let flags = [
                (Write::Create, ["UsageBeforeInsert", "UsageAfterInsert"]),
                (Write::Edit, ["UsageBeforeUpdate", "UsageAfterUpdate"]),
                (Write::Undelete, ["UsageAfterUndelete"; 2]),
                (Write::Delete, ["UsageBeforeDelete", "UsageAfterDelete"]),
            ];
            let set = |names: &[&str; 2]| names.iter().any(|name| row[*name] == Value::Bool(true));
            flags
                .iter()
                .filter(|(_, names)| set(names))
                .map(|(write, _)| *write)
                .collect()
        }
        Fires::Flow if text_of(row, "ActiveVersionId").is_empty() => Vec::new(),
        Fires::Flow => match (text_of(row, "TriggerType"), text_of(row, "RecordTriggerType")) {
            ("RecordBeforeDelete", _) | (_, "Delete") => vec![Write::Delete],
            ("RecordBeforeSave" | "RecordAfterSave", "Create") => vec![Write::Create],
            ("RecordBeforeSave" | "RecordAfterSave", "Update") => vec![Write::Edit],
            ("RecordBeforeSave" | "RecordAfterSave", _) => saves,
            // A process of the Process Builder.
            _ if text_of(row, "ProcessType") == "Workflow" => saves,
            _ => Vec::new(),
        },
        Fires::ValidationRule | Fires::WorkflowRule | Fires::DuplicateRule => saves,
    }
}

/// The name of a row, with its package's prefix.
fn name(row: &Value) -> String {
    let names = ["Name", "ApiName", "ValidationName", "DeveloperName"];
    let name = names
        .iter()
        .map(|field| text_of(row, field))
        .find(|name| !name.is_empty());
    let name = name.unwrap_or("(without a name)");
    match text_of(row, "NamespacePrefix") {
        "" => name.to_owned(),
        prefix => format!("{prefix}__{name}"),
    }
}

fn text_of<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    names.join(",")
}

/// The rows of a query whose first page is there.
fn rows<S: Session>(caller: &mut Caller<S>, body: Vec<u8>) -> Result<Vec<Value>, Fault> {
    let mut rows = Vec::new();
    let page = Page::parse(body).map_err(Fault::unreadable)?;
    follow(caller, page, &mut |_, page| {
        if rows.len() + page.len() > ROWS_MAX {
            return Err(Fault::doubt(
                Kind::Quota,
                format!("there are more than {ROWS_MAX}"),
            ));
        }
        for row in page.rows() {
            let row = serde_json::from_slice(row);
            rows.push(row.map_err(|e| Fault::unreadable(format!("a row that does not parse: {e}")))?);
        }
        Ok(())
    })?;
    Ok(rows)
}

/// What an answer that was not given means; what is about the run is an error.
fn unseen(what: String, fault: Fault) -> Result<Unseen, Fault> {
    if fault.is_of_run() {
        return Err(fault.about("asking what fires on writes"));
    }
    tracing::info!(what, %fault, "the org does not say");
    let hidden = fault.has("INVALID_TYPE") || matches!(fault.kind(), Kind::Denied | Kind::NotFound);
    let why = match hidden {
        true => {
            "the org does not show them to this user: it takes \"View Setup and Configuration\"".to_owned()
        }
        false => fault.to_string().lines().next().unwrap_or_default().to_owned(),
    };
    Ok(Unseen { what, why })
}
