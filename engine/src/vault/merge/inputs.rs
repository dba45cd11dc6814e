//! The runs that go into a merge, side by side: all versions of the least Id, with their values.
//!
//! Key decision: a heap of the runs by their next Id; the values of a page are decoded whole when the first of them
//! is taken. It holds one page a run, and does not judge versions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;
use crate::format::page::{KeyRow, VersionKind};
use crate::format::run::PageEntry;
use crate::vault::run::{Pages, Run, Values};

/// Runs side by side.
pub struct Inputs<'v> {
    inputs: Vec<Input<'v>>,
    /// Whether versions are given with their values.
    with_values: bool,
    heap: BinaryHeap<Reverse<(RecordId, usize)>>,
}

/// A version of a record, from one of the runs.
pub struct Taken {
    /// Its keys.
    pub key: KeyRow,
    /// Its values, if it has its own and they were asked for.
    pub values: Option<Values>,
    run: usize,
}

/// One run, and its page at hand.
pub struct Input<'v> {
    pages: Pages<'v>,
    page: Option<PageEntry>,
    ahead: Option<PageEntry>,
    keys: Vec<KeyRow>,
    row: usize,
    ordinal: usize,
    values: Option<Values>,
}

impl<'v> Inputs<'v> {
    /// Before the first Id.
    pub fn open(runs: Vec<Run<'v>>) -> Result<Self> {
        let mut inputs = Self {
            inputs: Vec::with_capacity(runs.len()),
            with_values: true,
            heap: BinaryHeap::new(),
        };
        for (i, run) in runs.into_iter().enumerate() {
            let mut pages = Pages::new(run);
            let mut input = Input {
                ahead: pages.turn()?,
                pages,
                page: None,
                keys: Vec::new(),
                row: 0,
                ordinal: 0,
                values: None,
            };
            input.turn()?;
            inputs.heap.extend(input.id().map(|id| Reverse((id, i))));
            inputs.inputs.push(input);
        }
        Ok(inputs)
    }

    /// The same, without values.
    pub fn keys_only(runs: Vec<Run<'v>>) -> Result<Self> {
        Ok(Self {
            with_values: false,
            ..Self::open(runs)?
        })
    }

    /// The least Id that is left.
    pub fn least(&self) -> Option<RecordId> {
        self.heap.peek().map(|top| top.0.0)
    }

    /// The run of the least Id, if its page begins there, ends where the Ids say, and lies before all that the others
    /// have.
    pub fn alone(&mut self) -> Option<&Input<'v>> {
        let Reverse((id, i)) = self.heap.pop()?;
        let next = self.least();
        self.heap.push(Reverse((id, i)));
        let input = &self.inputs[i];
        let page = input
            .page
            .as_ref()
            .filter(|page| input.row == 0 && !page.continued)?;
        let ends = input
            .ahead
            .as_ref()
            .map_or(next.is_none(), |ahead| !ahead.continued);
        (ends && next.is_none_or(|next| page.last < next)).then_some(input)
    }

    /// Leaves out the page of the run of the least Id.
    pub fn skip_page(&mut self) -> Result<()> {
        let Some(Reverse((_, i))) = self.heap.pop() else {
            return Ok(());
        };
        self.inputs[i].turn()?;
        self.heap.extend(self.inputs[i].id().map(|id| Reverse((id, i))));
        Ok(())
    }

    /// All versions of that Id, the least one: newest first, of one snapshot the newer stamp, then the later arrival.
    /// What was in `versions` is gone.
    pub fn take(&mut self, id: RecordId, versions: &mut Vec<Taken>) -> Result<()> {
        versions.clear();
        while let Some(Reverse((_, i))) = self.heap.peek().copied().filter(|top| top.0.0 == id) {
            self.heap.pop();
            let input = &mut self.inputs[i];
            while let Some(key) = input.keys.get(input.row).copied().filter(|key| key.id == id) {
                let values = if self.with_values {
                    input.value(&key)?
                } else {
                    None
                };
                versions.push(Taken { key, values, run: i });
                input.advance()?;
            }
            self.heap.extend(input.id().map(|id| Reverse((id, i))));
        }
        versions.sort_by_key(|taken| Reverse((taken.key.snapshot, taken.key.system, taken.run)));
        Ok(())
    }
}

impl Input<'_> {
    /// The keys of the page at hand.
    pub fn keys(&self) -> &[KeyRow] {
        &self.keys
    }

    /// The page at hand.
    pub fn page(&self) -> Option<&PageEntry> {
        self.page.as_ref()
    }

    /// The lowest snapshot of the run.
    pub fn low(&self) -> u64 {
        self.pages.run.low
    }

    fn id(&self) -> Option<RecordId> {
        self.keys.get(self.row).map(|key| key.id)
    }

    fn advance(&mut self) -> Result<()> {
        self.ordinal += usize::from(self.keys[self.row].kind == VersionKind::Value);
        self.row += 1;
        if self.row < self.keys.len() {
            return Ok(());
        }
        self.turn()
    }

    /// The next page that has versions: of one that is lost none are left.
    fn turn(&mut self) -> Result<()> {
        self.keys.clear();
        (self.row, self.ordinal, self.values) = (0, 0, None);
        while self.keys.is_empty() {
            self.page = self.ahead.take();
            let Some(page) = &self.page else { break };
            self.pages.run.keys(page, &mut self.keys)?;
            self.ahead = self.pages.turn()?;
        }
        Ok(())
    }

    fn value(&mut self, key: &KeyRow) -> Result<Option<Values>> {
        if key.kind != VersionKind::Value {
            return Ok(None);
        }
        if self.values.is_none() {
            let Some(page) = &self.page else { return Ok(None) };
            self.values = self.pages.run.values(page, None)?;
            if self.values.is_none() {
                let what = format_args!("{} {}", self.pages.run.head.sobject, key.id);
                return Err(Error::corrupt(
                    what,
                    "its values are lost, so its page cannot be written anew",
                ));
            }
        }
        let row = self.ordinal;
        Ok(self.values.as_ref().map(|v| Values { row, ..v.clone() }))
    }
}
