//! Who may import what: the layers of the engine, the order of the connector, and the walls between the packages.
//!
//! Key decision: the tables below are the rule; docs/architecture.md says the same in words.
//! This is not what cargo already refuses (rings between packages): it is what cargo would let pass.

use std::collections::{BTreeMap, BTreeSet};

use super::Complaint;
use super::paths::{Named, module_of, named};
use super::source::Source;

/// Each layer of the engine imports only those before it.
const ENGINE_LAYERS: [&str; 5] = ["base", "format", "store", "vault", "ops"];

/// The connector's modules in order; a module that is not named here is an API family and stands in the gap.
const CONNECTOR_BEFORE: [&str; 5] = ["error", "transport", "limits", "retry", "auth"];
const CONNECTOR_AFTER: [&str; 1] = ["org"];

/// What the connector may name of the engine.
const CONNECTOR_SEES: [&[&str]; 4] = [
    &["base"],
    &["ops", "org"],
    &["format", "record"],
    &["format", "describe"],
];

/// Doors to the world that `format` must not have, so that fuzzing and miri stay cheap.
const OUTSIDE_FORMAT: [&str; 12] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::File",
    "tokio",
    "redb",
    "object_store",
];

/// Files of the command that run a simulated org.
const SIMULATOR_USERS: [&str; 3] = ["src/demo", "src/simulate", "src/rehearse"];

/// Checks one file.
pub fn imports(source: &Source) -> Vec<Complaint> {
    let everything = named(source, &source.code);
    let production = named(source, &source.production);
    match source.package() {
        "engine" => [
            outside(
                source,
                &everything,
                &["halite_connector", "halite_simulator"],
                "the engine stands below it",
            ),
            engine_crates(source, &production),
            layers(source, &production),
            format_io(source, &production),
        ]
        .concat(),
        "connector" => [
            outside(
                source,
                &production,
                &["halite_simulator"],
                "only the connector's tests may",
            ),
            connector_sees(source, &production),
            connector_order(source, &production),
        ]
        .concat(),
        "simulator" | "simulator-s3" => {
            let walls = ["halite_engine", "halite_connector", "object_store"];
            outside(
                source,
                &everything,
                &walls,
                "the simulator shares no types with what it tests",
            )
        }
        "" if source.path.starts_with("src/")
            && !SIMULATOR_USERS.iter().any(|user| source.path.starts_with(user)) =>
        {
            outside(
                source,
                &production,
                &["halite_simulator"],
                "only src/demo*, src/simulate* and src/rehearse* may",
            )
        }
        _ => Vec::new(),
    }
}

fn complain(source: &Source, named: &Named, why: &str) -> Complaint {
    Complaint::new(
        &source.path,
        named.line,
        format!("imports `{}`: {why}", named.segments.join("::")),
    )
}

fn outside(source: &Source, paths: &[Named], crates: &[&str], why: &str) -> Vec<Complaint> {
    let forbidden = |path: &&Named| crates.contains(&path.segments[0].as_str());
    paths
        .iter()
        .filter(forbidden)
        .map(|path| complain(source, path, why))
        .collect()
}

fn engine_crates(source: &Source, paths: &[Named]) -> Vec<Complaint> {
    let mut crates = vec!["reqwest", "clap", "indicatif", "axum", "rpassword", "ctrlc"];
    let object_store = source
        .below_src()
        .is_some_and(|path| path.starts_with("store/object"));
    if !object_store {
        crates.extend(["tokio", "object_store"]);
    }
    outside(
        source,
        paths,
        &crates,
        "the engine is synchronous, silent and offline; do this in the command or connector",
    )
}

