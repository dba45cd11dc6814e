//! SOQL: from text to rows.
//!
//! Key decision: four steps with a type between each: text -> tokens (`lexer`) -> tree (`parser`, `ast`) ->
//! plan bound to the schema with every name and type checked (`plan`) -> rows (`run`). A query is refused as
//! a whole before a row is read, as the API does.
//! Known: SELECT of fields, parent fields and COUNT(); WHERE with AND, OR, NOT, parentheses, comparisons,
//! LIKE, IN, NOT IN, INCLUDES, EXCLUDES; ORDER BY; LIMIT; OFFSET. Refused: aggregates with GROUP BY,
//! subqueries, TYPEOF, FIELDS(), date functions and named date ranges.
//! Source: SOQL and SOSL Reference.
//! Not here: pages over HTTP (`http::query`).

pub(crate) mod ast;
pub(crate) mod cursor;
pub(crate) mod eval;
pub(crate) mod lexer;
pub(crate) mod parser;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod value;

#[cfg(test)]
mod tests;
