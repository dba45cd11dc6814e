//! Many readings at once by REST: five first pages in a call, positions to go on from, faults on the way.
//!
//! Key decision: whatever happens on the way, the rows are those of the plain reading, and nothing is said to be over
//! that is not. Not here: Bulk jobs.

use halite_connector::Bulk;
use halite_engine::base::error::Kind;
use halite_engine::ops::org::{Scope, Source};
use halite_simulator::{Fault, Org, Script};
use serde_json::json;

use super::asks::objects;
use super::{Ask, Content, Place, Stop, plainly, read, read_well, refusal};

const SOBJECTS: [&str; 7] = [
    "Account",
    "Contact",
    "Lead",
    "Task",
    "User",
    "Opportunity",
    "Campaign",
];

fn wholes(org: &mut halite_connector::SalesforceOrg) -> Vec<Ask> {
    SOBJECTS.iter().map(|name| Ask::whole(org, name)).collect()
}

#[test]
fn a_quiet_org_of_500_objects_is_read_in_100_calls() {
    let (org, names) = objects(500);
    let place = Place::of(org);
    let mut org = place.open();
    let now = org.now().unwrap();
    let asks: Vec<Ask> = names.iter().map(|name| Ask::since(&mut org, name, now)).collect();
    place.org.reset_calls();
    let taken = read_well(&mut org, &asks);
    assert!(taken.iter().all(|t| t.rows.is_empty()));
    assert_eq!((place.calls("composite"), place.all_calls()), (100, 100));
}

#[test]
fn rows_are_those_of_the_plain_reading() {
    let place = Place::with_contacts(300);
    let contact = place.org.create("Contact", &json!({"LastName": "Gone"})).unwrap();
    place.org.delete(&contact).unwrap();
    let mut org = place.open();
    let asks = wholes(&mut org);
    for (ask, taken) in asks.iter().zip(read_well(&mut org, &asks)) {
        let name = &ask.describe.name;
        assert_eq!(taken.rows, plainly(&place, name, Scope::All), "{name}");
        assert_eq!(taken.came, taken.rows.len(), "{name}");
    }
    let since = org.now().unwrap().minus_millis(60_000);
    let asks = [
        Ask::since(&mut org, "Contact", since),
        Ask::since(&mut org, "Account", since),
    ];
    let taken = read_well(&mut org, &asks);
    assert_eq!(taken[0].rows, plainly(&place, "Contact", Scope::Since(since)));
    assert!(!taken[0].rows.is_empty() && taken[0].rows.len() < 300);
}

#[test]
fn a_reading_goes_on_behind_each_of_its_positions() {
    let place = Place::with_contacts(300);
    let mut org = place.open();
    let since = org.now().unwrap().minus_millis(600_000);
    for ask in [
        Ask::whole(&mut org, "Contact"),
        Ask::since(&mut org, "Contact", since),
    ] {
        let scope = ask.since.map_or(Scope::All, Scope::Since);
        let whole = plainly(&place, "Contact", scope);
        let positions = read_well(&mut org, std::slice::from_ref(&ask))
            .remove(0)
            .positions;
        assert!(positions.len() > 2);
        for position in positions {
            // As an interrupted run would: what came before the position, then the rest in another session.
            let stop = Stop::At(position.clone());
            let part = read(&mut org, std::slice::from_ref(&ask), stop).0.remove(0).rows;
            let rest = ask.from(position);
            let rest = read_well(&mut place.open(), &[rest]).remove(0);
            assert_eq!(part.len() + rest.rows.len(), whole.len());
            let both: Content = part.into_iter().chain(rest.rows).collect();
            assert_eq!(both, whole);
        }
        // Bytes that mean nothing: from the beginning.
        let anew = ask.from(b"\x09what".to_vec());
        assert_eq!(read_well(&mut org, &[anew]).remove(0).rows, whole);
    }
}

#[test]
fn an_error_of_one_reading_leaves_the_others() {
    let place = Place::of(Org::sample());
    let mut org = place.open();
    let mut asks = wholes(&mut org);
    // A field that is gone since the describe, and an sObject that is out of reach.
    place
        .org
        .set_field(
            "Lead",
            &json!({"name": "Brief__c", "type": "string", "label": "b"}),
        )
        .unwrap();
    asks[2] = Ask::whole(&mut org, "Lead");
    place.org.remove_field("Lead", "Brief__c").unwrap();
    let user = place.org.api_user();
    place.org.permit(&user, |p| p.object("Task").read = false);
    let (taken, end) = read(&mut org, &asks, Stop::Never);
    end.unwrap();
    for (at, taken) in taken.iter().enumerate() {
        assert_eq!(taken.end.as_ref().unwrap().is_err(), [2, 3].contains(&at), "{at}");
    }
    let text = taken[2].error().to_string();
    assert!(
        text.contains("reading Lead") && text.contains("INVALID_FIELD"),
        "{text}"
    );
    assert_eq!(taken[2].error().kind(), Kind::Invalid);
}

