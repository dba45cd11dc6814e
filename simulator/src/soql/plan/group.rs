//! The SELECT, HAVING and ORDER BY of a query that gives groups.
//!
//! Key decision: each distinct aggregate is one measure, wherever it stands; SELECT, HAVING and ORDER BY
//! point at measures and keys by number, so that a row is read once for each.
//! Source: SOQL and SOSL Reference, "Aggregate Functions", "GROUP BY", "HAVING", "Support for Field Types in
//! Aggregate Functions".
//! Not here: computing them (`soql::group`).

use std::cell::RefCell;
use std::sync::Arc;

use super::super::ast::{Aggregate, Expr, Function, Order, Query, Selected};
use super::super::lexer::malformed;
use super::filter::{Conditions, Subject};
use super::names::Binder;
use super::select::inside_format;
use super::{Column, Groups, Slot};
use crate::error::ApiError;
use crate::schema::{Kind, ObjectDef};

/// Keys and measures while they are gathered.
struct Gathered<'a> {
    binder: &'a Binder<'a>,
    object: &'a Arc<ObjectDef>,
    keys: Vec<Column>,
    measures: RefCell<Vec<(Aggregate, Column)>>,
}

impl Binder<'_> {
    pub(super) fn groups(
        &self,
        object: &Arc<ObjectDef>,
        query: &Query,
        list: &[Selected],
    ) -> Result<Groups, ApiError> {
        if query.groups.is_empty() && query.limit.is_some() {
            let why = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT";
            return Err(ApiError::new("MALFORMED_QUERY", why));
        }
        let mut keys = Vec::new();
        for expr in &query.groups {
            let (column, facts) = self.operand(object, expr)?;
            if !facts.groupable {
                let why = format!("field '{}' can not be grouped in a query call", column.field);
                return Err(self.invalid(expr.at(), &why));
            }
            keys.push(column);
        }
        let gathered = Gathered {
            binder: self,
            object,
            keys,
            measures: RefCell::default(),
        };
        let shown = gathered.shown(list, query)?;
        let subject = |expr: &Expr| gathered.subject(expr);
        let having = query
            .having
            .as_ref()
            .map(|h| Conditions::new(self, subject, None).bind(h))
            .transpose()?;
        let order = query
            .order
            .iter()
            .map(|o| {
                Ok(Order {
                    of: gathered.slot(&o.of)?,
                    descending: o.descending,
                    nulls_last: o.nulls_last,
                })
            })
            .collect::<Result<_, ApiError>>()?;
        Ok(Groups {
            grouped: !query.groups.is_empty(),
            keys: gathered.keys,
            measures: gathered.measures.into_inner(),
            shown,
            having,
            order,
        })
    }
}

impl Gathered<'_> {
    /// What each item shows, and under which key.
    fn shown(&self, list: &[Selected], query: &Query) -> Result<Vec<(String, Slot, bool)>, ApiError> {
        let text = self.binder.text;
        let mut unnamed = 0;
        let mut shown: Vec<(String, Slot, bool)> = Vec::new();
        for selected in list {
            let Selected::Expr(expr, alias) = selected else {
                let why = "Grouped queries select fields and aggregate functions only";
                return Err(malformed(text, query.from.at, why));
            };
            let (inner, formatted) = inside_format(expr).map_or((expr, false), |inner| (inner, true));
            let slot = self.slot(inner)?;
            let name = match (alias, expr, slot) {
                (Some(alias), ..) => alias.clone(),
                (None, Expr::Path(_), Slot::Key(i)) => self.keys[i].name.clone(),
                _ => {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1)
                }
            };
            if shown.iter().any(|(n, ..)| n.eq_ignore_ascii_case(&name)) {
                return Err(malformed(text, expr.at(), &format!("duplicate alias: {name}")));
            }
            shown.push((name, slot, formatted));
        }
        Ok(shown)
    }

    /// The key or measure that an expression means.
    fn slot(&self, expr: &Expr) -> Result<Slot, ApiError> {
        match expr {
            Expr::Call {
                name,
                function: Function::Aggregate(aggregate),
                of,
                at,
            } => self.measure(name, *aggregate, of, *at),
            Expr::Call {
                function: Function::Same,
                of,
                ..
            } => self.slot(of),
            _ => {
                let (column, _) = self.binder.operand(self.object, expr)?;
                let same =
                    |k: &Column| (&k.hops, &k.field, k.form) == (&column.hops, &column.field, column.form);
                self.keys.iter().position(same).map(Slot::Key).ok_or_else(|| {
                    let why = format!("Field must be grouped or aggregated: {}", expr.path().text());
                    malformed(self.binder.text, expr.at(), &why)
                })
            }
        }
    }

    fn measure(&self, name: &str, aggregate: Aggregate, of: &Expr, at: usize) -> Result<Slot, ApiError> {
        let (column, facts) = self.binder.operand(self.object, of)?;
        if !fits(aggregate, column.kind) || !(facts.filterable || aggregate == Aggregate::Count) {
            let operator = name.to_ascii_uppercase();
            let why = format!(
                "field {} does not support aggregate operator {operator}",
                column.field
            );
            return Err(malformed(self.binder.text, at, &why));
        }
        let mut measures = self.measures.borrow_mut();
        let same = |(a, c): &(Aggregate, Column)| {
            (*a, &c.hops, &c.field, c.form) == (aggregate, &column.hops, &column.field, column.form)
        };
        let place = measures.iter().position(same).unwrap_or(measures.len());
        if place == measures.len() {
            measures.push((aggregate, column));
        }
        Ok(Slot::Measure(place))
    }

    /// The left side of a comparison in HAVING.
    fn subject(&self, expr: &Expr) -> Result<Subject<Slot>, ApiError> {
        let slot = self.slot(expr)?;
        let measures = self.measures.borrow();
        let (column, kind) = match slot {
            Slot::Key(i) => (&self.keys[i], self.keys[i].kind),
            Slot::Measure(i) => {
                let (aggregate, column) = &measures[i];
                (column, measured(*aggregate, column.kind))
            }
        };
        Ok(Subject {
            of: slot,
            name: column.field.clone(),
            kind,
            exact: column.exact,
            targets: Vec::new(),
            hops: 0,
            at: expr.at(),
        })
    }
}

/// The type of an aggregate over a type.
fn measured(aggregate: Aggregate, kind: Kind) -> Kind {
    match aggregate {
        Aggregate::Count | Aggregate::CountDistinct => Kind::Int,
        Aggregate::Avg => Kind::Double,
        _ => kind,
    }
}

/// Whether values of a type can be aggregated so.
fn fits(aggregate: Aggregate, kind: Kind) -> bool {
    let number = kind.is_decimal() || kind == Kind::Int;
    let compound = kind.is_compound() || matches!(kind, Kind::Base64 | Kind::AnyType);
    match aggregate {
        Aggregate::Sum | Aggregate::Avg => number,
        Aggregate::Count => !compound,
        _ => !compound && !matches!(kind, Kind::Boolean | Kind::MultiPicklist | Kind::Time),
    }
}
