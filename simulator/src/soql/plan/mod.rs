//! A query bound to the schema: names resolved, rights and types checked.
//!
//! Key decision: literals are turned into the stored shape of their field here, so that evaluation compares
//! like with like; a datetime in quotes, a text without, an unknown name are refused before a row is read.
//! Every name of an object or field goes through `names`: what that does not find does not exist.
//! Source: SOQL and SOSL Reference; REST API guide, "Status Codes and Error Responses" for the messages.
//! Not here: rows (`eval`, `run`, `group`).

mod filter;
mod group;
mod literal;
mod names;
mod restrict;
mod select;

use std::cell::Cell;
use std::sync::Arc;

use serde_json::Value;

use super::ast::{Aggregate, DatePart, Expr, Op, Order, Query, Select};
use super::compare::Pattern;
use super::lexer::malformed;
use super::value::Source;
use crate::error::ApiError;
use crate::org::State;
use crate::schema::{Kind, ObjectDef};
pub(super) use restrict::names_rows;

use filter::{Conditions, Subject};
use names::Binder;

/// A step up from a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Hop {
    /// The relationship as the reply shows it: `Account`, `Parent__r`.
    pub way: String,
    /// The reference field: `AccountId`, `Parent__c`.
    pub reference: String,
    /// It leads to several kinds of objects, of which only the common fields are known.
    pub shared: bool,
}

/// What is made of a value before it is compared or shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Part(DatePart),
    Text,
}

/// A resolved field: the references to follow, then the field to read.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub hops: Vec<Hop>,
    /// API name of the field at the end.
    pub field: String,
    /// Type of its values, after `form`.
    pub kind: Kind,
    pub source: Source,
    pub form: Form,
    /// Text compares with regard to case.
    pub exact: bool,
    /// Key in a reply.
    pub name: String,
}

impl Column {
    /// The dotted name, as the header of a CSV file shows it: `Owner.Name`.
    pub fn path(&self) -> String {
        let ways = self.hops.iter().map(|h| h.way.as_str());
        ways.chain([self.field.as_str()]).collect::<Vec<_>>().join(".")
    }
}

/// Values of an IN.
#[derive(Debug, Clone)]
pub(crate) enum Members {
    /// Sorted.
    Values(Vec<Value>),
    /// A semi-join, to be run first: the values of its one column.
    Join(Box<Plan>),
}

/// A condition over what `C` reads.
#[derive(Debug, Clone)]
pub(crate) enum Test<C> {
    All(Vec<Test<C>>),
    Any(Vec<Test<C>>),
    Not(Box<Test<C>>),
    Compare {
        of: C,
        op: Op,
        to: Value,
        folded: bool,
    },
    Like {
        of: C,
        pattern: Pattern,
    },
    In {
        of: C,
        negated: bool,
        set: Members,
        folded: bool,
    },
    Includes {
        of: C,
        negated: bool,
        list: Vec<Vec<String>>,
    },
}

/// One part of a row of the reply.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Column(Column),
    Child(Child),
    TypeOf(TypeOf),
}

/// Rows below a row.
#[derive(Debug, Clone)]
pub(crate) struct Child {
    /// The relationship: `Contacts`.
    pub name: String,
    /// The field of the child that points up.
    pub key: String,
    pub plan: Arc<Plan>,
}

/// A parent whose fields depend on what it is.
#[derive(Debug, Clone)]
pub(crate) struct TypeOf {
    pub hops: Vec<Hop>,
    /// Object and its columns.
    pub cases: Vec<(String, Vec<Column>)>,
    pub otherwise: Vec<Column>,
}

/// A place in a group: one of its keys, or one of its measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Key(usize),
    Measure(usize),
}

/// A query whose rows are groups.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    pub keys: Vec<Column>,
    pub measures: Vec<(Aggregate, Column)>,
    /// Key in the reply, what it shows, and whether through `FORMAT`.
    pub shown: Vec<(String, Slot, bool)>,
    pub having: Option<Test<Slot>>,
    pub order: Vec<Order<Slot>>,
    /// There is a GROUP BY; without one there is one group, also of no rows.
    pub grouped: bool,
}

/// What a query gives.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// COUNT()
    Count,
    Rows(Vec<Item>),
    Groups(Box<Groups>),
}

/// A query ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub object: Arc<ObjectDef>,
    pub shape: Shape,
    pub filter: Option<Test<Column>>,
    pub order: Vec<Order<Column>>,
    pub limit: Option<u64>,
    pub offset: u64,
}

impl Plan {
    /// The columns, if the query gives rows of nothing but fields (as a Bulk query must).
    ///
    /// Read them row by row without copies: `Reading::of(state, &plan.object, id)` gives the row of an Id
    /// that `run::find` found, `reading.value(column)` its value.
    pub fn plain(&self) -> Option<Vec<&Column>> {
        let Shape::Rows(items) = &self.shape else {
            return None;
        };
        let plain = |item: &Item| matches!(item, Item::Column(_));
        items.iter().all(plain).then(|| self.columns().collect())
    }

