//! The shape of a source file: its header, its length, its functions' length, and words that have no place in it.
//!
//! Key decision: limits are few and have no exceptions list; a file that outgrows one is cut in two.
//! This is not a style checker: rustfmt and clippy do that.

use super::Complaint;
use super::source::{Source, is_word, line_at};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;
const HEADER_LINES: usize = 3;

/// Packages whose code may not print; what they have to say they return.
const SILENT: [&str; 4] = [
    "engine/src/",
    "connector/src/",
    "simulator/src/",
    "simulator-s3/src/",
];
const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];

/// What promises work instead of doing it.
const PLACEHOLDERS: [&str; 4] = ["#[ignore", "todo!", "unimplemented!", "dbg!"];

/// Words of which a header that says what a file is not has at least one.
const LIMITING: [&str; 8] = [
    "not", "never", "no", "nothing", "none", "neither", "cannot", "without",
];

/// Checks one file.
pub fn shape(source: &Source) -> Vec<Complaint> {
    [
        header(source),
        length(source),
        functions(source),
        printing(source),
        placeholders(source),
    ]
    .concat()
}

fn header(source: &Source) -> Vec<Complaint> {
    let lines: Vec<&str> = source
        .text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .collect();
    let said = lines.iter().filter(|line| !line.trim().is_empty()).count();
    let mut complaints = Vec::new();
    if said < HEADER_LINES {
        let why = format!(
            "header has {said} lines of `//!`, {HEADER_LINES} are due: say what the file is for, its key decision, what it is not"
        );
        complaints.push(Complaint::new(&source.path, 1, why));
    }
    let mut words = lines
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()));
    let library = source.below_src().is_some() && source.production_lines > 0;
    if library && !words.any(|word| LIMITING.contains(&word.to_lowercase().as_str())) {
        complaints.push(Complaint::new(
            &source.path,
            1,
            "header does not say what the file is not".into(),
        ));
    }
    complaints
}

fn length(source: &Source) -> Vec<Complaint> {
    let lines = source.production_lines;
    let why = format!("{lines} lines without tests, {FILE_LINES} at most: cut the file along its nouns");
    (lines > FILE_LINES)
        .then(|| Complaint::new(&source.path, FILE_LINES, why))
        .into_iter()
        .collect()
}

fn functions(source: &Source) -> Vec<Complaint> {
    let code = &source.production;
    let mut complaints = Vec::new();
    for (at, _) in code.match_indices("fn ").filter(|(at, _)| starts_word(code, *at)) {
        let name: String = code[at + 3..]
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let Some(end) = body_end(code.as_bytes(), at).filter(|_| !name.is_empty()) else {
            continue;
        };
        let (first, last) = (line_at(code, at), line_at(code, end));
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES {
            let why =
                format!("function `{name}` has {lines} lines, {FUNCTION_LINES} at most: name its parts");
            complaints.push(Complaint::new(&source.path, first, why));
        }
    }
    complaints
}

fn starts_word(code: &str, at: usize) -> bool {
    at == 0 || !is_word(code.as_bytes()[at - 1])
}

/// The closing brace of the function that begins at `start`; none for a declaration without a body.
fn body_end(code: &[u8], start: usize) -> Option<usize> {
    let (mut braces, mut others) = (0, 0);
    for (at, byte) in code.iter().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => others += 1,
            b')' | b']' => others -= 1,
            b';' if braces == 0 && others == 0 => return None,
            b'{' if others == 0 || braces > 0 => braces += 1,
            b'}' if braces == 1 => return Some(at),
            b'}' if braces > 0 => braces -= 1,
            _ => {}
        }
    }
    None
}

fn printing(source: &Source) -> Vec<Complaint> {
    let silent =
        SILENT.iter().any(|folder| source.path.starts_with(folder)) || source.path == "bench/src/lib.rs";
    let code = if silent { source.production.as_str() } else { "" };
    mentions(
        source,
        code,
        &PRINTING,
        "libraries do not print: return it, or `tracing` it",
    )
}

fn placeholders(source: &Source) -> Vec<Complaint> {
    mentions(
        source,
        &source.code,
        &PLACEHOLDERS,
        "do it, or leave it out and file an issue",
    )
}

fn mentions(source: &Source, code: &str, words: &[&str], advice: &str) -> Vec<Complaint> {
    let found = words.iter().flat_map(|word| code.match_indices(word));
    let whole = found.filter(|(at, word)| !is_word(word.as_bytes()[0]) || starts_word(code, *at));
    whole
        .map(|(at, word)| Complaint::new(&source.path, line_at(code, at), format!("`{word}`: {advice}")))
        .collect()
}

