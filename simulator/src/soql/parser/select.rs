//! One item of a SELECT: a field, a function, a subquery, `TYPEOF`, `FIELDS()`.
//!
//! Key decision: `TYPEOF` and `FIELDS` are words only where they can be nothing else; a field of that name
//! is still a field.
//! Source: SOQL and SOSL Reference, "SELECT", "TYPEOF", "FIELDS()".
//! Not here: which mixtures are refused (`plan`).

use super::super::ast::{Group, Selected, TypeOf};
use super::super::lexer::Kind;
use super::Parser;
use crate::error::ApiError;

impl Parser<'_> {
    pub(super) fn selected(&mut self) -> Result<Selected, ApiError> {
        if self.sign("(") {
            return Ok(Selected::Child(Box::new(self.subquery()?)));
        }
        if self.is_word(0, "TYPEOF")
            && matches!(self.tokens.get(self.at + 1).map(|t| &t.kind), Some(Kind::Word(w)) if !w.eq_ignore_ascii_case("FROM"))
        {
            self.at += 1;
            return Ok(Selected::TypeOf(self.type_of()?));
        }
        if self.is_word(0, "FIELDS") && self.is_sign(1, "(") {
            let at = self.tokens.get(self.at).map_or(0, |t| t.at);
            self.at += 2;
            let group = [
                ("ALL", Group::All),
                ("STANDARD", Group::Standard),
                ("CUSTOM", Group::Custom),
            ]
            .into_iter()
            .find(|(word, _)| self.keyword(word))
            .map(|(_, group)| group)
            .ok_or_else(|| self.unexpected())?;
            self.expect_sign(")")?;
            return Ok(Selected::Fields(group, at));
        }
        let expr = self.expr()?;
        Ok(Selected::Expr(expr, self.alias()))
    }

    /// After the word TYPEOF.
    fn type_of(&mut self) -> Result<TypeOf, ApiError> {
        let of = self.path()?;
        let mut cases = Vec::new();
        self.expect("WHEN")?;
        loop {
            let kind = self.path()?;
            self.expect("THEN")?;
            cases.push((kind, self.commas(Self::path)?));
            if !self.keyword("WHEN") {
                break;
            }
        }
        let otherwise = if self.keyword("ELSE") {
            self.commas(Self::path)?
        } else {
            Vec::new()
        };
        self.expect("END")?;
        Ok(TypeOf { of, cases, otherwise })
    }
}
