//! Headers of a call that steer its writes.
//!
//! Key decision: read once into a small struct that the rules of writing see, since they see no HTTP.
//! Source: REST API guide, "Headers".
//! Not here: conditional headers (`conditional`), `Sforce-Query-Options` (`query`).

use super::request::Request;
use crate::org::call::CallOptions;

/// What the headers ask for.
pub(crate) fn options(request: &Request) -> CallOptions {
    let duplicates = request.header("sforce-duplicate-rule-header").unwrap_or_default();
    CallOptions {
        auto_assign: !request
            .header("sforce-auto-assign")
            .is_some_and(|v| v.trim().eq_ignore_ascii_case("false")),
        allow_duplicates: duplicates
            .split(';')
            .filter_map(|option| option.split_once('='))
            .any(|(name, value)| is(name, "allowSave") && is(value, "true")),
    }
}

fn is(text: &str, wanted: &str) -> bool {
    text.trim().eq_ignore_ascii_case(wanted)
}
