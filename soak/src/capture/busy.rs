//! A source whose org is written to between any two of its answers.
//!
//! Key decision: it passes everything on and lets the world take a step wherever a request may end: before each
//! question, and after each row, page and position. It changes no answer: the org itself does, by its faults.

use halite_connector::SalesforceOrg;
use halite_engine::Result;
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{
    DeletedLog, EachAnswer, EachRow, Identity, Read, SObjectInfo, Sink, Source, Spent,
};

use super::world::World;
use crate::dice::Dice;

/// An org under load.
pub struct Busy<'w> {
    org: &'w mut SalesforceOrg,
    writes: Writes<'w>,
}

struct Writes<'w> {
    world: &'w mut World,
    dice: Dice,
}

impl Writes<'_> {
    /// One time in `rarely`, a few writes.
    fn maybe(&mut self, rarely: u64) {
        if self.dice.below(rarely) == 0 {
            (0..=self.dice.below(3)).for_each(|_| self.world.step());
        }
    }
}

impl<'w> Busy<'w> {
    /// Over `org`, whose tables are those of `world`.
    pub fn new(org: &'w mut SalesforceOrg, world: &'w mut World, seed: u64) -> Self {
        let dice = Dice::new(seed, 6);
        Self {
            org,
            writes: Writes { world, dice },
        }
    }
}

impl Source for Busy<'_> {
    fn identity(&mut self) -> Result<Identity> {
        self.org.identity()
    }

    fn now(&mut self) -> Result<Stamp> {
        self.writes.maybe(2);
        let now = self.org.now();
        self.writes.maybe(2);
        now
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        self.writes.maybe(2);
        self.org.sobjects()
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        self.writes.maybe(2);
        self.org.describe(sobject)
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.writes.maybe(2);
        let writes = &mut self.writes;
        self.org.read(read, &mut |row| {
            writes.maybe(40);
            each(row)
        })
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        self.writes.maybe(3);
        let count = self.org.count(sobject);
        self.writes.maybe(3);
        count
    }

    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        self.writes.maybe(3);
        let writes = &mut self.writes;
        self.org.ids(sobject, &mut |id| {
            writes.maybe(40);
            each(id)
        })
    }

    fn calls(&self) -> u64 {
        self.org.calls()
    }

    fn spent(&self) -> Spent {
        self.org.spent()
    }

    fn describes(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, Vec<u8>>) -> Result<()> {
        self.writes.maybe(2);
        self.org.describes(sobjects, each)
    }

    fn counts(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, u64>) -> Result<()> {
        self.writes.maybe(3);
        self.org.counts(sobjects, each)
    }

    fn read_all(&mut self, reads: &[Read<'_>], sink: &mut dyn Sink) -> Result<()> {
        self.writes.maybe(2);
        let writes = &mut self.writes;
        self.org.read_all(reads, &mut Between { writes, sink })
    }

    fn deleted(
        &mut self,
        asked: &[(&str, Stamp)],
        each: &mut EachAnswer<'_, Option<DeletedLog>>,
    ) -> Result<()> {
        self.writes.maybe(2);
        self.org.deleted(asked, each)
    }

    fn sees_all(&mut self, sobject: &str) -> Result<bool> {
        self.writes.maybe(3);
        self.org.sees_all(sobject)
    }

    fn body(
        &mut self,
        sobject: &str,
        id: RecordId,
        field: &str,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        self.writes.maybe(3);
        self.org.body(sobject, id, field, from, each)
    }

    fn rights(&mut self) -> Result<Vec<u8>> {
        self.writes.maybe(3);
        self.org.rights()
    }
}

/// Writes between rows and pages.
struct Between<'b, 'w> {
    writes: &'b mut Writes<'w>,
    sink: &'b mut dyn Sink,
}

impl Sink for Between<'_, '_> {
    fn json(&mut self, at: usize, row: &[u8]) -> Result<()> {
        self.writes.maybe(40);
        self.sink.json(at, row)
    }

    fn csv(&mut self, at: usize, page: &[u8]) -> Result<()> {
        self.writes.maybe(2);
        self.sink.csv(at, page)
    }

    fn reached(&mut self, at: usize, position: &[u8]) -> Result<()> {
        self.writes.maybe(3);
        self.sink.reached(at, position)
    }

    fn done(&mut self, at: usize, end: Result<()>) -> Result<()> {
        self.writes.maybe(3);
        self.sink.done(at, end)
    }
}
