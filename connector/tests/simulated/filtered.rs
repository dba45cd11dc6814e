//! sObjects that answer only with a filter: by the rows they belong to, and without where the user may.
//!
//! Key decision: what is expected is worked out from the org's own rows and from what the user sees of the parents.
//! Not here: why an sObject cannot be read at all (`reading`).

use std::collections::BTreeSet;

use halite_connector::{Bulk, SalesforceOrg};
use halite_engine::ops::org::{Scope, Source};
use halite_simulator::{Fault, Org, Permission, Plan};
use serde_json::{Value, json};

use super::{Ask, Place, Stop, plainly, read, read_well, refusal};

/// An org with some hundred files, and what the user sees without Query All Files: links, documents.
fn files() -> (Place, BTreeSet<String>, usize) {
    let plan = Plan {
        records: 8000,
        files: 0.6,
        ..Plan::default()
    };
    let place = Place::of(Org::generate(&plan));
    let user = place.org.api_user();
    place.org.permit(&user, |p| p.revoke(Permission::QueryAllFiles));
    // A part of them is the user's own.
    for document in place.org.rows("ContentDocument").iter().step_by(2) {
        let owner = json!({"OwnerId": user});
        place.org.update(text(document, "Id"), &owner).unwrap();
    }
    let seen: BTreeSet<String> = plainly(&place, "ContentDocument", Scope::All)
        .keys()
        .map(ToString::to_string)
        .collect();
    let links = place.org.rows("ContentDocumentLink");
    let of_seen = links
        .iter()
        .filter(|link| seen.contains(text(link, "ContentDocumentId")));
    let links = of_seen.map(|link| text(link, "Id").to_owned()).collect();
    (place, links, seen.len())
}

fn text<'a>(row: &'a serde_json::Map<String, Value>, field: &str) -> &'a str {
    row[field].as_str().unwrap()
}

/// The live rows of what was taken.
fn live(taken: &super::Taken) -> BTreeSet<String> {
    let rows = taken.rows.iter().filter(|(_, (_, _, deleted))| !deleted);
    rows.map(|(id, _)| id.to_string()).collect()
}

#[test]
fn links_are_read_by_their_documents_and_without_where_the_user_may() {
    let (place, links, documents) = files();
    assert!(
        links.len() > documents && documents > 100,
        "{} of {documents}",
        links.len()
    );
    let mut org = place.open();
    let asks = [
        Ask::whole(&mut org, "ContentDocumentLink"),
        Ask::whole(&mut org, "Account"),
    ];
    place.org.reset_calls();
    let taken = read_well(&mut org, &asks).remove(0);
    assert_eq!(live(&taken), links);
    // Documents 200 a query, five queries a call; the pages of documents are small here.
    assert!(place.calls("composite") < 12, "{:?}", place.org.calls());
    // The same by Bulk's refusal, and the same since a time.
    let mut org = place.open_with(|connect| connect.bulk(Bulk::Always));
    assert_eq!(live(&read_well(&mut org, &asks).remove(0)), links);
    let since = org.now().unwrap().minus_millis(30 * 24 * 3_600_000);
    let asks = [Ask::since(&mut org, "ContentDocumentLink", since)];
    let late = live(&read_well(&mut org, &asks).remove(0));
    assert!(late.len() < links.len() && late.is_subset(&links));

    let user = place.org.api_user();
    place.org.permit(&user, |p| p.grant(Permission::QueryAllFiles));
    let mut org = place.open();
    let asks = [
        Ask::whole(&mut org, "ContentDocumentLink"),
        Ask::whole(&mut org, "Account"),
    ];
    let taken = read_well(&mut org, &asks).remove(0);
    assert!(live(&taken).len() > links.len());
    assert_eq!(taken.rows, plainly(&place, "ContentDocumentLink", Scope::All));
}

#[test]
fn links_are_gone_on_with_behind_their_documents() {
    let (place, links, _) = files();
    let mut org = place.open();
    let ask = Ask::whole(&mut org, "ContentDocumentLink");
    let positions = read_well(&mut org, std::slice::from_ref(&ask))
        .remove(0)
        .positions;
    assert!(positions.len() > 2);
    for position in positions {
        let stop = Stop::At(position.clone());
        let part = read(&mut org, std::slice::from_ref(&ask), stop).0.remove(0);
        let rest = read_well(&mut place.open(), &[ask.from(position)]).remove(0);
        let both: BTreeSet<String> = live(&part).union(&live(&rest)).cloned().collect();
        assert_eq!(both, links);
        assert_eq!(live(&part).len() + live(&rest).len(), links.len(), "none twice");
    }
}

