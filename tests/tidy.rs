//! The rules of the house, enforced on the source tree of the workspace.
//!
//! Key decision: every rule is a pure function from text to complaints, with tests that show it can fail.
//! This is not a linter for others: the rules name this project's layers, and live in the tables of each module.

mod imports;
mod papers;
mod paths;
mod shape;
mod source;

use std::fmt;
use std::fs;
use std::path::Path;

use source::Source;

/// Folders with Rust source of ours.
const CODE: [&str; 10] = [
    "engine",
    "connector",
    "simulator",
    "simulator-s3",
    "src",
    "tests",
    "bench",
    "soak",
    "examples",
    "fuzz",
];

/// A broken rule: where, and what to do.
#[derive(Clone)]
pub struct Complaint {
    path: String,
    line: usize,
    what: String,
}

impl Complaint {
    fn new(path: &str, line: usize, what: String) -> Self {
        Self {
            path: path.into(),
            line,
            what,
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Every text file of the project as (path from the root, text), in order.
fn files() -> Vec<(String, String)> {
    let mut out = Vec::new();
    collect(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut out);
    out.sort();
    out
}

fn collect(folder: &Path, prefix: &str, out: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if ["target", ".git", "node_modules"].contains(&name.as_str()) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), out);
        } else if is_text(&name, prefix) {
            out.extend(fs::read_to_string(&path).map(|text| (format!("{prefix}{name}"), text)));
        }
    }
}

fn is_text(name: &str, prefix: &str) -> bool {
    let known = [".rs", ".toml", ".md", ".sh"]
        .iter()
        .any(|ending| name.ends_with(ending));
    known || prefix == ".ci/" || ["justfile", "Cargo.lock"].contains(&name)
}

fn sources(files: &[(String, String)]) -> Vec<Source> {
    let ours = |path: &str| {
        path.ends_with(".rs") && CODE.iter().any(|folder| path.split('/').next() == Some(folder))
    };
    files
        .iter()
        .filter(|(path, _)| ours(path))
        .map(|(path, text)| Source::new(path, text))
        .collect()
}

fn text_of<'a>(files: &'a [(String, String)], path: &str) -> &'a str {
    files
        .iter()
        .find(|(other, _)| other == path)
        .map_or("", |(_, text)| text)
}

fn settle(complaints: &[Complaint]) {
    let lines: Vec<String> = complaints.iter().map(Complaint::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} rules of the house broken:\n{}\n",
        lines.len(),
        lines.join("\n")
    );
}

#[test]
fn imports_follow_the_layers() {
    let sources = sources(&files());
    assert!(sources.len() > 5, "the source tree was not found");
    settle(&sources.iter().flat_map(imports::imports).collect::<Vec<_>>());
}

#[test]
fn modules_have_no_rings() {
    let sources = sources(&files());
    settle(
        &[
            imports::rings(&sources, "connector", 1),
            imports::rings(&sources, "engine", 2),
        ]
        .concat(),
    );
}

#[test]
fn files_keep_their_shape() {
    settle(
        &sources(&files())
            .iter()
            .flat_map(shape::shape)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_outside_the_project_is_named() {
    settle(
        &files()
            .iter()
            .flat_map(|(path, text)| shape::outside_world(path, text))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn manifests_keep_the_walls() {
    let files = files();
    let manifests = files
        .iter()
        .filter(|(path, _)| path.ends_with("Cargo.toml") && !path.starts_with("fuzz/"));
    settle(
        &manifests
            .flat_map(|(path, text)| papers::manifest(path, text))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn dependencies_have_reasons_and_a_ceiling() {
    let files = files();
    let record = text_of(&files, papers::DEPENDENCIES);
    let reasons = papers::reasons(text_of(&files, "Cargo.toml"), record);
    settle(
        &[
            reasons,
            papers::lock(text_of(&files, "Cargo.lock"), papers::PACKAGE_CEILING),
        ]
        .concat(),
    );
}

#[test]
fn every_test_file_is_a_module() {
    settle(&papers::modules(&sources(&files())));
}
