//! Files of a generated org: documents with their versions and links, and attachments.
//!
//! Key decision: each is saved by the rules for files, so that sizes, checksums and latest versions are right. A
//! version differs from the one before by a few edits, as real ones do. Most files are small, a few are large.
//! Not here: what the rules are (`write::files`).

use std::sync::Arc;

use serde_json::{Value, json};

use super::random::Random;
use super::{DAY_MS, Filling, SPAN_MS};
use crate::id::Key;
use crate::write;

/// Objects that files hang on, the likely ones first.
const HOLDERS: &[&str] = &["Opportunity", "Account", "Case", super::wide::CONSIGNMENT];
const ENDINGS: &[&str] = &["pdf", "docx", "xlsx", "png", "txt", "csv", "msg"];
/// Bytes of the largest body.
const LARGEST: u64 = 60_000;

impl Filling<'_> {
    /// Makes files of about so many rows, spread over the years.
    pub(super) fn files(&mut self, rows: usize) {
        let mut made = 0;
        while made < rows {
            let ago = SPAN_MS / rows as i64 * (rows - made) as i64;
            let file = self.file(self.now_ms - ago);
            if file == 0 {
                // Nothing to hang files on.
                return;
            }
            made += file;
        }
    }

    /// Makes a file, or another version of one; gives the number of its rows.
    pub(super) fn file(&mut self, at_ms: i64) -> usize {
        self.at_ms = at_ms;
        match self.random.below(5) {
            0 => usize::from(self.attachment()),
            1 => match self.recent("ContentDocument") {
                Some(document) => usize::from(self.revision(&document)),
                None => self.document(),
            },
            _ => self.document(),
        }
    }

    /// A row that files hang on.
    fn holder(&mut self) -> Option<String> {
        let rows = self.made.get(self.random.pick(HOLDERS))?;
        Some(
            rows.get(self.random.below(rows.len() as u64) as usize)?
                .text()
                .to_owned(),
        )
    }

    fn attachment(&mut self) -> bool {
        let Some(parent) = self.holder() else { return false };
        let bytes = body(&mut self.random);
        let name = format!(
            "{}.{}",
            self.words.line(&mut self.random, 3),
            self.random.pick(ENDINGS)
        );
        let values = json!({"ParentId": parent, "Name": name, "OwnerId": self.user()});
        self.save("Attachment", values, Some(("Body", bytes))).is_some()
    }

    /// A document with one version or several and one or two links; gives the number of its rows.
    fn document(&mut self) -> usize {
        let Some(place) = self.holder() else { return 0 };
        let title = self.words.line(&mut self.random, 4);
        let path = format!("{title}.{}", self.random.pick(ENDINGS));
        let bytes = body(&mut self.random);
        let first = json!({"Title": title, "PathOnClient": path, "OwnerId": self.user(),
            "FirstPublishLocationId": place});
        let saved = self.save("ContentVersion", first, Some(("VersionData", bytes)));
        let Some(row) = saved.and_then(|id| self.state.row(&id)) else {
            return 0;
        };
        let document = row.text("ContentDocumentId").to_owned();
        self.made
            .entry("ContentDocument".to_owned())
            .or_default()
            .extend(Key::of(&document));
        // The document, its version, and its links to the owner and to where it was published.
        let mut rows = 4;
        for _ in 0..self.random.skewed(5) {
            let later = self.at_ms + self.random.below(90 * DAY_MS as u64) as i64;
            self.at_ms = later.min(self.now_ms);
            rows += usize::from(self.revision(&document));
        }
        let again = if self.random.percent(20) {
            self.holder()
        } else {
            None
        };
        if let Some(other) = again.filter(|id| *id != place) {
            let link = json!({"ContentDocumentId": document, "LinkedEntityId": other, "ShareType": "V"});
            rows += usize::from(self.save("ContentDocumentLink", link, None).is_some());
        }
        rows
    }

    /// Another version of a document, a little different from its latest.
    fn revision(&mut self, document: &str) -> bool {
        let latest = self
            .state
            .live(document)
            .map(|d| d.text("LatestPublishedVersionId"));
        let Some(latest) = latest.and_then(|id| self.state.row(id)) else {
            return false;
        };
        let Some(bytes) = self.state.files.of(latest.values.get("VersionData").as_ref()) else {
            return false;
        };
        let mut next = json!({"ContentDocumentId": document, "Title": latest.text("Title"),
            "PathOnClient": latest.text("PathOnClient"), "OwnerId": latest.text("OwnerId")});
        let mut bytes = bytes.to_vec();
        revise(&mut bytes, &mut self.random);
        next["ReasonForChange"] = json!(self.words.line(&mut self.random, 5));
        self.save("ContentVersion", next, Some(("VersionData", bytes)))
            .is_some()
    }

    /// Saves a row with a body.
    fn save(&mut self, object: &str, mut values: Value, body: Option<(&str, Vec<u8>)>) -> Option<String> {
        if let Some((field, bytes)) = body {
            values[field] = json!("body");
            self.state.files.parts = vec![(field.to_owned(), Arc::from(bytes))];
        }
        let user = self.user();
        self.begin(self.at_ms);
        let saved = self
            .state
            .attempt(|s| write::create_loaded(s, object, &values, &user));
        self.state.files.parts.clear();
        saved.ok()
    }
}

/// The bytes of a new file: most a few hundred, a few a hundred times as many.
fn body(random: &mut Random) -> Vec<u8> {
    let most = 400 + random.skewed(LARGEST);
    let size = 200 + random.skewed(most);
    let mut bytes = b"%PDF-1.4\n".to_vec();
    while (bytes.len() as u64) < size {
        bytes.extend_from_slice(&random.below(u64::MAX).to_le_bytes());
        // Files have runs of the same, too.
        if random.percent(30) {
            bytes.extend_from_slice(&[b' '; 24]);
        }
    }
    bytes
}

/// Changes a few bytes in a few places, and adds a line at the end.
fn revise(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 + random.below(255) as u8;
    }
    bytes.extend_from_slice(format!("\n% {:x}", random.below(u64::MAX)).as_bytes());
}
