//! Every recorded describe: given to an org, it comes back; and our own describes have its keys.
//!
//! Key decision: key sets of a describe grow with the version, so ours must hold what the recording has; an
//! org loaded with the recording sends it back as it was.
//! Not here: rights and types of standard fields beside the recordings (`recorded`).

use std::collections::BTreeSet;
use std::fs;

use halite_simulator::Org;
use serde_json::Value;

use super::shape::Rule::More;
use super::shape::differences;
use crate::support::{Session, recorded};

fn all() -> Vec<(String, Value)> {
    let Some(root) = recorded("describes") else {
        return Vec::new();
    };
    let mut names = BTreeSet::new();
    super::files(&root, &root, &mut names);
    let read = |name: &String| serde_json::from_str(&fs::read_to_string(root.join(name)).unwrap()).unwrap();
    names.iter().map(|name| (name.clone(), read(name))).collect()
}

#[test]
fn every_recorded_describe_comes_back() {
    for (file, real) in all() {
        let org = Org::empty().with_describe(&real);
        let s = Session::on(org.unwrap_or_else(|e| panic!("{file}: {e}")));
        let top = real.get("result").unwrap_or(&real);
        let name = top["name"].as_str().unwrap();
        let (status, ours) = s.get(&format!("/sobjects/{name}/describe"));
        assert_eq!(status, 200, "{file}: {ours}");
        for (key, value) in top
            .as_object()
            .unwrap()
            .iter()
            .filter(|(k, _)| *k != "childRelationships")
        {
            assert_eq!(&ours[key], value, "{file}: {key}");
        }
        for child in top["childRelationships"].as_array().into_iter().flatten() {
            assert!(
                ours["childRelationships"].as_array().unwrap().contains(child),
                "{file}: {child}"
            );
        }
        let field = top["fields"][0]["name"].as_str().unwrap();
        assert!(
            s.query(&format!("SELECT {field} FROM {name}")).0 == 200 || top["queryable"] != true,
            "{file}"
        );
    }
}

/// The built-in objects' describes, and one of a custom object, beside all recordings.
#[test]
fn our_describes_have_the_recorded_keys() {
    let s = Session::sample();
    let special = [
        "approvalLayouts",
        "caseArticleSuggestions",
        "caseRowArticleSuggestions",
        "compactLayouts",
        "defaultValues",
        "eventSeriesUpdates",
        "layouts",
        "listviews",
        "namedLayouts",
        "passwordUtilities",
        "push",
        "quickActions",
        "runAs",
    ];
    let mut wrong = Vec::new();
    // Written by hand: a flag that there is none of, numbers and flags as text.
    for (file, real) in all().into_iter().filter(|(f, _)| f != "camel/Case.partial.json") {
        let top = real.get("result").unwrap_or(&real);
        let name = top["name"].as_str().unwrap();
        let (status, ours) = s.get(&format!("/sobjects/{name}/describe"));
        let ours = if status == 200 {
            ours
        } else {
            s.get("/sobjects/Mine__c/describe").1
        };
        let found = differences(More, &special, top, &ours);
        // An object without record types, layouts or relationships shows empty lists.
        let found: Vec<_> = found.iter().filter(|d| !d.ends_with("ours is empty")).collect();
        if !found.is_empty() {
            wrong.push(format!("{file}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
