//! Scripted failures of the HTTP side.
//!
//! Key decision: a test queues what shall go wrong for the next requests whose path and query contain a
//! text; each entry is used a given number of times and then gone. Nothing fails by chance.
//! Not here: how a fault is played on the wire (`http::server`, `http::wire`).

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::{seconds, values};

/// A text that lives as long as the process; a name of its own, so that reading it borrows nothing.
type Text = &'static str;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The request is not looked at: this status with a JSON error array of this code and message.
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
    /// The request is not looked at: this status with an HTML page, as gateways send.
    Html(u16),
    /// The request is not looked at: this status with an empty body.
    Empty(u16),
    /// The request is answered, but only half the body arrives before the connection closes.
    HalfBody,
    /// The request is answered after this time.
    Delay(#[serde(with = "seconds")] Duration),
    /// The connection closes; the request was not looked at.
    Drop,
    /// The connection closes without a reply; the request was carried out.
    AppliedButLost,
}

fn kept<'de, D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
    Ok(values::interned(&String::deserialize(from)?))
}

#[derive(Debug, Clone)]
struct Scripted {
    contains: String,
    times: u32,
    fault: Fault,
}

/// The queue of an org.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Vec<Scripted>);

impl Faults {
    pub fn push(&mut self, contains: &str, times: u32, fault: Fault) {
        if times > 0 {
            self.0.push(Scripted {
                contains: contains.to_owned(),
                times,
                fault,
            });
        }
    }

    /// The first fault scripted for this request, used up by one.
    pub fn take(&mut self, target: &str) -> Option<Fault> {
        let at = self.0.iter().position(|s| target.contains(&s.contains))?;
        let fault = self.0[at].fault.clone();
        self.0[at].times -= 1;
        if self.0[at].times == 0 {
            self.0.remove(at);
        }
        Some(fault)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn used_in_order_and_up() {
        let mut faults = Faults::default();
        faults.push("/query", 1, Fault::Drop);
        faults.push("", 2, Fault::Html(500));
        assert_eq!(faults.take("/a"), Some(Fault::Html(500)));
        assert_eq!(faults.take("/x/query?q="), Some(Fault::Drop));
        assert_eq!(faults.take("/x/query?q="), Some(Fault::Html(500)));
        assert_eq!(faults.take("/x/query?q="), None);
    }
}
