//! A bucket in memory: PutObject under conditions, GetObject with ranges, HeadObject, DeleteObject, ListObjectsV2.
//!
//! Key decision: one lock around a sorted map, so that a condition and the write it guards are one step, unless the
//! store is told to lie. What a vault does not ask for (copies, parts, versions) is answered with 501, and not guessed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::date;
use crate::http::{Answer, Request};

/// How long a racy store waits for a second writer between looking and writing.
const RACE: Duration = Duration::from_millis(300);

/// Which conditions a store does not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// It keeps all.
    None,
    /// It answers 200 to whatever it is asked under whatever condition.
    All,
    /// It ignores `If-None-Match`.
    Creates,
    /// It ignores `If-Match`.
    Replaces,
    /// It looks first and writes then, and others come in between.
    Races,
}

#[derive(Clone)]
struct Object {
    bytes: Arc<[u8]>,
    etag: String,
    written: SystemTime,
}

struct State {
    objects: BTreeMap<String, Object>,
    lie: Lie,
    page: usize,
    fresh: bool,
    writes: u64,
    /// Keys that writers of a racy store have looked at and not written yet.
    looked: Vec<String>,
}

/// One bucket.
pub(crate) struct Store {
    bucket: String,
    state: Mutex<State>,
    raced: Condvar,
}

impl Store {
    pub(crate) fn new(bucket: &str) -> Self {
        let state = State {
            objects: BTreeMap::new(),
            lie: Lie::None,
            page: 1000,
            fresh: false,
            writes: 0,
            looked: Vec::new(),
        };
        Self {
            bucket: bucket.to_owned(),
            state: Mutex::new(state),
            raced: Condvar::new(),
        }
    }

    pub(crate) fn lie(&self, lie: Lie) {
        self.state().lie = lie;
    }

    pub(crate) fn page(&self, names: usize) {
        self.state().page = names.max(1);
    }

    pub(crate) fn fresh_etags(&self) {
        self.state().fresh = true;
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        self.state().objects.get(key).map(|object| object.bytes.to_vec())
    }

    pub(crate) fn age(&self, by: Duration) {
        for object in self.state().objects.values_mut() {
            object.written -= by;
        }
    }

