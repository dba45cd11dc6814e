//! SQL text dumps of SQLite: the tables with their rows.
//!
//! Key decision: a strict reader of the few statements that a dump has, instead of a database: what it does
//! not know is an error with its line, never a row less.
//! Source: SQLite documentation, "SQL As Understood By SQLite", "Command Line Shell" (`.dump`).
//! Not here: what tables mean (`mapping`).

/// One table of a dump.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub name: String,
    pub columns: Vec<String>,
    /// Column of the primary key.
    pub key: usize,
    /// `None` is NULL; numbers are kept as they are written.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Position of a column, any case; underscores do not count, since older dumps wrote `account_id`
    /// for `AccountId`.
    pub fn column(&self, name: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|c| c.eq_ignore_ascii_case(name));
        exact.or_else(|| {
            let wanted = squashed(name);
            self.columns.iter().position(|c| squashed(c) == wanted)
        })
    }
}

fn squashed(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Keyword, bare name or number.
    Word(String),
    /// A name in double quotes; as a value, its text, as `SQLite` takes it.
    Quoted(String),
    Text(String),
    Mark(char),
}

/// Reads a dump; the error is a line for people.
pub(crate) fn parse(text: &str) -> Result<Vec<Table>, String> {
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        tables: Vec::new(),
    };
    while reader.at < reader.tokens.len() {
        reader.statement()?;
    }
    Ok(reader.tables)
}

fn tokens(text: &str) -> Result<Vec<(Token, usize)>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(c) = rest.chars().next() {
        let taken = if c.is_whitespace() {
            c.len_utf8()
        } else if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if matches!(c, '\'' | '"') {
            let (value, len) = quoted(rest, c).ok_or_else(|| format!("line {line}: unclosed {c}"))?;
            let token = if c == '"' { Token::Quoted } else { Token::Text };
            out.push((token(value), line));
            len
        } else if matches!(c, '(' | ')' | ',' | ';') {
            out.push((Token::Mark(c), line));
            1
        } else if word(c) {
            let len = rest.find(|c| !word(c)).unwrap_or(rest.len());
            out.push((Token::Word(rest[..len].to_owned()), line));
            len
        } else {
            return Err(format!("line {line}: unexpected {c}"));
        };
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
    }
    Ok(out)
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-')
}

/// The text up to the closing quote (a doubled one stands for itself), and its length with both quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut out = String::new();
    let mut at = 1;
    loop {
        let end = at + text[at..].find(quote)?;
        out.push_str(&text[at..end]);
        if !text[end + 1..].starts_with(quote) {
            return Some((out, end + 1));
        }
        out.push(quote);
        at = end + 2;
    }
}

struct Reader {
    tokens: Vec<(Token, usize)>,
    at: usize,
    tables: Vec<Table>,
}