    /// The fields among the parts of a row.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.items().iter().filter_map(|item| match item {
            Item::Column(column) => Some(column),
            _ => None,
        })
    }

    /// Parts of a row; none of a count or of groups.
    pub fn items(&self) -> &[Item] {
        match &self.shape {
            Shape::Rows(items) => items,
            _ => &[],
        }
    }
}

/// Longest query with the texts of its formulas, in bytes.
const MAX_EXPANDED: usize = 100_000;

/// The refusal of a query that is too deep or too wide.
pub(super) fn too_complicated() -> ApiError {
    ApiError::new(
        "QUERY_TOO_COMPLICATED",
        "Query is either selecting too many fields or the filter conditions are too complicated.",
    )
}

/// Where a query stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    /// In a SELECT.
    Child,
    /// Behind an IN.
    Join,
}

/// Binds a query.
pub(crate) fn bind(state: &State, text: &str, query: &Query) -> Result<Plan, ApiError> {
    let binder = Binder {
        state,
        text,
        aliases: &query.aliases,
        formulas: &Cell::new(0),
    };
    let object = binder.object(&query.from)?;
    let plan = binder.plan(object, query, Place::Top)?;
    if text.len().saturating_add(binder.formulas.get()) > MAX_EXPANDED {
        return Err(too_complicated());
    }
    Ok(plan)
}

impl Binder<'_> {
    fn plan(&self, object: Arc<ObjectDef>, query: &Query, place: Place) -> Result<Plan, ApiError> {
        self.clauses(query, place)?;
        let filter = query
            .filter
            .as_ref()
            .map(|f| self.conditions(&object, place).bind(f))
            .transpose()?;
        let filter = self.scoped(&object, query, filter)?;
        if place == Place::Top {
            restrict::filtered(self.state, &object, filter.as_ref())?;
        }
        let (shape, order) = match &query.select {
            Select::Count if place != Place::Top || !query.groups.is_empty() => {
                return Err(malformed(self.text, query.from.at, "COUNT() is not allowed here"));
            }
            Select::Count => (Shape::Count, self.order(&object, &query.order)?),
            Select::List(list) if query.aggregates() => {
                if place != Place::Top {
                    let why = "Aggregate functions are not allowed in sub-selects";
                    return Err(malformed(self.text, query.from.at, why));
                }
                (
                    Shape::Groups(Box::new(self.groups(&object, query, list)?)),
                    Vec::new(),
                )
            }
            Select::List(list) => (
                Shape::Rows(self.items(&object, query, list)?),
                self.order(&object, &query.order)?,
            ),
        };
        Ok(Plan {
            object,
            shape,
            filter,
            order,
            limit: query.limit,
            offset: query.offset.unwrap_or(0),
        })
    }

    /// What a clause may not say wherever the query stands.
    fn clauses(&self, query: &Query, place: Place) -> Result<(), ApiError> {
        let refused = |why: &str| Err(malformed(self.text, query.from.at, why));
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
        if place == Place::Child && query.offset.is_some() {
            return refused("OFFSET cannot be used in a sub-select");
        }
        if place == Place::Join
            && (query.limit.is_some() || query.offset.is_some() || !query.order.is_empty())
        {
            return refused("Semi join sub-selects cannot have ORDER BY, LIMIT or OFFSET");
        }
        Ok(())
    }

    /// The conditions of a WHERE over an object.
    fn conditions<'b>(
        &'b self,
        object: &'b Arc<ObjectDef>,
        place: Place,
    ) -> Conditions<'b, impl Fn(&Expr) -> Result<Subject<Column>, ApiError>> {
        let subject = move |expr: &Expr| {
            let (column, facts) = self.operand(object, expr)?;
            if !facts.filterable || column.kind.is_compound() {
                let why = format!("field '{}' can not be filtered in a query call", column.field);
                return Err(self.invalid(expr.at(), &why));
            }
            Ok(Subject {
                name: column.field.clone(),
                kind: column.kind,
                exact: column.exact,
                targets: facts.targets,
                hops: column.hops.len(),
                of: column,
                at: expr.at(),
            })
        };
        Conditions::new(self, subject, (place != Place::Join).then_some(object))
    }

    fn order(&self, object: &Arc<ObjectDef>, order: &[Order<Expr>]) -> Result<Vec<Order<Column>>, ApiError> {
        let bound = |item: &Order<Expr>| {
            let (column, facts) = self.operand(object, &item.of)?;
            if !facts.sortable {
                let why = format!("field '{}' can not be sorted in a query call", column.field);
                return Err(self.invalid(item.of.at(), &why));
            }
            Ok(Order {
                of: column,
                descending: item.descending,
                nulls_last: item.nulls_last,
            })
        };
        order.iter().map(bound).collect()
    }
}
