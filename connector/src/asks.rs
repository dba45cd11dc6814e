//! Questions about many sObjects at once: describes, counts, and what the running user may see.
//!
//! Key decision: an error of one sub-request is that sObject's and is given in its place; what is about the whole run
//! ends it. Rights are asked each time, since they change while a capture runs. It does not read rows.

use halite_engine::base::error::{Error, Kind, Result};
use halite_engine::base::id::RecordId;
use halite_engine::ops::org::EachAnswer;
use serde::Deserialize;

use crate::composite::{MOST, QUERIES, bodies};
use crate::error::Fault;
use crate::kinds::Need;
use crate::parents::{self, wants_filter};
use crate::query;
use crate::rest::{Rest, api_name};
use crate::retry::{Caller, Session};

/// sObjects of which View All Data alone does not show every row (Object Reference, "ContentDocument").
const FILES: [&str; 3] = ["ContentDocument", "ContentDocumentLink", "ContentVersion"];

/// An answer about one sObject; what is about the run is an error here.
pub fn of_one<T>(answer: Result<T, Fault>) -> Result<Result<T>, Fault> {
    match answer {
        Err(fault) if fault.is_of_run() => Err(fault),
        answer => Ok(answer.map_err(Error::from)),
    }
}

/// Describes, verbatim; 25 in a call (REST API guide, "sObject Describe").
pub fn describes<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobjects: &[&str],
    each: &mut EachAnswer<'_, Vec<u8>>,
) -> Result<()> {
    let path = |name: &&str| Ok(rest.path(&format!("/sobjects/{}/describe", api_name(name)?)));
    let paths = sobjects.iter().map(path).collect::<Result<Vec<_>>>()?;
    Ok(bodies(caller, rest, &paths, MOST, &mut |_, at, body| {
        let gone = body.as_ref().is_err_and(|fault| fault.has("NOT_FOUND"));
        let answer = of_one(body)?.map_err(|e| {
            let error = e.within(format!("describing {}", sobjects[at]));
            if gone {
                error.hint("the org has no such sObject, or hides it from this user")
            } else {
                error
            }
        });
        Ok(each(at, answer)?)
    })?)
}

/// Counts of live rows; five in a call, by their parents where the org wants that.
pub fn counts<S: Session>(
    caller: &mut Caller<S>,
    rest: &Rest,
    sobjects: &[&str],
    each: &mut EachAnswer<'_, u64>,
) -> Result<()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Counted {
        total_size: u64,
    }
    let path = |name: &&str| query::count_path(rest, name);
    let paths = sobjects.iter().map(path).collect::<Result<Vec<_>>>()?;
    Ok(bodies(caller, rest, &paths, QUERIES, &mut |caller, at, body| {
        let need = Need::of(sobjects[at]);
        let count = match (body, need) {
            (Err(fault), Some(need)) if wants_filter(&fault) => parents::count(caller, rest, need),
            (body, _) => body.and_then(|body| {
                let counted: Counted = serde_json::from_slice(&body)
                    .map_err(|e| Fault::unreadable(format!("a count that does not parse: {e}")))?;
                Ok(counted.total_size)
            }),
        };
        let about = |e: Error| e.within(format!("counting {}", sobjects[at]));
        Ok(each(at, of_one(count)?.map_err(about))?)
    })?)
}

/// Whether the running user sees every row of an sObject, now (Object Reference, "UserPermissionAccess"). Where the
/// org does not say, it is no.
pub fn sees_all<S: Session>(caller: &mut Caller<S>, rest: &Rest, sobject: &str) -> Result<bool> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Rights {
        permissions_view_all_data: bool,
        #[serde(default)]
        permissions_query_all_files: bool,
    }
    let files = FILES.contains(&sobject);
    let more = if files { ", PermissionsQueryAllFiles" } else { "" };
    let text = format!("SELECT PermissionsViewAllData{more} FROM UserPermissionAccess");
    let rows = match query::small(caller, rest, &text) {
        Ok(rows) => rows,
        Err(fault) if !refused(&fault) => return Err(fault.about("asking what the user may see").into()),
        Err(fault) => {
            tracing::info!(sobject, %fault, "the org does not say what this user sees");
            return Ok(false);
        }
    };
    let rights = rows
        .first()
        .and_then(|row| serde_json::from_slice::<Rights>(row).ok());
    Ok(rights.is_some_and(|r| r.permissions_view_all_data && (!files || r.permissions_query_all_files)))
}

/// The permission sets of a user, profile included, and when each was changed and assigned (Object Reference,
/// "PermissionSetAssignment"); nothing where the user may not look.
pub fn rights<S: Session>(caller: &mut Caller<S>, rest: &Rest, user: RecordId) -> Result<Vec<u8>> {
    let text = format!(
        "SELECT Id, SystemModstamp, PermissionSet.Id, PermissionSet.SystemModstamp FROM PermissionSetAssignment \
         WHERE AssigneeId = '{user}' ORDER BY Id"
    );
    match query::small(caller, rest, &text) {
        Ok(rows) => Ok(rows.join(&b'\n')),
        Err(fault) if !refused(&fault) => Err(fault.about("asking for the user's permission sets").into()),
        Err(fault) => {
            tracing::info!(%fault, "the org does not say what rights this user has");
            Ok(Vec::new())
        }
    }
}

/// Whether the org refused the question: one that fails otherwise says nothing of rights, and is not taken for a lack.
fn refused(fault: &Fault) -> bool {
    fault.is_answer() && !fault.is_of_run() && fault.kind() != Kind::Io
}