#[test]
fn links_are_counted_by_their_documents() {
    let (place, links, _) = files();
    let mut org = place.open();
    let mut counts = Vec::new();
    org.counts(&["Account", "ContentDocumentLink"], &mut |_, count| {
        counts.push(count.unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(counts[1], links.len() as u64);
}

#[test]
fn faults_on_the_way_end_in_the_right_rows() {
    let (place, links, _) = files();
    for fault in [
        refusal(503, "SERVER_UNAVAILABLE", "busy"),
        refusal(400, "INVALID_QUERY_LOCATOR", "dead"),
        Fault::Drop,
        Fault::CutJson,
        Fault::Html(502),
    ] {
        for contains in ["/composite", "/query/", "/queryAll?"] {
            let mut org = place.open();
            let asks = [
                Ask::whole(&mut org, "ContentDocumentLink"),
                Ask::whole(&mut org, "Account"),
            ];
            place.org.fault(contains, 2, fault.clone());
            assert_eq!(
                live(&read_well(&mut org, &asks)[0]),
                links,
                "{fault:?} at {contains}"
            );
            place.org.clear_faults();
        }
    }
}

/// A describe of an sObject with references.
fn described(name: &str, prefix: &str, references: &[(&str, &[&str])]) -> Value {
    let field = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "filterable": true, "sortable": true, "nillable": true,
            "createable": true, "updateable": true, "length": 40})
    };
    let mut fields: Vec<Value> = [
        ("Id", "id"),
        ("Name", "string"),
        ("SystemModstamp", "datetime"),
        ("IsDeleted", "boolean"),
    ]
    .iter()
    .map(|(name, kind)| field(name, kind))
    .collect();
    for (reference, to) in references {
        let mut field = field(reference, "reference");
        field["referenceTo"] = json!(to);
        field["relationshipName"] = json!(reference.trim_end_matches("Id"));
        fields.push(field);
    }
    json!({"name": name, "label": name, "keyPrefix": prefix, "queryable": true, "retrieveable": true,
        "createable": true, "deletable": true, "fields": fields})
}

fn ideas() -> Place {
    let parents: &[(&str, &[&str])] = &[("CommunityId", &["Community"])];
    let org = [
        described("Community", "09a", &[]),
        described("Idea", "087", parents),
        described("IdeaComment", "00a", parents),
        described("Vote", "083", &[("ParentId", &["Idea", "IdeaComment"])]),
        described("AccountFeed", "0D6", &[]),
        described(
            "ContentFolderMember",
            "07I",
            &[("ParentContentFolderId", &["Account"])],
        ),
    ]
    .iter()
    .fold(Org::empty(), |org, describe| org.with_describe(describe).unwrap());
    for n in 0..7 {
        let community = org.create("Community", &json!({"Name": n.to_string()})).unwrap();
        for sobject in ["Idea", "IdeaComment"] {
            let row = org
                .create(sobject, &json!({"Name": "x", "CommunityId": community}))
                .unwrap();
            org.create("Vote", &json!({"Name": "up", "ParentId": row}))
                .unwrap();
        }
    }
    Place::of(org)
}

fn rows(org: &mut SalesforceOrg, sobject: &str) -> usize {
    let ask = Ask::whole(org, sobject);
    read_well(org, &[ask])[0].rows.len()
}

#[test]
fn others_are_read_by_what_their_pages_name() {
    let place = ideas();
    let mut org = place.open();
    assert_eq!(rows(&mut org, "IdeaComment"), 7);
    assert_eq!(rows(&mut org, "Vote"), 14);
    let mut reasons = Vec::new();
    for info in org.sobjects().unwrap() {
        if ["IdeaComment", "Vote", "AccountFeed", "ContentFolderMember"].contains(&info.name.as_str()) {
            reasons.push((info.name, info.unreadable));
        }
    }
    reasons.sort();
    assert!(
        reasons[0].1.as_ref().unwrap().contains("view of FeedItem"),
        "{reasons:?}"
    );
    assert!(
        reasons[1]
            .1
            .as_ref()
            .unwrap()
            .contains("ContentFolder, which this user does not see")
    );
    assert_eq!((&reasons[2].1, &reasons[3].1), (&None, &None));
}
