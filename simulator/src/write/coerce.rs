//! A JSON value as a field takes it: typed, trimmed, within its limits.
//!
//! Key decision: stored values are the API's own read shapes (datetimes as `+0000` text, decimals as
//! doubles), so reading is a copy. Text is trimmed and empty text is null.
//! Source: REST API guide, "Create a Record"; SOAP API guide, "Primitive Data Types".
//! Not here: whether the row that a reference names exists (`check`).

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::id::normalise;
use crate::org::{Settings, stamp};
use crate::schema::{Field, Kind};

/// The value to store; `Value::Null` empties the field.
pub(crate) fn coerce(field: &Field, value: &Value, settings: &Settings) -> Result<Value, ApiError> {
    if value.is_null() {
        return if field.kind == Kind::Boolean {
            Err(parser_error("boolean", value).on(&field.name))
        } else {
            Ok(Value::Null)
        };
    }
    if field.kind != Kind::Boolean && value.as_str().is_some_and(|s| s.trim().is_empty()) {
        return Ok(Value::Null);
    }
    match field.kind {
        Kind::Boolean => boolean(value),
        Kind::Int => int(value),
        kind if kind.is_decimal() => decimal(field, value),
        Kind::Date => date(value).and_then(|v| in_range(field, v)),
        Kind::DateTime => datetime(value).and_then(|v| in_range(field, v)),
        Kind::Time => time(value),
        Kind::Id | Kind::Reference => reference(field, value),
        Kind::Base64 => string(value).map(|s| json!(s)),
        Kind::Address | Kind::Location => Err(parser_error(field.kind.name(), value)),
        _ => text(field, value, settings),
    }
    .map_err(|e| {
        if e.fields.is_empty() && e.code != "JSON_PARSER_ERROR" {
            e.on(&field.name)
        } else {
            e
        }
    })
}

fn parser_error(wanted: &str, value: &Value) -> ApiError {
    let (token, shown) = match value {
        Value::Null => ("VALUE_NULL", "null".to_owned()),
        Value::Bool(b) => (if *b { "VALUE_TRUE" } else { "VALUE_FALSE" }, b.to_string()),
        Value::Number(n) if n.is_f64() => ("VALUE_NUMBER_FLOAT", n.to_string()),
        Value::Number(n) => ("VALUE_NUMBER_INT", n.to_string()),
        Value::String(s) => ("VALUE_STRING", s.clone()),
        Value::Array(_) => ("START_ARRAY", "[".to_owned()),
        Value::Object(_) => ("START_OBJECT", "{".to_owned()),
    };
    ApiError::new(
        "JSON_PARSER_ERROR",
        format!(
            "Cannot deserialize instance of {wanted} from {token} value {shown} or request may be missing a required field at [line:1, column:1]"
        ),
    )
}

fn string(value: &Value) -> Result<&str, ApiError> {
    value.as_str().ok_or_else(|| parser_error("string", value))
}

fn boolean(value: &Value) -> Result<Value, ApiError> {
    match value {
        Value::Bool(b) => Ok(json!(b)),
        Value::String(s) if s.eq_ignore_ascii_case("true") => Ok(json!(true)),
        Value::String(s) if s.eq_ignore_ascii_case("false") => Ok(json!(false)),
        _ => Err(parser_error("boolean", value)),
    }
}

fn number(value: &Value, wanted: &str) -> Result<f64, ApiError> {
    let n = match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    n.filter(|n| n.is_finite())
        .ok_or_else(|| parser_error(wanted, value))
}

fn int(value: &Value) -> Result<Value, ApiError> {
    let n = number(value, "int")?;
    let fits = n.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&n);
    if !fits {
        return Err(parser_error("int", value));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and within i32"
    )]
    Ok(json!(n as i32))
}

fn decimal(field: &Field, value: &Value) -> Result<Value, ApiError> {
    let n = number(value, "double")?;
    let (precision, scale) = (field.precision, field.scale);
    if precision > 0 {
        let whole = 10f64.powi(i32::try_from(precision.saturating_sub(scale)).unwrap_or(18));
        if n.abs() >= whole {
            return Err(ApiError::new(
                "NUMBER_OUTSIDE_VALID_RANGE",
                format!(
                    "{}: value outside of valid range on numeric field: {n}",
                    field.label
                ),
            ));
        }
        let rounded = format!("{n:.*}", scale as usize);
        return Ok(json!(rounded.parse::<f64>().unwrap_or(n)));
    }
    Ok(json!(n))
}

