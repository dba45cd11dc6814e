//! Record Ids: 15 case-sensitive characters, or 18 with a checksum of the case.
//!
//! Key decision: inside the simulator every Id is the 18-character form; the 15-character form is
//! accepted at the door and normalised, as the API does.
//! Not here: which object a key prefix belongs to (see `schema`).

const CHECK: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The three checksum characters of a 15-character Id: one bit for each upper-case letter.
pub(crate) fn checksum(id15: &[u8]) -> String {
    id15.chunks(5)
        .map(|group| {
            let bits = group
                .iter()
                .enumerate()
                .filter(|(_, c)| c.is_ascii_uppercase())
                .fold(0usize, |bits, (k, _)| bits | 1 << k);
            char::from(CHECK[bits & 31])
        })
        .collect()
}

/// Normalises an Id to 18 characters; `None` when it has another length, another alphabet or a
/// checksum that does not fit.
pub(crate) fn normalise(id: &str) -> Option<String> {
    if !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => Some(format!("{id}{}", checksum(id.as_bytes()))),
        18 => {
            let (body, check) = id.split_at(15);
            checksum(body.as_bytes())
                .eq_ignore_ascii_case(check)
                .then(|| format!("{body}{}", check.to_ascii_uppercase()))
        }
        _ => None,
    }
}

/// The Id of the `n`-th row under a three-character key prefix and the org's two-character pod.
pub(crate) fn make(prefix: &str, n: u64) -> String {
    let body = format!("{prefix}Ha0{}", base62(n, 9));
    let check = checksum(body.as_bytes());
    format!("{body}{check}")
}

/// The number from which [`make`] made an Id; `None` for others.
pub(crate) fn number(id: &str) -> Option<u64> {
    let digits = id.strip_prefix(id.get(..3)?)?.strip_prefix("Ha0")?.get(..9)?;
    digits.bytes().try_fold(0u64, |n, digit| {
        let value = BASE62.iter().position(|b| *b == digit)? as u64;
        n.checked_mul(62)?.checked_add(value)
    })
}

/// `n` in base 62, left-padded with zeros to `width` characters.
pub(crate) fn base62(mut n: u64, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for slot in digits.iter_mut().rev() {
        *slot = BASE62[(n % 62) as usize];
        n /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

/// An 18-character Id in place: what long lists of Ids are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key([u8; 18]);

impl Key {
    pub fn of(id: &str) -> Option<Self> {
        id.as_bytes().try_into().ok().map(Self)
    }

    pub fn text(&self) -> &str {
        // Made from a `str` of 18 bytes, so it is one; an empty text would name no row.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A well-mixed hash of `text` under a seed; the only source of "randomness" in the simulator.
pub(crate) fn mix(seed: u64, text: &str) -> u64 {
    let mut h = seed ^ 0x9e37_79b9_7f4a_7c15;
    for b in text.bytes() {
        h = (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    h ^= h >> 30;
    h = h.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h ^= h >> 27;
    h = h.wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_of_known_ids() {
        for (short, check) in [
            ("0012300000bVTq1", "AAG"),
            ("750Tn000004ZoR3", "IAK"),
            ("a00D0000008pQRA", "IA2"),
        ] {
            assert_eq!(normalise(short), Some(format!("{short}{check}")));
        }
    }

    #[test]
    fn refuses_what_is_no_id() {
        assert_eq!(normalise("0012300000bVTq1AAA"), None);
        assert_eq!(normalise("0012300000bVT"), None);
        assert_eq!(normalise("0012300000bVT-1"), None);
        assert_eq!(normalise(""), None);
    }

    #[test]
    fn made_ids_are_valid_and_ordered() {
        let ids: Vec<String> = (0..200).map(|n| make("001", n)).collect();
        assert!(ids.iter().all(|id| normalise(id).as_ref() == Some(id)));
        assert!(ids.is_sorted());
    }
}
