//! A query bound to the schema: names resolved, rights and types checked.
//!
//! Key decision: literals are turned into the stored shape of their field here, so that evaluation compares
//! like with like; a datetime in quotes, a text without, an unknown name are refused before a row is read.
//! Source: SOQL and SOSL Reference, "Comparison Operators", "Understanding Relationship Names"; REST API
//! guide, "Status Codes and Error Responses" for the messages.
//! Not here: rows (`eval`, `run`).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ast::{Cond, Literal, Op, Order, Path, Query, Select};
use super::lexer::located;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::{Permission, State, stamp};
use crate::schema::{Field, Kind, ObjectDef};

/// A resolved field: the references to follow, then the field to read.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    /// Way up: (relationship name as the reply shows it, reference field, several targets).
    pub hops: Vec<(String, String, bool)>,
    /// API name of the field at the end.
    pub field: String,
    pub kind: Kind,
}

/// A query ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub object: Arc<ObjectDef>,
    /// `None` for COUNT().
    pub columns: Option<Vec<Column>>,
    pub filter: Option<Cond<Column, Value>>,
    pub order: Vec<Order<Column>>,
    pub limit: Option<u64>,
    pub offset: u64,
}

/// Fields that every target of a reference to several kinds of objects shows.
const NAME_FIELDS: [&str; 12] = [
    "Id",
    "Name",
    "Type",
    "FirstName",
    "LastName",
    "Email",
    "Phone",
    "Title",
    "Username",
    "Alias",
    "IsActive",
    "ProfileId",
];

/// Most references that a path may follow.
const MAX_HOPS: usize = 5;

