//! A connection: an org that one has signed in to, by a name, and how it is to be backed up.
//!
//! Key decision: one sealed object in the vault holds all of it (`docs/connections.md` has its bytes). Whoever changes a
//! part of it changes what is kept at that moment and no copy of his own, so that settings and a rotated token never
//! overwrite each other. It does not sign in and runs nothing.

use halite_connector::{Environment, Grant};
use halite_engine::base::id::OrgId;
use halite_engine::base::stamp::Stamp;
use halite_engine::format::mark::ActivityEntry;
use halite_engine::ops::retain::Policy;
use halite_engine::ops::schedule::Schedule;
use halite_engine::vault::Vault;
use halite_engine::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// An org that one has signed in to before; kept sealed in the vault under its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    pub environment: Environment,
    pub org: OrgId,
    pub org_name: String,
    pub settings: Settings,
    pub grant: Grant,
}

/// How the org is backed up, and as whom. Not secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The org's user, by Id and name; empty where version 1 kept it.
    pub user: String,
    pub user_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// Percent of the day's allowance of calls beyond which nothing more is read.
    pub ceiling: u8,
    #[serde(skip_serializing_if = "is_false")]
    pub rest_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Timetable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// When it is backed up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timetable {
    pub cron: String,
    pub zone: String,
    /// When the first of these backups is due, in milliseconds since 1970 UTC.
    pub first: i64,
}

/// Which snapshots stay after a backup; see `halite retain`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    pub last: u32,
    pub hourly: u32,
    pub daily: u32,
    pub weekly: u32,
    pub monthly: u32,
    pub yearly: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<i64>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            user: String::new(),
            user_name: String::new(),
            only: None,
            except: Vec::new(),
            ceiling: 50,
            rest_only: false,
            schedule: None,
            keep: None,
        }
    }
}

impl Settings {
    /// The org's user for people.
    pub fn who(&self) -> String {
        match (self.user_name.as_str(), self.user.as_str()) {
            ("", id) => id.to_owned(),
            (name, "") => name.to_owned(),
            (name, id) => format!("{name} ({id})"),
        }
    }
}

impl Timetable {
    /// The times.
    pub fn schedule(&self) -> Result<Schedule> {
        Schedule::parse(&self.cron, &self.zone)
    }

    /// When the first is due.
    pub fn first(&self) -> Stamp {
        Stamp::from_millis(self.first)
    }
}

impl Keep {
    /// As retention takes it.
    pub fn policy(self) -> Policy {
        let Self {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            within,
        } = self;
        Policy {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            within,
        }
    }
}

/// The connection of that name.
pub fn connection(vault: &Vault, name: &str) -> Result<Connection> {
    let bytes = vault.grant(name)?.ok_or_else(|| missing(name))?;
    Connection::from_bytes(&bytes).map_err(|e| e.within(format_args!("connection `{name}`")))
}

/// Changes what is kept of a connection at the moment it is written, and tells the log of it.
pub fn change(
    vault: &Vault,
    name: &str,
    line: Option<&ActivityEntry>,
    how: &mut dyn FnMut(&mut Connection) -> Result<()>,
) -> Result<()> {
    vault.change_grant(name, line, &mut |bytes| {
        let mut kept = Connection::from_bytes(bytes.ok_or_else(|| missing(name))?)?;
        how(&mut kept)?;
        Ok(Some(kept.to_bytes()?))
    })
}

fn missing(name: &str) -> Error {
    Error::new(Kind::NotFound, format!("there is no connection `{name}`"))
        .hint("`halite connections` lists them, `halite connect` makes one")
}

/// Lines of text before the grant: version, environment, org, its name, settings. Version 1 has no settings.
const VERSION: &str = "2";

