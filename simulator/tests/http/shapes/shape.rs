//! The shape of a reply: which keys and elements there are, and of what type.
//!
//! Key decision: the shapes of all items of a list are laid over one another, so that a list of records is
//! compared whole and not by its first. A null says nothing of a type.
//! Not here: which requests give which replies (`json`, `soap`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::xml::Node;

/// How near our reply must be to the recorded one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rule {
    /// The same keys.
    Same,
    /// The recorded keys, and perhaps more: the recording is of an older version, or was cut down.
    More,
    /// A map from names to things of one shape; the names differ from org to org.
    Each,
}

/// Types and keys of a JSON value.
#[derive(Default, Debug)]
struct Shape {
    kinds: BTreeSet<&'static str>,
    keys: BTreeMap<String, Shape>,
    items: Option<Box<Shape>>,
}

impl Shape {
    fn of(value: &Value) -> Self {
        let mut shape = Self::default();
        shape.lay(value);
        shape
    }

    fn lay(&mut self, value: &Value) {
        let kind = match value {
            Value::Null => return,
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(items) => {
                for item in items {
                    self.items.get_or_insert_default().lay(item);
                }
                "array"
            }
            Value::Object(map) => {
                for (key, value) in map {
                    self.keys.entry(key.clone()).or_default().lay(value);
                }
                "object"
            }
        };
        self.kinds.insert(kind);
    }
}

/// Where the shapes differ; keys in `skip` and custom fields of the recorded org do not count.
pub fn differences(rule: Rule, skip: &[&str], real: &Value, ours: &Value) -> Vec<String> {
    let mut out = Vec::new();
    if rule == Rule::Each {
        let (real, ours) = (values(real), values(ours));
        differ(
            Rule::More,
            skip,
            &Shape::of(&real),
            &Shape::of(&ours),
            "*",
            &mut out,
        );
    } else {
        differ(rule, skip, &Shape::of(real), &Shape::of(ours), "", &mut out);
    }
    out
}

fn values(map: &Value) -> Value {
    // What is nested deeper bears names of the org again, as the allowances of its apps do.
    let flat = |value: &Value| match value {
        Value::Object(map) => {
            let plain = map.iter().filter(|(_, v)| !v.is_object());
            Value::Object(plain.map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        other => other.clone(),
    };
    map.as_object()
        .map_or(Value::Null, |m| m.values().map(flat).collect())
}

fn differ(rule: Rule, skip: &[&str], real: &Shape, ours: &Shape, path: &str, out: &mut Vec<String>) {
    if !ours.kinds.is_empty() && !real.kinds.is_empty() && real.kinds.is_disjoint(&ours.kinds) {
        out.push(format!(
            "{path}: {:?} was recorded, ours is {:?}",
            real.kinds, ours.kinds
        ));
    }
    let counts = |key: &str| !skip.contains(&key) && !key.ends_with("__c");
    if ours.kinds.contains("object") {
        for (key, shape) in real
            .keys
            .iter()
            .filter(|(k, _)| counts(k) || ours.keys.contains_key(*k))
        {
            match ours.keys.get(key) {
                Some(mine) => differ(rule, skip, shape, mine, &format!("{path}.{key}"), out),
                None => out.push(format!("{path}.{key}: ours lacks it")),
            }
        }
        if rule == Rule::Same && !real.keys.is_empty() {
            let more = ours
                .keys
                .keys()
                .filter(|k| counts(k) && !real.keys.contains_key(*k));
            out.extend(more.map(|key| format!("{path}.{key}: only ours has it")));
        }
    }
    match (&real.items, &ours.items) {
        (Some(items), Some(mine)) => differ(rule, skip, items, mine, &format!("{path}[]"), out),
        (Some(_), None) if ours.kinds.contains("array") => out.push(format!("{path}: ours is empty")),
        _ => {}
    }
}

/// Where the elements differ, in name or order. Repeated elements count once, with all that they hold.
pub fn element_differences(rule: Rule, real: &Node, ours: &Node) -> Vec<String> {
    let mut out = Vec::new();
    compare(rule, &[real], &[ours], &real.name, &mut out);
    out
}

/// The names of the children of some elements, in the order in which they come.
fn order(nodes: &[&Node]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for node in nodes {
        let mut at = 0;
        for child in &node.children {
            match out.iter().position(|n| *n == child.name) {
                Some(known) => at = known + 1,
                None => {
                    out.insert(at, child.name.clone());
                    at += 1;
                }
            }
        }
    }
    out
}

fn compare(rule: Rule, real: &[&Node], ours: &[&Node], path: &str, out: &mut Vec<String>) {
    let (wanted, have) = (order(real), order(ours));
    let common: Vec<&String> = have.iter().filter(|n| wanted.contains(n)).collect();
    let lacking: Vec<&String> = wanted.iter().filter(|n| !have.contains(n)).collect();
    if !lacking.is_empty() {
        out.push(format!("{path}: ours lacks {lacking:?}"));
    } else if !common.iter().copied().eq(wanted.iter()) {
        out.push(format!("{path}: recorded order {wanted:?}, ours {common:?}"));
    }
    if rule == Rule::Same && have.len() > common.len() && !wanted.is_empty() {
        out.push(format!("{path}: recorded {wanted:?}, ours {have:?}"));
    }
    for name in common {
        let of = |nodes: &[&Node]| -> Vec<Node> {
            let each = nodes
                .iter()
                .flat_map(|n| n.all(name).cloned().collect::<Vec<_>>());
            each.collect()
        };
        let (left, right) = (of(real), of(ours));
        let (left, right): (Vec<&Node>, Vec<&Node>) = (left.iter().collect(), right.iter().collect());
        compare(rule, &left, &right, &format!("{path}/{name}"), out);
    }
}

#[test]
fn a_difference_is_seen() {
    use serde_json::json;
    let seen = |rule, real, ours| differences(rule, &["skipped"], &real, &ours);
    assert!(seen(Rule::Same, json!({"a": 1, "b": null}), json!({"a": 2, "b": "x"})).is_empty());
    assert_eq!(seen(Rule::Same, json!({"a": 1}), json!({"a": "1"})).len(), 1);
    assert_eq!(seen(Rule::Same, json!({"a": 1}), json!({})).len(), 1);
    assert_eq!(
        seen(Rule::Same, json!([{"a": 1}]), json!([{"a": 1, "b": 1}])).len(),
        1
    );
    assert!(seen(Rule::More, json!({"a": 1, "skipped": 1}), json!({"a": 1, "b": 1})).is_empty());
    assert_eq!(seen(Rule::More, json!([{"a": {"b": 1}}]), json!([])).len(), 1);
    assert_eq!(
        seen(Rule::Each, json!({"x": {"a": 1}}), json!({"y": {"b": 1}})).len(),
        1
    );
    let tree = |text: &str| crate::support::xml::parse(text);
    let seen = |real, ours| element_differences(Rule::Same, &tree(real), &tree(ours)).len();
    assert_eq!(seen("<a><b/><c/></a>", "<a><b/><b/><c/></a>"), 0);
    assert_eq!(seen("<a><b/><c/></a>", "<a><c/><b/></a>"), 1);
    assert_eq!(seen("<a><b/></a>", "<a/>"), 1);
    assert_eq!(seen("<a><b/></a>", "<a><b/><c/></a>"), 1);
}
