//! Names, places and texts of a generated org.
//!
//! Key decision: small lists and made-up words, skewed, so that values repeat as they do in real orgs; some free
//! text is one of a few canned pieces, as macros and imports leave them.
//! Not here: which field gets what (`tables`).

use super::random::Random;

pub(super) const FIRST: &[&str] = &[
    "Maria", "John", "Anna", "Peter", "Zoë", "James", "Léa", "Omar", "Ingrid", "Łukasz", "Grace", "Ivan",
    "Aisha", "Björn", "Yuki", "Carlos", "Ruth", "Sven", "Chloé", "O'Neil",
];
pub(super) const LAST: &[&str] = &[
    "Smith",
    "Müller",
    "García",
    "Nowak",
    "Brown",
    "Åkesson",
    "Rossi",
    "Dubois",
    "Silva",
    "Novák",
    "Murphy",
    "Kowalski",
    "Иванов",
    "田中",
    "d'Arcy",
    "Hansen",
    "Okafor",
    "Smith-Jones",
    "Fischer",
    "Santos",
];
pub(super) const CITIES: &[&str] = &[
    "London",
    "Hallein",
    "Berlin",
    "Lyon",
    "Austin",
    "Toronto",
    "Dublin",
    "Zürich",
    "Porto",
    "Kraków",
    "Oslo",
    "Madrid",
    "Malmö",
    "Graz",
    "東京",
    "São Paulo",
];
pub(super) const COUNTRIES: &[&str] = &[
    "United Kingdom",
    "Österreich",
    "Germany",
    "United States",
    "France",
    "Canada",
    "Switzerland",
    "日本",
];
const STREETS: &[&str] = &[
    "High Street",
    "Salzgasse",
    "Station Road",
    "Rue de la Gare",
    "Mill Lane",
];
const TRADES: &[&str] = &[
    "Salt",
    "Brine",
    "Foods",
    "Road Care",
    "Spa",
    "Chemicals",
    "Shipping",
    "Holding",
];
const FORMS: &[&str] = &["Ltd", "GmbH", "Inc.", "S.A.", "& Sons", "AG", "Oy"];
const SYLLABLES: &[&str] = &[
    "con", "ter", "a", "re", "lo", "ma", "ti", "on", "per", "se", "di", "ver", "al", "en", "su", "port",
    "ca", "li", "pro", "ment", "in", "or", "est", "um", "ra", "né", "co", "dü",
];

/// Words of free text.
const VOCABULARY: u64 = 2_000;
/// Canned pieces of free text.
const CANNED: u64 = 48;

/// The words of an org.
#[derive(Debug)]
pub(super) struct Words {
    vocabulary: Vec<String>,
    canned: Vec<String>,
}

impl Words {
    pub fn new() -> Self {
        let mut random = Random::of(0x776F_7264, 0);
        let vocabulary = (0..VOCABULARY)
            .map(|n| {
                (0..2 + n % 3)
                    .map(|_| SYLLABLES[random.below(SYLLABLES.len() as u64) as usize])
                    .collect()
            })
            .collect();
        let mut words = Self {
            vocabulary,
            canned: Vec::new(),
        };
        words.canned = (0..CANNED)
            .map(|n| words.sentences(&mut random, 60 + 40 * (n % 6)))
            .collect();
        words
    }

    fn word(&self, random: &mut Random) -> &str {
        &self.vocabulary[random.place(self.vocabulary.len())]
    }

    /// A capitalised word.
    fn name(&self, random: &mut Random) -> String {
        let word = &self.vocabulary[random.below(VOCABULARY) as usize];
        let mut chars = word.chars();
        chars
            .next()
            .into_iter()
            .flat_map(char::to_uppercase)
            .chain(chars)
            .collect()
    }

    /// A company; a few names are those of many.
    pub fn company(&self, random: &mut Random) -> String {
        let name = self.name(random);
        format!("{name} {} {}", random.pick(TRADES), random.pick(FORMS))
    }

    /// A few words on one line.
    pub fn line(&self, random: &mut Random, most: u64) -> String {
        let words: Vec<&str> = (0..1 + random.below(most)).map(|_| self.word(random)).collect();
        words.join(" ")
    }

    /// Sentences of about so many bytes, or a canned piece; now and then lines and awkward characters.
    pub fn prose(&self, random: &mut Random, bytes: u64) -> String {
        if random.percent(35) {
            return self.canned[random.place(self.canned.len())].clone();
        }
        let length = bytes / 4 + random.skewed(3 * bytes);
        let mut text = self.sentences(random, length);
        if random.percent(4) {
            text.push_str("\n\n\"see above\", <b>urgent</b> & 100% 🧂");
        }
        text
    }

    fn sentences(&self, random: &mut Random, bytes: u64) -> String {
        let mut text = String::with_capacity(bytes as usize + 100);
        while (text.len() as u64) < bytes.max(1) {
            if !text.is_empty() {
                text.push(if random.percent(8) { '\n' } else { ' ' });
            }
            text.push_str(&self.name(random));
            for _ in 0..3 + random.below(10) {
                text.push(' ');
                text.push_str(self.word(random));
            }
            text.push('.');
        }
        text
    }

    pub fn email(&self, random: &mut Random) -> String {
        let number = random.below(10_000);
        format!("{}.{}{number}@firm.example", self.word(random), self.word(random))
    }

    pub fn url(&self, random: &mut Random) -> String {
        format!("https://{}.example/{}", self.word(random), random.below(100_000))
    }
}

pub(super) fn phone(random: &mut Random) -> String {
    format!(
        "+{} {} {:07}",
        random.pick(&["44", "43", "1", "33"]),
        20 + random.below(70),
        random.below(10_000_000)
    )
}

pub(super) fn street(random: &mut Random) -> String {
    let number = 1 + random.skewed(300);
    let end = if random.percent(10) { "\nTop 3" } else { "" };
    format!("{number} {}{end}", random.pick(STREETS))
}
