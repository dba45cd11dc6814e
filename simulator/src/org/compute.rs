//! Formulas on the org's rows: what their names mean.
//!
//! Key decision: a name is a field of the row, a path up its references, or one of the running user's
//! globals; all are checked against the schema when a formula is taken in, so that none is unknown later.
//! Ids read as 15 characters and percents as fractions, as the language has them.
//! Source: Salesforce Help, "Global Variables in Formulas", "Formula Data Types".
//! Not here: the language (`schema::formula`).

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::state::{Life, Row, State};
use crate::schema::formula::{Formula, Scope, Val};
use crate::schema::{Field, Kind, ObjectDef, Schema};
use crate::write::instant;

/// How many formulas may read one another.
const MAX_DEPTH: u8 = 8;

/// A row that formulas are computed on.
#[derive(Clone, Copy)]
pub(crate) struct OnRow<'a> {
    pub state: &'a State,
    pub object: &'a ObjectDef,
    pub row: &'a Row,
    /// The row before the save that is going on.
    pub old: Option<&'a Row>,
    /// A save is going on.
    pub saving: bool,
    depth: u8,
}

impl<'a> OnRow<'a> {
    /// A row that stands still.
    pub fn at_rest(state: &'a State, object: &'a ObjectDef, row: &'a Row) -> Self {
        Self {
            state,
            object,
            row,
            old: None,
            saving: false,
            depth: 0,
        }
    }

    /// A row being saved; `old` is the row before an update.
    pub fn in_save(state: &'a State, object: &'a ObjectDef, row: &'a Row, old: Option<&'a Row>) -> Self {
        Self {
            old,
            saving: true,
            ..Self::at_rest(state, object, row)
        }
    }

    /// The same question on another row.
    fn of(self, id: &str) -> Option<OnRow<'a>> {
        let (object, row) = (self.state.schema.by_id(id)?, self.state.row(id)?);
        let at = Self::at_rest(self.state, object, row);
        Some(OnRow {
            depth: self.depth,
            ..at
        })
    }

    /// Where a global leads, and the rest of the path.
    fn global<'p>(self, name: &str, rest: &'p str) -> Option<(OnRow<'a>, &'p str)> {
        let user = self.state.running.as_str();
        let of_user = |field: &str| self.of(self.of(user)?.row.text(field));
        let at = match name {
            "$user" => self.of(user),
            "$profile" => of_user("ProfileId"),
            "$userrole" => of_user("UserRoleId"),
            "$organization" => self.of(&self.state.org_id),
            "$recordtype" => self.of(self.row.text("RecordTypeId")),
            "$setup" => return self.setup(rest),
            _ => None,
        };
        at.map(|at| (at, rest))
    }

    /// A hierarchy custom setting: of the user, else of the profile, else of the org.
    fn setup<'p>(self, path: &'p str) -> Option<(OnRow<'a>, &'p str)> {
        let (object, rest) = path.split_once('.')?;
        let object = self.state.schema.object(object)?;
        let user = self.of(&self.state.running)?;
        let owners = [
            self.state.running.as_str(),
            user.row.text("ProfileId"),
            &self.state.org_id,
        ];
        let found = owners.iter().find_map(|owner| {
            let mut rows = self.state.rows(&object.name);
            rows.find(|(_, r)| r.life == Life::Live && r.text("SetupOwnerId") == *owner)
        });
        found.and_then(|(id, _)| self.of(id)).map(|at| (at, rest))
    }

    fn value(self, path: &str) -> Val {
        let Some((first, rest)) = path.split_once('.') else {
            return self.field(path);
        };
        if first.starts_with('$') {
            let found = self.global(&first.to_ascii_lowercase(), rest);
            return found.map_or(Val::Null, |(at, rest)| at.value(rest));
        }
        let way = first.split_once(':').map_or(first, |(way, _)| way);
        let parent = self
            .object
            .relationship(way)
            .and_then(|f| self.of(self.row.text(&f.name)));
        parent.map_or(Val::Null, |at| at.value(rest))
    }

    fn field(self, name: &str) -> Val {
        let Some(field) = self.object.field(name) else {
            return Val::Null;
        };
        if let Some(formula) = &field.formula {
            let deeper = OnRow {
                depth: self.depth + 1,
                ..self
            };
            return if deeper.depth > MAX_DEPTH {
                Val::Null
            } else {
                formula.eval(&deeper)
            };
        }
        stored(field, self.row.values.get(&field.name).as_ref())
    }
}

