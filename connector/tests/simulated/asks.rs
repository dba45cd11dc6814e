//! Describes, counts, logs of deletions and rights: many in a call, each with an answer of its own.
//!
//! Key decision: the number of calls is part of what is promised, so it is counted by the org itself.
//! Not here: rows.

use halite_engine::base::error::Kind;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{DeletedLog, Source};
use halite_simulator::{Fault, Org, Permission};
use serde_json::{Value, json};

use super::{Place, refusal};

/// An org with this many objects more.
pub fn objects(count: usize) -> (Org, Vec<String>) {
    let names: Vec<String> = (0..count).map(|n| format!("Thing{n:03}__c")).collect();
    let org = names
        .iter()
        .fold(Org::empty(), |org, name| org.with_describe(&thing(name)).unwrap());
    (org, names)
}

fn thing(name: &str) -> Value {
    let field = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "filterable": true, "sortable": true, "nillable": true,
            "createable": true, "updateable": true, "length": 18})
    };
    let mut fields: Vec<Value> = ["Id", "Name", "SystemModstamp", "IsDeleted"]
        .into_iter()
        .zip(["id", "string", "datetime", "boolean"])
        .map(|(name, kind)| field(name, kind))
        .collect();
    fields.extend([
        field("LastModifiedDate", "datetime"),
        field("CreatedDate", "datetime"),
    ]);
    json!({"name": name, "label": name, "custom": true, "queryable": true, "retrieveable": true,
        "replicateable": true, "createable": true, "deletable": true, "undeletable": true, "fields": fields})
}

fn minutes(minutes: i64) -> i64 {
    minutes * 60_000
}

/// The logs of some sObjects from `since` on.
fn logs(org: &mut impl Source, names: &[&str], since: Stamp) -> Vec<Option<DeletedLog>> {
    let asked: Vec<(&str, Stamp)> = names.iter().map(|name| (*name, since)).collect();
    let mut logs = vec![None; names.len()];
    org.deleted(&asked, &mut |at, log| {
        logs[at] = log?;
        Ok(())
    })
    .unwrap();
    logs
}

