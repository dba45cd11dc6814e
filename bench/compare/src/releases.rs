//! Successive releases of public packages, fetched by pip and npm and unpacked.
//!
//! Key decision: text in many small files, a few large scripts and shared libraries, since these dedupe differently;
//! versions are pinned. Archives are kept below the target folder, so that a further run asks no registry. It is no
//! mirror: a dozen archives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::measured::tell;
use crate::{Result, files_of, say};

/// From PyPI, as wheels: many small texts and catalogs; shared libraries.
const WHEELS: [(&str, &[&str]); 2] = [
    ("Django", &["5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.5"]),
    ("numpy", &["2.0.0", "2.0.1", "2.0.2"]),
];
/// From npm: a few large scripts.
const NPM: [(&str, &[&str]); 1] = [("typescript", &["5.6.2", "5.6.3", "5.7.2", "5.7.3"])];
/// Which wheels, so that every machine gets the same.
const PLATFORM: [&str; 6] = [
    "--no-deps",
    "--only-binary=:all:",
    "--platform",
    "manylinux2014_x86_64",
    "--python-version",
    "3.12",
];

/// Fetches what is not there yet, and unpacks all of it into a folder; the names of the releases.
///
/// # Errors
/// What pip, npm or the archivers say.
pub fn unpack(kept: &Path, to: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (package, versions) in WHEELS {
        for version in versions {
            let archive = fetched(kept, &format!("{package}-{version}"), |folder| {
                let mut pip = Command::new("python3");
                pip.args(["-m", "pip", "download", "-q", "--disable-pip-version-check"]);
                pip.args(PLATFORM)
                    .arg(format!("{package}=={version}"))
                    .arg("-d")
                    .arg(folder);
                pip
            })?;
            let folder = to.join(format!("{package}-{version}"));
            fs::create_dir_all(&folder)?;
            tell(
                Command::new("python3")
                    .args(["-m", "zipfile", "-e"])
                    .arg(archive)
                    .arg(folder),
            )?;
            names.push(format!("{package} {version}"));
        }
    }
    for (package, versions) in NPM {
        for version in versions {
            let archive = fetched(kept, &format!("{package}-{version}"), |folder| {
                let mut npm = Command::new("npm");
                npm.args(["pack", "--silent", &format!("{package}@{version}")])
                    .current_dir(folder);
                npm
            })?;
            let folder = to.join(format!("{package}-{version}"));
            fs::create_dir_all(&folder)?;
            tell(Command::new("tar").arg("xzf").arg(archive).arg("-C").arg(folder))?;
            names.push(format!("{package} {version}"));
        }
    }
    Ok(names)
}

/// The one archive in a folder of its own, which is fetched if it is not there.
fn fetched(kept: &Path, name: &str, fetch: impl Fn(&Path) -> Command) -> Result<PathBuf> {
    let folder = kept.join(name);
    if !folder.exists() {
        say(format_args!("fetches {name}"))?;
        // What is fetched in part is not taken for the whole.
        let part = kept.join(format!("{name}.part"));
        crate::tools::gone(&part)?;
        fs::create_dir_all(&part)?;
        tell(&mut fetch(&part))?;
        fs::rename(&part, &folder)?;
    }
    match &files_of(&folder)?[..] {
        [(archive, _)] => Ok(archive.clone()),
        others => Err(format!("{}: {} archives in place of one", folder.display(), others.len()).into()),
    }
}
