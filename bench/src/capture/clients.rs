//! Who reads the simulated org: the `halite` command, simple-salesforce and jsforce, each in a process of its own.
//!
//! Key decision: time and peak memory are those of the process, by `time` of the system; the clients are installed at
//! the versions that the tests of clients use. It judges nothing.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Org, Server};
use serde_json::Value;

/// A vault that is connected to an org.
pub struct Halite {
    command: PathBuf,
    dir: tempfile::TempDir,
    org: Org,
    server: Server,
}

/// What one capture took.
pub struct Run {
    /// Wall time.
    pub seconds: f64,
    /// Largest resident set.
    pub peak_kilobytes: u32,
    /// Calls that the org counted.
    pub calls: u64,
}

impl Halite {
    /// Makes a vault and signs in.
    pub fn connect(command: &Path, org: &Org) -> Result<Self, Box<dyn Error>> {
        let place = Self {
            command: command.to_owned(),
            dir: tempfile::tempdir()?,
            org: org.clone(),
            server: Server::start(org.clone())?,
        };
        place.run(&["init", "--no-encryption"])?;
        let url = place.server.url();
        let app = ["--client-id", CLIENT_ID, "--client-secret-env", "APP_SECRET"];
        place.run(&[&["connect", "sim", "--environment", &url], &app[..]].concat())?;
        Ok(place)
    }

    /// The vault's folder.
    pub fn vault(&self) -> PathBuf {
        self.dir.path().join("vault")
    }

    /// Captures a snapshot.
    pub fn backup(&mut self, flags: &[&str]) -> Result<Run, Box<dyn Error>> {
        self.org.reset_calls();
        let told = self.run(&[&["backup", "sim", "--ceiling", "100"], flags].concat())?;
        let (seconds, peak) = told.split_once(' ').ok_or("`time` says nothing")?;
        Ok(Run {
            seconds: seconds.parse()?,
            peak_kilobytes: peak.parse()?,
            calls: self.org.calls().values().sum(),
        })
    }

    /// A file beside the vault.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    /// Runs the command; seconds and kilobytes.
    pub fn run(&self, args: &[&str]) -> Result<String, Box<dyn Error>> {
        let told = self.dir.path().join("time");
        let mut timed = Command::new("/usr/bin/time");
        timed
            .args(["-q", "-f", "%e %M", "-o"])
            .arg(&told)
            .arg(&self.command);
        timed.arg("--vault").arg(self.vault()).args(args);
        timed.env("APP_SECRET", CLIENT_SECRET);
        timed.env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        let output = timed
            .output()
            .map_err(|e| format!("/usr/bin/time: {e}; install the package `time`"))?;
        fine(output, "halite")?;
        Ok(std::fs::read_to_string(told)?.trim().to_owned())
    }
}

/// A client that downloads, and takes no snapshot.
pub struct Client {
    /// Its name.
    pub name: &'static str,
    program: PathBuf,
    script: &'static str,
    /// Where it is installed.
    home: PathBuf,
}

impl Client {
    /// simple-salesforce, by the Python named or by one that is made.
    pub fn simple_salesforce(named: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            name: "simple-salesforce",
            program: python(named)?,
            script: concat!(env!("CARGO_MANIFEST_DIR"), "/download.py"),
            home: PathBuf::new(),
        })
    }

    /// jsforce, installed beside this program.
    pub fn jsforce() -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            name: "jsforce",
            program: "node".into(),
            script: concat!(env!("CARGO_MANIFEST_DIR"), "/download.mjs"),
            home: jsforce()?,
        })
    }

    /// Downloads sObjects: seconds and rows.
    pub fn download(&self, place: &Halite, objects: &[String]) -> Result<(f64, u64), Box<dyn Error>> {
        let to = tempfile::tempdir()?;
        let mut client = Command::new(&self.program);
        client.env("JSFORCE_HOME", &self.home).arg(self.script);
        client.arg(place.server.url()).arg(place.org.access_token());
        let output = client.arg(to.path()).args(objects).output()?;
        let told: Value = serde_json::from_slice(&fine(output, self.name)?)?;
        let seconds = told["seconds"].as_f64().ok_or("no seconds")?;
        Ok((seconds, told["rows"].as_u64().ok_or("no rows")?))
    }
}

/// The command to measure: the one named, or the one beside this program.
pub fn command(named: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let beside = std::env::current_exe()?.with_file_name("halite");
    let command = named.map_or(beside, Path::to_owned);
    if command.exists() {
        return Ok(command);
    }
    Err(format!("{}: build it first, `cargo build --release`", command.display()).into())
}

/// A Python with simple-salesforce: the one named, or one that is made.
fn python(named: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    if let Some(python) = named {
        return Ok(python.to_owned());
    }
    let place = std::env::current_exe()?.with_file_name("simple_salesforce");
    let python = place.join("bin/python");
    if !python.exists() {
        let list = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../tests/clients/simple_salesforce/requirements.txt"
        );
        let venv = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&place)
            .output()?;
        fine(venv, "python3 -m venv")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "-q", "--require-hashes", "-r", list]);
        fine(pip.output()?, "pip")?;
    }
    Ok(python)
}

/// A folder with jsforce, which is made.
fn jsforce() -> Result<PathBuf, Box<dyn Error>> {
    let place = std::env::current_exe()?.with_file_name("jsforce");
    if !place.join("node_modules/jsforce").exists() {
        std::fs::create_dir_all(&place)?;
        for name in ["package.json", "package-lock.json"] {
            let lists = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clients/jsforce");
            std::fs::copy(Path::new(lists).join(name), place.join(name))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
        fine(npm.current_dir(&place).output()?, "npm ci")?;
    }
    Ok(place)
}

/// What a command printed, if it went well.
fn fine(output: Output, what: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what} failed: {told}").into())
}
