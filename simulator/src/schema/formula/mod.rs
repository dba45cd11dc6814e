//! The formula language of formula fields, validation rules and automation.
//!
//! Key decision: a formula is evaluated whenever it is asked and never stored, so a field's value can change
//! without any stamp moving, which is what a backup must survive. What is not known (a function, a sign)
//! makes the whole formula unknown: the field reads as null, the rule is not enforced, nothing is guessed.
//! Blanks are blanks: a comparison with a missing number or date is false, arithmetic with it is missing.
//! Source: Salesforce Help, "Formula Operators and Functions by Context", "Formula Operators".
//! Not here: where the values of fields come from (`Scope`), roll-up summaries (`write::rollup`).

mod calendar;
mod functions;
mod lexer;
mod parser;
mod texts;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

/// A value while a formula is computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Val {
    Null,
    Num(f64),
    Text(String),
    Bool(bool),
    Day(Date),
    Instant(Timestamp),
    Time(Time),
}

/// The operators of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Add,
    Sub,
    Join,
    Mul,
    Div,
    Pow,
}

/// A parsed formula.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Formula {
    Literal(Val),
    /// `Name`, `Account.Name`, `$User.Id`.
    Field(String),
    Not(Box<Formula>),
    Minus(Box<Formula>),
    Binary(Op, Box<Formula>, Box<Formula>),
    Call(&'static str, Vec<Formula>),
}

/// Where a formula is computed: on a row, perhaps in the middle of its save.
pub(crate) trait Scope {
    /// The value of a field, of this row or by a path of another.
    fn read(&self, path: &str) -> Val;
    /// The value of a field before the save; the value now in a new row.
    fn before(&self, path: &str) -> Val;
    /// The row is being inserted.
    fn is_new(&self) -> bool;
    fn now(&self) -> Timestamp;
    /// The day in the time zone of the org.
    fn today(&self) -> Date;
}

impl Formula {
    /// Parses a formula; `None` when it goes beyond what is known.
    pub fn parse(text: &str) -> Option<Formula> {
        parser::parse(&lexer::tokens(text)?)
    }

    /// Every field that the formula names.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Formula::Literal(_) => Vec::new(),
            Formula::Field(path) => vec![path],
            Formula::Not(a) | Formula::Minus(a) => a.fields(),
            Formula::Binary(_, a, b) => [a.fields(), b.fields()].concat(),
            Formula::Call(_, args) => args.iter().flat_map(Formula::fields).collect(),
        }
    }

    /// Computes the value.
    pub fn eval(&self, scope: &dyn Scope) -> Val {
        match self {
            Formula::Literal(v) => v.clone(),
            Formula::Field(path) => scope.read(path),
            Formula::Not(a) => Val::Bool(!a.holds(scope)),
            Formula::Minus(a) => match a.eval(scope) {
                Val::Num(n) => Val::Num(-n),
                _ => Val::Null,
            },
            Formula::Binary(Op::And, a, b) => Val::Bool(a.holds(scope) && b.holds(scope)),
            Formula::Binary(Op::Or, a, b) => Val::Bool(a.holds(scope) || b.holds(scope)),
            Formula::Binary(op, a, b) => binary(*op, &a.eval(scope), &b.eval(scope)),
            Formula::Call(name, args) => functions::call(name, args, scope),
        }
    }

    /// Whether a condition is true; missing is not.
    pub fn holds(&self, scope: &dyn Scope) -> bool {
        self.eval(scope) == Val::Bool(true)
    }
}

impl Val {
    pub fn blank(&self) -> bool {
        matches!(self, Val::Null) || *self == Val::Text(String::new())
    }

    /// As `TEXT` and `&` write it.
    pub fn text(&self) -> String {
        match self {
            Val::Null => String::new(),
            Val::Num(n) => n.to_string(),
            Val::Text(t) => t.clone(),
            Val::Bool(b) => b.to_string(),
            Val::Day(d) => d.to_string(),
            Val::Instant(t) => t.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            Val::Time(t) => t.strftime("%H:%M:%S.%3f").to_string(),
        }
    }
}

fn binary(op: Op, a: &Val, b: &Val) -> Val {
    let order = || match (a, b) {
        (Val::Num(x), Val::Num(y)) => x.partial_cmp(y),
        (Val::Text(x), Val::Text(y)) => Some(x.cmp(y)),
        (Val::Day(x), Val::Day(y)) => Some(x.cmp(y)),
        (Val::Instant(x), Val::Instant(y)) => Some(x.cmp(y)),
        (Val::Time(x), Val::Time(y)) => Some(x.cmp(y)),
        _ => None,
    };
    let same = || a == b || a.blank() && b.blank();
    match op {
        Op::Join => Val::Text(a.text() + &b.text()),
        Op::Add if matches!(a, Val::Text(_)) || matches!(b, Val::Text(_)) => Val::Text(a.text() + &b.text()),
        Op::Eq => Val::Bool(same()),
        Op::Ne => Val::Bool(!same()),
        Op::Lt => Val::Bool(order().is_some_and(std::cmp::Ordering::is_lt)),
        Op::Le => Val::Bool(order().is_some_and(std::cmp::Ordering::is_le)),
        Op::Gt => Val::Bool(order().is_some_and(std::cmp::Ordering::is_gt)),
        Op::Ge => Val::Bool(order().is_some_and(std::cmp::Ordering::is_ge)),
        _ => arithmetic(op, a, b),
    }
}

fn arithmetic(op: Op, a: &Val, b: &Val) -> Val {
    let (Val::Num(x), Val::Num(y)) = (a, b) else {
        return calendar::arithmetic(op, a, b);
    };
    match op {
        Op::Add => Val::Num(x + y),
        Op::Sub => Val::Num(x - y),
        Op::Mul => Val::Num(x * y),
        Op::Div if *y != 0.0 => Val::Num(x / y),
        Op::Pow => Val::Num(x.powf(*y)),
        _ => Val::Null,
    }
}

/// A formula with the text it came from; saved as that text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Written {
    pub text: String,
    pub formula: Formula,
}

impl TryFrom<String> for Written {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match Formula::parse(&text) {
            Some(formula) => Ok(Self { text, formula }),
            None => Err(format!("formula beyond the part that is known: {text}")),
        }
    }
}

impl From<Written> for String {
    fn from(written: Written) -> String {
        written.text
    }
}

#[cfg(test)]
mod tests;
