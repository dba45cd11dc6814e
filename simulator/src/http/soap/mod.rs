//! SOAP: the partner and the enterprise interface, on the same org as REST.
//!
//! Key decision: an envelope is checked here (version, session, allowance), then its one operation goes to
//! a function that writes the reply's elements in the order of the WSDL; a refusal of the whole call is a
//! fault with HTTP 500. What REST answers too is asked from REST's own handlers and written down as XML.
//! Source: SOAP API guide, "Core Calls", "API Fault Element"; the partner WSDL for the shapes.
//! Not here: what a write does (`write`).

mod describe;
mod envelope;
mod info;
mod json;
mod reads;
mod records;
mod writes;

use super::auth::soap_login;
use super::discovery;
use super::reply::Reply;
use super::request::Request;
use super::visits::crowded;
use crate::org::State;
use crate::xml::{self, Element};
use envelope::Dialect;

pub(crate) use envelope::Fault;
pub(crate) use info::user as user_info;

const XML: &str = "text/xml;charset=utf-8";

/// A call whose envelope was accepted.
struct Call<'a> {
    dialect: Dialect,
    /// As in the path: `67.0`.
    version: &'a str,
    request: &'a Request,
    header: Option<&'a Element>,
    operation: &'a Element,
}

impl Call<'_> {
    /// Whether a header of the envelope says `true`.
    fn asks(&self, header: &str, flag: &str) -> bool {
        self.header
            .and_then(|h| h.child(header))
            .is_some_and(|h| h.flag(flag))
    }

    /// A text of the operation that must be there.
    fn text(&self, name: &str) -> Result<&str, Fault> {
        let missing = || Fault::client(format!("{} is required", name));
        self.operation.get(name).ok_or_else(missing)
    }

    /// Trimmed texts of a repeated element of the operation.
    fn texts(&self, name: &str) -> Vec<String> {
        let all = self.operation.all(name);
        all.map(|e| e.text.trim().to_owned()).collect()
    }
}

/// `POST /services/Soap/{u|c}/{version}`
pub(crate) fn answer(state: &mut State, request: &Request, interface: &str, version: &str) -> Reply {
    let dialect = Dialect::of(interface);
    match envelope(state, request, dialect, version) {
        Ok(body) => Reply::text(200, XML, dialect.envelope(state, &body)),
        Err(fault) => Reply::text(500, XML, dialect.fault(&fault)),
    }
}

fn envelope(state: &mut State, request: &Request, dialect: Dialect, version: &str) -> Result<String, Fault> {
    if !discovery::supported(state, &format!("v{version}")) {
        let message = format!("Invalid Api version specified on URL: {version}");
        return Err(Fault::new("UNSUPPORTED_API_VERSION", message));
    }
    if request.header("soapaction").is_none() {
        return Err(Fault::client("SOAPAction HTTP header missing"));
    }
    let text = std::str::from_utf8(&request.body).map_err(|e| Fault::client(e.to_string()))?;
    let document = xml::parse(text).map_err(Fault::client)?;
    let operation = document.child("Body").and_then(|b| b.children.first());
    let Some(operation) = operation else {
        return Err(Fault::client("No operation found in the body"));
    };
    let header = document.child("Header");
    if let Some(body) = soap_login::answer(state, request, dialect.letter(), version, operation)? {
        return Ok(body);
    }
    session(state, header)?;
    if request.crowded {
        return Err(crowded().into());
    }
    let duplicates = header.and_then(|h| h.child("DuplicateRuleHeader"));
    state.options.allow_duplicates = duplicates.is_some_and(|h| h.flag("allowSave"));
    let call = Call {
        dialect,
        version,
        request,
        header,
        operation,
    };
    dispatch(state, &call)
}

/// The user behind the session header, within the day's allowance.
fn session(state: &mut State, header: Option<&Element>) -> Result<(), Fault> {
    let token = header
        .and_then(|h| h.child("SessionHeader"))
        .and_then(|s| s.get("sessionId"));
    let Some(session) = token.and_then(|token| state.session(token)) else {
        return Err(Fault::new(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
        ));
    };
    state.running = session.user;
    state.admit()?;
    state.affords_call()?;
    Ok(())
}

fn dispatch(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let name = call.operation.name.as_str();
    let run: fn(&mut State, &Call<'_>) -> Result<String, Fault> = match name {
        "create" => writes::create,
        "update" => writes::update,
        "upsert" => writes::upsert,
        "delete" => writes::delete,
        "undelete" => writes::undelete,
        "emptyRecycleBin" => writes::empty_recycle_bin,
        "merge" => writes::merge,
        "query" => reads::query,
        "queryAll" => reads::query_all,
        "queryMore" => reads::query_more,
        "retrieve" => reads::retrieve,
        "getUpdated" => reads::updated,
        "getDeleted" => reads::deleted,
        "describeGlobal" => describe::global,
        "describeSObject" => describe::one,
        "describeSObjects" => describe::several,
        "getServerTimestamp" => info::server_timestamp,
        "getUserInfo" => info::user_info,
        "logout" => info::logout,
        _ => {
            let space = call.dialect.space();
            return Err(Fault::client(format!(
                "No operation available for request {{{space}}}{name}, please check the WSDL for the service."
            )));
        }
    };
    state.called(&format!("soap.{name}"));
    let body = run(state, call)?;
    Ok(format!("<{name}Response>{body}</{name}Response>"))
}
