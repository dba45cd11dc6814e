//! Tokens to a tree, by recursive descent: the statement and its clauses.
//!
//! Key decision: one cursor over the tokens, shared by the statement (here), the SELECT list (`select`) and
//! conditions (`condition`); nesting of any kind is counted in one place, so that no text overflows a stack.
//! Source: SOQL and SOSL Reference, "SOQL SELECT Syntax".
//! Not here: names and types (`plan`).

mod condition;
mod select;

use super::ast::{Expr, Function, Literal, Order, Path, Query, Select};
use super::lexer::{Kind, Token, malformed, tokens};
use super::plan::too_complicated;
use crate::error::ApiError;

/// Longest query accepted, in characters.
const MAX_LENGTH: usize = 100_000;
/// Deepest nesting of conditions, functions and subqueries.
const MAX_DEPTH: usize = 200;
/// What a subquery counts for in the nesting: five levels of them at most.
const SUBQUERY_DEPTH: usize = 40;

/// Words that end the name in a FROM, and so name nothing themselves.
const CLAUSES: [&str; 11] = [
    "USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL",
];

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

    fn is_sign(&self, offset: usize, sign: &str) -> bool {
        matches!(self.tokens.get(self.at + offset).map(|t| &t.kind), Some(Kind::Sign(s)) if *s == sign)
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
        let found = self.is_sign(0, sign);
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

    /// Goes `by` levels down for `inner`.
    fn nested<T>(
        &mut self,
        by: usize,
        inner: impl FnOnce(&mut Self) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        self.depth += by;
        if self.depth > MAX_DEPTH {
            return Err(too_complicated());
        }
        let found = inner(self);
        self.depth -= by;
        found
    }

    /// One `item`, and another after each comma.
    fn commas<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, ApiError> {
        let mut all = vec![item(self)?];
        while self.sign(",") {
            all.push(item(self)?);
        }
        Ok(all)
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

    /// A field, or a function of one.
    fn expr(&mut self) -> Result<Expr, ApiError> {
        let path = self.path()?;
        if !self.is_sign(0, "(") {
            return Ok(Expr::Path(path));
        }
        let name = path.text();
        let Some(function) = Function::named(&name) else {
            return Err(malformed(
                self.text,
                path.at,
                &format!("unknown function: {name}"),
            ));
        };
        self.at += 1;
        let of = self.nested(1, Self::expr)?;
        self.expect_sign(")")?;
        Ok(Expr::Call {
            name,
            function,
            of: Box::new(of),
            at: path.at,
        })
    }

    fn query(&mut self) -> Result<Query, ApiError> {
        self.expect("SELECT")?;
        let select = self.select()?;
        self.expect("FROM")?;
        let (from, aliases) = self.from()?;
        let mut query = Query {
            select,
            from,
            aliases,
            scope: None,
            filter: None,
            groups: Vec::new(),
            having: None,
            order: Vec::new(),
            limit: None,
            offset: None,
            all_rows: false,
        };
        if self.keyword("USING") {
            self.expect("SCOPE")?;
            query.scope = Some(self.path()?);
        }
        if self.keyword("WHERE") {
            query.filter = Some(self.condition()?);
        }
        if self.keyword("WITH") {
            // What the user may not see is unknown to every query anyway.
            self.expect("SECURITY_ENFORCED")?;
        }
        if self.keyword("GROUP") {
            self.expect("BY")?;
            query.groups = self.commas(Self::expr)?;
        }
        if self.keyword("HAVING") {
            query.having = Some(self.condition()?);
        }
        if self.keyword("ORDER") {
            self.expect("BY")?;
            query.order = self.commas(Self::order)?;
        }
        if self.keyword("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.keyword("OFFSET") {
            query.offset = Some(self.count()?);
        }
        self.tail(&mut query)?;
        Ok(query)
    }

    /// What may follow a query and finds nothing more or less.
    fn tail(&mut self, query: &mut Query) -> Result<(), ApiError> {
        while self.keyword("FOR") {
            if !["VIEW", "REFERENCE", "UPDATE"].iter().any(|w| self.keyword(w)) {
                return Err(self.unexpected());
            }
        }
        if self.keyword("UPDATE") {
            let kinds = |p: &mut Self| ["TRACKING", "VIEWSTAT"].iter().any(|w| p.keyword(w));
            self.commas(|p| if kinds(p) { Ok(()) } else { Err(p.unexpected()) })?;
        }
        if self.keyword("ALL") {
            self.expect("ROWS")?;
            query.all_rows = true;
        }
        Ok(())
    }

    /// The object, then ways up from it, each with the name it goes by.
    fn from(&mut self) -> Result<(Path, Vec<(String, Path)>), ApiError> {
        let from = self.path()?;
        let mut aliases = Vec::new();
        let root = Path {
            parts: Vec::new(),
            at: from.at,
        };
        aliases.extend(self.alias().map(|a| (a, root)));
        while self.sign(",") {
            let way = self.path()?;
            let Some(alias) = self.alias() else {
                return Err(self.unexpected());
            };
            aliases.push((alias, way));
        }
        Ok((from, aliases))
    }

    /// A plain word that is no clause.
    fn alias(&mut self) -> Option<String> {
        let Some(Kind::Word(word)) = self.peek() else {
            return None;
        };
        if word.contains('.')
            || CLAUSES
                .iter()
                .chain(&["FROM"])
                .any(|c| c.eq_ignore_ascii_case(word))
        {
            return None;
        }
        let word = word.clone();
        self.at += 1;
        Some(word)
    }

    fn order(&mut self) -> Result<Order<Expr>, ApiError> {
        let of = self.expr()?;
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
            of,
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

    /// A query in parentheses, the opening one read already.
    fn subquery(&mut self) -> Result<Query, ApiError> {
        let query = self.nested(SUBQUERY_DEPTH, Self::query)?;
        self.expect_sign(")")?;
        Ok(query)
    }

    /// `COUNT()` stands for the whole SELECT.
    fn select(&mut self) -> Result<Select, ApiError> {
        if self.is_word(0, "COUNT") && self.is_sign(1, "(") && self.is_sign(2, ")") {
            self.at += 3;
            return Ok(Select::Count);
        }
        Ok(Select::List(self.commas(Self::selected)?))
    }
}
