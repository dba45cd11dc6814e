//! Every path that a file's code names (`crate::format::page`, `std::fs::File`), with use trees written out.
//!
//! Key decision: paths are read from tokens, in `use` lines and in expressions alike, so that no import can hide.
//! This is not name resolution: `crate`, `super` and `self` are resolved from the file's place, aliases are not.

use super::source::{Source, is_word, line_at};

/// A path of two or more segments, or a whole crate named in a `use`.
#[derive(Debug, PartialEq)]
pub struct Named {
    pub line: usize,
    /// `crate` first for paths inside the package, however they were written.
    pub segments: Vec<String>,
}

struct Token<'a> {
    at: usize,
    text: &'a str,
}

/// Words, `::`, and single marks.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = match bytes[at] {
            byte if is_word(byte) => bytes[at..].iter().take_while(|b| is_word(**b)).count(),
            b':' if bytes.get(at + 1) == Some(&b':') => 2,
            _ => 1,
        };
        if !bytes[at].is_ascii_whitespace() {
            out.push(Token {
                at,
                text: &code[at..at + length],
            });
        }
        at += length;
    }
    out
}

/// The module that a file is, from the path below `src`: `format/page.rs` and `format/page/mod.rs` are `[format, page]`.
pub fn module_of(below_src: &str) -> Vec<String> {
    let mut module: Vec<String> = below_src
        .trim_end_matches(".rs")
        .split('/')
        .map(str::to_owned)
        .collect();
    if module
        .last()
        .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
    {
        module.pop();
    }
    module
}

/// The paths in `code`, which is one of the views of `source`.
pub fn named(source: &Source, code: &str) -> Vec<Named> {
    let tokens = tokens(code);
    let mut module = source.below_src().map(module_of).unwrap_or_default();
    let mut inline_depths = Vec::new();
    let (mut depth, mut at, mut out) = (0, 0, Vec::new());
    while at < tokens.len() {
        match tokens[at].text {
            "{" => depth += 1,
            "}" => {
                if inline_depths.last() == Some(&depth) {
                    inline_depths.pop();
                    module.pop();
                }
                depth -= 1;
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token.text == "{") => {
                module.push(tokens[at + 1].text.into());
                inline_depths.push(depth + 1);
                at += 1;
            }
            word if word.bytes().all(is_word) => {
                let in_use = at > 0 && tokens[at - 1].text == "use";
                let mut found = Vec::new();
                let start = at;
                at = tree(&tokens, at, &[], &mut found);
                let line = line_at(code, tokens[start].at);
                out.extend(
                    found
                        .into_iter()
                        .filter(|path| in_use || path.len() > 1)
                        .map(|path| Named {
                            line,
                            segments: absolute(&module, path),
                        }),
                );
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    out
}

/// Reads the use tree that begins at token `at` under `prefix`; says where it ends.
fn tree(tokens: &[Token<'_>], mut at: usize, prefix: &[String], out: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at).filter(|token| token.text.bytes().all(is_word)) {
        path.push(token.text.into());
        at += 1;
        match tokens.get(at..).map(|rest| (rest.first(), rest.get(1))) {
            Some((Some(colons), Some(open))) if colons.text == "::" && open.text == "{" => {
                return group(tokens, at + 2, &path, out);
            }
            Some((Some(colons), Some(next))) if colons.text == "::" && next.text.bytes().all(is_word) => {
                at += 1
            }
            _ => break,
        }
    }
    out.push(path);
    at
}

fn group(tokens: &[Token<'_>], mut at: usize, path: &[String], out: &mut Vec<Vec<String>>) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.text {
            "}" => return at + 1,
            "as" => at += 2,
            "{" => at = group(tokens, at + 1, path, out),
            word if word.bytes().all(is_word) => at = tree(tokens, at, path, out),
            _ => at += 1,
        }
    }
    at
}

/// `super::x` in module `[a, b]` is `crate::a::x`.
fn absolute(module: &[String], path: Vec<String>) -> Vec<String> {
    let supers = path
        .iter()
        .take_while(|segment| *segment == "super" || *segment == "self")
        .count();
    if supers == 0 {
        return path;
    }
    let up = path
        .iter()
        .take(supers)
        .filter(|segment| *segment == "super")
        .count();
    let kept = module.iter().take(module.len().saturating_sub(up)).cloned();
    std::iter::once("crate".to_owned())
        .chain(kept)
        .chain(path.into_iter().skip(supers))
        .collect()
}

#[cfg(test)]
fn names(path: &str, text: &str) -> Vec<String> {
    let source = Source::new(path, text);
    named(&source, &source.code)
        .into_iter()
        .map(|named| named.segments.join("::"))
        .collect()
}

#[test]
fn use_trees_are_written_out() {
    let text = "use crate::{base::Id, format::{page::{self, Page}, run::*}};\nuse reqwest;\nlet x = std::fs::read(y)?;";
    let all = names("engine/src/vault/open.rs", text);
    let wanted = [
        "crate::base::Id",
        "crate::format::page::self",
        "crate::format::page::Page",
        "crate::format::run",
        "reqwest",
    ];
    assert_eq!(all[..5], wanted);
    assert_eq!(all[5], "std::fs::read");
}

#[test]
fn super_is_resolved_from_the_place_of_the_file() {
    assert_eq!(
        names("engine/src/format/page.rs", "use super::super::store::x;"),
        ["crate::store::x"]
    );
    assert_eq!(
        names("engine/src/format/mod.rs", "use super::store;"),
        ["crate::store"]
    );
    assert_eq!(
        names(
            "engine/src/format/page.rs",
            "mod a { use super::b; } use super::c;"
        ),
        ["crate::format::page::b", "crate::format::c"]
    );
}
