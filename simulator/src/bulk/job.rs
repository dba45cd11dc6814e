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
use super::ingest::{Ingest, Operation};
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
    Ingest(Box<Ingest>),
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

    /// What every reply about the job shows; all that one to closing or aborting an ingest job does.
    pub fn brief(&self) -> Map<String, Value> {
        let number: f64 = self.version.trim_start_matches('v').parse().unwrap_or(0.0);
        let Value::Object(mut map) = json!({
            "id": self.id, "operation": self.operation, "object": self.object,
            "createdById": self.creator, "createdDate": stamp(self.created),
            "systemModstamp": stamp(self.touched), "state": self.stage.name(),
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": number,
        }) else {
            return Map::new();
        };
        if let Work::Ingest(ingest) = &self.work {
            if let Operation::Upsert(key) = &ingest.operation {
                map.insert("externalIdFieldName".to_owned(), json!(key));
            }
            if let Some(rule) = &ingest.assignment_rule {
                map.insert("assignmentRuleId".to_owned(), json!(rule));
            }
        }
        map
    }

    /// The info that a reply to creating shows.
    pub fn head(&self) -> Map<String, Value> {
        let mut map = self.brief();
        if self.stage == Stage::Open {
            let url = format!("services/data/{}/jobs/ingest/{}/batches", self.version, self.id);
            map.insert("contentUrl".to_owned(), json!(url));
        }
        map.insert("lineEnding".to_owned(), json!(self.format.ending_name()));
        map.insert("columnDelimiter".to_owned(), json!(self.format.delimiter_name()));
        map
    }

    /// The whole info.
    pub fn info(&self) -> Map<String, Value> {
        let mut map = self.head();
        let numbers = match &self.work {
            Work::Query(_) => self.query_numbers(),
            Work::Ingest(ingest) => self.ingest_numbers(ingest),
        };
        if let Value::Object(numbers) = numbers {
            map.extend(numbers);
        }
        if let Some(error) = &self.error {
            map.insert("errorMessage".to_owned(), json!(error));
        }
        map
    }

    /// What processing costs is made up: it grows with the rows.
    fn millis(&self) -> u64 {
        match self.stage {
            Stage::Open | Stage::UploadComplete => 0,
            _ => 50 + self.processed / 20,
        }
    }

    fn query_numbers(&self) -> Value {
        let mut numbers = json!({
            "jobType": "V2Query", "isPkChunkingSupported": super::refuse::chunked(&self.object),
        });
        if self.stage != Stage::UploadComplete || self.polls > 0 {
            numbers["numberRecordsProcessed"] = json!(self.processed);
            numbers["retries"] = json!(self.retries);
            numbers["totalProcessingTime"] = json!(self.millis());
        }
        numbers
    }

    fn ingest_numbers(&self, ingest: &Ingest) -> Value {
        let mut numbers = json!({
            "jobType": "V2Ingest", "retries": self.retries, "totalProcessingTime": self.millis(),
            "apiActiveProcessingTime": self.millis() * 3 / 5,
            "apexProcessingTime": ingest.automated.div_ceil(10),
        });
        if self.stage != Stage::Open {
            numbers["numberRecordsProcessed"] = json!(self.processed);
            numbers["numberRecordsFailed"] = json!(ingest.refused);
        }
        numbers
    }
}
