//! The connector against the simulated org, which answers as the API's documentation says and not as a test wishes.
//!
//! Key decision: rows are compared as the engine keeps them, by the hash of their canonical form, so that it does not
//! matter which API brought them. What the sink is told is held against its contract all the while.
//! Not here: replies that no org sends, which `answers` and `reading` make by hand.

mod asks;
mod automation;
mod bodies;
mod budget;
mod bulk;
mod chaos;
mod filtered;
mod many;

use std::collections::BTreeMap;
use std::sync::Arc;

use halite_connector::{Connect, Grant, SalesforceOrg, Secret};
use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::{ContentHash, RecordId};
use halite_engine::base::stamp::Stamp;
use halite_engine::format::describe::Describe;
use halite_engine::format::record::{Canon, Mode, Rows};
use halite_engine::format::schema::Schema;
use halite_engine::ops::org::{Read, Scope, Sink, Source};
use halite_simulator::{Fault, Org, Server};
use serde_json::json;

use crate::server::quick;

/// A simulated org and the server it is reached by.
pub struct Place {
    pub org: Org,
    server: Server,
}

impl Place {
    pub fn of(org: Org) -> Self {
        let server = Server::start(org.clone()).unwrap();
        Self { org, server }
    }

    /// The sample org, with `count` contacts more.
    pub fn with_contacts(count: usize) -> Self {
        let place = Self::of(Org::sample());
        place.contacts(count);
        place
    }

    pub fn contacts(&self, count: usize) {
        for n in 0..count {
            let text = format!("line one\nline \"{n}\", and more");
            let values = json!({"LastName": format!("Added {n}"), "Description": text});
            self.org.create("Contact", &values).unwrap();
        }
    }

    pub fn connect(&self) -> Connect {
        self.connect_as(&self.org.access_token())
    }

    pub fn connect_as(&self, token: &str) -> Connect {
        let grant = Grant::Token {
            instance_url: self.server.url(),
            access_token: Secret::new(token),
        };
        Connect::new(self.server.url().parse().unwrap())
            .grant(grant)
            .patience(quick())
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// An org that is signed in to, with all counters at zero.
    pub fn open(&self) -> SalesforceOrg {
        self.open_with(|connect| connect)
    }

    pub fn open_with(&self, how: impl FnOnce(Connect) -> Connect) -> SalesforceOrg {
        let org = how(self.connect()).open().unwrap();
        self.org.reset_calls();
        org
    }

    /// How many calls of a kind the org counted.
    pub fn calls(&self, kind: &str) -> u64 {
        self.org.calls().get(kind).copied().unwrap_or(0)
    }

    pub fn all_calls(&self) -> u64 {
        self.org.calls().values().sum()
    }
}

/// An error as the API sends it.
pub fn refusal(status: u16, code: &'static str, message: &'static str) -> Fault {
    Fault::Error {
        status,
        code,
        message,
    }
}

/// What is asked of one sObject.
pub struct Ask {
    pub describe: Describe,
    pub since: Option<Stamp>,
    pub from: Option<Vec<u8>>,
}

impl Ask {
    /// All rows, by a describe.
    pub fn of(describe: &[u8]) -> Self {
        Self {
            describe: Describe::parse(describe).unwrap(),
            since: None,
            from: None,
        }
    }

    pub fn whole(org: &mut SalesforceOrg, sobject: &str) -> Self {
        Self::of(&org.describe(sobject).unwrap())
    }

    /// The same, from a position on.
    pub fn from(&self, position: Vec<u8>) -> Self {
        Self {
            describe: self.describe.clone(),
            since: self.since,
            from: Some(position),
        }
    }

    pub fn since(org: &mut SalesforceOrg, sobject: &str, since: Stamp) -> Self {
        Self {
            since: Some(since),
            ..Self::whole(org, sobject)
        }
    }
}

/// Rows of one reading: each one's content, the later call winning.
pub type Content = BTreeMap<RecordId, (ContentHash, Stamp, bool)>;

/// What a sink was told of one reading.
#[derive(Default)]
pub struct Taken {
    pub rows: Content,
    /// Rows that came, those that came twice counted twice.
    pub came: usize,
    pub pages: usize,
    pub positions: Vec<Vec<u8>>,
    pub end: Option<Result<()>>,
}

impl Taken {
    pub fn error(&self) -> &Error {
        self.end.as_ref().unwrap().as_ref().unwrap_err()
    }
}

/// A sink that holds its caller to the contract.
pub struct Collect {
    pub taken: Vec<Taken>,
    canons: Vec<Canon>,
    open: Option<usize>,
    stop: Stop,
}

/// When a sink takes nothing more.
pub enum Stop {
    Never,
    /// After this many calls with rows.
    Rows(usize),
    /// At this position.
    At(Vec<u8>),
}

impl Collect {
    fn row(&mut self, at: usize) -> Result<()> {
        assert!(
            self.open.is_none_or(|open| open == at),
            "rows of {at} amid others"
        );
        assert!(self.taken[at].end.is_none(), "rows of {at} after its end");
        self.open = Some(at);
        match &mut self.stop {
            Stop::Rows(0) => return Err(full()),
            Stop::Rows(left) => *left -= 1,
            Stop::Never | Stop::At(_) => {}
        }
        Ok(())
    }

