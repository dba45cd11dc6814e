//! Where a reading stands, as bytes that the engine keeps and gives back.
//!
//! Key decision: what the org keeps longest: the last row's Id and stamp, which is good for ever, or a Bulk job with
//! its locator, good for seven days; never a cursor. The bytes stand in drafts, so they have a version; those that do
//! not read as a position mean: from the beginning. They hold nothing of a row but its Id and stamp.

use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;

use super::soql::After;

/// Where a reading stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// After this row.
    Row(After),
    /// In the results of a Bulk job.
    Job {
        /// The job's Id.
        job: String,
        /// Where its next page is; none: at the beginning.
        locator: Option<String>,
        /// Rows before that.
        rows: u64,
    },
    /// After the rows of this parent, where rows are asked for by their parents.
    Parent(RecordId),
}

const VERSION: u8 = 1;

impl Position {
    /// Version and kind; then Id and milliseconds, or rows, job and locator parted by a line end, or an Id.
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
            Self::Parent(id) => {
                out.push(2);
                out.extend(id.as_bytes());
            }
        }
        out
    }

    /// Reads what [`Position::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[VERSION, kind], rest) = bytes.split_first_chunk::<2>()? else {
            return None;
        };
        match kind {
            0 => {
                let (stamp, id) = rest.split_last_chunk::<8>().map(|(id, stamp)| (stamp, id))?;
                Some(Self::Row(After {
                    id: RecordId::parse(id)?,
                    stamp: Stamp::from_millis(i64::from_le_bytes(*stamp)),
                }))
            }
            1 => {
                let (rows, text) = rest.split_first_chunk::<8>()?;
                let (job, locator) = std::str::from_utf8(text).ok()?.split_once('\n')?;
                let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric());
                letters(job).then(|| Self::Job {
                    job: job.to_owned(),
                    locator: Some(locator.to_owned()).filter(|l| !l.is_empty()),
                    rows: u64::from_le_bytes(*rows),
                })
            }
            2 => RecordId::parse(rest).map(Self::Parent),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_nonsense_does_not() {
        let id: RecordId = "001000000000001".parse().unwrap();
        let after = After {
            id,
            stamp: Stamp::from_millis(-7),
        };
        let job = |locator: Option<&str>| Position::Job {
            job: "750Tn000004ZoR3IAK".into(),
            locator: locator.map(str::to_owned),
            rows: 25_000,
        };
        for position in [
            Position::Row(after),
            job(None),
            job(Some("MTAwMDA")),
            Position::Parent(id),
        ] {
            let bytes = position.encode();
            assert_eq!(Position::decode(&bytes), Some(position));
            assert!((0..10).all(|len| Position::decode(&bytes[..len]).is_none()));
        }
        assert_eq!(Position::decode(&[9, 0]), None);
        assert_eq!(Position::decode(b"\x01\x01\0\0\0\0\0\0\0\x00750/../x\n"), None);
    }
}
