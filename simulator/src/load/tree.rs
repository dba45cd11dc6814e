//! Tree files and plans: `{"records": [{"attributes": {"type", "referenceId"}, ...}]}`.
//!
//! Key decision: a file is read once however many plans name it, and files of the same bytes count as one.
//! A `@Reference` is looked up in its own file, then in the files of the same plan, then in the same
//! directory, then among all that stand before it.
//! Source: CLI reference, "data import tree"; REST API guide, "sObject Tree".
//! Not here: creating the rows (`place`).

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::place::Pending;
use super::{LoadError, LoadReport, files};
use crate::schema::Schema;

/// Deepest nesting of children.
const MAX_DEPTH: usize = 16;

/// One file with the plan (if any) that named it first.
struct Source {
    path: PathBuf,
    body: Value,
    kind: Option<String>,
    plan: Option<PathBuf>,
    /// Other files with the same bytes, each with its plan: their references mean this one's records.
    copies: Vec<(PathBuf, Option<PathBuf>)>,
}

/// All records of the project's tree files.
pub(crate) fn read(
    schema: &Schema,
    all: &[PathBuf],
    report: &mut LoadReport,
) -> Result<Vec<Pending>, LoadError> {
    let sources = sources(all, report)?;
    let mut reader = Reader {
        schema,
        report,
        out: Vec::new(),
        names: BTreeMap::new(),
    };
    for (index, source) in sources.iter().enumerate() {
        reader.report.files.push(source.path.clone());
        let Some(records) = source.body.get("records").and_then(Value::as_array) else {
            continue;
        };
        for record in records {
            reader.record(index, source, record, None, 0);
        }
    }
    let (mut out, names) = (reader.out, reader.names);
    tie(&mut out, &names, &sources, report);
    Ok(out)
}

/// The tree files: those of plans in the plans' order, larger plans first, then the others by path.
fn sources(all: &[PathBuf], report: &mut LoadReport) -> Result<Vec<Source>, LoadError> {
    let mut bodies: BTreeMap<&PathBuf, (String, Value)> = BTreeMap::new();
    for path in all
        .iter()
        .filter(|p| files::named(p, ".json") && files::within(p, "data"))
    {
        let text = files::text(path)?;
        match serde_json::from_str::<Value>(&text) {
            Ok(body) => {
                bodies.insert(path, (text, body));
            }
            Err(e) => report.skip(path, format_args!("not JSON: {e}")),
        }
    }
    let mut plans: Vec<(&PathBuf, &Vec<Value>)> = bodies
        .iter()
        .filter_map(|(path, (_, body))| body.as_array().map(|steps| (*path, steps)))
        .collect();
    plans.sort_by_key(|(_, steps)| std::cmp::Reverse(steps.len()));
    let mut wanted: Vec<(PathBuf, Option<String>, Option<PathBuf>)> = Vec::new();
    for (plan, steps) in plans {
        for step in steps {
            let kind = step.get("sobject").and_then(Value::as_str).map(str::to_owned);
            for file in step.get("files").and_then(Value::as_array).into_iter().flatten() {
                let Some(name) = file.as_str() else { continue };
                let path = plan.with_file_name(name);
                if bodies.contains_key(&path) {
                    wanted.push((path, kind.clone(), Some(plan.clone())));
                } else {
                    report.skip(plan, format_args!("names {name}, which is not there"));
                }
            }
        }
    }
    wanted.extend(bodies.keys().map(|p| ((*p).clone(), None, None)));
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut out: Vec<Source> = Vec::new();
    for (path, kind, plan) in &wanted {
        let Some((text, body)) = bodies.get(path) else {
            continue;
        };
        if body.get("records").is_none() {
            continue;
        }
        match seen.get(text.as_str()) {
            Some(first) if out[*first].path == *path => {}
            Some(first) => {
                let line = format!("same records as {}", out[*first].path.display());
                let copies = &mut out[*first].copies;
                if copies.iter().all(|(p, _)| p != path) {
                    report.skip(path, line);
                }
                copies.push((path.clone(), plan.clone()));
            }
            None => {
                seen.insert(text, out.len());
                out.push(Source {
                    path: path.clone(),
                    body: body.clone(),
                    kind: kind.clone(),
                    plan: plan.clone(),
                    copies: Vec::new(),
                });
            }
        }
    }
    Ok(out)
}

struct Reader<'a> {
    schema: &'a Schema,
    report: &'a mut LoadReport,
    out: Vec<Pending>,
    /// Reference name (lower case) to the records that bear it: (source, record).
    names: BTreeMap<String, Vec<(usize, usize)>>,
}

