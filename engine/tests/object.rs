//! A vault's place in object storage, against an S3 that fails, lies and forgets to answer on command.
//!
//! Key decision: each fault is one rule of the server, and what counts is what stands in the bucket afterwards, what
//! the caller was told, and how often the server was asked. It is not a test of S3 itself, nor of a network.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use halite_engine::Kind;
use halite_engine::ops::prune::{PruneOptions, prune};
use halite_engine::store::backend::{Backend, Begin};
use halite_engine::store::conformance::backend_suite;
use halite_engine::store::object::{Bucket, Patience};
use halite_engine::vault::{Secret, Vault, VaultOptions};
use halite_simulator_s3::{ACCESS_KEY, Act, Asked, Lie, Rule, S3, SECRET};

const NAME: &str = "packs/ab/1";

fn server() -> S3 {
    S3::start("vaults").unwrap()
}

/// Four requests, with hardly a pause; a generous time for an answer.
fn patience() -> Patience {
    Patience {
        requests: 4,
        pause: Duration::from_millis(1),
        ..Patience::default()
    }
}

/// The same, for servers that do not answer.
fn hasty() -> Patience {
    Patience {
        answer: Duration::from_secs(1),
        ..patience()
    }
}

fn bucket_with(s3: &S3, patience: Patience) -> Bucket {
    Bucket::open_with("s3://vaults/acme", s3.variables(), patience).unwrap()
}

/// A bucket that was probed before, so that what follows is all that is asked.
fn bucket(s3: &S3, patience: Patience) -> Bucket {
    let bucket = bucket_with(s3, patience);
    bucket.put_new("probed", b"").unwrap();
    s3.take_log();
    bucket
}

/// The methods of what was asked, in order.
fn methods(s3: &S3) -> Vec<String> {
    s3.take_log().into_iter().map(|asked| asked.method).collect()
}

fn puts(log: &[Asked]) -> usize {
    log.iter().filter(|asked| asked.method == "PUT").count()
}

/// Empty prefixes of one server, each a backend.
fn keeps_the_contract(s3: &S3) {
    let made = AtomicU32::new(0);
    backend_suite(&|| {
        let n = made.fetch_add(1, Ordering::SeqCst);
        let url = format!("s3://vaults/suite/{n}");
        Box::new(Bucket::open_with(&url, s3.variables(), patience()).unwrap())
    });
}

#[test]
fn a_bucket_keeps_the_contract() {
    let s3 = server();
    s3.page(3);
    keeps_the_contract(&s3);
}

#[test]
fn a_bucket_whose_etags_say_nothing_of_the_bytes_keeps_the_contract() {
    let s3 = server();
    s3.fresh_etags();
    keeps_the_contract(&s3);
}

#[test]
fn a_whole_bucket_is_a_place_too() {
    let s3 = server();
    let bucket = Bucket::open_with("s3://vaults", s3.variables(), patience()).unwrap();
    bucket.put_new(NAME, b"1").unwrap();
    assert!(bucket.swap_root(None, b"root").unwrap());
    assert_eq!(s3.keys(), [NAME, "root"]);
    assert_eq!(bucket.list("packs/").unwrap(), [NAME]);
}

/// What goes wrong with one PUT, and what is asked until it is settled.
const SETTLED: [(Act, &[&str]); 11] = [
    (Act::Answer(503, "SlowDown"), &["PUT", "GET", "PUT"]),
    (
        Act::Answer(409, "ConditionalRequestConflict"),
        &["PUT", "GET", "PUT"],
    ),
    (Act::DoAndAnswer(500, "InternalError"), &["PUT", "GET"]),
    (Act::DoAndAnswer(409, "OperationAborted"), &["PUT", "GET"]),
    (Act::HangUp, &["PUT", "GET", "PUT"]),
    (Act::DoAndHangUp, &["PUT", "GET"]),
    (Act::Silence, &["PUT", "GET", "PUT"]),
    (Act::DoAndSilence, &["PUT", "GET"]),
    // The first one arrives after the look: the second is refused by it, and the next look finds it.
    (Act::Late(1), &["PUT", "GET", "PUT", "GET"]),
    (Act::HangUpAndLate(1), &["PUT", "GET", "PUT", "GET"]),
    (Act::Slow(1, 1), &["PUT"]),
];

