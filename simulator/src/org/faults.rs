//! Scripted failures of the HTTP side.
//!
//! Key decision: a test queues what shall go wrong for requests with a text in their path and query, and a
//! method if it names one; each entry lets its first matches pass, is used a given number of times, and then
//! gone. Nothing fails by chance: what `chaos` draws follows from the seed and the request's number.
//! Not here: how a fault is played (`http::play`).

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::chaos::Chaos;
use super::{seconds, values};

/// A text that lives as long as the process; a name of its own, so that reading it borrows nothing.
type Text = &'static str;

/// What goes wrong with a request.
///
/// "Not looked at" means that the org never sees the request. All others are answered, and what was asked for
/// is carried out. Where the framing is sound, the damage shows only to who decodes the body.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Not looked at: this status with a JSON error array of this code and message.
    Error {
        /// HTTP status, e.g. 503.
        status: u16,
        /// `errorCode`, e.g. `SERVER_UNAVAILABLE`.
        #[serde(deserialize_with = "kept")]
        code: Text,
        /// `message`.
        #[serde(deserialize_with = "kept")]
        message: Text,
    },
    /// Not looked at: this status with an HTML page, as gateways send.
    Html(u16),
    /// Not looked at: this status with an HTML page and, if given, a `Retry-After`, as gateways that throttle
    /// send. The API itself has no such header.
    Busy {
        /// HTTP status, e.g. 429 or 503.
        status: u16,
        /// `Retry-After`: seconds, or an HTTP date.
        #[serde(default, deserialize_with = "kept_if_any")]
        retry_after: Option<Text>,
    },
    /// Not looked at: this status with an empty body.
    Empty(u16),
    /// The connection ends after half of the body.
    HalfBody,
    /// The connection ends after this many bytes of the body as it travels; after all of it, if it is shorter.
    CutBody(usize),
    /// `Content-Length` says half of what is sent.
    WrongLength,
    /// A chunked body that ends without its last chunk.
    BrokenChunks,
    /// The framing is sound; the body ends in its middle.
    CutJson,
    /// The framing is sound; the gzip stream ends in its middle. As `HalfBody` for a client that takes no gzip.
    CutGzip,
    /// The framing is sound; the checksum at the end of the gzip stream is wrong. As `HalfBody` for a client that
    /// takes no gzip.
    BadGzip,
    /// The reply leaves at this many bytes a second, 1 at least, and the connection ends after it.
    Slow(u32),
    /// The request is answered after this time.
    Delay(#[serde(with = "seconds")] Duration),
    /// The connection ends without a reply; the request was not looked at.
    Drop,
    /// The connection ends without a reply; the request was carried out.
    AppliedButLost,
    /// The access token that the request bears is dead from now on; a refresh token is not. A request without
    /// a token is answered as ever.
    SessionExpires,
}

fn kept<'de, D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
    Ok(values::interned(&String::deserialize(from)?))
}

fn kept_if_any<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Text>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(|text| values::interned(&text)))
}

/// Which requests fail, how often, and how.
///
/// ```
/// use halite_simulator::{Fault, Org, Script};
/// let org = Org::empty();
/// // The third and the fourth page of a query die on their way.
/// org.script(Script {
///     contains: "/query/".into(),
///     after: 1,
///     times: 2,
///     ..Script::new(Fault::CutBody(100))
/// });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Text in path and query, as sent; every request has the empty one.
    #[serde(default)]
    pub contains: String,
    /// HTTP method; any, if none is named.
    #[serde(default)]
    pub method: Option<String>,
    /// Matches that pass before.
    #[serde(default)]
    pub after: u32,
    /// Matches that fail.
    #[serde(default = "once")]
    pub times: u32,
    /// How.
    pub fault: Fault,
}

fn once() -> u32 {
    1
}

impl Script {
    /// The next request fails so.
    pub fn new(fault: Fault) -> Self {
        Self {
            contains: String::new(),
            method: None,
            after: 0,
            times: 1,
            fault,
        }
    }

    fn meant(&self, method: &str, target: &str) -> bool {
        let any = self.method.as_deref();
        any.is_none_or(|m| m.eq_ignore_ascii_case(method)) && target.contains(&self.contains)
    }
}

/// The queue of an org.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    scripts: Vec<Script>,
    /// Requests so far.
    requests: u64,
}

impl Faults {
    pub fn push(&mut self, script: Script) {
        if script.times > 0 {
            self.scripts.push(script);
        }
    }

    pub fn clear(&mut self) {
        self.scripts.clear();
    }

    /// Scripted faults to come.
    pub fn left(&self) -> u32 {
        self.scripts.iter().map(|script| script.times).sum()
    }

    /// What befalls the next request: a script, else chaos.
    pub fn next(&mut self, chaos: &Chaos, seed: u64, method: &str, target: &str) -> Option<Fault> {
        self.requests += 1;
        self.take(method, target)
            .or_else(|| chaos.draw(seed, self.requests))
    }

    /// The first fault scripted for this request, used up by one. An entry that lets it pass has counted it.
    fn take(&mut self, method: &str, target: &str) -> Option<Fault> {
        for at in 0..self.scripts.len() {
            let script = &mut self.scripts[at];
            if !script.meant(method, target) {
                continue;
            }
            if script.after > 0 {
                script.after -= 1;
                continue;
            }
            script.times -= 1;
            let fault = script.fault.clone();
            if script.times == 0 {
                self.scripts.remove(at);
            }
            return Some(fault);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(contains: &str, after: u32, times: u32, fault: Fault) -> Script {
        Script {
            contains: contains.into(),
            after,
            times,
            ..Script::new(fault)
        }
    }

    #[test]
    fn used_in_order_and_up() {
        let mut faults = Faults::default();
        faults.push(script("/query", 0, 1, Fault::Drop));
        faults.push(script("", 0, 2, Fault::Html(500)));
        assert_eq!(faults.take("GET", "/a"), Some(Fault::Html(500)));
        assert_eq!(faults.take("GET", "/x/query?q="), Some(Fault::Drop));
        assert_eq!(faults.take("GET", "/x/query?q="), Some(Fault::Html(500)));
        assert_eq!(faults.take("GET", "/x/query?q="), None);
    }

    #[test]
    fn some_pass_and_methods_differ() {
        let mut faults = Faults::default();
        faults.push(Script {
            method: Some("post".into()),
            ..script("/a", 1, 1, Fault::Drop)
        });
        let seen: Vec<bool> = ["GET", "POST", "GET", "POST", "POST"]
            .iter()
            .map(|method| faults.take(method, "/a").is_some())
            .collect();
        assert_eq!(seen, [false, false, false, true, false]);
        faults.push(script("", 0, 0, Fault::Drop));
        assert_eq!(faults.take("GET", "/a"), None);
    }
}
