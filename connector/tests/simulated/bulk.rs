//! Bulk jobs: the same rows as REST gives, whatever goes wrong with a job, and how they are chosen and taken up again.
//!
//! Key decision: contents are compared with those of the plain reading over REST, which knows no jobs.
//! Not here: pages whose figures lie, which no simulated org sends (`results`).

use halite_connector::{Bulk, SalesforceOrg};
use halite_engine::base::error::Kind;
use halite_engine::ops::org::{Scope, Source};
use halite_simulator::{BulkFault, Fault, Org, Permission, Script};
use serde_json::json;

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

fn always(place: &Place) -> SalesforceOrg {
    place.open_with(|connect| connect.bulk(Bulk::Always))
}

fn wholes(org: &mut SalesforceOrg) -> Vec<Ask> {
    SOBJECTS.iter().map(|name| Ask::whole(org, name)).collect()
}

/// Small pages, so that there are many.
fn small_pages(place: &Place) {
    place.org.configure(|s| s.bulk.page_rows = 40);
}

#[test]
fn rest_and_bulk_give_the_same_rows() {
    for shuffled in [false, true] {
        let place = Place::with_contacts(300);
        place.org.configure(|s| s.bulk.shuffled_columns = shuffled);
        let gone = place.org.create("Contact", &json!({"LastName": "Gone"})).unwrap();
        place.org.delete(&gone).unwrap();
        let mut org = always(&place);
        let asks = wholes(&mut org);
        for (ask, taken) in asks.iter().zip(read_well(&mut org, &asks)) {
            let name = &ask.describe.name;
            assert_eq!(taken.rows, plainly(&place, name, Scope::All), "{name}");
            assert_eq!(taken.came, taken.rows.len(), "{name}");
            assert!(taken.pages > 0, "{name}");
        }
        let spent = org.spent();
        assert_eq!(spent.jobs, 7);
        assert!(spent.result_bytes > 10_000, "{}", spent.result_bytes);
        let since = org.now().unwrap().minus_millis(120_000);
        let taken = read_well(&mut org, &[Ask::since(&mut place.open(), "Contact", since)]).remove(0);
        assert_eq!(taken.rows, plainly(&place, "Contact", Scope::Since(since)));
        assert!(taken.pages > 0 && !taken.rows.is_empty());
    }
}

#[test]
fn jobs_are_for_what_is_large() {
    let place = Place::with_contacts(300);
    let mut org = place.open_with(|connect| connect.bulk_from(200));
    let since = org.now().unwrap().minus_millis(600_000);
    let mut asks = wholes(&mut org);
    asks.push(Ask::since(&mut org, "Contact", since));
    place.org.reset_calls();
    let taken = read_well(&mut org, &asks);
    let by_job: Vec<bool> = taken.iter().map(|t| t.pages > 0).collect();
    assert_eq!(by_job, [false, true, false, false, false, false, false, true]);
    assert_eq!(taken[7].rows, plainly(&place, "Contact", Scope::Since(since)));
    assert_eq!(org.spent().jobs, 2);
    assert_eq!(
        place.calls("recordCount"),
        0,
        "counters are at zero since the plain reading"
    );

    // Exactly the calls: sizes, two groups, a job each, looks, pages.
    let mut org = place.open_with(|connect| connect.bulk_from(200));
    place.org.configure(|s| s.bulk.polls = 0);
    read_well(&mut org, &asks);
    assert_eq!(place.calls("recordCount"), 1);
    assert_eq!(place.calls("composite"), 2);
    assert_eq!(place.calls("bulk"), 2 * 3, "made, looked at, one page of 2,000");
    assert_eq!(place.all_calls(), 9);
    org.now().unwrap();
    assert_eq!(place.calls("bulk"), 2 * 4, "and deleted");

    let mut org = place.open_with(|connect| connect.bulk_from(200).bulk(Bulk::Never));
    assert!(read_well(&mut org, &asks).iter().all(|t| t.pages == 0));
    assert_eq!((org.spent().jobs, place.calls("recordCount")), (0, 0));
}