fn patience_for(act: Act) -> Patience {
    match act {
        Act::Silence | Act::DoAndSilence | Act::Late(_) => hasty(),
        _ => patience(),
    }
}

#[test]
fn an_unclear_put_is_settled_by_looking() {
    for (act, asked) in SETTLED {
        let s3 = server();
        let bucket = bucket(&s3, patience_for(act));
        s3.script(Rule::new("PUT", NAME, act));
        bucket.put_new(NAME, b"mine").unwrap();
        assert_eq!(methods(&s3), asked, "{act:?}");
        assert_eq!(s3.object(&format!("acme/{NAME}")).unwrap(), b"mine", "{act:?}");
        assert_eq!(bucket.put_new(NAME, b"mine").unwrap_err().kind(), Kind::Busy);
        assert_eq!(methods(&s3), ["PUT"], "412 to a first request needs no look");
    }
}

#[test]
fn an_unclear_put_of_a_name_that_others_have_is_taken() {
    for act in [
        Act::Answer(409, "ConditionalRequestConflict"),
        Act::Answer(500, "InternalError"),
        Act::HangUp,
        Act::Overtaken(b"others"),
        Act::Overtaken(b"min3"),
    ] {
        let s3 = server();
        let bucket = bucket(&s3, patience());
        if !matches!(act, Act::Overtaken(_)) {
            s3.plant(&format!("acme/{NAME}"), b"others");
        }
        s3.script(Rule::new("PUT", NAME, act));
        let e = bucket.put_new(NAME, b"mine").unwrap_err();
        assert_eq!(e.kind(), Kind::Busy, "{act:?}: {e}");
        assert_eq!(methods(&s3), ["PUT", "GET"], "{act:?}");
        assert_ne!(s3.object(&format!("acme/{NAME}")).unwrap(), b"mine", "{act:?}");
    }
}

#[test]
fn an_unclear_swap_is_settled_by_looking() {
    for expected in [None, Some(&b"old"[..])] {
        for (act, _) in SETTLED {
            let s3 = server();
            let bucket = bucket(&s3, patience_for(act));
            if let Some(old) = expected {
                s3.plant("acme/root", old);
            }
            s3.script(Rule::new("PUT", "root", act));
            assert!(bucket.swap_root(expected, b"new").unwrap(), "{act:?}");
            let log = s3.take_log();
            let once = matches!(
                act,
                Act::DoAndAnswer(..) | Act::DoAndHangUp | Act::DoAndSilence | Act::Slow(..)
            );
            assert_eq!(puts(&log), if once { 1 } else { 2 }, "{act:?}: {log:?}");
            let unconditional = log.iter().any(|a| a.method == "PUT" && a.condition.is_none());
            assert!(!unconditional, "{act:?}: {log:?}");
            assert_eq!(bucket.root().unwrap().unwrap(), b"new", "{act:?}");
        }
    }
}

#[test]
fn a_swap_that_others_overtook_is_lost() {
    for expected in [None, Some(&b"old"[..])] {
        let s3 = server();
        let bucket = bucket(&s3, patience());
        if let Some(old) = expected {
            s3.plant("acme/root", old);
        }
        s3.script(Rule::new("PUT", "root", Act::Overtaken(b"third")));
        assert!(!bucket.swap_root(expected, b"new").unwrap());
        assert_eq!(bucket.root().unwrap().unwrap(), b"third");
    }
}

#[test]
fn a_root_that_was_written_again_with_the_same_bytes_is_still_the_expected_one() {
    let s3 = server();
    s3.fresh_etags();
    let bucket = bucket(&s3, patience());
    s3.plant("acme/root", b"old");
    // Its ETag changes between the look and the swap.
    s3.script(Rule::new("PUT", "root", Act::Overtaken(b"old")));
    assert!(bucket.swap_root(Some(b"old"), b"new").unwrap());
    assert_eq!(bucket.root().unwrap().unwrap(), b"new");
}

