//! The documentation's list of endpoints, held to the source and to a running server.
//!
//! Key decision: the routes are matches over path segments, so they are read out of the source text: each arm
//! is an endpoint. An arm that is not in the table fails, and so does a line of the table without an arm.
//! Not here: what an endpoint does.

use std::collections::BTreeSet;

use halite_simulator::Org;
use regex_lite::Regex;
use serde_json::{Value, json};

use crate::support::Session;
use crate::support::raw::{exchange, request};
use crate::support::sound;

/// Method and path, with `{}` for what varies.
type Endpoints = BTreeSet<(String, String)>;

fn source(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn with_holes(path: &str) -> String {
    Regex::new(r"\{\w+\}")
        .unwrap()
        .replace_all(path, "{}")
        .into_owned()
}

/// The lines of the tables.
fn documented() -> Endpoints {
    let text = source("../docs/simulator/endpoints.md");
    let line = Regex::new(r"(?m)^\| ((?:`[A-Z]+` )+)\| `([^`]+)` \|").unwrap();
    let mut found = Endpoints::new();
    for row in line.captures_iter(&text) {
        for method in row[1].split_whitespace() {
            let new = found.insert((method.trim_matches('`').to_owned(), with_holes(&row[2])));
            assert!(new, "{} {} stands there twice", method, &row[2]);
        }
    }
    found
}

/// Texts of a pattern: `"a" | "b"` and `kind @ ("a" | "b")` are both, a name is a hole.
fn texts(pattern: &str) -> Vec<String> {
    let quoted = Regex::new("\"([^\"]*)\"").unwrap();
    let all: Vec<String> = quoted.captures_iter(pattern).map(|c| c[1].to_owned()).collect();
    if all.is_empty() {
        vec!["{}".to_owned()]
    } else {
        all
    }
}

/// Every path that the segments of a pattern stand for.
fn paths(prefix: &str, segments: &str) -> Vec<String> {
    let parts = segments
        .split(',')
        .map(str::trim)
        .filter(|s| !s.is_empty() && *s != "..");
    let mut all = vec![prefix.to_owned()];
    for part in parts {
        let texts = texts(part);
        all = all
            .iter()
            .flat_map(|start| texts.iter().map(move |t| format!("{start}/{t}")))
            .collect();
    }
    all.into_iter()
        .map(|path| if path.is_empty() { "/".to_owned() } else { path })
        .collect()
}

/// The arms of a file's matches over method and segments. An arm for any method refuses, or hands on.
fn arms(file: &str, prefixes: &[(&str, &str)]) -> Endpoints {
    let text = source(file);
    let start = Regex::new(r"^(?:pub\(crate\) )?fn (\w+)").unwrap();
    let arm = Regex::new(r#"^\s+\(("[^\[]*"), \[(.*)\]\)(.*) =>"#).unwrap();
    let whole = Regex::new(r#"^\s+\[(.*)\](?: if request\.method == ("\w+"))? =>"#).unwrap();
    let guard = Regex::new(r#"eq_ignore_ascii_case\("(\w+)"\)"#).unwrap();
    let mut prefix = "";
    let mut found = Endpoints::new();
    for line in text.lines() {
        if let Some(name) = start.captures(line) {
            prefix = prefixes
                .iter()
                .find(|(f, _)| *f == &name[1])
                .map_or("", |(_, p)| p);
        }
        let (methods, segments, rest) = if let Some(arm) = arm.captures(line) {
            (arm[1].to_owned(), arm[2].to_owned(), arm[3].to_owned())
        } else if let Some(arm) = whole.captures(line) {
            let method = arm.get(2).map(|m| m.as_str().to_owned());
            if method.is_none() && arm[1].ends_with("..") {
                continue;
            }
            (
                method.unwrap_or("\"GET\"".to_owned()),
                arm[1].to_owned(),
                String::new(),
            )
        } else {
            continue;
        };
        if segments.contains("rest @ ..") {
            continue;
        }
        for method in texts(&methods) {
            for mut path in paths(prefix, &segments) {
                if let Some(word) = guard.captures(&rest) {
                    path = format!("{}{}", path.strip_suffix("{}").unwrap(), &word[1]);
                }
                found.insert((method.clone(), path));
            }
        }
    }
    assert!(!found.is_empty(), "{file} has no arms");
    found
}

#[test]
fn the_table_is_the_list_of_routes() {
    let mut routed = arms(
        "src/http/route.rs",
        &[
            ("sobjects", "/sobjects"),
            ("composite", "/composite"),
            ("tooling", "/tooling"),
        ],
    );
    routed.extend(arms("src/http/bulk/mod.rs", &[("answer", "/jobs")]));
    routed.extend(arms("src/http/auth/mod.rs", &[("answer", "/services/oauth2")]));
    let documented = documented();
    let missing: Vec<_> = routed.difference(&documented).collect();
    assert!(
        missing.is_empty(),
        "docs/simulator/endpoints.md lacks {missing:?}"
    );
    let idle: Vec<_> = documented.difference(&routed).collect();
    assert!(
        idle.is_empty(),
        "docs/simulator/endpoints.md names what no route serves: {idle:?}"
    );
}

#[test]
fn every_endpoint_is_served() {
    let s = Session::on(Org::sample());
    let query = json!({"operation": "query", "query": "SELECT Id FROM Account"});
    let insert = json!({"operation": "insert", "object": "Account"});
    let mut asked = Endpoints::new();
    let mut refused: Vec<String> = Vec::new();
    for sound in sound::every(&s.org) {
        let job = |path: &str, order: &Value| s.send("POST", path, order).1["id"].clone();
        let target = sound
            .target
            .replace("750xx0000000001AAA", job("/jobs/query", &query).as_str().unwrap())
            .replace(
                "750xx0000000002AAA",
                job("/jobs/ingest", &insert).as_str().unwrap(),
            );
        let bytes = request(
            sound.method,
            target.as_bytes(),
            &sound.headers(&s.token),
            &sound.body,
        );
        let reply = exchange(s.server.addr(), &bytes).unwrap();
        // A job that has just begun has no results and no end, and nobody has made a locator.
        let early = sound.endpoint.starts_with("/jobs/") && reply.status == 400;
        let absent = sound.endpoint.ends_with("{locator}");
        if !(reply.status < 400 || early || absent) {
            refused.push(format!(
                "{} {target}: {} {:.200}",
                sound.method,
                reply.status,
                String::from_utf8_lossy(&reply.body)
            ));
        }
        asked.insert((sound.method.to_owned(), with_holes(sound.endpoint)));
    }
    assert!(refused.is_empty(), "{refused:#?}");
    let never: Vec<_> = documented().difference(&asked).cloned().collect();
    assert!(never.is_empty(), "support/sound.rs asks for none of {never:?}");
}
