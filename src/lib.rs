//! Halite as a library: what products link to back up and restore Salesforce orgs.
//!
//! Key decision: one crate with the engine's and the connector's public faces under short names, so that a host
//! needs no other. It adds nothing of its own, and never prints.
//!
//! ```
//! use std::sync::Arc;
//! use halite::{Local, Secret, Vault, VaultOptions, ops};
//!
//! # fn main() -> halite::Result<()> {
//! # let scratch = tempfile::tempdir().unwrap();
//! # let (dir, dump) = (scratch.path().join("vault"), scratch.path().join("dump"));
//! # std::fs::create_dir(&dump).unwrap();
//! # std::fs::write(dump.join("Account.ndjson"), "{\"Id\":\"0012300000bVTq1\",\"Name\":\"Acme\"}\n").unwrap();
//! let vault = Vault::create(Arc::new(Local::create(&dir)?), &Secret::None, VaultOptions::default())?;
//! let (org, as_of) = ("00D000000000001".parse()?, "2026-01-31".parse()?);
//! ops::import::import(&vault, org, as_of, &dump, false, &mut |_| {})?;
//!
//! let snapshot = vault.snapshot_at(org, as_of)?;
//! let state = ops::state::State::at(&vault, &snapshot);
//! let record = state.get("Account", "0012300000bVTq1".parse()?)?;
//! assert!(record.is_some_and(|r| r.json.contains("Acme")));
//! # Ok(())
//! # }
//! ```

pub use halite_connector as connector;
pub use halite_connector::{Connect, Environment, Grant, SalesforceOrg};
pub use halite_engine as engine;
pub use halite_engine::base::clock::Clock;
pub use halite_engine::base::id::{OrgId, RecordId};
pub use halite_engine::base::stamp::Stamp;
pub use halite_engine::ops;
pub use halite_engine::store::local::Local;
pub use halite_engine::store::object::Bucket;
pub use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
pub use halite_engine::{Error, Kind, Result};
