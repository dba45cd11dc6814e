//! The connector against an org that answers what a test tells it to, against recorded replies, and against a
//! simulated org.
//!
//! Key decision: a plain TCP server sends raw bytes, so that replies no real server library would send (half a
//! body, none at all) can be sent; the simulated org checks the connector's beliefs (`simulated`). No test of these
//! needs a network.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

mod answers;
mod auth;
mod reading;
mod recorded;
mod results;
mod server;
mod simulated;
mod writing;
