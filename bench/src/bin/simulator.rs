//! Measures the simulated org at scale: memory, Bulk results, REST pages, and the calls of an incremental backup.
//!
//! Key decision: each throughput stands beside a plain copy of as many bytes over loopback in the same run, since
//! times alone mean nothing on a shared machine. The best of some rounds counts.
//! This is not a test: nothing fails for being slow.

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::Parser;
use halite_bench::http::{Connection, plain_copy};
use halite_simulator::{Org, Plan, Server};
use serde_json::{Map, Value, json};

const BASE: &str = "/services/data/v67.0";
/// The widest object and the one with most rows of many values.
const OBJECTS: [&str; 2] = ["Consignment__c", "Contact"];
/// Pages of REST that a round reads.
const REST_PAGES: usize = 40;

/// Measure the simulated org; prints one JSON object.
#[derive(Parser)]
struct Arguments {
    /// Records of the org
    #[arg(long, default_value_t = 1_000_000)]
    records: usize,
    /// Another seed gives another org
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds of each measurement; the best one counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// A throughput and the plain copy of as many bytes.
#[derive(Clone, Copy, Default)]
struct Rate {
    bytes: u64,
    rows: u64,
    seconds: f64,
    plain: f64,
    /// Seconds of a processor that the server and the reader took together.
    cpu: f64,
}

impl Rate {
    fn json(self) -> Value {
        let megabytes = self.bytes as f64 / 1e6;
        json!({"megabytes": round(megabytes), "megabytes_per_second": round(megabytes / self.seconds),
            "megabytes_per_cpu_second": round(megabytes / self.cpu.max(0.01)),
            "rows_per_second": (self.rows as f64 / self.seconds) as u64,
            "plain_copy_megabytes_per_second": round(megabytes / self.plain),
            "times_plain_copy": round(self.seconds / self.plain)})
    }
}

fn round(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// A line of `/proc/self/status`, in bytes; 0 where there is none.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Seconds that this process has had of a processor, to a hundredth: what a busy machine does not change.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in brackets: user and system time are the 12th and 13th.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|n| n.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn seconds<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<(T, f64)> {
    let start = halite_bench::now();
    Ok((work()?, start.elapsed().as_secs_f64()))
}

struct Bench {
    addr: SocketAddr,
    token: String,
    rounds: usize,
}

impl Bench {
    fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.addr, &self.token)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> io::Result<Value> {
        let answer = self
            .connect()?
            .send(method, &format!("{BASE}{path}"), body, true)?;
        let value: Value = serde_json::from_slice(&answer.body)?;
        if answer.status < 300 {
            Ok(value)
        } else {
            Err(io::Error::other(value.to_string()))
        }
    }

    /// The best of some rounds of (bytes, rows).
    fn best(&self, mut work: impl FnMut() -> io::Result<(u64, u64)>) -> io::Result<Rate> {
        let mut best = Rate::default();
        for _ in 0..self.rounds.max(1) {
            let before = cpu();
            let ((bytes, rows), took) = seconds(&mut work)?;
            let spent = cpu() - before;
            let ((), plain) = seconds(|| plain_copy(bytes))?;
            let first = best.bytes == 0;
            best = Rate {
                bytes,
                rows,
                seconds: if first { took } else { took.min(best.seconds) },
                plain: if first { plain } else { plain.min(best.plain) },
                cpu: if first { spent } else { spent.min(best.cpu) },
            };
        }
        Ok(best)
    }

    /// All fields of an object but compound ones and bodies.
    fn fields(&self, object: &str) -> io::Result<String> {
        let describe = self.json("GET", &format!("/sobjects/{object}/describe"), "")?;
        let fields = describe["fields"].as_array().into_iter().flatten();
        let plain = |f: &&Value| !["address", "location", "base64"].iter().any(|t| f["type"] == *t);
        let names: Vec<&str> = fields.filter(plain).filter_map(|f| f["name"].as_str()).collect();
        Ok(names.join(","))
    }

