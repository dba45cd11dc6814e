//! The functions: which there are, with how many arguments, and what those of logic do.
//!
//! Key decision: one table of names and numbers of arguments; a call that is not on it, or gives more or
//! fewer, makes the formula unknown.
//! Source: Salesforce Help, "Formula Operators and Functions by Context".
//! Not here: texts (`texts`), numbers and dates (`calendar`).

use super::{Formula, Op, Scope, Val, binary, calendar, texts};

/// Name, fewest and most arguments.
const TABLE: &[(&str, usize, usize)] = &[
    ("AND", 1, 99),
    ("OR", 1, 99),
    ("NOT", 1, 1),
    ("IF", 3, 3),
    ("CASE", 4, 99),
    ("ISBLANK", 1, 1),
    ("ISNULL", 1, 1),
    ("ISNUMBER", 1, 1),
    ("BLANKVALUE", 2, 2),
    ("NULLVALUE", 2, 2),
    ("ISPICKVAL", 2, 2),
    ("INCLUDES", 2, 2),
    ("ISNEW", 0, 0),
    ("ISCLONE", 0, 0),
    ("ISCHANGED", 1, 1),
    ("PRIORVALUE", 1, 1),
    ("TEXT", 1, 1),
    ("VALUE", 1, 1),
    ("LEN", 1, 1),
    ("CONTAINS", 2, 2),
    ("BEGINS", 2, 2),
    ("FIND", 2, 3),
    ("SUBSTITUTE", 3, 3),
    ("LEFT", 2, 2),
    ("RIGHT", 2, 2),
    ("MID", 3, 3),
    ("TRIM", 1, 1),
    ("UPPER", 1, 2),
    ("LOWER", 1, 2),
    ("LPAD", 2, 3),
    ("RPAD", 2, 3),
    ("REGEX", 2, 2),
    ("CASESAFEID", 1, 1),
    ("BR", 0, 0),
    ("IMAGE", 2, 4),
    ("HYPERLINK", 2, 3),
    ("ABS", 1, 1),
    ("CEILING", 1, 1),
    ("FLOOR", 1, 1),
    ("ROUND", 2, 2),
    ("MOD", 2, 2),
    ("SQRT", 1, 1),
    ("MAX", 1, 99),
    ("MIN", 1, 99),
    ("TODAY", 0, 0),
    ("NOW", 0, 0),
    ("DATE", 3, 3),
    ("DATEVALUE", 1, 1),
    ("DATETIMEVALUE", 1, 1),
    ("YEAR", 1, 1),
    ("MONTH", 1, 1),
    ("DAY", 1, 1),
    ("WEEKDAY", 1, 1),
    ("ADDMONTHS", 2, 2),
];

/// The function of that name, if it takes that many arguments.
pub(super) fn known(name: &str, given: usize) -> Option<&'static str> {
    let entry = TABLE.iter().find(|(n, ..)| n.eq_ignore_ascii_case(name));
    let (name, least, most) = entry?;
    let even = *name != "CASE" || given.is_multiple_of(2);
    ((*least..=*most).contains(&given) && even).then_some(*name)
}

/// Computes a call.
pub(super) fn call(name: &str, args: &[Formula], scope: &dyn Scope) -> Val {
    let arg = |i: usize| args.get(i).map_or(Val::Null, |a| a.eval(scope));
    let holds = |i: usize| args.get(i).is_some_and(|a| a.holds(scope));
    match name {
        "AND" => Val::Bool(args.iter().all(|a| a.holds(scope))),
        "OR" => Val::Bool(args.iter().any(|a| a.holds(scope))),
        "NOT" => Val::Bool(!holds(0)),
        "IF" => arg(if holds(0) { 1 } else { 2 }),
        "CASE" => case(args, scope),
        "ISBLANK" => Val::Bool(arg(0).blank()),
        // A text is never null, only blank.
        "ISNULL" => Val::Bool(arg(0) == Val::Null),
        "BLANKVALUE" | "NULLVALUE" => Some(arg(0)).filter(|v| !v.blank()).unwrap_or_else(|| arg(1)),
        "ISPICKVAL" => binary(Op::Eq, &arg(0), &arg(1)),
        "ISNEW" => Val::Bool(scope.is_new()),
        "ISCLONE" => Val::Bool(false),
        "ISCHANGED" => Val::Bool(changed(args, scope)),
        "PRIORVALUE" => path(args).map_or(Val::Null, |p| scope.before(p)),
        "TODAY" => Val::Day(scope.today()),
        "NOW" => Val::Instant(scope.now()),
        _ => {
            let values: Vec<Val> = args.iter().map(|a| a.eval(scope)).collect();
            texts::call(name, &values)
                .or_else(|| calendar::call(name, &values))
                .unwrap_or(Val::Null)
        }
    }
}

fn path(args: &[Formula]) -> Option<&str> {
    match args.first() {
        Some(Formula::Field(path)) => Some(path),
        _ => None,
    }
}

fn changed(args: &[Formula], scope: &dyn Scope) -> bool {
    path(args).is_some_and(|p| !scope.is_new() && scope.read(p) != scope.before(p))
}

/// `CASE(value, a, result, b, result, else)`.
fn case(args: &[Formula], scope: &dyn Scope) -> Val {
    let (Some(value), Some(last)) = (args.first(), args.last()) else {
        return Val::Null;
    };
    let value = value.eval(scope);
    let pairs = args[1..args.len() - 1].chunks_exact(2);
    let mut hit = pairs.filter(|p| binary(Op::Eq, &value, &p[0].eval(scope)) == Val::Bool(true));
    hit.next().map_or(last, |p| &p[1]).eval(scope)
}
