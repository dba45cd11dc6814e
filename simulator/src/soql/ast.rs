//! The tree of a parsed query, before any name is looked up.
//!
//! Key decision: every name and literal keeps its place in the text, because the API's errors show it.
//! Not here: what the names mean (`plan`).

/// A dotted name and where it starts in the text (bytes).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Path {
    pub parts: Vec<String>,
    pub at: usize,
}

impl Path {
    /// As written.
    pub fn text(&self) -> String {
        self.parts.join(".")
    }
}

/// A literal as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Date(String),
    DateTime(String),
    Time(String),
    /// A named range of days: `TODAY`, `LAST_N_DAYS:3`.
    Days(String, Option<u32>),
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Like,
}

/// A function over the rows of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Avg,
    Min,
    Max,
}

/// A part of a date or datetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatePart {
    Year,
    Quarter,
    Month,
    DayInMonth,
    DayInWeek,
    DayInYear,
    DayOnly,
    HourInDay,
    WeekInMonth,
    WeekInYear,
}

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Aggregate(Aggregate),
    Date(DatePart),
    /// `toLabel`, `convertCurrency`, `convertTimezone`: labels are values here, and there is one currency and
    /// one time zone.
    Same,
    Format,
}

impl Function {
    /// The function of that name, any case.
    pub fn named(name: &str) -> Option<Self> {
        let part = |p| Some(Self::Date(p));
        match name.to_ascii_uppercase().as_str() {
            "COUNT" => Some(Self::Aggregate(Aggregate::Count)),
            "COUNT_DISTINCT" => Some(Self::Aggregate(Aggregate::CountDistinct)),
            "SUM" => Some(Self::Aggregate(Aggregate::Sum)),
            "AVG" => Some(Self::Aggregate(Aggregate::Avg)),
            "MIN" => Some(Self::Aggregate(Aggregate::Min)),
            "MAX" => Some(Self::Aggregate(Aggregate::Max)),
            "TOLABEL" | "CONVERTCURRENCY" | "CONVERTTIMEZONE" => Some(Self::Same),
            "FORMAT" => Some(Self::Format),
            "CALENDAR_YEAR" | "FISCAL_YEAR" => part(DatePart::Year),
            "CALENDAR_QUARTER" | "FISCAL_QUARTER" => part(DatePart::Quarter),
            "CALENDAR_MONTH" | "FISCAL_MONTH" => part(DatePart::Month),
            "DAY_IN_MONTH" => part(DatePart::DayInMonth),
            "DAY_IN_WEEK" => part(DatePart::DayInWeek),
            "DAY_IN_YEAR" => part(DatePart::DayInYear),
            "DAY_ONLY" => part(DatePart::DayOnly),
            "HOUR_IN_DAY" => part(DatePart::HourInDay),
            "WEEK_IN_MONTH" => part(DatePart::WeekInMonth),
            "WEEK_IN_YEAR" => part(DatePart::WeekInYear),
            _ => None,
        }
    }
}

/// A field, or functions around one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Path(Path),
    Call {
        name: String,
        function: Function,
        of: Box<Expr>,
        at: usize,
    },
}

impl Expr {
    /// Where it starts in the text.
    pub fn at(&self) -> usize {
        match self {
            Expr::Path(path) => path.at,
            Expr::Call { at, .. } => *at,
        }
    }

    /// The field inside all functions.
    pub fn path(&self) -> &Path {
        match self {
            Expr::Path(path) => path,
            Expr::Call { of, .. } => of.path(),
        }
    }

    /// Whether, selected, it makes the rows of the reply groups: it has an aggregate or a part of a date.
    fn groups(&self) -> bool {
        match self {
            Expr::Path(_) => false,
            Expr::Call { function, of, .. } => {
                matches!(function, Function::Aggregate(_) | Function::Date(_)) || of.groups()
            }
        }
    }
}

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cond {
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    Compare(Expr, Op, Literal),
    In {
        of: Expr,
        negated: bool,
        set: Set,
    },
    Includes {
        of: Expr,
        negated: bool,
        list: Vec<Literal>,
    },
}

/// What stands behind IN.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Set {
    List(Vec<Literal>),
    /// A semi-join or anti-join.
    Query(Box<Query>),
}

/// One ORDER BY item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order<E> {
    pub of: E,
    pub descending: bool,
    pub nulls_last: bool,
}

/// `FIELDS(ALL)` and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    All,
    Standard,
    Custom,
}

/// `TYPEOF What WHEN Account THEN Phone ELSE Name END`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypeOf {
    pub of: Path,
    pub cases: Vec<(Path, Vec<Path>)>,
    pub otherwise: Vec<Path>,
}

/// One item of a SELECT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Selected {
    Expr(Expr, Option<String>),
    Fields(Group, usize),
    Child(Box<Query>),
    TypeOf(TypeOf),
}

/// What is selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Select {
    Count,
    List(Vec<Selected>),
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub select: Select,
    pub from: Path,
    /// Names given to the object and to ways up from it.
    pub aliases: Vec<(String, Path)>,
    pub scope: Option<Path>,
    pub filter: Option<Cond>,
    pub groups: Vec<Expr>,
    pub having: Option<Cond>,
    pub order: Vec<Order<Expr>>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    pub all_rows: bool,
}

impl Query {
    /// Whether its rows are groups.
    pub fn aggregates(&self) -> bool {
        let selected = match &self.select {
            Select::Count => false,
            Select::List(list) => list
                .iter()
                .any(|s| matches!(s, Selected::Expr(e, _) if e.groups())),
        };
        selected || !self.groups.is_empty() || self.having.is_some()
    }
}
