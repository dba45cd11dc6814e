//! The connector against an org that answers what a test tells it to, and against recorded replies.
//!
//! Key decision: a plain TCP server sends raw bytes, so that replies no real server library would send (half a
//! body, none at all) can be sent. This is not the simulated org: that one checks the connector's beliefs.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

mod answers;
mod auth;
mod reading;
mod recorded;
mod server;
mod writing;
