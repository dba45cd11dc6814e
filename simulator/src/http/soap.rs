//! SOAP: the partner API's `undelete` and `getServerTimestamp`.
//!
//! Key decision: exact element order (errors, id, success) and one result for each Id in the order of the
//! request; a refusal of the whole call is a fault with HTTP 500.
//! Source: SOAP API guide, "undelete", "getServerTimestamp"; the partner WSDL for the shapes.
//! Not here: `login`, which newer versions no longer have.

use quick_xml::escape::escape;

use super::discovery;
use super::reply::Reply;
use super::request::Request;
use crate::error::ApiError;
use crate::id::normalise;
use crate::org::{State, stamp};
use crate::write;
use crate::xml::{self, Element};

const XML: &str = "text/xml;charset=utf-8";
const MAX_IDS: usize = 200;

/// `POST /services/Soap/u/{version}`
pub(crate) fn answer(state: &mut State, request: &Request, version: &str) -> Reply {
    match call(state, request, version) {
        Ok(body) => Reply::text(200, XML, envelope(state, &body)),
        Err((code, message)) => Reply::text(500, XML, fault(code, &message)),
    }
}

type Fault = (&'static str, String);

fn call(state: &mut State, request: &Request, version: &str) -> Result<String, Fault> {
    if !discovery::supported(state, &format!("v{version}")) {
        return Err((
            "UNSUPPORTED_API_VERSION",
            format!("Invalid Api version specified on URL: {version}"),
        ));
    }
    if request.header("soapaction").is_none() {
        return Err(("soapenv:Client", "SOAPAction HTTP header missing".to_owned()));
    }
    let text = std::str::from_utf8(&request.body).map_err(|e| ("soapenv:Client", e.to_string()))?;
    let document = xml::parse(text).map_err(|e| ("soapenv:Client", e))?;
    let header = document.child("Header");
    let session = header
        .and_then(|h| h.child("SessionHeader"))
        .and_then(|s| s.get("sessionId"));
    let Some(user) = session.and_then(|token| state.sessions.user(token)) else {
        return Err(("INVALID_SESSION_ID", "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash".to_owned()));
    };
    state.running = user;
    state
        .admit()
        .map_err(|e| (e.code, format!("{}: {}", e.code, e.message)))?;
    let used: u64 = state.calls.values().sum();
    if used >= state.settings.daily_requests {
        return Err((
            "REQUEST_LIMIT_EXCEEDED",
            "REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.".to_owned(),
        ));
    }
    let all_or_none = header
        .and_then(|h| h.child("AllOrNoneHeader"))
        .is_some_and(|h| h.flag("allOrNone"));
    let operation = document.child("Body").and_then(|b| b.children.first());
    match operation.map(|o| (o.name.as_str(), o)) {
        Some(("undelete", operation)) => {
            state.called("soap.undelete");
            undelete(state, operation, all_or_none)
        }
        Some(("getServerTimestamp", _)) => {
            state.called("soap.getServerTimestamp");
            let now = stamp(state.clock.now()).replace("+0000", "Z");
            Ok(format!(
                "<getServerTimestampResponse><result><timestamp>{now}</timestamp></result></getServerTimestampResponse>"
            ))
        }
        Some((name, _)) => Err((
            "soapenv:Client",
            format!("No operation available for request {{urn:partner.soap.sforce.com}}{name}"),
        )),
        None => Err(("soapenv:Client", "No operation found in the body".to_owned())),
    }
}

fn undelete(state: &mut State, operation: &Element, all_or_none: bool) -> Result<String, Fault> {
    let ids: Vec<String> = operation.all("ids").map(|i| i.text.trim().to_owned()).collect();
    if ids.len() > MAX_IDS {
        return Err((
            "EXCEEDED_ID_LIMIT",
            format!(
                "EXCEEDED_ID_LIMIT: record limit reached. cannot submit more than {MAX_IDS} records into this call"
            ),
        ));
    }
    state.begin();
    let mark = state.mark();
    let mut results: Vec<Result<(), ApiError>> = ids
        .iter()
        .map(|id| state.attempt(|s| write::undelete(s, id)))
        .collect();
    if all_or_none && results.iter().any(Result::is_err) {
        state.undo_to(mark);
        for result in results.iter_mut().filter(|r| r.is_ok()) {
            *result = Err(ApiError::new(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using AllOrNone header",
            ));
        }
    }
    let rows: String = ids.iter().zip(&results).map(|(id, r)| result(id, r)).collect();
    Ok(format!("<undeleteResponse>{rows}</undeleteResponse>"))
}

fn result(id: &str, result: &Result<(), ApiError>) -> String {
    let id = normalise(id).unwrap_or_else(|| id.to_owned());
    let id = escape(&id);
    match result {
        Ok(()) => format!("<result><id>{id}</id><success>true</success></result>"),
        Err(e) => {
            let fields: String = e.fields.iter().map(|f| format!("<fields>{f}</fields>")).collect();
            format!(
                "<result><errors>{fields}<message>{}</message><statusCode>{}</statusCode></errors><id>{id}</id><success>false</success></result>",
                escape(&e.message),
                e.code
            )
        }
    }
}

fn envelope(state: &State, body: &str) -> String {
    let used: u64 = state.calls.values().sum();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\"><soapenv:Header><LimitInfoHeader><limitInfo><current>{used}</current><limit>{}</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>",
        state.settings.daily_requests
    )
}

fn fault(code: &str, message: &str) -> String {
    let message = escape(message);
    let (qualified, detail) = if code.contains(':') {
        (code.to_owned(), String::new())
    } else {
        (
            format!("sf:{code}"),
            format!(
                "<detail><sf:UnexpectedErrorFault xsi:type=\"sf:UnexpectedErrorFault\"><sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage></sf:UnexpectedErrorFault></detail>"
            ),
        )
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body><soapenv:Fault><faultcode>{qualified}</faultcode><faultstring>{message}</faultstring>{detail}</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )
}