#[test]
fn jobs_run_side_by_side_and_each_is_told_at_once() {
    let place = Place::of(Org::sample());
    place.org.configure(|s| s.bulk.polls = 6);
    let mut org = always(&place);
    let asks = wholes(&mut org);
    let (taken, end) = read(&mut org, &asks, Stop::Rows(0));
    end.unwrap_err();
    let told: Vec<usize> = taken.iter().map(|t| t.positions.len()).collect();
    assert_eq!(told, [1, 1, 1, 1, 1, 0, 0], "five at a time, before any row");
    // Another run takes all five up: two jobs more.
    let asks: Vec<Ask> = asks
        .iter()
        .zip(&taken)
        .map(|(ask, taken)| match taken.positions.first() {
            Some(position) => ask.from(position.clone()),
            None => Ask {
                describe: ask.describe.clone(),
                since: None,
                from: None,
            },
        })
        .collect();
    let mut org = always(&place);
    for (ask, taken) in asks.iter().zip(read_well(&mut org, &asks)) {
        let name = &ask.describe.name;
        assert_eq!(taken.rows, plainly(&place, name, Scope::All), "{name}");
    }
    assert_eq!(org.spent().jobs, 2);
}

#[test]
fn a_job_is_gone_on_with_behind_each_of_its_positions() {
    let place = Place::with_contacts(9_000);
    let whole = plainly(&place, "Contact", Scope::All);
    let mut org = always(&place);
    let ask = Ask::whole(&mut org, "Contact");
    let first = read_well(&mut org, std::slice::from_ref(&ask)).remove(0);
    assert_eq!(first.rows, whole);
    assert!(
        first.pages > 1 && first.positions.len() == first.pages,
        "{}",
        first.pages
    );
    for n in 0..first.positions.len() {
        // The org may cut pages elsewhere each time: what counts is where this run stopped.
        let mut org = always(&place);
        let (mut part, _) = read(&mut org, std::slice::from_ref(&ask), Stop::Never);
        let position = part.remove(0).positions[n].clone();
        let (mut part, end) = read(&mut org, &[ask.from(position.clone())], Stop::Never);
        end.unwrap();
        let rest = part.remove(0).rows;
        let (mut before, _) = read(
            &mut always(&place),
            &[ask.from(first_of(&position))],
            Stop::At(position.clone()),
        );
        let before = before.remove(0).rows;
        let both: Content = before.into_iter().chain(rest).collect();
        assert_eq!(both, whole, "{n}");
    }
}

/// The position at the beginning of the same job: version, kind, no rows, job, line end.
fn first_of(position: &[u8]) -> Vec<u8> {
    let end = position.iter().position(|b| *b == b'\n').unwrap();
    [&position[..2], &[0; 8], &position[10..=end]].concat()
}

#[test]
fn a_job_that_is_gone_is_made_anew() {
    let place = Place::with_contacts(300);
    let whole = plainly(&place, "Contact", Scope::All);
    let mut org = always(&place);
    let ask = Ask::whole(&mut org, "Contact");
    let position = read_well(&mut org, std::slice::from_ref(&ask))
        .remove(0)
        .positions[0]
        .clone();
    // Deleted, since it was read to its end.
    org.now().unwrap();
    let mut org = always(&place);
    let taken = read_well(&mut org, &[ask.from(position.clone())]).remove(0);
    assert_eq!(
        (taken.rows == whole, taken.pages > 0, org.spent().jobs),
        (true, true, 1)
    );
    // Forgotten by the org, and with jobs not to be had any more: REST.
    place
        .org
        .clock()
        .advance(std::time::Duration::from_secs(8 * 24 * 3600));
    place.org.configure(|s| s.bulk.daily_query_jobs = 0);
    let mut org = always(&place);
    let taken = read_well(&mut org, &[ask.from(position.clone())]).remove(0);
    assert_eq!((taken.rows == whole, taken.pages, org.spent().jobs), (true, 0, 0));
    // And where jobs are not wanted, one that is there is not either.
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Never));
    let taken = read_well(&mut org, &[ask.from(position)]).remove(0);
    assert_eq!((taken.rows == whole, taken.pages), (true, 0));
}