fn layers(source: &Source, paths: &[Named]) -> Vec<Complaint> {
    let rank = |name: &str| ENGINE_LAYERS.iter().position(|layer| *layer == name);
    let module = source.below_src().map(module_of).unwrap_or_default();
    let Some(first) = module.first().filter(|_| !source.production.trim().is_empty()) else {
        return Vec::new();
    };
    let Some(own) = rank(first) else {
        let why = format!("`{first}` is no layer of the engine: move the file into one of {ENGINE_LAYERS:?}");
        return vec![Complaint::new(&source.path, 1, why)];
    };
    let above = |path: &&Named| {
        path.segments[0] == "crate"
            && path
                .segments
                .get(1)
                .and_then(|name| rank(name))
                .is_none_or(|other| other > own)
    };
    let why = format!(
        "`{}` may import only itself and {:?}; move the type down",
        ENGINE_LAYERS[own],
        &ENGINE_LAYERS[..own]
    );
    paths
        .iter()
        .filter(above)
        .map(|path| complain(source, path, &why))
        .collect()
}

fn format_io(source: &Source, paths: &[Named]) -> Vec<Complaint> {
    if !source.below_src().is_some_and(|path| path.starts_with("format")) {
        return Vec::new();
    }
    let is_io = |path: &&Named| {
        let full = path.segments.join("::");
        OUTSIDE_FORMAT
            .iter()
            .any(|door| full == *door || full.starts_with(&format!("{door}::")))
    };
    let why = "`format` does no I/O; take bytes and give bytes, read them in `store`";
    paths
        .iter()
        .filter(is_io)
        .map(|path| complain(source, path, why))
        .collect()
}

fn connector_sees(source: &Source, paths: &[Named]) -> Vec<Complaint> {
    let hidden = |path: &&Named| {
        let inside = &path.segments[1..];
        path.segments[0] == "halite_engine"
            && !CONNECTOR_SEES
                .iter()
                .any(|door| inside.len() >= door.len() && door.iter().zip(inside).all(|(a, b)| a == b))
    };
    let why = "of the engine the connector sees base, ops::org, format::record and format::describe";
    paths
        .iter()
        .filter(hidden)
        .map(|path| complain(source, path, why))
        .collect()
}

fn connector_order(source: &Source, paths: &[Named]) -> Vec<Complaint> {
    let module = source.below_src().map(module_of).unwrap_or_default();
    let Some(own) = module.first() else {
        return Vec::new();
    };
    let later = |path: &&Named| {
        let Some(other) = path.segments.get(1) else {
            return false;
        };
        path.segments[0] == "crate" && other != own && connector_rank(other) > connector_rank(own)
    };
    let why = "the connector's order is error, transport, limits, retry, auth, one file an API family, org";
    paths
        .iter()
        .filter(later)
        .map(|path| complain(source, path, why))
        .collect()
}

fn connector_rank(module: &str) -> usize {
    let place = |list: &[&str]| list.iter().position(|name| *name == module);
    match (place(&CONNECTOR_BEFORE), place(&CONNECTOR_AFTER)) {
        (Some(rank), _) => rank,
        (None, None) => CONNECTOR_BEFORE.len(),
        (None, Some(rank)) => CONNECTOR_BEFORE.len() + 1 + rank,
    }
}

/// Rings between the modules of one package, looked at `depth` names deep: which two import each other, and where.
pub fn rings(sources: &[Source], package: &str, depth: usize) -> Vec<Complaint> {
    let mut edges: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.package() == package) {
        let from: Vec<String> = source
            .below_src()
            .map(module_of)
            .unwrap_or_default()
            .into_iter()
            .take(depth)
            .collect();
        let inside = named(source, &source.production)
            .into_iter()
            .filter(|path| path.segments[0] == "crate");
        let targets = inside.map(|path| path.segments.into_iter().skip(1).take(depth).collect());
        edges.entry(from).or_default().extend(targets);
    }
    let reach = |from: &Vec<String>| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            for next in edges
                .get(module)
                .into_iter()
                .flatten()
                .filter(|next| *next != module && edges.contains_key(*next))
            {
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        seen
    };
    let ringed = edges
        .keys()
        .filter(|module| module.len() == depth && reach(module).contains(*module));
    let place = |module: &[String]| format!("{package}/src/{}", module.join("/"));
    ringed
        .map(|module| {
            Complaint::new(
                &place(module),
                0,
                "imports itself through others: move the shared type down".into(),
            )
        })
        .collect()
}