impl Connection {
    /// The bytes that are sealed.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        let name = self.org_name.replace('\n', " ");
        let settings = serde_json::to_string(&self.settings)
            .map_err(|e| Error::invalid(format!("these settings cannot be kept: {e}")))?;
        let head = format!(
            "{VERSION}\n{}\n{}\n{name}\n{settings}\n",
            self.environment, self.org
        );
        let grant = self.grant.to_bytes();
        let mut bytes = Zeroizing::new(Vec::with_capacity(head.len() + grant.len()));
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&grant);
        Ok(bytes)
    }

    /// Reads both versions.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged =
            || Error::corrupt("a kept connection", "its bytes do not read as one").hint("connect again");
        let mut rest = bytes;
        let mut text = || {
            let end = rest.iter().position(|b| *b == b'\n').ok_or_else(damaged)?;
            let (line, tail) = rest.split_at(end);
            rest = &tail[1..];
            std::str::from_utf8(line).map_err(|_| damaged())
        };
        let version = text()?;
        if !["1", VERSION].contains(&version) {
            let message = format!("a kept connection has version {version}");
            return Err(Error::new(Kind::Unsupported, message)
                .hint("use the newer halite that wrote it, or connect again"));
        }
        let (environment, org, org_name) = (text()?.parse()?, text()?.parse()?, text()?.to_owned());
        let settings = if version == "1" {
            Settings::default()
        } else {
            serde_json::from_str(text()?).map_err(|_| damaged())?
        };
        let grant = Grant::from_bytes(rest)?;
        Ok(Self {
            environment,
            org,
            org_name,
            settings,
            grant,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use halite_connector::Secret as Hidden;

    fn kept() -> Connection {
        Connection {
            environment: "sandbox".parse().unwrap(),
            org: "00D000000000001".parse().unwrap(),
            org_name: "Acme\nLtd".into(),
            settings: Settings {
                user: "005000000000001AAA".into(),
                user_name: "Halite \"Integration\"\n".into(),
                except: vec!["Task".into()],
                schedule: Some(Timetable {
                    cron: "0 2 * * *".into(),
                    zone: "UTC".into(),
                    first: 1_767_225_600_000,
                }),
                keep: Some(Keep {
                    daily: 7,
                    ..Keep::default()
                }),
                ..Settings::default()
            },
            grant: Grant::ClientCredentials {
                client_id: "a\nb".into(),
                client_secret: Hidden::new("c\n\n"),
            },
        }
    }

    #[test]
    fn connections_survive_their_bytes() {
        let kept = kept();
        let back = Connection::from_bytes(&kept.to_bytes().unwrap()).unwrap();
        assert_eq!(back.org_name, "Acme Ltd");
        let same = Connection {
            org_name: kept.org_name.clone(),
            ..back
        };
        assert_eq!(same, kept);
        for broken in [
            &b"3\n"[..],
            b"",
            b"2\nsandbox\n00D000000000001\nx\n{}\n",
            b"2\nsandbox\n00D000000000001\nx\n{",
        ] {
            assert!(Connection::from_bytes(broken).is_err());
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_page() {
        let bytes = kept().to_bytes().unwrap();
        let text = "2\nsandbox\n00D000000000001EAA\nAcme Ltd\n{\"user\":\"005000000000001AAA\",\
                    \"user_name\":\"Halite \\\"Integration\\\"\\n\",\"except\":[\"Task\"],\"ceiling\":50,\
                    \"schedule\":{\"cron\":\"0 2 * * *\",\"zone\":\"UTC\",\"first\":1767225600000},\
                    \"keep\":{\"last\":0,\"hourly\":0,\"daily\":7,\"weekly\":0,\"monthly\":0,\"yearly\":0}}\n\
                    \x01\x00\x03\x00\x00\x00a\nb\x03\x00\x00\x00c\n\n";
        assert_eq!(String::from_utf8_lossy(&bytes), text);
    }

    #[test]
    fn what_version_1_kept_is_read() {
        let old = b"1\nproduction\n00D000000000001EAA\nAcme\n\x01\x02\x0f\x00\x00\x00https://a.b.com\x01\x00\x00\x00t";
        let read = Connection::from_bytes(old).unwrap();
        assert_eq!(
            (read.org_name.as_str(), &read.settings),
            ("Acme", &Settings::default())
        );
        assert!(matches!(read.grant, Grant::Token { instance_url, .. } if instance_url == "https://a.b.com"));
    }
}
