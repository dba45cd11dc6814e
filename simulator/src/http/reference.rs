//! References of composite subrequests: `@{name.records[0].Id}`.
//!
//! Key decision: a text that is nothing but a reference becomes the value it names, of whatever type; within
//! a longer text the value is written out.
//! Source: REST API guide, "Composite Subrequest", "Behavior for References to Null Fields".
//! Not here: which subrequest runs when (`composite`).

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Bodies of the replies so far, by reference id.
pub(crate) type Known = HashMap<String, Value>;

/// A value with its references replaced; `nulls`: a reference may name a null.
pub(crate) fn fill(value: &Value, known: &Known, nulls: bool) -> Result<Value, ApiError> {
    match value {
        Value::String(text) => within(text, known, nulls),
        Value::Array(list) => {
            let list: Result<Vec<Value>, ApiError> = list.iter().map(|v| fill(v, known, nulls)).collect();
            list.map(Value::Array)
        }
        Value::Object(map) => {
            let map: Result<Map<String, Value>, ApiError> = map
                .iter()
                .map(|(k, v)| fill(v, known, nulls).map(|v| (k.clone(), v)))
                .collect();
            map.map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

fn within(text: &str, known: &Known, nulls: bool) -> Result<Value, ApiError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("@{") {
        let Some((path, tail)) = after.split_once('}') else {
            break;
        };
        let value = named(path, known)
            .filter(|v| nulls || !v.is_null())
            .ok_or_else(|| lost(path))?;
        if before.is_empty() && tail.is_empty() && out.is_empty() {
            return Ok(value.clone());
        }
        out.push_str(before);
        match value {
            Value::String(s) => out.push_str(s),
            Value::Null => {}
            other => out.push_str(&other.to_string()),
        }
        rest = tail;
    }
    out.push_str(rest);
    Ok(Value::String(out))
}

fn lost(path: &str) -> ApiError {
    let id = path.split(['.', '[']).next().unwrap_or_default();
    ApiError::new(
        "PROCESSING_HALTED",
        format!("Invalid reference specified. No value for {path} found in {id}."),
    )
}

/// What `name.field[0].field` names; only plain values can be named.
fn named<'a>(path: &str, known: &'a Known) -> Option<&'a Value> {
    let (id, mut rest) = path.split_at(path.find(['.', '[']).unwrap_or(path.len()));
    let mut value = known.get(id)?;
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (number, tail) = index.split_once(']')?;
            value = value.get(number.trim().parse::<usize>().ok()?)?;
            rest = tail;
        } else {
            let field = rest.strip_prefix('.')?;
            let (name, tail) = field.split_at(field.find(['.', '[']).unwrap_or(field.len()));
            value = value.get(name)?;
            rest = tail;
        }
    }
    (!value.is_object() && !value.is_array()).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_and_texts() {
        let body = json!({"id": "001", "n": 5, "none": null, "records": [{"Id": "a"}, {"Id": "b"}]});
        let known: Known = [("ref".to_owned(), body)].into_iter().collect();
        let filled = |v: Value| fill(&v, &known, true).map_err(|e| e.message);
        assert_eq!(filled(json!({"A": ["@{ref.n}"]})), Ok(json!({"A": [5]})));
        assert_eq!(
            filled(json!("x @{ref.records[1].Id}/@{ref.n}@{")),
            Ok(json!("x b/5@{"))
        );
        assert_eq!(filled(json!("@{ref.none}")), Ok(Value::Null));
        assert!(fill(&json!("@{ref.none}"), &known, false).is_err());
        for lost in [
            "@{ref.Id}",
            "@{other.id}",
            "@{ref.records}",
            "@{ref.records[2].Id}",
            "@{ref.records[x]}",
            "@{}",
            "@{ref..id}",
        ] {
            assert!(filled(json!(lost)).is_err(), "{lost}");
        }
        assert_eq!(
            filled(json!("@{ref.Id}")),
            Err("Invalid reference specified. No value for ref.Id found in ref.".to_owned())
        );
    }
}
