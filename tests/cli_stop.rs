//! The worst day through the binary: orgs that answer badly, and Ctrl-C in the middle.
//!
//! Key decision: after each failure the vault is looked at: no snapshot more, and what was there reads as before.
//! Not here: how each answer is told from another, which the connector's own tests show.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use halite_simulator::{CLIENT_ID, CLIENT_SECRET, Fault, Org, Server};
use tempfile::TempDir;

struct Place {
    dir: TempDir,
    org: Org,
    _server: Server,
}

impl Place {
    /// A vault that is connected to a sample org and has one snapshot.
    fn with_a_backup() -> Self {
        let org = Org::sample();
        let server = Server::start(org.clone()).unwrap();
        let url = server.url();
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
            org,
            _server: server,
        };
        place.run(&["init", "--no-encryption"]);
        let sign_in = ["connect", "acme", "--environment", &url, "--client-id", CLIENT_ID];
        let connected = place.run(&[&sign_in[..], &["--client-secret-env", "APP_SECRET"]].concat());
        assert_eq!(connected.status.code(), Some(0), "{}", error(&connected));
        assert_eq!(place.run(&["backup", "acme"]).status.code(), Some(0));
        place
    }

    fn command(&self, args: &[&str]) -> Command {
        command(self.dir.path(), args)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn snapshots(&self) -> usize {
        snapshots(self.dir.path())
    }
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halite"));
    let vault = dir.join("vault");
    command
        .args(args)
        .env("HALITE_VAULT", vault)
        .env("XDG_CACHE_HOME", dir.join("cache"));
    command
        .env("APP_SECRET", CLIENT_SECRET)
        .env_remove("HALITE_PASSPHRASE")
        .stdin(Stdio::null());
    command
}

fn snapshots(dir: &Path) -> usize {
    let output = command(dir, &["snapshots", "--json"]).output().unwrap();
    serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout)
        .unwrap()
        .len()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_org_that_refuses_leaves_no_snapshot_and_is_named_in_one_line() {
    let place = Place::with_a_backup();
    let refusals = [
        (
            "/composite",
            Fault::Error {
                status: 403,
                code: "REQUEST_LIMIT_EXCEEDED",
                message: "TotalRequests Limit exceeded.",
            },
        ),
        (
            "/sobjects",
            Fault::Error {
                status: 403,
                code: "API_DISABLED_FOR_ORG",
                message: "API is not enabled for this Organization",
            },
        ),
        (
            "/oauth2/token",
            Fault::Error {
                status: 401,
                code: "x",
                message: "y",
            },
        ),
        (
            "/services/data",
            Fault::Error {
                status: 401,
                code: "INVALID_SESSION_ID",
                message: "Session expired or invalid",
            },
        ),
    ];
    for (path, fault) in refusals {
        place.org.fault(path, 10_000, fault.clone());
        let output = place.run(&["backup", "acme"]);
        place.org.clear_faults();
        assert_eq!(
            output.status.code(),
            Some(1),
            "{path} {fault:?}: {}",
            error(&output)
        );
        let text = error(&output);
        let lines = text.lines().filter(|line| !line.starts_with("forecast "));
        assert_eq!(lines.count(), 1, "{text}");
        assert_eq!(place.snapshots(), 1, "{path} {fault:?}");
    }
    assert_eq!(place.run(&["backup", "acme"]).status.code(), Some(0));
}

#[test]
fn an_org_that_stumbles_is_read_all_the_same() {
    let place = Place::with_a_backup();
    let busy = Fault::Error {
        status: 500,
        code: "UNKNOWN_EXCEPTION",
        message: "An unexpected error occurred.",
    };
    for fault in [
        busy,
        Fault::Html(503),
        Fault::HalfBody,
        Fault::Empty(200),
        Fault::Drop,
    ] {
        place.org.fault("/composite", 1, fault.clone());
        let output = place.run(&["backup", "acme", "--full"]);
        assert_eq!(output.status.code(), Some(0), "{fault:?}: {}", error(&output));
    }
    let diff = place.run(&["diff", "1", "latest", "--json"]);
    assert_eq!(
        (diff.status.code(), diff.stdout.len()),
        (Some(0), 0),
        "the same org, however it stumbled"
    );
}

#[test]
fn an_sobject_that_cannot_be_read_makes_the_backup_partial() {
    let place = Place::with_a_backup();
    let user = place.org.api_user();
    place.org.permit(&user, |p| p.object("Contact").read = false);
    let output = place.run(&["backup", "acme"]);
    assert_eq!(output.status.code(), Some(3), "{}", error(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Contact: could not be read"));
    assert_eq!(place.snapshots(), 2);
    // What is out of sight is not deleted.
    let diff = place.run(&["diff", "1", "latest", "--json", "--sobject", "Contact"]);
    assert_eq!((diff.status.code(), diff.stdout.len()), (Some(0), 0));
    let output = place.run(&["backup", "acme", "--except", "Contact"]);
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
}

#[cfg(unix)]
#[test]
fn ctrl_c_in_an_import_publishes_nothing_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(
        command(dir.path(), &["init", "--no-encryption"])
            .output()
            .unwrap()
            .status
            .success()
    );
    let dump = dir.path().join("dump");
    fs::create_dir(&dump).unwrap();
    let mut file = std::io::BufWriter::new(fs::File::create(dump.join("Account.ndjson")).unwrap());
    for n in 0..400_000_u32 {
        let noise = blake(n);
        writeln!(
            file,
            "{{\"Id\":\"001{n:012}\",\"Name\":\"{noise}{noise:x}\",\"Text\":\"{}\"}}",
            noise.rotate_left(7)
        )
        .unwrap();
    }
    drop(file);
    let before = packs(dir.path());
    let args = [
        "import",
        "--org",
        "00D000000000001",
        "--as-of",
        "2026-01-01",
        dump.to_str().unwrap(),
    ];
    let child = command(dir.path(), &args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The first pack in the vault says that the import is under way.
    while packs(dir.path()).len() == before.len() {
        std::thread::yield_now();
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", error(&output));
    assert_eq!(snapshots(dir.path()), 0);
    assert_eq!(
        packs(dir.path()),
        before,
        "the packs of an import that was stopped are taken away"
    );
}

/// Text that does not compress, the same each time.
fn blake(n: u32) -> u128 {
    (0..4_u128).fold(u128::from(n) + 1, |x, _| {
        (x ^ (x << 61))
            .wrapping_mul(0x2545_f491_4f6c_dd1d_2545_f491_4f6c_dd1d)
            .rotate_left(29)
    })
}

fn packs(dir: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = Vec::new();
    for shelf in fs::read_dir(dir.join("vault/packs"))
        .into_iter()
        .flatten()
        .flatten()
    {
        all.extend(
            fs::read_dir(shelf.path())
                .into_iter()
                .flatten()
                .flatten()
                .map(|f| f.path()),
        );
    }
    all.sort();
    all
}
