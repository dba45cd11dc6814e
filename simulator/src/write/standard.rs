//! Rules that standard objects have of their own: activities, campaign members, price books, contacts' accounts.
//!
//! Key decision: what a real org does by itself but a bare data set may not have prepared (a standard price
//! before a custom one, a relation for each contact) is behind settings.
//! Source: Object Reference, "CampaignMember", "PricebookEntry", "OpportunityLineItem",
//! "AccountContactRelation".
//! Not here: person accounts, schedules.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::org::State;
use crate::org::state::Row;
use crate::schema::ObjectDef;

/// Refuses a row that its object's own rules forbid; `old` is the row before an update.
pub(crate) fn check(
    state: &State,
    def: &ObjectDef,
    id: &str,
    row: &Row,
    old: Option<&Row>,
) -> Result<(), ApiError> {
    match def.name.as_str() {
        "CampaignMember" => only_member(state, id, row),
        "PricebookEntry" if state.settings.behaviour.price_books => price(state, id, row),
        "OpportunityLineItem" if state.settings.behaviour.price_books && old.is_none() => line(state, row),
        _ => Ok(()),
    }
}

/// Refuses an edit of a row that nobody may edit: converted leads, archived activities.
pub(crate) fn editable(def: &ObjectDef, row: &Row) -> Result<(), ApiError> {
    let is = |field: &str| row.values.flag(field) == Some(true);
    if is("IsConverted") {
        let message = "cannot reference converted lead";
        return Err(ApiError::new("CANNOT_UPDATE_CONVERTED_LEAD", message));
    }
    if is("IsArchived") && matches!(def.name.as_str(), "Task" | "Event") {
        return Err(ApiError::new("ENTITY_IS_ARCHIVED", "entity is archived"));
    }
    Ok(())
}

/// Live rows of an object that point at this one.
fn pointing<'a>(state: &'a State, object: &'a str, at: &str) -> impl Iterator<Item = (&'a str, &'a Row)> {
    let ids = state.index.holders(at);
    ids.filter(move |id| state.schema.by_id(id).is_some_and(|o| o.name == object))
        .filter_map(|id| Some((id, state.live(id)?)))
}

/// A lead or contact is in a campaign once.
fn only_member(state: &State, id: &str, row: &Row) -> Result<(), ApiError> {
    for (field, kind) in [("ContactId", "contact"), ("LeadId", "lead")] {
        // A person is in few campaigns, a campaign has many members.
        let (who, campaign) = (row.text(field), row.text("CampaignId"));
        let twin = pointing(state, "CampaignMember", who)
            .any(|(other, r)| other != id && r.text(field) == who && r.text("CampaignId") == campaign);
        if twin {
            let message = format!("Already a campaign member. The {kind} is in the campaign.");
            return Err(ApiError::new("DUPLICATE_VALUE", message));
        }
    }
    Ok(())
}

fn is_standard(state: &State, book: &str) -> bool {
    state
        .row(book)
        .is_some_and(|b| b.values.flag("IsStandard") == Some(true))
}

/// A price of a custom book needs one of the standard book; a product has one price in a book.
fn price(state: &State, id: &str, row: &Row) -> Result<(), ApiError> {
    let (book, product) = (row.text("Pricebook2Id"), row.text("Product2Id"));
    let mut prices = pointing(state, "PricebookEntry", product).filter(|(other, _)| *other != id);
    if prices.any(|(_, r)| r.text("Pricebook2Id") == book) {
        return Err(ApiError::new(
            "DUPLICATE_VALUE",
            "This price definition already exists in this price book",
        ));
    }
    let defined = || {
        pointing(state, "PricebookEntry", product).any(|(_, r)| is_standard(state, r.text("Pricebook2Id")))
    };
    if !is_standard(state, book) && !defined() {
        return Err(ApiError::new(
            "STANDARD_PRICE_NOT_DEFINED",
            "Before creating a custom price, create a standard price.",
        ));
    }
    Ok(())
}

/// A line's price comes from the book of its opportunity.
fn line(state: &State, row: &Row) -> Result<(), ApiError> {
    let of = |id: &str| {
        state
            .row(id)
            .map(|r| r.text("Pricebook2Id").to_owned())
            .unwrap_or_default()
    };
    let (book, wanted) = (of(row.text("OpportunityId")), of(row.text("PricebookEntryId")));
    if book == wanted && !book.is_empty() {
        return Ok(());
    }
    let message = "pricebook entry is in a different pricebook than the one assigned to the opportunity";
    Err(ApiError::new("FIELD_INTEGRITY_EXCEPTION", message).on("PricebookEntryId"))
}

/// Rows that a save makes or changes: the direct relation of a contact to its account.
pub(crate) fn after(
    state: &mut State,
    def: &ObjectDef,
    row: &Row,
    old: Option<&Row>,
    user: &str,
) -> Result<(), ApiError> {
    let account = row.text("AccountId");
    let moved = old.is_none_or(|o| o.text("AccountId") != account);
    if def.name != "Contact" || super::person::is(row) || !moved || !state.settings.behaviour.direct_relations
    {
        return Ok(());
    }
    let contact = row.text("Id").to_owned();
    let relation = |account: &str| {
        let mut all = pointing(state, "AccountContactRelation", &contact);
        all.find(|(_, r)| r.text("AccountId") == account)
            .map(|(id, _)| id.to_owned())
    };
    let before = old.and_then(|o| relation(o.text("AccountId")));
    let there = relation(account);
    if let Some(id) = before {
        super::delete::discard(state, &id);
    }
    if let Some(id) = there {
        state.edit(&id, |r| r.set("IsDirect", json!(true)));
    } else if !account.is_empty() {
        let values = json!({"AccountId": account, "ContactId": contact, "IsActive": true});
        state.as_system(|s| super::create_loaded(s, "AccountContactRelation", &values, user))?;
    }
    Ok(())
}

/// Refuses a client's own insert or delete of a direct relation.
pub(crate) fn direct(state: &State, def: &ObjectDef, values: &Value) -> Result<(), ApiError> {
    if def.name != "AccountContactRelation" || !state.settings.behaviour.direct_relations {
        return Ok(());
    }
    let text = |field: &str| values.get(field).and_then(Value::as_str).unwrap_or_default();
    let contact = state.row(text("ContactId")).map(|c| c.text("AccountId"));
    if contact.is_some_and(|account| account == text("AccountId")) {
        let message = "There's already a relationship between this account and contact; a direct relationship follows the contact's account";
        return Err(ApiError::new("DUPLICATE_VALUE", message));
    }
    Ok(())
}
