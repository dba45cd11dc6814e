//! What is meant by what was typed: which vault, which key, which org, which snapshot, which connection.
//!
//! Key decision: secrets come from the environment, a command, a file or the terminal, in that order, and live in
//! memory that is wiped; a vault without encryption opens without a question. No command's own work is done here.

use std::cell::OnceCell;
use std::fs::{File, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{IsTerminal, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use halite_connector::{Connect, SalesforceOrg};
use halite_engine::base::id::OrgId;
use halite_engine::format::mark::ActivityEntry;
use halite_engine::ops::capture::Worker;
use halite_engine::store::backend::Backend;
use halite_engine::vault::keys::Holder;
use halite_engine::vault::rescue::rescue;
use halite_engine::vault::{Secret, SnapshotInfo, Vault, VaultOptions};
use halite_engine::{Error, Kind, Result};
use zeroize::Zeroizing;

use crate::args::{Global, NewKey};
use crate::connection::{Connection, change, connection};
use crate::out::{End, Out, note};
use crate::place::{Place, cache_dir};

/// Everything a command needs beside its own flags.
pub struct Job {
    pub global: Global,
    pub out: Out,
    pub cancel: Arc<AtomicBool>,
    /// The vault, once it was opened.
    pub vault: OnceCell<Arc<Vault>>,
}

/// A flag that Ctrl-C and SIGTERM set; the second time ends the process at once.
pub fn cancel() -> Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .map_err(|e| Error::new(Kind::Io, format!("Ctrl-C cannot be caught: {e}")))?;
    Ok(cancel)
}

impl Job {
    /// Fails once somebody has asked to stop.
    pub fn go_on(&self) -> Result<()> {
        if self.cancel.load(Ordering::SeqCst) {
            return Err(Error::new(Kind::Interrupted, "interrupted").hint("run the command again to go on"));
        }
        Ok(())
    }

    /// Asks at the terminal whether to go on with what cannot be undone.
    ///
    /// # Errors
    /// `Invalid` unless the answer is `yes`, or if there is no terminal to ask at.
    pub fn confirm(&self, question: &str) -> Result<()> {
        let hint = "nothing was done; --yes does it without asking";
        self.agree(question, "this cannot be undone", hint)
    }

    /// Asks at the terminal whether to go on; `why` it has to be asked, and what to do else.
    ///
    /// # Errors
    /// As of [`Job::confirm`].
    pub fn agree(&self, question: &str, why: &str, hint: &str) -> Result<()> {
        if !std::io::stdin().is_terminal() {
            return Err(Error::invalid(format!("{why} and there is no terminal to ask at")).hint(hint));
        }
        note(format_args!("{question} Type `yes` to go on:"));
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|e| Error::io("the terminal", e))?;
        if answer.trim() == "yes" {
            return Ok(());
        }
        Err(Error::invalid("it was not confirmed").hint(hint))
    }

    /// Where the vault is.
    pub fn place(&self) -> Result<Place<'_>> {
        let named = self.global.vault.as_deref();
        let missing = || Error::invalid("no vault named").hint("give --vault DIR|URL or set HALITE_VAULT");
        named.map(Place::named).ok_or_else(missing)
    }

    /// The place of a vault that is there.
    pub fn store(&self) -> Result<Arc<dyn Backend>> {
        self.place()?.open()
    }

    /// How it is opened.
    pub fn options(&self) -> VaultOptions {
        VaultOptions {
            cache_dir: cache_dir(),
            cancel: Arc::clone(&self.cancel),
            despite_losses: self.global.despite_losses,
            asked_by: self.asked_by(),
            ..VaultOptions::default()
        }
    }

    /// Who asked: as --as says, else this system's user.
    fn asked_by(&self) -> String {
        let user = || {
            let named = ["LOGNAME", "USER", "USERNAME"].into_iter();
            named
                .filter_map(|name| std::env::var(name).ok())
                .find(|name| !name.is_empty())
        };
        let asked_by = self.global.asked_by.clone().or_else(user);
        asked_by.unwrap_or_else(|| "unknown".to_owned())
    }

    /// A line of the activity log about a connection, to be told how it ended.
    pub fn line(verb: &str, name: &str, kept: &Connection) -> ActivityEntry {
        ActivityEntry {
            verb: verb.to_owned(),
            org: Some(kept.org),
            user: kept.settings.who(),
            connection: name.to_owned(),
            ..ActivityEntry::default()
        }
    }

    /// Opens the vault.
    pub fn vault(&self) -> Result<Arc<Vault>> {
        let (place, options) = (self.store()?, self.options());
        let open = |secret: &Secret| Vault::open(place.clone(), secret, options.clone());
        let (vault, _) = self.open(&open)?;
        Ok(Arc::clone(self.vault.get_or_init(|| Arc::new(vault))))
    }

    /// Opens a vault whose entrance may be damaged, and mends that; says what was mended.
    pub fn rescued(&self) -> Result<(Arc<Vault>, Vec<String>)> {
        let (place, options) = (self.store()?, self.options());
        let ((vault, mut mended), secret) = self.open(&|secret| rescue(&place, secret, &options))?;
        mended.extend(Holder::open(place, &secret)?.repair()?);
        Ok((Arc::new(vault), mended))
    }

    /// Says what reads passed over because it is lost; the end is then another.
    pub fn passed_over(&self, end: End) -> End {
        let passed = self
            .vault
            .get()
            .map(|vault| vault.passed_over())
            .unwrap_or_default();
        for what in &passed {
            note(format_args!("lost, and passed over: {what}"));
        }
        match end {
            End::Done if !passed.is_empty() => End::Partly,
            end => end,
        }
    }

    /// Opens what changes who may open the vault; with the key that did.
    pub fn holder(&self) -> Result<(Holder, Secret)> {
        let place = self.store()?;
        self.open(&|secret| Holder::open(place.clone(), secret))
    }

    /// Opens something with the key that is given, with none, or with a passphrase that is asked for.
    fn open<T>(&self, open: &dyn Fn(&Secret) -> Result<T>) -> Result<(T, Secret)> {
        let secret = match self.given_secret()? {
            Some(secret) => secret,
            None => match open(&Secret::None) {
                Err(e) if e.kind() == Kind::Auth => ask("Passphrase: ")?,
                opened => return opened.map(|opened| (opened, Secret::None)),
            },
        };
        open(&secret).map(|opened| (opened, secret))
    }

    /// The key for a new vault; asked twice at a terminal.
    pub fn new_secret(&self) -> Result<Secret> {
        if let Some(secret) = self.given_secret()? {
            return Ok(secret);
        }
        ask_twice()
    }

    /// Another key for a vault, if one is given.
    pub fn other_key(flags: &NewKey) -> Result<Option<Secret>> {
        given(
            flags.new_key_file.as_deref(),
            flags.new_passphrase_command.as_deref(),
            "HALITE_NEW_PASSPHRASE",
        )
    }

    fn given_secret(&self) -> Result<Option<Secret>> {
        given(
            self.global.key_file.as_deref(),
            self.global.passphrase_command.as_deref(),
            "HALITE_PASSPHRASE",
        )
    }

    /// Keeps other processes of this machine from backing up the same org (or part of it) into the same vault, until it is
    /// dropped; none
    /// where there is no place for such a thing.
    ///
    /// # Errors
    /// `Busy` while another one does.
    pub fn alone(&self, org: OrgId, worker: Option<Worker>) -> Result<Option<File>> {
        let Some(dir) = cache_dir() else { return Ok(None) };
        let vault = self.place()?.identity()?;
        let mut hasher = DefaultHasher::new();
        (vault, org.to_string()).hash(&mut hasher);
        worker
            .iter()
            .for_each(|worker| worker.to_string().hash(&mut hasher));
        let path = dir.join("locks").join(format!("{:016x}", hasher.finish()));
        let failed = |e| Error::io(path.display(), e);
        std::fs::create_dir_all(dir.join("locks")).map_err(failed)?;
        let file = File::create(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(Error::new(
                Kind::Busy,
                format!("a backup of org {org} is running on this machine"),
            )
            .hint("wait until it ends")),
            Err(TryLockError::Error(e)) => Err(failed(e)),
        }
    }

    /// The org that is named, or the only one.
    pub fn org(&self, vault: &Vault) -> Result<OrgId> {
        let orgs = vault.orgs();
        if let Some(named) = &self.global.org {
            let org: OrgId = named.parse()?;
            return if orgs.contains(&org) {
                Ok(org)
            } else {
                Err(
                    Error::new(Kind::NotFound, format!("org {org} has no snapshot in this vault"))
                        .hint("`halite snapshots` lists what is there"),
                )
            };
        }
        match orgs.as_slice() {
            [org] => Ok(*org),
            [] => Err(Error::new(Kind::NotFound, "the vault holds no snapshot yet")
                .hint("`halite backup NAME` or `halite import` makes one")),
            more => {
                Err(Error::invalid(format!("the vault holds {} orgs", more.len()))
                    .hint("name one with --org ID"))
            }
        }
    }

    /// The org that is named, or all of them.
    pub fn orgs(&self, vault: &Vault) -> Result<Vec<OrgId>> {
        match self.global.org {
            Some(_) => self.org(vault).map(|org| vec![org]),
            None => Ok(vault.orgs()),
        }
    }

    /// The snapshot that a time, number or name means; the newest if nothing is said.
    pub fn snapshot(&self, vault: &Vault, org: OrgId, at: Option<&str>) -> Result<SnapshotInfo> {
        vault.find_snapshot(org, at.unwrap_or("latest"))
    }

    /// Signs in to the org of a connection, to write to it: no ceiling ends what a restore has begun.
    pub fn sign_in(&self, vault: &Arc<Vault>, name: &str) -> Result<SalesforceOrg> {
        self.sign_in_with(vault, name, |connect| connect.ceiling(100))
    }

    /// The same, with more said about how; a grant that the org rotates is kept before it is used.
    pub fn sign_in_with(
        &self,
        vault: &Arc<Vault>,
        name: &str,
        how: impl FnOnce(Connect) -> Connect,
    ) -> Result<SalesforceOrg> {
        let kept = connection(vault, name)?;
        let (keeper, name, mut held) = (Arc::clone(vault), name.to_owned(), kept.grant.clone());
        how(Connect::new(kept.environment))
            .grant(kept.grant)
            .cancel(Arc::clone(&self.cancel))
            .on_new_grant(move |grant| {
                change(&keeper, &name, None, &mut |kept| {
                    if kept.grant != held {
                        let message = format!("somebody else connected `{name}` anew meanwhile");
                        return Err(Error::new(Kind::Busy, message).hint("run it again"));
                    }
                    kept.grant = grant.clone();
                    Ok(())
                })?;
                held = grant.clone();
                Ok(())
            })
            .open()
    }
}