    fn keep(&mut self, at: usize, rows: &Rows) {
        for row in &rows.rows {
            self.taken[at].came += 1;
            self.taken[at]
                .rows
                .insert(row.id, (row.hash, row.system, row.deleted));
        }
    }
}

fn full() -> Error {
    Error::new(Kind::Quota, "the vault is full")
}

impl Sink for Collect {
    fn json(&mut self, at: usize, row: &[u8]) -> Result<()> {
        self.row(at)?;
        let mut rows = Rows::default();
        self.canons[at].json(row, &mut rows).unwrap();
        self.keep(at, &rows);
        Ok(())
    }

    fn csv(&mut self, at: usize, page: &[u8]) -> Result<()> {
        self.row(at)?;
        self.taken[at].pages += 1;
        let mut reader = csv::Reader::from_reader(page);
        let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.canons[at].columns(&names).unwrap();
        let mut rows = Rows::default();
        for line in reader.records() {
            self.canons[at].csv(line.unwrap().iter(), &mut rows).unwrap();
        }
        self.keep(at, &rows);
        Ok(())
    }

    fn reached(&mut self, at: usize, position: &[u8]) -> Result<()> {
        let taken = &mut self.taken[at];
        assert!(taken.end.is_none(), "a position of {at} after its end");
        let early = taken.came == 0;
        assert!(early || self.open == Some(at), "a position of {at} amid others");
        taken.positions.push(position.to_vec());
        match &self.stop {
            Stop::At(stop) if stop == position => Err(full()),
            _ => Ok(()),
        }
    }

    fn done(&mut self, at: usize, end: Result<()>) -> Result<()> {
        assert!(
            self.open.is_none_or(|open| open == at),
            "the end of {at} amid others"
        );
        assert!(self.taken[at].end.is_none(), "two ends of {at}");
        self.open = None;
        self.taken[at].end = Some(end);
        Ok(())
    }
}

/// Reads all of it; what was taken, also where the run failed.
pub fn read(org: &mut SalesforceOrg, asks: &[Ask], stop: Stop) -> (Vec<Taken>, Result<()>) {
    let schemas: Vec<Arc<Schema>> = asks
        .iter()
        .map(|ask| Arc::new(Schema::of(&ask.describe).unwrap()))
        .collect();
    let fields: Vec<Vec<&str>> = schemas.iter().map(|schema| schema.selected()).collect();
    let reads: Vec<Read<'_>> = asks
        .iter()
        .zip(&fields)
        .map(|(ask, fields)| Read {
            describe: &ask.describe,
            fields,
            scope: ask.since.map_or(Scope::All, Scope::Since),
            from: ask.from.as_deref(),
        })
        .collect();
    let mut sink = Collect {
        taken: asks.iter().map(|_| Taken::default()).collect(),
        canons: schemas
            .iter()
            .map(|schema| Canon::new(schema.clone(), &[7; 32], Mode::KeepRaw))
            .collect(),
        open: None,
        stop,
    };
    let end = org.read_all(&reads, &mut sink);
    (sink.taken, end)
}

/// Reads all of it, and all of it well.
pub fn read_well(org: &mut SalesforceOrg, asks: &[Ask]) -> Vec<Taken> {
    let (taken, end) = read(org, asks, Stop::Never);
    end.unwrap();
    for (ask, taken) in asks.iter().zip(&taken) {
        if let Some(Err(error)) = &taken.end {
            panic!("{}: {error}", ask.describe.name);
        }
        assert!(taken.end.is_some(), "{} has no end", ask.describe.name);
    }
    taken
}

/// What the plain reading gives.
pub fn plainly(place: &Place, sobject: &str, scope: Scope<'_>) -> Content {
    let mut org = place.open();
    let describe = Describe::parse(&org.describe(sobject).unwrap()).unwrap();
    let schema = Arc::new(Schema::of(&describe).unwrap());
    let (fields, mut rows) = (schema.selected(), Rows::default());
    let mut canon = Canon::new(schema.clone(), &[7; 32], Mode::KeepRaw);
    let read = Read {
        describe: &describe,
        fields: &fields,
        scope,
        from: None,
    };
    org.read(read, &mut |row| canon.json(row, &mut rows)).unwrap();
    let content = rows.rows.iter();
    content
        .map(|row| (row.id, (row.hash, row.system, row.deleted)))
        .collect()
}
