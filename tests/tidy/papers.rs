//! The papers beside the code: manifests, the lock file, the record of dependencies, and the list of test modules.
//!
//! Key decision: a dependency costs a line of reasons, and the count of packages is raised by hand or not at all.
//! This is not a licence or advisory check: deny.toml says those.

use super::Complaint;
use super::source::Source;

/// Packages in Cargo.lock, ours included. To raise it is a decision: say why in the commit.
pub const PACKAGE_CEILING: usize = 420;

/// Where each dependency has its line.
pub const DEPENDENCIES: &str = "docs/decisions/0001-dependencies.md";

/// What a package's `[dependencies]` may not name; `[dev-dependencies]` may.
const MANIFEST_WALLS: [(&str, &[&str]); 5] = [
    (
        "engine/Cargo.toml",
        &[
            "halite-connector",
            "halite-simulator",
            "reqwest",
            "clap",
            "indicatif",
            "axum",
            "halite-simulator-s3",
        ],
    ),
    (
        "connector/Cargo.toml",
        &["halite-simulator", "clap", "indicatif", "axum"],
    ),
    ("simulator/Cargo.toml", &["halite-engine", "halite-connector"]),
    (
        "simulator-s3/Cargo.toml",
        &["halite-engine", "halite-connector", "object_store"],
    ),
    // What lies about S3 is for tests: nothing that ships links it.
    ("Cargo.toml", &["halite-simulator-s3"]),
];

/// The lines (number, text) of the tables of a manifest whose name ends with `table`.
fn entries<'a>(manifest: &'a str, table: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let mut inside = false;
    manifest.lines().enumerate().filter_map(move |(index, line)| {
        if line.starts_with('[') {
            inside = line.trim_matches(['[', ']']) == table;
            return None;
        }
        (inside && !line.trim().is_empty() && !line.starts_with('#')).then_some((index + 1, line))
    })
}

/// The crate that a manifest's line is for: `serde` in `serde = "1"` and in `serde.workspace = true`.
fn crate_name(entry: &str) -> &str {
    entry.split(['=', '.', ' ']).next().unwrap_or_default()
}

/// Checks one package's manifest: its walls, and that versions are written once, in the workspace.
pub fn manifest(path: &str, text: &str) -> Vec<Complaint> {
    let walls = MANIFEST_WALLS
        .iter()
        .find(|(wall, _)| *wall == path)
        .map_or(&[][..], |(_, crates)| *crates);
    let mut complaints = Vec::new();
    for (line, entry) in entries(text, "dependencies").filter(|(_, entry)| walls.contains(&crate_name(entry)))
    {
        let why = format!("`{}` may not be a dependency of this package", crate_name(entry));
        complaints.push(Complaint::new(path, line, why));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let versioned = |(_, entry): &(usize, &str)| {
            !["workspace = true", "path = "]
                .iter()
                .any(|pinned| entry.contains(pinned))
        };
        for (line, entry) in entries(text, table).filter(versioned) {
            let why = format!(
                "`{}` has its own version: use `.workspace = true`",
                crate_name(entry)
            );
            complaints.push(Complaint::new(path, line, why));
        }
    }
    complaints
}

/// Checks that the workspace's dependencies and the record of reasons name the same crates.
pub fn reasons(workspace: &str, record: &str) -> Vec<Complaint> {
    let names: Vec<(usize, &str)> = entries(workspace, "workspace.dependencies")
        .map(|(line, entry)| (line, crate_name(entry)))
        .filter(|(_, name)| !name.starts_with("halite-"))
        .collect();
    let told: Vec<(usize, &str)> = record
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.strip_prefix("| `")?.split('`').next()?)))
        .collect();
    let untold = names
        .iter()
        .filter(|(_, name)| !told.iter().any(|(_, other)| other == name));
    let stale = told
        .iter()
        .filter(|(_, name)| !names.iter().any(|(_, other)| other == name));
    untold
        .map(|(line, name)| {
            Complaint::new(
                "Cargo.toml",
                *line,
                format!("`{name}` has no line in {DEPENDENCIES}: add one"),
            )
        })
        .chain(stale.map(|(line, name)| {
            Complaint::new(
                DEPENDENCIES,
                *line,
                format!("`{name}` is no dependency of the workspace: drop the line"),
            )
        }))
        .collect()
}

