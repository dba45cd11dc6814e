//! Tokens into a formula, by precedence.
//!
//! Key decision: levels of operators, each a loop over the next tighter one; depth is limited, so that no
//! text can exhaust the stack.
//! Source: Salesforce Help, "Formula Operators" for the order.
//! Not here: names of fields, which only a schema can check.

use super::functions::known;
use super::lexer::Token;
use super::texts::whole_pattern;
use super::{Formula, Op, Val};

/// How deep a formula may nest before it counts as unknown.
const MAX_DEPTH: usize = 64;

/// Operators from the loosest to the tightest.
const LEVELS: [&[Op]; 6] = [
    &[Op::Or],
    &[Op::And],
    &[Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge],
    &[Op::Add, Op::Sub, Op::Join],
    &[Op::Mul, Op::Div],
    &[Op::Pow],
];

/// The formula that all tokens make; `None` for anything unknown.
pub(super) fn parse(tokens: &[Token]) -> Option<Formula> {
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let formula = parser.whole()?;
    (parser.at == tokens.len()).then_some(formula)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn sign(&mut self, sign: char) -> Option<()> {
        let found = self.tokens.get(self.at) == Some(&Token::Sign(sign));
        self.at += usize::from(found);
        found.then_some(())
    }

    fn operator(&mut self, any_of: &[Op]) -> Option<Op> {
        match self.tokens.get(self.at) {
            Some(Token::Op(op)) if any_of.contains(op) => {
                self.at += 1;
                Some(*op)
            }
            _ => None,
        }
    }

    fn whole(&mut self) -> Option<Formula> {
        self.deeper(|p| p.level(0))
    }

    fn deeper(&mut self, inner: impl FnOnce(&mut Self) -> Option<Formula>) -> Option<Formula> {
        self.depth += 1;
        let found = if self.depth > MAX_DEPTH { None } else { inner(self) };
        self.depth -= 1;
        found
    }

    fn level(&mut self, n: usize) -> Option<Formula> {
        let Some(operators) = LEVELS.get(n) else {
            return self.unary();
        };
        let mut left = self.level(n + 1)?;
        while let Some(op) = self.operator(operators) {
            left = Formula::Binary(op, Box::new(left), Box::new(self.level(n + 1)?));
        }
        Some(left)
    }

    fn unary(&mut self) -> Option<Formula> {
        if self.sign('!').is_some() {
            return self.deeper(Self::unary).map(|a| Formula::Not(Box::new(a)));
        }
        match self.operator(&[Op::Sub, Op::Add]) {
            Some(Op::Sub) => self.deeper(Self::unary).map(|a| Formula::Minus(Box::new(a))),
            Some(_) => self.deeper(Self::unary),
            None => self.atom(),
        }
    }

    fn atom(&mut self) -> Option<Formula> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Value(v) => Some(Formula::Literal(v)),
            Token::Sign('(') => {
                let inner = self.whole()?;
                self.sign(')')?;
                Some(inner)
            }
            Token::Name(name) if self.sign('(').is_some() => self.call(&name),
            Token::Name(name) => Some(Formula::Field(name)),
            Token::Sign(_) | Token::Op(_) => None,
        }
    }

    fn call(&mut self, name: &str) -> Option<Formula> {
        let mut args = Vec::new();
        while self.sign(')').is_none() {
            if !args.is_empty() {
                self.sign(',')?;
            }
            args.push(self.whole()?);
        }
        let name = known(name, args.len())?;
        let fits = match (name, args.as_slice()) {
            ("ISCHANGED" | "PRIORVALUE", [of]) => matches!(of, Formula::Field(_)),
            ("REGEX", [_, Formula::Literal(Val::Text(pattern))]) => whole_pattern(pattern).is_some(),
            _ => true,
        };
        fits.then_some(Formula::Call(name, args))
    }
}
