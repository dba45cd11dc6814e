//! The small REST resources: versions, limits, the list of sObjects, describes, and who is signed in.
//!
//! Key decision: one API version is pinned for each connection, the highest offered that this build was written
//! for, since a newer one adds fields and so looks like a change of schema. It reads no rows: that is `query`.

use std::collections::BTreeSet;

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::SObjectInfo;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::error::Fault;
use crate::kinds::unreadable;
use crate::retry::{Caller, Session, header};
use crate::transport::{Call, Reply};

/// The versions this build was written for; a later one may word its answers differently.
const VERSIONS: std::ops::RangeInclusive<u32> = 45..=67;

/// Names in one question for record counts: of 40 characters each they fit a URI.
pub const NAMES_MAX: usize = 200;

/// One allowance of the org (REST API guide, "Limits").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// For instance `DailyApiRequests`, `DataStorageMB`.
    pub name: String,
    /// In the unit that the name says.
    pub max: u64,
    /// What is left of it.
    pub remaining: u64,
}

/// What the list of all sObjects says of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What the engine wants to know.
    pub info: SObjectInfo,
    /// Whether the org keeps a log of its deletions.
    pub replicateable: bool,
}

/// Who is signed in, as far as the org tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The org.
    pub org: RecordId,
    /// The running user.
    pub user: RecordId,
    /// The user's name, where told.
    pub name: Option<String>,
}

/// The REST resources of one API version.
#[derive(Debug, Clone)]
pub struct Rest {
    /// For instance `67.0`.
    pub version: String,
}

impl Rest {
    /// Picks the API version (REST API guide, "Versions").
    ///
    /// # Errors
    /// `Unsupported` where the org offers none that this build speaks.
    pub fn open<S: Session>(caller: &mut Caller<S>) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let offered: Vec<Version> = caller.read(&Call::get("/services/data"), &json)?;
        let major = |v: &Version| v.version.strip_suffix(".0")?.parse::<u32>().ok();
        let best = offered
            .iter()
            .filter_map(major)
            .filter(|v| VERSIONS.contains(v))
            .max();
        let best = best.ok_or_else(|| {
            let newest = offered.last().map_or("none", |v| &v.version);
            Error::new(
                Kind::Unsupported,
                format!("the org offers no API version from 45.0 to 67.0, newest {newest}"),
            )
            .hint("upgrade this program")
        })?;
        Ok(Self {
            version: format!("{best}.0"),
        })
    }

    /// A path below this version's resources.
    pub fn path(&self, rest: &str) -> String {
        format!("/services/data/v{}{rest}", self.version)
    }

    /// The org's allowances.
    pub fn limits<S: Session>(&self, caller: &mut Caller<S>) -> Result<Vec<Allowance>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Value {
            max: u64,
            remaining: u64,
        }
        let parse = |reply: Reply| {
            // Values hold objects of single apps beside these two keys.
            let all: std::collections::BTreeMap<String, Value> = json(reply)?;
            let named = |(name, v): (String, Value)| Allowance {
                name,
                max: v.max,
                remaining: v.remaining,
            };
            Ok(all.into_iter().map(named).collect())
        };
        Ok(caller.read(&Call::get(self.path("/limits")), &parse)?)
    }

    /// About how many live rows each of these sObjects has, by the org's own estimate (REST API guide, "Record
    /// Count"). It tells nothing of those without rows; where it is refused, it tells nothing at all.
    pub fn record_counts<S: Session>(
        &self,
        caller: &mut Caller<S>,
        sobjects: &[&str],
        each: &mut dyn FnMut(&str, u64),
    ) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct Counted {
            name: String,
            count: u64,
        }
        #[derive(Deserialize)]
        struct Counts {
            #[serde(rename = "sObjects")]
            sobjects: Vec<Counted>,
        }
        for some in sobjects.chunks(NAMES_MAX) {
            let path = self.path(&format!("/limits/recordCount?sObjects={}", some.join(",")));
            match caller.read(&Call::get(path), &json::<Counts>) {
                Ok(counts) => counts.sobjects.iter().for_each(|c| each(&c.name, c.count)),
                Err(fault) if fault.is_of_run() => return Err(fault),
                Err(fault) => tracing::info!(%fault, "the org does not estimate its rows"),
            }
        }
        Ok(())
    }

    /// Every sObject that the user can see (REST API guide, "Describe Global").
    pub fn sobjects<S: Session>(&self, caller: &mut Caller<S>) -> Result<Vec<Listed>> {
        #[derive(Deserialize)]
        struct Entry {
            name: String,
            #[serde(default)]
            queryable: bool,
            #[serde(default)]
            replicateable: Option<bool>,
        }
        #[derive(Deserialize)]
        struct Global {
            sobjects: Vec<Entry>,
        }
        let global: Global = caller.read(&Call::get(self.path("/sobjects")), &json)?;
        let names: BTreeSet<String> = global.sobjects.iter().map(|entry| entry.name.clone()).collect();
        let info = |entry: Entry| Listed {
            info: SObjectInfo {
                unreadable: unreadable(&entry.name, entry.queryable, &|name| names.contains(name)),
                name: entry.name,
            },
            replicateable: entry.replicateable.unwrap_or(true),
        };
        Ok(global.sobjects.into_iter().map(info).collect())
    }

    /// The describe of one sObject, verbatim.
    ///
    /// # Errors
    /// `NotFound` where the org has no such sObject or hides it from the user.
    pub fn describe<S: Session>(&self, caller: &mut Caller<S>, sobject: &str) -> Result<Vec<u8>> {
        api_name(sobject)?;
        let parse = |reply: Reply| {
            let whole = serde_json::from_slice::<IgnoredAny>(&reply.body);
            whole
                .map(|_| reply.body)
                .map_err(|e| format!("a describe that does not parse: {e}"))
        };
        let described = caller.read(
            &Call::get(self.path(&format!("/sobjects/{sobject}/describe"))),
            &parse,
        );
        described.map_err(|fault| {
            let gone = fault.has("NOT_FOUND");
            let error = Error::from(fault);
            if gone {
                error.hint("the org has no such sObject, or hides it from this user")
            } else {
                error
            }
        })
    }

    /// The org's clock by the `Date` header, in whole seconds.
    pub fn date<S: Session>(&self, caller: &mut Caller<S>) -> Result<Stamp, Fault> {
        let parse = |reply: Reply| {
            let date = header(&reply.headers, "date").unwrap_or_default();
            http_date(date).ok_or_else(|| format!("a reply without a usable Date header: `{date}`"))
        };
        caller.read(&Call::get("/services/data"), &parse)
    }

    /// Who is signed in: by userinfo, else by the identity URL of the token or of the root resource.
    pub fn who<S: Session>(&self, caller: &mut Caller<S>, identity: Option<&str>) -> Result<Who> {
        match caller.read(&Call::get("/services/oauth2/userinfo"), &user_info) {
            Ok(who) => return Ok(who),
            Err(fault) if fault.is_answer() => tracing::debug!(%fault, "no userinfo"),
            Err(fault) => return Err(fault.into()),
        }
        if let Some(who) = identity.and_then(from_identity_url) {
            return Ok(who);
        }
        #[derive(Deserialize)]
        struct Root {
            identity: Option<String>,
        }
        let root: Root = caller.read(&Call::get(self.path("/")), &json)?;
        root.identity
            .as_deref()
            .and_then(from_identity_url)
            .ok_or_else(|| {
                Error::new(Kind::Denied, "the org does not tell its Id to this user")
                    .hint("add the scope `id` or `openid` to the app")
            })
    }
}

