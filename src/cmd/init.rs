//! `halite init`: makes a vault in a folder or a prefix of a bucket that is empty or not there yet.
//!
//! Key decision: a vault is sealed unless `--no-encryption` says otherwise in so many words.
//! It does not touch a place that holds anything else.

use halite_engine::Result;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use serde_json::json;

use crate::args::Init;
use crate::job::Job;
use crate::out::End;

/// Makes the vault.
pub fn run(job: &Job, flags: &Init) -> Result<End> {
    let place = job.place()?;
    let secret = || match flags.no_encryption {
        true => Ok(Secret::None),
        false => job.new_secret(),
    };
    let (store, secret) = place.make(secret)?;
    Vault::create(store, &secret, VaultOptions::default())?;
    let sealed = !flags.no_encryption;
    let how = if sealed {
        "sealed; without its key nothing can be read back"
    } else {
        "not sealed"
    };
    job.out.line(format_args!("made a vault in {place}, {how}"))?;
    job.out
        .value(&json!({ "vault": place.to_string(), "sealed": sealed }))?;
    Ok(End::Done)
}
