//! What fires on writes, as the simulated org's setup tells it.
//!
//! Key decision: the org is given one of each kind, active and not, on an sObject that is asked for and on one that is not;
//! the calls are counted by the org. Not here: what a plan makes of it.

use std::collections::BTreeMap;

use halite_engine::base::error::Kind;
use halite_engine::ops::org::{Automations, Target, Write};
use halite_simulator::{Deed, Fault, Org, Permission};

use super::asks::objects;
use super::{Place, refusal};

/// `kind name on sobject: writes`, a line each.
fn lines(found: &Automations) -> Vec<String> {
    let line = |one: &halite_engine::ops::org::Automation| {
        format!("{:?} {} {} {:?}", one.fires, one.name, one.sobject, one.on)
    };
    found.active.iter().map(line).collect()
}

fn task() -> Deed {
    let values = BTreeMap::from([("Subject".to_owned(), "'x'".to_owned())]);
    Deed::CreateRow("Task".into(), values)
}

fn no() -> Deed {
    Deed::Refuse("no".into())
}

/// One of each kind on an sObject, and the same again that is off.
fn each_kind(org: &Org, sobject: &str) {
    for off in ["", "Off"] {
        let name = |what: &str| format!("{what}{off}");
        org.on_save(sobject, &name("Guard"), None, no()).unwrap();
        org.on_undelete(sobject, &name("Guard"), None, task()).unwrap();
        org.on_delete(sobject, &name("Last"), None, task()).unwrap();
        org.flow_on_save(sobject, &name("Fill"), None, task()).unwrap();
        org.add_duplicate_rule(&name("Twins"), sobject, &["Name"], true);
        org.add_workflow_rule(&name("Tell"), sobject, "onCreateOnly");
        org.add_workflow_rule(&name("Told"), sobject, "onAllChanges");
        for what in ["Guard", "Last", "Fill", "Twins", "Tell", "Told"] {
            org.activate(&name(what), off.is_empty());
        }
    }
    for _ in 0..2 {
        org.add_rule(sobject, "Name = 'never'", "no", None).unwrap();
    }
    org.activate(&format!("{sobject}.Rule_2"), false);
}

#[test]
fn what_is_active_is_told_with_the_writes_that_set_it_off_in_few_calls() {
    let (org, _) = objects(1);
    let custom = "Thing000__c";
    each_kind(&org, custom);
    each_kind(&org, "Account");
    org.on_save("Lead", "Elsewhere", None, no()).unwrap();
    let place = Place::of(org);
    let mut org = place.open();
    let found = org.automation(&[custom, "Account", "Contact"]).unwrap();
    assert_eq!(found.unseen, []);
    let of = |sobject: &str, rule: &str| {
        [
            format!("DuplicateRule Twins {sobject} [Create, Edit]"),
            format!("Flow Fill {sobject} [Create, Edit]"),
            format!("Trigger Guard {sobject} [Create, Edit, Undelete]"),
            format!("Trigger Last {sobject} [Delete]"),
            format!("ValidationRule {rule} {sobject} [Create, Edit]"),
            format!("WorkflowRule Tell {sobject} [Create]"),
            format!("WorkflowRule Told {sobject} [Create, Edit]"),
        ]
    };
    let mut told = lines(&found);
    told.sort();
    let mut wanted = [of(custom, "Rule_1"), of("Account", "Rule_3")].concat();
    // Of the second sObject's two rules, which are the third and fourth of the org, none was switched off.
    wanted.push("ValidationRule Rule_4 Account [Create, Edit]".into());
    wanted.sort();
    assert_eq!(told, wanted);
    assert_eq!(place.all_calls(), 3, "names, five kinds, eight workflow rules");
}

#[test]
fn many_sobjects_and_many_rows_are_read_to_the_last() {
    let (org, names) = objects(120);
    org.configure(|s| (s.page_size, s.even_pages) = (3, true));
    for name in &names {
        org.add_rule(name, "Name = 'never'", "no", None).unwrap();
    }
    let place = Place::of(org);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = place.open().automation(&names).unwrap();
    assert_eq!(found.unseen, []);
    let mut of: Vec<&str> = found.active.iter().map(|one| one.sobject.as_str()).collect();
    of.dedup();
    assert_eq!(of, names);
    assert!(
        found
            .active
            .iter()
            .all(|one| one.on == [Write::Create, Write::Edit])
    );
}

#[test]
fn what_the_user_may_not_see_is_unseen_and_not_none() {
    let place = Place::of(Org::sample());
    each_kind(&place.org, "Account");
    place
        .org
        .permit(&place.org.api_user(), |p| p.revoke(Permission::ViewSetup));
    let found = place.open().automation(&["Account"]).unwrap();
    assert_eq!(found.active, []);
    let what: Vec<&str> = found.unseen.iter().map(|one| one.what.as_str()).collect();
    let wanted = [
        "Apex triggers",
        "duplicate rules",
        "flows",
        "validation rules",
        "workflow rules",
    ];
    assert_eq!(what, wanted);
    assert!(
        found
            .unseen
            .iter()
            .all(|one| one.why.contains("\"View Setup and Configuration\""))
    );
    let custom = place.open().automation(&["Thing__c"]).unwrap();
    assert!(
        custom
            .unseen
            .iter()
            .any(|one| one.what == "all that is on Thing__c")
    );
}

#[test]
fn one_kind_that_is_refused_leaves_the_others_and_too_many_rules_are_said() {
    let place = Place::of(Org::sample());
    each_kind(&place.org, "Account");
    for n in 0..110 {
        place
            .org
            .add_workflow_rule(&format!("More{n}"), "Account", "onAllChanges");
    }
    place
        .org
        .configure(|c| (c.page_size, c.even_pages) = (2000, true));
    let mut org = place.open();
    let found = org.automation(&["Account"]).unwrap();
    let [unseen] = &found.unseen[..] else {
        panic!("{:?}", found.unseen)
    };
    assert!(
        unseen.what == "workflow rules" && unseen.why.contains("there are 114"),
        "{unseen:?}"
    );
    assert_eq!(place.all_calls(), 1 + 1 + 4);
    // The org takes no composite call: each is asked by itself, and one is refused.
    place
        .org
        .fault("/composite", 9, refusal(403, "INSUFFICIENT_ACCESS", "no"));
    place.org.fault(
        "FROM+ValidationRule",
        1,
        refusal(400, "INVALID_FIELD", "No such column"),
    );
    let found = org.automation(&["Account"]).unwrap();
    let unseen = found
        .unseen
        .iter()
        .find(|one| one.what == "validation rules")
        .unwrap();
    assert!(unseen.why.contains("No such column"), "{unseen:?}");
    assert!(lines(&found).contains(&"Trigger Last Account [Delete]".to_owned()));
    place.org.clear_faults();
    place.org.fault("/services/data/v67.0", 50, Fault::Drop);
    assert_eq!(org.automation(&["Account"]).unwrap_err().kind(), Kind::Io);
}
