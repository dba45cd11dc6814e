//! The same records, one file each for the tools that back up files, one dump for Halite.
//!
//! Key decision: no limits, since nobody exports an org that way; it shows what deduplication by files can do at its
//! best. On the next day only the files that changed are written anew, so that the others find the rest unchanged. It
//! does not give anything back.

use clap::Args;

use crate::dump::Dump;
use crate::report::{Report, Row};
use crate::tools::{Store, Tool, gone};
use crate::{Case, Result, Setting, say};

const CASE: &str = "one-file-a-record";
const EDIT_PERCENT: f64 = 1.0;

/// How much of it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Options {
    /// Records that are one file each
    #[arg(long, default_value_t = 20_000)]
    file_records: u64,
}

/// Measures.
///
/// # Errors
/// What a tool or the disk says.
pub fn measure(options: &Options, setting: &Setting, report: &mut Report) -> Result<()> {
    let (records, folder) = (options.file_records, setting.work.join("dump"));
    let mut dump = Dump::new(folder, records, 1_240, setting.seed, EDIT_PERCENT)?;
    let files = setting.work.join("files");
    report.about("one-file-a-record", format!("{records} records"));
    let mut stores: Vec<(Store, u64)> = Vec::new();
    for installed in setting.tools_of(Case::OneFileARecord) {
        let store = Store::make(&setting.work, installed.tool.name(), installed)?;
        let empty = store.bytes()?;
        stores.push((store, empty));
    }
    for (day, work) in [(0, "first day"), (1, "next day")] {
        dump.whole(day)?;
        dump.files(&files, day)?;
        for (path, _) in crate::files_of(&files)? {
            crate::dump::warm(&path)?;
        }
        for (store, before) in &mut stores {
            let name = store.tool().name();
            say(format_args!("one file a record: {work}, {name}"))?;
            let run = match store.tool() {
                Tool::Halite => store.backup(dump.folder(), "", day)?,
                _ => store.backup(&setting.work, "files", day)?,
            };
            let now = store.bytes()?;
            report.row(Row::new(CASE, work, name).run(run).bytes(*before, now));
            *before = now;
        }
    }
    for (store, _) in stores {
        store.remove()?;
    }
    gone(&files)?;
    gone(dump.folder())
}
