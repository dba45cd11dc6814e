//! `halite connect` and `halite connections`: sign in to an org and keep the grant, and list what is kept.
//!
//! Key decision: nothing is kept before the org has answered who it is.
//! No secret is an argument or is ever shown.

use std::sync::Arc;

use halite_connector::{Environment, Grant, Secret};
use halite_engine::ops::org::Source;
use halite_engine::{Error, Kind, Result};
use serde_json::{Value, json};

use crate::args::Connect;
use crate::job::{Connection, Job, connection, typed, variable};
use crate::out::End;

/// Signs in and keeps the grant.
pub fn run(job: &Job, flags: &Connect) -> Result<End> {
    if flags.name.is_empty()
        || !flags
            .name
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.".contains(c))
    {
        return Err(
            Error::invalid(format!("`{}` is no name for a connection", flags.name))
                .hint("use letters, digits, `-`, `_` and `.`"),
        );
    }
    let vault = job.vault()?;
    let environment: Environment = flags.environment.parse()?;
    let grant = grant(flags)?;
    let mut org = halite_connector::Connect::new(environment.clone())
        .grant(grant.clone())
        .cancel(Arc::clone(&job.cancel))
        .open()?;
    let who = org.identity()?;
    let kept = Connection {
        environment,
        org: who.org,
        org_name: who.name.clone(),
        grant,
    };
    vault.put_grant(&flags.name, &kept.to_bytes())?;
    let kind = if who.sandbox { "sandbox" } else { "production" };
    job.out.line(format_args!(
        "{}: {} ({}, {kind}) as {}",
        flags.name, who.name, who.org, who.user_name
    ))?;
    job.out.value(&json!({
        "name": flags.name, "org": who.org.to_string(), "org_name": who.name, "sandbox": who.sandbox,
        "user": who.user.to_string(), "user_name": who.user_name, "api_version": who.api_version,
    }))?;
    Ok(End::Done)
}

fn grant(flags: &Connect) -> Result<Grant> {
    if let (Some(name), Some(url)) = (&flags.token_env, &flags.instance_url) {
        let token = variable(name).ok_or_else(|| {
            Error::new(Kind::Auth, format!("the variable {name} holds no token"))
                .hint("set it, and do not type it")
        })?;
        return Ok(Grant::Token {
            instance_url: url.clone(),
            access_token: Secret::new(token.as_str()),
        });
    }
    let Some(id) = &flags.client_id else {
        return Err(Error::invalid("nothing to sign in with")
            .hint("give --client-id ID, or --token-env VARIABLE with --instance-url URL"));
    };
    let secret = match variable(&flags.client_secret_env) {
        Some(secret) => secret,
        None => typed("Consumer secret: ").map_err(|e| {
            Error::new(e.kind(), e.message()).hint(format!("set {}", flags.client_secret_env))
        })?,
    };
    Ok(Grant::ClientCredentials {
        client_id: id.clone(),
        client_secret: Secret::new(secret.as_str()),
    })
}

/// Lists the connections.
pub fn list(job: &Job) -> Result<End> {
    let vault = job.vault()?;
    let mut all: Vec<Value> = Vec::new();
    for name in vault.grants() {
        let kept = connection(&vault, &name)?;
        job.out.line(format_args!(
            "{name}  {}  {}  {}",
            kept.org, kept.environment, kept.org_name
        ))?;
        all.push(json!({
            "name": name, "org": kept.org.to_string(), "org_name": kept.org_name,
            "environment": kept.environment.to_string(),
        }));
    }
    if all.is_empty() {
        job.out.line("no connections; `halite connect NAME` makes one")?;
    }
    job.out.value(&all)?;
    Ok(End::Done)
}
