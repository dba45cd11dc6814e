//! The setup as rows: which triggers, flows and rules there are, on which object, and whether they are at work.
//!
//! Key decision: made when asked, out of what the org does (`behaviour`), in a state of its own: what is listed and what
//! fires cannot disagree, and no describe, count or backup meets these objects. Each is behind one of two doors, as in a
//! real org: the Tooling API refuses `FlowDefinitionView`, the data API `ValidationRule`. A custom object is named by an
//! Id, a standard one by its name. Who lacks View Setup and Configuration finds none of these objects.
//! Source: Tooling API guide, "ApexTrigger", "ValidationRule", "WorkflowRule", "EntityDefinition"; Object Reference,
//! "FlowDefinitionView", "DuplicateRule" ("Special Access Rules"); Metadata API guide, "Workflow".
//! Not here: SOQL over it (`http::query`), what rules and automation do (`write`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::access::Permission;
use super::state::State;
use crate::id::{make, mix, normalise};
use crate::schema::{ObjectDef, standard};
use crate::write::automation::{Automation, Deed, Event};

/// The API that an object of the setup is asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// `/query`
    Data,
    /// `/tooling/query`
    Tooling,
}

impl Door {
    fn objects(self) -> &'static [&'static str] {
        match self {
            Self::Data => &["DuplicateRule", "EntityDefinition", "FlowDefinitionView"],
            Self::Tooling => &[
                "ApexTrigger",
                "EntityDefinition",
                "ValidationRule",
                "WorkflowRule",
            ],
        }
    }

    /// Whether an object is asked by it.
    pub fn has(self, object: &str) -> bool {
        self.objects()
            .iter()
            .any(|name| name.eq_ignore_ascii_case(object))
    }
}

/// What a custom object is numbered up to: five digits of base 62.
const NUMBERS: u64 = 62 * 62 * 62 * 62 * 62;

/// The Id that stands for a custom object; of a standard one its name does.
fn table(def: &ObjectDef) -> String {
    match def.custom {
        true => make("01I", mix(0, &def.name) % NUMBERS),
        false => def.name.clone(),
    }
}

/// As [`table`], in the 15 characters of durable Ids.
fn durable(def: &ObjectDef) -> String {
    let mut id = table(def);
    if def.custom {
        id.truncate(15);
    }
    id
}

impl State {
    /// The setup as the running user finds it behind a door: a state of these objects and rows and no others.
    pub fn setup(&self, door: Door) -> State {
        let mut setup = State::new(crate::schema::Schema::default());
        setup.clock = self.clock.clone();
        setup.settings = self.settings.clone();
        setup.running.clone_from(&self.running);
        if !self.may(Permission::ViewSetup) {
            return setup;
        }
        for object in standard::setup().objects().filter(|o| door.has(&o.name)) {
            setup.schema.insert(ObjectDef::clone(object));
        }
        self.write_entities(&mut setup);
        self.write_automation(&mut setup);
        self.write_rules(&mut setup);
        setup
    }

    /// The metadata of a workflow rule, which alone say whether it is at work; they are read one row at a time.
    pub fn workflow_metadata(&self, object: &str, id: &str) -> Option<Value> {
        let wanted = normalise(id).filter(|_| object.eq_ignore_ascii_case("WorkflowRule"))?;
        let mut rules = (1..).zip(&self.behaviour.workflow);
        let (_, rule) = rules.find(|(n, _)| make("01Q", *n) == wanted)?;
        Some(json!({"active": !rule.off, "triggerType": rule.trigger, "actions": [], "criteriaItems": []}))
    }

    fn write_entities(&self, setup: &mut State) {
        let seen = self.schema.objects().filter(|o| self.sees_object(o));
        for (n, def) in (1..).zip(seen) {
            let short = def.name.strip_suffix("__c").unwrap_or(&def.name);
            let values = json!({"DurableId": durable(def), "QualifiedApiName": def.name, "DeveloperName": short,
                "Label": def.label, "KeyPrefix": def.key_prefix});
            setup.seed_row("EntityDefinition", &make("4ie", n), values);
        }
    }

