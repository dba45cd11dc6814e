//! `halite simulate`: a simulated org that answers over HTTP until it is interrupted.
//!
//! Key decision: it listens on this machine only and says how to connect, since its secrets are public.
//! It is not a place to keep data: everything is gone when it ends.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use halite_engine::{Error, Kind, Result};
use halite_simulator::{CLIENT_ID, CLIENT_SECRET, LoadReport, Org, Server};
use serde_json::json;

use crate::args::Simulate;
use crate::job::Job;
use crate::out::{End, note};

/// The built-in sample org, or that of an SFDX project; and what of the project was left out.
pub fn org(project: Option<&Path>) -> Result<(Org, LoadReport)> {
    let Some(dir) = project else {
        return Ok((Org::sample(), LoadReport::default()));
    };
    Org::load(dir).map_err(|e| {
        Error::new(Kind::NotFound, format!("{}: {e}", dir.display()))
            .hint("--org takes the folder of an SFDX project")
    })
}

/// Serves until interrupted.
pub fn run(job: &Job, flags: &Simulate) -> Result<End> {
    let (org, report) = org(job.global.org.as_deref().map(Path::new))?;
    report.skipped.iter().for_each(note);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.port));
    let server = Server::start_on(org, address).map_err(|e| Error::io(address, e))?;
    let url = server.url();
    job.out
        .line(format_args!("a simulated org listens on {url}; Ctrl-C ends it"))?;
    job.out
        .line(format_args!("client id {CLIENT_ID}, secret {CLIENT_SECRET}"))?;
    job.out
        .value(&json!({ "url": url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET }))?;
    while !job.cancel.load(Ordering::SeqCst) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(End::Done)
}
