//! A server that answers with whatever bytes a test gives, and remembers what it was asked.
//!
//! Key decision: one reply a connection, from a closure over the request.
//! It is not an HTTP library: it reads what the connector sends and no more.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use halite_connector::{Connect, Grant, Patience, SalesforceOrg, Secret};
use halite_engine::base::error::Result;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    /// Path and query, the query decoded.
    pub path: String,
    pub head: String,
    pub body: String,
}

pub struct Server {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

pub type Script = Box<dyn FnMut(&Asked) -> Vec<u8> + Send>;

/// A whole reply.
pub fn reply(status: u16, kind: &str, body: &str) -> Vec<u8> {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nDate: {date}\r\nSforce-Limit-Info: api-usage=18/5000; \
         per-app-api-usage=1/2(appName=x)\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub fn json(body: impl AsRef<str>) -> Vec<u8> {
    reply(200, "application/json;charset=UTF-8", body.as_ref())
}

pub fn error(status: u16, code: &str, message: &str) -> Vec<u8> {
    reply(
        status,
        "application/json",
        &format!(r#"[{{"message":"{message}","errorCode":"{code}"}}]"#),
    )
}

/// A page of rows; `next` names the page after it.
pub fn page(total: usize, rows: &[String], next: Option<&str>) -> Vec<u8> {
    let more = next.map_or(r#""done":true"#.into(), |n| {
        format!(r#""done":false,"nextRecordsUrl":"{n}""#)
    });
    json(format!(
        r#"{{"totalSize":{total},{more},"records":[{}]}}"#,
        rows.join(",")
    ))
}

/// The Id number `n` of accounts, 18 characters.
pub fn id(n: u32) -> String {
    format!("001000000{n:06}")
        .parse::<halite_engine::base::id::RecordId>()
        .unwrap()
        .to_string()
}

impl Server {
    /// Answers version requests itself and everything else by `script`.
    pub fn start(mut script: impl FnMut(&Asked) -> Vec<u8> + Send + 'static) -> Self {
        Self::bare(Box::new(move |asked| match asked.path.as_str() {
            "/services/data" => json(r#"[{"version":"44.0"},{"version":"67.0"},{"version":"68.0"}]"#),
            _ => script(asked),
        }))
    }

    pub fn bare(mut script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let Some(request) = take(&stream) else { continue };
                seen.lock().unwrap().push(request.clone());
                let _ = stream.write_all(&script(&request));
            }
        });
        Self { url, asked }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many requests had this in their path.
    pub fn count(&self, part: &str) -> usize {
        self.asked()
            .iter()
            .filter(|asked| asked.path.contains(part))
            .count()
    }

    pub fn connect(&self) -> Connect {
        let grant = Grant::Token {
            instance_url: self.url.clone(),
            access_token: Secret::new("00D!token"),
        };
        Connect::new(self.url.parse().unwrap())
            .grant(grant)
            .patience(quick())
    }

    pub fn org(&self) -> SalesforceOrg {
        self.connect().open().unwrap()
    }

    pub fn client_credentials(&self) -> Result<SalesforceOrg> {
        let grant = Grant::ClientCredentials {
            client_id: "app".into(),
            client_secret: Secret::new("hush"),
        };
        Connect::new(self.url.parse()?)
            .grant(grant)
            .patience(quick())
            .open()
    }
}

pub fn quick() -> Patience {
    Patience {
        tries: 3,
        first_wait: Duration::from_millis(1),
        longest_wait: Duration::from_millis(2),
        budget: Duration::from_secs(20),
    }
}

/// A token reply whose API host is `url`.
pub fn token(url: &str, access: &str, more: &str) -> Vec<u8> {
    let id = "https://login.salesforce.com/id/00Dx0000000BV7zEAG/005x00000012Q9PAAU";
    json(format!(
        r#"{{"access_token":"{access}","instance_url":"{url}","id":"{id}"{more}}}"#
    ))
}

fn take(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let path = match path.split_once("?q=") {
        Some((path, query)) => {
            let query = format!("q={query}");
            let (_, soql) = url::form_urlencoded::parse(query.as_bytes()).next()?;
            format!("{path}?{soql}")
        }
        None => path,
    };
    Some(Asked {
        method,
        path,
        head,
        body: String::from_utf8(body).ok()?,
    })
}
