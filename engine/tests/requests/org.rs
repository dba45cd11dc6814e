//! An org of many sObjects that hardly changes, which counts calls as the connector does: one for each group that is asked.
//!
//! Key decision: rows are made from their number when they are asked for, so that a large org costs no memory here.
//! It deletes nothing, and keeps a log that says so.

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{
    DeletedLog, EachAnswer, EachRow, Identity, Read, SObjectInfo, Scope, Sink, Source,
};
use halite_engine::{Error, Kind, Result};

/// `sobjects` of `rows` records each; the records of the first change by `edit`.
pub(crate) struct Wide {
    pub(crate) sobjects: u32,
    pub(crate) rows: u32,
    now: i64,
    calls: u64,
    /// Every record of this step, from this number on, was edited at that instant.
    edits: Vec<(u32, u32, i64)>,
}

impl Wide {
    pub(crate) fn new(sobjects: u32, rows: u32) -> Self {
        Self {
            sobjects,
            rows,
            now: 1_700_000_000_000,
            calls: 0,
            edits: Vec::new(),
        }
    }

    /// Some days go by.
    pub(crate) fn pass(&mut self) {
        self.now += 3 * 86_400_000;
        // Whoever reads it next is another process.
        self.calls = 0;
    }

    /// Every `step`th record of the first sObject changes.
    pub(crate) fn edit(&mut self, first: u32, step: u32) {
        self.pass();
        self.edits.push((first, step, self.now - 1000));
    }

    pub(crate) fn id(sobject: u32, n: u32) -> RecordId {
        let text = format!("{}{n:012}", Self::prefix(sobject));
        RecordId::parse(text.as_bytes()).unwrap()
    }

    fn prefix(sobject: u32) -> String {
        let digit = |n: u32| char::from_digit(n % 36, 36).unwrap();
        ['a', digit(sobject / 36), digit(sobject)].iter().collect()
    }

    pub(crate) fn name(sobject: u32) -> String {
        format!("Thing{sobject}__c")
    }

    fn number(sobject: &str) -> u32 {
        sobject[5..sobject.len() - 3].parse().unwrap()
    }

    fn edited(&self, sobject: u32, n: u32) -> Option<i64> {
        let hit = |(first, step, _): &&(u32, u32, i64)| {
            sobject == 0 && n >= *first && (n - first).is_multiple_of(*step)
        };
        self.edits.iter().rev().find(hit).map(|(.., at)| *at)
    }

    fn each(&self, sobject: u32, scope: Scope<'_>, each: &mut EachRow<'_>) -> Result<()> {
        let first = 1_600_000_000_000;
        for n in 0..self.rows {
            let stamp = self.edited(sobject, n).unwrap_or(first);
            let wanted = match scope {
                Scope::Since(since) => stamp >= since.millis(),
                Scope::Ids(ids) => ids.contains(&Self::id(sobject, n)),
                _ => true,
            };
            if wanted {
                each(self.row(sobject, n, stamp).as_bytes())?;
            }
        }
        Ok(())
    }

    pub(crate) fn text(&self, sobject: u32, n: u32) -> String {
        let at = self.edited(sobject, n).unwrap_or(0);
        let noise = blake3::hash(&[sobject.to_le_bytes(), n.to_le_bytes()].concat()).to_hex();
        format!("{} of {at}", &noise[..24])
    }

    pub(crate) fn row(&self, sobject: u32, n: u32, stamp: i64) -> String {
        let stamp = Stamp::from_millis(stamp).to_string();
        let (id, text) = (Self::id(sobject, n), self.text(sobject, n));
        format!(r#"{{"Id":"{id}","Name":"{text}","IsDeleted":false,"SystemModstamp":"{stamp}"}}"#)
    }
}

impl Source for Wide {
    fn identity(&mut self) -> Result<Identity> {
        Ok(Identity {
            org: "00D000000000001".parse()?,
            name: "Wide".into(),
            sandbox: false,
            user: "005000000000001".parse()?,
            user_name: "u".into(),
            api_version: "67.0".into(),
        })
    }

    fn now(&mut self) -> Result<Stamp> {
        self.calls += 1;
        Ok(Stamp::from_millis(self.now))
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        self.calls += 1;
        let info = |n| SObjectInfo {
            name: Self::name(n),
            unreadable: None,
        };
        Ok((0..self.sobjects).map(info).collect())
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        let prefix = Self::prefix(Self::number(sobject));
        let text = format!(
            r#"{{"name":"{sobject}","keyPrefix":"{prefix}","fields":[{{"name":"Id","type":"id"}},{{"name":"Name","type":"string"}},{{"name":"IsDeleted","type":"boolean"}},{{"name":"SystemModstamp","type":"datetime"}}]}}"#
        );
        Ok(text.into_bytes())
    }

    fn describes(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, Vec<u8>>) -> Result<()> {
        self.calls += 1;
        for (at, sobject) in sobjects.iter().enumerate() {
            each(at, self.describe(sobject))?;
        }
        Ok(())
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        self.calls += 1;
        self.each(Self::number(&read.describe.name), read.scope, each)
    }

    fn read_all(&mut self, reads: &[Read<'_>], sink: &mut dyn Sink) -> Result<()> {
        // Five queries go into one call.
        self.calls += reads.len().div_ceil(5) as u64;
        for (at, read) in reads.iter().enumerate() {
            let sobject = Self::number(&read.describe.name);
            self.each(sobject, read.scope, &mut |row| sink.json(at, row))?;
            sink.done(at, Ok(()))?;
        }
        Ok(())
    }

    fn count(&mut self, _: &str) -> Result<u64> {
        self.calls += 1;
        Ok(u64::from(self.rows))
    }

    fn counts(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, u64>) -> Result<()> {
        self.calls += 1;
        (0..sobjects.len()).try_for_each(|at| each(at, Ok(u64::from(self.rows))))
    }

    fn ids(&mut self, _: &str, _: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        Err(Error::new(Kind::Unsupported, "nobody needs them here"))
    }

    fn deleted(
        &mut self,
        asked: &[(&str, Stamp)],
        each: &mut EachAnswer<'_, Option<DeletedLog>>,
    ) -> Result<()> {
        self.calls += 1;
        let log = || DeletedLog {
            ids: Vec::new(),
            available: Stamp::from_millis(0),
            covered: Stamp::from_millis(self.now),
        };
        (0..asked.len()).try_for_each(|at| each(at, Ok(Some(log()))))
    }

    fn calls(&self) -> u64 {
        self.calls
    }
}
