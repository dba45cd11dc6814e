//! What is spent, and where reading ends to leave something to others.
//!
//! Key decision: the org's own count is held against the connector's ledger.
//! Not here: what single readings cost (`many`, `bulk`).

use halite_connector::{Bulk, Planned};
use halite_engine::base::error::Kind;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{Source, Target};
use halite_simulator::Org;

use super::{Ask, Place, Stop, read, read_well};

#[test]
fn the_ledger_is_what_the_org_counted() {
    let place = Place::with_contacts(300);
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Always));
    // The question for versions is free, and was asked before the counters were set to zero.
    let before = org.spent().calls;
    let asks = [Ask::whole(&mut org, "Contact"), Ask::whole(&mut org, "Lead")];
    read_well(&mut org, &asks);
    org.now().unwrap();
    let spent = org.spent();
    assert_eq!(spent.calls - before, place.all_calls());
    assert_eq!((spent.calls, spent.jobs, spent.files), (org.calls(), 2, 0));
    assert!(spent.result_bytes > 0);
}

#[test]
fn a_forecast_is_about_what_is_spent() {
    let place = Place::with_contacts(2_500);
    place
        .org
        .configure(|s| (s.page_size, s.even_pages) = (2_000, true));
    for (from, whole) in [(20_000, true), (1_000, true), (20_000, false)] {
        let mut org = place.open_with(|connect| connect.bulk_from(from));
        let sobjects = org.sobjects().unwrap();
        let readable = sobjects.iter().filter(|info| info.unreadable.is_none());
        let names: Vec<&str> = readable.map(|info| info.name.as_str()).collect();
        let plan = |&sobject| Planned {
            sobject,
            whole,
            bodies: false,
        };
        let planned: Vec<Planned<'_>> = names.iter().map(plan).collect();
        let told = org.forecast(&planned).unwrap();

        // What a capture does.
        let before = org.spent().calls - 2;
        org.identity().unwrap();
        let now = org.now().unwrap();
        let mut asks = Vec::new();
        org.describes(&names, &mut |_, text| {
            asks.push(Ask {
                describe: Describe::parse(&text.unwrap()).unwrap(),
                since: (!whole).then_some(now),
                from: None,
            });
            Ok(())
        })
        .unwrap();
        let logs: Vec<(&str, Stamp)> = names.iter().map(|name| (*name, now)).collect();
        org.deleted(&logs, &mut |_, _| Ok(())).unwrap();
        read_well(&mut org, &asks);
        let counted = if whole {
            names.len()
        } else {
            names.len().div_ceil(8)
        };
        org.counts(&names[..counted], &mut |_, _| Ok(())).unwrap();
        org.now().unwrap();
        let spent = org.spent();
        let calls = spent.calls - before;
        assert!(
            told.calls >= calls && told.calls <= calls + calls / 2 + 5,
            "{told:?}, {calls} calls"
        );
        assert_eq!((told.jobs, told.rows > 2_500), (spent.jobs, whole));
    }
}

#[test]
fn reading_ends_at_the_ceiling_and_writing_does_not() {
    let place = Place::with_contacts(300);
    place.org.configure(|s| s.daily_requests = 100);
    let mut org = place.open();
    let ask = Ask::whole(&mut org, "Contact");
    let (mut positions, mut error) = (Vec::new(), None);
    for _ in 0..60 {
        let (mut taken, end) = read(&mut org, std::slice::from_ref(&ask), Stop::Never);
        positions.append(&mut taken.remove(0).positions);
        if let Err(e) = end {
            error = Some(e);
            break;
        }
    }
    let error = error.unwrap();
    assert_eq!(error.kind(), Kind::Quota);
    let text = error.to_string();
    assert!(
        text.contains("of the org's 100 calls a day") && text.contains("50 % (50)"),
        "{text}"
    );
    assert!(
        error
            .next_step()
            .is_some_and(|hint| hint.contains("next run goes on"))
    );
    let used = place.all_calls();
    assert!(
        (47..=53).contains(&used),
        "{used}: the org's figure is an estimate"
    );
    // Nothing more is read, whatever is asked.
    for end in [
        org.count("Contact").map(|_| ()),
        org.describe("Contact").map(|_| ()),
        org.counts(&["Contact", "Lead"], &mut |_, _| Ok(())),
        org.sees_all("Contact").map(|_| ()),
    ] {
        assert_eq!(end.unwrap_err().kind(), Kind::Quota);
    }
    assert_eq!(place.all_calls(), used);
    // Writes go on, and so does who has no ceiling.
    let written = org.create("Contact", &[r#"{"LastName":"Late"}"#.into()]).unwrap();
    assert!(matches!(written[0], halite_engine::ops::org::Outcome::Done(_)));
    let mut free = place.connect().ceiling(100).open().unwrap();
    free.count("Contact").unwrap();
    // The next run goes on where this one ended.
    let rest = ask.from(positions.pop().unwrap());
    assert!(read_well(&mut free, &[rest])[0].end.is_some());
}

#[test]
fn our_own_count_is_looked_at_too() {
    // An org that says less than was used, as its estimate may.
    let place = Place::of(Org::sample());
    place.org.configure(|s| s.daily_requests = 40);
    let mut org = place.open_with(|connect| connect.ceiling(25));
    let ends: Vec<Option<Kind>> = (0..12)
        .map(|_| {
            place.org.reset_calls();
            org.count("Contact").err().map(|e| e.kind())
        })
        .collect();
    // The first call was for the versions.
    assert_eq!(ends, [&[None; 9][..], &[Some(Kind::Quota); 3]].concat());
    assert_eq!(org.calls(), 10);
}

#[test]
fn jobs_that_run_are_left_to_the_next_run_at_the_ceiling() {
    let place = Place::with_contacts(300);
    place.org.configure(|s| {
        s.daily_requests = 40;
        s.bulk.polls = 60;
    });
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Always));
    let ask = Ask::whole(&mut org, "Contact");
    let (mut taken, end) = read(&mut org, std::slice::from_ref(&ask), Stop::Never);
    assert_eq!(end.unwrap_err().kind(), Kind::Quota);
    let position = taken.remove(0).positions.remove(0);
    place.org.configure(|s| s.daily_requests = 1_000_000);
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Always));
    let taken = read_well(&mut org, &[ask.from(position)]).remove(0);
    assert!(taken.pages > 0 && taken.came > 300);
    assert_eq!(org.spent().jobs, 0, "the job is that of the run before");
}
