//! One source file as the tidy rules see it: its text, and the same text with all that is not code blanked out.
//!
//! Key decision: blanking keeps every byte's place, so that a position in any view names the same line.
//! This is not a parser: it knows comments, literals and braces, which is all that the rules ask for.

/// A file of the workspace, its path relative to the root with forward slashes.
pub struct Source {
    pub path: String,
    pub text: String,
    /// The text with comments and the insides of literals blanked.
    pub code: String,
    /// `code` with every item under `#[cfg(test)]` blanked as well; empty of code for a test file.
    pub production: String,
    /// Lines of the file that are not in an item under `#[cfg(test)]`.
    pub production_lines: usize,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let code = blank_literals(text);
        let (mut production, test_lines) = blank_tests(&code);
        let mut production_lines = text.lines().count().saturating_sub(test_lines);
        if is_test_file(path) || code.contains("#![cfg(test)]") {
            production = blanked(code.as_bytes());
            production_lines = 0;
        }
        Self {
            path: path.into(),
            text: text.into(),
            code,
            production,
            production_lines,
        }
    }

    /// The package folder that the file belongs to; empty for the root package.
    pub fn package(&self) -> &str {
        let (first, _) = self.path.split_once('/').unwrap_or(("", ""));
        if ["src", "tests"].contains(&first) {
            ""
        } else {
            first
        }
    }

    /// The path below the package's `src`, if it is there.
    pub fn below_src(&self) -> Option<&str> {
        let inside = self.path.strip_prefix(self.package()).unwrap_or(&self.path);
        inside.trim_start_matches('/').strip_prefix("src/")
    }
}

/// The line, from 1, of a byte position.
pub fn line_at(text: &str, at: usize) -> usize {
    1 + text
        .as_bytes()
        .iter()
        .take(at)
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Test code beside the code it tests; the files of the root's `tests/` are held to the rules of any source.
fn is_test_file(path: &str) -> bool {
    !path.starts_with("tests/") && (path.ends_with("/tests.rs") || path.contains("/tests/"))
}

fn blanked(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| if *byte == b'\n' { '\n' } else { ' ' })
        .collect()
}

fn blank_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end > at {
            out.extend_from_slice(blanked(&bytes[at..end]).as_bytes());
            at = end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => at + position(rest, b"\n"),
        b'/' if rest.starts_with(b"/*") => at + block_comment(rest),
        b'"' => at + quoted(rest, b'"'),
        b'\'' => at + char_literal(rest),
        b'r' | b'b' | b'c' if at == 0 || !is_word(bytes[at - 1]) => at + raw_string(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// The length of a character literal, or 0 for a lifetime.
fn char_literal(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    let width = match rest.get(1) {
        Some(lead) if *lead >= 0xF0 => 4,
        Some(lead) if *lead >= 0xE0 => 3,
        Some(lead) if *lead >= 0xC0 => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') {
        width + 2
    } else {
        0
    }
}

/// The length of a raw string such as `br#"..."#`, or 0 where none begins.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = rest.iter().take_while(|byte| b"brc".contains(byte)).count();
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    let open = prefix + hashes;
    if prefix > 2 || rest[prefix - 1] != b'r' || rest.get(open) != Some(&b'"') {
        return 0;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = position(&rest[open + 1..], &close);
    (open + 1 + body + close.len()).min(rest.len())
}

fn position(hay: &[u8], needle: &[u8]) -> usize {
    hay.windows(needle.len())
        .position(|window| window == needle)
        .unwrap_or(hay.len())
}

pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The code without its items under `#[cfg(test)]`, and how many lines those take.
fn blank_tests(code: &str) -> (String, usize) {
    let (mut out, mut lines, mut from) = (String::with_capacity(code.len()), 0, 0);
    while let Some(found) = ["#[cfg(test)]", "#[cfg(all(test"]
        .iter()
        .filter_map(|a| code[from..].find(a))
        .min()
    {
        let start = from + found;
        let end = item_end(code.as_bytes(), start);
        out.push_str(&code[from..start]);
        out.push_str(&blanked(&code.as_bytes()[start..end]));
        lines += code[start..end].lines().count();
        from = end;
    }
    out.push_str(&code[from..]);
    (out, lines)
}

/// Where the item at `start` ends: its closing brace, or its semicolon if it has no body.
fn item_end(code: &[u8], start: usize) -> usize {
    let (mut braces, mut others) = (0, 0);
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b'{' => braces += 1,
            b'}' if braces == 1 => return at + 1,
            b'}' => braces -= 1,
            b';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn literals_and_comments_are_blanked_and_code_is_kept() {
    let text = "a(\"{ x\\\"\"); // {\n/* { /* */ } */ b('{', '\\'', 'é', r#\"}\"}\"#, br\"{\"); fn f<'a>(r#fn: &'a str) {}";
    let source = Source::new("src/a.rs", text);
    assert_eq!(source.code.len(), text.len());
    assert_eq!(source.code.matches('{').count(), 1);
    assert_eq!(source.code.matches('}').count(), 1);
    assert!(source.code.contains("fn f<'a>(r#fn: &'a str) {}"));
    assert_eq!(line_at(text, text.len()), 2);
}

#[test]
fn test_items_are_not_production_code() {
    let text = "fn kept() {}\n#[cfg(test)]\nuse a::b;\nfn also() {}\n#[cfg(test)]\nmod tests {\n  fn gone() {}\n}\nfn last() {}\n";
    let source = Source::new("engine/src/base/id.rs", text);
    assert!(
        source.production.contains("kept")
            && source.production.contains("also")
            && source.production.contains("last")
    );
    assert!(!source.production.contains("gone") && !source.production.contains("a::b"));
    assert_eq!(source.production_lines, 3);
    assert_eq!(Source::new("engine/src/base/tests.rs", text).production_lines, 0);
}

#[test]
fn packages_are_told_apart() {
    let place = |path| {
        let source = Source::new(path, "");
        (source.package().to_owned(), source.below_src().map(str::to_owned))
    };
    assert_eq!(
        place("engine/src/base/id.rs"),
        ("engine".into(), Some("base/id.rs".into()))
    );
    assert_eq!(place("src/main.rs"), (String::new(), Some("main.rs".into())));
    assert_eq!(place("tests/main.rs"), (String::new(), None));
}