/// Dates lie between the years 1700 and 4000 (Data Loader guide, "Data Import Dates").
fn in_range(field: &Field, value: Value) -> Result<Value, ApiError> {
    let text = value.as_str().unwrap_or_default();
    let known = ("1700".."4001").contains(&&text[..4.min(text.len())]) && !text.starts_with('-');
    if known {
        return Ok(value);
    }
    Err(ApiError::new(
        "NUMBER_OUTSIDE_VALID_RANGE",
        format!("{}: invalid date: {text}", field.label),
    ))
}

/// A date; the date part of a datetime is taken too, as the API does.
fn date(value: &Value) -> Result<Value, ApiError> {
    let text = string(value)?;
    let day = text.get(..10).unwrap_or(text);
    let known = day.parse::<Date>().is_ok_and(|d| d.to_string() == day);
    let rest = text.get(10..).unwrap_or_default();
    if known && (rest.is_empty() || (rest.starts_with('T') && instant(text).is_some())) {
        Ok(json!(day))
    } else {
        Err(parser_error("date", value))
    }
}

/// An instant with `Z` or an offset, with or without colon; `None` when it is none.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let (body, shift) = if let Some(body) = text.strip_suffix(['Z', 'z']) {
        (body, 0)
    } else {
        let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
        let digits: String = text[at + 1..].chars().filter(|c| *c != ':').collect();
        if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let minutes = digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?;
        let sign = if text[at..].starts_with('-') { -1 } else { 1 };
        (&text[..at], sign * minutes)
    };
    let whole: Timestamp = format!("{body}Z").parse().ok()?;
    whole.checked_sub(SignedDuration::from_mins(shift)).ok()
}

fn datetime(value: &Value) -> Result<Value, ApiError> {
    let text = string(value)?;
    instant(text)
        .map(|t| json!(stamp(t)))
        .ok_or_else(|| parser_error("datetime", value))
}

fn time(value: &Value) -> Result<Value, ApiError> {
    let text = string(value)?;
    let clock = text.strip_suffix('Z').unwrap_or(text);
    let parsed: Result<jiff::civil::Time, _> = clock.parse();
    match parsed {
        Ok(t) if clock.len() >= 8 => Ok(json!(t.strftime("%H:%M:%S.%3fZ").to_string())),
        _ => Err(parser_error("time", value)),
    }
}

fn reference(field: &Field, value: &Value) -> Result<Value, ApiError> {
    let text = string(value)?;
    // References into objects that have no rows here (metadata, external) are plain text.
    if field.kind == Kind::Reference && field.reference_to.is_empty() {
        return Ok(json!(text));
    }
    normalise(text.trim())
        .map(|id| json!(id))
        .ok_or_else(|| wrong_id(field, text))
}

/// The error of an Id that is none, or names a row of another kind.
pub(crate) fn wrong_id(field: &Field, id: &str) -> ApiError {
    ApiError::new(
        "MALFORMED_ID",
        format!("{}: id value of incorrect type: {id}", field.label),
    )
    .on(&field.name)
}

fn text(field: &Field, value: &Value, settings: &Settings) -> Result<Value, ApiError> {
    let mut text = string(value)?.trim().to_owned();
    if settings.normalise_newlines && text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    let units = text.encode_utf16().count();
    if field.length > 0 && units > field.length as usize {
        let shown: String = text.chars().take(255).collect();
        return Err(ApiError::new(
            "STRING_TOO_LONG",
            format!(
                "{}: data value too large: {shown} (max length={})",
                field.label, field.length
            ),
        ));
    }
    if field.kind == Kind::Email && !is_email(&text) {
        return Err(ApiError::new(
            "INVALID_EMAIL_ADDRESS",
            format!("{}: invalid email address: {text}", field.label),
        ));
    }
    if field.restricted {
        restricted(field, &text)?;
    }
    Ok(json!(text))
}

