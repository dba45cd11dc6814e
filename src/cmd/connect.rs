//! `halite connect`: sign in to an org and keep the grant, with how it is to be backed up.
//!
//! Key decision: nothing is kept before the org has answered who it is.
//! No secret is an argument or is ever shown.

use std::sync::{Arc, Mutex, PoisonError};

use halite_connector::{Environment, Grant, SalesforceOrg, Secret};
use halite_engine::ops::org::Source;
use halite_engine::{Error, Kind, Result};
use serde_json::json;

use crate::args::Connect;
use crate::cmd::connections::{next, set};
use crate::connection::{Connection, Settings};
use crate::job::{Job, typed, variable};
use crate::out::End;

/// Signs in and keeps the grant.
pub fn run(job: &Job, flags: &Connect) -> Result<End> {
    let fine = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if flags.name.is_empty() || !flags.name.chars().all(fine) {
        return Err(
            Error::invalid(format!("`{}` is no name for a connection", flags.name))
                .hint("use letters, digits, `-`, `_` and `.`"),
        );
    }
    let vault = job.vault()?;
    let environment: Environment = flags.environment.parse()?;
    let before = match vault.grant(&flags.name)? {
        Some(bytes) => Some(Connection::from_bytes(&bytes)?),
        None => None,
    };
    let mut settings = before
        .as_ref()
        .map_or_else(Settings::default, |kept| kept.settings.clone());
    let changed = set(&mut settings, &flags.settings)?;
    let grant = grant(flags)?;
    let (mut org, grant) = sign_in(job, &environment, grant)?;
    let who = org.identity()?;
    settings.user = who.user.to_string();
    settings.user_name = who.user_name.clone();
    let kept = Connection {
        environment,
        org: who.org,
        org_name: who.name.clone(),
        settings,
        grant,
    };
    let bytes = kept.to_bytes()?;
    let mut line = Job::line("connect", &flags.name, &kept);
    line.detail = changed.join("; ");
    vault.change_grant(&flags.name, Some(&line), &mut |_| Ok(Some(bytes.clone())))?;
    let kind = if who.sandbox { "sandbox" } else { "production" };
    job.out.line(format_args!(
        "{}: {} ({}, {kind}) as {}",
        flags.name, who.name, who.org, who.user_name
    ))?;
    let due = next(&vault, &flags.name, &kept)?;
    if let Some(at) = &due {
        job.out.line(format_args!(
            "  the first backup is due {at}; `halite run` makes it"
        ))?;
    }
    job.out.value(&json!({
        "name": flags.name, "org": who.org.to_string(), "org_name": who.name, "sandbox": who.sandbox,
        "user": who.user.to_string(), "user_name": who.user_name, "api_version": who.api_version,
        "settings": kept.settings, "next": due,
    }))?;
    Ok(End::Done)
}

/// Signs in; gives the grant as the org left it, since it may rotate a refresh token at once.
fn sign_in(job: &Job, environment: &Environment, grant: Grant) -> Result<(SalesforceOrg, Grant)> {
    let rotated = Arc::new(Mutex::new(grant.clone()));
    let keep = Arc::clone(&rotated);
    let org = halite_connector::Connect::new(environment.clone())
        .grant(grant)
        .cancel(Arc::clone(&job.cancel))
        .on_new_grant(move |new| {
            new.clone_into(&mut keep.lock().unwrap_or_else(PoisonError::into_inner));
            Ok(())
        })
        .open()?;
    let grant = rotated.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((org, grant))
}

fn grant(flags: &Connect) -> Result<Grant> {
    let held = |name: &str| {
        let missing = || {
            Error::new(Kind::Auth, format!("the variable {name} holds no token"))
                .hint("set it, and do not type it")
        };
        variable(name)
            .ok_or_else(missing)
            .map(|text| Secret::new(text.as_str()))
    };
    if let (Some(name), Some(url)) = (&flags.token_env, &flags.instance_url) {
        return Ok(Grant::Token {
            instance_url: url.clone(),
            access_token: held(name)?,
        });
    }
    let Some(id) = &flags.client_id else {
        return Err(Error::invalid("nothing to sign in with")
            .hint("give --client-id ID, or --token-env VARIABLE with --instance-url URL"));
    };
    let secret = variable(&flags.client_secret_env);
    if let Some(name) = &flags.refresh_token_env {
        return Ok(Grant::Refresh {
            client_id: id.clone(),
            client_secret: secret.map(|text| Secret::new(text.as_str())),
            refresh_token: held(name)?,
        });
    }
    let secret = match secret {
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
