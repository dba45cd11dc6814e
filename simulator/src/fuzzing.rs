//! A door for the fuzz targets to parsers that are no part of the public interface.
//!
//! Key decision: it is there with the feature `testing` only, takes what a client could send, and gives
//! nothing back: whatever is sent, the worst that may happen is a refusal with a status below 500.
//! Not here: the targets (`fuzz/`).

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
