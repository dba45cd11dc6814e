//! A disk that is full: a small tmpfs of growing sizes, so that each write is once the one that does not fit.
//!
//! Key decision: a real file system, mounted in a namespace of this process alone where it is not root; the library works
//! upon it through `Local`. Each failure must say that there is no space and what to do, the state before must read as it
//! was, and after space was made the same work is done. It does not fill a disk in other ways: quotas, inodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use halite_engine::base::stamp::Stamp;
use halite_engine::ops::compact::{CompactOptions, compact};
use halite_engine::ops::import::import;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::store::local::Local;
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};

use crate::dice::Dice;
use crate::look;
use crate::model::{Org, Rows, folder, org};
use crate::report::{Report, say};

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "SOAK_NAMESPACE";
const ROWS: u64 = 700;
/// Sizes grow by so much: a page of memory is what a tmpfs gives.
const STEP: u64 = 4096;

/// Fills disks; where it needs a namespace of its own, another process of this program does.
pub fn run(report: &Report) {
    if std::env::var_os(INSIDE).is_none() {
        return unshared(report);
    }
    for what in ["import", "compact", "prune"] {
        match sizes(what, report) {
            Ok((failed, sizes)) => say(format_args!("{what}: {sizes} sizes, too small {failed} times")),
            Err(error) => report.case(what, &[error.to_string()]),
        }
    }
}

/// Runs this program again in a namespace of its own, where it may mount.
fn unshared(report: &Report) {
    let program = std::env::current_exe().unwrap_or_default();
    let mut inside = Command::new("unshare");
    inside.arg("-Urm").arg(program).arg("disk").env(INSIDE, "1");
    let output = inside.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.pop().and_then(counts);
    lines.into_iter().for_each(say);
    match last {
        Some((passed, failed)) => report.add(passed, failed),
        None => report.case(
            "disk",
            &["no namespace could be made (`unshare -Urm`): no disk was filled".to_owned()],
        ),
    }
}

/// The numbers of the last line.
fn counts(line: &str) -> Option<(u64, u64)> {
    let (passed, failed) = line.strip_suffix(" failed")?.split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.parse().ok()?))
}

/// A mounted tmpfs.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path, bytes: u64) -> Result<Self> {
        tool(
            "mount",
            &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"],
            at,
        )?;
        Ok(Self(at.to_owned()))
    }

    fn grow(&self, bytes: u64) -> Result<()> {
        tool("mount", &["-o", &format!("remount,size={bytes}")], &self.0)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(tool("umount", &[], &self.0));
    }
}

fn tool(name: &str, args: &[&str], at: &Path) -> Result<()> {
    let output = Command::new(name).args(args).arg(at).output();
    let output = output.map_err(|e| Error::io(name, e))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(Kind::Io, format!("{name}: {}", text.trim())))
}

/// A vault in a folder that has room, and what it holds.
struct Before {
    dir: PathBuf,
    states: Vec<Arc<Rows>>,
    next: Arc<Rows>,
}

fn open(dir: &Path) -> Result<Vault> {
    Vault::open(
        Arc::new(Local::open(dir)?),
        &Secret::None,
        VaultOptions::default(),
    )
}

fn day(n: usize) -> Stamp {
    Stamp::from_millis(1_760_000_000_000 + 86_400_000 * i64::try_from(n).unwrap_or(0))
}

fn bring(vault: &Vault, rows: &Rows, n: usize) -> Result<()> {
    let dir = tempfile::tempdir().map_err(|e| Error::io("a folder to import", e))?;
    folder(dir.path(), rows, &[])?;
    import(vault, org(1)?, day(n), dir.path(), false, &mut |_| ()).map(drop)
}

fn work(vault: &Vault, what: &str, before: &Before) -> Result<()> {
    match what {
        "import" => bring(vault, &before.next, before.states.len()),
        "compact" => {
            let all = CompactOptions {
                keep_single: 0,
                all: true,
            };
            compact(vault, &all, &mut |_| ()).map(drop)
        }
        _ => {
            let at_once = PruneOptions {
                max_unused: 0.0,
                grace: 0,
            };
            prune(vault, &at_once).map(drop)
        }
    }
}

fn make(dir: PathBuf) -> Result<Before> {
    let (mut dice, mut now) = (Dice::new(1, 0), Org::new(org(1)?));
    let place = Arc::new(Local::create(&dir)?);
    let vault = Vault::create(place, &Secret::None, VaultOptions::default())?;
    let mut states = Vec::new();
    for n in 0..4 {
        now.change(&mut dice, ROWS, ROWS)?;
        bring(&vault, &now.rows(), n)?;
        states.push(now.rows());
    }
    now.change(&mut dice, ROWS, ROWS)?;
    let next = now.rows();
    Ok(Before { dir, states, next })
}

/// Does the work upon ever larger disks until it is done at once.
fn sizes(what: &str, report: &Report) -> Result<(u64, u64)> {
    let place = tempfile::tempdir().map_err(|e| Error::io("a folder", e))?;
    let before = make(place.path().join("vault"))?;
    let at = place.path().join("disk");
    fs::create_dir_all(&at).map_err(|e| Error::io(at.display(), e))?;
    let (mut failed, mut tried, mut bytes) = (0, 0, 0);
    loop {
        let disk = Disk::mount(&at, 1 << 30)?;
        tool("cp", &["-a", &before.dir.to_string_lossy()], &at)?;
        let dir = at.join("vault");
        bytes = match bytes {
            0 => used(&at)?,
            bytes => bytes + STEP,
        };
        disk.grow(bytes)?;
        tried += 1;
        let done = work(&open(&dir)?, what, &before);
        let case = format!("{what} on {bytes} bytes");
        let mut wrong = states(&dir, what, &before, done.is_ok())?;
        if let Err(error) = &done {
            failed += 1;
            if error.kind() != Kind::Quota || error.next_step().is_none() {
                wrong.push(format!("{:?}: {error}", error.kind()));
            }
            disk.grow(1 << 30)?;
            if let Err(error) = work(&open(&dir)?, what, &before) {
                wrong.push(format!("with space again: {error}"));
            }
            wrong.extend(states(&dir, what, &before, true)?);
        }
        report.case(case, &wrong);
        if done.is_ok() {
            return Ok((failed, tried));
        }
    }
}

/// The bytes that the files take, in pages.
fn used(at: &Path) -> Result<u64> {
    let output = Command::new("df").args(["-B1", "--output=used"]).arg(at).output();
    let text = output.map_err(|e| Error::io("df", e))?.stdout;
    let text = String::from_utf8_lossy(&text);
    let number = text.lines().last().and_then(|line| line.trim().parse().ok());
    number.ok_or_else(|| Error::invalid("df does not say what is used"))
}

/// Opens the vault and compares each state.
fn states(dir: &Path, what: &str, before: &Before, done: bool) -> Result<Vec<String>> {
    let (vault, mut wrong) = (open(dir)?, Vec::new());
    let there = vault.snapshots(org(1)?)?;
    let wanted = before.states.len() + usize::from(done && what == "import");
    if there.len() != wanted {
        wrong.push(format!("{} snapshots instead of {wanted}", there.len()));
    }
    for (snapshot, rows) in there.iter().zip(before.states.iter().chain([&before.next])) {
        wrong.extend(look::state(&vault, snapshot, rows)?);
    }
    Ok(wrong)
}