/// A secret from the environment; an empty one counts as none.
pub fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.is_empty())
        .map(Zeroizing::new)
}

/// A secret typed at the terminal without echo.
pub fn typed(prompt: &str) -> Result<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        let hint = "set HALITE_PASSPHRASE, or give --passphrase-command or --key-file";
        return Err(Error::new(
            Kind::Auth,
            "a secret is needed and there is no terminal to ask at",
        )
        .hint(hint));
    }
    let text = rpassword::prompt_password(prompt).map_err(|e| Error::io("the terminal", e))?;
    Ok(Zeroizing::new(text))
}

fn ask(prompt: &str) -> Result<Secret> {
    typed(prompt).map(Secret::Passphrase)
}

/// A new passphrase, asked for twice at a terminal.
pub fn ask_twice() -> Result<Secret> {
    let first = typed("New passphrase: ")?;
    if first != typed("The same again: ")? {
        return Err(Error::invalid("the two passphrases differ").hint("nothing was made; try again"));
    }
    Ok(Secret::Passphrase(first))
}

/// A key from a file, a command or a variable.
fn given(file: Option<&Path>, command: Option<&str>, name: &str) -> Result<Option<Secret>> {
    if let Some(path) = file {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
        return Ok(Some(Secret::KeyFile(Zeroizing::new(bytes))));
    }
    if let Some(command) = command {
        return first_line(command).map(|line| Some(Secret::Passphrase(line)));
    }
    Ok(variable(name).map(Secret::Passphrase))
}

/// The first line that a command prints.
fn first_line(command: &str) -> Result<Zeroizing<String>> {
    let failed = |why: String| {
        Error::new(Kind::Auth, format!("the passphrase command {why}")).hint("run it by hand to see why")
    };
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    let child = Command::new(shell)
        .args([flag, command])
        .stdout(Stdio::piped())
        .stdin(Stdio::inherit())
        .spawn();
    let mut child = child.map_err(|e| failed(format!("does not start: {e}")))?;
    let mut text = Zeroizing::new(String::new());
    if let Some(mut pipe) = child.stdout.take() {
        pipe.read_to_string(&mut text)
            .map_err(|e| failed(format!("printed no text: {e}")))?;
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    if !status.success() {
        return Err(failed(format!("ended with {status}")));
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => Err(failed("printed nothing".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrase_commands_give_their_first_line() {
        assert_eq!(first_line("printf 'a b\\nc\\n'").unwrap().as_str(), "a b");
        assert!(
            first_line("exit 3")
                .unwrap_err()
                .to_string()
                .contains("exit status: 3")
        );
        assert!(first_line("true").is_err());
    }
}
