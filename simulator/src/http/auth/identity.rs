//! Who a token belongs to: the identity URL and `userinfo`.
//!
//! Key decision: both read the same User row and differ in names, as the two services do (OpenID's names in
//! `userinfo`). Refusals are plain words, not JSON. A user's token may read other users' identities, as
//! internal users' tokens with `api` may.
//! Source: Help, "Identity URLs", "Query for User Information" (UserInfo endpoint).
//! Not here: XML and JSONP.

use serde_json::{Value, json};

use crate::http::host::instance_url;
use crate::http::reply::Reply;
use crate::http::request::Request;
use crate::id::normalise;
use crate::org::State;
use crate::org::state::Row;

/// The identity URL of a user.
pub(crate) fn url(state: &State, request: &Request, user: &str) -> String {
    format!("{}/id/{}/{user}", request.base, state.org_id)
}

/// `GET /id/{org}/{user}`
pub(crate) fn identity(state: &mut State, request: &Request, org: &str, user: &str) -> Reply {
    if let Err(refusal) = reader(state, request) {
        return refusal;
    }
    if normalise(org).as_deref() != Some(&state.org_id) {
        return refuse(403, "Wrong_Org");
    }
    let id = normalise(user).unwrap_or_default();
    let Some(row) = state.live(&id).filter(|_| id.starts_with("005")).cloned() else {
        return refuse(404, "Bad_Id");
    };
    if !state.user_is_active(&id) {
        return refuse(404, "Inactive");
    }
    state.called("identity");
    let get = |field: &str| value(&row, field);
    let mut body = common(state, request, &row);
    let more = json!({
        "id": url(state, request, &id), "asserted_user": true, "username": get("Username"),
        "nick_name": get("Alias"), "display_name": get("Name"), "first_name": get("FirstName"),
        "last_name": get("LastName"), "timezone": get("TimeZoneSidKey"), "is_app_installed": true,
        "mobile_phone": get("MobilePhone"), "mobile_phone_verified": false,
        "status": {"created_date": null, "body": null}, "last_modified_date": modified(&row),
    });
    merge(&mut body, more);
    Reply::json(200, &body)
}

/// `/services/oauth2/userinfo`
pub(super) fn userinfo(state: &mut State, request: &Request) -> Reply {
    let user = match reader(state, request) {
        Ok(user) => user,
        Err(refusal) => return refusal,
    };
    let Some(row) = state.live(&user).cloned() else {
        return refuse(403, "Bad_OAuth_Token");
    };
    state.called("userinfo");
    let get = |field: &str| value(&row, field);
    let mut body = common(state, request, &row);
    let more = json!({
        "sub": url(state, request, &user), "preferred_username": get("Username"),
        "nickname": get("Alias"), "name": get("Name"), "given_name": get("FirstName"),
        "family_name": get("LastName"), "zoneinfo": get("TimeZoneSidKey"), "updated_at": modified(&row),
    });
    merge(&mut body, more);
    Reply::json(200, &body)
}

/// The user of the token, from the header or the parameter `oauth_token`.
fn reader(state: &mut State, request: &Request) -> Result<String, Reply> {
    let params = super::Params::of(request);
    let named = ["oauth_token", "access_token"].map(|name| params.get(name));
    let token = request
        .token()
        .or_else(|| named.into_iter().find(|t| !t.is_empty()));
    let token = token.ok_or_else(|| refuse(403, "Missing_OAuth_Token"))?;
    let session = state.session(token);
    session
        .map(|s| s.user)
        .ok_or_else(|| refuse(403, "Bad_OAuth_Token"))
}

fn refuse(status: u16, word: &str) -> Reply {
    Reply::text(status, "text/html;charset=UTF-8", word)
}

fn value(row: &Row, field: &str) -> Value {
    row.values.get(field).unwrap_or_default()
}

/// `2022-02-15T23:21:10Z`: the one place where the API writes a stamp like this.
fn modified(row: &Row) -> String {
    row.text("LastModifiedDate").replace(".000+0000", "Z")
}

fn merge(body: &mut Value, more: Value) {
    if let (Value::Object(body), Value::Object(more)) = (body, more) {
        body.extend(more);
    }
}

/// What both services say under the same names.
fn common(state: &State, request: &Request, row: &Row) -> Value {
    let get = |field: &str| value(row, field);
    let base = instance_url(state, request);
    let org15 = state.org_id.get(..15).unwrap_or(&state.org_id);
    let soap = |kind: &str| format!("{base}/services/Soap/{kind}/{{version}}/{org15}");
    let rest = format!("{base}/services/data/v{{version}}/");
    json!({
        "user_id": get("Id"), "organization_id": state.org_id, "email": get("Email"),
        "email_verified": true, "active": get("IsActive"), "user_type": "STANDARD",
        "language": get("LanguageLocaleKey"), "locale": get("LocaleSidKey"), "utcOffset": 3_600_000,
        "urls": {
            "enterprise": soap("c"), "metadata": soap("m"), "partner": soap("u"), "rest": rest,
            "sobjects": format!("{rest}sobjects/"), "search": format!("{rest}search/"),
            "query": format!("{rest}query/"), "recent": format!("{rest}recent/"),
            "tooling_soap": soap("T"), "tooling_rest": format!("{rest}tooling/"),
            "profile": format!("{base}/{}", row.text("Id")), "custom_domain": base,
        },
    })
}
