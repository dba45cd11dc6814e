//! What goes wrong, and with which requests.
//!
//! Key decision: a rule names requests by method and key, lets some pass, and then has its way with a number of them,
//! so that a test can hit just the third PUT of the root. It decides nothing at random.

use crate::http::Request;

/// What is done with a request instead of answering it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// It is not done, and answered with this status and code.
    Answer(u16, &'static str),
    /// It is done, and answered as if it had failed.
    DoAndAnswer(u16, &'static str),
    /// It is not done, and the connection is closed.
    HangUp,
    /// It is done, and the connection is closed without an answer.
    DoAndHangUp,
    /// It is not done, and never answered.
    Silence,
    /// It is done, and never answered.
    DoAndSilence,
    /// It is never answered, and done when so many more requests have been answered.
    Late(u32),
    /// It is not done: somebody else writes these bytes under its key, and it is answered with 500.
    Overtaken(&'static [u8]),
    /// It is done, and the connection is closed after half of the answer's body.
    HalfBody,
}

/// Which requests something is done with.
#[derive(Debug, Clone)]
pub struct Rule {
    method: &'static str,
    key: String,
    pass: u32,
    times: u32,
    act: Act,
}

impl Rule {
    /// For requests of this method whose key (of a listing: its prefix) ends with `key`: once, from the first.
    pub fn new(method: &'static str, key: &str, act: Act) -> Self {
        Self {
            method,
            key: key.to_owned(),
            pass: 0,
            times: 1,
            act,
        }
    }

    /// Lets so many pass first.
    #[must_use]
    pub fn after(mut self, pass: u32) -> Self {
        self.pass = pass;
        self
    }

    /// For so many, not one.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its method; `LIST` for a listing.
    pub method: String,
    /// Its key; of a listing its prefix.
    pub key: String,
    /// The condition it is under: `*` or an ETag.
    pub condition: Option<String>,
    /// Its `Range`.
    pub range: Option<String>,
}

/// The rules in force and what came so far.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) rules: Vec<Rule>,
    pub(crate) log: Vec<Asked>,
    /// Requests that are done when so many more have been answered.
    pub(crate) late: Vec<(u32, Request)>,
}

impl Script {
    /// Notes a request; what is to be done with it.
    pub(crate) fn act(&mut self, request: &Request) -> Option<Act> {
        let key = request.target();
        self.log.push(Asked {
            method: request.verb().to_owned(),
            key: key.clone(),
            condition: request
                .header("if-none-match")
                .or(request.header("if-match"))
                .map(str::to_owned),
            range: request.header("range").map(str::to_owned),
        });
        let fits =
            |rule: &&mut Rule| rule.times > 0 && rule.method == request.verb() && key.ends_with(&rule.key);
        let rule = self.rules.iter_mut().find(fits)?;
        if rule.pass > 0 {
            rule.pass -= 1;
            return None;
        }
        rule.times -= 1;
        Some(rule.act)
    }

    /// What is due after one more answer.
    pub(crate) fn due(&mut self) -> Vec<Request> {
        let mut due = Vec::new();
        for (left, request) in std::mem::take(&mut self.late) {
            match left {
                0 | 1 => due.push(request),
                left => self.late.push((left - 1, request)),
            }
        }
        due
    }
}