#[cfg(test)]
fn fails(path: &str, text: &str) -> bool {
    !imports(&Source::new(path, text)).is_empty()
}

#[test]
fn a_layer_sees_only_what_stands_before_it() {
    assert!(fails(
        "engine/src/format/page.rs",
        "use crate::store::backend::Backend;"
    ));
    assert!(fails(
        "engine/src/format/page.rs",
        "fn f() { super::super::vault::open(); }"
    ));
    assert!(fails(
        "engine/src/base/id.rs",
        "use crate::{base::error, format::page};"
    ));
    assert!(fails("engine/src/base/id.rs", "use crate::Vault;"));
    assert!(!fails(
        "engine/src/ops/diff.rs",
        "use crate::vault::Vault; use super::capture; use crate::base::id;"
    ));
    assert!(fails("engine/src/util.rs", "fn f() {}"));
    assert!(!fails("engine/src/lib.rs", "pub use crate::ops::diff;"));
    assert!(!fails(
        "engine/src/base/id.rs",
        "#[cfg(test)] mod tests { use crate::ops::diff; }"
    ));
}

#[test]
fn the_format_does_no_io() {
    assert!(fails("engine/src/format/pack.rs", "use std::fs::File;"));
    assert!(fails(
        "engine/src/format/pack.rs",
        "use std::{io::{self, stdin}, vec};"
    ));
    assert!(!fails(
        "engine/src/format/pack.rs",
        "use std::io::Read; /// not std::fs::File\n"
    ));
    assert!(!fails("engine/src/store/local.rs", "use std::fs::File;"));
}

#[test]
fn packages_keep_their_walls() {
    assert!(fails("engine/src/store/local.rs", "use tokio::runtime::Runtime;"));
    assert!(fails(
        "engine/src/vault/open.rs",
        "use object_store::ObjectStore;"
    ));
    assert!(fails("simulator-s3/src/lib.rs", "use halite_engine::Kind;"));
    assert!(!fails(
        "engine/src/store/object.rs",
        "use tokio::runtime::Runtime;"
    ));
    assert!(fails(
        "engine/src/ops/org.rs",
        "#[cfg(test)] mod tests { use halite_simulator::Org; }"
    ));
    assert!(fails("connector/src/org.rs", "use halite_engine::vault::Vault;"));
    assert!(fails(
        "connector/src/org.rs",
        "use halite_engine::{base::Id, format::page};"
    ));
    assert!(!fails(
        "connector/src/org.rs",
        "use halite_engine::{base::Id, format::{record, describe}, ops::org::Source};"
    ));
    assert!(fails("connector/src/org.rs", "use halite_simulator::Org;"));
    assert!(!fails(
        "connector/src/org.rs",
        "#[cfg(test)] mod tests { use halite_simulator::Org; }"
    ));
    assert!(fails(
        "simulator/src/lib.rs",
        "fn f() -> halite_engine::base::Id {}"
    ));
    assert!(fails("src/backup.rs", "use halite_simulator::Org;"));
    assert!(!fails("src/demo/mod.rs", "use halite_simulator::Org;"));
}

#[test]
fn the_connector_has_an_order() {
    assert!(fails("connector/src/retry.rs", "use crate::auth::Token;"));
    assert!(fails("connector/src/auth.rs", "use super::bulk::Job;"));
    assert!(fails("connector/src/bulk.rs", "use crate::org::Org;"));
    assert!(!fails(
        "connector/src/bulk.rs",
        "use crate::{auth::Token, error::Error, soap};"
    ));
    assert!(!fails("connector/src/org.rs", "use crate::bulk::Job;"));
}

#[test]
fn rings_are_found() {
    let ring = [
        Source::new("connector/src/bulk.rs", "use crate::soap::x;"),
        Source::new("connector/src/soap/mod.rs", "use crate::query::x;"),
        Source::new("connector/src/query.rs", "use crate::bulk::x;"),
        Source::new("connector/src/org.rs", "use crate::bulk::x;"),
    ];
    assert_eq!(rings(&ring, "connector", 1).len(), 3);
    assert_eq!(rings(&ring[..2], "connector", 1).len(), 0);
}
