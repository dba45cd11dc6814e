//! The text of each kind of value: Ids with their checksum, names, phones, dates, free text.
//!
//! Key decision: values are written straight into the line; nothing here needs escaping in JSON but the quotes around.
//! This is not a library of fakes: it has what makes records compress and diff like real ones, and no more.

use std::io::Write;

use crate::random::Random;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const FIRST: &[&str] = &[
    "Maria", "John", "Anna", "Peter", "Sofia", "James", "Léa", "Tom", "Ingrid", "Omar", "Grace", "Paul",
    "Nora", "Ivan", "Chloe", "Mark", "Aisha", "Björn", "Helen", "Luca", "Emma", "David", "Yuki", "Carlos",
    "Ruth", "Sven",
];
const LAST: &[&str] = &[
    "Smith",
    "Müller",
    "Jones",
    "Garcia",
    "Brown",
    "Schmidt",
    "Taylor",
    "Martin",
    "Wilson",
    "Rossi",
    "Novak",
    "Silva",
    "Johansson",
    "Murphy",
    "Dubois",
    "Kowalski",
    "Walker",
    "Fischer",
    "Evans",
    "Santos",
    "Weber",
    "Clarke",
    "Hansen",
];
const STREETS: &[&str] = &[
    "High Street",
    "Station Road",
    "Hauptstraße",
    "Rue de la Gare",
    "Church Lane",
    "Mill Road",
    "Park Avenue",
];
const TRADES: &[&str] = &[
    "Logistics",
    "Systems",
    "Holding",
    "Foods",
    "Energy",
    "Partners",
    "Medical",
    "Textiles",
    "Bau",
    "Media",
];
const SYLLABLES: &[&str] = &[
    "con", "ter", "a", "re", "lo", "ma", "ti", "on", "per", "se", "di", "ver", "al", "en", "su", "port",
    "ca", "li", "pro", "ment", "in", "or", "est", "um", "ra", "ne", "co", "de",
];

/// Words of the free text.
pub const VOCABULARY: u64 = 3_000;

/// An 18-character Id: prefix, instance, a number in base 62 so that bytes sort as numbers do, checksum.
pub fn id(out: &mut Vec<u8>, prefix: &str, mut number: u64) {
    let mut id = *b"000Hs00000000000AA";
    id[..3].copy_from_slice(prefix.as_bytes());
    for digit in id[5..15].iter_mut().rev() {
        *digit = BASE62[(number % 62) as usize];
        number /= 62;
    }
    let check = checksum(&id[..15]);
    out.extend_from_slice(&id[..15]);
    out.extend_from_slice(&check);
}

/// The three characters that tell which of the fifteen are capitals.
pub fn checksum(id: &[u8]) -> [u8; 3] {
    let mut check = [0u8; 3];
    for (block, sum) in id.chunks(5).zip(&mut check) {
        let bits = block
            .iter()
            .enumerate()
            .filter(|(_, byte)| byte.is_ascii_uppercase());
        *sum = CHECK[bits.map(|(bit, _)| 1 << bit).sum::<usize>()];
    }
    check
}

/// The year, month and day that lie so many days after 1970-01-01 (Hinnant's algorithm for days from March 0000).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `YYYY-MM-DD`.
pub fn date(out: &mut Vec<u8>, days: i64) {
    let (year, month, day) = civil(days);
    digits(out, year as u64, 4);
    out.push(b'-');
    digits(out, month as u64, 2);
    out.push(b'-');
    digits(out, day as u64, 2);
}

/// `YYYY-MM-DDTHH:MM:SS.000+0000`, as REST writes it.
pub fn datetime(out: &mut Vec<u8>, seconds: i64) {
    date(out, seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400) as u64;
    for (mark, value) in [(b'T', time / 3_600), (b':', time / 60 % 60), (b':', time % 60)] {
        out.push(mark);
        digits(out, value, 2);
    }
    out.extend_from_slice(b".000+0000");
}

fn digits(out: &mut Vec<u8>, value: u64, width: u32) {
    out.extend(
        (0..width)
            .rev()
            .map(|place| b'0' + (value / 10u64.pow(place) % 10) as u8),
    );
}

/// A number with two decimals, or one, or none, as the API writes doubles.
pub fn amount(out: &mut Vec<u8>, cents: u64) {
    let _ = match (cents % 100, cents % 10) {
        (0, _) => write!(out, "{}.0", cents / 100),
        (_, 0) => write!(out, "{}.{}", cents / 100, cents / 10 % 10),
        _ => write!(out, "{}.{:02}", cents / 100, cents % 100),
    };
}

/// A first name.
pub fn first(random: &mut Random) -> &'static str {
    random.pick(FIRST)
}

/// A last name; one in three has two parts.
pub fn last(out: &mut Vec<u8>, random: &mut Random) {
    out.extend_from_slice(random.pick(LAST).as_bytes());
    if random.below(3) == 0 {
        out.push(b'-');
        out.extend_from_slice(random.pick(LAST).as_bytes());
    }
}

/// A company's name: whose it is, its trade, its form.
pub fn company(out: &mut Vec<u8>, random: &mut Random) {
    last(out, random);
    let _ = write!(
        out,
        " {} {}",
        random.pick(TRADES),
        random.pick(&["GmbH", "Ltd", "Inc.", "SA", "AB", "& Co"])
    );
}

/// A phone number.
pub fn phone(out: &mut Vec<u8>, random: &mut Random) {
    let _ = write!(
        out,
        "+{} {} {:07}",
        random.pick(&["44", "49", "1", "33"]),
        20 + random.below(70),
        random.below(10_000_000)
    );
}

/// A street with its number.
pub fn street(out: &mut Vec<u8>, random: &mut Random) {
    let _ = write!(out, "{} {}", 1 + random.skewed(300), random.pick(STREETS));
}

/// One word of the vocabulary: two to five syllables that follow from its number.
pub fn word(out: &mut Vec<u8>, number: u64) {
    let mut random = Random::of([0x0057_4F52_4453, number, 0, 0]);
    for _ in 0..2 + number % 3 + u64::from(number > VOCABULARY / 2) {
        out.extend_from_slice(SYLLABLES[random.below(SYLLABLES.len() as u64) as usize].as_bytes());
    }
}

/// All words.
pub fn vocabulary() -> Vec<Vec<u8>> {
    let spelt = |number| {
        let mut text = Vec::new();
        word(&mut text, number);
        text
    };
    (0..VOCABULARY).map(spelt).collect()
}

/// Free text of at least so many bytes, in sentences.
pub fn text(out: &mut Vec<u8>, random: &mut Random, vocabulary: &[Vec<u8>], bytes: usize) {
    let end = out.len() + bytes;
    while out.len() < end {
        let start = out.len();
        for _ in 0..4 + random.below(12) {
            out.extend_from_slice(&vocabulary[random.skewed(VOCABULARY) as usize]);
            out.push(b' ');
        }
        out[start].make_ascii_uppercase();
        let space = out.len() - 1;
        out[space] = b'.';
        if out.len() < end {
            out.push(b' ');
        }
    }
}
