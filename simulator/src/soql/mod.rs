//! SOQL: from text to rows.
//!
//! Key decision: four steps with a type between each: text -> tokens (`lexer`) -> tree (`parser`, `ast`) ->
//! plan bound to the schema with every name and type checked (`plan`) -> rows (`run`) or groups (`group`). A
//! query is refused as a whole before a row is read, as the API does. What is covered stands in
//! `docs/simulator/soql.md`.
//! Source: SOQL and SOSL Reference.
//! Not here: HTTP (`http::query`).

mod access;
pub(crate) mod ast;
mod compare;
pub(crate) mod cursor;
mod dates;
pub(crate) mod eval;
mod group;
pub(crate) mod lexer;
pub(crate) mod page;
pub(crate) mod parser;
pub(crate) mod plan;
pub(crate) mod run;
pub(crate) mod value;

#[cfg(test)]
mod tests;