    /// A job over all rows of an object, done; its path and the seconds that took.
    fn job(&self, object: &str) -> io::Result<(String, f64)> {
        let soql = format!("SELECT {} FROM {object}", self.fields(object)?);
        let order = json!({"operation": "query", "query": soql}).to_string();
        seconds(|| {
            let job = self.json("POST", "/jobs/query", &order)?;
            let path = format!("/jobs/query/{}", job["id"].as_str().unwrap_or_default());
            while self.json("GET", &path, "")?["state"] != "JobComplete" {}
            Ok(path)
        })
    }

    /// The results of a job on one connection.
    fn results(&self, job: &str) -> io::Result<(u64, u64)> {
        let (mut connection, mut bytes, mut rows) = (self.connect()?, 0, 0);
        let mut locator = String::new();
        loop {
            let answer = connection.send("GET", &format!("{BASE}{job}/results{locator}"), "", false)?;
            bytes += answer.bytes;
            let number = answer
                .header("Sforce-NumberOfRecords")
                .and_then(|n| n.parse().ok());
            rows += number.unwrap_or(0);
            match answer.header("Sforce-Locator") {
                Some(next) if next != "null" => locator = format!("?locator={next}"),
                _ => return Ok((bytes, rows)),
            }
        }
    }

    /// The results of a job, four pages side by side.
    fn parallel(&self, job: &str) -> io::Result<(u64, u64)> {
        let mut links = Vec::new();
        let mut next = format!("{BASE}{job}/resultPages?maxRecords=20000");
        loop {
            let answer = self.connect()?.send("GET", &next, "", true)?;
            let page: Value = serde_json::from_slice(&answer.body)?;
            let urls = page["resultPages"].as_array().into_iter().flatten();
            links.extend(urls.filter_map(|link| Some(link["resultUrl"].as_str()?.to_owned())));
            match page["nextRecordsUrl"].as_str() {
                Some(url) => next = url.to_owned(),
                None => break,
            }
        }
        let links = &links;
        let worker = move |n: usize| -> io::Result<(u64, u64)> {
            let (mut connection, mut bytes, mut rows) = (self.connect()?, 0, 0);
            for link in links.iter().skip(n).step_by(4) {
                let answer = connection.send("GET", link, "", false)?;
                bytes += answer.bytes;
                rows += answer
                    .header("Sforce-NumberOfRecords")
                    .and_then(|n| n.parse().ok())
                    .unwrap_or(0);
            }
            Ok((bytes, rows))
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|n| scope.spawn(move || worker(n))).collect();
            workers.into_iter().try_fold((0, 0), |(bytes, rows), handle| {
                let done = handle
                    .join()
                    .map_err(|_| io::Error::other("a reader panicked"))??;
                Ok((bytes + done.0, rows + done.1))
            })
        })
    }

    /// Pages of a REST query.
    fn rest(&self, soql: &str) -> io::Result<(u64, u64)> {
        let (mut connection, mut bytes, mut rows) = (self.connect()?, 0, 0);
        let mut next = format!("{BASE}/query?q={}", escaped(soql));
        for _ in 0..REST_PAGES {
            let answer = connection.send("GET", &next, "", true)?;
            bytes += answer.bytes;
            rows += answer.body.windows(12).filter(|w| w == b"\"attributes\"").count() as u64;
            let head = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]).into_owned();
            let Some((_, rest)) = head.split_once("\"nextRecordsUrl\":\"") else {
                break;
            };
            next = rest.split('"').next().unwrap_or_default().to_owned();
        }
        Ok((bytes, rows))
    }

    /// Milliseconds of one call, the best of some rounds.
    fn call(&self, path: &str) -> io::Result<f64> {
        let mut best = f64::MAX;
        for _ in 0..self.rounds.max(1) {
            let ((), took) = seconds(|| self.json("GET", path, "").map(drop))?;
            best = best.min(took);
        }
        Ok(round(best * 1e3))
    }
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect()
}

