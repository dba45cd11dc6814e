//! Tokens to a tree, by recursive descent.
//!
//! Key decision: AND and OR do not mix without parentheses, as in the real grammar; there is no precedence
//! to get wrong.
//! Source: SOQL and SOSL Reference, "SOQL SELECT Syntax".
//! Not here: names and types (`plan`).

use super::ast::{Cond, Literal, Op, Order, Path, Query, Select};
use super::lexer::{Kind, Token, malformed, tokens};
use crate::error::ApiError;

/// Longest query accepted, in characters.
const MAX_LENGTH: usize = 100_000;
/// Deepest nesting of conditions.
const MAX_DEPTH: usize = 200;

/// Parses a query.
pub(crate) fn parse(text: &str) -> Result<Query, ApiError> {
    if text.chars().count() > MAX_LENGTH {
        return Err(ApiError::new(
            "MALFORMED_QUERY",
            "SOQL statements cannot be longer than 100000 characters.",
        ));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        depth: 0,
    };
    let query = parser.query()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(query)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Kind> {
        self.tokens.get(self.at).map(|t| &t.kind)
    }

    fn unexpected(&self) -> ApiError {
        match self.tokens.get(self.at) {
            None => malformed(self.text, self.text.len(), "unexpected token: '<EOF>'"),
            Some(token) => {
                let end = self.tokens.get(self.at + 1).map_or(self.text.len(), |t| t.at);
                let shown = self.text.get(token.at..end).unwrap_or_default().trim();
                malformed(self.text, token.at, &format!("unexpected token: '{shown}'"))
            }
        }
    }

    fn is_word(&self, offset: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + offset).map(|t| &t.kind),
            Some(Kind::Word(w)) if w.eq_ignore_ascii_case(word))
    }

    fn keyword(&mut self, word: &str) -> bool {
        let found = self.is_word(0, word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<(), ApiError> {
        if self.keyword(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Kind::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), ApiError> {
        if self.sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn path(&mut self) -> Result<Path, ApiError> {
        let Some(Token {
            kind: Kind::Word(word),
            at,
        }) = self.tokens.get(self.at)
        else {
            return Err(self.unexpected());
        };
        let parts: Vec<String> = word.split('.').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err(self.unexpected());
        }
        let path = Path { parts, at: *at };
        self.at += 1;
        Ok(path)
    }

    fn query(&mut self) -> Result<Query, ApiError> {
        self.expect("SELECT")?;
        let select = self.select()?;
        self.expect("FROM")?;
        let from = self.path()?;
        let filter = if self.keyword("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.keyword("ORDER") {
            self.expect("BY")?;
            order.push(self.order()?);
            while self.sign(",") {
                order.push(self.order()?);
            }
        }
        let limit = if self.keyword("LIMIT") {
            Some(self.count()?)
        } else {
            None
        };
        let offset = if self.keyword("OFFSET") {
            Some(self.count()?)
        } else {
            None
        };
        let all_rows = self.keyword("ALL");
        if all_rows {
            self.expect("ROWS")?;
        }
        Ok(Query {
            select,
            from,
            filter,
            order,
            limit,
            offset,
            all_rows,
        })
    }

    fn select(&mut self) -> Result<Select, ApiError> {
        if self.is_word(0, "COUNT")
            && matches!(
                self.tokens.get(self.at + 1).map(|t| &t.kind),
                Some(Kind::Sign("("))
            )
        {
            self.at += 2;
            self.expect_sign(")")?;
            return Ok(Select::Count);
        }
        let mut fields = vec![self.path()?];
        while self.sign(",") {
            fields.push(self.path()?);
        }
        Ok(Select::Fields(fields))
    }

    fn order(&mut self) -> Result<Order<Path>, ApiError> {
        let path = self.path()?;
        let descending = self.keyword("DESC");
        if !descending {
            self.keyword("ASC");
        }
        let mut nulls_last = false;
        if self.keyword("NULLS") {
            nulls_last = self.keyword("LAST");
            if !nulls_last {
                self.expect("FIRST")?;
            }
        }
        Ok(Order {
            path,
            descending,
            nulls_last,
        })
    }

    fn count(&mut self) -> Result<u64, ApiError> {
        let found = match self.peek() {
            Some(Kind::Literal(Literal::Number(n))) => n.parse().ok(),
            _ => None,
        };
        let count = found.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(count)
    }

    fn condition(&mut self) -> Result<Cond<Path, Literal>, ApiError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ApiError::new(
                "QUERY_TOO_COMPLICATED",
                "Query is either selecting too many fields or the filter conditions are too complicated.",
            ));
        }
        let first = self.term()?;
        let found = if self.is_word(0, "AND") {
            self.chain(first, "AND").map(Cond::And)
        } else if self.is_word(0, "OR") {
            self.chain(first, "OR").map(Cond::Or)
        } else {
            Ok(first)
        };
        self.depth -= 1;
        found
    }

    fn chain(
        &mut self,
        first: Cond<Path, Literal>,
        word: &str,
    ) -> Result<Vec<Cond<Path, Literal>>, ApiError> {
        let mut all = vec![first];
        while self.keyword(word) {
            all.push(self.term()?);
        }
        if self.is_word(0, "AND") || self.is_word(0, "OR") {
            return Err(self.unexpected());
        }
        Ok(all)
    }

    fn term(&mut self) -> Result<Cond<Path, Literal>, ApiError> {
        if self.is_word(0, "NOT") {
            self.at += 1;
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(self.unexpected());
            }
            let inner = self.term()?;
            self.depth -= 1;
            return Ok(Cond::Not(Box::new(inner)));
        }
        if self.sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        if self.keyword("IN") {
            return Ok(Cond::In {
                path,
                negated: false,
                list: self.list()?,
            });
        }
        if self.is_word(0, "NOT") && self.is_word(1, "IN") {
            self.at += 2;
            return Ok(Cond::In {
                path,
                negated: true,
                list: self.list()?,
            });
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.keyword(word) {
                return Ok(Cond::Includes {
                    path,
                    negated,
                    list: self.list()?,
                });
            }
        }
        let op = self.operator()?;
        Ok(Cond::Compare(path, op, self.literal()?))
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
        let Some(Kind::Literal(literal)) = self.peek() else {
            return Err(self.unexpected());
        };
        let literal = literal.clone();
        if matches!(&literal, Literal::Text(t) if t.chars().count() > 4000) {
            return Err(ApiError::new(
                "INVALID_QUERY_FILTER_OPERATOR",
                "filter literal is longer than 4000 characters",
            ));
        }
        self.at += 1;
        Ok(literal)
    }

    fn list(&mut self) -> Result<Vec<Literal>, ApiError> {
        self.expect_sign("(")?;
        let mut list = vec![self.literal()?];
        while self.sign(",") {
            list.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(list)
    }
}
