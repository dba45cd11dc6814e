//! What a name means: objects, fields, ways up and down, functions of fields.
//!
//! Key decision: the one place where a query's names meet the schema. An object or field that the running
//! user may not see is not found here, and then is as unknown as one that was never made.
//! Source: SOQL and SOSL Reference, "Understanding Relationship Names", "Understanding Polymorphic Keys and
//! Relationships", "Alias Notation".
//! Not here: what may be done with what was found (`filter`, `select`, `group`).

use std::cell::Cell;
use std::sync::Arc;

use super::super::ast::{DatePart, Expr, Function, Path};
use super::super::lexer::{located, malformed};
use super::super::value::Source;
use super::{Column, Form, Hop, restrict};
use crate::error::ApiError;
use crate::org::State;
use crate::schema::{Field, Kind, ObjectDef};

/// Fields that every target of a reference to several kinds of objects shows.
const NAME_FIELDS: [&str; 13] = [
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
    "UserRoleId",
];

/// Ways on from there.
const NAME_WAYS: [(&str, &str); 2] = [("Profile", "ProfileId"), ("UserRole", "UserRoleId")];

/// Most references that a path may follow.
const MAX_HOPS: usize = 5;

/// Binds the names of one query.
#[derive(Clone, Copy)]
pub(super) struct Binder<'a> {
    pub state: &'a State,
    pub text: &'a str,
    pub aliases: &'a [(String, Path)],
    /// Characters of the formulas that the query's names stand for.
    pub formulas: &'a Cell<usize>,
}

/// What may be done with a field.
pub(super) struct Facts {
    pub filterable: bool,
    pub sortable: bool,
    pub groupable: bool,
    /// Objects whose Ids it holds.
    pub targets: Vec<String>,
}

/// Where a way up ends.
pub(super) enum End {
    Object(Arc<ObjectDef>),
    /// At one of several kinds of objects.
    Name,
}

impl<'a> Binder<'a> {
    /// The object of a FROM.
    pub fn object(&self, from: &Path) -> Result<Arc<ObjectDef>, ApiError> {
        let name = from.text();
        restrict::queryable(self.text, from, &name)?;
        let object = self.visible(&name).ok_or_else(|| {
            let message = format!("sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.");
            ApiError::new("INVALID_TYPE", located(self.text, from.at, &message))
        })?;
        if !object.rights.queryable {
            return Err(restrict::no_query(self.text, from, &object.name));
        }
        Ok(object)
    }

    /// The object of that name, while the user may see it.
    pub fn visible(&self, name: &str) -> Option<Arc<ObjectDef>> {
        self.state.visible(name).cloned()
    }

    /// The fields of an object that the user may see.
    pub fn fields<'o>(&'o self, object: &'o ObjectDef) -> impl Iterator<Item = &'o Field> {
        object.fields.iter().filter(|f| self.state.sees_field(object, f))
    }

