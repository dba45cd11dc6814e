//! A tenth of all requests fails, in every way there is: what comes is right all the same.
//!
//! Key decision: the session can be renewed here, since chaos ends those too, and the same seeds give the same faults
//! as long as requests do not race: those that are sent ahead may, so that no count is looked at.
//! Not here: each fault by itself (`many`, `bulk`).

use std::time::Duration;

use halite_connector::{Bulk, Connect, Grant, Patience, SalesforceOrg, Secret};
use halite_engine::ops::org::{Scope, Source};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Chaos};

use super::{Ask, Place, plainly, read_well};

const SOBJECTS: [&str; 5] = ["Account", "Contact", "ContentDocumentLink", "Task", "User"];

fn open(place: &Place, bulk: Bulk) -> SalesforceOrg {
    let grant = Grant::ClientCredentials {
        client_id: CLIENT_ID.into(),
        client_secret: Secret::new(CLIENT_SECRET),
    };
    let patience = Patience {
        tries: 12,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        budget: Duration::from_secs(60),
    };
    Connect::new(place.url().parse().unwrap())
        .grant(grant)
        .patience(patience)
        .bulk(bulk)
        .open()
        .unwrap()
}

#[test]
fn whatever_fails_on_the_way() {
    let place = Place::with_contacts(1_500);
    let wholes: Vec<_> = SOBJECTS
        .iter()
        .map(|name| plainly(&place, name, Scope::All))
        .collect();
    for seed in 1..=8 {
        for bulk in [Bulk::Never, Bulk::Always] {
            let mut org = open(&place, bulk);
            place
                .org
                .configure(|s| (s.seed, s.chaos) = (seed, Chaos::spread(0.1)));
            let mut texts = Vec::new();
            org.describes(&SOBJECTS, &mut |_, text| {
                texts.push(text.unwrap());
                Ok(())
            })
            .unwrap();
            let asks: Vec<Ask> = texts.iter().map(|text| Ask::of(text)).collect();
            let taken = read_well(&mut org, &asks);
            place.org.configure(|s| s.chaos = Chaos::default());
            for ((name, whole), taken) in SOBJECTS.iter().zip(&wholes).zip(&taken) {
                assert!(taken.rows == *whole, "{name}, seed {seed}, {bulk:?}");
            }
        }
    }
}