    pub(crate) fn plant(&self, key: &str, bytes: &[u8]) {
        self.state().write(key, bytes);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what is asked.
    pub(crate) fn answer(&self, request: &Request) -> Answer {
        let known = format!("Credential={}/", crate::ACCESS_KEY);
        match request.header("authorization") {
            None => return Answer::error(403, "AccessDenied"),
            Some(who) if !who.contains(&known) => return Answer::error(403, "InvalidAccessKeyId"),
            Some(_) => {}
        }
        if request.bucket != self.bucket {
            return Answer::error(404, "NoSuchBucket");
        }
        match request.verb() {
            "LIST" => self.list(request),
            _ if request.key.is_empty() || !request.query.is_empty() => Answer::error(501, "NotImplemented"),
            "PUT" if request.header("x-amz-copy-source").is_some() => Answer::error(501, "NotImplemented"),
            "PUT" => self.put(request),
            "GET" | "HEAD" => self.get(request),
            "DELETE" => {
                self.state().objects.remove(&request.key);
                Answer::new(204)
            }
            _ => Answer::error(501, "NotImplemented"),
        }
    }

    fn put(&self, request: &Request) -> Answer {
        let mut state = self.state();
        if let Some(refused) = state.refuses(request) {
            return refused;
        }
        if state.lie == Lie::Races {
            state = self.let_others_in(state, &request.key);
        }
        let etag = state.write(&request.key, &request.body);
        let mut answer = Answer::new(200);
        answer.headers.push(("ETag", etag));
        answer
    }

    /// Between look and write: waits for another writer of the same key, for a while.
    fn let_others_in<'s>(&'s self, mut state: MutexGuard<'s, State>, key: &str) -> MutexGuard<'s, State> {
        state.looked.push(key.to_owned());
        self.raced.notify_all();
        let alone = |state: &mut State| state.looked.iter().filter(|other| *other == key).count() < 2;
        let waited = self.raced.wait_timeout_while(state, RACE, alone);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn get(&self, request: &Request) -> Answer {
        let Some(object) = self.state().objects.get(&request.key).cloned() else {
            return Answer::error(404, "NoSuchKey");
        };
        if request.header("if-match").is_some_and(|etag| etag != object.etag) {
            return Answer::error(412, "PreconditionFailed");
        }
        if request.header("if-none-match") == Some(object.etag.as_str()) {
            return Answer::error(304, "NotModified");
        }
        let size = object.bytes.len();
        let (status, range) = match request.header("range") {
            None => (200, 0..size),
            Some(text) => match range(text, size) {
                Some(range) => (206, range),
                None => return Answer::error(416, "InvalidRange"),
            },
        };
        let mut answer = Answer::new(status);
        answer.headers.push(("ETag", object.etag));
        answer
            .headers
            .push(("Last-Modified", date::of_header(object.written)));
        if status == 206 {
            let of = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            answer.headers.push(("Content-Range", of));
        }
        answer.headers.push(("Content-Length", range.len().to_string()));
        answer.body = object.bytes.get(range).unwrap_or_default().to_vec();
        answer
    }

    fn list(&self, request: &Request) -> Answer {
        let state = self.state();
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request
            .query("continuation-token")
            .or(request.query("start-after"))
            .unwrap_or_default();
        let asked = request.query("max-keys").and_then(|n| n.parse().ok());
        let page = asked.unwrap_or(state.page).min(state.page);
        let found = state
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
        let mut found: Vec<_> = found.take(page + 1).collect();
        let more = found.len() > page;
        found.truncate(page);
        let mut body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>{}</Name><Prefix>{}</Prefix>\
             <KeyCount>{}</KeyCount><MaxKeys>{page}</MaxKeys><IsTruncated>{more}</IsTruncated>",
            escape(&self.bucket),
            escape(prefix),
            found.len()
        );
        for (key, object) in &found {
            body += &format!(
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag>\
                 <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escape(key),
                date::of_listing(object.written),
                escape(&object.etag),
                object.bytes.len()
            );
        }
        if let Some((last, _)) = found.last().filter(|_| more) {
            body += &format!("<NextContinuationToken>{}</NextContinuationToken>", escape(last));
        }
        body += "</ListBucketResult>";
        let mut answer = Answer::new(200);
        answer.headers.push(("Content-Type", "application/xml".into()));
        answer.body = body.into_bytes();
        answer
    }
}

impl State {
    /// The answer to a PUT whose condition does not hold.
    fn refuses(&self, request: &Request) -> Option<Answer> {
        let there = self.objects.get(&request.key);
        if let Some(condition) = request.header("if-none-match") {
            let kept = ![Lie::All, Lie::Creates].contains(&self.lie);
            return match condition {
                "*" if there.is_some() && kept => Some(Answer::error(412, "PreconditionFailed")),
                "*" => None,
                _ => Some(Answer::error(501, "NotImplemented")),
            };
        }
        let etag = request.header("if-match")?;
        if [Lie::All, Lie::Replaces].contains(&self.lie) {
            return None;
        }
        match there {
            None => Some(Answer::error(404, "NoSuchKey")),
            Some(there) if there.etag != etag => Some(Answer::error(412, "PreconditionFailed")),
            Some(_) => None,
        }
    }

    fn write(&mut self, key: &str, bytes: &[u8]) -> String {
        self.writes += 1;
        let salt = if self.fresh { self.writes } else { 0 };
        let half = |part: u8| {
            let mut hasher = DefaultHasher::new();
            (part, salt, bytes).hash(&mut hasher);
            hasher.finish()
        };
        let etag = format!("\"{:016x}{:016x}\"", half(0), half(1));
        let object = Object {
            bytes: bytes.into(),
            etag: etag.clone(),
            written: date::now(),
        };
        self.objects.insert(key.to_owned(), object);
        etag
    }
}

/// `bytes=2-5`, `bytes=2-`, `bytes=-3`; none if there is nothing in it.
fn range(text: &str, size: usize) -> Option<std::ops::Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first, last) {
        ("", last) => size.saturating_sub(last.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<usize>().ok()?.saturating_add(1).min(size),
    };
    (range.start < range.end).then_some(range)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_the_object_does() {
        for (text, want) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=2-100", Some(2..10)),
            ("bytes=9-", Some(9..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=10-", None),
            ("bytes=10-20", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(range(text, 10), want, "{text}");
        }
        assert_eq!(range("bytes=0-0", 0), None);
    }

    #[test]
    fn etags_follow_from_the_bytes_unless_they_are_fresh() {
        let store = Store::new("b");
        let etag = |text: &[u8]| store.state().write("k", text);
        assert_eq!(etag(b"1"), etag(b"1"));
        assert_ne!(etag(b"1"), etag(b"2"));
        store.fresh_etags();
        let etag = |text: &[u8]| store.state().write("k", text);
        assert_ne!(etag(b"1"), etag(b"1"));
    }
}