impl Reader {
    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).map(|(t, _)| t.clone());
        self.at += 1;
        token
    }

    fn fail(&self, wanted: &str) -> String {
        let at = self.at.saturating_sub(1).min(self.tokens.len().saturating_sub(1));
        let line = self.tokens.get(at).map_or(0, |(_, line)| *line);
        format!("line {line}: {wanted} expected")
    }

    /// Takes a keyword if it comes next.
    fn keyword(&mut self, word: &str) -> bool {
        let found =
            matches!(self.tokens.get(self.at), Some((Token::Word(w), _)) if w.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn mark(&mut self, wanted: char) -> Result<(), String> {
        match self.next() {
            Some(Token::Mark(c)) if c == wanted => Ok(()),
            _ => Err(self.fail(&wanted.to_string())),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(name) | Token::Quoted(name)) => Ok(name),
            _ => Err(self.fail("a name")),
        }
    }

    fn statement(&mut self) -> Result<(), String> {
        if self.keyword("CREATE") {
            if self.keyword("TABLE") {
                return self.create();
            }
        } else if self.keyword("INSERT") {
            return self.insert();
        } else if !["BEGIN", "COMMIT", "PRAGMA"].iter().any(|w| self.keyword(w)) {
            self.at += 1;
            return Err(self.fail("CREATE TABLE, INSERT INTO, BEGIN or COMMIT"));
        }
        while !matches!(self.next(), Some(Token::Mark(';')) | None) {}
        Ok(())
    }

    fn create(&mut self) -> Result<(), String> {
        if self.keyword("IF") && !(self.keyword("NOT") && self.keyword("EXISTS")) {
            return Err(self.fail("NOT EXISTS"));
        }
        let mut table = Table {
            name: self.name()?,
            ..Table::default()
        };
        let mut key = None;
        self.mark('(')?;
        loop {
            if self.keyword("PRIMARY") {
                self.at += 2;
                key = Some(self.name()?);
            } else {
                table.columns.push(self.name()?);
            }
            let mut depth = usize::from(key.is_some());
            loop {
                match self.next() {
                    Some(Token::Mark('(')) => depth += 1,
                    Some(Token::Mark(')')) if depth > 0 => depth -= 1,
                    Some(Token::Mark(c @ (',' | ')'))) if depth == 0 => {
                        if c == ',' {
                            break;
                        }
                        self.mark(';')?;
                        table.key = key.and_then(|k| table.column(&k)).unwrap_or(0);
                        self.tables.push(table);
                        return Ok(());
                    }
                    Some(Token::Mark(';')) | None => return Err(self.fail(")")),
                    Some(_) => {}
                }
            }
        }
    }

    fn insert(&mut self) -> Result<(), String> {
        if !self.keyword("INTO") {
            return Err(self.fail("INTO"));
        }
        let name = self.name()?;
        let known = self.tables.iter().position(|t| t.name == name);
        let at = known.ok_or_else(|| self.fail("a table made before"))?;
        if !self.keyword("VALUES") {
            return Err(self.fail("VALUES"));
        }
        loop {
            let row = self.row()?;
            if row.len() != self.tables[at].columns.len() {
                return Err(self.fail(&format!("{} values", self.tables[at].columns.len())));
            }
            self.tables[at].rows.push(row);
            match self.next() {
                Some(Token::Mark(',')) => {}
                Some(Token::Mark(';')) => return Ok(()),
                _ => return Err(self.fail(";")),
            }
        }
    }

    fn row(&mut self) -> Result<Vec<Option<String>>, String> {
        self.mark('(')?;
        let mut row = Vec::new();
        loop {
            row.push(match self.next() {
                Some(Token::Word(w)) if w.eq_ignore_ascii_case("NULL") => None,
                Some(Token::Word(w)) if w.parse::<f64>().is_ok() => Some(w),
                Some(Token::Text(t) | Token::Quoted(t)) => Some(t),
                _ => return Err(self.fail("a value")),
            });
            match self.next() {
                Some(Token::Mark(',')) => {}
                Some(Token::Mark(')')) => return Ok(row),
                _ => return Err(self.fail(", or )")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_gives_its_tables() {
        let text = "BEGIN TRANSACTION; -- start\nCREATE TABLE IF NOT EXISTS \"A\" (id VARCHAR(255) NOT NULL,\n \"BillingCity\" VARCHAR(255), PRIMARY KEY (\"id\")\n);\nINSERT INTO A VALUES('it''s; (1, 2)', NULL),(\"x-1\",-2.50);\nCREATE INDEX i ON A (id);\nCOMMIT;";
        let tables = parse(text).unwrap();
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].column("billing_city"), Some(1));
        assert_eq!(tables[0].rows[0], [Some("it's; (1, 2)".to_owned()), None]);
        assert_eq!(
            tables[0].rows[1],
            [Some("x-1".to_owned()), Some("-2.50".to_owned())]
        );
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        for (text, words) in [
            ("\nDROP TABLE A;", "line 2"),
            ("INSERT INTO A VALUES(1);", "made before"),
            ("CREATE TABLE A (id INT);INSERT INTO A VALUES(1,2);", "1 values"),
            ("CREATE TABLE A (id INT);INSERT INTO A VALUES(now());", "a value"),
            ("CREATE TABLE A (id INT", ") expected"),
            ("CREATE TABLE A (id INT);INSERT INTO A VALUES('a", "unclosed"),
            ("CREATE TABLE A (id INT);INSERT INTO A SELECT 1;", "VALUES"),
            ("CREATE", "CREATE"),
            ("@", "unexpected"),
        ] {
            let result = parse(text);
            if text == "CREATE" {
                assert!(result.is_ok());
            } else {
                assert!(result.clone().unwrap_err().contains(words), "{text}: {result:?}");
            }
        }
    }
}
