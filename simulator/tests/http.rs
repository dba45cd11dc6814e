//! The org over HTTP, driven by a plain client.
//!
//! Key decision: one binary, a module for each part of the API; the client knows nothing but a URL and a token.
//! Not here: tests of one rule: those stand beside the rule.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

#[path = "http/admin.rs"]
mod admin;
#[path = "http/auth.rs"]
mod auth;
#[path = "http/bad_frames.rs"]
mod bad_frames;
#[path = "http/bad_input.rs"]
mod bad_input;
#[path = "http/behave.rs"]
mod behave;
#[path = "http/bulk_ingest.rs"]
mod bulk_ingest;
#[path = "http/bulk_query.rs"]
mod bulk_query;
#[path = "http/bulk_upload.rs"]
mod bulk_upload;
#[path = "http/composite.rs"]
mod composite;
#[path = "http/datasets.rs"]
mod datasets;
#[path = "http/duplicates.rs"]
mod duplicates;
#[path = "http/endpoints.rs"]
mod endpoints;
#[path = "http/faults.rs"]
mod faults;
#[path = "http/files.rs"]
mod files;
#[path = "http/generate.rs"]
mod generate;
#[path = "http/grants.rs"]
mod grants;
#[path = "http/keys.rs"]
mod keys;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/oauth.rs"]
mod oauth;
#[path = "http/permissions.rs"]
mod permissions;
#[path = "http/persons.rs"]
mod persons;
#[path = "http/platform.rs"]
mod platform;
#[path = "http/projects.rs"]
mod projects;
#[path = "http/query.rs"]
mod query;
#[path = "http/query_groups.rs"]
mod query_groups;
#[path = "http/query_relations.rs"]
mod query_relations;
#[path = "http/recorded.rs"]
mod recorded;
#[path = "http/repeat.rs"]
mod repeat;
#[path = "http/replication.rs"]
mod replication;
#[path = "http/rules.rs"]
mod rules;
#[path = "http/saved.rs"]
mod saved;
#[path = "http/sessions.rs"]
mod sessions;
#[path = "http/setup.rs"]
mod setup;
#[path = "http/shapes/mod.rs"]
mod shapes;
#[path = "http/soap.rs"]
mod soap;
#[path = "http/soap_calls.rs"]
mod soap_calls;
#[path = "http/tls.rs"]
mod tls;
#[path = "http/torn.rs"]
mod torn;
#[path = "http/writes.rs"]
mod writes;
