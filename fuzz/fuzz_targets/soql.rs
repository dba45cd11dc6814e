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

/// Queries that are answered, a blank between any two tokens.
const SOUND: [&str; 6] = [
    "SELECT Id , Name , Parent.Owner.Name FROM Account WHERE ( Name LIKE 'a%' OR ParentId != null ) AND NOT NumberOfEmployees < 5 ORDER BY Name DESC NULLS LAST LIMIT 9",
    "SELECT Id , ( SELECT Id , Amount FROM Opportunities WHERE Amount > 5 ORDER BY Amount LIMIT 2 ) , toLabel ( Industry ) FROM Account a WHERE a.Name != null AND Id IN ( SELECT AccountId FROM Contact WHERE Birthdate < TODAY ) ORDER BY Id LIMIT 30",
    "SELECT COUNT ( Id ) n , MAX ( Amount ) , CALENDAR_YEAR ( CloseDate ) FROM Opportunity WHERE CloseDate = LAST_N_YEARS:9 GROUP BY CALENDAR_YEAR ( CloseDate ) HAVING COUNT ( Id ) > 1 ORDER BY COUNT ( Id ) DESC LIMIT 5",
    "SELECT Subject , TYPEOF What WHEN Account THEN Phone , Owner.Name ELSE Name END FROM Task USING SCOPE mine WHERE What.Type IN ( 'Account' ) AND Id NOT IN ( SELECT Id FROM Event ) FOR VIEW",
    "SELECT FIELDS ( STANDARD ) , FORMAT ( Value__c ) v FROM Mine__c WHERE Shift_Start__c < 09:00:00Z AND Products__c INCLUDES ( 'Brine;Road salt' , 'x' ) LIMIT 200",
    "SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-05T08:00:00Z AND Id >= '003Ha0000000145IAA' AND AccountId IN ( '001Ha0000000145IAA' , null ) ORDER BY SystemModstamp , Id OFFSET 3",
];

fn word(byte: u8) -> &'static str {
    let count = WORDS.split(' ').count();
    WORDS
        .split(' ')
        .nth(usize::from(byte) % count)
        .unwrap_or_default()
}

fn worded(bytes: &[u8]) -> String {
    bytes.iter().map(|b| word(*b)).collect::<Vec<_>>().join(" ")
}

/// The first byte chooses a query; each three after it do something at a place with a word.
fn torn(bytes: &[u8]) -> String {
    let Some((which, changes)) = bytes.split_first() else {
        return String::new();
    };
    let mut words: Vec<&str> = SOUND[usize::from(*which) % SOUND.len()].split(' ').collect();
    for change in changes.chunks_exact(3) {
        let at = usize::from(change[1]) % (words.len() + 1);
        match change[0] % 3 {
            0 => words.insert(at, word(change[2])),
            1 if at < words.len() => words[at] = word(change[2]),
            2 if at < words.len() => drop(words.remove(at)),
            _ => {}
        }
    }
    words.join(" ")
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
