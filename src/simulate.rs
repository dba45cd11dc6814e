//! `halite simulate`: a simulated org that answers over HTTP until it is interrupted.
//!
//! Key decision: it listens on this machine only and says how to connect, since its secrets are public; whoever
//! can connect can drive it (`/admin`). Nothing is kept unless a file to save to is named.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use halite_engine::{Error, Kind, Result};
use halite_simulator::{Admin, CLIENT_ID, CLIENT_SECRET, Chaos, LoadReport, Org, Plan, Server};
use serde_json::{Value, json};

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

/// Serves until interrupted; then the org is saved, if that was asked for.
pub fn run(job: &Job, flags: &Simulate) -> Result<End> {
    let org = start(job, flags)?;
    if let Some(seed) = flags.seed {
        org.configure(|s| s.seed = seed);
    }
    if let Some(share) = flags.chaos {
        if !(0.0..=1.0).contains(&share) {
            return Err(
                Error::invalid(format!("--chaos {share} is no share")).hint("0 is none, 1 every request")
            );
        }
        org.configure(|s| s.chaos = Chaos::spread(share));
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, flags.port));
    let admin = Admin {
        save: flags.save.clone(),
    };
    let server = serve(&org, address, admin, flags.tls.as_deref())?;
    greet(job, &org, &server)?;
    while !job.cancel.load(Ordering::SeqCst) {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    drop(server);
    if let Some(path) = &flags.save {
        org.save(path).map_err(|e| Error::io(path.display(), e))?;
        job.out
            .line(format_args!("the org is saved in {}", path.display()))?;
    }
    Ok(End::Done)
}

/// Opens the door; over TLS if a file for the authority's certificate is named.
fn serve(org: &Org, address: SocketAddr, admin: Admin, authority: Option<&Path>) -> Result<Server> {
    let (org, failed) = (org.clone(), |e| Error::io(address, e));
    let Some(path) = authority else {
        return Server::start_with(org, address, Some(admin)).map_err(failed);
    };
    let server = Server::start_tls_with(org, address, Some(admin)).map_err(failed)?;
    server
        .write_authority(path)
        .map_err(|e| Error::io(path.display(), e))?;
    Ok(server)
}

/// The org that was asked for: made up, a saved one, a project's, or the sample.
fn start(job: &Job, flags: &Simulate) -> Result<Org> {
    if let Some(records) = flags.generate {
        if job.global.org.is_some() {
            return Err(Error::invalid("--generate and --org name two orgs").hint("give one of them"));
        }
        let plan = Plan::default();
        let seed = flags.seed.unwrap_or(plan.seed);
        return Ok(Org::generate(&Plan {
            records,
            seed,
            ..plan
        }));
    }
    let Some(path) = &flags.load else {
        let (org, report) = org(job.global.org.as_deref().map(Path::new))?;
        report.skipped.iter().for_each(note);
        return Ok(org);
    };
    if job.global.org.is_some() {
        return Err(Error::invalid("--load and --org name two orgs").hint("give one of them"));
    }
    Org::load_saved(path).map_err(|e| Error::invalid(e.to_string()).hint("--load takes what --save wrote"))
}

/// Says where the org is and what opens it.
fn greet(job: &Job, org: &Org, server: &Server) -> Result<()> {
    let (url, token) = (server.url(), org.access_token());
    let user = org.row(&org.api_user()).unwrap_or_default();
    let username = user.get("Username").and_then(Value::as_str).unwrap_or_default();
    job.out
        .line(format_args!("a simulated org listens on {url}; Ctrl-C ends it"))?;
    job.out
        .line(format_args!("client id {CLIENT_ID}, secret {CLIENT_SECRET}"))?;
    job.out.line(format_args!("user {username}, session {token}"))?;
    job.out
        .line(format_args!("{url}/admin drives it: docs/simulator/running.md"))?;
    job.out.value(&json!({
        "url": url, "admin_url": format!("{url}/admin"), "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET, "org_id": org.org_id(), "user_id": org.api_user(),
        "username": username, "access_token": token,
    }))
}
