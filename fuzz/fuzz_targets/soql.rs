//! A query from any text, run on the sample org: rows or a refusal.
//!
//! Key decision: a third of the inputs is taken as text; in another each byte is a word; in the last a sound
//! query has words put in, replaced and taken out, so that subqueries and groups are reached at once.
//! It does not look at what is found.
#![no_main]

use std::sync::LazyLock;

use halite_simulator::fuzzing::Queried;

static ORG: LazyLock<Queried> = LazyLock::new(Queried::default);

/// Words of queries over the sample org, glued with blanks.
const WORDS: &str = "SELECT FROM WHERE AND OR NOT ( ) ( ) , , = != < <= > >= LIKE IN IN INCLUDES EXCLUDES GROUP BY \
    HAVING ORDER ASC DESC NULLS FIRST LAST LIMIT OFFSET USING SCOPE mine everything FOR VIEW UPDATE ALL ROWS \
    WITH SECURITY_ENFORCED TYPEOF WHEN THEN ELSE END FIELDS STANDARD CUSTOM COUNT() COUNT COUNT_DISTINCT SUM AVG \
    MIN MAX CALENDAR_YEAR DAY_ONLY WEEK_IN_YEAR HOUR_IN_DAY FORMAT toLabel convertTimezone Account Contact \
    Contacts Opportunity Opportunities Task Tasks Lead Case Mine__c Shafts__r Shaft__c User ContentDocumentLink \
    Id Name AccountId ParentId OwnerId Owner.Name Owner.Type What What.Type WhatId Who.Name Parent.Parent.Name \
    Account.Owner.Profile.Name Amount CloseDate CreatedDate SystemModstamp IsDeleted Interests__c Products__c \
    Customer_Number__c Value__c Opened__c Shift_Start__c Place__c Title__c BillingAddress Description a b.Name \
    null true false 0 1 2 7 -1.5 200 2001 'x' '' 'a%' '%_\\_' 'Brine;Road' '001000000000000' '001Ha0000000145IAA' \
    2026-01-05 2026-01-05T08:00:00Z 06:00:00Z TODAY LAST_N_DAYS:3 THIS_FISCAL_QUARTER N_YEARS_AGO:9 \
    SELECT\u{a0}Id\u{a0}FROM (SELECT\u{a0}Id\u{a0}FROM (SELECT\u{a0}AccountId\u{a0}FROM";

fn worded(bytes: &[u8]) -> String {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let chosen = bytes
        .iter()
        .filter_map(|b| words.get(usize::from(*b) % words.len()));
    chosen.copied().collect::<Vec<_>>().join(" ")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((how, rest)) = bytes.split_first() else {
        return;
    };
    let text = match how % 3 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        1 => worded(rest),
        _ => torn(rest),
    };
    ORG.query(&text, how & 64 == 0);
});
