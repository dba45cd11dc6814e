//! A whole state read out of a bucket that is far away: how much of the link it fills.
//!
//! Key decision: each request waits as long as the way there and back takes, and all answers share one link, so that what
//! is measured is how well reading ahead hides the way. Its yardstick is the bytes of the packs, which is what must come
//! over at least. It is no test of a provider.

use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use halite_engine::base::id::OrgId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::import::import;
use halite_engine::ops::state::State;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{Act, Rule, S3};
use serde_json::Value;
use tempfile::TempDir;

use crate::figures::Figures;
use crate::{Corpus, Shape, describe};

/// What is read, and how far away.
#[derive(Debug, Clone, Args)]
pub struct Far {
    /// Records
    #[arg(long, default_value_t = 300_000)]
    pub records: u64,
    /// Mean bytes of a record
    #[arg(long, default_value_t = 1_240)]
    pub bytes: usize,
    /// Milliseconds that each request waits
    #[arg(long, default_value_t = 50)]
    pub latency: u32,
    /// Megabits a second of the link
    #[arg(long, default_value_t = 200)]
    pub megabits: u64,
}

/// Measures; the figures, and whether they are within their limits.
///
/// # Errors
/// Whatever the vault or the disk says.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
pub fn measure(options: &Far) -> Result<(Value, bool), Box<dyn Error>> {
    let s3 = S3::start("vaults")?;
    let open = || Bucket::open_with("s3://vaults/acme", s3.variables(), Patience::default()).map(Arc::new);
    let vault = Vault::create(open()?, &Secret::None, VaultOptions::default())?;
    let org: OrgId = "00D000000000001".parse()?;
    let dump = dump(options)?;
    import(
        &vault,
        org,
        Stamp::from_millis(1_767_225_600_000),
        dump.path(),
        false,
        &mut |_| (),
    )?;
    let packs = s3.keys().into_iter().filter(|key| key.contains("/packs/"));
    let stored: usize = packs
        .filter_map(|key| s3.object(&key))
        .map(|pack| pack.len())
        .sum();
    let link = options.megabits * 1_000_000 / 8;
    let mut report = Figures::default();
    report.note("stored_bytes", stored);
    report.note("link_bytes_a_second", link);
    for (name, latency, link) in [("at_hand", 0, None), ("far", options.latency, Some(link))] {
        s3.calm();
        for method in ["GET", "HEAD", "LIST"] {
            s3.script(Rule::new(method, "", Act::Slow(latency, 0)).times(u32::MAX));
        }
        if let Some(link) = link {
            s3.link(link);
        }
        s3.take_log();
        let vault = Vault::open(open()?, &Secret::None, VaultOptions::default())?;
        let began = Instant::now();
        let state = State::at(&vault, &vault.find_snapshot(org, "latest")?);
        let mut records = 0;
        state.lines("Contact", &mut |_, count| {
            records += count;
            Ok(())
        })?;
        let seconds = began.elapsed().as_secs_f64();
        if records != options.records {
            return Err(format!("{records} records came of {}", options.records).into());
        }
        report.note(&format!("{name}_seconds"), seconds);
        report.note(&format!("{name}_requests"), s3.take_log().len());
        if let Some(link) = link {
            let ideal = stored as f64 / link as f64;
            report.at_least("share_of_the_link", ideal / seconds, 0.7);
        }
    }
    Ok(report.end())
}

/// A dump of Contacts.
fn dump(options: &Far) -> Result<TempDir, Box<dyn Error>> {
    let dir = TempDir::new()?;
    fs::write(dir.path().join("Contact.describe.json"), describe("Contact"))?;
    let corpus = Corpus::new(Shape {
        records: options.records,
        bytes: options.bytes,
        seed: 1,
        day: 0,
        edit_percent: 0.0,
        add_percent: 0.0,
    });
    let mut file = BufWriter::new(fs::File::create(dir.path().join("Contact.ndjson"))?);
    let mut line = Vec::new();
    for row in 0..options.records {
        line.clear();
        corpus.line(row, &mut line);
        file.write_all(&line)?;
    }
    file.flush()?;
    Ok(dir)
}
