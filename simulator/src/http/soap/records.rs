//! Records in envelopes: read from a request, written into a reply.
//!
//! Key decision: texts stay texts on the way in, since the fields know their types; an empty element says
//! nothing, and only `fieldsToNull` empties a field. On the way out a record names its type and its Id
//! first, then the fields in the order of the SELECT, Id among them again, as the partner interface does.
//! Source: SOAP API guide, "sObject", "fieldsToNull", "Query Result"; recorded replies.
//! Not here: which records (`reads`, `writes`).

use quick_xml::escape::escape;
use serde_json::{Map, Value, json};

use super::envelope::Dialect;
use super::json::Json;
use crate::org::State;
use crate::schema::Kind;
use crate::xml::Element;

/// A record of a request.
pub(crate) struct Sent {
    pub kind: String,
    pub id: Option<String>,
    pub values: Value,
}

/// Reads an `sObjects` element.
pub(crate) fn sent(element: &Element) -> Sent {
    let mut values = Map::new();
    for field in element.all("fieldsToNull") {
        values.insert(field.text.trim().to_owned(), Value::Null);
    }
    for field in &element.children {
        let reserved = matches!(field.name.as_str(), "type" | "fieldsToNull" | "Id" | "id");
        if reserved || field.nil {
            continue;
        }
        if field.children.is_empty() {
            if !field.text.is_empty() {
                values.insert(field.name.clone(), json!(field.text));
            }
        } else {
            // A row named by its external id.
            values.insert(field.name.clone(), sent(field).values);
        }
    }
    let kind = element.get("type").map(str::to_owned);
    Sent {
        kind: kind.or_else(|| element.kind.clone()).unwrap_or_default(),
        id: element.get("Id").or_else(|| element.get("id")).map(str::to_owned),
        values: Value::Object(values),
    }
}

/// Writes a record of a REST reply under that tag.
pub(crate) fn record(state: &State, dialect: Dialect, tag: &str, row: &Json) -> String {
    let Json::Object(pairs) = row else {
        return format!("<{tag} xsi:nil=\"true\"/>");
    };
    let kind = row.get("attributes").get("type").text().unwrap_or_default();
    let mut out = match dialect {
        Dialect::Enterprise => format!("<{tag} xsi:type=\"sf:{kind}\">"),
        Dialect::Partner => {
            let id = scalar("sf:Id", row.get("Id").text());
            format!("<{tag} xsi:type=\"sf:sObject\"><sf:type>{kind}</sf:type>{id}")
        }
    };
    for (name, value) in pairs.iter().filter(|(name, _)| name != "attributes") {
        out.push_str(&field(state, dialect, kind, name, value));
    }
    out + &format!("</{tag}>")
}

fn field(state: &State, dialect: Dialect, kind: &str, name: &str, value: &Json) -> String {
    let tag = format!("sf:{name}");
    match value {
        Json::Scalar(text) => {
            let field = state.schema.object(kind).and_then(|o| o.field(name));
            let text = match field.map(|f| f.kind) {
                Some(Kind::DateTime) => instant(text),
                _ => text.clone(),
            };
            scalar(&tag, Some(&text))
        }
        Json::Object(_) if value.get("records") != &Json::Null => {
            format!(
                "<{tag} xsi:type=\"QueryResult\">{}</{tag}>",
                page(state, dialect, value)
            )
        }
        Json::Object(parts) if value.get("attributes") == &Json::Null => compound(&tag, parts),
        Json::Object(_) => record(state, dialect, &tag, value),
        Json::Null | Json::List(_) => scalar(&tag, None),
    }
}

/// An address or a place.
fn compound(tag: &str, parts: &[(String, Json)]) -> String {
    let kind = if parts.len() == 2 { "location" } else { "address" };
    let inner: String = parts.iter().map(|(name, v)| scalar(name, v.text())).collect();
    format!("<{tag} xsi:type=\"{kind}\">{inner}</{tag}>")
}

/// The elements of a `QueryResult`.
pub(crate) fn page(state: &State, dialect: Dialect, page: &Json) -> String {
    let next = page.get("nextRecordsUrl").text();
    let locator = next.and_then(|url| url.rsplit('/').next());
    let rows: String = page
        .get("records")
        .list()
        .iter()
        .map(|row| record(state, dialect, "records", row))
        .collect();
    format!(
        "{}{}{rows}{}",
        scalar("done", page.get("done").text()),
        scalar("queryLocator", locator),
        scalar("size", page.get("totalSize").text())
    )
}

/// An element with a text, or one that says it has none.
pub(crate) fn scalar(tag: &str, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("<{tag}>{}</{tag}>", escape(text)),
        None => format!("<{tag} xsi:nil=\"true\"/>"),
    }
}

/// An instant as XML writes it: `...000+0000` becomes `...000Z`.
pub(crate) fn instant(text: &str) -> String {
    text.strip_suffix("+0000")
        .map_or_else(|| text.to_owned(), |t| format!("{t}Z"))
}