#[test]
fn a_job_that_comes_to_nothing_is_read_by_rest() {
    let place = Place::with_contacts(300);
    let whole = plainly(&place, "Contact", Scope::All);
    for fault in [
        BulkFault::Fail {
            message: None,
            after: 0,
        },
        BulkFault::Fail {
            message: Some("InternalServerError".into()),
            after: 0,
        },
        BulkFault::Abort { after: 0 },
        BulkFault::Retries,
    ] {
        let mut org = always(&place);
        let asks = wholes(&mut org);
        place.org.fault_job("Contact", fault.clone());
        let taken = read_well(&mut org, &asks);
        assert_eq!((taken[1].rows == whole, taken[1].pages), (true, 0), "{fault:?}");
        assert!(taken[0].pages > 0, "the others by jobs");
        // It is remembered for the run.
        let jobs = org.spent().jobs;
        assert_eq!(read_well(&mut org, &asks[1..2])[0].pages, 0);
        assert_eq!(org.spent().jobs, jobs);
    }
    let mut org = always(&place);
    let asks = wholes(&mut org);
    place.org.fault_job("Contact", BulkFault::Polls(40));
    assert!(
        read_well(&mut org, &asks)[1].pages > 0,
        "a slow one is waited for"
    );
}

#[test]
fn what_the_org_takes_no_job_for_is_read_by_rest() {
    let place = Place::with_contacts(300);
    let user = place.org.api_user();
    let whole = plainly(&place, "Contact", Scope::All);
    // One sObject: the others are tried.
    place
        .org
        .configure(|s| s.bulk.unsupported = vec!["Contact".into()]);
    let mut org = always(&place);
    let asks = wholes(&mut org);
    let taken = read_well(&mut org, &asks);
    assert_eq!(
        (taken[1].rows == whole, taken[1].pages, org.spent().jobs),
        (true, 0, 6)
    );
    place.org.configure(|s| {
        s.bulk.unsupported.clear();
        s.bulk.view_all_data_for = vec!["Contact".into()];
    });
    let both = [Permission::ViewAllData, Permission::ModifyAllData];
    place
        .org
        .permit(&user, |p| both.into_iter().for_each(|right| p.revoke(right)));
    let mut org = always(&place);
    let taken = read_well(&mut org, &asks);
    assert_eq!((taken[1].pages, org.spent().jobs), (0, 6));
    place
        .org
        .permit(&user, |p| both.into_iter().for_each(|right| p.grant(right)));
    // All of them: one question is enough.
    for change in [
        (|s| s.bulk.enabled = false) as fn(&mut halite_simulator::Settings),
        |s| (s.bulk.enabled, s.bulk.daily_query_jobs) = (true, 0),
        |s| (s.bulk.daily_query_jobs, s.bulk.daily_query_megabytes) = (10_000, 0),
    ] {
        place.org.configure(change);
        let mut org = always(&place);
        let taken = read_well(&mut org, &asks);
        assert!(taken.iter().all(|t| t.pages == 0));
        assert_eq!(taken[1].rows, whole);
        assert_eq!(org.spent().jobs, 0);
        read_well(&mut org, &asks[..2]);
        assert!(place.calls("bulk") <= 1, "{}", place.calls("bulk"));
    }
}