impl Scope for OnRow<'_> {
    fn read(&self, path: &str) -> Val {
        self.value(path)
    }

    fn before(&self, path: &str) -> Val {
        match self.old {
            Some(old) => OnRow { row: old, ..*self }.value(path),
            None => self.value(path),
        }
    }

    fn is_new(&self) -> bool {
        self.saving && self.old.is_none()
    }

    fn now(&self) -> Timestamp {
        self.state.clock.now()
    }

    fn today(&self) -> Date {
        self.now().to_zoned(TimeZone::UTC).date()
    }
}

/// A stored value as the language has it.
fn stored(field: &Field, value: Option<&Value>) -> Val {
    match (field.kind, value) {
        (Kind::Boolean, None) => Val::Bool(false),
        (Kind::Id | Kind::Reference, Some(Value::String(s))) => {
            Val::Text(s.get(..15).unwrap_or(s).to_owned())
        }
        (Kind::Date, Some(Value::String(s))) => s.parse().map_or(Val::Null, Val::Day),
        (Kind::DateTime, Some(Value::String(s))) => instant(s).map_or(Val::Null, Val::Instant),
        (Kind::Time, Some(Value::String(s))) => s.trim_end_matches('Z').parse().map_or(Val::Null, Val::Time),
        (_, Some(Value::String(s))) => Val::Text(s.clone()),
        (_, Some(Value::Bool(b))) => Val::Bool(*b),
        (Kind::Percent, Some(Value::Number(n))) => n.as_f64().map_or(Val::Null, |n| Val::Num(n / 100.0)),
        (_, Some(Value::Number(n))) => n.as_f64().map_or(Val::Null, Val::Num),
        _ => Val::Null,
    }
}

/// A computed value as a field of that kind holds it.
pub(crate) fn held(field: &Field, value: Val) -> Value {
    match value {
        Val::Null => Value::Null,
        Val::Text(t) if t.is_empty() => Value::Null,
        Val::Text(t) => json!(t),
        Val::Num(n) if field.kind == Kind::Int => json!(n.trunc()),
        Val::Num(n) => {
            let n = if field.kind == Kind::Percent { n * 100.0 } else { n };
            let rounded = format!("{n:.*}", field.scale as usize);
            json!(rounded.parse::<f64>().unwrap_or(n))
        }
        Val::Bool(b) => json!(b),
        Val::Day(d) => json!(d.to_string()),
        Val::Instant(t) => json!(super::stamp(t)),
        Val::Time(t) => json!(t.strftime("%H:%M:%S.%3fZ").to_string()),
    }
}

/// The first name of a formula on an object that means nothing in a schema.
pub(crate) fn unknown<'f>(schema: &Schema, object: &ObjectDef, formula: &'f Formula) -> Option<&'f str> {
    let mut names = formula.fields().into_iter();
    names.find(|path| !means(schema, object, path))
}

fn means(schema: &Schema, object: &ObjectDef, path: &str) -> bool {
    let Some((first, rest)) = path.split_once('.') else {
        return object
            .field(path)
            .is_some_and(|f| !f.calculated || f.formula.is_some() || f.rollup.is_some());
    };
    let on = |name: &str| schema.object(name).is_some_and(|o| means(schema, o, rest));
    match first.to_ascii_lowercase().as_str() {
        "$user" => on("User"),
        "$profile" => on("Profile"),
        "$userrole" => on("UserRole"),
        "$organization" => on("Organization"),
        "$recordtype" => on("RecordType"),
        // No user of the org has a custom permission.
        "$permission" => true,
        "$setup" => rest
            .split_once('.')
            .is_some_and(|(o, rest)| schema.object(o).is_some_and(|o| means(schema, o, rest))),
        name if name.starts_with('$') => false,
        _ => {
            let (way, kind) = first.split_once(':').map_or((first, None), |(w, k)| (w, Some(k)));
            let reference = object.relationship(way);
            let targets = reference.map_or(&[][..], |f| &f.reference_to);
            targets
                .iter()
                .filter(|t| kind.is_none_or(|k| k.eq_ignore_ascii_case(t)))
                .any(|t| on(t))
        }
    }
}
