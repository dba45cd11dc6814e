//! The object that says that this is a vault, which one, and in which format.
//!
//! Key decision: in clear text, so that "not a vault" and "a newer format" are told before a passphrase is asked.
//! It authenticates nothing: slots and root do.

use crate::base::error::{Error, Kind, Result};
use crate::base::id::{SnapshotId, hex};
use crate::store::backend::Backend;

/// Its name.
pub(crate) const NAME: &str = "vault";
const FORMAT: u32 = 1;

/// Its content.
pub(crate) fn text(id: &[u8; 16]) -> String {
    format!("halite vault\nformat {FORMAT}\nid {}\n", hex(id))
}

/// Reads the object that says what this is.
pub(crate) fn read(backend: &dyn Backend) -> Result<[u8; 16]> {
    let not = || {
        Error::new(Kind::NotFound, format!("{} is not a vault", backend.describe()))
            .hint("`halite init` makes one")
    };
    let bytes = backend
        .get(NAME)
        .map_err(|e| if e.kind() == Kind::NotFound { not() } else { e })?;
    let text = String::from_utf8(bytes).map_err(|_| not())?;
    let mut lines = text.lines();
    if lines.next() != Some("halite vault") {
        return Err(not());
    }
    let format: Option<u32> = lines
        .next()
        .and_then(|l| l.strip_prefix("format "))
        .and_then(|n| n.parse().ok());
    match format {
        Some(FORMAT) => {}
        Some(newer) => {
            let message = format!(
                "{} has format {newer}, this build reads {FORMAT}",
                backend.describe()
            );
            return Err(Error::new(Kind::Unsupported, message).hint("use a newer halite"));
        }
        None => return Err(not()),
    }
    let id = lines
        .next()
        .and_then(|l| l.strip_prefix("id "))
        .and_then(SnapshotId::parse);
    id.map(|id| id.0)
        .ok_or_else(|| Error::corrupt("vault marker", "its id is malformed"))
}
