//! Orgs that are written to while they are captured, over HTTP, each out of a seed.
//!
//! Key decision: the simulated org's own tables are the truth, noted after every write; a snapshot must show each
//! record in one of the states that it had within [U, E], or the report must name its sObject. Writes fall between any
//! two answers of the org. It is not a test of the connector's retries alone, though answers break all the time.

mod busy;
pub(crate) mod kill;
mod truth;
mod world;

use std::sync::Arc;
use std::time::Duration;

use halite_connector::{Bulk, Connect, Grant, Patience, SalesforceOrg, Secret as Hidden};
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::ops::report::Report;
use halite_engine::store::memory::Memory;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Server};

use crate::dice::Dice;
use crate::store::Tally;
use busy::Busy;
use world::World;

/// Captures of a history.
const CAPTURES: u64 = 5;
/// How often a capture that failed is begun again.
const TRIES: u64 = 12;

/// Signs in, with little patience: a simulated org has no bad days that pass.
pub(crate) fn connect(server: &Server, policy: Bulk) -> halite_engine::Result<SalesforceOrg> {
    let grant = Grant::ClientCredentials {
        client_id: CLIENT_ID.into(),
        client_secret: Hidden::new(CLIENT_SECRET),
    };
    let patience = Patience {
        tries: 6,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(4),
        budget: Duration::from_secs(60),
    };
    let mut tries = 0;
    loop {
        let address = server.url().parse()?;
        let connect = Connect::new(address).grant(grant.clone());
        match connect.patience(patience).bulk(policy).ceiling(100).open() {
            Err(_) if tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// One history: what was wrong, and how much was done.
pub(crate) fn run(seed: u64) -> (Vec<String>, Tally) {
    let mut dice = Dice::new(seed, 5);
    let mut world = World::new(seed);
    let server = match Server::start(world.org.clone()) {
        Ok(server) => server,
        Err(error) => return (vec![format!("no server: {error}")], Tally::default()),
    };
    let vault = Vault::create(Arc::new(Memory::new()), &Secret::None, VaultOptions::default());
    let Ok(vault) = vault else {
        return (vec!["no vault".into()], Tally::default());
    };
    let mut wrong = Vec::new();
    for capture in 0..CAPTURES {
        (0..dice.below(25)).for_each(|_| world.step());
        world.org.clock().advance(Duration::from_secs(dice.below(4000)));
        let policy = [Bulk::Auto, Bulk::Never, Bulk::Always][dice.below(3) as usize];
        let options = BackupOptions {
            only: Some(world::OBJECTS.map(str::to_owned).into()),
            full: dice.below(6) == 0,
            save_every: 1 + dice.below(9),
            memory: 1 << (12 + dice.below(14)),
            ..BackupOptions::default()
        };
        match one(&vault, &server, &mut world, policy, &options, &mut dice) {
            Ok(report) => {
                let found = truth::compare(&vault, &world, &report);
                wrong.extend(found.into_iter().map(|what| format!("capture {capture}: {what}")));
            }
            Err(error) => wrong.push(format!("capture {capture}: {error}")),
        }
    }
    let tally = Tally {
        calls: world.org.calls().values().sum(),
        ..Tally::default()
    };
    (wrong, tally)
}

/// A capture, begun again as often as it fails, with the org being written to meanwhile.
fn one(
    vault: &Vault,
    server: &Server,
    world: &mut World,
    policy: Bulk,
    options: &BackupOptions,
    dice: &mut Dice,
) -> Result<Report, String> {
    let mut last = String::new();
    for attempt in 0..TRIES {
        // The last attempts see a calm network.
        world.weather(if attempt + 4 < TRIES { dice.below(3) } else { 0 });
        let mut org = connect(server, policy).map_err(|e| e.to_string())?;
        let mut source = Busy::new(&mut org, world, dice.next());
        match backup(vault, &mut source, options, &mut |_| ()) {
            Ok(report) => {
                world.weather(0);
                world.captured();
                return Ok(report);
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("not done in {TRIES} attempts: {last}"))
}
