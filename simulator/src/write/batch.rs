//! The records of one request, in one transaction.
//!
//! Key decision: a record that fails is undone by itself, or with all the others if the client asked for
//! all or none; a request that cannot be read (a field that does not exist, a value of the wrong JSON type)
//! is refused whole, since it is read before any record is saved.
//! Source: REST API guide, "SObject Collections"; SOAP API guide, "AllOrNoneHeader".
//! Not here: how results are written down (`http`).

use crate::error::ApiError;
use crate::org::State;

/// Runs one write for each item; `Err` is the refusal of the whole request.
pub(crate) fn each<T, R>(
    state: &mut State,
    all_or_none: bool,
    list: &[T],
    mut one: impl FnMut(&mut State, &T) -> Result<R, ApiError>,
) -> Result<Vec<Result<R, ApiError>>, ApiError> {
    state.begin();
    let mark = state.mark();
    let mut results = Vec::with_capacity(list.len());
    for item in list {
        let result = state.attempt(|s| one(s, item));
        if let Err(e) = &result
            && unreadable(e)
        {
            state.undo_to(mark);
            return Err(e.clone());
        }
        results.push(result);
    }
    if all_or_none && results.iter().any(Result::is_err) {
        state.undo_to(mark);
        for result in results.iter_mut().filter(|r| r.is_ok()) {
            *result = Err(ApiError::new(
                "ALL_OR_NONE_OPERATION_ROLLED_BACK",
                "Record rolled back because not all records were valid and the request was using AllOrNone header",
            ));
        }
    }
    Ok(results)
}

/// Whether an error means that the request was not understood at all.
fn unreadable(e: &ApiError) -> bool {
    let foreign = e.message.starts_with("Foreign key external ID");
    matches!(e.code, "JSON_PARSER_ERROR" | "INVALID_FIELD" | "NOT_FOUND") && !foreign
}
