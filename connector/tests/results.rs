//! Bulk results that no org should send: figures that lie, headers that are missing, pages that are too large.
//!
//! Key decision: the server plays one job over one small table, by hand; what cannot be trusted is read by REST.
//! Not here: jobs as they should be (`simulated::bulk`).

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use halite_connector::{Bulk, SalesforceOrg};
use halite_engine::base::error::Result;
use halite_engine::format::describe::Describe;
use halite_engine::ops::org::{Read, Scope, Sink, Source};

use crate::server::{Asked, Server, id, json, page, reply};

const JOB: &str = r#"{"id":"750000000000001AAA","state":"UploadComplete"}"#;

/// What came, by which way.
#[derive(Default)]
struct Came {
    csv: Vec<String>,
    json: usize,
    positions: usize,
    end: Option<Result<()>>,
    /// Is told of each page of CSV.
    taken: Option<Sender<()>>,
}

impl Sink for Came {
    fn json(&mut self, _: usize, _: &[u8]) -> Result<()> {
        self.json += 1;
        Ok(())
    }
    fn csv(&mut self, _: usize, page: &[u8]) -> Result<()> {
        self.csv.push(String::from_utf8(page.to_vec()).unwrap());
        self.taken.iter().for_each(|taken| taken.send(()).unwrap());
        Ok(())
    }
    fn reached(&mut self, _: usize, _: &[u8]) -> Result<()> {
        self.positions += 1;
        Ok(())
    }
    fn done(&mut self, _: usize, end: Result<()>) -> Result<()> {
        self.end = Some(end);
        Ok(())
    }
}

