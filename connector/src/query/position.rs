//! Where a reading stands, as bytes that the engine keeps and gives back.
//!
//! Key decision: what the org keeps longest: the last row's Id and stamp, or a Bulk job with its locator. Bytes that do
//! not read as a position mean: from the beginning. They stand in drafts, so they have a version.

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;

use super::soql::After;

/// Where a reading stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After this row.
    Row(After),
    /// In the results of a Bulk job: the next locator, and the rows given so far.
    Job {
        /// The job.
        job: String,
        /// None: at the beginning.
        locator: Option<String>,
        /// Rows before it.
        rows: u64,
    },
}

const VERSION: u8 = 1;

impl Position {
    /// Version, kind, then an Id and milliseconds, or rows, job and locator parted by a line end.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        match self {
            Self::Row(after) => {
                out.push(0);
                out.extend(after.id.as_bytes());
                out.extend(after.stamp.millis().to_le_bytes());
            }
            Self::Job { job, locator, rows } => {
                out.push(1);
                out.extend(rows.to_le_bytes());
                out.extend(job.as_bytes());
                out.push(b'\n');
                out.extend(locator.as_deref().unwrap_or_default().as_bytes());
            }
        }
        out
    }

    /// Reads what [`Position::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION, kind], rest) = bytes.split_first_chunk::<2>()? else {
            return None;
        };
        if kind == 0 {
            let (id, stamp) = rest.split_at_checked(15)?;
            return Some(Self::Row(After {
                id: RecordId::parse(id)?,
                stamp: Stamp::from_millis(i64::from_le_bytes(stamp.try_into().ok()?)),
            }));
        }
        let (rows, text) = rest.split_first_chunk::<8>().filter(|_| kind == 1)?;
        let (job, locator) = std::str::from_utf8(text).ok()?.split_once('\n')?;
        Some(Self::Job {
            job: job.to_owned(),
            locator: Some(locator.to_owned()).filter(|l| !l.is_empty()),
            rows: u64::from_le_bytes(*rows),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_nonsense_does_not() {
        let after = After {
            id: "001000000000001".parse().unwrap(),
            stamp: Stamp::from_millis(-7),
        };
        let job = |locator: Option<&str>| Position::Job {
            job: "750Tn000004ZoR3IAK".into(),
            locator: locator.map(str::to_owned),
            rows: 25_000,
        };
        for position in [Position::Row(after), job(None), job(Some("MTAwMDA"))] {
            let bytes = position.encode();
            assert_eq!(Position::decode(&bytes), Some(position));
            assert!((0..10).all(|len| Position::decode(&bytes[..len]).is_none()));
        }
        assert_eq!(Position::decode(&[9, 0]), None);
    }
}
