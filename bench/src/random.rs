//! Pseudo-random numbers that are a function of a key: the same key gives the same stream on every machine.
//!
//! Key decision: splitmix64, because a stream a field costs two multiplications and needs no state between records.
//! This is not for secrets: whoever sees one number can tell the next.

/// A stream of numbers.
pub struct Random(u64);

impl Random {
    /// The stream of a key.
    pub fn of(key: [u64; 4]) -> Self {
        Self(
            key.into_iter()
                .fold(0x243F_6A88_85A3_08D3, |state, part| mix(state ^ part)),
        )
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Less than `limit`, each as likely as the other.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Less than `limit`, small ones far more likely: real values are skewed.
    pub fn skewed(&mut self, limit: u64) -> u64 {
        let draw = self.below(1 << 20);
        let cubed = (((draw * draw) >> 20) * draw) >> 20;
        (cubed * limit) >> 20
    }

    /// True `percent` times in a hundred, to four decimals.
    pub fn percent(&mut self, percent: f64) -> bool {
        (self.below(1_000_000) as f64) < percent * 10_000.0
    }

    /// One of a list, the first ones more often.
    pub fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.skewed(list.len() as u64) as usize]
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
