//! Files: releases of public packages, all of them in one first backup.
//!
//! Key decision: Halite's side is this program run as a process of its own, by the engine's public face: the command has
//! nothing that takes a folder of files. Sealed by a passphrase, as the others are. It gives nothing back.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::Args;
use halite_engine::ops::capture::{BackupOptions, backup};
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};

use crate::dump::warm;
use crate::folder::Folder;
use crate::measured::{least, run};
use crate::releases::unpack;
use crate::report::{Report, Row};
use crate::tools::{Installed, Store, Tool, gone, settle};
use crate::{Case, Result, Setting, files_of, install, say};

const CASE: &str = "files";
const FIRST: &str = "first backup";
const PASSPHRASE: &str = "HALITE_PASSPHRASE";

/// A folder of files into a vault that is there.
#[derive(Debug, Clone, Args)]
pub struct Take {
    /// The vault
    vault: PathBuf,
    /// Where the index is kept
    index: PathBuf,
    /// The folder
    folder: PathBuf,
}

/// Takes the folder.
///
/// # Errors
/// What the vault or the folder says.
pub fn take(take: &Take) -> Result<()> {
    let secret = Secret::Passphrase(std::env::var(PASSPHRASE)?.into());
    let options = VaultOptions {
        cache_dir: Some(take.index.clone()),
        ..VaultOptions::default()
    };
    let vault = Vault::open(Arc::new(Local::open(&take.vault)?), &secret, options)?;
    let mut folder = Folder::new(&take.folder)?;
    let report = backup(&vault, &mut folder, &BackupOptions::default(), &mut |_| ())?;
    match report.missing_bodies.first() {
        Some(missing) => Err(format!("{} bodies are missing: {}", missing.rows, missing.reason).into()),
        None => Ok(()),
    }
}

/// Measures.
///
/// # Errors
/// What a tool, a package manager or the disk says.
pub fn measure(setting: &Setting, report: &mut Report) -> Result<()> {
    let folder = setting.work.join("releases");
    let names = unpack(&install::target()?.join("compare/releases"), &folder)?;
    let files = files_of(&folder)?;
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    for (path, _) in &files {
        warm(path)?;
    }
    settle(&folder)?;
    let megabytes = bytes as f64 / 1e6;
    report.about(
        "files",
        format!("{} files, {megabytes:.1} MB: {}", files.len(), names.join(", ")),
    );
    for installed in setting.tools_of(Case::Files) {
        let name = installed.tool.name();
        say(format_args!("files: {name}"))?;
        let mut store = Store::make(&setting.work, name, installed)?;
        let empty = store.bytes()?;
        let run = least(setting.rounds, |round| {
            if round > 0 {
                store = Store::make(&setting.work, name, installed)?;
            }
            first(setting, installed, &store, &folder)
        })?;
        report.row(Row::new(CASE, FIRST, name).run(run).bytes(empty, store.bytes()?));
        store.remove()?;
    }
    limits(bytes, report);
    gone(&folder)
}

fn first(
    setting: &Setting,
    installed: &Installed,
    store: &Store,
    folder: &Path,
) -> Result<crate::measured::Run> {
    if installed.tool != Tool::Halite {
        return store.backup(&setting.work, "releases", 0);
    }
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("take").args([&store.repo(), &store.index(), folder]);
    command.env(PASSPHRASE, crate::tools::PASSPHRASE);
    run(&setting.work, &command)
}

fn limits(source: u64, report: &mut Report) {
    let ratio =
        |report: &Report, tool: &str| Some(report.find(CASE, FIRST, tool)?.stored? as f64 / source as f64);
    let ours = ratio(report, "halite");
    let times = |report: &Report, tool: &str| {
        Some(report.find(CASE, FIRST, tool)?.seconds? / report.find(CASE, FIRST, "halite")?.seconds?)
    };
    if let Some(ours) = ours {
        report.figures.note(
            "files, bytes: Halite's / the source's",
            (ours * 1e4).round() / 1e4,
        );
    }
    if let (Some(ours), Some(restic)) = (ours, ratio(report, "restic")) {
        report
            .figures
            .limit("files, bytes: Halite's / restic's", ours / restic, 1.0);
    }
    if let Some(times) = times(report, "rustic") {
        report
            .figures
            .at_least("files: rustic's time / Halite's", times, 1.5);
    }
}
