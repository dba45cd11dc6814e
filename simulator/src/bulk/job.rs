//! One job: what was ordered, where it stands, and how its info reads.
//!
//! Key decision: query and ingest jobs share all but their work, and so do the infos; `apiVersion` is a
//! number, as it is nowhere else in the API.
//! Source: Bulk API 2.0 guide, "Create a Query Job", "Get Information About a Query Job", "Get Job Info".
//! Not here: moving on (`progress`).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::BulkFault;
use super::extract::Extract;
use crate::org::stamp;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }

    /// Nothing more will happen.
    pub fn over(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

/// How a job's CSV is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    delimiter: usize,
    pub crlf: bool,
}

/// The delimiters that a job may name.
const DELIMITERS: [(&str, u8); 6] = [
    ("COMMA", b','),
    ("BACKQUOTE", b'`'),
    ("CARET", b'^'),
    ("PIPE", b'|'),
    ("SEMICOLON", b';'),
    ("TAB", b'\t'),
];

impl Format {
    /// The format of these names; absent ones are comma and linefeed.
    pub fn named(delimiter: Option<&str>, ending: Option<&str>) -> Option<Self> {
        let delimiter = delimiter.unwrap_or("COMMA");
        Some(Self {
            delimiter: DELIMITERS.iter().position(|(name, _)| *name == delimiter)?,
            crlf: match ending.unwrap_or("LF") {
                "LF" => false,
                "CRLF" => true,
                _ => return None,
            },
        })
    }

    /// The sign between two values.
    pub fn delimiter(self) -> u8 {
        DELIMITERS[self.delimiter].1
    }

    pub fn delimiter_name(self) -> &'static str {
        DELIMITERS[self.delimiter].0
    }

    pub fn ending(self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }

    pub fn ending_name(self) -> &'static str {
        if self.crlf { "CRLF" } else { "LF" }
    }
}

/// What a job does.
#[derive(Debug)]
pub(crate) enum Work {
    Query(Extract),
}

/// A job.
#[derive(Debug)]
pub(crate) struct Job {
    pub id: String,
    pub operation: String,
    pub object: String,
    pub creator: String,
    pub created: Timestamp,
    pub touched: Timestamp,
    /// As in the path: `v67.0`.
    pub version: String,
    pub format: Format,
    pub stage: Stage,
    /// How often its info was read since it could start.
    pub polls: u32,
    pub processed: u64,
    pub retries: u32,
    pub error: Option<String>,
    pub fault: Option<BulkFault>,
    pub work: Work,
}

impl Job {
    pub fn is_query(&self) -> bool {
        matches!(self.work, Work::Query(_))
    }

    /// Ends the job or moves it on.
    pub fn turn(&mut self, stage: Stage, now: Timestamp) {
        self.stage = stage;
        self.touched = now;
    }

    /// The info that a reply to creating, closing or aborting shows.
    pub fn head(&self) -> Map<String, Value> {
        let number: f64 = self.version.trim_start_matches('v').parse().unwrap_or(0.0);
        let Value::Object(map) = json!({
            "id": self.id, "operation": self.operation, "object": self.object,
            "createdById": self.creator, "createdDate": stamp(self.created),
            "systemModstamp": stamp(self.touched), "state": self.stage.name(),
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": number,
            "lineEnding": self.format.ending_name(), "columnDelimiter": self.format.delimiter_name(),
        }) else {
            return Map::new();
        };
        map
    }

    /// The whole info.
    pub fn info(&self) -> Map<String, Value> {
        let mut map = self.head();
        let Work::Query(_) = &self.work;
        map.insert("jobType".to_owned(), json!("V2Query"));
        map.insert(
            "isPkChunkingSupported".to_owned(),
            json!(super::refuse::chunked(&self.object)),
        );
        if self.stage != Stage::UploadComplete || self.polls > 0 {
            // What processing costs is made up: it grows with the rows.
            let millis = if self.stage == Stage::UploadComplete {
                0
            } else {
                50 + self.processed / 20
            };
            map.insert("numberRecordsProcessed".to_owned(), json!(self.processed));
            map.insert("retries".to_owned(), json!(self.retries));
            map.insert("totalProcessingTime".to_owned(), json!(millis));
        }
        if let Some(error) = &self.error {
            map.insert("errorMessage".to_owned(), json!(error));
        }
        map
    }
}
