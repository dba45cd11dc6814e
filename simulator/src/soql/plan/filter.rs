//! Conditions bound to what they read: fields of rows (WHERE) or measures of groups (HAVING).
//!
//! Key decision: one binder for both, told by a function what an operand is. A comparison with a range of
//! days becomes comparisons with its first day and the day after its last; a semi-join keeps its plan, and
//! is run when the query is.
//! Source: SOQL and SOSL Reference, "Comparison Operators", "Comparing with Semi-Joins and Anti-Joins".
//! Not here: evaluation (`eval`).

use std::cell::Cell;
use std::sync::Arc;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::super::ast::{Cond, Expr, Literal, Op, Query, Select, Set};
use super::super::compare::{Pattern, order};
use super::super::dates;
use super::super::lexer::{located, malformed};
use super::names::Binder;
use super::{Item, Members, Place, Plan, Test};
use crate::error::ApiError;
use crate::schema::{Kind, ObjectDef};

/// Most semi-joins and anti-joins of a WHERE.
const MAX_JOINS: usize = 2;

/// The left side of a comparison.
pub(super) struct Subject<C> {
    pub of: C,
    pub name: String,
    pub kind: Kind,
    pub exact: bool,
    /// Objects whose Ids it holds, and the steps up to it.
    pub targets: Vec<String>,
    pub hops: usize,
    pub at: usize,
}

/// What stands around a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// Nothing, or AND at the top.
    Top,
    Or,
    Not,
    /// Parentheses inside the top AND.
    Nested,
}

/// Binds the conditions of one clause.
pub(super) struct Conditions<'a, F> {
    binder: &'a Binder<'a>,
    subject: F,
    /// The object whose rows are filtered; `None` where no semi-join may stand.
    outer: Option<&'a Arc<ObjectDef>>,
    joins: Cell<usize>,
}

impl<'a, C: Clone, F: Fn(&Expr) -> Result<Subject<C>, ApiError>> Conditions<'a, F> {
    pub fn new(binder: &'a Binder<'a>, subject: F, outer: Option<&'a Arc<ObjectDef>>) -> Self {
        Self {
            binder,
            subject,
            outer,
            joins: Cell::new(0),
        }
    }

    pub fn bind(&self, cond: &Cond) -> Result<Test<C>, ApiError> {
        self.test(cond, Around::Top, 0)
    }

    fn all(&self, list: &[Cond], around: Around, depth: usize) -> Result<Vec<Test<C>>, ApiError> {
        list.iter().map(|c| self.test(c, around, depth + 1)).collect()
    }

    fn test(&self, cond: &Cond, around: Around, depth: usize) -> Result<Test<C>, ApiError> {
        let inside = |kind| if around == Around::Top { kind } else { around };
        Ok(match cond {
            Cond::And(list) if depth == 0 => Test::All(self.all(list, Around::Top, depth)?),
            Cond::And(list) => Test::All(self.all(list, inside(Around::Nested), depth)?),
            Cond::Or(list) => Test::Any(self.all(list, inside(Around::Or), depth)?),
            Cond::Not(inner) => Test::Not(Box::new(self.test(inner, inside(Around::Not), depth + 1)?)),
            Cond::Compare(expr, op, literal) => {
                let subject = (self.subject)(expr)?;
                self.operator(&subject, *op)?;
                self.compare(&subject, *op, literal)?
            }
            Cond::In { of, negated, set } => {
                let subject = (self.subject)(of)?;
                match set {
                    Set::List(list) => self.list(subject, *negated, list)?,
                    Set::Query(query) => Test::In {
                        set: Members::Join(Box::new(self.join(&subject, query, around)?)),
                        folded: false,
                        of: subject.of,
                        negated: *negated,
                    },
                }
            }
            Cond::Includes { of, negated, list } => {
                let subject = (self.subject)(of)?;
                if subject.kind != Kind::MultiPicklist {
                    return Err(self.bad_operator(&subject));
                }
                let values = list.iter().map(|l| self.binder.literal(&subject, Op::Eq, l));
                Test::Includes {
                    list: values.map(|v| v.map(|v| split(&v))).collect::<Result<_, _>>()?,
                    of: subject.of,
                    negated: *negated,
                }
            }
        })
    }

    fn bad_operator(&self, subject: &Subject<C>) -> ApiError {
        let message = format!("invalid operator on {} field", subject.kind.name());
        ApiError::new(
            "INVALID_QUERY_FILTER_OPERATOR",
            located(self.binder.text, subject.at, &message),
        )
    }

    fn operator(&self, subject: &Subject<C>, op: Op) -> Result<(), ApiError> {
        let fits = match op {
            Op::Eq | Op::Ne => true,
            Op::Like => subject.kind.is_text() && subject.kind != Kind::MultiPicklist,
            _ => !matches!(subject.kind, Kind::Boolean | Kind::MultiPicklist),
        };
        if fits {
            Ok(())
        } else {
            Err(self.bad_operator(subject))
        }
    }

    fn compare(&self, subject: &Subject<C>, op: Op, literal: &Literal) -> Result<Test<C>, ApiError> {
        if let Literal::Days(name, number) = literal {
            return self.days(subject, op, name, *number);
        }
        let value = self.binder.literal(subject, op, literal)?;
        Ok(match (op, &value) {
            (Op::Like, Value::String(text)) => Test::Like {
                of: subject.of.clone(),
                pattern: Pattern::new(text),
            },
            (Op::Like, _) => test(subject, Op::Eq, Value::Null),
            _ => test(subject, op, value),
        })
    }

