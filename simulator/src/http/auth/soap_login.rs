//! SOAP `login`: user name, password and security token for a session.
//!
//! Key decision: off unless the setting says otherwise, as in new orgs, and gone from v65.0 on whatever the
//! setting says. The result's elements stand in the order of the WSDL.
//! Source: the partner WSDL (LoginResult, GetUserInfoResult); SOAP API guide, "login".
//! Not here: reading envelopes, writing faults, `logout` (`soap`).

use quick_xml::escape::escape;

use super::admit;
use super::password::{self, Wrong};
use crate::http::host::{Host, instance_url};
use crate::http::request::Request;
use crate::http::soap::{Fault, user_info};
use crate::org::State;
use crate::xml::Element;

/// First version without the call.
const GONE: u16 = 65;

fn fault<T>(code: &'static str, message: &str) -> Result<T, Fault> {
    Err(Fault::new(code, message))
}

/// The body of the reply to `login`; nothing for every other call, which a login host refuses.
pub(crate) fn answer(
    state: &mut State,
    request: &Request,
    interface: &str,
    version: &str,
    operation: &Element,
) -> Result<Option<String>, Fault> {
    if operation.name == "login" {
        return login(state, request, interface, version, operation).map(Some);
    }
    if Host::of(&request.base).is_login() {
        return fault(
            "UNKNOWN_EXCEPTION",
            "Destination URL not reset. The URL returned from login must be set in the SforceService",
        );
    }
    Ok(None)
}

fn login(
    state: &mut State,
    request: &Request,
    interface: &str,
    version: &str,
    operation: &Element,
) -> Result<String, Fault> {
    state.called("soap.login");
    let number = version.split('.').next().and_then(|n| n.parse::<u16>().ok());
    if number.is_none_or(|n| n >= GONE) {
        return fault(
            "UNSUPPORTED_API_VERSION",
            "SOAP API login() is not supported in this API version",
        );
    }
    if !state.settings.auth.soap_login {
        return fault(
            "INVALID_OPERATION",
            "SOAP API login() is disabled by default in this org. Contact the org administrator to enable SOAP API login().",
        );
    }
    let wrong = "Invalid username, password, security token; or user locked out.";
    let name = operation.get("username").unwrap_or_default();
    let pass = operation.get("password").unwrap_or_default();
    let user = match password::check(state, request, name, pass) {
        Ok(user) => user,
        Err(Wrong::Password) => return fault("INVALID_LOGIN", wrong),
        Err(Wrong::SecurityToken) => {
            let more = "Are you at a new location? When accessing Salesforce--either via a desktop client or the API--from outside of your company's trusted networks, you must add a security token to your password to log in.";
            return fault("LOGIN_MUST_USE_SECURITY_TOKEN", &format!("{wrong} {more}"));
        }
    };
    if let Err(refusal) = admit(state, &user) {
        return match refusal.error {
            "inactive_org" => fault("ORG_LOCKED", "organization is locked"),
            "inactive_user" => fault("INVALID_LOGIN", wrong),
            _ => fault("LOGIN_RATE_EXCEEDED", "login rate exceeded"),
        };
    }
    let session = state.open_session(&user, "full", None);
    state.running.clone_from(&user);
    let base = instance_url(state, request);
    let org15 = state.org_id.get(..15).unwrap_or(&state.org_id);
    let url = |kind: &str| format!("{base}/services/Soap/{kind}/{version}/{org15}");
    Ok(format!(
        "<loginResponse><result><metadataServerUrl>{}</metadataServerUrl><passwordExpired>false</passwordExpired><sandbox>{}</sandbox><serverUrl>{}</serverUrl><sessionId>{session}</sessionId><userId>{user}</userId><userInfo>{}</userInfo></result></loginResponse>",
        escape(url("m")),
        state.settings.sandbox,
        escape(url(interface)),
        user_info(state),
    ))
}