/// A page of results with these headers.
fn results(body: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let more: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let head = format!("HTTP/1.1 200 X\r\nContent-Type: text/csv\r\n{more}Connection: close\r\n");
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn info(processed: &str) -> Vec<u8> {
    json(format!(
        r#"{{"id":"750000000000001AAA","state":"JobComplete"{processed}}}"#
    ))
}

/// An org whose one job is answered by `job`; REST knows two rows.
fn org(mut job: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> Server {
    Server::start(move |asked| match asked.path.as_str() {
        path if path.ends_with("/jobs/query") => json(JOB),
        path if path.contains("/jobs/query/") => job(asked),
        _ => page(
            2,
            &[
                format!(r#"{{"Id":"{}"}}"#, id(1)),
                format!(r#"{{"Id":"{}"}}"#, id(2)),
            ],
            None,
        ),
    })
}

fn open(server: &Server) -> SalesforceOrg {
    server.connect().bulk(Bulk::Always).open().unwrap()
}

fn read(server: &Server) -> Came {
    read_into(server, Came::default())
}

fn read_into(server: &Server, mut came: Came) -> Came {
    let text = br#"{"name":"Account","fields":[{"name":"Id","type":"id","filterable":true}]}"#;
    let describe = Describe::parse(text).unwrap();
    let read = Read {
        describe: &describe,
        fields: &["Id"],
        scope: Scope::All,
        from: None,
    };
    open(server).read_all(&[read], &mut came).unwrap();
    came.end.take().unwrap().unwrap();
    came
}

fn rows(numbers: &[u32]) -> String {
    let lines = numbers.iter().map(|n| format!("\"{}\"\n", id(*n)));
    std::iter::once("\"Id\"\n".to_owned()).chain(lines).collect()
}

#[test]
fn the_end_is_null_or_no_locator() {
    for last in [
        &[("Sforce-NumberOfRecords", "1"), ("Sforce-Locator", "null")][..],
        &[("sforce-numberofrecords", "1")],
        &[],
    ] {
        let server = org(move |asked| match asked.path.as_str() {
            path if !path.contains("/results") => info(r#","numberRecordsProcessed":2"#),
            path if path.contains("locator=MQ%3D") => results(&rows(&[2]), last),
            _ => results(
                &rows(&[1]),
                &[("Sforce-NumberOfRecords", "1"), ("Sforce-Locator", "MQ=")],
            ),
        });
        let came = read(&server);
        assert_eq!(came.csv, [rows(&[1]), rows(&[2])], "as they came");
        assert_eq!(
            (came.json, came.positions),
            (0, 2),
            "the job, and behind the first page"
        );
    }
}

#[test]
fn a_page_goes_by_gzip_and_as_csv() {
    let server = org(|asked| match asked.path.contains("/results") {
        true => results(&rows(&[1]), &[]),
        false => info(r#","numberRecordsProcessed":1"#),
    });
    read(&server);
    let asked = server.asked();
    let results = asked.iter().find(|a| a.path.contains("/results")).unwrap();
    let head = results.head.to_ascii_lowercase();
    assert!(
        head.contains("accept-encoding: gzip") && head.contains("accept: text/csv"),
        "{head}"
    );
    assert_eq!(head.matches("accept: ").count(), 1);
    assert!(results.path.contains("maxRecords=2000"));
    let made = asked.iter().find(|a| a.method == "POST").unwrap();
    assert!(made.body.contains(r#""operation":"queryAll""#) && !made.body.contains("ORDER BY"));
}

#[test]
fn figures_that_lie_are_read_by_rest() {
    type Lie = (&'static str, fn(&str) -> Vec<u8>);
    let lies: [Lie; 7] = [
        // The page says more than it has, the job says more or less than its pages have.
        (r#","numberRecordsProcessed":2"#, |_| {
            results(&rows(&[1]), &[("Sforce-NumberOfRecords", "2")])
        }),
        (r#","numberRecordsProcessed":3"#, |_| {
            results(&rows(&[1, 2]), &[("Sforce-NumberOfRecords", "2")])
        }),
        (r#","numberRecordsProcessed":1"#, |_| {
            results(&rows(&[1, 2]), &[("Sforce-NumberOfRecords", "2")])
        }),
        // Pages that lie to each other's favour: all of them together have what the job says.
        (r#","numberRecordsProcessed":2"#, |path| {
            match path.contains("locator=") {
                true => results(&rows(&[2]), &[("Sforce-NumberOfRecords", "0")]),
                false => results(
                    &rows(&[1]),
                    &[("Sforce-NumberOfRecords", "2"), ("Sforce-Locator", "MQ")],
                ),
            }
        }),
        // A page without rows that is not the last, none at all, and one that is no CSV.
        (r#","numberRecordsProcessed":2"#, |_| {
            results(&rows(&[]), &[("Sforce-Locator", "MQ")])
        }),
        (r#","numberRecordsProcessed":2"#, |_| reply(204, "text/csv", "")),
        (r#","numberRecordsProcessed":2"#, |_| {
            results("No records found for this query", &[])
        }),
    ];
    for (n, (processed, lie)) in lies.into_iter().enumerate() {
        let server = org(move |asked| match asked.path.contains("/results") {
            true => lie(&asked.path),
            false => info(processed),
        });
        assert_eq!(read(&server).json, 2, "lie {n}");
    }
}

#[test]
fn figures_that_are_missing_are_no_lie() {
    let server = org(|asked| match asked.path.contains("/results") {
        true => results(&rows(&[1, 2]), &[]),
        false => info(""),
    });
    let came = read(&server);
    assert_eq!((came.csv.len(), came.json), (1, 0));
    let none = org(|_| info(r#","numberRecordsProcessed":0"#));
    let came = read(&none);
    assert_eq!((came.csv.len(), came.json, none.count("/results")), (0, 0, 0));
}

/// Page 3 is not answered before page 2 was taken: it must have been asked for by then, and not be waited for.
#[test]
fn the_next_page_is_under_way_while_one_is_taken() {
    let (taken, told) = channel();
    let server = org(move |asked| {
        let at = asked.path.split("locator=").nth(1);
        if !asked.path.contains("/results") {
            return info(r#","numberRecordsProcessed":4"#);
        }
        let number: u32 = at.map_or(1, |at| at.parse().unwrap());
        if number == 3 {
            for page in [1, 2] {
                let waited = told.recv_timeout(Duration::from_secs(20));
                assert!(waited.is_ok(), "page {page} was not taken while page 3 was made");
            }
        }
        let next = if number == 4 {
            "null".to_owned()
        } else {
            (number + 1).to_string()
        };
        results(&rows(&[number]), &[("Sforce-Locator", &next)])
    });
    let came = Came {
        taken: Some(taken),
        ..Came::default()
    };
    let came = read_into(&server, came);
    assert_eq!(came.csv, [1, 2, 3, 4].map(|n| rows(&[n])));
}

#[test]
fn pages_are_sized_by_their_bytes() {
    // Rows of a megabyte each: after the first page eight at a time, and fewer where a page is more than is taken.
    let wide = |asked: &Asked| -> usize {
        let number = asked.path.split("maxRecords=").nth(1).unwrap();
        number.split('&').next().unwrap().parse().unwrap()
    };
    let server = org(move |asked| {
        if !asked.path.contains("/results") {
            return info(r#","numberRecordsProcessed":1000"#);
        }
        let from: usize = asked
            .path
            .split("locator=")
            .nth(1)
            .map_or(0, |at| at.parse().unwrap());
        let to = (from + wide(asked)).min(1000);
        let mut body = String::from("\"Id\",\"Note\"\n");
        for n in from..to {
            let note = "x".repeat(200_000);
            body.push_str(&format!("\"{}\",\"{note}\"\n", id(u32::try_from(n).unwrap())));
        }
        let next = if to == 1000 {
            "null".to_owned()
        } else {
            to.to_string()
        };
        results(&body, &[("Sforce-Locator", &next)])
    });
    let came = read(&server);
    let largest = came.csv.iter().map(String::len).max().unwrap();
    assert_eq!(came.json, 0);
    assert!(largest < 128 << 20, "{largest}");
    let later = came.csv.iter().skip(1).map(String::len).max().unwrap();
    assert!(later < 10 << 20, "{later}");
    let all: usize = came.csv.iter().map(|page| page.lines().count() - 1).sum();
    assert_eq!(all, 1000);
}

#[test]
fn a_page_of_rows_that_is_too_large_is_asked_for_in_pieces() {
    // Three rows of fifty megabytes are more than is taken; where few rows are asked for, pages end by bytes.
    let note = "x".repeat(50 << 20);
    let server = Server::start(move |asked| {
        let row = |n: usize| format!(r#"{{"Id":"{}","Note":"{note}"}}"#, id(u32::try_from(n).unwrap()));
        let next = |n: usize| format!("/services/data/v67.0/query/0r8-{n}");
        match asked.path.split("/query/0r8-").nth(1) {
            Some(n) => {
                let n: usize = n.parse().unwrap();
                page(3, &[row(n)], (n < 3).then(|| next(n + 1)).as_deref())
            }
            None if asked.path.contains("LIMIT 200") => page(3, &[row(1)], Some(&next(2))),
            None => page(3, &[row(1), row(2), row(3)], None),
        }
    });
    let text = br#"{"name":"Account","fields":[{"name":"Id","type":"id","filterable":true}]}"#;
    let describe = Describe::parse(text).unwrap();
    let read = Read {
        describe: &describe,
        fields: &["Id"],
        scope: Scope::All,
        from: None,
    };
    let mut came = Came::default();
    server
        .connect()
        .bulk(Bulk::Never)
        .open()
        .unwrap()
        .read_all(&[read], &mut came)
        .unwrap();
    came.end.unwrap().unwrap();
    assert_eq!(came.json, 3);
}
