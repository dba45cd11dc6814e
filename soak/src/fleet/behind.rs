//! The bucket out of the server's own memory, as a backend that is only looked at.
//!
//! Key decision: past HTTP and so past all weather, so that what the oracle says is what stands in the bucket and never an
//! answer that was lost on its way. It writes nothing.

use std::sync::Arc;

use halite_engine::store::backend::Backend;
use halite_engine::{Error, Kind, Result};
use halite_simulator_s3::S3;

/// The prefix of the vault in its bucket.
pub const PREFIX: &str = "vault";

/// What stands below the prefix.
pub struct Behind(pub Arc<S3>);

fn key(name: &str) -> String {
    format!("{PREFIX}/{name}")
}

fn only_looked_at() -> Error {
    Error::new(Kind::Denied, "the oracle only looks")
}

impl Backend for Behind {
    fn put_new(&self, _: &str, _: &[u8]) -> Result<()> {
        Err(only_looked_at())
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        let absent = || Error::new(Kind::NotFound, format!("{name} does not exist"));
        self.0.object(&key(name)).ok_or_else(absent)
    }

    fn get_range(&self, name: &str, offset: u64, len: usize) -> Result<Vec<u8>> {
        let bytes = self.get(name)?;
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let range = start..start.saturating_add(len);
        let short = || Error::corrupt(name, format_args!("it has {} bytes", bytes.len()));
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(short)
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.get(name).map(|bytes| bytes.len() as u64)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let keys = self.0.keys();
        let names = keys
            .iter()
            .filter_map(|key| key.strip_prefix(PREFIX)?.strip_prefix('/'));
        let object = |name: &&str| *name != "root" && !name.starts_with("tmp/");
        Ok(names
            .filter(|name| name.starts_with(prefix))
            .filter(object)
            .map(str::to_owned)
            .collect())
    }

    fn delete(&self, _: &str) -> Result<()> {
        Err(only_looked_at())
    }

    fn root(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.object(&key("root")))
    }

    fn swap_root(&self, _: Option<&[u8]>, _: &[u8]) -> Result<bool> {
        Err(only_looked_at())
    }

    fn describe(&self) -> String {
        "the bucket".to_owned()
    }
}