/// Parses a JSON body.
pub fn json<T: DeserializeOwned>(reply: Reply) -> Result<T, String> {
    let Reply { body, .. } = reply;
    serde_json::from_slice(&body).map_err(|e| format!("JSON that does not parse: {e}"))
}

/// Checks that a name can stand in a path and in SOQL.
///
/// # Errors
/// `Invalid` for anything but letters, digits and `_`.
pub fn api_name(name: &str) -> Result<&str> {
    let fine = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if fine {
        Ok(name)
    } else {
        Err(Error::invalid(format!("`{name}` is not an API name")))
    }
}

fn user_info(reply: Reply) -> Result<Who, String> {
    #[derive(Deserialize)]
    struct UserInfo {
        organization_id: String,
        user_id: String,
        #[serde(default)]
        name: Option<String>,
    }
    let info: UserInfo = json(reply)?;
    let id =
        |text: &str| RecordId::parse(text.as_bytes()).ok_or_else(|| format!("userinfo with the Id `{text}`"));
    Ok(Who {
        org: id(&info.organization_id)?,
        user: id(&info.user_id)?,
        name: info.name,
    })
}

fn from_identity_url(url: &str) -> Option<Who> {
    let mut parts = url.split(['?', '#']).next()?.trim_end_matches('/').rsplit('/');
    let (user, org) = (parts.next()?, parts.next()?);
    Some(Who {
        org: RecordId::parse(org.as_bytes())?,
        user: RecordId::parse(user.as_bytes())?,
        name: None,
    })
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7; the obsolete forms are not sent by the org).
fn http_date(text: &str) -> Option<Stamp> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? / 3 + 1;
    (words.next() == Some("GMT")).then_some(())?;
    Stamp::parse(format!("{year}-{month:02}-{day:0>2}T{time}Z").as_bytes())
}
