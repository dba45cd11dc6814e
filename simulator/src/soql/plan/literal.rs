//! Literals in the stored shape of the field they are compared with.
//!
//! Key decision: a literal of another type than the field is refused with the sentence that names the type
//! and whether quotes are due.
//! Source: SOQL and SOSL Reference, "Comparison Operators", "Date Formats and Date Literals".
//! Not here: which operators a type knows (`filter`).

use serde_json::{Value, json};

use super::super::ast::{Literal, Op};
use super::super::lexer::located;
use super::filter::Subject;
use super::names::Binder;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::stamp;
use crate::schema::Kind;

impl Binder<'_> {
    /// The value that a literal means for a field.
    pub(super) fn literal<C>(
        &self,
        subject: &Subject<C>,
        op: Op,
        literal: &Literal,
    ) -> Result<Value, ApiError> {
        let wrong = || self.wrong_type(subject);
        let number = |n: &str| n.parse::<f64>().map(|n| json!(n)).map_err(|_| wrong());
        match (subject.kind, literal) {
            (_, Literal::Null) => Ok(Value::Null),
            (Kind::Boolean, Literal::Bool(b)) => Ok(json!(b)),
            (Kind::Int, Literal::Number(n)) => number(n),
            (kind, Literal::Number(n)) if kind.is_decimal() => number(n),
            (Kind::Date, Literal::Date(d)) if d.parse::<jiff::civil::Date>().is_ok() => Ok(json!(d)),
            (Kind::DateTime, Literal::DateTime(d)) => crate::write::instant(d)
                .map(|at| json!(precise(at)))
                .ok_or_else(wrong),
            (Kind::Time, Literal::Time(t)) => time(t).ok_or_else(wrong),
            (Kind::Id | Kind::Reference, Literal::Text(id)) => self.id(subject.at, id),
            (kind, Literal::Text(t)) if kind.is_text() => {
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

    pub(super) fn wrong_type<C>(&self, subject: &Subject<C>) -> ApiError {
        let (wanted, quotes) = match subject.kind {
            Kind::DateTime => ("dateTime", "should not"),
            Kind::Id | Kind::Reference => ("ID", "should"),
            kind if kind.is_text() => ("string", "should"),
            kind => (kind.name(), "should not"),
        };
        self.invalid(subject.at, &format!("value of filter criterion for field '{}' must be of type {wanted} and {quotes} be enclosed in quotes", subject.name))
    }

    fn id(&self, at: usize, id: &str) -> Result<Value, ApiError> {
        if id.is_empty() {
            return Ok(Value::Null);
        }
        // A key prefix padded with zeros and the like is a lawful bound of a range of Ids.
        normalise(id).map(|id| json!(id)).ok_or_else(|| {
            let message = format!("invalid ID field: {id}");
            ApiError::new("INVALID_QUERY_FILTER_OPERATOR", located(self.text, at, &message))
        })
    }
}

/// Stored stamps have whole seconds; a bound between two seconds keeps its milliseconds, and texts of both
/// shapes still compare as times.
fn precise(at: jiff::Timestamp) -> String {
    let ms = at.as_millisecond().rem_euclid(1000);
    stamp(at).replace(".000+", &format!(".{ms:03}+"))
}

fn time(text: &str) -> Option<Value> {
    let time: jiff::civil::Time = text.trim_end_matches(['Z', 'z']).parse().ok()?;
    Some(json!(format!("{}Z", time.strftime("%H:%M:%S.%3f"))))
}

fn unescape_like(text: &str) -> String {
    text.replace("\\_", "_").replace("\\%", "%")
}
