//! Planning and applying against a small, strict org in memory.
//!
//! Key decision: every plan is read back from its own text, and what was done is held against the org's rows and not against
//! the plan. Files, rights and other orgs are not here: those are tests of the command.

mod fake;

use std::collections::BTreeSet;

use super::apply::{Applied, NoBodies, apply, resume, within};
use super::fields;
use super::journal::{Final, Lines, NoJournal, replay};
use super::plan::{Action, Header, Mode, Plan};
use super::planner;
use super::undo::undo;
use super::view::Change;
use crate::base::error::Kind;
use crate::base::stamp::Stamp;
use crate::format::page::VersionKind;
use fake::{Key, Org, State, id};

fn plan_in(mode: Mode, then: &State, now: &State) -> Plan {
    let text = |s: &str| s.to_owned();
    let header = Header {
        org: text("00D000000000001EAA"),
        at: text("a"),
        at_time: text("2024-01-01T00:00:00.000Z"),
        now: text("b"),
        mode,
        created: text("2024-01-02T00:00:00.000Z"),
        ..Header::default()
    };
    let keys: BTreeSet<&Key> = then.live.keys().chain(now.live.keys()).collect();
    let changes = keys.into_iter().map(|key| {
        let (in_then, in_now) = (then.live.contains_key(key), now.live.contains_key(key));
        Ok(Change {
            sobject: key.0.clone(),
            id: key.1,
            in_then,
            in_now,
        })
    });
    let plan = planner::plan(header, then, now, changes).unwrap();
    let again = Plan::read(&written(&plan)[..]).unwrap();
    assert_eq!(written(&plan), written(&again));
    plan
}

fn plan(then: &State, now: &State) -> Plan {
    plan_in(Mode::All, then, now)
}

fn written(plan: &Plan) -> Vec<u8> {
    let mut text = Vec::new();
    plan.write(&mut text).unwrap();
    text
}

fn run(plan: &Plan, org: &mut Org) -> Applied {
    let mut last = (0, 0);
    let applied = apply(plan, org, &mut NoJournal, &mut |done, total| last = (done, total)).unwrap();
    assert_eq!(applied.outcomes.ends.len(), plan.operations.len());
    assert_eq!(last, (plan.operations.len(), plan.operations.len()));
    applied
}

fn ends(applied: &Applied) -> Vec<&Final> {
    applied.outcomes.ends.values().collect()
}