/// Binds a query.
pub(crate) fn bind(state: &State, text: &str, query: &Query) -> Result<Plan, ApiError> {
    let binder = Binder { state, text };
    if query.all_rows {
        return Err(ApiError::new(
            "MALFORMED_QUERY",
            "ALL ROWS not allowed in this context",
        ));
    }
    if query.offset.is_some_and(|o| o > 2000) {
        return Err(ApiError::new(
            "NUMBER_OUTSIDE_VALID_RANGE",
            "Maximum SOQL offset allowed is 2000",
        ));
    }
    let object = binder.object(&query.from)?;
    let columns = match &query.select {
        Select::Count => None,
        Select::Fields(paths) => Some(binder.columns(&object, paths)?),
    };
    let filter = query
        .filter
        .as_ref()
        .map(|f| binder.condition(&object, f))
        .transpose()?;
    if object.name == "ContentDocumentLink"
        && !state.may(Permission::QueryAllFiles)
        && !filter.as_ref().is_some_and(link_filter)
    {
        return Err(ApiError::new(
            "MALFORMED_QUERY",
            "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the equals operator or multiple Id's using the IN operator.",
        ));
    }
    let order = query
        .order
        .iter()
        .map(|o| {
            let (column, field) = binder.column(&object, &o.path)?;
            if !field.sortable() {
                return Err(binder.invalid(
                    &o.path,
                    &format!("field '{}' can not be sorted in a query call", field.name),
                ));
            }
            Ok(Order {
                path: column,
                descending: o.descending,
                nulls_last: o.nulls_last,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Plan {
        object,
        columns,
        filter,
        order,
        limit: query.limit,
        offset: query.offset.unwrap_or(0),
    })
}

/// The filter that ContentDocumentLink asks for, somewhere among conditions that must all hold.
pub(super) fn link_filter(cond: &Cond<Column, Value>) -> bool {
    let keyed = |c: &Column| {
        c.hops.is_empty() && matches!(c.field.as_str(), "Id" | "ContentDocumentId" | "LinkedEntityId")
    };
    match cond {
        Cond::And(all) => all.iter().any(link_filter),
        Cond::Compare(c, Op::Eq, v) => keyed(c) && !v.is_null(),
        Cond::In {
            path, negated: false, ..
        } => keyed(path),
        _ => false,
    }
}

struct Binder<'a> {
    state: &'a State,
    text: &'a str,
}

impl Binder<'_> {
    fn object(&self, from: &Path) -> Result<Arc<ObjectDef>, ApiError> {
        let name = from.parts.join(".");
        let object = self.state.visible(&name).filter(|o| o.rights.queryable);
        object.cloned().ok_or_else(|| {
            let message = format!("sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.");
            ApiError::new("INVALID_TYPE", located(self.text, from.at, &message))
        })
    }

    fn invalid(&self, path: &Path, message: &str) -> ApiError {
        ApiError::new("INVALID_FIELD", located(self.text, path.at, message))
    }

    fn columns(&self, object: &Arc<ObjectDef>, paths: &[Path]) -> Result<Vec<Column>, ApiError> {
        let mut seen = BTreeSet::new();
        let mut out = Vec::with_capacity(paths.len());
        for path in paths {
            let name = path.parts.join(".");
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(ApiError::new(
                    "INVALID_FIELD",
                    format!("duplicate field selected: {name}"),
                ));
            }
            out.push(self.column(object, path)?.0);
        }
        Ok(out)
    }

    /// Follows a path; gives the column and the field it ends in.
    fn column(&self, object: &Arc<ObjectDef>, path: &Path) -> Result<(Column, Field), ApiError> {
        let mut parts = path.parts.as_slice();
        // A path may begin with the object's own name.
        if parts.len() > 1
            && parts[0].eq_ignore_ascii_case(&object.name)
            && object.relationship(&parts[0]).is_none()
        {
            parts = &parts[1..];
        }
        let Some((last, ways)) = parts.split_last() else {
            return Err(self.invalid(path, "empty field path"));
        };
        if ways.len() > MAX_HOPS {
            return Err(self.invalid(path, "SOQL relationship paths may not go up more than 5 levels"));
        }
        let mut at = object.clone();
        let mut hops = Vec::new();
        let mut shared = false;
        for way in ways {
            let seen = |f: &&Field| !shared && self.state.sees_field(&at, f);
            let field = at.relationship(way).filter(seen).ok_or_else(|| {
                self.invalid(path, &format!("Didn't understand relationship '{way}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."))
            })?;
            let shown = field.relationship.clone().unwrap_or_default();
            hops.push((shown, field.name.clone(), field.polymorphic()));
            shared = field.polymorphic();
            let target = if shared {
                at.name.as_str()
            } else {
                field.reference_to.first().map_or("", String::as_str)
            };
            at = self.state.visible(target).cloned().ok_or_else(|| {
                self.invalid(
                    path,
                    &format!("Didn't understand relationship '{way}' in field path."),
                )
            })?;
        }
        let field = if shared {
            name_field(last)
        } else {
            at.field(last).filter(|f| self.state.sees_field(&at, f)).cloned()
        };
        let field = field.ok_or_else(|| {
            let entity = if shared { "Name" } else { at.name.as_str() };
            self.invalid(path, &format!("No such column '{last}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."))
        })?;
        Ok((
            Column {
                hops,
                field: field.name.clone(),
                kind: field.kind,
            },
            field,
        ))
    }

    fn condition(
        &self,
        object: &Arc<ObjectDef>,
        cond: &Cond<Path, Literal>,
    ) -> Result<Cond<Column, Value>, ApiError> {
        let all = |list: &[Cond<Path, Literal>]| {
            list.iter()
                .map(|c| self.condition(object, c))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match cond {
            Cond::And(list) => Cond::And(all(list)?),
            Cond::Or(list) => Cond::Or(all(list)?),
            Cond::Not(inner) => Cond::Not(Box::new(self.condition(object, inner)?)),
            Cond::Compare(path, op, literal) => {
                let (column, field) = self.filterable(object, path)?;
                self.operator(path, &field, *op)?;
                Cond::Compare(column, *op, self.literal(path, &field, *op, literal)?)
            }
            Cond::In { path, negated, list } => {
                let (column, field) = self.filterable(object, path)?;
                if field.kind == Kind::MultiPicklist {
                    return Err(self.bad_operator(path, &field));
                }
                Cond::In {
                    path: column,
                    negated: *negated,
                    list: self.literals(path, &field, list)?,
                }
            }
            Cond::Includes { path, negated, list } => {
                let (column, field) = self.filterable(object, path)?;
                if field.kind != Kind::MultiPicklist {
                    return Err(self.bad_operator(path, &field));
                }
                Cond::Includes {
                    path: column,
                    negated: *negated,
                    list: self.literals(path, &field, list)?,
                }
            }
        })
    }

    fn filterable(&self, object: &Arc<ObjectDef>, path: &Path) -> Result<(Column, Field), ApiError> {
        let (column, field) = self.column(object, path)?;
        if !field.filterable() || field.kind.is_compound() {
            return Err(self.invalid(
                path,
                &format!("field '{}' can not be filtered in a query call", field.name),
            ));
        }
        Ok((column, field))
    }

    fn bad_operator(&self, path: &Path, field: &Field) -> ApiError {
        let message = format!("invalid operator on {} field", field.kind.name());
        ApiError::new(
            "INVALID_QUERY_FILTER_OPERATOR",
            located(self.text, path.at, &message),
        )
    }

    fn operator(&self, path: &Path, field: &Field, op: Op) -> Result<(), ApiError> {
        let fits = match op {
            Op::Eq | Op::Ne => true,
            Op::Like => field.kind.is_text() && field.kind != Kind::MultiPicklist,
            _ => !matches!(field.kind, Kind::Boolean | Kind::MultiPicklist),
        };
        if fits {
            Ok(())
        } else {
            Err(self.bad_operator(path, field))
        }
    }

    fn literals(&self, path: &Path, field: &Field, list: &[Literal]) -> Result<Vec<Value>, ApiError> {
        list.iter()
            .map(|l| self.literal(path, field, Op::Eq, l))
            .collect()
    }

    /// The literal in the stored shape of its field.
    fn literal(&self, path: &Path, field: &Field, op: Op, literal: &Literal) -> Result<Value, ApiError> {
        let quoted = matches!(literal, Literal::Text(_));
        let wrong = || {
            let (wanted, quotes) = match field.kind {
                Kind::DateTime => ("dateTime", "should not"),
                Kind::Id | Kind::Reference => ("ID", "should"),
                kind if kind.is_text() => ("string", "should"),
                kind => (kind.name(), "should not"),
            };
            self.invalid(path, &format!("value of filter criterion for field '{}' must be of type {wanted} and {quotes} be enclosed in quotes", field.name))
        };
        match (field.kind, literal) {
            (_, Literal::Null) => Ok(Value::Null),
            (Kind::Boolean, Literal::Bool(b)) => Ok(json!(b)),
            (Kind::Int, Literal::Number(n)) => Ok(json!(n.parse::<f64>().map_err(|_| wrong())?)),
            (kind, Literal::Number(n)) if kind.is_decimal() => {
                Ok(json!(n.parse::<f64>().map_err(|_| wrong())?))
            }
            (Kind::Date, Literal::Date(d)) if d.parse::<jiff::civil::Date>().is_ok() => Ok(json!(d)),
            (Kind::DateTime, Literal::DateTime(d)) => match crate::write::instant(d) {
                Some(at) => Ok(json!(precise(at))),
                None => Err(wrong()),
            },
            (Kind::Time, Literal::Text(_)) => Err(wrong()),
            (Kind::Id | Kind::Reference, Literal::Text(id)) if op != Op::Like => self.id(path, field, id),
            (kind, Literal::Text(t)) if kind.is_text() && quoted => {
                let text = if op == Op::Like {
                    t.clone()
                } else {
                    unescape_like(t)
                };
                Ok(if text.is_empty() { Value::Null } else { json!(text) })
            }
            _ => Err(wrong()),
        }
    }

    fn id(&self, path: &Path, field: &Field, id: &str) -> Result<Value, ApiError> {
        if id.is_empty() {
            return Ok(Value::Null);
        }
        // A key prefix padded with zeros and the like is a lawful bound of a range of Ids.
        normalise(id).map(|id| json!(id)).ok_or_else(|| {
            let message = format!("invalid ID field: {id}");
            let _ = field;
            ApiError::new(
                "INVALID_QUERY_FILTER_OPERATOR",
                located(self.text, path.at, &message),
            )
        })
    }
}

/// Stored stamps have whole seconds; a bound between two seconds keeps its milliseconds, and texts of both
/// shapes still compare as times.
fn precise(at: jiff::Timestamp) -> String {
    let ms = at.as_millisecond().rem_euclid(1000);
    stamp(at).replace(".000+", &format!(".{ms:03}+"))
}

fn unescape_like(text: &str) -> String {
    text.replace("\\_", "_").replace("\\%", "%")
}

fn name_field(name: &str) -> Option<Field> {
    let known = NAME_FIELDS.iter().find(|f| f.eq_ignore_ascii_case(name))?;
    let kind = match *known {
        "Id" | "ProfileId" => Kind::Id,
        "IsActive" => Kind::Boolean,
        _ => Kind::String,
    };
    Some(Field::new(known, kind))
}
