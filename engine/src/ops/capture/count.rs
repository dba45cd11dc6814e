//! What the org counts, held against what was taken, until the two agree or the difference can be named.
//!
//! Key decision: whatever was read whole is counted, and of the rest a share in turn, the one first that was counted
//! longest ago, so that a quiet increment stays cheap. A difference is met by reading what changed meanwhile, then by
//! comparing all Ids; what is left then is told. It never takes a count for a reason to bury anything.

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::ops::capture::Capture;
use crate::ops::capture::absent::IDS_AT_ONCE;
use crate::ops::capture::read::{Ask, Take, about_one};
use crate::ops::ingest::Ids;
use crate::ops::org::{DeletedLog, Scope, Source};

/// Of the increments of a group, one in so many is counted in each run, and of a small org all.
const SHARE: usize = 8;
/// How often what changed meanwhile is read before all Ids are compared, and after.
const ROUNDS: usize = 2;

impl<'v> Capture<'v, '_> {
    /// Counts those of a group whose turn it is, and settles differences.
    pub(super) fn reconcile(
        &mut self,
        source: &mut dyn Source,
        asks: &[Ask],
        takes: &mut [Take<'v>],
    ) -> Result<()> {
        let alive = |at: &usize| takes[*at].ingest.is_some();
        let (whole, mut quiet): (Vec<usize>, Vec<usize>) = (0..asks.len())
            .filter(alive)
            .partition(|&at| asks[at].full() || gap(&asks[at]));
        quiet.sort_by_key(|&at| asks[at].agreed);
        let all = self.options.count_all || asks.len() <= SHARE;
        quiet.truncate(if all {
            quiet.len()
        } else {
            quiet.len().div_ceil(SHARE)
        });
        let due: Vec<usize> = whole.into_iter().chain(quiet).collect();
        let names: Vec<&str> = due.iter().map(|&at| asks[at].describe.name.as_str()).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut counted = vec![None; due.len()];
        source.counts(&names, &mut |at, count| {
            match count {
                Ok(count) => counted[at] = Some(count),
                Err(error) => tracing::warn!(sobject = names[at], %error, "the org does not count it"),
            }
            Ok(())
        })?;
        for (&at, count) in due.iter().zip(counted) {
            self.settle_count(source, &asks[at], &mut takes[at], count)?;
        }
        Ok(())
    }

    fn settle_count(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        count: Option<u64>,
    ) -> Result<()> {
        let mut swept = gap(ask);
        if swept && let Some(error) = self.sweep(source, ask, take)? {
            // Neither the log nor the Ids: who was deleted is not known.
            take.fail(&error);
        }
        let Some(mut count) = count else { return Ok(()) };
        for round in 0..=2 * ROUNDS {
            self.settle_doubts(source, ask, take)?;
            if self.agrees(ask, take, count)? || round == 2 * ROUNDS {
                return Ok(());
            }
            if round == ROUNDS - 1 && !swept {
                self.sweep(source, ask, take)?;
                swept = true;
            } else if ask.describe.field("SystemModstamp").is_some() || !ask.full() {
                let since = if ask.full() { self.from } else { ask.since };
                let since = Scope::Since(since.minus_millis(self.options.overlap_millis));
                self.read_plain(source, ask, take, since, &mut |_| ())?;
            } else {
                self.sweep(source, ask, take)?;
            }
            count = match source.count(&ask.describe.name) {
                Ok(count) => count,
                Err(error) if about_one(&error) => return Ok(()),
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// Notes what the org counts, and whether that is what is held.
    fn agrees(&mut self, ask: &Ask, take: &mut Take<'v>, count: u64) -> Result<bool> {
        let (writer, from) = (&mut self.writer, self.from);
        let mut agrees = true;
        take.with(|ingest| {
            ingest.rest(writer)?;
            ingest.captured.counted = Some(count);
            agrees = ingest.captured.expected() == count;
            if agrees {
                ingest.captured.agreed = from;
            } else {
                let expected = ingest.captured.expected();
                tracing::info!(
                    sobject = ask.describe.name,
                    expected,
                    count,
                    "the org counts another number"
                );
            }
            Ok(())
        })?;
        Ok(agrees)
    }

    /// Compares the Ids of all live rows with those that are known; gives back why the org does not tell them.
    fn sweep(&mut self, source: &mut dyn Source, ask: &Ask, take: &mut Take<'v>) -> Result<Option<Error>> {
        let Some(ingest) = &mut take.ingest else {
            return Ok(None);
        };
        let mut current = ingest.current(&mut self.writer)?;
        let (mut unread, mut missing, mut left_out) = (Ids::default(), Ids::default(), 0);
        let mut next = current.next(false)?;
        let mut ours = None;
        let end = source.ids(&ask.describe.name, &mut |id| {
            let step = (|| {
                while let Some(version) = next.as_ref().filter(|v| v.key.id < id) {
                    if version.key.kind.is_live() {
                        missing.push(version.key.id)?;
                    }
                    next = current.next(false)?;
                }
                if ingest.is_erased(id) {
                    left_out += 1;
                } else if !next
                    .as_ref()
                    .is_some_and(|v| v.key.id == id && v.key.kind.is_live())
                {
                    unread.push(id)?;
                }
                Ok(())
            })();
            step.inspect_err(|_| ours = Some(()))
        });
        match end {
            Err(error) if ours.is_none() && about_one(&error) => return Ok(Some(error)),
            end => end?,
        }
        // An Id that the org gave and that is known stands in `next` still.
        while let Some(version) = next {
            if version.key.kind.is_live() {
                missing.push(version.key.id)?;
            }
            next = current.next(false)?;
        }
        unread.end_segment();
        missing.end_segment();
        self.read_unread(source, ask, take, unread)?;
        let missing = missing.merged()?;
        let unseen = self.bury_absent(source, ask, take, missing)?;
        if let Some(ingest) = &mut take.ingest {
            (ingest.captured.left_out, ingest.captured.out_of_sight) = (left_out, unseen);
        }
        Ok(None)
    }

    fn read_unread(
        &mut self,
        source: &mut dyn Source,
        ask: &Ask,
        take: &mut Take<'v>,
        unread: Ids,
    ) -> Result<()> {
        let mut unread = unread.merged()?;
        loop {
            let some: Vec<RecordId> = unread.next_few(IDS_AT_ONCE)?;
            if some.is_empty() {
                return Ok(());
            }
            self.read_ids(source, ask, take, &some)?;
        }
    }
}

/// Whether an increment lacks the log of deletions, or the log begins after what it reads from: who was deleted may
/// be in no log.
fn gap(ask: &Ask) -> bool {
    let begins_late = |log: &DeletedLog| log.available > ask.since;
    !ask.full() && (ask.log_failed || ask.log.as_ref().is_some_and(begins_late))
}
