//! Canonical records: the same record gives the same bytes, whichever API brought it.
//!
//! Key decision: a row is canonicalised straight from the text it came as (JSON or CSV) into one arena, with a
//! cell for each value; nothing is allocated per record and no JSON tree is built. The rules stand in
//! `docs/format.md`, "Canonical records". It does not decide what is a change: that is capture.

mod canon;
mod json;
mod number;
mod rows;
mod text;

pub use canon::{Canon, Mode};
#[cfg(feature = "parquet")]
pub(crate) use json::{Members, Token, utf8};
pub use json::{keys as json_keys, unescape};
pub use number::decimal;
pub use rows::{Cell, CellKind, Row, Rows, content_hash};
pub use text::escape;