#[test]
fn every_fault_on_the_way_ends_in_the_right_rows() {
    let place = Place::with_contacts(300);
    let whole = plainly(&place, "Contact", Scope::All);
    let dead = refusal(400, "INVALID_QUERY_LOCATOR", "invalid query locator");
    let slow = refusal(
        400,
        "QUERY_TIMEOUT",
        "Your query request was running for too long.",
    );
    let crowd = refusal(
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    );
    let faults = [
        refusal(500, "UNKNOWN_EXCEPTION", "oops"),
        refusal(503, "SERVER_UNAVAILABLE", "busy"),
        Fault::Html(500),
        Fault::Busy {
            status: 429,
            retry_after: None,
        },
        Fault::Empty(200),
        Fault::Drop,
        Fault::AppliedButLost,
        Fault::HalfBody,
        Fault::CutBody(100),
        Fault::WrongLength,
        Fault::BrokenChunks,
        Fault::CutJson,
        Fault::CutGzip,
        Fault::BadGzip,
        crowd,
        dead,
        slow,
    ];
    for fault in faults {
        for (contains, after) in [("/composite", 0), ("/query/", 0), ("/query/", 1)] {
            let mut org = place.open();
            let asks = wholes(&mut org);
            place.org.script(Script {
                contains: contains.into(),
                after,
                ..Script::new(fault.clone())
            });
            let taken = read_well(&mut org, &asks);
            assert_eq!(taken[1].rows, whole, "{fault:?} at {contains} {after}");
            place.org.clear_faults();
        }
    }
    // Cursors that all die, and a session that does.
    let mut org = place.open();
    let asks = wholes(&mut org);
    place.org.fault("/composite", 1, Fault::SessionExpires);
    assert_eq!(
        read(&mut org, &asks, Stop::Never).1.unwrap_err().kind(),
        Kind::Auth,
        "a bare token cannot be renewed"
    );
}

#[test]
fn a_query_that_runs_too_long_is_asked_for_in_pieces() {
    let place = Place::with_contacts(500);
    let whole = plainly(&place, "Contact", Scope::All);
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Never));
    let asks = [Ask::whole(&mut org, "Contact"), Ask::whole(&mut org, "Lead")];
    place.org.script(Script {
        contains: "/queryAll".into(),
        times: 2,
        ..Script::new(refusal(
            400,
            "QUERY_TIMEOUT",
            "Your query request was running for too long.",
        ))
    });
    place
        .org
        .fault("/composite", 1, refusal(400, "QUERY_TIMEOUT", "too long"));
    let taken = read_well(&mut org, &asks);
    assert_eq!(taken[0].rows, whole);
    assert_eq!(taken[0].came, whole.len());
    // And one that always does is an error of that sObject.
    place
        .org
        .fault("/queryAll", 100, refusal(400, "QUERY_TIMEOUT", "too long"));
    place
        .org
        .fault("/composite", 1, refusal(400, "QUERY_TIMEOUT", "too long"));
    let (taken, end) = read(&mut org, &asks, Stop::Never);
    end.unwrap();
    assert!(
        taken
            .iter()
            .all(|t| t.error().to_string().contains("QUERY_TIMEOUT"))
    );
}

#[test]
fn long_field_lists_are_one_query_and_slices_where_the_org_refuses() {
    let place = Place::of(Org::sample());
    for n in 0..300 {
        let name = format!("A_rather_long_custom_field_name_{n:03}__c");
        let field = json!({"name": name, "type": "string", "label": "x", "length": 20, "createable": true});
        place.org.set_field("Lead", &field).unwrap();
    }
    for n in 0..130 {
        let lead = json!({"LastName": "Wide", "Company": "X", "A_rather_long_custom_field_name_299__c": n.to_string()});
        place.org.create("Lead", &lead).unwrap();
    }
    let whole = plainly(&place, "Lead", Scope::All);
    let mut org = place.open();
    let asks = [Ask::whole(&mut org, "Lead"), Ask::whole(&mut org, "Account")];
    place.org.reset_calls();
    assert_eq!(read_well(&mut org, &asks)[0].rows, whole);
    let calls = place.all_calls();
    // A cursor that dies: the query is as long when it goes on.
    place
        .org
        .fault("/query/", 1, refusal(400, "INVALID_QUERY_LOCATOR", "dead"));
    assert_eq!(read_well(&mut org, &asks)[0].rows, whole);
    place.org.reset_calls();
    for fault in [
        refusal(400, "QUERY_TOO_COMPLICATED", "too many"),
        refusal(414, "URI_TOO_LONG", "no"),
    ] {
        place.org.fault("/query/", 1, fault);
        assert_eq!(read_well(&mut org, &asks)[0].rows, whole);
        assert!(place.all_calls() > calls, "in slices");
        place.org.reset_calls();
    }
}

#[test]
fn a_sink_that_refuses_ends_it() {
    let place = Place::with_contacts(300);
    let mut org = place.open();
    let asks = wholes(&mut org);
    let (taken, end) = read(&mut org, &asks, Stop::Rows(250));
    assert_eq!(end.unwrap_err().to_string(), "the vault is full");
    assert!(taken.iter().any(|t| t.end.is_none()));
}

#[test]
fn no_allowance_ends_the_run_and_not_the_reading() {
    let place = Place::with_contacts(300);
    let mut org = place.open();
    let asks = wholes(&mut org);
    place.org.script(Script {
        contains: "/query/".into(),
        times: 99,
        ..Script::new(refusal(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ))
    });
    let (taken, end) = read(&mut org, &asks, Stop::Never);
    assert_eq!(end.unwrap_err().kind(), Kind::Quota);
    assert!(
        taken[1].end.is_none() && !taken[1].positions.is_empty(),
        "it can be gone on with"
    );
}