    /// Triggers and flows; what has one name on one object is one.
    fn write_automation(&self, setup: &mut State) {
        let mut named: BTreeMap<(bool, &str, &str), Vec<&Automation>> = BTreeMap::new();
        for one in &self.behaviour.automation {
            named
                .entry((one.flow, &one.object, &one.name))
                .or_default()
                .push(one);
        }
        for (n, ((flow, object, name), parts)) in (1..).zip(named) {
            let Some(def) = self.schema.object(object) else {
                continue;
            };
            if flow {
                setup.seed_row(
                    "FlowDefinitionView",
                    &make("300", n),
                    flow_row(def, name, n, &parts),
                );
                continue;
            }
            let on = parts.iter().any(|one| !one.off);
            let mut values = usage(&parts);
            values.extend([
                ("Name".to_owned(), json!(name)),
                ("TableEnumOrId".to_owned(), json!(table(def))),
                ("EntityDefinitionId".to_owned(), json!(durable(def))),
                ("Status".to_owned(), json!(if on { "Active" } else { "Inactive" })),
                ("IsValid".to_owned(), json!(true)),
            ]);
            setup.seed_row("ApexTrigger", &make("01q", n), Value::Object(values));
        }
    }

    fn write_rules(&self, setup: &mut State) {
        for (n, rule) in (1..).zip(&self.behaviour.rules) {
            let Some(def) = self.schema.object(&rule.object) else {
                continue;
            };
            let name = rule
                .name
                .split_once('.')
                .map_or(rule.name.as_str(), |(_, short)| short);
            let values = json!({"ValidationName": name, "EntityDefinitionId": durable(def), "Active": !rule.off,
                "ErrorMessage": rule.message, "ErrorDisplayField": rule.field});
            setup.seed_row("ValidationRule", &make("03d", n), values);
        }
        for (n, rule) in (1..).zip(&self.behaviour.workflow) {
            let Some(def) = self.schema.object(&rule.object) else {
                continue;
            };
            let values = json!({"Name": rule.name, "TableEnumOrId": table(def)});
            setup.seed_row("WorkflowRule", &make("01Q", n), values);
        }
        for (n, rule) in (1..).zip(&self.behaviour.duplicates) {
            let Some(def) = self.schema.object(&rule.object) else {
                continue;
            };
            let values = json!({"DeveloperName": rule.name, "MasterLabel": rule.name, "SobjectType": table(def),
                "IsActive": !rule.off});
            setup.seed_row("DuplicateRule", &make("0Bm", n), values);
        }
    }
}

/// Whether a deed is done before the save: on the row itself.
fn is_before(deed: &Deed) -> bool {
    matches!(deed, Deed::SetField(..) | Deed::Refuse(_) | Deed::Fail(_))
}

/// On what a trigger is run.
fn usage(parts: &[&Automation]) -> Map<String, Value> {
    let on = |event: Event, before: bool| {
        let fits = |one: &&Automation| one.event == event && is_before(&one.deed) == before;
        json!(parts.iter().any(fits))
    };
    let (early, late) = (on(Event::Save, true), on(Event::Save, false));
    let undelete = parts.iter().any(|one| one.event == Event::Undelete);
    let flags = [
        ("UsageBeforeInsert", early.clone()),
        ("UsageBeforeUpdate", early),
        ("UsageAfterInsert", late.clone()),
        ("UsageAfterUpdate", late),
        ("UsageBeforeDelete", on(Event::Delete, true)),
        ("UsageAfterDelete", on(Event::Delete, false)),
        ("UsageAfterUndelete", json!(undelete)),
        ("UsageIsBulk", json!(true)),
    ];
    flags
        .into_iter()
        .map(|(name, flag)| (name.to_owned(), flag))
        .collect()
}

/// A record-triggered flow. It starts on saves or on deletes, never on undeletes.
fn flow_row(def: &ObjectDef, name: &str, n: u64, parts: &[&Automation]) -> Value {
    let version = make("301", n);
    let on = parts.iter().any(|one| !one.off);
    let deletes = parts.iter().any(|one| one.event == Event::Delete);
    let (trigger, record) = match deletes {
        true => ("RecordBeforeDelete", "Delete"),
        false if parts.iter().all(|one| is_before(&one.deed)) => ("RecordBeforeSave", "CreateAndUpdate"),
        false => ("RecordAfterSave", "CreateAndUpdate"),
    };
    json!({"DurableId": make("300", n), "ApiName": name, "Label": name, "ProcessType": "AutoLaunchedFlow",
        "TriggerType": trigger, "RecordTriggerType": record, "TriggerObjectOrEventId": durable(def),
        "TriggerObjectOrEventLabel": def.label, "ActiveVersionId": on.then(|| version.clone()),
        "LatestVersionId": version, "IsActive": on})
}
