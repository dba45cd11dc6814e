//! SOQL's grammar and its bounds.
//!
//! Key decision: besides written cases, a great number of queries torn and glued together from a seed, none
//! of which may do worse than be refused.
//! Not here: what queries find in an org (`tests/http/query`).

use super::ast::{Cond, Literal, Op, Select};
use super::cursor::Cursors;
use super::lexer::located;
use super::page::{MAX_PAGE, Pager};
use super::plan::Shape;
use super::{group, parser::parse, plan, run};
use crate::id::mix;
use crate::org::State;
use crate::sample;
use crate::schema::{Field, Kind};

fn literal(text: &str) -> Option<Literal> {
    let query = parse(&format!("SELECT Id FROM A WHERE x = {text}")).ok()?;
    match query.filter {
        Some(Cond::Compare(_, Op::Eq, literal)) => Some(literal),
        _ => None,
    }
}

#[test]
fn literals() {
    assert_eq!(literal("null"), Some(Literal::Null));
    assert_eq!(literal("-1.5e3"), Some(Literal::Number("-1.5e3".into())));
    assert_eq!(literal("2024-02-29"), Some(Literal::Date("2024-02-29".into())));
    let at = "2024-02-29T12:00:00+01:00";
    assert_eq!(literal(at), Some(Literal::DateTime(at.into())));
    assert_eq!(
        literal(r"'it\'s \\ \n \u0041'"),
        Some(Literal::Text("it's \\ \n A".into()))
    );
    for bad in [
        "'open", r"'\q'", r"'\u00'", "12x", "2024-02", "\"x\"", "", "'a' 'b'", "é",
    ] {
        assert_eq!(literal(bad), None, "{bad}");
    }
}

#[test]
fn shapes() {
    let query = parse("select count() from Account where (a = 1 or b = 2) and not c in ('x') order by d desc nulls last, e limit 5 offset 2").unwrap();
    assert_eq!(query.select, Select::Count);
    assert!(matches!(query.filter, Some(Cond::And(ref all)) if all.len() == 2));
    assert!(query.order[0].descending && query.order[0].nulls_last && !query.order[1].descending);
    assert_eq!((query.limit, query.offset), (Some(5), Some(2)));
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = format!(
        "SELECT Id FROM A WHERE {}x = 1{}",
        "(".repeat(5000),
        ")".repeat(5000)
    );
    assert_eq!(parse(&deep).unwrap_err().code, "QUERY_TOO_COMPLICATED");
    let nots = format!("SELECT Id FROM A WHERE {}x = 1", "NOT ".repeat(5000));
    assert!(parse(&nots).is_err());
    let long = format!("SELECT {} FROM A", "a,".repeat(60_000));
    assert_eq!(parse(&long).unwrap_err().code, "MALFORMED_QUERY");
    let literal = format!("SELECT Id FROM A WHERE x = '{}'", "y".repeat(4001));
    assert!(parse(&literal).is_err());
}

#[test]
fn errors_show_the_place() {
    let shown = located("SELECT Id\nFROM Nope", 15, "gone");
    assert!(shown.ends_with("^\nERROR at Row:2:Column:6\ngone"), "{shown}");
}

#[test]
fn formulas_grow_a_query() {
    let mut state = sample::state();
    let mut object = state.schema.object("Mine__c").unwrap().as_ref().clone();
    for n in 0..30 {
        object.put(Field {
            formula_text: Some("1 + ".repeat(900) + "1"),
            ..Field::new(&format!("F{n}__c"), Kind::Double)
        });
    }
    state.redefine(object);
    let with = |count: usize| {
        let fields: Vec<String> = (0..count).map(|n| format!("F{n}__c")).collect();
        let text = format!("SELECT {} FROM Mine__c", fields.join(","));
        plan::bind(&state, &text, &parse(&text).unwrap()).map(drop)
    };
    assert_eq!(with(25), Ok(()));
    assert_eq!(with(30).unwrap_err().code, "QUERY_TOO_COMPLICATED");
}

#[test]
fn cursors_are_their_users_and_die() {
    let mut state = sample::state();
    state.settings.page_size = 10;
    let text = "SELECT Id FROM Account";
    let plan = plan::bind(&state, text, &parse(text).unwrap()).unwrap();
    let mut cursors = Cursors::default();
    let mut more = |state: &State, locator: Option<&str>| {
        let mut pager = Pager {
            state,
            cursors: &mut cursors,
            version: "v67.0",
            resource: "query",
        };
        let page = match locator {
            None => pager.start(plan.clone(), false, MAX_PAGE),
            Some(locator) => pager.more(locator),
        };
        let page = serde_json::to_value(page.map_err(|e| e.code)?).unwrap();
        let url = page["nextRecordsUrl"].as_str().unwrap().to_owned();
        Ok::<_, &str>(url.rsplit('/').next().unwrap().to_owned())
    };
    let dead = Err("INVALID_QUERY_LOCATOR");
    let locator = more(&state, None).unwrap();
    assert!(locator.starts_with("0r8") && more(&state, Some(&locator)).is_ok());
    let user = std::mem::replace(&mut state.running, "005000000000000AAA".to_owned());
    assert_eq!(more(&state, Some(&locator)), dead);
    state.running = user;
    assert_eq!(more(&state, Some("0r8-1")), dead);
    assert_eq!(more(&state, Some(&locator.replace('-', "-99"))), dead);
    state.clock.advance(state.settings.locator_life);
    assert!(more(&state, Some(&locator)).is_ok());
    state.clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(more(&state, Some(&locator)), dead);
}

