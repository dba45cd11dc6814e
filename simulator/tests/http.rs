//! The org over HTTP, driven by a plain client.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on panics, and one that skips says so"
)]

mod support;

#[path = "http/auth.rs"]
mod auth;
#[path = "http/faults.rs"]
mod faults;
#[path = "http/projects.rs"]
mod projects;
#[path = "http/query.rs"]
mod query;
#[path = "http/recorded.rs"]
mod recorded;
#[path = "http/soap.rs"]
mod soap;
#[path = "http/writes.rs"]
mod writes;
