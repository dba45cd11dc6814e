//! Every fault on the simulator's list against every kind of request that a backup makes: what the user sees.
//!
//! Key decision: the vault is held against the org itself after each run, so that a backup that ends well with something
//! missing is found, whatever it says. Not here: how each answer is told from another, which the connector's own tests
//! show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use halite_simulator::Fault;

use crate::cli_connections::Place;

/// A refusal that says nothing of rights, sessions or allowances.
const REFUSED: Fault = Fault::Error {
    status: 400,
    code: "FUNCTIONALITY_NOT_ENABLED",
    message: "The requested functionality is not enabled for this organization.",
};
const BROKEN: Fault = Fault::Error {
    status: 500,
    code: "UNKNOWN_EXCEPTION",
    message: "An unexpected error occurred.",
};

/// One that is live is deleted, and purged so long ago that only the log of deletions tells.
fn purge_one(place: &Place, sobject: &str) -> String {
    let gone = place.org.rows(sobject)[0]["Id"].as_str().unwrap().to_owned();
    place.org.delete(&gone).unwrap();
    place.org.purge(&[&gone]).unwrap();
    place.org.expire_purged();
    gone
}

#[test]
fn a_log_of_deletions_that_fails_hides_nobody() {
    for fault in [REFUSED, BROKEN] {
        let place = Place::new();
        place.connect(&[]);
        place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        let gone = purge_one(&place, "Opportunity");
        // Asked one by one, so that it is one sObject's log that fails.
        place.org.fault("/composite", 10_000, REFUSED);
        place.org.fault("/Opportunity/deleted/", 10_000, fault.clone());
        let text = place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        for words in [
            "Opportunity: its log of deletions could not be had",
            "Opportunity: 0 new, 0 edited, 1 deleted",
        ] {
            assert!(
                text.contains(words),
                "`{words}` is missing after {fault:?}: {text}"
            );
        }
        place.ends(1, &["show", &gone]);
        // Neither the log nor the Ids: nothing is known, and nothing is claimed.
        let next = purge_one(&place, "Opportunity");
        place.org.fault("SELECT+Id+FROM+Opportunity", 10_000, REFUSED);
        let text = place.ends(3, &["backup", "acme", "--patience", "100ms"]);
        assert!(text.contains("Opportunity: could not be read"), "{text}");
        place.ends(0, &["show", &next]);
        place.org.clear_faults();
        let text = place.ends(0, &["backup", "acme", "--patience", "100ms"]);
        assert!(text.contains("Opportunity: 0 new, 0 edited, 1 deleted"), "{text}");
        place.ends(1, &["show", &next]);
    }
}
