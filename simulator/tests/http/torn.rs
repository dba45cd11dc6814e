//! Every endpoint's sound request, torn at random.
//!
//! Key decision: by a seed, which a failure names; whatever was asked, a reply comes, it is no panic (500
//! `UNKNOWN_EXCEPTION`), and an error of the API has its code.
//! Not here: which code it is (`bad_input`).

use halite_simulator::Org;
use serde_json::{Value, json};

use crate::support::Session;
use crate::support::raw::{Raw, exchange, request};
use crate::support::sound::{self, Sound};

/// Numbers by a seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const METHODS: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "BREW"];

const JUNK: [&str; 16] = [
    "",
    "null",
    "-1",
    "99999999999999999999",
    "%00",
    "%ff",
    "%",
    "..",
    "\u{a0}\u{202e}é",
    "'",
    "\"",
    "{}",
    "@{a.b}",
    "001000000000001AAA",
    "Account",
    "2026-99-99T99:99:99Z",
];

/// A value in the place of another.
fn instead(dice: &mut Dice) -> Value {
    let junk = [
        json!(null),
        json!([]),
        json!({}),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(true),
        json!(""),
        json!("x".repeat(40_000)),
        json!({"attributes": {"type": "Account"}}),
        json!([[[[{"records": [null]}]]]]),
        json!("2026-13-45"),
        json!("@{a[0].b"),
        json!("\u{0}\u{ffff}"),
        json!({"type": null, "url": 5}),
    ];
    dice.one(&junk).clone()
}

/// Puts something else somewhere into a document.
fn tear(value: &mut Value, dice: &mut Dice) {
    let here = dice.below(3) == 0;
    match value {
        Value::Array(list) if !here && !list.is_empty() => {
            let at = dice.below(list.len());
            if dice.below(4) == 0 {
                let again = list[at].clone();
                list.push(again);
            } else {
                tear(&mut list[at], dice);
            }
        }
        Value::Object(map) if !here && !map.is_empty() => {
            let key = map.keys().nth(dice.below(map.len())).unwrap().clone();
            match dice.below(6) {
                0 => drop(map.remove(&key)),
                1 => drop(map.insert((*dice.one(&JUNK)).to_owned(), json!("x"))),
                _ => tear(map.get_mut(&key).unwrap(), dice),
            }
        }
        other => *other = instead(dice),
    }
}

fn torn_bytes(body: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(body.len());
    match dice.below(5) {
        0 => body.truncate(at),
        1 if at < body.len() => body[at] ^= 1 << dice.below(8),
        2 => drop(body.splice(at..at, dice.one(&JUNK).bytes())),
        3 => drop(body.splice(at..at, "[{<(".repeat(3000).bytes())),
        _ => body.extend_from_within(at..),
    }
}

fn torn_target(target: &str, dice: &mut Dice) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut segments: Vec<String> = path.split('/').map(str::to_owned).collect();
    let mut params: Vec<String> = query.split('&').map(str::to_owned).collect();
    let junk = dice
        .one(&JUNK)
        .bytes()
        .map(|b| {
            if b.is_ascii_graphic() && b != b'"' {
                char::from(b).to_string()
            } else {
                format!("%{b:02x}")
            }
        })
        .collect::<String>();
    let at = 1 + dice.below(segments.len() - 1);
    match dice.below(6) {
        0 => segments[at] = junk,
        1 => segments.insert(at, junk),
        2 => drop(segments.remove(at)),
        3 => params.push(format!(
            "fields={junk}&ids={junk}&locator={junk}&maxRecords={junk}&q={junk}"
        )),
        4 => {
            let at = dice.below(params.len());
            let key = params[at].split('=').next().unwrap_or_default().to_owned();
            params[at] = format!("{key}={junk}");
        }
        _ => params.reverse(),
    }
    format!("{}?{}", segments.join("/"), params.join("&"))
}

/// A sound request, torn in one to three places.
fn torn(sound: &Sound, token: &str, dice: &mut Dice) -> Vec<u8> {
    let mut method = sound.method;
    let mut target = sound.target.clone();
    let mut headers = sound.headers(token);
    let mut body = sound.body.clone();
    for _ in 0..=dice.below(3) {
        match dice.below(12) {
            0 => method = METHODS[dice.below(METHODS.len())],
            1 | 2 => target = torn_target(&target, dice),
            3 => {
                let odd = [
                    "If-Modified-Since: yesterday",
                    "If-Match: \"\"",
                    "Sforce-Query-Options: batchSize=-1",
                    "Content-Type: multipart/form-data; boundary=b",
                    "Content-Type: text/xml",
                    "Range: bytes=9-1",
                    "Sforce-Duplicate-Rule-Header: ;=;",
                    "Accept-Encoding: gzip",
                    "Authorization: Bearer",
                ];
                headers.insert(0, (*dice.one(&odd)).to_owned());
            }
            4 | 5 => torn_bytes(&mut body, dice),
            _ => {
                if let Ok(mut value) = serde_json::from_slice(&body) {
                    tear(&mut value, dice);
                    body = value.to_string().into_bytes();
                }
            }
        }
    }
    request(method, target.as_bytes(), &headers, &body)
}

/// What is wrong with a reply, whatever was asked.
fn complaint(request: &[u8], reply: Option<&Raw>) -> Option<&'static str> {
    let Some(reply) = reply else {
        return Some("no reply");
    };
    let text = String::from_utf8_lossy(&reply.body);
    if text.contains("UNKNOWN_EXCEPTION") {
        return Some("a panic");
    }
    let first = String::from_utf8_lossy(request);
    let first = first.lines().next().unwrap_or_default();
    if reply.status == 500 && !text.contains("<faultcode>") {
        return Some("a bare 500");
    }
    let rest = first.contains(" /services/data/") && reply.status >= 400 && reply.status != 431;
    let by_api = reply.header("content-type").is_some() && !first.starts_with("HEAD");
    let coded = ["\"errorCode\":\"", "\"statusCode\":\""]
        .iter()
        .any(|key| text.contains(key));
    if rest && by_api && !coded {
        return Some("an error without its code");
    }
    None
}

#[test]
fn torn_requests_harm_nothing() {
    let s = Session::on(Org::sample());
    s.org.configure(|c| {
        c.auth.logins_an_hour = usize::MAX;
        c.gzip_from = usize::MAX;
    });
    let all = sound::every(&s.org);
    let mut answered_well = 0;
    for seed in 1..=8000_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let sound = &all[usize::try_from(seed).unwrap() % all.len()];
        let request = torn(sound, &s.token, &mut dice);
        let reply = exchange(s.server.addr(), &request);
        answered_well += usize::from(reply.as_ref().is_some_and(|r| r.status < 300));
        if let Some(what) = complaint(&request, reply.as_ref()) {
            let shown = String::from_utf8_lossy(&request[..request.len().min(1000)]).into_owned();
            panic!("seed {seed}: {what}\n{shown}\n{:?}", reply.map(|r| r.head));
        }
    }
    // A tear that nobody minds is a request that came through; if none did, nothing was reached.
    assert!(
        (500..7000).contains(&answered_well),
        "{answered_well} answered well"
    );
    assert_eq!(s.query("SELECT COUNT() FROM User").1["totalSize"], json!(3));
}
