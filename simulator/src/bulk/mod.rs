//! Bulk API 2.0: jobs, how they come along, and the CSV that they give and take.
//!
//! Key decision: a job moves only when a client asks about it: by the number of times its info was read, and
//! by the org's clock. So a run is the same every time, and a test decides how long a job takes.
//! Source: Bulk API 2.0 and Bulk API developer guide.
//! Not here: the endpoints (`http::bulk`), SOQL (`soql`), the rules of writes (`write`).

mod columns;
pub(crate) mod extract;
pub(crate) mod ingest;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod progress;
pub(crate) mod refuse;
pub(crate) mod results;
pub(crate) mod rows;
mod settings;
pub(crate) mod sheet;
mod usage;

pub use settings::{BulkFault, BulkSettings};
