//! A tokeniser over the text of one JSON object that copies and allocates nothing.
//!
//! Key decision: a string is scanned once, eight bytes at a time, and left escaped; a name that was foreseen is only
//! compared; nested values are skipped by depth, since only `attributes` and compounds nest. Strict where bytes would
//! differ (RFC 8259), not a general JSON library.

use crate::base::error::{Error, Result};

/// One value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// `null`
    Null,
    /// The inside of a string; `true` if it holds a backslash.
    Text(&'a [u8], bool),
    /// A number or `true`/`false`, unchecked.
    Bare(&'a [u8]),
    /// An object or array, whole.
    Nested(&'a [u8]),
}

/// Walks the members of an object.
pub struct Members<'a> {
    text: &'a [u8],
    at: usize,
    first: bool,
}

fn bad(why: &str, at: usize) -> Error {
    Error::invalid(format!("malformed JSON: {why} at byte {}", at + 1))
}

impl<'a> Members<'a> {
    /// Starts behind the opening brace.
    pub fn new(text: &'a [u8]) -> Result<Self> {
        let mut members = Self {
            text,
            at: 0,
            first: true,
        };
        members.blank();
        members.expect(b'{', "an object was expected")?;
        Ok(members)
    }

    /// The next name (inside of the string, escaped as it stands) and value; `None` behind the closing brace.
    pub fn member(&mut self) -> Result<Option<(&'a [u8], Token<'a>)>> {
        if !self.more()? {
            return Ok(None);
        }
        let name = self.name()?;
        Ok(Some((name, self.value()?)))
    }

    /// Goes to the next member; false behind the closing brace.
    pub fn more(&mut self) -> Result<bool> {
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            self.blank();
            let more = self.at < self.text.len();
            return if more {
                Err(bad("text behind the object", self.at))
            } else {
                Ok(false)
            };
        }
        if !self.first {
            self.expect(b',', "a comma was expected")?;
            self.blank();
        }
        self.first = false;
        Ok(true)
    }

    /// Goes to the value, if the member at hand begins with these bytes: a name in quotes and a colon.
    pub fn is_named(&mut self, name: &[u8]) -> bool {
        let is = self.text[self.at..].starts_with(name);
        if is {
            self.at += name.len();
        }
        is
    }

    /// The name of the member at hand, and on to its value.
    pub fn name(&mut self) -> Result<&'a [u8]> {
        let (name, _) = self.string()?;
        self.blank();
        self.expect(b':', "a colon was expected")?;
        Ok(name)
    }

    /// Where in the text the next byte is.
    pub fn at(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, why: &str) -> Result<()> {
        if self.peek() != Some(byte) {
            return Err(bad(why, self.at));
        }
        self.at += 1;
        Ok(())
    }

    /// The value of the member whose name was read.
    pub fn value(&mut self) -> Result<Token<'a>> {
        self.blank();
        match self.peek() {
            Some(b'"') => self.string().map(|(text, escaped)| Token::Text(text, escaped)),
            Some(b'{' | b'[') => self.nested(),
            Some(b'n') if self.text[self.at..].starts_with(b"null") => {
                self.at += 4;
                Ok(Token::Null)
            }
            Some(b't' | b'f' | b'-' | b'0'..=b'9') => {
                let rest = &self.text[self.at..];
                let end = rest
                    .iter()
                    .position(|b| matches!(b, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
                let token = &rest[..end.unwrap_or(rest.len())];
                self.at += token.len();
                Ok(Token::Bare(token))
            }
            _ => Err(bad("a value was expected", self.at)),
        }
    }

    fn string(&mut self) -> Result<(&'a [u8], bool)> {
        self.expect(b'"', "a string was expected")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            // A backslash may be the last byte of a text that was cut off.
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.at += special(rest);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 1;
                    // What is escaped is looked at when it is unescaped, but for what may not stand in any string.
                    if self.peek().is_some_and(|b| b >= 0x20) {
                        self.at += 1;
                    }
                }
                Some(_) => return Err(bad("a control character in a string", start)),
                None => return Err(bad("a string that does not end", start)),
            }
        }
        let inside = &self.text[start..self.at];
        self.at += 1;
        Ok((inside, escaped))
    }

    fn nested(&mut self) -> Result<Token<'a>> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return Err(bad("a value that does not end", start)),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(Token::Nested(&self.text[start..self.at]));
            }
        }
    }
}

