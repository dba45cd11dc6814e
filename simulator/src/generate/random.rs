//! A stream of numbers that follows from a seed: the same on every machine.
//!
//! Key decision: splitmix64 and whole numbers only, since a power of a fraction may differ by platform and the
//! same seed must give the same org.
//! Not here: secrets; whoever sees one number can tell the next.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of a seed and a purpose.
    pub fn of(seed: u64, purpose: u64) -> Self {
        let mut random = Self(seed ^ purpose.wrapping_mul(0xA076_1D64_78BD_642F));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Less than `limit`, each as likely as the other; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(limit)) >> 64) as u64
    }

    /// Less than `limit`, small ones far more likely: in real data a few values are everywhere.
    pub fn skewed(&mut self, limit: u64) -> u64 {
        let draw = u128::from(self.below(1 << 20));
        ((draw * draw * draw * u128::from(limit)) >> 60) as u64
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < u64::from(percent)
    }

    /// A place in a list of this length, skewed to its front; 0 for an empty one.
    pub fn place(&mut self, length: usize) -> usize {
        self.skewed(length as u64) as usize
    }

    /// One of a list that is not empty, the first ones more often.
    pub fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.place(list.len())]
    }
}
