//! Mapping files: which table of a dump is which object, and which columns are its fields.
//!
//! Key decision: steps keep the order of the file, because that is the order of loading. Keys that only say
//! how to call an API (`api`, `batch_size`, `bulk_mode`) are passed over: loading is one way here.
//! Source: CumulusCI documentation, "Manage Data", "Mapping File Keys".
//! Not here: names that the org does not have (`names`), loading (`steps`).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// Entries in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<T>(pub Vec<(String, T)>);

impl<T> Default for Pairs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Pairs<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    out.push(entry);
                }
                Ok(Pairs(out))
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => text.split(',').map(str::trim).collect(),
            Self::Many(list) => list.iter().map(String::as_str).collect(),
        }
    }
}

/// Fields as a list of names, or as field and column.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Fields {
    List(Vec<String>),
    Map(Pairs<String>),
}

/// What is done with the rows of a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    #[default]
    Insert,
    Update,
    Upsert,
    SmartUpsert,
    EtlUpsert,
    Select,
}

/// How a `select` step finds records.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Select {
    pub strategy: String,
    pub threshold: Option<f64>,
}

/// A column that names a row of another table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Lookup {
    table: Names,
    key_field: Option<String>,
    after: Option<String>,
    /// Name of the field, where the key of the entry is none.
    name: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entry {
    sf_object: String,
    table: Option<String>,
    fields: Option<Fields>,
    #[serde(default)]
    lookups: Pairs<Lookup>,
    #[serde(default, rename = "static")]
    fixed: Pairs<String>,
    record_type: Option<String>,
    #[serde(default)]
    filters: Vec<String>,
    #[serde(default)]
    action: Action,
    update_key: Option<Names>,
    anchor_date: Option<String>,
    #[serde(default)]
    select_options: Select,
}

/// One step: a table loaded as an object.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub object: String,
    pub table: String,
    /// Field and column.
    pub fields: Vec<(String, String)>,
    pub lookups: Vec<Link>,
    /// Field and value, the same for every row.
    pub fixed: Vec<(String, String)>,
    pub record_type: Option<String>,
    pub filters: Vec<String>,
    pub action: Action,
    pub update_key: Vec<String>,
    pub anchor_date: Option<String>,
    pub select: Select,
}

/// A lookup of a step.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub field: String,
    /// Columns it may stand in, likeliest first.
    pub columns: Vec<String>,
    /// Tables of the rows it may name.
    pub tables: Vec<String>,
    /// Number of the step after which it is set, where it cannot be set at once.
    pub due: Option<usize>,
}

/// Reads a mapping file; the error is a line for people.
pub(crate) fn parse(text: &str) -> Result<Vec<Step>, String> {
    let entries: Pairs<Entry> = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    let titles: Vec<&str> = entries.0.iter().map(|(title, _)| title.as_str()).collect();
    let tables: Vec<(&str, &str)> = entries
        .0
        .iter()
        .map(|(_, e)| (e.table.as_deref().unwrap_or(&e.sf_object), e.sf_object.as_str()))
        .collect();
    entries
        .0
        .iter()
        .enumerate()
        .map(|(at, (title, entry))| step(at, entry, &titles, &tables).map_err(|e| format!("{title}: {e}")))
        .collect()
}

fn step(at: usize, entry: &Entry, titles: &[&str], tables: &[(&str, &str)]) -> Result<Step, String> {
    let same = |f: &String| (f.clone(), f.clone());
    let fields = match &entry.fields {
        None => Vec::new(),
        Some(Fields::List(list)) => list.iter().map(same).collect(),
        Some(Fields::Map(pairs)) => pairs.0.clone(),
    };
    let lookups: Vec<Link> = entry
        .lookups
        .0
        .iter()
        .map(|(key, lookup)| link(at, key, lookup, titles, tables))
        .collect::<Result<_, _>>()?;
    let looked_up = |f: &str| lookups.iter().any(|l| l.field.eq_ignore_ascii_case(f));
    Ok(Step {
        object: entry.sf_object.clone(),
        table: tables[at].0.to_owned(),
        fields: fields
            .into_iter()
            .filter(|(f, _)| !f.eq_ignore_ascii_case("Id") && !looked_up(f))
            .collect(),
        lookups,
        fixed: entry.fixed.0.clone(),
        record_type: entry.record_type.clone(),
        filters: entry.filters.clone(),
        action: entry.action,
        update_key: entry
            .update_key
            .iter()
            .flat_map(Names::list)
            .map(str::to_owned)
            .collect(),
        anchor_date: entry.anchor_date.clone(),
        select: entry.select_options.clone(),
    })
}

/// A lookup to rows of the same or a later step waits for that step, as if `after` said so.
fn link(
    at: usize,
    key: &str,
    lookup: &Lookup,
    titles: &[&str],
    tables: &[(&str, &str)],
) -> Result<Link, String> {
    let named = lookup.table.list();
    let is = |step: &(&str, &str)| {
        let by_table = named.iter().any(|n| n.eq_ignore_ascii_case(step.0));
        by_table || named.iter().any(|n| n.eq_ignore_ascii_case(step.1))
    };
    let steps: Vec<usize> = (0..tables.len()).filter(|i| is(&tables[*i])).collect();
    let after = match &lookup.after {
        None => 0,
        Some(title) => titles
            .iter()
            .position(|t| t == title)
            .ok_or_else(|| format!("after: there is no step {title}"))?,
    };
    let last = steps.iter().copied().max().unwrap_or(0);
    let field = lookup.name.as_deref().unwrap_or(key);
    let columns = lookup.key_field.iter().cloned().chain([field.to_owned()]);
    Ok(Link {
        field: field.to_owned(),
        columns: columns.collect(),
        tables: steps.iter().map(|i| tables[*i].0.to_owned()).collect(),
        due: Some(last.max(after)).filter(|due| *due >= at && !steps.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_their_order_and_lookups_wait() {
        let steps = parse(
            "Insert B:\n  api: bulk\n  sf_object: B__c\n  fields: {Id: sf_id, Name: name}\n  static: {N__c: 1}\n  anchor_date: 1990-07-01\n  lookups:\n    A__c: {table: a}\n    parent: {table: B__c, key_field: up, name: ParentId}\nInsert A:\n  sf_object: A__c\n  table: a\n  action: upsert\n  update_key: X__c, Y__c\n  fields:\n  lookups:\n    WhoId:\n      table: [a, B__c]\n      after: Insert A\n",
        )
        .unwrap();
        assert_eq!(steps[0].fields, [("Name".to_owned(), "name".to_owned())]);
        assert_eq!(steps[0].fixed, [("N__c".to_owned(), "1".to_owned())]);
        assert_eq!(steps[0].anchor_date.as_deref(), Some("1990-07-01"));
        let links = &steps[0].lookups;
        assert_eq!((links[0].due, links[1].due), (Some(1), Some(0)));
        assert_eq!((links[1].field.as_str(), links[1].columns.len()), ("ParentId", 2));
        assert_eq!((steps[1].action, steps[1].update_key.len()), (Action::Upsert, 2));
        assert_eq!(steps[1].lookups[0].tables, ["B__c", "a"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(parse("A:\n  table: a\n").unwrap_err().contains("sf_object"));
        assert!(parse("A:\n  sf_object: A\n  action: burn\n").is_err());
        let text = "A:\n  sf_object: A\n  lookups:\n    B: {table: A, after: Nowhere}\n";
        assert!(parse(text).unwrap_err().contains("Nowhere"));
    }
}
