//! Formulas, computed on a small row.
//!
//! Key decision: one table of texts and results for values and one for conditions, so that a function's
//! meaning is a line.
//! Not here: what names mean on a real row (`org::compute`).

use super::*;

struct Row {
    new: bool,
}

impl Scope for Row {
    fn read(&self, path: &str) -> Val {
        match path {
            "Name" => Val::Text("Ada".into()),
            "Account.Name" => Val::Text("Salt".into()),
            "Size__c" => Val::Num(4.0),
            "Stage" => Val::Text("Won".into()),
            "Listed__c" => Val::Day(Date::constant(2024, 1, 31)),
            "Interests__c" => Val::Text("Brine;Road salt".into()),
            _ => Val::Null,
        }
    }

    fn before(&self, path: &str) -> Val {
        if path == "Size__c" && !self.new {
            Val::Num(3.0)
        } else {
            self.read(path)
        }
    }

    fn is_new(&self) -> bool {
        self.new
    }

    fn now(&self) -> Timestamp {
        Timestamp::constant(1_706_000_000, 0)
    }

    fn today(&self) -> Date {
        Date::constant(2024, 2, 10)
    }
}

#[track_caller]
fn eval(text: &str) -> Val {
    let formula = Formula::parse(text).unwrap_or_else(|| panic!("not understood: {text}"));
    formula.eval(&Row { new: false })
}

#[test]
fn values() {
    for (text, wanted) in [
        ("Name & \" x \" & TEXT(Size__c)", Val::Text("Ada x 4".into())),
        ("Account.Name + '!'", Val::Text("Salt!".into())),
        ("Size__c * (2 + 1) - 2", Val::Num(10.0)),
        ("2 ^ 3 * -1", Val::Num(-8.0)),
        ("Size__c / 0", Val::Null),
        ("TODAY() - Listed__c", Val::Num(10.0)),
        ("Listed__c + 1", Val::Day(Date::constant(2024, 2, 1))),
        ("ADDMONTHS(Listed__c, 1)", Val::Day(Date::constant(2024, 2, 29))),
        ("DATE(2024, 2, 30)", Val::Null),
        ("YEAR(TODAY()) + MONTH(TODAY())", Val::Num(2026.0)),
        ("WEEKDAY(DATE(2024, 2, 11))", Val::Num(1.0)),
        ("MOD(-1, 3)", Val::Num(2.0)),
        ("ROUND(1.255, 1)", Val::Num(1.3)),
        ("CEILING(-2.5) + FLOOR(-2.5)", Val::Num(-5.0)),
        ("VALUE('1,234.5')", Val::Num(1234.5)),
        ("MID('abcdef', 2, 3) & RIGHT('xyz', 1)", Val::Text("bcdz".into())),
        ("FIND('l', 'hello', 4)", Val::Num(4.0)),
        ("LPAD('7', 3, '0')", Val::Text("007".into())),
        ("CASE(Stage, 'Lost', 0, 'Won', 1, 9)", Val::Num(1.0)),
        ("BLANKVALUE(Gone__c, 'none')", Val::Text("none".into())),
        ("PRIORVALUE(Size__c)", Val::Num(3.0)),
        ("/* a note */ LEN('öé')", Val::Num(2.0)),
    ] {
        assert_eq!(eval(text), wanted, "{text}");
    }
}

#[test]
fn conditions() {
    for (text, wanted) in [
        (
            "AND(ISPICKVAL(Stage, 'Won'), NOT(ISBLANK(Name)), Size__c >= 4)",
            true,
        ),
        ("Stage = 'won'", false),
        ("Gone__c > 1 || Gone__c <= 1", false),
        ("ISBLANK(Gone__c) && !ISNEW()", true),
        ("Gone__c = ''", true),
        ("ISCHANGED(Size__c)", true),
        ("ISCHANGED(Name)", false),
        ("REGEX('A-123', '[A-Z]-\\\\d{3}')", true),
        ("REGEX('A-1234', '[A-Z]-\\\\d{3}')", false),
        ("INCLUDES(Interests__c, 'Brine')", true),
        ("CONTAINS(Name, 'd') && BEGINS(Name, 'A')", true),
        (
            "Listed__c < TODAY() && NOW() < DATETIMEVALUE('2030-01-01 00:00:00')",
            true,
        ),
        ("IF(Size__c <> 4, FALSE, TRUE)", true),
    ] {
        assert_eq!(eval(text), Val::Bool(wanted), "{text}");
    }
    let formula = Formula::parse("ISCHANGED(Size__c) || PRIORVALUE(Size__c) = 3").unwrap();
    assert!(!formula.holds(&Row { new: true }));
}

#[test]
fn unknown_parts_make_it_unknown() {
    for text in [
        "VLOOKUP(a, b, c)",
        "TODAY(1)",
        "CASE(a, 1, 2)",
        "ISCHANGED('x')",
        "1 +",
        "(1",
        "\"open",
        "a # b",
        &"(".repeat(500),
        &"!".repeat(500),
    ] {
        assert_eq!(Formula::parse(text), None, "{text}");
    }
}

#[test]
fn fields_are_listed() {
    let formula = Formula::parse("IF(ISBLANK(Account.Name), $User.Id, -Size__c & !B)").unwrap();
    assert_eq!(formula.fields(), ["Account.Name", "$User.Id", "Size__c", "B"]);
}