    fn days(
        &self,
        subject: &Subject<C>,
        op: Op,
        name: &str,
        number: Option<u32>,
    ) -> Result<Test<C>, ApiError> {
        let now = self.binder.state.clock.now();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let stored = |day: Date| match subject.kind {
            Kind::Date => Ok(json!(day.to_string())),
            Kind::DateTime => Ok(json!(format!("{day}T00:00:00.000+0000"))),
            _ => Err(self.binder.wrong_type(subject)),
        };
        // A range beyond the calendar holds no day.
        let (from, to) = dates::span(name, number, today).unwrap_or((Date::MAX, Date::MAX));
        let (from, to) = (stored(from)?, stored(to)?);
        Ok(match op {
            Op::Eq => Test::All(vec![test(subject, Op::Ge, from), test(subject, Op::Lt, to)]),
            Op::Ne => Test::Not(Box::new(Test::All(vec![
                test(subject, Op::Ge, from),
                test(subject, Op::Lt, to),
            ]))),
            Op::Lt => test(subject, Op::Lt, from),
            Op::Ge => test(subject, Op::Ge, from),
            Op::Gt => test(subject, Op::Ge, to),
            Op::Le | Op::Like => test(subject, Op::Lt, to),
        })
    }

    fn list(&self, subject: Subject<C>, negated: bool, list: &[Literal]) -> Result<Test<C>, ApiError> {
        if subject.kind == Kind::MultiPicklist {
            return Err(self.bad_operator(&subject));
        }
        let (days, plain): (Vec<&Literal>, Vec<&Literal>) =
            list.iter().partition(|l| matches!(l, Literal::Days(..)));
        let mut values = plain
            .into_iter()
            .map(|l| self.binder.literal(&subject, Op::Eq, l))
            .collect::<Result<Vec<_>, _>>()?;
        values.sort_by(|a, b| order(!subject.exact, a, b));
        let ranges = days
            .into_iter()
            .map(|l| self.compare(&subject, Op::Eq, l))
            .collect::<Result<Vec<_>, _>>()?;
        let found = |negated| Test::In {
            set: Members::Values(values),
            folded: !subject.exact,
            of: subject.of,
            negated,
        };
        if ranges.is_empty() {
            return Ok(found(negated));
        }
        let any = Test::Any(ranges.into_iter().chain([found(false)]).collect());
        Ok(if negated { Test::Not(Box::new(any)) } else { any })
    }

    /// The plan of a semi-join, its restrictions kept.
    fn join(&self, subject: &Subject<C>, query: &Query, around: Around) -> Result<Plan, ApiError> {
        let text = self.binder.text;
        let refused = |why: String| Err(malformed(text, subject.at, &why));
        let Some(outer) = self.outer else {
            return refused("Nesting of semi join sub-selects is not supported".to_owned());
        };
        match around {
            Around::Top => {}
            Around::Or => {
                return refused("Semi join sub-selects are not allowed with the 'OR' operator".to_owned());
            }
            Around::Not => {
                return refused("Semi join sub-selects are not allowed with the 'NOT' operator".to_owned());
            }
            Around::Nested => {
                return refused("Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.".to_owned());
            }
        }
        self.joins.set(self.joins.get() + 1);
        if self.joins.get() > MAX_JOINS {
            return refused(format!("Maximum {MAX_JOINS} semi join sub-selects are allowed"));
        }
        if !matches!(subject.kind, Kind::Id | Kind::Reference) {
            return refused(format!(
                "The left operand field in the where expression for outer query should be an id field, cannot use: '{}'",
                subject.name
            ));
        }
        if subject.hops > 1 {
            return refused(format!(
                "The left operand '{}' cannot have more than one level of relationships",
                subject.name
            ));
        }
        let binder = Binder {
            aliases: &query.aliases,
            ..*self.binder
        };
        let object = binder.object(&query.from)?;
        if object.name == outer.name {
            return refused("The inner and outer selects should not be on the same object type".to_owned());
        }
        let plan = binder.plan(object.clone(), query, Place::Join)?;
        let ([Item::Column(column)], Select::List(list)) = (plan.items(), &query.select) else {
            return refused("Semi join sub-selects select one field".to_owned());
        };
        if !matches!(column.kind, Kind::Id | Kind::Reference) {
            return refused(format!(
                "Semi join sub-selects can only query id fields, cannot use:'{}'",
                column.field
            ));
        }
        if column.hops.len() > 1 {
            return refused(format!(
                "The inner select field '{}' cannot have more than one level of relationships",
                column.path()
            ));
        }
        let inner = match list.first() {
            Some(super::super::ast::Selected::Expr(expr, _)) => binder.operand(&object, expr)?.1.targets,
            _ => Vec::new(),
        };
        if !inner.iter().any(|t| subject.targets.contains(t)) {
            return refused(format!(
                "The selected field '{}' in the subquery and the left operand field in the where expression in the outer query '{}' should point to the same object type",
                column.field, subject.name
            ));
        }
        Ok(plan)
    }
}

fn test<C: Clone>(subject: &Subject<C>, op: Op, to: Value) -> Test<C> {
    Test::Compare {
        of: subject.of.clone(),
        op,
        to,
        folded: !subject.exact,
    }
}

/// The choices of a multi-select value, in lower case.
pub(in crate::soql) fn split(value: &Value) -> Vec<String> {
    let text = value.as_str().unwrap_or_default();
    text.split(';').map(str::to_lowercase).collect()
}