    /// A field of an object, while the user may see it.
    pub fn field<'o>(&self, object: &'o ObjectDef, name: &str) -> Option<&'o Field> {
        object.field(name).filter(|f| self.state.sees_field(object, f))
    }

    pub fn invalid(&self, at: usize, message: &str) -> ApiError {
        ApiError::new("INVALID_FIELD", located(self.text, at, message))
    }

    /// The parts of a path, aliases and the object's own name taken off.
    pub fn parts(&self, object: &ObjectDef, path: &Path) -> Vec<String> {
        let mut parts = path.parts.clone();
        for (alias, way) in self.aliases.iter().rev() {
            if parts.len() > 1 && parts[0].eq_ignore_ascii_case(alias) {
                parts.splice(..1, way.parts.iter().cloned());
            }
        }
        if parts.len() > 1
            && parts[0].eq_ignore_ascii_case(&object.name)
            && object.relationship(&parts[0]).is_none()
        {
            parts.remove(0);
        }
        parts
    }

    /// Follows ways up.
    pub fn climb(
        &self,
        object: &Arc<ObjectDef>,
        ways: &[String],
        at: usize,
    ) -> Result<(Vec<Hop>, End), ApiError> {
        if ways.len() > MAX_HOPS {
            return Err(self.invalid(at, "SOQL relationship paths may not go up more than 5 levels"));
        }
        let mut hops = Vec::new();
        let mut end = End::Object(object.clone());
        for way in ways {
            let step = match &end {
                End::Object(from) => self.step(from, way),
                End::Name => self.name_step(way),
            };
            let (hop, next) = step.ok_or_else(|| {
                self.invalid(at, &format!("Didn't understand relationship '{way}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."))
            })?;
            hops.push(hop);
            end = next;
        }
        Ok((hops, end))
    }

    fn step(&self, from: &ObjectDef, way: &str) -> Option<(Hop, End)> {
        let field = from.relationship(way)?;
        let field = self.field(from, &field.name)?;
        let shared = field.polymorphic();
        let hop = Hop {
            way: field.relationship.clone()?,
            reference: field.name.clone(),
            shared,
        };
        let end = if shared {
            End::Name
        } else {
            End::Object(self.visible(field.reference_to.first()?)?)
        };
        Some((hop, end))
    }

    fn name_step(&self, way: &str) -> Option<(Hop, End)> {
        let (name, reference) = NAME_WAYS.iter().find(|(n, _)| n.eq_ignore_ascii_case(way))?;
        let hop = Hop {
            way: (*name).to_owned(),
            reference: (*reference).to_owned(),
            shared: false,
        };
        Some((hop, End::Object(self.visible(name)?)))
    }

    /// Follows a path to the field it ends in.
    pub fn column(&self, object: &Arc<ObjectDef>, path: &Path) -> Result<(Column, Facts), ApiError> {
        let parts = self.parts(object, path);
        let Some((last, ways)) = parts.split_last() else {
            return Err(self.invalid(path.at, "empty field path"));
        };
        let (hops, end) = self.climb(object, ways, path.at)?;
        let unknown = |entity: &str| {
            self.invalid(path.at, &format!("No such column '{last}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."))
        };
        match end {
            End::Object(at) => {
                let field = self.field(&at, last).ok_or_else(|| unknown(&at.name))?;
                let length = field.formula_text.as_ref().map_or(0, String::len);
                self.formulas.set(self.formulas.get().saturating_add(length));
                Ok((column(&at, field, hops), facts(&at, field)))
            }
            End::Name => {
                let field = name_field(last).ok_or_else(|| unknown("Name"))?;
                let found = Column {
                    source: Source::Shared,
                    ..column(object, &field, hops)
                };
                Ok((found, facts(object, &field)))
            }
        }
    }

    /// A field, or a function of one that is no aggregate.
    pub fn operand(&self, object: &Arc<ObjectDef>, expr: &Expr) -> Result<(Column, Facts), ApiError> {
        let (name, function, of, at) = match expr {
            Expr::Path(path) => return self.column(object, path),
            Expr::Call {
                name,
                function,
                of,
                at,
            } => (name, *function, of, *at),
        };
        if matches!(function, Function::Aggregate(_)) {
            let why = format!("aggregate function {name} is not allowed here");
            return Err(malformed(self.text, at, &why));
        }
        let (mut column, facts) = self.operand(object, of)?;
        if function == Function::Same {
            return Ok((column, facts));
        }
        let day = matches!(column.kind, Kind::Date | Kind::DateTime);
        let fits = match function {
            Function::Date(DatePart::DayOnly | DatePart::HourInDay) => column.kind == Kind::DateTime,
            Function::Date(_) => day,
            _ => day || column.kind.is_decimal() || column.kind == Kind::Int,
        };
        if !fits || column.form != Form::Plain {
            let why = format!("field '{}' does not support the function {name}", column.field);
            return Err(self.invalid(at, &why));
        }
        (column.form, column.kind) = match function {
            Function::Date(DatePart::DayOnly) => (Form::Part(DatePart::DayOnly), Kind::Date),
            Function::Date(part) => (Form::Part(part), Kind::Int),
            _ => (Form::Text, Kind::String),
        };
        let facts = Facts {
            groupable: true,
            sortable: true,
            ..facts
        };
        Ok((column, facts))
    }
}

impl Column {
    /// A column of an object's own field.
    pub(in crate::soql) fn own(object: &ObjectDef, field: &Field) -> Self {
        column(object, field, Vec::new())
    }
}

fn column(object: &ObjectDef, field: &Field, hops: Vec<Hop>) -> Column {
    Column {
        hops,
        field: field.name.clone(),
        kind: field.kind,
        source: Source::of(object, field),
        form: Form::Plain,
        exact: !field.kind.is_text() || (field.unique && field.case_sensitive),
        name: field.name.clone(),
    }
}

fn facts(object: &ObjectDef, field: &Field) -> Facts {
    Facts {
        filterable: field.filterable(),
        sortable: field.sortable(),
        groupable: field.groupable(),
        targets: match field.kind {
            Kind::Id => vec![object.name.clone()],
            _ => field.reference_to.clone(),
        },
    }
}

fn name_field(name: &str) -> Option<Field> {
    let known = NAME_FIELDS.iter().find(|f| f.eq_ignore_ascii_case(name))?;
    let kind = match *known {
        "Id" | "ProfileId" | "UserRoleId" => Kind::Id,
        "IsActive" => Kind::Boolean,
        _ => Kind::String,
    };
    Some(Field::new(known, kind))
}
