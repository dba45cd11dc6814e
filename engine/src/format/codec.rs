//! Integers and byte strings as they stand on disk, and a reader that no input can make panic.
//!
//! Key decision: little-endian fixed integers where a reader must find them, LEB128 varints elsewhere, lengths
//! always before bytes. It is not serde: the bytes are for ever, so each type writes its own.

use crate::base::error::{Error, Result};
use crate::base::id::RecordId;

/// Appends `value` as LEB128: seven bits a byte, low bits first.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a 128-bit LEB128, for differences of Ids.
pub fn put_varint128(out: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a signed number, zigzag over LEB128.
pub fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends a length and the bytes.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote; every method fails cleanly at the end of the input.
///
/// `what` names the object in errors, for instance "page keys 3f2a…".
#[derive(Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { bytes, at: 0, what }
    }

    /// The error of this object: damaged, and why.
    pub fn bad(&self, why: impl std::fmt::Display) -> Error {
        Error::corrupt(self.what, format_args!("{why} at byte {}", self.at))
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            return Err(self.bad(format_args!("{len} more bytes expected")));
        };
        let slice = &self.bytes[self.at..end];
        self.at = end;
        Ok(slice)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.take(N)?;
        slice.try_into().map_err(|_| self.bad("short array"))
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A little-endian 16-bit number.
    pub fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// A little-endian 32-bit number.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A little-endian 64-bit number.
    pub fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A LEB128 number.
    pub fn varint(&mut self) -> Result<u64> {
        // Most are one byte.
        if let Some(&byte) = self.bytes.get(self.at).filter(|&&byte| byte < 0x80) {
            self.at += 1;
            return Ok(u64::from(byte));
        }
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits.leading_zeros() < shift || (byte == 0 && shift > 0) {
                return Err(self.bad("malformed number"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.bad("number too large"))
    }

    /// The next byte, which is not taken.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Passes over numbers without looking at them.
    pub fn skip_varints(&mut self, count: usize) -> Result<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (mut left, mut passed) = (count, 0);
        // Each number ends with a byte whose high bit is not set: eight bytes at a time, as long as no end can be missed.
        while let Some(word) = rest.get(passed..).and_then(|rest| rest.first_chunk::<8>())
            && left >= 8
        {
            let ends = !u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
            left -= ends.count_ones() as usize;
            passed += 8;
        }
        while left > 0 {
            let byte = rest.get(passed).ok_or_else(|| self.bad("it is cut short"))?;
            left -= usize::from(*byte < 0x80);
            passed += 1;
        }
        self.at += passed;
        Ok(())
    }

    /// A 128-bit LEB128 number; non-minimal and overlong forms are refused.
    pub fn varint128(&mut self) -> Result<u128> {
        if let Some(&byte) = self.bytes.get(self.at).filter(|&&byte| byte < 0x80) {
            self.at += 1;
            return Ok(u128::from(byte));
        }
        let mut value = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.u8()?;
            let bits = u128::from(byte & 0x7f);
            if bits.leading_zeros() < shift || (byte == 0 && shift > 0) {
                return Err(self.bad("malformed number"));
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.bad("malformed number"))
    }

    /// A signed number.
    pub fn signed(&mut self) -> Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// A length or count that may not pass `max`.
    pub fn count(&mut self, max: usize) -> Result<usize> {
        let value = self.varint()?;
        usize::try_from(value)
            .ok()
            .filter(|&n| n <= max)
            .ok_or_else(|| self.bad(format_args!("count {value} above {max}")))
    }

    /// A length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.count(self.bytes.len())?;
        self.take(len)
    }

    /// A length and that many bytes of UTF-8.
    pub fn text(&mut self) -> Result<&'a str> {
        let bytes = self.bytes()?;
        std::str::from_utf8(bytes).map_err(|_| self.bad("text that is not UTF-8"))
    }

    /// A record Id as its 15 characters.
    pub fn record_id(&mut self) -> Result<RecordId> {
        let bytes = self.take(15)?;
        RecordId::parse(bytes).ok_or_else(|| self.bad("malformed record Id"))
    }

    /// How many bytes were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Fails unless everything was read.
    pub fn end(&self) -> Result<()> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(self.bad(format_args!("{} bytes too many", self.left())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_round_trip(a: u64, b: u128, c: i64, bytes: Vec<u8>) {
            let mut out = Vec::new();
            put_varint(&mut out, a);
            put_varint128(&mut out, b);
            put_signed(&mut out, c);
            put_bytes(&mut out, &bytes);
            let mut r = Reader::new(&out, "test");
            proptest::prop_assert_eq!((r.varint().unwrap(), r.varint128().unwrap()), (a, b));
            proptest::prop_assert_eq!((r.signed().unwrap(), r.bytes().unwrap()), (c, &bytes[..]));
            r.end().unwrap();
        }

        #[test]
        fn numbers_are_passed_over(numbers in proptest::collection::vec(proptest::prop_oneof![0..200_u64, 0..=u64::MAX], 0..80)) {
            let (mut out, mut ends) = (Vec::new(), vec![0]);
            for number in &numbers {
                put_varint(&mut out, *number);
                ends.push(out.len());
            }
            for (count, end) in ends.iter().enumerate() {
                let mut r = Reader::new(&out, "test");
                r.skip_varints(count).unwrap();
                proptest::prop_assert_eq!(r.at(), *end);
            }
            proptest::prop_assert!(Reader::new(&out, "test").skip_varints(numbers.len() + 1).is_err());
        }

        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let mut r = Reader::new(&bytes, "test");
            while r.varint128().is_ok() && r.bytes().is_ok() {}
        }
    }
}
