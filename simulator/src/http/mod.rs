//! The org over HTTP: REST, OAuth and the SOAP calls that REST has no match for.
//!
//! Key decision: one handler takes every request apart by method and path segments, under the org's lock;
//! a reply is a plain value until the very end, so that faults can be played on it.
//! Source: REST API guide; SOAP API guide.
//! Not here: what the calls do (`write`, `soql`).

mod admin;
mod auth;
mod batch;
mod behave;
mod bulk;
mod collections;
mod composite;
pub(crate) mod conditional;
mod describe;
mod discovery;
mod files;
mod gzip;
mod headers;
mod host;
mod multipart;
mod play;
mod query;
mod records;
mod reference;
mod replication;
mod reply;
mod request;
mod route;
mod server;
pub(crate) mod session;
mod soap;
mod tls;
mod tree;
pub(crate) mod visits;
mod wire;

pub use admin::Admin;
pub use server::Server;