fn is_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else {
        return false;
    };
    !local.is_empty() && host.contains('.') && !host.starts_with('.') && !text.contains(char::is_whitespace)
}

fn restricted(field: &Field, text: &str) -> Result<(), ApiError> {
    let multi = field.kind == Kind::MultiPicklist;
    let values: Vec<&str> = if multi {
        text.split(';').collect()
    } else {
        vec![text]
    };
    for value in values {
        if !field
            .choices
            .iter()
            .any(|c| c.active && c.value.eq_ignore_ascii_case(value))
        {
            return Err(ApiError::new(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                format!(
                    "{}: bad value for restricted picklist field: {value}",
                    field.label
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(field: &Field, value: impl Into<Value>) -> Result<Value, &'static str> {
        coerce(field, &value.into(), &Settings::default()).map_err(|e| e.code)
    }

    #[test]
    fn text_is_trimmed_and_limited() {
        let field = Field {
            length: 3,
            ..Field::new("T__c", Kind::String)
        };
        assert_eq!(take(&field, json!("  a\r\nb ")), Ok(json!("a\nb")));
        assert_eq!(take(&field, json!("   ")), Ok(Value::Null));
        assert_eq!(take(&field, json!("abcd")), Err("STRING_TOO_LONG"));
        assert_eq!(take(&field, json!(5)), Err("JSON_PARSER_ERROR"));
    }

    #[test]
    fn numbers_are_rounded_and_ranged() {
        let field = Field {
            precision: 5,
            scale: 2,
            ..Field::new("N__c", Kind::Currency)
        };
        assert_eq!(take(&field, json!("45.678")), Ok(json!(45.68)));
        assert_eq!(take(&field, json!(400)), Ok(json!(400.0)));
        assert_eq!(take(&field, json!(1000)), Err("NUMBER_OUTSIDE_VALID_RANGE"));
        assert_eq!(take(&field, json!("x")), Err("JSON_PARSER_ERROR"));
        let int = Field::new("I__c", Kind::Int);
        assert_eq!(take(&int, json!(4.0)), Ok(json!(4)));
        assert_eq!(take(&int, json!(4.5)), Err("JSON_PARSER_ERROR"));
    }

    #[test]
    fn times_are_normalised() {
        let field = Field::new("D", Kind::DateTime);
        let noon = Ok(json!("2024-02-29T12:00:00.000+0000"));
        assert_eq!(take(&field, json!("2024-02-29T12:00:00Z")), noon);
        assert_eq!(take(&field, json!("2024-02-29T14:00:00.000+0200")), noon);
        assert_eq!(take(&field, json!("2024-02-29T06:30:00.9-05:30")), noon);
        for bad in [
            "2024-02-30T12:00:00Z",
            "2024-02-29 noon",
            "2024-02-29T12:00:00",
            "é+0100",
        ] {
            assert_eq!(take(&field, json!(bad)), Err("JSON_PARSER_ERROR"), "{bad}");
        }
        let field = Field::new("D", Kind::Date);
        assert_eq!(
            take(&field, json!("2024-02-29T21:16:01Z")),
            Ok(json!("2024-02-29"))
        );
        assert_eq!(take(&field, json!("29.2.2024")), Err("JSON_PARSER_ERROR"));
        for far in ["1699-12-31", "0000-01-01", "4001-01-01"] {
            assert_eq!(
                take(&field, json!(far)),
                Err("NUMBER_OUTSIDE_VALID_RANGE"),
                "{far}"
            );
        }
        let field = Field::new("T", Kind::Time);
        assert_eq!(take(&field, json!("10:20:00.000Z")), Ok(json!("10:20:00.000Z")));
        assert_eq!(take(&field, json!("25:00:00Z")), Err("JSON_PARSER_ERROR"));
    }

    #[test]
    fn ids_are_widened() {
        let field = Field::reference("A", &["Account"], "A");
        assert_eq!(
            take(&field, json!("0012300000bVTq1")),
            Ok(json!("0012300000bVTq1AAG"))
        );
        assert_eq!(take(&field, json!("nope")), Err("MALFORMED_ID"));
    }
}