/// Checks any text file: what lies beside the checkout is no part of the project, except the test data.
pub fn outside_world(path: &str, text: &str) -> Vec<Complaint> {
    let beside = concat!("..", "/shared");
    let data = concat!("..", "/shared", "/data");
    let hidden = [concat!(".", "library"), concat!("/work", "/shared")];
    let may_name_data = ["tests/", "bench/", ".ci/", "docs/"]
        .iter()
        .any(|folder| path.contains(folder))
        || path.ends_with("tests.rs")
        || path.ends_with(".md");
    let mut found: Vec<usize> = text
        .match_indices(beside)
        .filter(|(at, _)| !(may_name_data && text[*at..].starts_with(data)))
        .map(|(at, _)| at)
        .collect();
    found.extend(
        hidden
            .iter()
            .flat_map(|word| text.match_indices(word))
            .map(|(at, _)| at),
    );
    let why = format!("names what is no part of the project; only tests and benches may name `{data}`");
    found
        .into_iter()
        .map(|at| Complaint::new(path, line_at(text, at), why.clone()))
        .collect()
}

#[cfg(test)]
const HEADER: &str = "//! For this.\n//!\n//! Key decision: that.\n//! This is not a shop.\n";

#[cfg(test)]
fn fails(path: &str, body: &str) -> bool {
    !shape(&Source::new(path, &format!("{HEADER}{body}"))).is_empty()
}

#[test]
fn headers_say_three_things() {
    assert!(shape(&Source::new("engine/src/base/id.rs", HEADER)).is_empty());
    assert!(
        !shape(&Source::new(
            "engine/src/base/id.rs",
            "//! One.\n//!\n//! Not two.\n"
        ))
        .is_empty()
    );
    assert!(
        !shape(&Source::new(
            "engine/src/base/id.rs",
            "//! One.\n//! Two.\n//! A knot.\n"
        ))
        .is_empty()
    );
    assert!(
        shape(&Source::new(
            "engine/src/base/tests.rs",
            "//! One.\n//! Two.\n//! Three.\n"
        ))
        .is_empty()
    );
}

#[test]
fn long_files_fail_and_their_tests_do_not_count() {
    assert!(fails("src/main.rs", &"\n".repeat(FILE_LINES)));
    assert!(!fails(
        "src/main.rs",
        &format!("#[cfg(test)]\nmod tests {{{}}}", "\n".repeat(FILE_LINES))
    ));
}

#[test]
fn long_functions_fail() {
    let function = |lines: usize| {
        format!(
            "pub fn long(a: [u8; 3]) -> u8 {{{}let b = '}}'; }}\n",
            "\n".repeat(lines - 1)
        )
    };
    assert!(!fails("src/main.rs", &function(FUNCTION_LINES)));
    assert!(fails("src/main.rs", &function(FUNCTION_LINES + 1)));
    assert!(!fails(
        "src/main.rs",
        &format!("trait T {{ fn no_body(&self); {} fn b() {{}} }}", "\n".repeat(99))
    ));
}

#[test]
fn libraries_do_not_print() {
    assert!(fails("engine/src/base/id.rs", "fn f() { println!(\"x\"); }"));
    assert!(fails("simulator/src/lib.rs", "fn f() { eprintln!(\"x\"); }"));
    assert!(!fails("src/main.rs", "fn f() { println!(\"x\"); }"));
    assert!(!fails(
        "engine/src/base/id.rs",
        "/// println!\nfn f() { sprint!(); }"
    ));
    assert!(!fails(
        "engine/src/base/id.rs",
        "#[cfg(test)]\nmod tests { fn f() { println!(); } }"
    ));
}

#[test]
fn placeholders_fail_in_tests_too() {
    for word in PLACEHOLDERS {
        assert!(
            fails(
                "engine/src/base/id.rs",
                &format!("#[cfg(test)]\nmod tests {{ {word} }}")
            ),
            "{word}"
        );
    }
}

#[test]
fn the_project_stands_alone() {
    let data = concat!("..", "/shared", "/data/x");
    assert!(outside_world("tests/orgs.rs", data).is_empty());
    assert!(!outside_world("src/main.rs", data).is_empty());
    assert!(!outside_world("docs/format.md", concat!("..", "/shared", "/design.md")).is_empty());
    assert!(!outside_world("tests/orgs.rs", concat!("/work/.", "library/x")).is_empty());
}
