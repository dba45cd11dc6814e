//! The work of a query job: which rows, and which of them a page holds.
//!
//! Key decision: the set of Ids is fixed when processing starts; a locator is the place of a row in it, so it
//! stays good as long as the job does, whatever number of rows the client asks for next.
//! Source: Bulk API 2.0 guide, "Get Results for a Query Job".
//! Not here: writing the values (`rows`), waiting (`progress`).

use std::sync::Arc;

use super::job::Format;
use super::rows;
use crate::id::{Key, mix};
use crate::org::State;
use crate::soql::plan::Plan;
use crate::soql::run;

/// A query to be answered.
#[derive(Debug, Clone)]
pub(crate) struct Extract {
    pub plan: Arc<Plan>,
    /// Deleted rows are wanted too.
    pub all: bool,
    pub ids: Arc<Vec<Key>>,
    /// The lines as they were when the job was processed, without the header.
    frozen: Option<Arc<Frozen>>,
}

#[derive(Debug)]
struct Frozen {
    lines: Vec<u8>,
    /// Where each line ends.
    ends: Vec<usize>,
}

impl Extract {
    pub fn new(plan: Plan, all: bool) -> Self {
        Self {
            plan: Arc::new(plan),
            all,
            ids: Arc::default(),
            frozen: None,
        }
    }

    /// Fixes the rows, and their values where the org keeps them; gives the bytes kept.
    pub fn fix(&mut self, state: &State, format: Format) -> usize {
        self.ids = Arc::new(run::find(state, &self.plan, self.all));
        if !state.settings.bulk.frozen {
            return 0;
        }
        let table = rows::Table::new(state, &self.plan, format);
        let mut frozen = Frozen {
            lines: Vec::new(),
            ends: Vec::with_capacity(self.ids.len()),
        };
        for key in self.ids.iter() {
            table.line(state, key.text(), &mut frozen.lines);
            frozen.ends.push(frozen.lines.len());
        }
        let bytes = frozen.lines.len();
        self.frozen = Some(Arc::new(frozen));
        bytes
    }

    /// The row after the last one of the page that starts at a row.
    pub fn page_end(&self, state: &State, from: usize, most: Option<usize>) -> usize {
        let most = most.unwrap_or(state.settings.bulk.page_rows).max(1);
        let mut rows = most;
        if !state.settings.even_pages && most > 3 {
            let spread = most as u64 / 4 + 1;
            let less = mix(state.settings.seed, &format!("bulk{from}")) % spread;
            rows -= usize::try_from(less).unwrap_or(0);
        }
        from.saturating_add(rows).min(self.ids.len())
    }

    /// The kept lines of some rows; `None` when the org keeps none.
    pub fn kept(&self, from: usize, to: usize) -> Option<&[u8]> {
        let frozen = self.frozen.as_ref()?;
        let at = |row: usize| if row == 0 { 0 } else { frozen.ends[row - 1] };
        Some(&frozen.lines[at(from)..at(to)])
    }
}
