//! Where the tools come from: restic and borg by Debian, rustic by crates.io, Halite by this tree; and what all of them,
//! and the machine, are.
//!
//! Key decision: what is there already is taken as it is, and every version is told in the output. Nothing is
//! downloaded but by the system's and the language's own package managers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::measured::tell;
use crate::report::Report;
use crate::tools::{Installed, Tool};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const RUSTIC: &str = "0.11.4";

/// Finds the tools, or installs them.
///
/// # Errors
/// One that cannot be installed.
pub fn install(tools: &[Tool]) -> Result<Vec<Installed>> {
    debian("/usr/bin/time", "time")?;
    let found = |tool: &Tool| {
        let program = match tool {
            Tool::Halite => halite()?,
            Tool::Restic => debian("restic", "restic")?,
            Tool::Borg => debian("borg", "borgbackup")?,
            Tool::Rustic => rustic()?,
        };
        Ok(Installed { tool: *tool, program })
    };
    tools.iter().map(found).collect()
}

fn debian(program: &str, package: &str) -> Result<PathBuf> {
    let there = || {
        Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
    };
    if !there()?.status.success() {
        let install = format!("apt-get update -q && apt-get install -qy {package}");
        tell(Command::new("sh").args(["-c", &install]))?;
    }
    Ok(program.into())
}

/// `target/`, by where this program lies.
///
/// # Errors
/// It lies somewhere else.
pub fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("the program lies in no target folder")?;
    Ok(target.to_owned())
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn halite() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("HALITE_BIN") {
        return Ok(named.into());
    }
    let mut build = cargo();
    build
        .args(["build", "--quiet", "--release", "-p", "halite"])
        .current_dir(ROOT);
    tell(build.arg("--target-dir").arg(target()?))?;
    Ok(target()?.join("release/halite"))
}

fn rustic() -> Result<PathBuf> {
    let root = target()?.join("compare");
    let program = root.join("bin/rustic");
    if !program.exists() {
        crate::say(format_args!("builds rustic {RUSTIC}, which takes long"))?;
        let mut install = cargo();
        install.args(["install", "--quiet", "rustic-rs", "--version", RUSTIC, "--locked"]);
        install.args(["--no-default-features", "--root"]).arg(&root);
        // Not with the lints and the target of whoever runs this.
        install.env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
        tell(&mut install)?;
    }
    Ok(program)
}

/// Says what the machine and the tools are.
///
/// # Errors
/// A tool that does not say its version.
pub fn about(report: &mut Report, tools: &[Installed]) -> Result<()> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    report.about(
        "cpu",
        model.unwrap_or("unknown").trim_start_matches(['\t', ' ', ':']),
    );
    report.about("cores", std::thread::available_parallelism()?.get());
    report.about("kernel", read("/proc/sys/kernel/osrelease").trim());
    report.about("sqlite", rusqlite::version());
    for Installed { tool, program } in tools {
        let flag = if *tool == Tool::Restic {
            "version"
        } else {
            "--version"
        };
        let mut version = tell(Command::new(program).arg(flag))?;
        if let (Tool::Halite, Some(commit)) = (tool, commit()) {
            version = format!("{version} ({commit})");
        }
        report.about(tool.name(), version);
    }
    Ok(())
}

/// The commit of this tree, where git knows it; `HALITE_BIN` may be of another.
fn commit() -> Option<String> {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty"])
        .current_dir(Path::new(ROOT));
    if std::env::var_os("HALITE_BIN").is_some() {
        return None;
    }
    tell(&mut git).ok()
}