impl Reader<'_> {
    fn record(
        &mut self,
        index: usize,
        source: &Source,
        record: &Value,
        parent: Option<(String, usize)>,
        depth: usize,
    ) {
        let attributes = record.get("attributes");
        let text = |key: &str| attributes.and_then(|a| a.get(key)).and_then(Value::as_str);
        let kind = text("type").map(str::to_owned).or_else(|| source.kind.clone());
        let object = kind.as_deref().and_then(|k| self.schema.object(k)).cloned();
        let (Some(object), Some(values)) = (object, record.as_object()) else {
            let kind = kind.unwrap_or_else(|| "(none)".into());
            self.report
                .skip(&source.path, format_args!("record of unknown type {kind}"));
            return;
        };
        let at = self.out.len();
        if let Some(name) = text("referenceId") {
            self.names
                .entry(name.to_ascii_lowercase())
                .or_default()
                .push((index, at));
        }
        let mut pending = Pending {
            source: index,
            path: source.path.clone(),
            object: object.name.clone(),
            values: Map::new(),
            named: Vec::new(),
            links: parent.into_iter().collect(),
        };
        let mut children = Vec::new();
        for (key, value) in values.iter().filter(|(k, _)| *k != "attributes") {
            if value.get("records").is_some() {
                children.push((key, value));
            } else if let Some(name) = value.as_str().and_then(|v| v.strip_prefix('@')) {
                match object.field(key) {
                    Some(field) => pending.named.push((field.name.clone(), name.to_owned())),
                    None => self.unknown(source, &object.name, key),
                }
            } else if let Some(field) = object.field(key) {
                pending.values.insert(field.name.clone(), value.clone());
            } else {
                self.unknown(source, &object.name, key);
            }
        }
        self.out.push(pending);
        for (way, list) in children {
            self.children(index, source, (&object.name, at), (way, list), depth);
        }
    }

    fn children(
        &mut self,
        index: usize,
        source: &Source,
        (object, at): (&str, usize),
        (way, list): (&str, &Value),
        depth: usize,
    ) {
        let field = self
            .schema
            .children_of(object)
            .into_iter()
            .find(|(_, f)| f.children.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(way)))
            .map(|(_, f)| f.name.clone());
        let records = list.get("records").and_then(Value::as_array);
        let (Some(field), Some(records), true) = (field, records, depth < MAX_DEPTH) else {
            self.unknown(source, object, way);
            return;
        };
        for record in records {
            self.record(index, source, record, Some((field.clone(), at)), depth + 1);
        }
    }

    fn unknown(&mut self, source: &Source, object: &str, key: &str) {
        let line = format!(
            "{}: {object} has no field or relationship {key}",
            source.path.display()
        );
        if !self.report.skipped.contains(&line) {
            self.report.skipped.push(line);
        }
    }
}

/// Turns reference names into links; a record whose reference leads nowhere is marked by a link to none.
fn tie(
    out: &mut [Pending],
    names: &BTreeMap<String, Vec<(usize, usize)>>,
    sources: &[Source],
    report: &mut LoadReport,
) {
    for record in out {
        for (field, name) in std::mem::take(&mut record.named) {
            let near = |source: usize| distance(sources, record.source, source);
            let found = names
                .get(&name.to_ascii_lowercase())
                .and_then(|list| list.iter().min_by_key(|(source, _)| near(*source)))
                .filter(|(source, _)| near(*source) < FAR);
            if found.is_none() {
                let object = &record.object;
                report.skip(
                    &record.path,
                    format_args!("{object} skipped: {field} names @{name}, which is not there"),
                );
            }
            record
                .links
                .push((field, found.map_or(usize::MAX, |(_, target)| *target)));
        }
    }
}

const FAR: u8 = 3;

/// How near two files, or copies of them, are: the same, of one plan, of one directory.
fn distance(sources: &[Source], a: usize, b: usize) -> u8 {
    if a == b {
        return 0;
    }
    let places = |s: &Source| {
        let own = (s.path.clone(), s.plan.clone());
        std::iter::once(own).chain(s.copies.clone()).collect::<Vec<_>>()
    };
    let (left, right) = (places(&sources[a]), places(&sources[b]));
    let pairs = left.iter().flat_map(|x| right.iter().map(move |y| (x, y)));
    let near = pairs.map(|((path, plan), (other, others))| match () {
        () if plan.is_some() && plan == others => 1,
        () if path.parent() == other.parent() => 2,
        () => FAR,
    });
    near.min().unwrap_or(FAR)
}