/// Bulk results and REST pages of each sObject, into the report.
fn measure_objects(org: &Org, bench: &Bench, report: &mut Map<String, Value>) -> io::Result<()> {
    for object in OBJECTS {
        let soql = format!("SELECT {} FROM {object}", bench.fields(object)?);
        // Read when asked for, and kept at the job's end: the two ways of the setting.
        org.configure(|s| s.bulk.frozen = false);
        let (job, _) = bench.job(object)?;
        let written = bench.best(|| bench.results(&job))?.json();
        let parallel = bench.best(|| bench.parallel(&job))?.json();
        bench
            .connect()?
            .send("DELETE", &format!("{BASE}{job}"), "", true)?;
        org.configure(|s| s.bulk.frozen = true);
        let (job, freezing) = bench.job(object)?;
        let kept = bench.best(|| bench.results(&job))?.json();
        bench
            .connect()?
            .send("DELETE", &format!("{BASE}{job}"), "", true)?;
        let rest = bench.best(|| bench.rest(&soql))?.json();
        let measured = json!({"bulk_one_connection": written, "bulk_four_pages": parallel,
            "bulk_kept_job_seconds": round(freezing), "bulk_kept_one_connection": kept, "rest_query": rest});
        report.insert(object.to_owned(), measured);
    }
    Ok(())
}

/// Milliseconds of the calls that a capture makes over a whole table.
fn single_calls(bench: &Bench) -> io::Result<Map<String, Value>> {
    let query = |soql: &str| format!("/query?q={}", escaped(soql));
    let calls = [
        ("record_count", "/limits/recordCount".to_owned()),
        ("describe_global", "/sobjects".to_owned()),
        (
            "first_page_by_stamp",
            query("SELECT Id FROM Contact ORDER BY SystemModstamp, Id LIMIT 2000"),
        ),
        (
            "changed_lately",
            query(
                "SELECT Id, SystemModstamp FROM Contact WHERE SystemModstamp >= 2026-01-04T08:00:00Z ORDER BY SystemModstamp, Id LIMIT 2000",
            ),
        ),
        (
            "changed_lately_unordered",
            query("SELECT Id FROM Task WHERE SystemModstamp >= 2026-01-04T08:00:00Z"),
        ),
        (
            "count",
            query("SELECT COUNT() FROM Task WHERE SystemModstamp >= 2026-01-04T08:00:00Z"),
        ),
    ];
    let mut took = Map::new();
    for (name, path) in calls {
        took.insert(name.to_owned(), json!(bench.call(&path)?));
    }
    Ok(took)
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let plan = Plan {
        records: arguments.records,
        seed: arguments.seed,
        ..Plan::default()
    };
    let (org, generating) = seconds(|| Ok(Org::generate(&plan)))?;
    let generating_cpu = cpu();
    let (resident, peak) = (memory("VmRSS"), memory("VmHWM"));
    org.configure(|s| s.page_size = 2_000);
    let server = Server::start(org.clone())?;
    let bench = Bench {
        addr: server.addr(),
        token: org.access_token(),
        rounds: arguments.rounds,
    };
    let mut report = Map::new();
    report.insert("records".to_owned(), json!(plan.records));
    report.insert("generate_seconds".to_owned(), json!(round(generating)));
    report.insert("generate_cpu_seconds".to_owned(), json!(round(generating_cpu)));
    report.insert("resident_bytes".to_owned(), json!(resident));
    report.insert("peak_resident_bytes".to_owned(), json!(peak));
    report.insert(
        "bytes_per_record".to_owned(),
        json!(resident / plan.records.max(1) as u64),
    );
    measure_objects(&org, &bench, &mut report)?;
    report.insert("milliseconds".to_owned(), Value::Object(single_calls(&bench)?));
    report.insert(
        "peak_resident_bytes_after_serving".to_owned(),
        json!(memory("VmHWM")),
    );
    writeln!(io::stdout(), "{}", Value::Object(report))
}
