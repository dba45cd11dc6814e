//! A quiet increment of an org with many sObjects: calls for each of them.
//!
//! Key decision: all that the command asks counts, signing in too. Each sObject has a row, so that none is skipped for
//! being empty. It says nothing of time.

use std::error::Error;
use std::time::Duration;

use halite_simulator::Org;
use serde_json::{Value, json};

use super::clients::Halite;
use crate::figures::Figures;

/// Captures twice; the second time nothing has changed for a day.
pub fn measure(halite: &std::path::Path, count: usize, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = (0..count).map(|n| format!("Thing{n:03}__c")).collect();
    let mut org = Org::empty();
    for name in &names {
        org = org.with_describe(&thing(name))?;
        org.create(name, &json!({ "Name": "one" }))?;
    }
    org.configure(|s| s.daily_requests = 100_000_000);
    let mut place = Halite::connect(halite, &org)?;
    org.clock().advance(Duration::from_secs(3_600));
    place.backup(&[])?;
    org.clock().advance(Duration::from_secs(24 * 3_600));
    let run = place.backup(&[])?;
    let all = org.objects().len();
    figures.note("quiet_sobjects", all);
    figures.note("quiet_calls", run.calls);
    figures.limit("quiet_calls_an_sobject", run.calls as f64 / all as f64, 0.35);
    Ok(())
}

/// A describe of a custom sObject with a few fields.
fn thing(name: &str) -> Value {
    let field = |name: &str, kind: &str| {
        json!({"name": name, "label": name, "type": kind, "filterable": true, "sortable": true, "nillable": true,
            "createable": true, "updateable": true, "length": 18})
    };
    let fields = [
        ("Id", "id"),
        ("Name", "string"),
        ("SystemModstamp", "datetime"),
        ("IsDeleted", "boolean"),
        ("LastModifiedDate", "datetime"),
        ("CreatedDate", "datetime"),
    ];
    let fields: Vec<Value> = fields.iter().map(|(name, kind)| field(name, kind)).collect();
    json!({"name": name, "label": name, "custom": true, "queryable": true, "retrieveable": true,
        "replicateable": true, "createable": true, "deletable": true, "undeletable": true, "fields": fields})
}