fn refers(field: &str, to: &str) -> String {
    format!(r#"{{"{field}":"{}"}}"#, id(to))
}

#[test]
fn a_chain_is_created_from_the_root_and_repointed() {
    let then = State::default()
        .with("Account", "001a", &refers("ParentId", "001b"))
        .with("Account", "001b", &refers("ParentId", "001c"))
        .with(
            "Account",
            "001c",
            r#"{"Amount__c":12345678901234567.89,"Sum__c":3,"Number__c":"7","Secret__c":{"$masked":"**1"}}"#,
        )
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Detail__c", "a01a", &refers("Account__c", "001b"));
    let plan = plan(&then, &State::default());
    let mut org = Org::default();
    let applied = run(&plan, &mut org);
    assert_eq!(applied.counts(), [("created", 5)].into());
    let new = |name: &str| applied.id_map[&id(name)];
    assert_eq!(
        org.value("Account", new("001a"), "ParentId"),
        format!("\"{}\"", new("001b"))
    );
    assert_eq!(
        org.value("Detail__c", new("a01a"), "Account__c"),
        format!("\"{}\"", new("001b"))
    );
    assert_eq!(
        org.value("Account", new("001c"), "Amount__c"),
        "12345678901234567.89"
    );
    assert!(
        !org.live[&("Account".into(), new("001c"))]
            .keys()
            .any(|n| ["Sum__c", "Number__c", "Secret__c"].contains(&n.as_str()))
    );
}

#[test]
fn a_ring_is_cut_at_one_reference_and_closed_later() {
    let then = State::default()
        .with("Account", "001a", &refers("Main__c", "003a"))
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Account", "001b", &refers("ParentId", "001b"));
    let plan = plan(&then, &State::default());
    let late = plan.operations.iter().filter(|op| op.action == Action::Edit);
    assert_eq!(
        (late.count(), plan.counts()[&("Account", Action::Create)]),
        (2, 2)
    );
    let mut org = Org::default();
    let applied = run(&plan, &mut org);
    let new = |name: &str| applied.id_map[&id(name)];
    assert_eq!(
        org.value("Account", new("001a"), "Main__c"),
        format!("\"{}\"", new("003a"))
    );
    assert_eq!(
        org.value("Contact", new("003a"), "AccountId"),
        format!("\"{}\"", new("001a"))
    );
    assert_eq!(
        org.value("Account", new("001b"), "ParentId"),
        format!("\"{}\"", new("001b"))
    );
}

#[test]
fn a_ring_of_required_references_is_impossible_and_so_is_what_needs_it() {
    let then = State::default()
        .with("Ring__c", "a02a", &refers("Next__c", "a02b"))
        .with("Ring__c", "a02b", &refers("Next__c", "a02a"))
        .with("Ring__c", "a02c", &refers("Next__c", "a02a"))
        .with("User", "005a", "{}")
        .with("Stray__c", "a03a", "{}");
    let now = ["a02a", "a02b", "a02c"].iter().fold(State::default(), |s, n| {
        s.without("Ring__c", n, VersionKind::Purged)
    });
    let plan = plan(&then, &now);
    assert!(plan.operations.is_empty());
    assert_eq!(plan.impossible.len(), 5, "{:?}", plan.impossible);
}

#[test]
fn edits_set_only_what_differs_nulls_included_and_newer_records_stay() {
    let then = State::default().with("Account", "001a", r#"{"Name":"A"}"#).with(
        "Account",
        "001b",
        r#"{"Sum__c":1}"#,
    );
    let now = State::default()
        .with("Account", "001a", r#"{"Name":"B","Amount__c":5}"#)
        .with("Account", "001b", r#"{"Sum__c":2}"#)
        .with("Account", "001n", "{}");
    let plan = plan(&then, &now);
    assert_eq!(plan.operations.len(), 1);
    assert_eq!(
        fields::text(&plan.operations[0].fields.open().unwrap()).unwrap(),
        r#"{"Amount__c":null,"Name":"A"}"#
    );
    assert_eq!(plan.newer.len(), 1);
    let mut org = Org::of(&now);
    assert_eq!(ends(&run(&plan, &mut org)), [&Final::Edited]);
    assert_eq!(org.live[&("Account".into(), id("001a"))].len(), 2);
    assert_eq!(ends(&run(&plan, &mut org)), [&Final::Unchanged]);
}

#[test]
fn what_changed_since_the_plan_is_a_conflict() {
    let (then, now) = (
        State::default().with("Account", "001a", r#"{"Name":"A"}"#),
        State::default().with("Account", "001a", r#"{"Name":"B"}"#),
    );
    let plan = plan(&then, &now);
    let mut org = Org::of(&State::default().with("Account", "001a", r#"{"Name":"C"}"#));
    assert!(matches!(ends(&run(&plan, &mut org))[..], [Final::Conflict(_)]));
    assert_eq!(org.value("Account", id("001a"), "Name"), r#""C""#);
    assert!(matches!(
        ends(&run(&plan, &mut Org::default()))[..],
        [Final::Conflict(_)]
    ));
}

#[test]
fn undelete_keeps_the_id_and_edits_what_differs() {
    let then = State::default().with("Account", "001a", r#"{"Name":"A"}"#).with(
        "Contact",
        "003a",
        &refers("AccountId", "001a"),
    );
    let at_deletion = then
        .clone()
        .with("Account", "001a", r#"{"Name":"B","Amount__c":1.50}"#);
    let now = State::default()
        .without("Account", "001a", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Deleted);
    let plan = plan(&then, &now);
    let mut org = Org::default()
        .binned("Account", "001a", &at_deletion)
        .binned("Contact", "003a", &then);
    org.cascade.insert(id("001a"), vec![id("003a")]);
    assert_eq!(run(&plan, &mut org).counts(), [("undeleted", 2)].into());
    assert_eq!(org.value("Account", id("001a"), "Name"), r#""A""#);
    assert_eq!(org.value("Account", id("001a"), "Amount__c"), "null");
    assert_eq!(org.writes, 2);
}

#[test]
fn an_undelete_out_of_the_bin_falls_to_create_and_its_children_follow() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"A"}"#)
        .with("Contact", "003a", &refers("AccountId", "001a"))
        .with("Detail__c", "a01a", &refers("Account__c", "001a"))
        .with("Account", "001z", &refers("ParentId", "001a"));
    let now = State::default()
        .without("Account", "001a", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Deleted)
        .without("Detail__c", "a01a", VersionKind::Purged)
        .with("Account", "001z", "{}");
    let plan = plan(&then, &now);
    let mut org = Org {
        live: now.live,
        ..Org::default()
    }
    .binned("Contact", "003a", &then);
    let applied = run(&plan, &mut org);
    assert_eq!(
        applied.counts(),
        [("created", 2), ("edited", 1), ("undeleted", 1)].into()
    );
    let new = format!("\"{}\"", applied.id_map[&id("001a")]);
    assert_eq!(org.value("Contact", id("003a"), "AccountId"), new);
    assert_eq!(org.value("Account", id("001z"), "ParentId"), new);
    assert_eq!(
        org.value("Detail__c", applied.id_map[&id("a01a")], "Account__c"),
        new
    );
}

#[test]
fn what_needs_a_refused_parent_is_skipped() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"bad"}"#)
        .with("Detail__c", "a01a", &refers("Account__c", "001a"))
        .with("Account", "001b", "{}");
    let plan = plan(&then, &State::default());
    let mut org = Org {
        refuse_name: Some("bad".into()),
        ..Org::default()
    };
    assert_eq!(
        run(&plan, &mut org).counts(),
        [("created", 1), ("refused", 1), ("skipped", 1)].into()
    );
}

#[test]
fn references_to_what_stays_gone_are_left_out_where_they_may_be() {
    let then = State::default()
        .with("Contact", "003a", &refers("AccountId", "001x"))
        .with("Detail__c", "a01a", &refers("Account__c", "001x"));
    let now = State::default().without("Account", "001x", VersionKind::Purged);
    let plan = plan(&then, &now);
    assert_eq!((plan.operations.len(), plan.impossible.len()), (1, 1));
    assert_eq!(run(&plan, &mut Org::default()).counts(), [("created", 1)].into());
}

#[test]
fn modes_leave_the_rest() {
    let then = State::default()
        .with("Account", "001a", "{}")
        .with("Account", "001b", r#"{"Name":"A"}"#);
    let now = State::default().with("Account", "001b", r#"{"Name":"B"}"#);
    let only = |mode| {
        plan_in(mode, &then, &now)
            .operations
            .iter()
            .map(|op| op.action)
            .collect::<Vec<_>>()
    };
    assert_eq!(only(Mode::Existing), [Action::Edit]);
    assert_eq!(only(Mode::Deleted), [Action::Create]);
    assert_eq!(only(Mode::All), [Action::Create, Action::Edit]);
}

/// A plan of 450 creates, an org, and the journal of a first run.
fn lost(org: &mut Org) -> (Plan, Applied, String) {
    let mut then = State::default();
    for n in 0..450 {
        then = then.with("Account", &format!("001{n:06}"), r#"{"Amount__c":3}"#);
    }
    let plan = plan(&then, &State::default());
    let mut lines = Lines(Vec::new());
    let first = apply(&plan, org, &mut lines, &mut |_, _| ()).unwrap();
    (plan, first, String::from_utf8(lines.0).unwrap())
}

fn again(plan: &Plan, org: &mut Org, journal: &str) -> Applied {
    let past = replay(journal.lines()).unwrap();
    resume(plan, org, &mut NoJournal, past, &mut NoBodies, &mut |_, _| ()).unwrap()
}

#[test]
fn a_lost_create_is_found_by_what_was_sent() {
    let mut org = Org {
        lose_replies: true,
        ..Org::default()
    };
    let (plan, first, journal) = lost(&mut org);
    assert_eq!((first.counts(), org.made), ([("created", 450)].into(), 450));
    assert_eq!(first.id_map.values().collect::<BTreeSet<_>>().len(), 450);
    // Killed before the answers of any batch were noted.
    let cut: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    let resumed = again(&plan, &mut org, &cut);
    assert_eq!(
        (resumed.counts(), org.made),
        ([("created", 450)].into(), 450 + 250)
    );
}

#[test]
fn a_lost_create_that_cannot_be_told_is_unknown_and_never_repeated() {
    let mut org = Org {
        lose_replies: true,
        shout: true,
        ..Org::default()
    };
    let (plan, first, journal) = lost(&mut org);
    assert_eq!(first.counts(), [("unknown", 450)].into());
    org.now = 3_600_000;
    let resumed = again(&plan, &mut org, &journal);
    assert_eq!((resumed.counts(), org.made), ([("unknown", 450)].into(), 450));
}

#[test]
fn a_lost_create_of_which_there_is_no_trace_is_repeated_once_it_cannot_come_any_more() {
    let mut org = Org {
        lose_replies: true,
        ..Org::default()
    };
    let (plan, _, journal) = lost(&mut org);
    let cut: String = journal.lines().take(2).map(|line| format!("{line}\n")).collect();
    let intent = replay(cut.lines()).unwrap().open;
    assert_eq!(intent.len(), 200);
    let mut org = Org::default();
    assert_eq!(
        again(&plan, &mut org, &cut).counts(),
        [("created", 250), ("unknown", 200)].into()
    );
    let mut org = Org {
        now: 600_000 + intent.values().map(|at| at.millis()).max().unwrap(),
        ..Org::default()
    };
    assert_eq!(again(&plan, &mut org, &cut).counts(), [("created", 450)].into());
    assert_eq!(org.made, 450);
}

#[test]
fn a_full_storage_ends_the_run_which_goes_on_once_there_is_room() {
    let mut then = State::default();
    for n in 0..450 {
        then = then.with("Account", &format!("001{n:06}"), "{}");
    }
    let plan = plan(&then, &State::default());
    let mut org = Org {
        room: Some(100),
        ..Org::default()
    };
    let mut lines = Lines(Vec::new());
    let full = apply(&plan, &mut org, &mut lines, &mut |_, _| ()).unwrap_err();
    assert_eq!(
        (full.kind(), org.writes, org.made),
        (Kind::Quota, 1, 100),
        "{full}"
    );
    let journal = String::from_utf8(lines.0).unwrap();
    assert!(replay(journal.lines()).unwrap().open.is_empty());
    org.room = None;
    assert_eq!(
        again(&plan, &mut org, &journal).counts(),
        [("created", 450)].into()
    );
    assert_eq!(org.made, 450);
}

#[test]
fn a_call_that_never_left_can_be_made_again() {
    let then = State::default().with("Account", "001a", "{}");
    let (plan, mut lines) = (plan(&then, &State::default()), Lines(Vec::new()));
    let mut org = Org {
        fail_creates: true,
        ..Org::default()
    };
    assert!(apply(&plan, &mut org, &mut lines, &mut |_, _| ()).is_err());
    org.fail_creates = false;
    let text = String::from_utf8(lines.0).unwrap();
    let applied = resume(
        &plan,
        &mut org,
        &mut NoJournal,
        replay(text.lines()).unwrap(),
        &mut NoBodies,
        &mut |_, _| (),
    )
    .unwrap();
    assert_eq!(applied.counts(), [("created", 1)].into());
    assert!(replay(["{}"]).is_err());
}

#[test]
fn what_the_org_does_not_undelete_is_tried_once_however_few_calls_a_run_has() {
    let (mut then, mut now) = (State::default(), State::default());
    for n in 0..450 {
        then = then.with("Account", &format!("001{n:06}"), r#"{"Amount__c":3}"#);
        now = now.without("Account", &format!("001{n:06}"), VersionKind::Deleted);
    }
    let plan = plan(&then, &now);
    // The bin was emptied since.
    let (mut org, mut lines) = (Org::default(), Lines(Vec::new()));
    let mut ends = Vec::new();
    while ends.len() < 20 {
        let past = replay(std::str::from_utf8(&lines.0).unwrap().lines()).unwrap();
        let end = within(
            5,
            &plan,
            &mut org,
            &mut lines,
            past,
            &mut NoBodies,
            &mut |_, _| (),
        );
        let is_over = end.is_ok();
        ends.push(end.map(|applied| applied.counts()).map_err(|e| e.kind()));
        if is_over {
            break;
        }
    }
    assert_eq!(ends.pop(), Some(Ok([("created", 450)].into())));
    assert!(!ends.is_empty() && ends.iter().all(|end| *end == Err(Kind::Quota)));
    assert_eq!((org.undeletes, org.made, org.writes), (3, 450, 6));
}

#[test]
fn what_a_restore_did_can_be_undone_and_done_again() {
    let then = State::default()
        .with("Account", "001a", r#"{"Name":"old"}"#)
        .with("Account", "001b", "{}")
        .with("Account", "001c", &refers("ParentId", "001b"))
        .with("Contact", "003a", &refers("AccountId", "001c"))
        .with("Contact", "003b", &refers("AccountId", "001b"));
    let now = State::default()
        .with("Account", "001a", r#"{"Name":"new","Amount__c":5}"#)
        .with("Contact", "003b", "{}")
        .without("Account", "001b", VersionKind::Purged)
        .without("Account", "001c", VersionKind::Deleted)
        .without("Contact", "003a", VersionKind::Purged);
    let mut org = Org::of(&now).binned("Account", "001c", &then);
    // The delete had emptied it.
    org.bin.get_mut(&id("001c")).unwrap().1.remove("ParentId");
    let (before, forth) = (org.live.clone(), plan(&then, &now));
    let mut lines = Lines(Vec::new());
    let applied = apply(&forth, &mut org, &mut lines, &mut |_, _| ()).unwrap();
    assert_eq!(
        applied.counts(),
        [("created", 2), ("edited", 2), ("undeleted", 1)].into()
    );
    let restored = org.live.clone();
    let past = replay(std::str::from_utf8(&lines.0).unwrap().lines()).unwrap();
    let back = undo(&forth, &past, Stamp::from_millis(9)).unwrap();
    let back = Plan::read(&written(&back)[..]).unwrap();
    let mut lines = Lines(Vec::new());
    let undone = apply(&back, &mut org, &mut lines, &mut |_, _| ()).unwrap();
    assert_eq!(
        undone.counts(),
        [("deleted", 3), ("edited", 2)].into(),
        "{undone:?}"
    );
    assert_eq!(format!("{:?}", org.live), format!("{before:?}"));
    assert_eq!(back.warnings.iter().map(|w| w.operations.len()).sum::<usize>(), 2);
    let past = replay(std::str::from_utf8(&lines.0).unwrap().lines()).unwrap();
    let forth = undo(&back, &past, Stamp::from_millis(10)).unwrap();
    let again = run(&Plan::read(&written(&forth)[..]).unwrap(), &mut org);
    assert_eq!(
        again.counts(),
        [("edited", 2), ("undeleted", 3)].into(),
        "{again:?}"
    );
    assert_eq!(format!("{:?}", org.live), format!("{restored:?}"));
    assert!(undo(&forth, &Default::default(), Stamp::NONE).is_err());
}

#[test]
fn a_plan_edited_into_nonsense_names_its_line() {
    let then =
        State::default()
            .with("Account", "001a", "{}")
            .with("Contact", "003a", &refers("AccountId", "001a"));
    let text = String::from_utf8(written(&plan(&then, &State::default()))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    let swapped = [lines[0], lines[2], lines[1]].join("\n");
    let renumbered = swapped
        .replace("\"number\":2", "\"number\":9")
        .replace("\"number\":1", "\"number\":2")
        .replace("\"number\":9", "\"number\":1");
    let cases = [
        (
            text.replace("\"number\":2", "\"number\":3"),
            "line 3: operation number 3, expected 2",
        ),
        (text.replace("\"reason\"", "\"raison\""), "line 2: column"),
        (
            text.replace("\"version\":2", "\"version\":3"),
            "line 1: plan version 3",
        ),
        (
            text.replace("\"level\":1", "\"level\":0"),
            "line 3: AccountId points at",
        ),
        (swapped, "line 2: operation number 2"),
        (
            renumbered.replace("\"level\":1", "\"level\":0"),
            "line 2: AccountId points at",
        ),
        (
            text.replace("\"to\":\"001a", "\"to\":\"001b"),
            "line 3: the reference AccountId names",
        ),
        (text.replace("\"id\":\"003a", "\"id\":\"!03a"), "line 3: column"),
        (
            text.replace("\"action\":\"create\"", "\"action\":\"delete\""),
            "line 2: a delete of",
        ),
        (
            text.replace("\"action\":\"create\"", "\"action\":\"destroy\""),
            "line 2: column",
        ),
        (
            text.replace("\"Name\":", "\"Id\":"),
            "line 2: the field `Id` cannot be set",
        ),
        (text.replace("\"Name\":\"", "\"Name\":[\""), "line 2: column"),
        (format!("{text}{}", lines[0]), "line 4: a second header"),
        (
            format!("{text}{}", lines[2].replace("\"number\":2", "\"number\":3")),
            "line 4: a second create",
        ),
        (lines[1].to_owned(), "line 1: a plan begins with its header"),
        (String::new(), "an empty file"),
        (text[..text.len() - 9].to_owned(), "line 3: column"),
    ];
    for (bad, message) in cases {
        let error = Plan::read(bad.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(message), "{message}: {error}");
    }
}