#[test]
fn many_describes_and_logs_are_twenty_five_a_call_and_counts_are_five() {
    let (org, names) = objects(500);
    let place = Place::of(org);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut org = place.open();
    let (mut described, mut counted) = (Vec::new(), 0);
    org.describes(&names, &mut |at, text| {
        described.push((at, text.unwrap()));
        Ok(())
    })
    .unwrap();
    assert_eq!((place.calls("composite"), place.all_calls()), (20, 20));
    let (at, text) = described.remove(499);
    assert_eq!((at, text), (499, org.describe(names[499]).unwrap()), "verbatim");

    let now = org.now().unwrap();
    place.org.reset_calls();
    assert!(
        logs(&mut org, &names, now.minus_millis(minutes(60)))
            .iter()
            .all(Option::is_some)
    );
    assert_eq!(place.all_calls(), 20);
    org.counts(&names, &mut |_, count| {
        assert_eq!(count.unwrap(), 0);
        counted += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!((counted, place.all_calls()), (500, 120));
    let spent = org.spent();
    assert_eq!((spent.jobs, spent.result_bytes, spent.files), (0, 0, 0));
    assert_eq!(
        spent.calls,
        1 + 20 + 1 + 1 + 20 + 100,
        "versions, describes, one, clock, logs, counts"
    );
}

#[test]
fn an_error_is_that_of_one() {
    let place = Place::of(Org::sample());
    let mut org = place.open();
    let names = ["Account", "Nothing__c", "Contact", "AccountChangeEvent"];
    let mut kinds = Vec::new();
    org.describes(&names, &mut |_, text| {
        kinds.push(text.map(|_| ()).map_err(|e| (e.kind(), e.to_string())));
        Ok(())
    })
    .unwrap();
    assert!(kinds[0].is_ok() && kinds[2].is_ok());
    let (kind, text) = kinds[1].clone().unwrap_err();
    assert_eq!(kind, Kind::NotFound);
    assert!(text.contains("describing Nothing__c"), "{text}");
    let mut counts = Vec::new();
    org.counts(&["Account", "Nothing__c", "Contact"], &mut |_, count| {
        counts.push(count.ok());
        Ok(())
    })
    .unwrap();
    let rows = |sobject| Some(place.org.rows(sobject).len() as u64);
    assert_eq!(counts, [rows("Account"), None, rows("Contact")]);
    assert_eq!(place.calls("composite"), 2);
}

#[test]
fn what_is_asked_with_others_is_asked_alone_where_that_is_refused() {
    let place = Place::of(Org::sample());
    let faults = [
        (Fault::Html(404), 0),
        (refusal(400, "INVALID_INPUT", "no"), 0),
        (refusal(403, "INSUFFICIENT_ACCESS", "no"), 0),
        (Fault::Drop, 1),
        (Fault::AppliedButLost, 2),
        (Fault::CutJson, 2),
        (Fault::CutGzip, 2),
        (Fault::HalfBody, 2),
        (Fault::Empty(200), 1),
        (Fault::Html(503), 1),
    ];
    for (fault, composite) in faults {
        let mut org = place.open();
        place.org.fault("/composite", 1, fault.clone());
        let mut described = 0;
        org.describes(&["Account", "Contact", "Lead"], &mut |_, text| {
            described += usize::from(text.is_ok());
            Ok(())
        })
        .unwrap();
        let singles = if composite == 0 { 3 } else { 0 };
        assert_eq!(described, 3, "{fault:?}");
        assert_eq!(
            (place.calls("composite"), place.calls("describe")),
            (composite, singles),
            "{fault:?}"
        );
    }
}

#[test]
fn what_ends_a_run_ends_it() {
    let place = Place::of(Org::sample());
    let day = refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.");
    for (fault, kind) in [
        (day, Kind::Quota),
        (refusal(401, "INVALID_SESSION_ID", "gone"), Kind::Auth),
        (Fault::Drop, Kind::Io),
        (Fault::Html(503), Kind::Io),
        (refusal(503, "SERVER_UNAVAILABLE", "down"), Kind::Io),
    ] {
        place.org.clear_faults();
        let mut org = place.open();
        place.org.fault("/services/data/v67.0", 50, fault.clone());
        let ended = org.describes(&["Account", "Contact"], &mut |_, _| panic!("no answer of one"));
        assert_eq!(ended.unwrap_err().kind(), kind, "{fault:?}");
    }
}

#[test]
fn archived_activities_are_counted_and_listed() {
    let place = Place::of(Org::sample());
    let task = place.org.create("Task", &json!({"Subject": "old"})).unwrap();
    let before = place.org.rows("Task").len() as u64;
    place.org.archive(&task).unwrap();
    let mut org = place.open();
    let mut count = 0;
    org.counts(&["Task", "Event"], &mut |at, n| {
        if at == 0 {
            count = n.unwrap();
        }
        Ok(())
    })
    .unwrap();
    let mut ids = Vec::new();
    org.ids("Task", &mut |id| {
        ids.push(id.to_string());
        Ok(())
    })
    .unwrap();
    assert_eq!((count, org.count("Task").unwrap()), (before, before));
    assert!(ids.contains(&task) && ids.len() as u64 == before);
}

#[test]
fn the_log_of_deletions_says_who_and_since_when() {
    let place = Place::of(Org::sample());
    let gone = place.org.create("Contact", &json!({"LastName": "Gone"})).unwrap();
    place.org.delete(&gone).unwrap();
    let mut org = place.open();
    let now = org.now().unwrap();
    for since in [now, now.minus_millis(1), now.minus_millis(minutes(600))] {
        let log = logs(&mut org, &["Contact"], since).remove(0).unwrap();
        assert!(log.ids.iter().any(|(id, _)| id.to_string() == gone), "{since}");
        assert!(log.available <= since && log.covered.minus_millis(minutes(1)) <= now);
    }
    // Older than the org remembers: as far as it goes, and it says how far.
    let old = now.minus_millis(minutes(60 * 24 * 400));
    let log = logs(&mut org, &["Contact"], old).remove(0).unwrap();
    assert!(log.ids.iter().any(|(id, _)| id.to_string() == gone));
    assert!(log.available > old && log.available < now.minus_millis(minutes(60 * 24 * 14)));
    // An sObject without one; and one of which nothing is told, which does not say that nobody was deleted.
    let not = logs(&mut org, &["Contact", "ContentDocumentLink"], now);
    assert!(not[0].is_some() && not[1].is_none());
    let mut errors = Vec::new();
    org.deleted(&[("Contact", now), ("Nothing__c", now)], &mut |at, log| {
        errors.extend(log.err().map(|error| (at, error.to_string())));
        Ok(())
    })
    .unwrap();
    assert!(
        matches!(&errors[..], [(1, why)] if why.contains("Nothing__c")),
        "{errors:?}"
    );
}

#[test]
fn a_log_with_too_many_ids_is_read_by_halves() {
    let place = Place::of(Org::sample());
    let mut gone: Vec<String> = Vec::new();
    for n in 0..12 {
        let id = place
            .org
            .create("Contact", &json!({"LastName": format!("Gone {n}")}))
            .unwrap();
        place.org.delete(&id).unwrap();
        gone.push(id);
        place.org.clock().advance(std::time::Duration::from_secs(600));
    }
    let mut org = place.open();
    let now = org.now().unwrap();
    let whole = logs(&mut org, &["Contact"], now.minus_millis(minutes(300)))
        .remove(0)
        .unwrap();
    place.org.configure(|s| s.replication.max_ids = 3);
    let log = logs(&mut org, &["Contact"], now.minus_millis(minutes(300)))
        .remove(0)
        .unwrap();
    let mut ids: Vec<String> = log.ids.iter().map(|(id, _)| id.to_string()).collect();
    ids.sort();
    ids.dedup();
    gone.sort();
    assert_eq!(ids, gone);
    assert_eq!((log.available, log.covered), (whole.available, whole.covered));
    // More within two minutes than the org tells: an error of that sObject.
    place.org.configure(|s| s.replication.max_ids = 0);
    let mut error = None;
    org.deleted(&[("Contact", now.minus_millis(minutes(300)))], &mut |_, log| {
        error = log.err();
        Ok(())
    })
    .unwrap();
    assert!(error.unwrap().to_string().contains("Contact: more was deleted"));
}

#[test]
fn a_start_that_the_org_does_not_like_is_replaced() {
    let place = Place::of(Org::sample());
    place.org.clock().advance(std::time::Duration::from_secs(3600));
    let mut org = place.open();
    let now = org.now().unwrap();
    let since = now.minus_millis(minutes(30)).to_string();
    place
        .org
        .configure(|s| s.replication.enabled_since = Some(since.parse().unwrap()));
    let log = logs(&mut org, &["Contact"], now.minus_millis(minutes(300)))
        .remove(0)
        .unwrap();
    assert!(log.available > now.minus_millis(minutes(31)), "{}", log.available);
}

#[test]
fn who_sees_all_is_asked_each_time() {
    let place = Place::of(Org::sample());
    let user = place.org.api_user();
    let mut org = place.open();
    assert!(org.sees_all("Account").unwrap() && org.sees_all("ContentVersion").unwrap());
    place.org.permit(&user, |p| p.revoke(Permission::QueryAllFiles));
    assert!(org.sees_all("Account").unwrap() && !org.sees_all("ContentDocumentLink").unwrap());
    place.org.permit(&user, |p| p.revoke(Permission::ViewAllData));
    assert!(!org.sees_all("Account").unwrap());
    place.org.permit(&user, |p| p.grant(Permission::ViewAllData));
    place.org.fault(
        "UserPermissionAccess",
        1,
        refusal(400, "INVALID_TYPE", "no such thing"),
    );
    assert!(!org.sees_all("Account").unwrap(), "a refusal is a no");
    place.org.fault("UserPermissionAccess", 9, Fault::Drop);
    assert_eq!(
        org.sees_all("Account").unwrap_err().kind(),
        Kind::Io,
        "silence is none"
    );
}

#[test]
fn rights_that_were_lost_and_found_again_show() {
    let place = Place::of(Org::sample());
    let user = place.org.api_user();
    let mut org = place.open();
    let before = org.rights().unwrap();
    assert!(!before.is_empty());
    assert_eq!(org.rights().unwrap(), before);
    place.org.clock().advance(std::time::Duration::from_secs(2));
    place.org.permit(&user, |p| p.revoke(Permission::ViewAllData));
    place.org.permit(&user, |p| p.grant(Permission::ViewAllData));
    assert_ne!(org.rights().unwrap(), before);
    place.org.fault(
        "PermissionSetAssignment",
        1,
        refusal(400, "INVALID_TYPE", "no such thing"),
    );
    assert!(org.rights().unwrap().is_empty());
}
