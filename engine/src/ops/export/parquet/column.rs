//! One column of a row group: values of a type in memory, and from there the pages of a file.
//!
//! Key decision: a value goes straight from the text of its record into the vector of its type, texts into one arena;
//! a null costs its level alone. What does not fit the type is refused and never bent. It does not know where in a
//! file it will lie, nor what its describe says.

use bytes::Bytes;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, ColumnWriterImpl, get_column_writer};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::{ColumnDescPtr, Type, TypePtr};

use crate::base::error::Result;
use crate::base::stamp::{Stamp, parse_date, parse_time};
use crate::format::record::{Members, Token, escape, unescape, utf8};

/// Texts that are handed to the writer at once.
const TEXTS_AT_ONCE: usize = 1024;
/// Decimal digits that every double gives back.
const DIGITS_OF_DOUBLE: usize = 15;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Boolean,
    Int,
    Long,
    Double,
    Date,
    Stamp,
    Time,
}

/// A column and what it holds of the row group at hand.
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// Whether it is never null.
    required: bool,
    /// How its member begins in a record: `"Name":`.
    member: Vec<u8>,
    /// 1 where a row has a value; rows behind the last one have none.
    levels: Vec<i16>,
    values: Values,
}

enum Values {
    Booleans(Vec<bool>),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    Doubles(Vec<f64>),
    Texts(Texts),
}

#[derive(Default)]
struct Texts {
    all: String,
    ends: Vec<usize>,
}

impl Column {
    pub fn new(name: &str, kind: Kind, required: bool) -> Self {
        let mut member = vec![b'"'];
        escape(name, &mut member);
        member.extend_from_slice(b"\":");
        Self {
            name: name.to_owned(),
            kind,
            required,
            member,
            levels: Vec::new(),
            values: Values::of(kind),
        }
    }

    /// How its member begins in a record.
    pub fn member(&self) -> &[u8] {
        &self.member
    }

    /// Its line of the file's schema.
    pub fn schema(&self) -> ParquetResult<TypePtr> {
        let (physical, logical) = match self.kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Int => (Physical::INT32, None),
            Kind::Long => (Physical::INT64, None),
            Kind::Double => (Physical::DOUBLE, None),
            Kind::Date => (Physical::INT32, Some(LogicalType::Date)),
            Kind::Stamp => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
            Kind::Time => (Physical::INT64, Some(LogicalType::time(false, TimeUnit::MICROS))),
        };
        let repetition = if self.required {
            Repetition::REQUIRED
        } else {
            Repetition::OPTIONAL
        };
        let built = Type::primitive_type_builder(&self.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build();
        built.map(TypePtr::new)
    }

    /// Makes it a column of texts; it is empty then.
    pub fn widen(&mut self) {
        self.kind = Kind::Text;
        self.clear();
    }

    /// Drops what it holds.
    pub fn clear(&mut self) {
        self.levels.clear();
        self.values = Values::of(self.kind);
    }

    /// Takes the value of row `row`, counted from 0 in the group; gives the bytes that it takes, `None` if it does not fit.
    pub fn push(&mut self, row: usize, value: Token<'_>) -> Result<Option<usize>> {
        let bytes = match (&mut self.values, value) {
            (_, Token::Null) => return Ok(Some(0)),
            (Values::Texts(texts), value) => Some(texts.push(value)?),
            (Values::Booleans(all), Token::Bare(text)) => keep(all, boolean(text)),
            (Values::Ints(all), Token::Bare(text)) if self.kind == Kind::Int => keep(all, parsed(text)),
            (Values::Ints(all), Token::Text(text, false)) if self.kind == Kind::Date => keep(all, date(text)),
            (Values::Longs(all), Token::Bare(text)) if self.kind == Kind::Long => keep(all, parsed(text)),
            (Values::Longs(all), Token::Text(text, false)) if self.kind == Kind::Stamp => {
                keep(all, Stamp::parse(text).map(|stamp| stamp.millis() * 1000))
            }
            (Values::Longs(all), Token::Text(text, false)) if self.kind == Kind::Time => {
                keep(all, time(text))
            }
            (Values::Doubles(all), Token::Bare(text)) => keep(all, double(text)),
            _ => None,
        };
        if bytes.is_some() {
            self.levels.resize(row, 0);
            self.levels.push(1);
        }
        Ok(bytes)
    }

    /// The pages of a group of so many rows, and what a file says of them; it is empty then.
    pub fn encode(
        &mut self,
        rows: usize,
        descr: ColumnDescPtr,
        props: WriterPropertiesPtr,
    ) -> ParquetResult<(Bytes, ColumnCloseResult)> {
        self.levels.resize(rows, 0);
        let levels = (!self.required).then_some(&self.levels[..]);
        let mut pages = TrackedWrite::new(Vec::new());
        let mut writer = get_column_writer(descr, props, Box::new(SerializedPageWriter::new(&mut pages)));
        match (&mut writer, &mut self.values) {
            (ColumnWriter::BoolColumnWriter(to), Values::Booleans(all)) => {
                to.write_batch(all, levels, None)?
            }
            (ColumnWriter::Int32ColumnWriter(to), Values::Ints(all)) => to.write_batch(all, levels, None)?,
            (ColumnWriter::Int64ColumnWriter(to), Values::Longs(all)) => to.write_batch(all, levels, None)?,
            (ColumnWriter::DoubleColumnWriter(to), Values::Doubles(all)) => {
                to.write_batch(all, levels, None)?
            }
            (ColumnWriter::ByteArrayColumnWriter(to), Values::Texts(texts)) => texts.write(to, levels)?,
            _ => return Err(ParquetError::General(format!("{} changed its type", self.name))),
        };
        let closed = writer.close()?;
        self.clear();
        Ok((pages.into_inner()?.into(), closed))
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Texts(Texts::default()),
            Kind::Boolean => Self::Booleans(Vec::new()),
            Kind::Int | Kind::Date => Self::Ints(Vec::new()),
            Kind::Long | Kind::Stamp | Kind::Time => Self::Longs(Vec::new()),
            Kind::Double => Self::Doubles(Vec::new()),
        }
    }
}

