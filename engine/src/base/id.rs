//! Typed ids: no bare array or string crosses a module.
//!
//! Key decision: a Salesforce Id is kept as its 15 significant characters and written with its 3 checksum
//! characters, so that equality and order are plain byte comparison. Parsing checks; nothing here is random.

use std::fmt;

use crate::base::error::{Error, Result};

/// A Salesforce record Id: 15 characters, case-sensitive; shown as 18 (SOAP API guide, "ID Field Type").
///
/// ```
/// use halite_engine::base::id::RecordId;
/// let id: RecordId = "0012300000bVTq1".parse().unwrap();
/// assert_eq!(id.to_string(), "0012300000bVTq1AAG");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId([u8; 15]);

/// A Salesforce organisation, named by its Id (prefix `00D`).
pub type OrgId = RecordId;

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
    text
}

impl RecordId {
    /// The smallest possible Id, for range starts.
    pub const MIN: RecordId = RecordId([b'0'; 15]);
    /// The largest possible Id, for range ends.
    pub const MAX: RecordId = RecordId([b'z'; 15]);

    /// Parses 15 characters, or 18 whose checksum fits; `None` for anything else.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (head, check) = text.split_at_checked(15)?;
        let id: [u8; 15] = head.try_into().ok()?;
        if !id.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        (check.is_empty() || check == checksum(&id)).then_some(Self(id))
    }

    /// The 15 significant characters.
    pub fn as_bytes(&self) -> &[u8; 15] {
        &self.0
    }

    /// The first three characters, which name the sObject.
    pub fn prefix(&self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// The 18 characters that are shown.
    pub fn to_18(self) -> [u8; 18] {
        let mut out = [0; 18];
        out[..15].copy_from_slice(&self.0);
        out[15..].copy_from_slice(&checksum(&self.0));
        out
    }

    /// The Id as a number in base 62 that keeps the order, below 2^90.
    pub fn to_number(self) -> u128 {
        self.0.iter().fold(0, |n, &c| n * 62 + u128::from(rank(c)))
    }

    /// The Id of a number made by [`RecordId::to_number`]; `None` if it is too large.
    pub fn from_number(number: u128) -> Option<Self> {
        // Ten digits fit 64 bits, in which division by 62 is cheap.
        let (high, low) = (number / TEN_DIGITS, number % TEN_DIGITS);
        let mut id = [0; 15];
        let (head, tail) = id.split_at_mut(5);
        let left = digits(head, u64::try_from(high).ok()?);
        digits(tail, u64::try_from(low).ok()?);
        (left == 0).then_some(Self(id))
    }

    /// The Id so many after this one; `None` if there is none. What a page needs for every row: digits are added where
    /// they stand, and division by 62 is done in 64 bits.
    pub fn plus(self, by: u128) -> Option<Self> {
        let Ok(mut left) = u64::try_from(by) else {
            return Self::from_number(self.to_number().checked_add(by)?);
        };
        let mut id = self.0;
        for slot in id.iter_mut().rev() {
            if left == 0 {
                break;
            }
            // At most 61 more than a 62nd of what fits.
            let sum = left % 62 + u64::from(rank(*slot));
            *slot = ALPHABET[(sum % 62) as usize];
            left = left / 62 + sum / 62;
        }
        (left == 0).then_some(Self(id))
    }
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 62 to the tenth.
const TEN_DIGITS: u128 = 62_u128.pow(10);

/// Writes the last digits of a number; what is left of it.
fn digits(slots: &mut [u8], mut number: u64) -> u64 {
    for slot in slots.iter_mut().rev() {
        *slot = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    number
}

fn rank(c: u8) -> u8 {
    match c {
        b'0'..=b'9' => c - b'0',
        b'A'..=b'Z' => c - b'A' + 10,
        _ => c - b'a' + 36,
    }
}

/// One character for each five: bit k is set where character k is upper case.
fn checksum(id: &[u8; 15]) -> [u8; 3] {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    let mut out = [0; 3];
    for (slot, group) in out.iter_mut().zip(id.chunks_exact(5)) {
        let bits = group
            .iter()
            .enumerate()
            .fold(0, |n, (k, c)| n | (usize::from(c.is_ascii_uppercase()) << k));
        *slot = letters[bits];
    }
    out
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(std::str::from_utf8(&self.to_18()).unwrap_or("?"))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for RecordId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text.as_bytes()).ok_or_else(|| {
            Error::invalid(format!("`{text}` is not a Salesforce Id"))
                .hint("an Id has 15 or 18 letters and digits")
        })
    }
}

/// Makes a newtype over `N` bytes that shows itself in hexadecimal.
macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Parses the hexadecimal form.
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != $len * 2 || !text.is_ascii() {
                    return None;
                }
                let mut out = [0; $len];
                for (i, slot) in out.iter_mut().enumerate() {
                    *slot = u8::from_str_radix(&text[i * 2..i * 2 + 2], 16).ok()?;
                }
                Some(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

byte_id!(
    /// The name of a chunk: the keyed BLAKE3 of its plaintext.
    ChunkId, 32);
byte_id!(
    /// The random name of a pack, from which its key is derived. Never used twice.
    PackId, 32);
byte_id!(
    /// The random name of a snapshot.
    SnapshotId, 16);
byte_id!(
    /// The first half of the keyed BLAKE3 of a record's content; zero stands for "no content".
    ContentHash, 16);

impl ContentHash {
    /// No content: a tombstone, or nothing before.
    pub const NONE: ContentHash = ContentHash([0; 16]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_ids_have_their_recorded_checksums() {
        for (short, check) in [
            ("0012300000bVTq1", "AAG"),
            ("750Tn000004ZoR3", "IAK"),
            ("a00D0000008pQRA", "IA2"),
        ] {
            assert_eq!(
                short.parse::<RecordId>().unwrap().to_string(),
                format!("{short}{check}")
            );
            assert!(format!("{short}AAA").parse::<RecordId>().is_err());
        }
    }

    #[test]
    fn a_number_beyond_the_largest_is_no_id() {
        let largest = RecordId::MAX.to_number();
        assert_eq!(largest, 62_u128.pow(15) - 1);
        assert_eq!(RecordId::from_number(largest), Some(RecordId::MAX));
        for beyond in [largest + 1, TEN_DIGITS << 64, u128::MAX] {
            assert_eq!(RecordId::from_number(beyond), None, "{beyond}");
        }
    }

    proptest::proptest! {
        #[test]
        fn numbers_keep_the_order(a in "[0-9A-Za-z]{15}", b in "[0-9A-Za-z]{15}") {
            let (x, y): (RecordId, RecordId) = (a.parse().unwrap(), b.parse().unwrap());
            proptest::prop_assert_eq!(x.cmp(&y), x.to_number().cmp(&y.to_number()));
            proptest::prop_assert_eq!(RecordId::from_number(x.to_number()), Some(x));
        }

        #[test]
        fn adding_is_adding_numbers(a in "[0-9A-Za-z]{15}", small in 0..10_000_u128, large: u64, huge: u128) {
            let from: RecordId = a.parse().unwrap();
            for by in [small, large.into(), huge >> 38, huge] {
                let sum = from.to_number().checked_add(by);
                proptest::prop_assert_eq!(from.plus(by), sum.and_then(RecordId::from_number));
            }
            proptest::prop_assert_eq!(RecordId::MAX.plus(small), (small == 0).then_some(RecordId::MAX));
        }
    }
}