/// Sound queries to tear apart; a blank stands between any two tokens.
const SOUND: [&str; 8] = [
    "SELECT Id , Name , Parent.Owner.Name FROM Account WHERE ( Name LIKE 'a%' OR ParentId != null ) AND NOT NumberOfEmployees < 5 ORDER BY Name DESC NULLS LAST LIMIT 9",
    "SELECT COUNT() FROM Mine__c WHERE Opened__c >= 2020-01-01 AND Products__c INCLUDES ( 'Brine' , 'Road salt' )",
    "SELECT Id FROM Contact WHERE SystemModstamp > 2026-01-05T08:00:00Z AND Id NOT IN ( '003Ha0000000145IAA' ) ORDER BY SystemModstamp , Id",
    "SELECT Id , ( SELECT Id , Amount FROM Opportunities WHERE Amount > 5 ORDER BY Amount LIMIT 2 ) , toLabel ( Industry ) FROM Account a WHERE a.Name != null AND Id IN ( SELECT AccountId FROM Contact WHERE Birthdate < TODAY ) ORDER BY Id LIMIT 30",
    "SELECT COUNT ( Id ) n , MAX ( Amount ) , CALENDAR_YEAR ( CloseDate ) FROM Opportunity WHERE CloseDate = LAST_N_YEARS:9 GROUP BY CALENDAR_YEAR ( CloseDate ) HAVING COUNT ( Id ) > 1 ORDER BY COUNT ( Id ) DESC LIMIT 5",
    "SELECT Subject , TYPEOF What WHEN Account THEN Phone , Owner.Name ELSE Name END FROM Task USING SCOPE mine WHERE What.Type IN ( 'Account' ) AND Id NOT IN ( SELECT Id FROM Event ) FOR VIEW",
    "SELECT FIELDS ( STANDARD ) , FORMAT ( Value__c ) v FROM Mine__c WHERE Shift_Start__c < 09:00:00Z AND CreatedDate >= N_DAYS_AGO:3 LIMIT 200",
    "SELECT Owner.Type FROM Lead WHERE Owner.Name = 'Ada Lovelace' AND IsConverted = false OFFSET 3",
];

fn answer(state: &State, plan: &plan::Plan, all: bool) {
    match &plan.shape {
        Shape::Count => drop(run::count(state, plan, all)),
        Shape::Groups(groups) => drop(group::rows(state, plan, groups, all)),
        Shape::Rows(_) => {
            for id in run::find(state, plan, all).iter().take(50) {
                run::show(state, plan, id.text(), all, "v67.0");
            }
        }
    }
}

#[test]
fn torn_queries_are_refused_and_nothing_worse() {
    let state = sample::state();
    let words: Vec<&str> = SOUND
        .iter()
        .flat_map(|q| q.split(' '))
        .chain(["'\\", "é🧂", ".", "-", "''"])
        .collect();
    let (mut answered, mut refused) = (0, 0);
    for seed in 0..6_000u64 {
        let pick = |what: &str, of: usize| usize::try_from(mix(seed, what)).unwrap_or(0) % of;
        let mut tokens: Vec<&str> = SOUND[pick("query", SOUND.len())].split(' ').collect();
        for n in 0..pick("times", 4) {
            let at = pick(&format!("at{n}"), tokens.len());
            let word = words[pick(&format!("word{n}"), words.len())];
            match pick(&format!("how{n}"), 3) {
                0 => tokens[at] = word,
                1 => tokens.insert(at, word),
                _ => drop(tokens.remove(at)),
            }
        }
        let text = tokens.join(" ");
        let plan = parse(&text).and_then(|query| plan::bind(&state, &text, &query));
        match plan {
            Ok(plan) => {
                answer(&state, &plan, seed % 3 == 0);
                answered += 1;
            }
            Err(e) => {
                assert_eq!(e.status, 400, "{text}: {e}");
                refused += 1;
            }
        }
    }
    assert!(
        answered > 1200 && refused > 1500,
        "{answered} answered, {refused} refused"
    );
}
