//! Who is asking, and what time it is.
//!
//! Key decision: all values come from the org's own rows of the user and the organization.
//! Source: SOAP API guide, "getServerTimestamp", "getUserInfo", "logout".
//! Not here: `login` (`auth::soap_login`).

use super::Call;
use super::envelope::Fault;
use super::records::scalar;
use crate::org::State;

/// The time to the millisecond.
pub(super) fn server_timestamp(state: &mut State, _: &Call<'_>) -> Result<String, Fault> {
    let now = state.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    Ok(format!("<result><timestamp>{now}</timestamp></result>"))
}

/// The user behind the session.
pub(super) fn user_info(state: &mut State, _: &Call<'_>) -> Result<String, Fault> {
    Ok(format!("<result>{}</result>", user(state)))
}

/// The elements of a `GetUserInfoResult` for the running user.
pub(crate) fn user(state: &State) -> String {
    let of = |id: &str, field: &str| {
        let value = state.row(id).and_then(|r| r.values.text(field));
        value.map(str::to_owned)
    };
    let (user, org) = (state.running.as_str(), state.org_id.as_str());
    let person = state
        .schema
        .object("Account")
        .is_some_and(|o| o.has("IsPersonAccount"));
    let seconds = state.settings.auth.session_timeout.as_secs();
    let text = |v: &str| Some(v.to_owned());
    [
        ("accessibilityMode", text("false")),
        ("currencySymbol", text("€")),
        ("orgAttachmentFileSizeLimit", text("26214400")),
        ("orgDefaultCurrencyIsoCode", text("EUR")),
        ("orgDefaultCurrencyLocale", text("de_AT")),
        ("orgDisallowHtmlAttachments", text("false")),
        ("orgHasPersonAccounts", Some(person.to_string())),
        ("organizationId", text(org)),
        ("organizationMultiCurrency", text("false")),
        ("organizationName", of(org, "Name")),
        ("profileId", of(user, "ProfileId")),
        ("roleId", of(user, "UserRoleId")),
        ("sessionSecondsValid", Some(seconds.to_string())),
        ("userDefaultCurrencyIsoCode", None),
        ("userEmail", of(user, "Email")),
        ("userFullName", of(user, "Name")),
        ("userId", text(user)),
        ("userLanguage", of(user, "LanguageLocaleKey")),
        ("userLocale", of(user, "LocaleSidKey")),
        ("userName", of(user, "Username")),
        ("userTimeZone", of(user, "TimeZoneSidKey")),
        ("userType", of(user, "UserType")),
        ("userUiSkin", text("Theme3")),
    ]
    .iter()
    .map(|(name, value)| scalar(name, value.as_deref()))
    .collect()
}

/// Ends the session of the call.
pub(super) fn logout(state: &mut State, call: &Call<'_>) -> Result<String, Fault> {
    let session = call.header.and_then(|h| h.child("SessionHeader"));
    if let Some(token) = session.and_then(|s| s.get("sessionId")) {
        state.sessions.revoke(token);
    }
    Ok(String::new())
}
