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
    /// The connection is closed, and it is done when so many more requests have been answered.
    HangUpAndLate(u32),
    /// So many milliseconds pass before it is done, and so many before it is answered.
    Slow(u32, u32),
}

/// Sees what is asked and what the store answers, and has its way with requests that no rule names. With one nothing is
/// logged: it sees it all.
pub trait Judge: Send {
    /// A request came: what is to be done with it.
    fn asked(&mut self, asked: &Asked) -> Option<Act>;

    /// It was done, with this status, whatever its sender is told.
    fn answered(&mut self, asked: &Asked, status: u16);
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

impl Asked {
    fn of(request: &Request) -> Self {
        let condition = request.header("if-none-match").or(request.header("if-match"));
        Self {
            method: request.verb().to_owned(),
            key: request.target(),
            condition: condition.map(str::to_owned),
            range: request.header("range").map(str::to_owned),
        }
    }
}

/// The rules in force and what came so far.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) rules: Vec<Rule>,
    pub(crate) judge: Option<Box<dyn Judge>>,
    pub(crate) log: Vec<Asked>,
    /// Requests that are done when so many more have been answered.
    pub(crate) late: Vec<(u32, Request)>,
}

impl Script {
    /// Notes a request; what is to be done with it.
    pub(crate) fn act(&mut self, request: &Request) -> Option<Act> {
        let asked = Asked::of(request);
        let fits = |rule: &&mut Rule| {
            rule.times > 0 && rule.method == asked.method && asked.key.ends_with(&rule.key)
        };
        let act = match self.rules.iter_mut().find(fits) {
            Some(rule) if rule.pass > 0 => {
                rule.pass -= 1;
                None
            }
            Some(rule) => {
                rule.times -= 1;
                Some(rule.act)
            }
            None => self.judge.as_mut().and_then(|judge| judge.asked(&asked)),
        };
        if self.judge.is_none() {
            self.log.push(asked);
        }
        act
    }

    /// Tells the judge how the store answered.
    pub(crate) fn answered(&mut self, request: &Request, status: u16) {
        if let Some(judge) = &mut self.judge {
            judge.answered(&Asked::of(request), status);
        }
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
