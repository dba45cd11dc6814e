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

/// A literal as written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Date(String),
    DateTime(String),
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

/// A condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cond<P, L> {
    And(Vec<Cond<P, L>>),
    Or(Vec<Cond<P, L>>),
    Not(Box<Cond<P, L>>),
    Compare(P, Op, L),
    In { path: P, negated: bool, list: Vec<L> },
    Includes { path: P, negated: bool, list: Vec<L> },
}

/// One ORDER BY item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order<P> {
    pub path: P,
    pub descending: bool,
    pub nulls_last: bool,
}

/// What is selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Select {
    Count,
    Fields(Vec<Path>),
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    pub select: Select,
    pub from: Path,
    pub filter: Option<Cond<Path, Literal>>,
    pub order: Vec<Order<Path>>,
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    pub all_rows: bool,
}