/// Checks the count of packages.
pub fn lock(text: &str, ceiling: usize) -> Vec<Complaint> {
    let packages = text.lines().filter(|line| *line == "[[package]]").count();
    let why = format!(
        "{packages} packages, {ceiling} at most: do without the new one, or raise PACKAGE_CEILING by hand"
    );
    (packages > ceiling)
        .then(|| Complaint::new("Cargo.lock", 0, why))
        .into_iter()
        .collect()
}

/// Checks that each file under `tests/` is a module of the one test binary.
pub fn modules(sources: &[Source]) -> Vec<Complaint> {
    let tests: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with("tests/"))
        .collect();
    let declared = |source: &&&Source| {
        let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parents = [
            format!("{parent}.rs"),
            format!("{parent}/mod.rs"),
            format!("{parent}/main.rs"),
        ];
        tests
            .iter()
            .any(|other| parents.contains(&other.path) && declares(&other.code, name))
    };
    let lost = tests
        .iter()
        .filter(|source| source.path != "tests/main.rs" && !declared(source));
    lost.map(|source| {
        Complaint::new(
            &source.path,
            1,
            "no module of the test binary: declare it with `mod`".into(),
        )
    })
    .collect()
}

fn declares(code: &str, name: &str) -> bool {
    code.lines()
        .any(|line| line.trim().trim_start_matches("pub ").trim() == format!("mod {name};"))
}

#[test]
fn manifests_keep_the_walls_and_one_version() {
    assert!(!manifest("engine/Cargo.toml", "[dependencies]\nreqwest.workspace = true\n").is_empty());
    assert!(
        !manifest(
            "connector/Cargo.toml",
            "[dependencies]\nhalite-simulator = { workspace = true }\n"
        )
        .is_empty()
    );
    assert!(
        manifest(
            "connector/Cargo.toml",
            "[dev-dependencies]\nhalite-simulator.workspace = true\n"
        )
        .is_empty()
    );
    assert!(!manifest("engine/Cargo.toml", "[dependencies]\nserde = \"1\"\n").is_empty());
}

#[test]
fn every_dependency_has_its_reason() {
    let workspace =
        "[workspace.dependencies]\nhalite-engine = { path = \"engine\" }\nserde = \"1\"\n[lints]\nx = 1\n";
    assert!(reasons(workspace, "| `serde` | reads JSON |\n").is_empty());
    assert!(!reasons(workspace, "").is_empty());
    assert!(!reasons(workspace, "| `serde` | reads JSON |\n| `gone` | was here |\n").is_empty());
}

#[test]
fn the_lock_file_has_a_ceiling() {
    let text = "[[package]]\nname = \"a\"\n".repeat(3);
    assert!(lock(&text, 3).is_empty());
    assert!(!lock(&text, 2).is_empty());
}

#[test]
fn a_forgotten_test_file_is_found() {
    let main = Source::new("tests/main.rs", "mod tidy;\n");
    let tidy = Source::new("tests/tidy.rs", "mod shape; // mod lost;\n");
    let shape = Source::new("tests/tidy/shape.rs", "");
    let lost = Source::new("tests/tidy/lost.rs", "");
    assert!(modules(&[main, tidy, shape]).is_empty());
    let again = [
        Source::new("tests/main.rs", "mod tidy;"),
        Source::new("tests/tidy.rs", "// mod lost;"),
        lost,
    ];
    assert_eq!(modules(&again).len(), 1);
}
