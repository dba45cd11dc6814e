//! Conditions of WHERE and HAVING.
//!
//! Key decision: AND and OR do not mix without parentheses, as in the real grammar; there is no precedence
//! to get wrong.
//! Source: SOQL and SOSL Reference, "Condition Expression Syntax", "Comparison Operators".
//! Not here: what may be compared with what (`plan::filter`).

use super::super::ast::{Cond, Literal, Op, Set};
use super::super::dates;
use super::super::lexer::Kind;
use super::Parser;
use crate::error::ApiError;

/// Longest text literal of a condition, in characters.
const MAX_LITERAL: usize = 4000;

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Cond, ApiError> {
        self.nested(1, |p| {
            let first = p.term()?;
            if p.is_word(0, "AND") {
                p.chain(first, "AND").map(Cond::And)
            } else if p.is_word(0, "OR") {
                p.chain(first, "OR").map(Cond::Or)
            } else {
                Ok(first)
            }
        })
    }

    fn chain(&mut self, first: Cond, word: &str) -> Result<Vec<Cond>, ApiError> {
        let mut all = vec![first];
        while self.keyword(word) {
            all.push(self.term()?);
        }
        if self.is_word(0, "AND") || self.is_word(0, "OR") {
            return Err(self.unexpected());
        }
        Ok(all)
    }

    fn term(&mut self) -> Result<Cond, ApiError> {
        if self.keyword("NOT") {
            let inner = self.nested(1, Self::term)?;
            return Ok(Cond::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let of = self.expr()?;
        let negated = self.is_word(0, "NOT") && self.is_word(1, "IN");
        self.at += usize::from(negated);
        if self.keyword("IN") {
            let set = self.set()?;
            return Ok(Cond::In { of, negated, set });
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.keyword(word) {
                self.expect_sign("(")?;
                let list = self.list()?;
                return Ok(Cond::Includes { of, negated, list });
            }
        }
        let op = self.operator()?;
        Ok(Cond::Compare(of, op, self.literal()?))
    }

    fn operator(&mut self) -> Result<Op, ApiError> {
        let op = match self.peek() {
            Some(Kind::Sign("=")) => Op::Eq,
            Some(Kind::Sign("!=" | "<>")) => Op::Ne,
            Some(Kind::Sign("<")) => Op::Lt,
            Some(Kind::Sign("<=")) => Op::Le,
            Some(Kind::Sign(">")) => Op::Gt,
            Some(Kind::Sign(">=")) => Op::Ge,
            Some(Kind::Word(w)) if w.eq_ignore_ascii_case("LIKE") => Op::Like,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(op)
    }

    fn literal(&mut self) -> Result<Literal, ApiError> {
        let literal = match self.peek() {
            Some(Kind::Literal(literal)) => literal.clone(),
            Some(Kind::Word(word)) => dates::named(word).ok_or_else(|| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        if matches!(&literal, Literal::Text(t) if t.chars().count() > MAX_LITERAL) {
            return Err(ApiError::new(
                "INVALID_QUERY_FILTER_OPERATOR",
                "filter literal is longer than 4000 characters",
            ));
        }
        self.at += 1;
        Ok(literal)
    }

    fn set(&mut self) -> Result<Set, ApiError> {
        self.expect_sign("(")?;
        if self.is_word(0, "SELECT") {
            return Ok(Set::Query(Box::new(self.subquery()?)));
        }
        self.list().map(Set::List)
    }

    /// Literals up to a closing parenthesis.
    fn list(&mut self) -> Result<Vec<Literal>, ApiError> {
        let list = self.commas(Self::literal)?;
        self.expect_sign(")")?;
        Ok(list)
    }
}
