//! The SELECT of a query that gives rows: fields, parents' fields, children, `TYPEOF`, `FIELDS()`.
//!
//! Key decision: `FIELDS()` becomes columns here, so that nothing after knows of it; children are bound as
//! queries of their own.
//! Source: SOQL and SOSL Reference, "SELECT", "Relationship Queries", "TYPEOF", "FIELDS()".
//! Not here: groups (`group`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::ast::{self, Expr, Function, Group, Path, Query, Selected};
use super::super::lexer::{located, malformed};
use super::names::{Binder, End};
use super::{Child, Column, Item, Members, Place, Test, TypeOf};
use crate::error::ApiError;
use crate::schema::ObjectDef;

/// Most rows under `FIELDS(ALL)` and `FIELDS(CUSTOM)`.
const MAX_FIELDS_ROWS: u64 = 200;
/// Most children of one query.
const MAX_CHILDREN: usize = 20;

impl Binder<'_> {
    pub(super) fn items(
        &self,
        object: &Arc<ObjectDef>,
        query: &Query,
        list: &[Selected],
    ) -> Result<Vec<Item>, ApiError> {
        let mut items = Vec::with_capacity(list.len());
        for selected in list {
            match selected {
                Selected::Expr(expr, alias) => items.push(Item::Column(self.selected(object, expr, alias)?)),
                Selected::Fields(group, at) => {
                    items.extend(self.group_of_fields(object, query, *group, *at)?)
                }
                Selected::Child(child) => items.push(Item::Child(self.child(object, child)?)),
                Selected::TypeOf(kinds) => items.push(Item::TypeOf(self.type_of(object, kinds)?)),
            }
        }
        self.once_each(query, &items)?;
        Ok(items)
    }

    fn selected(
        &self,
        object: &Arc<ObjectDef>,
        expr: &Expr,
        alias: &Option<String>,
    ) -> Result<Column, ApiError> {
        let (column, _) = self.operand(object, expr)?;
        match (expr, alias) {
            (_, None) => Ok(column),
            (Expr::Path(path), Some(_)) => {
                let why = "only aggregate expressions use field aliasing";
                Err(malformed(self.text, path.at, why))
            }
            (Expr::Call { .. }, Some(alias)) => Ok(Column {
                name: alias.clone(),
                ..column
            }),
        }
    }

    fn group_of_fields(
        &self,
        object: &Arc<ObjectDef>,
        query: &Query,
        group: Group,
        at: usize,
    ) -> Result<Vec<Item>, ApiError> {
        if group != Group::Standard && query.limit.is_none_or(|n| n > MAX_FIELDS_ROWS) {
            let why = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(malformed(self.text, at, why));
        }
        let wanted = self.fields(object).filter(|f| match group {
            Group::All => true,
            Group::Standard => !f.custom(),
            Group::Custom => f.custom(),
        });
        Ok(wanted.map(|f| Item::Column(Column::own(object, f))).collect())
    }

    /// No field and no relationship may be named twice, nor beside its TYPEOF.
    fn once_each(&self, query: &Query, items: &[Item]) -> Result<(), ApiError> {
        let mut seen = BTreeSet::new();
        let kinds = |hops: &[super::Hop]| -> Vec<String> { hops.iter().map(|h| h.way.clone()).collect() };
        let typed: Vec<Vec<String>> = items
            .iter()
            .filter_map(|i| {
                if let Item::TypeOf(t) = i {
                    Some(kinds(&t.hops))
                } else {
                    None
                }
            })
            .collect();
        for item in items {
            let name = match item {
                Item::Column(column) => {
                    if typed.contains(&kinds(&column.hops)) {
                        let way = kinds(&column.hops).join(".");
                        let why = format!("the relationship '{way}' is in a TYPEOF and in the field list");
                        return Err(malformed(self.text, query.from.at, &why));
                    }
                    let ways = kinds(&column.hops);
                    ways.into_iter()
                        .chain([column.name.clone()])
                        .collect::<Vec<_>>()
                        .join(".")
                }
                Item::Child(child) => child.name.clone(),
                Item::TypeOf(t) => kinds(&t.hops).join("."),
            };
            if !seen.insert(name.to_ascii_lowercase()) {
                let message = format!("duplicate field selected: {name}");
                return Err(ApiError::new("INVALID_FIELD", message));
            }
        }
        if items.iter().filter(|i| matches!(i, Item::Child(_))).count() > MAX_CHILDREN {
            let why = format!("the number of sub-selects may not exceed {MAX_CHILDREN}");
            return Err(malformed(self.text, query.from.at, &why));
        }
        Ok(())
    }

    fn child(&self, object: &Arc<ObjectDef>, query: &Query) -> Result<Child, ApiError> {
        let Some(way) = query.from.parts.last() else {
            return Err(self.invalid(query.from.at, "empty relationship"));
        };
        let found = self
            .state
            .schema
            .children_of(&object.name)
            .into_iter()
            .filter(|(_, f)| f.children.as_deref().is_some_and(|c| c.eq_ignore_ascii_case(way)))
            .filter(|(child, field)| self.field(child, &field.name).is_some())
            .find_map(|(child, field)| Some((self.visible(&child.name)?, field)));
        let Some((child, field)) = found else {
            let message = format!(
                "Didn't understand relationship '{way}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
            );
            return Err(ApiError::new(
                "INVALID_TYPE",
                located(self.text, query.from.at, &message),
            ));
        };
        let binder = Binder {
            aliases: &query.aliases,
            ..*self
        };
        Ok(Child {
            name: field.children.clone().unwrap_or_default(),
            key: field.name.clone(),
            plan: Arc::new(binder.plan(child, query, Place::Child)?),
        })
    }

    fn type_of(&self, object: &Arc<ObjectDef>, kinds: &ast::TypeOf) -> Result<TypeOf, ApiError> {
        let parts = self.parts(object, &kinds.of);
        let (hops, end) = self.climb(object, &parts, kinds.of.at)?;
        let (End::Name, Some((last, above))) = (end, parts.split_last()) else {
            let why = format!(
                "TYPEOF needs a polymorphic relationship, which '{}' is not",
                kinds.of.text()
            );
            return Err(malformed(self.text, kinds.of.at, &why));
        };
        let targets = match self.climb(object, above, kinds.of.at)?.1 {
            End::Object(at) => at.relationship(last).map(|f| f.reference_to.clone()),
            End::Name => None,
        }
        .unwrap_or_default();
        let mut cases = Vec::new();
        for (kind, fields) in &kinds.cases {
            let target = self.object(kind)?;
            if !targets.contains(&target.name) {
                let why = format!(
                    "'{}' does not refer to the type '{}'",
                    kinds.of.text(),
                    target.name
                );
                return Err(malformed(self.text, kind.at, &why));
            }
            cases.push((target.name.clone(), self.columns(&target, fields)?));
        }
        // Behind ELSE stand the fields that all targets have.
        let otherwise = kinds.otherwise.iter().map(|path| {
            let parts = kinds.of.parts.iter().chain(&path.parts).cloned().collect();
            let (mut column, _) = self.column(object, &Path { parts, at: path.at })?;
            column.hops.drain(..hops.len());
            Ok(column)
        });
        Ok(TypeOf {
            otherwise: otherwise.collect::<Result<_, ApiError>>()?,
            cases,
            hops,
        })
    }

    fn columns(&self, object: &Arc<ObjectDef>, fields: &[Path]) -> Result<Vec<Column>, ApiError> {
        fields
            .iter()
            .map(|path| Ok(self.column(object, path)?.0))
            .collect()
    }

    /// The filter, narrowed to the scope that a query names.
    pub(super) fn scoped(
        &self,
        object: &ObjectDef,
        query: &Query,
        filter: Option<Test<Column>>,
    ) -> Result<Option<Test<Column>>, ApiError> {
        let Some(scope) = &query.scope else {
            return Ok(filter);
        };
        let refused = || {
            let why = format!(
                "filter scope '{}' is not supported for {}",
                scope.text(),
                object.name
            );
            malformed(self.text, scope.at, &why)
        };
        match scope.text().to_ascii_lowercase().as_str() {
            "everything" => Ok(filter),
            "mine" => {
                let owner = self.field(object, "OwnerId").ok_or_else(refused)?;
                let mine = Test::In {
                    of: Column::own(object, owner),
                    negated: false,
                    set: Members::Values(vec![self.state.running.clone().into()]),
                    folded: false,
                };
                Ok(Some(Test::All(filter.into_iter().chain([mine]).collect())))
            }
            _ => Err(refused()),
        }
    }
}

/// Whether an expression is a FORMAT around another.
pub(super) fn inside_format(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Call {
            function: Function::Format,
            of,
            ..
        } => Some(of),
        _ => None,
    }
}