impl Texts {
    fn push(&mut self, value: Token<'_>) -> Result<usize> {
        let start = self.all.len();
        match tagged(value)? {
            Token::Text(text, true) => unescape(text, &mut self.all)?,
            Token::Text(text, false) | Token::Bare(text) | Token::Nested(text) => {
                self.all.push_str(utf8(text)?);
            }
            Token::Null => {}
        }
        self.ends.push(self.all.len());
        Ok(self.all.len() - start + size_of::<usize>())
    }

    /// Hands them to the writer in slices of the arena, which is given up.
    fn write(
        &mut self,
        to: &mut ColumnWriterImpl<'_, ByteArrayType>,
        levels: Option<&[i16]>,
    ) -> ParquetResult<usize> {
        let all = Bytes::from(std::mem::take(&mut self.all).into_bytes());
        let (mut starts, mut batch) = (0, Vec::with_capacity(TEXTS_AT_ONCE));
        let mut ends = self.ends.iter();
        let rows = levels.map_or(self.ends.len(), <[i16]>::len);
        for from in (0..rows).step_by(TEXTS_AT_ONCE) {
            let to_row = rows.min(from + TEXTS_AT_ONCE);
            let levels = levels.map(|levels| &levels[from..to_row]);
            let count = levels.map_or(to_row - from, |levels| levels.iter().filter(|&&l| l == 1).count());
            batch.clear();
            batch.extend(ends.by_ref().take(count).map(|&end| {
                let text = all.slice(starts..end);
                starts = end;
                ByteArray::from(text)
            }));
            to.write_batch(&batch, levels, None)?;
        }
        Ok(self.ends.len())
    }
}

/// Keeps a value that was understood; gives its size.
fn keep<T>(all: &mut Vec<T>, value: Option<T>) -> Option<usize> {
    value.map(|value| {
        all.push(value);
        size_of::<T>()
    })
}

/// What stands in the tag of a value that was kept as it came, or seen masked; other values as they are.
fn tagged(value: Token<'_>) -> Result<Token<'_>> {
    if let Token::Nested(object @ [b'{', ..]) = value
        && let Some((b"$raw" | b"$masked", inside)) = Members::new(object)?.member()?
    {
        return Ok(inside);
    }
    Ok(value)
}

fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Days since 1970.
fn date(text: &[u8]) -> Option<i32> {
    parse_date(text)?.try_into().ok()
}

/// Microseconds since midnight.
fn time(text: &[u8]) -> Option<i64> {
    match parse_time(text)? {
        (millis, b"Z" | b"") => Some(millis * 1000),
        _ => None,
    }
}

/// The double that gives the canonical number back, if there is one.
fn double(text: &[u8]) -> Option<f64> {
    let number: f64 = parsed(text).filter(|number: &f64| number.is_finite())?;
    let mantissa = text.split(|b| *b == b'E').next()?;
    let digits = mantissa.iter().filter(|b| b.is_ascii_digit()).count();
    if digits <= DIGITS_OF_DOUBLE && (number.is_normal() || text == b"0") {
        return Some(number);
    }
    same_digits(text, number).then_some(number)
}

/// Whether a double, written with as many digits as a number has, is that number.
fn same_digits(text: &[u8], number: f64) -> bool {
    let significant = |text: &str| {
        let mantissa = text.split(['E', 'e']).next().unwrap_or_default();
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        digits.trim_matches('0').to_owned()
    };
    let wanted = significant(&String::from_utf8_lossy(text));
    let written = format!("{number:.*e}", wanted.len().saturating_sub(1));
    number != 0.0 && significant(&written) == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_gives_its_number_back_or_is_refused() {
        for text in [
            "0",
            "0.1",
            "-12.34",
            "90071992547409.91",
            "33.333333333333336",
            "1E+41",
            "5E-324",
            "1152921504606846976",
            "17976931348623157E+292",
        ] {
            assert_eq!(double(text.as_bytes()), Some(text.parse().unwrap()), "{text}");
        }
        for text in [
            "12345678901234567",
            "1E+309",
            "1E-400",
            "0.1000000000000000001",
            "99999999999999999999",
            "-",
            "true",
        ] {
            assert_eq!(double(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        /// Every double is one, however few digits of it are told.
        #[test]
        fn what_a_double_says_fits(number in proptest::num::f64::NORMAL, digits in 1_usize..17) {
            let mut short = Vec::new();
            assert!(crate::format::record::decimal(format!("{number:E}").as_bytes(), &mut short));
            proptest::prop_assert_eq!(double(&short), Some(number));
            let told: f64 = format!("{number:.*e}", digits - 1).parse().unwrap();
            proptest::prop_assume!(told.is_normal());
            let mut text = Vec::new();
            assert!(crate::format::record::decimal(format!("{number:.*E}", digits - 1).as_bytes(), &mut text));
            if digits <= DIGITS_OF_DOUBLE {
                proptest::prop_assert_eq!(double(&text), Some(told));
            }
        }
    }
}
