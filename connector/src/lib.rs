//! Speaks to a Salesforce org over its public APIs, as the engine's [`Source`](halite_engine::ops::org::Source)
//! and [`Target`](halite_engine::ops::org::Target).
//!
//! Key decision: the public face is synchronous and does one request at a time; a runtime of its own lives
//! inside. In order, each file imports only those before it: `error` (what an answer means) -> `transport`
//! (bytes over HTTP) -> `limits` (the org's allowance) -> `retry` (what is asked again) -> `auth` (tokens) ->
//! `kinds`, `rest`, `composite`, `query`, `parents`, `asks`, `automation`, `deleted`, `bulk`, `many`, `forecast`, `preflight`, `collections`, `soap` (one file an API family) ->
//! `org` (the face). Who asks for much at once gets it in few calls: [`Source`](halite_engine::ops::org::Source)'s
//! `describes`, `counts`, `deleted` and `read_all`.
//!
//! It knows no bytes of the vault, decides nothing about records, and never prints.

mod asks;
mod auth;
mod automation;
mod bodies;
mod bulk;
mod collections;
mod composite;
mod deleted;
mod error;
mod forecast;
mod kinds;
mod limits;
mod many;
mod org;
mod parents;
mod preflight;
mod query;
mod rest;
mod retry;
mod soap;
mod transport;
mod upload;

pub use auth::{Environment, Grant, WebSignIn};
pub use bulk::Bulk;
pub use forecast::{Forecast, Planned};
pub use limits::Usage;
pub use org::{Connect, SalesforceOrg};
pub use preflight::{Missing, Preflight, Purpose};
pub use rest::Allowance;
pub use retry::Patience;
pub use transport::Secret;
