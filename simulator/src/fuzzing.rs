//! A door for the fuzz targets to parsers that are no part of the public interface.
//!
//! Key decision: it is there with the feature `testing` only, and takes what a client could send: whatever that
//! is, the worst that may happen is a refusal with a status below 500.
//! Not here: the targets (`fuzz/`).

use crate::bulk::job::Format;
use crate::bulk::rows::line;
use crate::bulk::sheet::Sheet;
use crate::error::ApiError;
use crate::org::State;
use crate::sample;
use crate::soql::cursor::Cursors;
use crate::soql::page::{MAX_PAGE, Pager};
use crate::soql::run::Shown;
use crate::soql::{parser, plan};

/// The sample org, to be queried.
#[derive(Debug)]
pub struct Queried(State);

impl Default for Queried {
    fn default() -> Self {
        let mut state = sample::state();
        state.settings.page_size = 7;
        Self(state)
    }
}

impl Queried {
    /// Runs a query and reads its second page.
    ///
    /// # Panics
    /// A refusal has a status of 500 or more.
    pub fn query(&self, text: &str, all: bool) {
        if let Err(e) = self.pages(text, all) {
            assert_eq!(e.status, 400, "{text}: {e}");
        }
    }

    fn pages(&self, text: &str, all: bool) -> Result<(), ApiError> {
        let plan = plan::bind(&self.0, text, &parser::parse(text)?)?;
        let mut pager = Pager {
            state: &self.0,
            cursors: &mut Cursors::default(),
            version: "v67.0",
            resource: "query",
        };
        let Shown::Object(first) = pager.start(plan, all, MAX_PAGE)? else {
            return Ok(());
        };
        let next = first.iter().find(|(key, _)| key == "nextRecordsUrl");
        if let Some((_, Shown::Plain(url))) = next {
            let locator = url.as_str().and_then(|u| u.rsplit('/').next());
            pager.more(locator.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// The CSV of the Bulk API in one of its formats.
#[derive(Debug, Clone, Copy)]
pub struct Csv(Format);

/// Rows of cells.
pub type Cells = Vec<Vec<Vec<u8>>>;

impl Csv {
    /// The format of these names (`COMMA`, `PIPE`, ..; `LF`, `CRLF`); `None` for names that are none.
    #[must_use]
    pub fn named(delimiter: &str, ending: &str) -> Option<Self> {
        Format::named(Some(delimiter), Some(ending)).map(Self)
    }

    /// The rows of an upload, or why it is no CSV.
    ///
    /// # Errors
    /// The job's `errorMessage`.
    ///
    /// # Panics
    /// A row does not read the same again from where it began.
    pub fn read(self, upload: &[u8]) -> Result<Cells, String> {
        let cells = |sheet: &Sheet<'_>| sheet.cells().map(<[u8]>::to_vec).collect();
        let mut sheet = Sheet::new(upload, self.0);
        let (mut rows, mut starts) = (Cells::new(), Vec::new());
        while let Some(start) = sheet.read().map_err(|flaw| flaw.to_string())? {
            starts.push(start);
            rows.push(cells(&sheet));
        }
        let mut again = Sheet::new(upload, self.0);
        for (row, start) in rows.iter().zip(&starts).rev() {
            again.seek(*start);
            assert!(matches!(again.read(), Ok(Some(at)) if at == *start));
            assert_eq!(*row, cells(&again));
        }
        Ok(rows)
    }

    /// Rows as the API writes them.
    #[must_use]
    pub fn write(self, rows: &Cells) -> Vec<u8> {
        let mut out = Vec::new();
        for row in rows {
            line(row.iter(), self.0, &mut out);
        }
        out
    }
}