#[test]
fn a_root_whose_etag_is_known_is_not_read_again() {
    let s3 = server();
    let bucket = bucket(&s3, patience());
    s3.plant("acme/root", b"1");
    assert_eq!(bucket.root().unwrap().unwrap(), b"1");
    s3.take_log();
    // Read, and then written by this very client.
    for (old, new) in [(b"1", b"2"), (b"2", b"3")] {
        assert!(bucket.swap_root(Some(old), new).unwrap());
        assert_eq!(methods(&s3), ["PUT"]);
    }
    s3.plant("acme/root", b"x");
    assert!(!bucket.swap_root(Some(b"3"), b"4").unwrap());
    assert_eq!(methods(&s3), ["PUT", "GET"], "others were quicker");
    assert!(bucket.swap_root(Some(b"x"), b"4").unwrap());
    assert_eq!(methods(&s3), ["GET", "PUT"]);
    assert_eq!(s3.object("acme/root").unwrap(), b"4");
}

#[test]
fn patience_ends_with_how_often_and_what_was_said_last() {
    let s3 = server();
    let bucket = bucket(&s3, patience());
    s3.plant("acme/packs/ab/2", b"x");
    for method in ["PUT", "GET", "HEAD", "DELETE", "LIST"] {
        let key = if method == "LIST" { "" } else { "ab/2" };
        s3.script(Rule::new(method, key, Act::Answer(503, "SlowDown")).times(100));
    }
    let root = Rule::new("PUT", "root", Act::Answer(503, "SlowDown")).times(100);
    s3.script(root);
    let failed = [
        ("reading packs/ab/2", bucket.get("packs/ab/2").map(drop)),
        (
            "reading packs/ab/2",
            bucket.get_range("packs/ab/2", 0, 1).map(drop),
        ),
        ("looking at packs/ab/2", bucket.size("packs/ab/2").map(drop)),
        ("deleting packs/ab/2", bucket.delete("packs/ab/2")),
        ("listing packs/", bucket.list("packs/").map(drop)),
        ("storing root", bucket.swap_root(None, b"new").map(drop)),
    ];
    for (what, outcome) in failed {
        let e = outcome.unwrap_err();
        assert_eq!(e.kind(), Kind::Io);
        let whole = format!("s3://vaults/acme: {what}: given up after 4 requests in ");
        assert!(e.message().starts_with(&whole), "{e}");
        // A HEAD has no body that could name a code.
        assert!(e.message().contains("the last answer was: 503"), "{e}");
        assert!(e.next_step().unwrap().contains("run it again"), "{e}");
    }
    assert_eq!(puts(&s3.take_log()), 4);
    s3.calm();
    assert!(bucket.swap_root(None, b"new").unwrap());
}

#[test]
fn a_look_that_fails_says_what_it_was_for() {
    let s3 = server();
    let bucket = bucket(&s3, patience());
    s3.script(Rule::new("PUT", NAME, Act::DoAndAnswer(500, "InternalError")));
    s3.script(Rule::new("GET", NAME, Act::Answer(503, "SlowDown")).times(100));
    let e = bucket.put_new(NAME, b"mine").unwrap_err();
    assert_eq!(e.kind(), Kind::Io);
    for words in [NAME, "after 500 InternalError", "looking at", "503 SlowDown"] {
        assert!(e.message().contains(words), "{words}: {e}");
    }
}

#[test]
fn answers_that_would_come_again_end_it_at_once() {
    for (status, code, kind, words) in [
        (401, "Unauthorized", Kind::Auth, "AWS_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", Kind::Auth, "AWS_SECRET_ACCESS_KEY"),
        (403, "RequestTimeTooSkewed", Kind::Auth, "clock"),
        (403, "AccessDenied", Kind::Denied, "grant"),
        (404, "NoSuchBucket", Kind::Invalid, "no such bucket"),
        (301, "PermanentRedirect", Kind::Invalid, "AWS_REGION"),
        (501, "NotImplemented", Kind::Unsupported, "another store"),
        (507, "XMinioStorageFull", Kind::Quota, "make room"),
        (400, "EntityTooLarge", Kind::Io, "400 EntityTooLarge"),
    ] {
        let s3 = server();
        let bucket = bucket(&s3, patience());
        for method in ["PUT", "GET"] {
            s3.script(Rule::new(method, NAME, Act::Answer(status, code)).times(100));
        }
        for outcome in [bucket.put_new(NAME, b"x"), bucket.get(NAME).map(drop)] {
            let e = outcome.unwrap_err();
            assert_eq!(e.kind(), kind, "{status} {code}: {e}");
            assert!(e.to_string().contains(words), "{status} {code}: {e}");
            assert!(e.message().contains(NAME), "{e}");
            let all = format!("{e:?} {e}");
            assert!(!all.contains(SECRET) && !all.contains(ACCESS_KEY), "{all}");
        }
        assert_eq!(methods(&s3), ["PUT", "GET"], "{status} {code}");
    }
}

