//! Faults at a rate: chaos that can be repeated.
//!
//! Key decision: whether a request fails, and how, follows from the org's seed and the request's number alone,
//! so the same requests in the same order meet the same faults. Requests that race for their number do not.
//! Not here: faults on a script (`faults`), playing them (`http::play`).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::faults::Fault;
use crate::id::mix;

/// A kind of [`Fault`]; what it needs besides (status, place, rate) is drawn too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChaosKind {
    /// 500 `UNKNOWN_EXCEPTION` or 503 `SERVER_UNAVAILABLE`.
    Error,
    /// 500, 502 or 504 with an HTML page.
    Html,
    /// 429 or 503, with `Retry-After: 1` or without.
    Busy,
    /// 200 or 502 without a body.
    Empty,
    /// [`Fault::HalfBody`].
    HalfBody,
    /// [`Fault::CutBody`] within the first 4,096 bytes.
    CutBody,
    /// [`Fault::WrongLength`].
    WrongLength,
    /// [`Fault::BrokenChunks`].
    BrokenChunks,
    /// [`Fault::CutJson`].
    CutJson,
    /// [`Fault::CutGzip`].
    CutGzip,
    /// [`Fault::BadGzip`].
    BadGzip,
    /// [`Fault::Slow`] at 256 KiB to 1 MiB a second.
    Slow,
    /// [`Fault::Delay`] of up to 50 ms.
    Delay,
    /// [`Fault::Drop`].
    Drop,
    /// [`Fault::AppliedButLost`].
    AppliedButLost,
    /// [`Fault::SessionExpires`].
    SessionExpires,
}

use ChaosKind as Kind;

const ALL: [Kind; 16] = [
    Kind::Error,
    Kind::Html,
    Kind::Busy,
    Kind::Empty,
    Kind::HalfBody,
    Kind::CutBody,
    Kind::WrongLength,
    Kind::BrokenChunks,
    Kind::CutJson,
    Kind::CutGzip,
    Kind::BadGzip,
    Kind::Slow,
    Kind::Delay,
    Kind::Drop,
    Kind::AppliedButLost,
    Kind::SessionExpires,
];

/// The share of requests (0 to 1) that meets each kind of fault; none by default. Shares beyond 1 in all are
/// never drawn. As JSON: `{"drop": 0.01, "cut_gzip": 0.02}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Chaos(pub BTreeMap<ChaosKind, f64>);

impl Chaos {
    /// Every kind, with this share of requests between them.
    pub fn spread(share: f64) -> Self {
        let each = share / ALL.len() as f64;
        Self(ALL.into_iter().map(|kind| (kind, each)).collect())
    }

    /// What befalls the request of this number.
    pub(super) fn draw(&self, seed: u64, request: u64) -> Option<Fault> {
        if self.0.is_empty() {
            return None;
        }
        // The upper 53 bits, as a fraction of 1.
        let mut place = (mix(seed, &format!("chaos {request}")) >> 11) as f64 / (1u64 << 53) as f64;
        for (kind, share) in &self.0 {
            if place < *share {
                return Some(fault(*kind, mix(seed, &format!("fault {request}"))));
            }
            place -= share;
        }
        None
    }
}

/// A fault of a kind, with what a random number makes of it.
fn fault(kind: Kind, dice: u64) -> Fault {
    let one_of = |statuses: &[u16]| statuses[(dice % statuses.len() as u64) as usize];
    let error = |status, code, message| Fault::Error {
        status,
        code,
        message,
    };
    match kind {
        Kind::Error if dice.is_multiple_of(2) => {
            error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
        }
        Kind::Error => error(503, "SERVER_UNAVAILABLE", "Server Too Busy"),
        Kind::Html => Fault::Html(one_of(&[500, 502, 504])),
        Kind::Busy => Fault::Busy {
            status: one_of(&[429, 503]),
            retry_after: (dice & 2 == 0).then_some("1"),
        },
        Kind::Empty => Fault::Empty(one_of(&[200, 502])),
        Kind::HalfBody => Fault::HalfBody,
        Kind::CutBody => Fault::CutBody((dice % 4096) as usize),
        Kind::WrongLength => Fault::WrongLength,
        Kind::BrokenChunks => Fault::BrokenChunks,
        Kind::CutJson => Fault::CutJson,
        Kind::CutGzip => Fault::CutGzip,
        Kind::BadGzip => Fault::BadGzip,
        Kind::Slow => Fault::Slow(256 * 1024 + (dice % (768 * 1024)) as u32),
        Kind::Delay => Fault::Delay(Duration::from_millis(dice % 50)),
        Kind::Drop => Fault::Drop,
        Kind::AppliedButLost => Fault::AppliedButLost,
        Kind::SessionExpires => Fault::SessionExpires,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(chaos: &Chaos, seed: u64) -> Vec<Option<Fault>> {
        (1..=10_000).map(|n| chaos.draw(seed, n)).collect()
    }

    #[test]
    fn rates_hold_and_a_seed_repeats() {
        let chaos = Chaos(BTreeMap::from([(Kind::Drop, 0.1), (Kind::BadGzip, 0.02)]));
        let faults = drawn(&chaos, 7);
        let count = |wanted: &Fault| faults.iter().flatten().filter(|f| *f == wanted).count();
        assert!((900..1100).contains(&count(&Fault::Drop)));
        assert!((150..250).contains(&count(&Fault::BadGzip)));
        assert_eq!(
            faults.iter().flatten().count(),
            count(&Fault::Drop) + count(&Fault::BadGzip)
        );
        assert_eq!(faults, drawn(&chaos, 7));
        assert_ne!(faults, drawn(&chaos, 8));
        assert!(drawn(&Chaos::default(), 7).iter().all(Option::is_none));
    }

    #[test]
    fn spread_over_all_kinds() {
        let all = drawn(&Chaos::spread(1.0), 3);
        assert_eq!(all.iter().flatten().count(), all.len());
        let kinds: std::collections::HashSet<_> = all
            .into_iter()
            .flatten()
            .map(|f| std::mem::discriminant(&f))
            .collect();
        assert_eq!(kinds.len(), ALL.len());
        assert!(serde_json::from_str::<Chaos>(r#"{"nonsense": 1}"#).is_err());
    }
}
