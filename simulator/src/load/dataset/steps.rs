//! The steps of a mapping, one after another, row by row.
//!
//! Key decision: an empty cell is a field not given, as in the CSV of the Bulk API. A lookup whose row is not
//! there stays empty and is listed; one to rows of the same or a later step is set when that step is done.
//! Source: CumulusCI documentation, "Manage Data", "Mapping File Keys", "Upserts", "Selects".
//! Not here: finding the record that an upsert or a select means (`matching`).

use std::collections::HashMap;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::mapping::{Action, Link, Step};
use super::sql::Table;
use super::{DatasetReport, Refused, TableReport, matching, names};
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::{State, stamp};
use crate::schema::{Kind, ObjectDef, person};
use crate::write;

/// Rows that share a transaction, as in a chunk of the Bulk API.
const TOGETHER: usize = 200;
/// Where a dump keeps the Ids that its rows once had.
const ID_TABLE: &str = "cumulusci_id_table";

/// Runs all steps.
pub(crate) fn run(state: &mut State, steps: &[Step], tables: &[Table]) -> Result<DatasetReport, String> {
    let mut loader = Loader {
        state,
        tables,
        report: DatasetReport::default(),
        ids: HashMap::new(),
        late: Vec::new(),
        open: 0,
    };
    for table in tables {
        let counts = TableReport {
            rows: table.rows.len(),
            ..TableReport::default()
        };
        loader.report.tables.insert(table.name.clone(), counts);
    }
    for (at, step) in steps.iter().enumerate() {
        loader.step(step)?;
        loader.settle(at);
    }
    loader.leftover(steps);
    loader.report.refused.sort();
    Ok(loader.report)
}

/// A lookup that waits for its step.
struct Late {
    due: usize,
    id: String,
    field: String,
    link: Link,
    key: String,
    row: (String, String),
}

/// A refusal before the API is asked: rule and words.
type No = (String, String);

fn no(e: &ApiError) -> No {
    (e.code.to_owned(), e.message.clone())
}

struct Loader<'a> {
    state: &'a mut State,
    tables: &'a [Table],
    report: DatasetReport,
    /// Id by table (lower case) and key.
    ids: HashMap<(String, String), String>,
    late: Vec<Late>,
    open: usize,
}

/// What is the same for all rows of a step.
struct Columns<'a> {
    step: &'a Step,
    def: std::sync::Arc<ObjectDef>,
    /// Field, whether the org has it, and column.
    fields: Vec<(String, bool, usize)>,
    links: Vec<(String, Link, usize)>,
    fixed: Vec<(String, String)>,
    types: std::collections::BTreeMap<String, (String, bool)>,
    /// Days that dates are moved by.
    shift: Option<jiff::Span>,
}

