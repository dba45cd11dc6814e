//! `halite init`: makes a vault in a folder that is empty or not there yet.
//!
//! Key decision: a vault is sealed unless `--no-encryption` says otherwise in so many words.
//! It does not touch a folder that holds anything else.

use std::fs;
use std::sync::Arc;

use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};
use serde_json::json;

use crate::args::Init;
use crate::job::Job;
use crate::out::End;

/// Makes the vault.
pub fn run(job: &Job, flags: &Init) -> Result<End> {
    let dir = job.dir()?;
    if dir.join("vault").exists() {
        return Err(
            Error::new(Kind::Invalid, format!("{}: it is a vault already", dir.display()))
                .hint("use it, or name another folder"),
        );
    }
    if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(
            Error::invalid(format!("{}: the folder is not empty", dir.display())).hint("name an empty one"),
        );
    }
    let secret = if flags.no_encryption {
        Secret::None
    } else {
        job.new_secret()?
    };
    let place = Arc::new(Local::create(dir)?);
    Vault::create(place, &secret, VaultOptions::default())?;
    let sealed = !flags.no_encryption;
    let how = if sealed {
        "sealed; without its key nothing can be read back"
    } else {
        "not sealed"
    };
    job.out
        .line(format_args!("made a vault in {}, {how}", dir.display()))?;
    job.out
        .value(&json!({ "vault": dir.display().to_string(), "sealed": sealed }))?;
    Ok(End::Done)
}
