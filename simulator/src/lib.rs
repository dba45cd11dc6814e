//! A Salesforce org that answers over HTTP, written from the API's documentation.
//!
//! ```text
//! Org ──────── state of an org: schema, rows, recycle bin, clock, settings, faults   org
//!  │ built from   the built-in sample                                                sample
//!  │              an SFDX project's definitions and data                             load
//!  │              a plan: made up, of any size                                           generate
//! Server ───── REST, OAuth, SOAP on 127.0.0.1                                        http
//!  │ reads with   SOQL: lexer, parser, plan, evaluation                              soql
//!  │ writes by    the rules of create, update, delete, undelete, roll-ups            write
//!  │ in bulk by   jobs over CSV                                                         bulk
//!  └ both obey    object and field definitions                                       schema
//! ```
//!
//! It is strict on purpose: what the real API refuses it refuses, in the same words, and where the real API
//! promises nothing (order of rows, size of pages, a monotone usage counter) it gives something unhandy.
//!
//! Thin or absent: `/composite/graph`, lead conversion, merges of person accounts.

mod bulk;
mod error;
#[cfg(feature = "testing")]
pub mod fuzzing;
mod generate;
mod http;
mod id;
mod load;
mod org;
mod sample;
mod schema;
mod soql;
mod write;
mod xml;

pub use bulk::{BulkFault, BulkSettings};
pub use error::ApiError;
pub use generate::{Change, Plan};
pub use http::{Admin, Server};
pub use load::dataset::{DatasetReport, Refused, TableReport};
pub use load::rebuilt::Rebuild;
pub use load::{LoadError, LoadReport};
pub use org::{
    AccessSettings, App, AssignmentRules, Auth, BehaviourSettings, Bin, CLIENT_ID, CLIENT_SECRET, Chaos,
    ChaosKind, Clock, Consent, Fault, FieldRights, FileSettings, LateTransaction, LimitSettings,
    ObjectRights, Org, PASSWORD, Permission, Permissions, Record, ReplicationSettings, Script, Settings,
    Sharing,
};
pub use write::automation::Deed;
