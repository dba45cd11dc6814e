//! Numbers out of a seed.
//!
//! Key decision: splitmix64, a dozen instructions that are the same on every machine and in every year, so that a seed
//! found today repeats the run later. It is not for keys: the engine draws its own, from a clock that a seed drives.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of a seed, and of who draws from it.
    pub fn new(seed: u64, who: u64) -> Self {
        let mut dice =
            Self(seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ who.wrapping_mul(0x9FB2_1C65_1E98_DF25));
        dice.next();
        dice
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`; 0 if that is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// Whether a thing happens that does so `times` in `of`.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// One of them, if there is one.
    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        let at = usize::try_from(self.below(of.len() as u64)).ok()?;
        of.get(at)
    }
}
