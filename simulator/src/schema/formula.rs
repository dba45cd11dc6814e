//! A small part of the formula language, enough for fields that read their own row.
//!
//! Key decision: a formula is evaluated whenever its row is read and never stored, so its value can change
//! without any stamp moving, which is what a backup must survive. Known: fields of the row, text and number
//! literals, `& + - * /`, comparisons, IF, ISBLANK, BLANKVALUE, TEXT, TODAY, IMAGE. Anything else (other
//! functions, other rows' fields) makes the formula unknown: the field reads as null.
//! Source: Salesforce Help, "Formula Operators and Functions".
//! Not here: roll-up summaries (`write::rollup`).

use jiff::civil::Date;

/// A value while a formula is computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Val {
    Null,
    Num(f64),
    Text(String),
    Bool(bool),
    Day(Date),
}

/// A parsed formula.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Formula {
    Literal(Val),
    Field(String),
    Binary(char, Box<Formula>, Box<Formula>),
    Call(String, Vec<Formula>),
}

/// How deep a formula may nest before it counts as unknown.
const MAX_DEPTH: usize = 64;

impl Formula {
    /// Parses a formula; `None` when it goes beyond the part that is known.
    pub fn parse(text: &str) -> Option<Formula> {
        let tokens = tokens(text)?;
        let mut parser = Parser {
            tokens: &tokens,
            at: 0,
            depth: 0,
        };
        let formula = parser.comparison()?;
        (parser.at == tokens.len()).then_some(formula)
    }

    /// Computes the value; `field` gives the values of the row's fields.
    pub fn eval(&self, today: Date, field: &dyn Fn(&str) -> Val) -> Val {
        match self {
            Formula::Literal(v) => v.clone(),
            Formula::Field(name) => field(name),
            Formula::Binary(op, a, b) => binary(*op, &a.eval(today, field), &b.eval(today, field)),
            Formula::Call(name, args) => {
                let arg = |i: usize| args.get(i).map_or(Val::Null, |a| a.eval(today, field));
                match name.as_str() {
                    "IF" if arg(0) == Val::Bool(true) => arg(1),
                    "IF" => arg(2),
                    "ISBLANK" | "ISNULL" => Val::Bool(blank(&arg(0))),
                    "BLANKVALUE" | "NULLVALUE" if blank(&arg(0)) => arg(1),
                    "BLANKVALUE" | "NULLVALUE" => arg(0),
                    "TEXT" => Val::Text(text_of(&arg(0))),
                    "TODAY" => Val::Day(today),
                    "IMAGE" => Val::Text(format!(
                        "<img src=\"{}\" alt=\"{}\" border=\"0\"/>",
                        text_of(&arg(0)),
                        text_of(&arg(1))
                    )),
                    _ => Val::Null,
                }
            }
        }
    }
}

fn blank(v: &Val) -> bool {
    matches!(v, Val::Null) || *v == Val::Text(String::new())
}

fn text_of(v: &Val) -> String {
    match v {
        Val::Null => String::new(),
        Val::Num(n) => n.to_string(),
        Val::Text(t) => t.clone(),
        Val::Bool(b) => b.to_string(),
        Val::Day(d) => d.to_string(),
    }
}

fn binary(op: char, a: &Val, b: &Val) -> Val {
    match (op, a, b) {
        ('&', ..) | ('+', Val::Text(_), _) | ('+', _, Val::Text(_)) => Val::Text(text_of(a) + &text_of(b)),
        ('=', ..) => Val::Bool(a == b),
        ('!', ..) => Val::Bool(a != b),
        ('-', Val::Day(x), Val::Day(y)) => x
            .since(*y)
            .map_or(Val::Null, |s| Val::Num(f64::from(s.get_days()))),
        ('<', Val::Day(x), Val::Day(y)) => Val::Bool(x < y),
        ('>', Val::Day(x), Val::Day(y)) => Val::Bool(x > y),
        (_, Val::Num(x), Val::Num(y)) => match op {
            '+' => Val::Num(x + y),
            '-' => Val::Num(x - y),
            '*' => Val::Num(x * y),
            '/' if *y != 0.0 => Val::Num(x / y),
            '<' => Val::Bool(x < y),
            '>' => Val::Bool(x > y),
            _ => Val::Null,
        },
        _ => Val::Null,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Value(Val),
    Name(String),
    Sign(char),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_whitespace() => {}
            '"' | '\'' => {
                let mut s = String::new();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '\\' => s.push(chars.next()?),
                        other => s.push(other),
                    }
                }
                out.push(Token::Value(Val::Text(s)));
            }
            '0'..='9' | '.' => {
                let mut s = String::from(c);
                while let Some(d) = chars.next_if(|d| d.is_ascii_digit() || *d == '.') {
                    s.push(d);
                }
                out.push(Token::Value(Val::Num(s.parse().ok()?)));
            }
            c if c.is_alphabetic() => {
                let mut s = String::from(c);
                while let Some(d) = chars.next_if(|d| d.is_alphanumeric() || *d == '_') {
                    s.push(d);
                }
                out.push(Token::Name(s));
            }
            '<' if chars.next_if_eq(&'>').is_some() => out.push(Token::Sign('!')),
            '!' if chars.next_if_eq(&'=').is_some() => out.push(Token::Sign('!')),
            '=' => {
                chars.next_if_eq(&'=');
                out.push(Token::Sign('='));
            }
            '(' | ')' | ',' | '&' | '+' | '-' | '*' | '/' | '<' | '>' => out.push(Token::Sign(c)),
            _ => return None,
        }
    }
    Some(out)
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

