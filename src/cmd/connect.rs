//! `halite connect`: sign in to an org and keep the grant, with how it is to be backed up.
//!
//! Key decision: nothing is kept before the org has answered who it is.
//! No secret is an argument or is ever shown.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use halite_connector::{Environment, Grant, Purpose, SalesforceOrg, Secret, WebSignIn};
use halite_engine::base::id::OrgId;
use halite_engine::ops::org::{Identity, Source};
use halite_engine::ops::sight::{Unseen, unseen};
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};
use serde_json::json;
use zeroize::Zeroizing;

use crate::args::Connect;
use crate::cmd::connections::{next, set};
use crate::cmd::preflight::{self, look};
use crate::connection::{Connection, Settings};
use crate::job::{Job, typed, variable};
use crate::out::{End, count, note};

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
    let grant = grant(job, &environment, flags)?;
    let (mut org, grant) = sign_in(job, &environment, grant)?;
    let who = org.identity()?;
    another(flags, before.as_ref(), &who)?;
    let same = before.is_some_and(|kept| kept.settings.user == who.user.to_string());
    let compared = if same {
        None
    } else {
        sees_less(job, flags, &vault, &mut org, who.org)?
    };
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
    let found = look(&vault, &mut org, who.org, Purpose::Backup);
    match &found {
        Ok(found) => preflight::tell(job.out, found)?,
        Err(error) => note(format_args!("no preflight: {error}")),
    }
    job.out.value(&json!({
        "preflight": found.ok(), "compared": compared,
        "name": flags.name, "org": who.org.to_string(), "org_name": who.name, "sandbox": who.sandbox,
        "user": who.user.to_string(), "user_name": who.user_name, "api_version": who.api_version,
        "settings": kept.settings, "next": due,
    }))?;
    Ok(End::Done)
}

/// A name stands for one org: what another one shows would be taken for changes.
fn another(flags: &Connect, before: Option<&Connection>, who: &Identity) -> Result<()> {
    let Some(before) = before.filter(|before| before.org != who.org && !flags.yes) else {
        return Ok(());
    };
    let (name, old, new) = (&flags.name, before.org, who.org);
    let message = format!(
        "`{name}` is org {old} ({}), and this is org {new} ({})",
        before.org_name, who.name
    );
    Err(Error::invalid(message)
        .hint("connect it under another name; --yes lets the name stand for the other org"))
}

/// Holds what this user sees against what the vault has of the org, and asks where it is less.
fn sees_less(
    job: &Job,
    flags: &Connect,
    vault: &Vault,
    org: &mut SalesforceOrg,
    id: OrgId,
) -> Result<Option<Unseen>> {
    if !vault.orgs().contains(&id) {
        return Ok(None);
    }
    let found = unseen(vault, id, org)?;
    if found.is_nothing() {
        let looked = found.looked_at;
        job.out.line(format_args!(
            "  sees as much as the last snapshot has, of {looked} sObjects"
        ))?;
        return Ok(Some(found));
    }
    for (name, live) in &found.sobjects {
        note(format_args!(
            "  {name} is not seen: {} in the last snapshot",
            count(*live, "record")
        ));
    }
    for field in &found.fields {
        note(format_args!("  {field} is not seen"));
    }
    for (name, live, counted) in &found.fewer {
        note(format_args!(
            "  {name}: {counted} seen, {live} in the last snapshot"
        ));
    }
    if !flags.yes {
        job.agree(
            "This user sees less than the last snapshot has. What is not seen is kept as it is, and no backup will be \
             complete until it is seen again.",
            "the user sees less than the last snapshot has",
            "nothing was kept; give the rights (halite preflight), or --yes connects all the same",
        )?;
    }
    Ok(Some(found))
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

fn grant(job: &Job, environment: &Environment, flags: &Connect) -> Result<Grant> {
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
        return Err(Error::invalid("nothing to sign in with").hint(
            "give --client-id ID (with --web for a browser), or --token-env VARIABLE with --instance-url URL",
        ));
    };
    let secret = variable(&flags.client_secret_env);
    if let Some(name) = &flags.refresh_token_env {
        return Ok(Grant::Refresh {
            client_id: id.clone(),
            client_secret: secret.map(|text| Secret::new(text.as_str())),
            refresh_token: held(name)?,
        });
    }
    if flags.web {
        return by_browser(
            job,
            environment,
            id,
            secret.map(|text| Secret::new(text.as_str())),
            flags,
        );
    }
    if let (Some(path), Some(username)) = (&flags.jwt_key_file, &flags.username) {
        let pem = std::fs::read_to_string(path).map(Zeroizing::new);
        let pem = pem.map_err(|e| Error::io(path.display(), e))?;
        return Ok(Grant::Jwt {
            client_id: id.clone(),
            username: username.clone(),
            key: Secret::new(pem.as_str()),
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

/// Shows the address to open, and waits for the answer.
fn by_browser(
    job: &Job,
    environment: &Environment,
    id: &str,
    secret: Option<Secret>,
    flags: &Connect,
) -> Result<Grant> {
    let waiting = WebSignIn::begin(environment.clone(), id, secret, &flags.redirect)?;
    note(format_args!(
        "open this in a browser on this machine, and let the app in:\n{}",
        waiting.address()?
    ));
    waiting.finish(&job.cancel, Duration::from_millis(flags.wait.unsigned_abs()))
}