#[test]
fn sobjects_that_have_no_place_in_bulk_are_not_tried() {
    let place = Place::of(Org::sample());
    let names = ["Attachment", "CaseStatus", "TaskStatus"];
    let there: Vec<&str> = names
        .into_iter()
        .filter(|n| place.org.objects().contains(&(*n).to_owned()))
        .collect();
    assert!(!there.is_empty());
    let mut org = always(&place);
    let asks: Vec<Ask> = there.iter().map(|name| Ask::whole(&mut org, name)).collect();
    assert!(read_well(&mut org, &asks).iter().all(|t| t.pages == 0));
    assert_eq!(place.calls("bulk"), 0);
}

#[test]
fn every_fault_on_the_way_ends_in_the_right_rows() {
    let place = Place::with_contacts(9_000);
    let whole = plainly(&place, "Contact", Scope::All);
    let faults = [
        refusal(500, "UNKNOWN_EXCEPTION", "oops"),
        refusal(503, "SERVER_UNAVAILABLE", "busy"),
        refusal(400, "INVALIDJOBSTATE", "no"),
        refusal(404, "NOT_FOUND", "no"),
        refusal(409, "INVALIDVERSION", "no"),
        Fault::Html(500),
        Fault::Busy {
            status: 429,
            retry_after: None,
        },
        Fault::Empty(200),
        Fault::Empty(204),
        Fault::Drop,
        Fault::AppliedButLost,
        Fault::HalfBody,
        Fault::CutBody(100),
        Fault::WrongLength,
        Fault::BrokenChunks,
        Fault::CutJson,
        Fault::CutGzip,
        Fault::BadGzip,
    ];
    for fault in faults {
        for (contains, after) in [
            ("/jobs/query", 0),
            ("/jobs/query/", 0),
            ("/results", 0),
            ("/results", 1),
            ("/results", 3),
        ] {
            let mut org = always(&place);
            let asks = [Ask::whole(&mut org, "Contact"), Ask::whole(&mut org, "Lead")];
            place.org.script(Script {
                contains: contains.into(),
                after,
                ..Script::new(fault.clone())
            });
            let taken = read_well(&mut org, &asks);
            assert!(taken[0].rows == whole, "{fault:?} at {contains} {after}");
            place.org.clear_faults();
        }
    }
}

#[test]
fn a_query_that_the_org_has_no_time_for_becomes_a_job() {
    let place = Place::with_contacts(300);
    let whole = plainly(&place, "Contact", Scope::All);
    let mut org = place.open();
    let asks = [Ask::whole(&mut org, "Contact")];
    place
        .org
        .fault("/queryAll", 1, refusal(400, "QUERY_TIMEOUT", "too long"));
    let taken = read_well(&mut org, &asks).remove(0);
    assert_eq!(
        (taken.rows == whole, taken.pages > 0, org.spent().jobs),
        (true, true, 1)
    );
}

#[test]
fn what_ends_a_run_ends_it() {
    let place = Place::with_contacts(300);
    small_pages(&place);
    for (fault, kind) in [
        (
            refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
            Kind::Quota,
        ),
        (refusal(401, "INVALID_SESSION_ID", "gone"), Kind::Auth),
        (Fault::Drop, Kind::Io),
    ] {
        for contains in ["/jobs/query", "/results"] {
            let mut org = always(&place);
            let asks = wholes(&mut org);
            place.org.script(Script {
                contains: contains.into(),
                times: 50,
                ..Script::new(fault.clone())
            });
            let (taken, end) = read(&mut org, &asks, Stop::Never);
            assert_eq!(end.unwrap_err().kind(), kind, "{fault:?} at {contains}");
            assert!(taken.iter().all(|t| t.end.is_none()));
            place.org.clear_faults();
        }
    }
}

#[test]
fn no_rows_are_none() {
    for text in [false, true] {
        let place = Place::of(Org::empty());
        place.org.configure(|s| s.bulk.empty_text = text);
        let mut org = always(&place);
        let asks = [Ask::whole(&mut org, "Contact"), Ask::whole(&mut org, "Lead")];
        assert!(read_well(&mut org, &asks).iter().all(|t| t.came == 0));
        assert_eq!(org.spent().jobs, 2);
    }
}