/// How many bytes stand before the first quote, backslash or control character; all if there is none.
///
/// Eight bytes at a time: in `x - 0x01..01 & !x & 0x80..80` the lowest bit that is set is that of the first zero byte
/// (Hacker's Delight, section 6-1); bits above it may be wrong, and are not looked at.
fn special(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |x: u64, limit: u64| x.wrapping_sub(ONES * limit) & !x;
    let (words, rest) = text.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quote = below(word ^ (ONES * 0x22), 1);
        let backslash = below(word ^ (ONES * 0x5c), 1);
        let found = (quote | backslash | below(word, 0x20)) & HIGH;
        if found != 0 {
            return i * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let end = rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\');
    words.len() * 8 + end.unwrap_or(rest.len())
}

/// Gives the name of every member to `each`, unescaped; for schemas that must be inferred.
pub fn keys(text: &[u8], mut each: impl FnMut(&str)) -> Result<()> {
    let text = utf8(text)?;
    let mut members = Members::new(text.as_bytes())?;
    let mut buffer = String::new();
    while let Some((name, _)) = members.member()? {
        buffer.clear();
        unescape(name, &mut buffer)?;
        each(&buffer);
    }
    Ok(())
}

/// The text as UTF-8, or an error that says where it is not.
pub fn utf8(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|e| bad("text that is not UTF-8", e.valid_up_to()))
}

/// Appends the text that an escaped string stands for.
///
/// # Errors
/// `Invalid` for an unknown escape, or half of a surrogate pair.
pub fn unescape(inside: &[u8], out: &mut String) -> Result<()> {
    let mut rest = utf8(inside)?;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let mut tail = rest[at + 1..].chars();
        let Some(code) = tail.next() else {
            return Err(bad("an escape that does not end", at));
        };
        rest = tail.as_str();
        out.push(match code {
            '"' | '\\' | '/' => code,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let (c, after) = unicode(rest).ok_or_else(|| bad("a malformed \\u escape", at))?;
                rest = after;
                c
            }
            _ => return Err(bad("an unknown escape", at)),
        });
    }
    out.push_str(rest);
    Ok(())
}

/// The character of `XXXX`, or of `XXXX\uXXXX` for a surrogate pair, and what follows.
fn unicode(text: &str) -> Option<(char, &str)> {
    let unit = |text: &str| {
        let hex = text
            .get(..4)
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u32::from_str_radix(hex, 16).ok()
    };
    let high = unit(text)?;
    if !(0xd800..0xdc00).contains(&high) {
        return Some((char::from_u32(high)?, &text[4..]));
    }
    let second = text[4..].strip_prefix("\\u")?;
    let low = unit(second).filter(|low| (0xdc00..0xe000).contains(low))?;
    Some((
        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?,
        &second[4..],
    ))
}

#[cfg(test)]
mod tests {
    use super::{Members, special};

    #[test]
    fn what_ends_a_string_is_found_wherever_it_stands() {
        let plain = "x\u{7f}~\u{e9}!#[]\u{80}\u{10ffff} ".repeat(3);
        for len in (0..plain.len()).filter(|&len| plain.is_char_boundary(len)) {
            let text = &plain.as_bytes()[..len];
            assert_eq!(special(text), len);
            for byte in (0..0x20).chain([b'"', b'\\']) {
                for behind in [
                    &b"\x00\"\\"[..],
                    b"",
                    b"!#[]   ",
                    b"\x1f\x1f\x1f\x1f\x1f\x1f\x1f\x1f",
                ] {
                    assert_eq!(
                        special(&[text, &[byte], behind].concat()),
                        len,
                        "{byte} behind {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_cut_off_anywhere_is_an_error() {
        let whole = br#"{"a\"b":"c\u0041\\","d":[{"e":"}\""}],"f":-1.5e3,"g":null,"h":true}"#;
        let all = |text: &[u8]| -> crate::base::error::Result<()> {
            let mut members = Members::new(text)?;
            while members.member()?.is_some() {}
            Ok(())
        };
        assert!(all(whole).is_ok());
        for end in 0..whole.len() {
            assert!(all(&whole[..end]).is_err(), "cut at {end}");
        }
    }
}