#[test]
fn wrong_keys_and_absent_servers_are_told_apart() {
    let s3 = server();
    let with = |name: &str, value: &str| {
        let mut variables = s3.variables();
        variables.retain(|(other, _)| other != name);
        variables.push((name.to_owned(), value.to_owned()));
        Bucket::open_with("s3://vaults/acme", variables, patience()).unwrap()
    };
    let e = with("AWS_ACCESS_KEY_ID", "AKIAOTHER").root().unwrap_err();
    assert_eq!(e.kind(), Kind::Auth, "{e}");
    assert!(!e.to_string().contains("AKIA"), "{e}");
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let e = with("AWS_ENDPOINT_URL", &nobody).root().unwrap_err();
    assert_eq!(e.kind(), Kind::Io);
    assert!(e.message().contains("4 requests"), "{e}");
    assert!(e.next_step().unwrap().contains("AWS_ENDPOINT_URL"), "{e}");
    let elsewhere = Bucket::open_with("s3://elsewhere", s3.variables(), patience()).unwrap();
    let e = elsewhere.root().unwrap_err();
    assert_eq!(
        e.kind(),
        Kind::Invalid,
        "an absent bucket is not an absent root: {e}"
    );
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again() {
    let s3 = server();
    let bucket = bucket(&s3, hasty());
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    bucket.put_new(NAME, &bytes).unwrap();
    let failed = Act::Answer(500, "InternalError");
    for act in [Act::HalfBody, Act::HangUp, failed, Act::Silence] {
        s3.script(Rule::new("GET", NAME, act).times(2));
        assert_eq!(bucket.get(NAME).unwrap(), bytes, "{act:?}");
        s3.script(Rule::new("GET", NAME, act).times(2));
        assert_eq!(
            bucket.get_range(NAME, 10, 500_000).unwrap(),
            bytes[10..500_010],
            "{act:?}"
        );
        for (from, want) in [
            (Begin::At(700_000), &bytes[700_000..]),
            (Begin::Tail, &bytes[500_000..]),
        ] {
            s3.script(Rule::new("GET", NAME, act).times(2));
            let part = bucket.get_part(NAME, from, 500_000).unwrap();
            assert!(part.0 == want && part.1 == 1_000_000, "{act:?}, {from:?}");
        }
    }
}

#[test]
fn large_ranges_are_read_in_pieces_and_one_that_fails_is_read_again() {
    let s3 = server();
    let bucket = bucket(&s3, patience());
    let bytes: Vec<u8> = (0..30_000_000_u32).map(|n| (n % 253) as u8).collect();
    bucket.put_new(NAME, &bytes).unwrap();
    s3.take_log();
    s3.script(Rule::new("GET", NAME, Act::HalfBody).after(2));
    assert_eq!(
        bucket.get_range(NAME, 1, 20_000_000).unwrap(),
        bytes[1..20_000_001]
    );
    let asked: Vec<String> = s3
        .take_log()
        .into_iter()
        .filter_map(|asked| asked.range)
        .collect();
    let mut once = asked.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((asked.len(), once.len()), (6, 5), "{asked:?}");
    assert!(asked.contains(&"bytes=1-4194304".to_owned()), "{asked:?}");
    assert_eq!(
        bucket.get_range(NAME, 1, 30_000_000).unwrap_err().kind(),
        Kind::Corrupt,
        "it ends before"
    );
}

#[test]
fn stores_that_do_not_keep_conditions_are_refused_before_the_first_byte() {
    for (lie, words) in [
        (Lie::All, "created twice"),
        (Lie::Creates, "created twice"),
        (Lie::Replaces, "stale ETag"),
        (Lie::Races, "8 writers at once"),
    ] {
        let s3 = server();
        s3.lie(lie);
        let bucket = Arc::new(bucket_with(&s3, patience()));
        let e = Vault::create(bucket.clone(), &Secret::None, VaultOptions::default())
            .err()
            .unwrap();
        assert_eq!(e.kind(), Kind::Unsupported, "{lie:?}: {e}");
        assert!(e.message().contains(words), "{lie:?}: {e}");
        assert!(e.next_step().unwrap().contains("nothing was written"), "{e}");
        assert!(s3.keys().is_empty(), "{lie:?}: {:?}", s3.keys());
        assert_eq!(
            bucket.swap_root(None, b"x").unwrap_err().kind(),
            Kind::Unsupported
        );
        // The same store once it is mended.
        s3.lie(Lie::None);
        bucket.put_new(NAME, b"x").unwrap();
    }
}

#[test]
fn a_store_is_probed_once_and_only_by_writers() {
    let s3 = server();
    let bucket = bucket_with(&s3, patience());
    assert!(bucket.get(NAME).is_err() && bucket.root().unwrap().is_none());
    assert!(bucket.list("").unwrap().is_empty());
    assert_eq!(methods(&s3), ["GET", "GET", "LIST"]);
    bucket.put_new(NAME, b"1").unwrap();
    let probed = s3.take_log();
    assert!(
        probed
            .iter()
            .filter(|asked| asked.key.starts_with("acme/tmp/"))
            .count()
            > 20
    );
    bucket.put_new("packs/ab/2", b"2").unwrap();
    assert!(bucket.swap_root(None, b"root").unwrap());
    assert_eq!(methods(&s3), ["PUT", "GET", "PUT"]);
    assert_eq!(s3.keys(), ["acme/packs/ab/1", "acme/packs/ab/2", "acme/root"]);
}

#[test]
fn a_probe_takes_a_store_that_stumbles_for_an_honest_one() {
    for act in [
        Act::Answer(503, "SlowDown"),
        Act::Answer(409, "ConditionalRequestConflict"),
        Act::DoAndAnswer(500, "InternalError"),
        Act::DoAndHangUp,
    ] {
        for key in ["-one", "-many"] {
            for pass in 0..6 {
                let s3 = server();
                s3.script(Rule::new("PUT", key, act).after(pass));
                let bucket = bucket_with(&s3, patience());
                bucket
                    .put_new(NAME, b"1")
                    .unwrap_or_else(|e| panic!("{act:?} {key} {pass}: {e}"));
                assert_eq!(s3.keys(), ["acme/packs/ab/1"]);
            }
        }
    }
}

#[test]
fn what_a_crashed_probe_left_is_removed_by_prune_once_it_is_a_day_old() {
    let s3 = server();
    let gone = |key: &str| Rule::new("DELETE", key, Act::Answer(403, "AccessDenied"));
    s3.script(gone("-one"));
    s3.script(gone("-many"));
    let bucket = Arc::new(bucket_with(&s3, patience()));
    let vault = Vault::create(bucket, &Secret::None, VaultOptions::default()).unwrap();
    for key in ["acme/tmp-x", "acme/tmpx/y", "other/tmp/x", "tmp/x"] {
        s3.plant(key, b"somebody else's");
    }
    let left = || {
        s3.keys()
            .iter()
            .filter(|key| key.starts_with("acme/tmp/"))
            .count()
    };
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let mut all = s3.keys();
    for (hours_more, stay) in [(0, 2), (23, 2), (2, 0)] {
        s3.age(hours(hours_more));
        prune(&vault, &PruneOptions::default()).unwrap();
        assert_eq!(left(), stay, "{hours_more} hours later");
    }
    all.retain(|key| !key.starts_with("acme/tmp/"));
    assert_eq!(s3.keys(), all);
    // Nothing is left of the probe of another writer that goes well.
    bucket_with(&s3, patience()).put_new(NAME, b"1").unwrap();
    assert_eq!(left(), 0);
}

#[test]
fn a_vault_whose_every_write_is_answered_by_an_error_is_whole_all_the_same() {
    let s3 = server();
    let bucket = Arc::new(bucket(&s3, patience()));
    s3.script(Rule::new("PUT", "", Act::DoAndAnswer(500, "InternalError")).times(1000));
    Vault::create(bucket.clone(), &Secret::None, VaultOptions::default()).unwrap();
    let opened = Vault::open(bucket, &Secret::None, VaultOptions::default()).unwrap();
    assert!(opened.orgs().is_empty());
    let log = s3.take_log();
    let names: std::collections::BTreeSet<_> =
        log.iter().filter(|a| a.method == "PUT").map(|a| &a.key).collect();
    assert_eq!(puts(&log), names.len(), "nothing was sent twice");
}