const FUNCTIONS: [&str; 8] = [
    "IF",
    "ISBLANK",
    "ISNULL",
    "BLANKVALUE",
    "NULLVALUE",
    "TEXT",
    "TODAY",
    "IMAGE",
];

impl Parser<'_> {
    fn sign(&mut self, any_of: &str) -> Option<char> {
        match self.tokens.get(self.at) {
            Some(Token::Sign(c)) if any_of.contains(*c) => {
                self.at += 1;
                Some(*c)
            }
            _ => None,
        }
    }

    fn comparison(&mut self) -> Option<Formula> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let found = self.chain("=!<>", Self::sum);
        self.depth -= 1;
        found
    }

    fn sum(&mut self) -> Option<Formula> {
        self.chain("+-&", Self::product)
    }

    fn product(&mut self) -> Option<Formula> {
        self.chain("*/", Self::atom)
    }

    fn chain(&mut self, signs: &str, next: fn(&mut Self) -> Option<Formula>) -> Option<Formula> {
        let mut left = next(self)?;
        while let Some(op) = self.sign(signs) {
            left = Formula::Binary(op, Box::new(left), Box::new(next(self)?));
        }
        Some(left)
    }

    fn atom(&mut self) -> Option<Formula> {
        let token = self.tokens.get(self.at)?.clone();
        self.at += 1;
        match token {
            Token::Value(v) => Some(Formula::Literal(v)),
            Token::Sign('(') => {
                let inner = self.comparison()?;
                self.sign(")")?;
                Some(inner)
            }
            Token::Name(name) if self.sign("(").is_some() => self.call(&name),
            Token::Name(name) => Some(Formula::Field(name)),
            Token::Sign(_) => None,
        }
    }

    fn call(&mut self, name: &str) -> Option<Formula> {
        let name = name.to_ascii_uppercase();
        if !FUNCTIONS.contains(&name.as_str()) {
            return None;
        }
        let mut args = Vec::new();
        while self.sign(")").is_none() {
            if !args.is_empty() {
                self.sign(",")?;
            }
            args.push(self.comparison()?);
        }
        Some(Formula::Call(name, args))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(text: &str) -> Val {
        let field = |name: &str| match name {
            "Name" => Val::Text("Ada".into()),
            "Size__c" => Val::Num(4.0),
            "Listed__c" => Val::Day(Date::constant(2024, 1, 1)),
            _ => Val::Null,
        };
        Formula::parse(text).map_or(Val::Null, |f| f.eval(Date::constant(2024, 1, 11), &field))
    }

    #[test]
    fn computes() {
        assert_eq!(
            eval("Name & \" x \" & TEXT(Size__c)"),
            Val::Text("Ada x 4".into())
        );
        assert_eq!(eval("Size__c * (2 + 1) - 2"), Val::Num(10.0));
        assert_eq!(eval("IF(ISBLANK(Gone__c), 1, 2)"), Val::Num(1.0));
        assert_eq!(eval("TODAY() - Listed__c"), Val::Num(10.0));
        assert_eq!(eval("Size__c / 0"), Val::Null);
    }

    #[test]
    fn unknown_parts_make_it_unknown() {
        for text in [
            "VLOOKUP(a)",
            "Account.Name",
            "1 +",
            "(1",
            "\"open",
            &"(".repeat(500),
        ] {
            assert_eq!(Formula::parse(text), None, "{text}");
        }
    }
}