impl Loader<'_> {
    fn table(&self, name: &str) -> Option<&'_ Table> {
        self.tables.iter().find(|t| t.name.eq_ignore_ascii_case(name))
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let tables = self.tables;
        let Some(table) = tables.iter().find(|t| t.name.eq_ignore_ascii_case(&step.table)) else {
            let line = format!("table {} is not in the dump", step.table);
            self.report.notes.push(line);
            return Ok(());
        };
        let Some(columns) = self.columns(step, table)? else {
            let why = format!("there is no object {}", step.object);
            for row in &table.rows {
                self.refuse(table, row, ("INVALID_TYPE".to_owned(), why.clone()));
            }
            return Ok(());
        };
        let filter = Filter::parse(&step.filters, table)?;
        for (number, row) in table.rows.iter().enumerate() {
            if !filter.takes(row) {
                let why = format!("left out by the mapping: {}", step.filters.join(" AND "));
                self.refuse(table, row, ("FILTER".to_owned(), why));
            } else if let Err(why) = self.row(&columns, table, row, number) {
                self.refuse(table, row, why);
            }
        }
        Ok(())
    }

    fn columns<'s>(&mut self, step: &'s Step, table: &Table) -> Result<Option<Columns<'s>>, String> {
        let schema = &self.state.schema;
        let Some(def) = names::object(schema, &step.object).and_then(|n| schema.object(&n).cloned()) else {
            return Ok(None);
        };
        let known = |name: &String| names::field(schema, &def, name);
        let mut columns = Columns {
            step,
            fields: Vec::new(),
            links: Vec::new(),
            fixed: Vec::new(),
            types: names::source_types(step, self.tables),
            shift: None,
            def: def.clone(),
        };
        for (name, column) in &step.fields {
            let field = known(name);
            let has = field.is_some();
            match table.column(column) {
                Some(at) => columns
                    .fields
                    .push((field.unwrap_or_else(|| name.clone()), has, at)),
                None => self
                    .report
                    .notes
                    .push(format!("table {} has no column {column}", table.name)),
            }
        }
        for link in &step.lookups {
            let field = known(&link.field).unwrap_or_else(|| link.field.clone());
            match link.columns.iter().find_map(|c| table.column(c)) {
                Some(at) => columns.links.push((field, link.clone(), at)),
                None => {
                    let line = format!("table {} has no column for {}", table.name, link.field);
                    self.report.notes.push(line);
                }
            }
        }
        for (name, value) in &step.fixed {
            columns
                .fixed
                .push((known(name).unwrap_or_else(|| name.clone()), value.clone()));
        }
        if let Some(anchor) = &step.anchor_date {
            let anchor: Date = anchor
                .parse()
                .map_err(|_| format!("anchor_date {anchor} is no date"))?;
            columns.shift = anchor.until(self.today()).ok();
        }
        Ok(Some(columns))
    }

    fn today(&self) -> Date {
        let now = stamp(self.state.clock.now());
        now[..10].parse().unwrap_or_default()
    }

    /// Makes a row's record, or finds the one it stands for.
    fn row(
        &mut self,
        c: &Columns<'_>,
        table: &Table,
        row: &[Option<String>],
        number: usize,
    ) -> Result<(), No> {
        let key = row[table.key].clone().unwrap_or_default();
        let mut values = self.values(c, row)?;
        let mut late = Vec::new();
        for (field, link, at) in &c.links {
            let Some(to) = row[*at].as_deref().filter(|v| !v.trim().is_empty()) else {
                continue;
            };
            match (link.due, self.resolve(link, to)) {
                (_, Some(id)) => drop(values.insert(field.clone(), json!(id))),
                (Some(due), None) => late.push((due, field.clone(), link.clone(), to.to_owned())),
                (None, None) => self.dangling(table, &key, field, link, to),
            }
        }
        if self.open == 0 {
            self.state.begin();
            self.open = TOGETHER;
        }
        self.open -= 1;
        let old = self.old_id(table, &key);
        let (id, new) = self.save(c, &values, number, old)?;
        let counts = self.report.tables.entry(table.name.clone()).or_default();
        if new {
            counts.created += 1;
            *self.report.records.entry(c.def.name.clone()).or_default() += 1;
        } else {
            counts.matched += 1;
        }
        self.ids
            .insert((table.name.to_ascii_lowercase(), key.clone()), id.clone());
        for (due, field, link, to) in late {
            self.late.push(Late {
                due,
                id: id.clone(),
                field,
                link,
                key: to,
                row: (table.name.clone(), key.clone()),
            });
        }
        Ok(())
    }

    fn values(&self, c: &Columns<'_>, row: &[Option<String>]) -> Result<Map<String, Value>, No> {
        let mut out = Map::new();
        // Whose record is a person's is told by its record type and its account.
        let told = c.fields.iter().filter(|(f, has, _)| !has || f != person::FLAG);
        for (field, has, at) in told {
            let text = row[*at].as_deref().unwrap_or_default();
            if text.is_empty() {
                // A field that the org lacks is refused, given or not, as a column that it lacks is.
                if !has {
                    out.insert(field.clone(), Value::Null);
                }
            } else if field == "RecordTypeId" {
                out.insert(field.clone(), json!(self.record_type(c, text)?));
            } else {
                out.insert(field.clone(), json!(moved(c, field, text)));
            }
        }
        for (field, value) in &c.fixed {
            out.insert(field.clone(), json!(value));
        }
        if let Some(developer) = &c.step.record_type {
            let id = names::record_type_id(self.state, &c.def.name, developer);
            out.insert("RecordTypeId".to_owned(), json!(id));
        }
        Ok(out)
    }

    fn record_type(&self, c: &Columns<'_>, source: &str) -> Result<String, No> {
        let wrong = |why: String| ("INVALID_CROSS_REFERENCE_KEY".to_owned(), why);
        let (developer, person) = c
            .types
            .get(source)
            .ok_or_else(|| wrong(format!("the dump has no record type {source}")))?;
        if *person && !c.def.has("IsPersonAccount") {
            let why = format!("record type {developer} is for person accounts, which the org does not have");
            return Err(wrong(why));
        }
        names::record_type_of(self.state, &c.def.name, developer, *person)
            .ok_or_else(|| wrong(format!("the org has no record type {developer}")))
    }

    fn save(
        &mut self,
        c: &Columns<'_>,
        values: &Map<String, Value>,
        number: usize,
        old: Option<String>,
    ) -> Result<(String, bool), No> {
        let found = match c.step.action {
            Action::Insert => self.person_contact(c, values),
            Action::Update => Some(old.ok_or_else(|| {
                let why = "the dump does not say which record to update".to_owned();
                ("MISSING_ARGUMENT".to_owned(), why)
            })?),
            Action::Select => {
                let id = matching::select(self.state, &c.def, values, &c.step.select, number);
                match id {
                    Some(id) => return Ok((id, false)),
                    None if c.step.select.threshold.is_some() => None,
                    None => {
                        let why = format!("the org has no {} to select", c.def.name);
                        return Err(("NO_RECORD_TO_SELECT".to_owned(), why));
                    }
                }
            }
            action => matching::by_key(self.state, &c.def, &c.step.update_key, values, action)
                .map_err(|e| no(&e))?,
        };
        let user = self.state.ui_user.clone();
        let values = Value::Object(values.clone());
        let name = c.def.name.clone();
        let result = match found {
            None => self
                .state
                .attempt(|s| write::create(s, &name, &values, &user))
                .map(|id| (id, true)),
            Some(id) => self
                .state
                .attempt(|s| write::update(s, &id, &values, &user))
                .map(|()| (id, false)),
        };
        result.map_err(|e| no(&e))
    }

    /// The contact that a person account brought along: the row stands for it and makes no other.
    fn person_contact(&self, c: &Columns<'_>, values: &Map<String, Value>) -> Option<String> {
        let account = values.get("AccountId").filter(|_| c.def.name == "Contact")?;
        let account = self.state.live(account.as_str()?)?;
        let contact = account.values.get("PersonContactId")?;
        contact.as_str().map(str::to_owned)
    }

    /// The Id that a key of one of the lookup's tables got; an Id of the org stands for itself.
    fn resolve(&self, link: &Link, key: &str) -> Option<String> {
        let known = link
            .tables
            .iter()
            .find_map(|t| self.ids.get(&(t.to_ascii_lowercase(), key.to_owned())));
        known
            .cloned()
            .or_else(|| normalise(key).filter(|id| self.state.live(id).is_some()))
    }

    /// The Id that the dump's own table of Ids gives a row.
    fn old_id(&self, table: &Table, key: &str) -> Option<String> {
        let ids = self.table(ID_TABLE)?;
        let full = format!("{}-{key}", table.name);
        let row = ids
            .rows
            .iter()
            .find(|r| r[0].as_deref() == Some(&full) || r[0].as_deref() == Some(key))?;
        row.get(1).cloned().flatten()
    }

    /// Lists a reference that leads nowhere.
    fn dangling(&mut self, table: &Table, key: &str, field: &str, link: &Link, to: &str) {
        let there = link.tables.iter().filter_map(|t| self.table(t)).any(|t| {
            let mut rows = t.rows.iter();
            rows.any(|r| r[t.key].as_deref() == Some(to))
        });
        let (rule, why) = if there {
            ("LOOKUP_REFUSED", "was refused itself")
        } else {
            ("LOOKUP_NOT_THERE", "is not in the dump")
        };
        self.report.refused.push(Refused {
            table: table.name.clone(),
            row: key.to_owned(),
            field: Some(field.to_owned()),
            rule: rule.to_owned(),
            message: format!("{field} left empty: row {to} {why}"),
        });
    }

    /// Sets the lookups that waited for this step.
    fn settle(&mut self, at: usize) {
        let (due, rest) = std::mem::take(&mut self.late)
            .into_iter()
            .partition::<Vec<Late>, _>(|l| l.due == at);
        self.late = rest;
        self.open = 0;
        for late in due {
            let tables = self.tables;
            let Some(table) = tables.iter().find(|t| t.name == late.row.0) else {
                continue;
            };
            let Some(target) = self.resolve(&late.link, &late.key) else {
                self.dangling(table, &late.row.1, &late.field, &late.link, &late.key);
                continue;
            };
            if self.open == 0 {
                self.state.begin();
                self.open = TOGETHER;
            }
            self.open -= 1;
            let user = self.state.ui_user.clone();
            let values = json!({late.field.as_str(): target});
            if let Err(e) = self.state.attempt(|s| write::update(s, &late.id, &values, &user)) {
                self.report.refused.push(Refused {
                    table: late.row.0,
                    row: late.row.1,
                    field: Some(late.field),
                    rule: e.code.to_owned(),
                    message: e.message,
                });
            }
        }
    }

    fn refuse(&mut self, table: &Table, row: &[Option<String>], (rule, message): No) {
        self.report.tables.entry(table.name.clone()).or_default().refused += 1;
        self.report.refused.push(Refused {
            table: table.name.clone(),
            row: row[table.key].clone().unwrap_or_default(),
            field: None,
            rule,
            message,
        });
    }

    /// Accounts for the tables that no step loads.
    fn leftover(&mut self, steps: &[Step]) {
        for table in self.tables {
            if steps.iter().any(|s| s.table.eq_ignore_ascii_case(&table.name)) {
                continue;
            }
            if table.name == ID_TABLE || table.name.ends_with("_rt_mapping") {
                self.report.tables.entry(table.name.clone()).or_default().aside = table.rows.len();
                continue;
            }
            for row in &table.rows {
                let why = format!("no step of the mapping loads {}", table.name);
                self.refuse(table, row, ("NO_STEP".to_owned(), why));
            }
        }
    }
}

/// A date or datetime moved by the days between the mapping's anchor and today.
fn moved(c: &Columns<'_>, field: &str, text: &str) -> String {
    let kind = c.def.field(field).map(|f| f.kind);
    let dated = matches!(kind, Some(Kind::Date | Kind::DateTime));
    let shifted = c
        .shift
        .filter(|_| dated)
        .and_then(|by| text.get(..10)?.parse::<Date>().ok()?.checked_add(by).ok());
    match shifted {
        Some(day) => format!("{day}{}", &text[10..]),
        None => text.to_owned(),
    }
}
