//! Functions of texts.
//!
//! Key decision: characters are counted, not bytes, and positions start at one; case matters everywhere, as
//! it does in the real language.
//! Source: Salesforce Help, "Text Functions".
//! Not here: regular expressions beyond what both Java and the crate understand: a formula that spells one
//! out is unknown.

use super::Val;

/// Computes a function of texts; `None` when it is another kind's.
pub(super) fn call(name: &str, values: &[Val]) -> Option<Val> {
    let text = |i: usize| values.get(i).map(Val::text).unwrap_or_default();
    let count = |i: usize| match values.get(i) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "cut to what a text can hold"
        )]
        Some(Val::Num(n)) => n.clamp(0.0, 100_000.0) as usize,
        _ => 0,
    };
    let chars = |i: usize| text(i).chars().collect::<Vec<char>>();
    Some(match name {
        "TEXT" => Val::Text(text(0)),
        "CASESAFEID" => Val::Text(crate::id::normalise(&text(0)).unwrap_or_else(|| text(0))),
        "ISNUMBER" => Val::Bool(text(0).trim().parse::<f64>().is_ok_and(f64::is_finite)),
        "VALUE" => text(0)
            .trim()
            .replace(',', "")
            .parse()
            .map_or(Val::Null, Val::Num),
        "LEN" => whole(chars(0).len()),
        "CONTAINS" => Val::Bool(text(0).contains(&text(1))),
        "BEGINS" => Val::Bool(text(0).starts_with(&text(1))),
        "INCLUDES" => Val::Bool(text(0).split(';').any(|v| v == text(1))),
        "FIND" => find(&text(0), &chars(1), if values.len() > 2 { count(2) } else { 1 }),
        "SUBSTITUTE" if !text(1).is_empty() => Val::Text(text(0).replace(&text(1), &text(2))),
        "SUBSTITUTE" => Val::Text(text(0)),
        "LEFT" => Val::Text(chars(0).iter().take(count(1)).collect()),
        "RIGHT" => Val::Text(
            chars(0)
                .iter()
                .skip(chars(0).len().saturating_sub(count(1)))
                .collect(),
        ),
        "MID" => Val::Text(
            chars(0)
                .iter()
                .skip(count(1).saturating_sub(1))
                .take(count(2))
                .collect(),
        ),
        "TRIM" => Val::Text(text(0).trim().to_owned()),
        "UPPER" => Val::Text(text(0).to_uppercase()),
        "LOWER" => Val::Text(text(0).to_lowercase()),
        "LPAD" | "RPAD" => Val::Text(padded(name, &chars(0), count(1), &chars(2))),
        "REGEX" => Val::Bool(matches(&text(0), &text(1))),
        "BR" => Val::Text("<br>".to_owned()),
        "IMAGE" => Val::Text(format!(
            "<img src=\"{}\" alt=\"{}\" border=\"0\"/>",
            text(0),
            text(1)
        )),
        "HYPERLINK" => Val::Text(format!("<a href=\"{}\">{}</a>", text(0), text(1))),
        _ => return None,
    })
}

fn whole(n: usize) -> Val {
    Val::Num(u32::try_from(n).map_or(0.0, f64::from))
}

/// The place of a text in another, from a start; 0 for none.
fn find(wanted: &str, within: &[char], start: usize) -> Val {
    let from: String = within.iter().skip(start.saturating_sub(1)).collect();
    match from.find(wanted) {
        Some(at) => whole(from[..at].chars().count() + start.max(1)),
        None => Val::Num(0.0),
    }
}

fn padded(name: &str, text: &[char], length: usize, with: &[char]) -> String {
    let with = if with.is_empty() { &[' '] } else { with };
    let fill = with.iter().cycle().take(length.saturating_sub(text.len()));
    let cut = text.iter().take(length);
    if name == "LPAD" {
        fill.chain(cut).collect()
    } else {
        cut.chain(fill).collect()
    }
}

/// Whether a pattern matches the whole text.
fn matches(text: &str, pattern: &str) -> bool {
    whole_pattern(pattern).is_some_and(|r| r.is_match(text))
}

/// The pattern over a whole text; `None` when it is not understood.
pub(super) fn whole_pattern(pattern: &str) -> Option<regex_lite::Regex> {
    regex_lite::Regex::new(&format!("^(?:{pattern})$")).ok()
}
