//! The face: an org as the engine's source and target, and how to connect to one.
//!
//! Key decision: [`Connect`] collects what a connection needs and [`SalesforceOrg`] is what came of it; the org's
//! clock, its version and who is signed in are asked, never assumed. It holds no logic of an API of its own:
//! every method hands on to the file of its family.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use halite_engine::base::clock::Clock;
use halite_engine::base::error::{Error, Result};
use halite_engine::base::id::RecordId;
use halite_engine::base::stamp::Stamp;
use halite_engine::ops::org::{
    Automations, DeletedLog, EachAnswer, EachRow, Identity, Outcome, Read, SObjectInfo, Sink, Source, Spent,
    Target, Upload,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth::{self, Environment, Grant, KeepGrant, SignedIn};
use crate::bulk::{Bulk, Known};
use crate::forecast::{Forecast, Planned};
use crate::limits::Usage;
use crate::preflight::{self, Preflight, Purpose};
use crate::rest::{Allowance, Rest};
use crate::retry::{Caller, Patience, Wire};
use crate::transport::{Host, Transport};
use crate::{asks, automation, bodies, bulk, collections, deleted, forecast, many, query, soap, upload};

/// How to connect to an org.
///
/// ```no_run
/// use halite_connector::{Connect, Grant, Secret};
/// use halite_engine::ops::org::Source;
///
/// # fn main() -> halite_engine::Result<()> {
/// let grant = Grant::ClientCredentials { client_id: "3MVG9...".into(), client_secret: Secret::new("...") };
/// let mut org = Connect::new("https://acme.my.salesforce.com".parse()?).grant(grant).open()?;
/// println!("{} has {} accounts", org.identity()?.name, org.count("Account")?);
/// # Ok(())
/// # }
/// ```
pub struct Connect {
    environment: Environment,
    grant: Option<Grant>,
    keep: Option<KeepGrant>,
    cancel: Arc<AtomicBool>,
    patience: Patience,
    clock: Clock,
    ceiling: u8,
    bulk: Bulk,
    bulk_from: u64,
}

impl Connect {
    /// A connection to an org of this environment.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            grant: None,
            keep: None,
            cancel: Arc::default(),
            patience: Patience::default(),
            clock: Clock::system(),
            ceiling: 50,
            bulk: Bulk::default(),
            bulk_from: bulk::FROM,
        }
    }

    /// What to sign in with.
    #[must_use]
    pub fn grant(mut self, grant: Grant) -> Self {
        self.grant = Some(grant);
        self
    }

    /// Called with the new grant whenever the org rotates the refresh token. It must not return before the grant
    /// is kept durably: the old one may be dead already, and the new one is used only afterwards.
    #[must_use]
    pub fn on_new_grant(mut self, keep: impl FnMut(&Grant) -> Result<()> + Send + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Set this to stop: looked at between requests, while waiting, and during reads; then errors are
    /// `Interrupted`. A write under way is awaited.
    #[must_use]
    pub fn cancel(mut self, cancel: Arc<AtomicBool>) -> Self {
        self.cancel = cancel;
        self
    }

    /// How long each call is tried.
    #[must_use]
    pub fn patience(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Where jitter and elapsed times come from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Whether Bulk jobs are used.
    #[must_use]
    pub fn bulk(mut self, bulk: Bulk) -> Self {
        self.bulk = bulk;
        self
    }

    /// More rows than this, 20,000 if nothing is said, are read by a Bulk job.
    #[must_use]
    pub fn bulk_from(mut self, rows: u64) -> Self {
        self.bulk_from = rows;
        self
    }

    /// The share of the org's daily allowance of calls, in percent, beyond which nothing more is read: 50, if nothing is
    /// said, and 100 is none. The rest is left to others. Then readings are `Quota` errors. It is held against what the
    /// org says is used by everybody, and against our own count. Writes are not bound by it; who writes should not let
    /// the reads in between be bound either.
    #[must_use]
    pub fn ceiling(mut self, percent: u8) -> Self {
        self.ceiling = percent;
        self
    }

    /// Signs in and picks the API version.
    ///
    /// # Errors
    /// `Auth` where the grant is refused, `Unsupported` where no version fits, `Io` where there is no answer.
    pub fn open(self) -> Result<SalesforceOrg> {
        let (grant, mut wire) = (self.granted()?, self.wire()?);
        let session = SignedIn::open(&self.environment, grant, self.keep, &mut wire)?;
        let mut caller = Caller { wire, session };
        caller.wire.limits_mut().set_ceiling(self.ceiling);
        let rest = Rest::open(&mut caller)?;
        tracing::info!(version = %rest.version, "connected");
        Ok(SalesforceOrg {
            caller,
            rest,
            identity: None,
            now: None,
            known: Known::new(self.bulk, self.bulk_from),
            unlogged: BTreeSet::new(),
        })
    }

    /// Takes the grant's token back, so that it is good for nothing any more; false where a grant has none that could be
    /// taken back.
    ///
    /// # Errors
    /// `Io` where there is no answer; the token lives on then.
    pub fn revoke(self) -> Result<bool> {
        auth::revoke(&self.environment, &self.granted()?, &mut self.wire()?)
    }

    fn granted(&self) -> Result<Grant> {
        self.grant.clone().ok_or_else(|| {
            Error::invalid("a connection without a grant")
                .hint("give client credentials, a refresh token or a token")
        })
    }

    fn wire(&self) -> Result<Wire> {
        let local = match &self.grant {
            Some(Grant::Token { instance_url, .. }) => Host::parse(instance_url)?.is_local(),
            _ => self.environment.login_host()?.is_local(),
        };
        let transport = Transport::new(Arc::clone(&self.cancel), local)?;
        Ok(Wire::new(transport, self.patience, self.clock.clone()))
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Connect")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// A Salesforce org that one is signed in to; made by [`Connect::open`].
pub struct SalesforceOrg {
    caller: Caller<SignedIn>,
    rest: Rest,
    identity: Option<Identity>,
    /// What was learned of its Bulk API.
    known: Known,
    /// The org's clock when it was last asked.
    now: Option<Stamp>,
    /// sObjects that the org keeps no log of deletions of.
    unlogged: BTreeSet<String>,
}

impl fmt::Debug for SalesforceOrg {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SalesforceOrg")
            .field("version", &self.rest.version)
            .finish_non_exhaustive()
    }
}

impl SalesforceOrg {
    /// The org's last word on its allowance of API calls; an estimate, and none before the first reply.
    pub fn usage(&self) -> Option<Usage> {
        self.caller.wire.limits().usage()
    }

    /// Every allowance of the org, by name.
    ///
    /// # Errors
    /// As any request.
    pub fn allowances(&mut self) -> Result<Vec<Allowance>> {
        self.rest.limits(&mut self.caller)
    }

    /// What a backup of these sObjects would spend, by the org's own estimate of their rows: what to tell before it
    /// begins. It costs a call for each 200 sObjects that are read whole.
    ///
    /// ```no_run
    /// # fn told(org: &mut halite_connector::SalesforceOrg) -> halite_engine::Result<()> {
    /// use halite_connector::Planned;
    /// let planned = Planned { sobject: "Account", whole: true, bodies: true };
    /// println!("about {} calls", org.forecast(&[planned])?.calls);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As any request; an org that does not estimate its rows is taken for an empty one.
    pub fn forecast(&mut self, planned: &[Planned<'_>]) -> Result<Forecast> {
        Ok(forecast::forecast(
            &mut self.caller,
            &self.rest,
            &self.known,
            planned,
        )?)
    }

    /// What the user lacks for `purpose`; for a restore of these sObjects alone, if any are named. It costs a call for each
    /// 25 sObjects, and some more.
    ///
    /// # Errors
    /// As any request. What single questions are refused is told in what is found.
    pub fn preflight(&mut self, purpose: Purpose, wanted: Option<&[String]>) -> Result<Preflight> {
        preflight::preflight(&mut self.caller, &self.rest, purpose, wanted)
    }

    /// The first row of a query that the user may lack the right for; none where the org refuses it.
    fn row<T: DeserializeOwned>(&mut self, text: &str) -> Result<Option<T>> {
        match query::small(&mut self.caller, &self.rest, text) {
            Ok(rows) => Ok(rows.first().and_then(|row| serde_json::from_slice(row).ok())),
            Err(fault) if fault.is_answer() => {
                tracing::debug!(%fault, "the org does not say");
                Ok(None)
            }
            Err(fault) => Err(fault.into()),
        }
    }

    fn ask_identity(&mut self) -> Result<Identity> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Organization {
            name: Option<String>,
            #[serde(default)]
            is_sandbox: bool,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct User {
            name: String,
        }
        let known = self.caller.session.identity().map(str::to_owned);
        let who = self.rest.who(&mut self.caller, known.as_deref())?;
        let organization: Option<Organization> = self.row("SELECT Id, Name, IsSandbox FROM Organization")?;
        let user_name = match who.name {
            Some(name) => name,
            None => self
                .row::<User>(&format!("SELECT Id, Name FROM User WHERE Id = '{}'", who.user))?
                .map_or_else(|| who.user.to_string(), |user| user.name),
        };
        let sandbox = organization.as_ref().is_some_and(|o| o.is_sandbox);
        Ok(Identity {
            org: who.org,
            name: organization
                .and_then(|o| o.name)
                .unwrap_or_else(|| who.org.to_string()),
            sandbox,
            user: who.user,
            user_name,
            api_version: self.rest.version.clone(),
        })
    }
}

impl Source for SalesforceOrg {
    fn identity(&mut self) -> Result<Identity> {
        if self.identity.is_none() {
            self.identity = Some(
                self.ask_identity()
                    .map_err(|e| e.within("asking who is signed in"))?,
            );
        }
        self.identity.clone().ok_or_else(|| Error::invalid("no identity"))
    }

    /// By SOAP, to the millisecond; by a reply's date, to the second and rounded down, where SOAP is refused.
    fn now(&mut self) -> Result<Stamp> {
        self.known.tidy(&mut self.caller, &self.rest);
        let now = match soap::server_time(&mut self.caller, &self.rest) {
            Ok(stamp) => stamp,
            Err(fault) if fault.is_answer() => self.rest.date(&mut self.caller)?,
            Err(fault) => return Err(fault.into()),
        };
        self.now = Some(now);
        Ok(now)
    }

    fn sobjects(&mut self) -> Result<Vec<SObjectInfo>> {
        let listed = self.rest.sobjects(&mut self.caller)?;
        self.unlogged = listed
            .iter()
            .filter(|l| !l.replicateable)
            .map(|l| l.info.name.clone())
            .collect();
        Ok(listed.into_iter().map(|listed| listed.info).collect())
    }

    fn describe(&mut self, sobject: &str) -> Result<Vec<u8>> {
        self.rest.describe(&mut self.caller, sobject)
    }

    fn read(&mut self, read: Read<'_>, each: &mut EachRow<'_>) -> Result<()> {
        let span = tracing::info_span!("read", sobject = %read.describe.name, fields = read.fields.len());
        let _entered = span.enter();
        Ok(query::read(&mut self.caller, &self.rest, read, each)?)
    }

    fn count(&mut self, sobject: &str) -> Result<u64> {
        query::count(&mut self.caller, &self.rest, sobject)
    }

    fn ids(&mut self, sobject: &str, each: &mut dyn FnMut(RecordId) -> Result<()>) -> Result<()> {
        query::ids(&mut self.caller, &self.rest, sobject, each)
    }

    fn calls(&self) -> u64 {
        self.spent().calls
    }

    fn spent(&self) -> Spent {
        self.caller.wire.limits().spent()
    }

    fn describes(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, Vec<u8>>) -> Result<()> {
        asks::describes(&mut self.caller, &self.rest, sobjects, each)
    }

    fn counts(&mut self, sobjects: &[&str], each: &mut EachAnswer<'_, u64>) -> Result<()> {
        asks::counts(&mut self.caller, &self.rest, sobjects, each)
    }

    fn read_all(&mut self, reads: &[Read<'_>], sink: &mut dyn Sink) -> Result<()> {
        Ok(many::read_all(
            &mut self.caller,
            &self.rest,
            &mut self.known,
            reads,
            sink,
        )?)
    }

    /// Up to the org's clock as [`Source::now`] gave it last.
    fn deleted(
        &mut self,
        asked: &[(&str, Stamp)],
        each: &mut EachAnswer<'_, Option<DeletedLog>>,
    ) -> Result<()> {
        let now = match self.now {
            Some(now) => now,
            None => self.now()?,
        };
        let (places, kept): (Vec<usize>, Vec<(&str, Stamp)>) = asked
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| !self.unlogged.contains(*name))
            .map(|(at, asked)| (at, *asked))
            .unzip();
        for at in (0..asked.len()).filter(|at| places.binary_search(at).is_err()) {
            each(at, Ok(None))?;
        }
        let each = &mut |n: usize, log| each(places[n], log);
        deleted::deleted(&mut self.caller, &self.rest, now, &kept, each)
    }

    fn sees_all(&mut self, sobject: &str) -> Result<bool> {
        asks::sees_all(&mut self.caller, &self.rest, sobject)
    }

    fn body(
        &mut self,
        sobject: &str,
        id: RecordId,
        field: &str,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        bodies::body(&mut self.caller, &self.rest, (sobject, id, field), from, each)
    }

    fn rights(&mut self) -> Result<Vec<u8>> {
        let user = self.identity()?.user;
        asks::rights(&mut self.caller, &self.rest, user)
    }
}

impl Target for SalesforceOrg {
    fn undelete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        soap::undelete(&mut self.caller, &self.rest, ids)
    }

    fn create(&mut self, sobject: &str, rows: &[String]) -> Result<Vec<Outcome>> {
        collections::create(&mut self.caller, &self.rest, sobject, rows)
    }

    fn update(&mut self, sobject: &str, rows: &[(RecordId, String)]) -> Result<Vec<Outcome>> {
        collections::update(&mut self.caller, &self.rest, sobject, rows)
    }

    fn upload(&mut self, sobject: &str, row: &str, file: &mut Upload<'_>) -> Result<Outcome> {
        upload::upload(&mut self.caller, &self.rest, sobject, row, file)
    }

    fn delete(&mut self, ids: &[RecordId]) -> Result<Vec<Outcome>> {
        collections::delete(&mut self.caller, &self.rest, ids)
    }

    fn automation(&mut self, sobjects: &[&str]) -> Result<Automations> {
        automation::automation(&mut self.caller, &self.rest, sobjects)
    }
}
