//! The numbers of a certificate: integers over common denominators, as JSON and in messages.

use super::{Failure, Verdict};
use crate::scalar::{Rational, common_denominator, parse};
use dashu_base::BitTest;
use dashu_int::IBig;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An integer, in JSON a string of decimal digits.
#[derive(Clone, Debug, PartialEq)]
pub struct Integer(pub IBig);

impl Serialize for Integer {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
        let value = plain.then(|| text.parse().ok()).flatten();
        value.map(Self).ok_or_else(|| D::Error::custom(format!("\"{text}\" is not an integer")))
    }
}

/// A rational, in JSON a string "p/q".
#[derive(Clone, Debug, PartialEq)]
pub struct Exact(pub Rational);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let value = parse(&text).map(Self);
        value.ok_or_else(|| D::Error::custom(format!("\"{text}\" is not a fraction p/q")))
    }
}

/// The vector numerators / over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fractions {
    /// The common denominator.
    pub over: Integer,
    /// One numerator an entry.
    pub numerators: Vec<Integer>,
}

impl Fractions {
    /// The same numbers over the least common denominator.
    pub fn new(values: &[Rational]) -> Self {
        let over = IBig::from(common_denominator(values));
        let numerators = values.iter().map(|v| numerator(v, &over)).collect();
        Self { over: Integer(over), numerators }
    }

    /// The common denominator.
    pub fn over(&self) -> &IBig {
        &self.over.0
    }

    /// The numerators.
    pub fn iter(&self) -> impl Iterator<Item = &IBig> {
        self.numerators.iter().map(|v| &v.0)
    }

    /// That this is a probability distribution on `len` points.
    pub fn distribution(&self, name: &str, len: usize) -> Verdict<()> {
        distribution(name, &self.numerators, self.over(), len)
    }
}

/// The matrix rows / over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The common denominator.
    pub over: Integer,
    /// The numerators, row by row.
    pub rows: Vec<Vec<Integer>>,
}

impl Table {
    /// The same numbers over the least common denominator.
    pub fn new(values: ndarray::ArrayView2<Rational>) -> Self {
        let over = IBig::from(common_denominator(values.iter()));
        let row =
            |row: ndarray::ArrayView1<Rational>| row.iter().map(|v| numerator(v, &over)).collect();
        let rows = values.outer_iter().map(row).collect();
        Self { over: Integer(over), rows }
    }

    /// The common denominator.
    pub fn over(&self) -> &IBig {
        &self.over.0
    }

    /// The numerator of an entry of a table whose shape was checked.
    pub fn at(&self, i: usize, j: usize) -> &IBig {
        &self.rows[i][j].0
    }

    /// Rows and columns; that there are some, all rows are equally long, and the denominator is
    /// positive.
    pub fn shape(&self, name: &str) -> Verdict<(usize, usize)> {
        let columns = self.rows.first().map_or(0, Vec::len);
        if columns == 0 {
            return Err(Failure(format!("{name} is empty")));
        }
        if let Some(i) = self.rows.iter().position(|row| row.len() != columns) {
            let found = self.rows[i].len();
            return Err(Failure(format!("{name}: row {i} has {found} entries, row 0 {columns}")));
        }
        positive(&format!("{name}: the denominator"), self.over())?;
        Ok((self.rows.len(), columns))
    }

    /// That this table has the shape given.
    pub fn has_shape(&self, name: &str, expected: (usize, usize)) -> Verdict<()> {
        let (rows, columns) = self.shape(name)?;
        if (rows, columns) == expected {
            return Ok(());
        }
        let (m, n) = expected;
        Err(Failure(format!("{name} is {rows} x {columns}, the game needs {m} x {n}")))
    }

    /// That each row is a probability distribution.
    pub fn distributions(&self, name: &str, shape: (usize, usize)) -> Verdict<()> {
        self.has_shape(name, shape)?;
        let check = |(i, row): (usize, &Vec<Integer>)| {
            distribution(&format!("{name}[{i}]"), row, self.over(), shape.1)
        };
        self.rows.iter().enumerate().try_for_each(check)
    }
}

fn distribution(name: &str, p: &[Integer], over: &IBig, len: usize) -> Verdict<()> {
    if p.len() != len {
        return Err(Failure(format!("{name} has {} entries, the game needs {len}", p.len())));
    }
    positive(&format!("{name}: the denominator"), over)?;
    if let Some(k) = p.iter().position(|v| v.0 < IBig::ZERO) {
        return Err(Failure(format!(
            "{name}[{k}] is {}, below 0",
            readable(&ratio(&p[k].0, over))
        )));
    }
    let sum: IBig = p.iter().map(|v| &v.0).sum();
    if sum != *over {
        return Err(Failure(format!("{name} sums to {}, not to 1", readable(&ratio(&sum, over)))));
    }
    Ok(())
}

/// That a number is above 0.
pub(super) fn positive(name: &str, value: &IBig) -> Verdict<()> {
    if *value > IBig::ZERO { Ok(()) } else { Err(Failure(format!("{name} is not positive"))) }
}

/// v over a multiple of its denominator.
fn numerator(v: &Rational, over: &IBig) -> Integer {
    Integer(v.numerator() * (over / v.denominator()))
}

/// above / below; 0 when that is no number.
pub(super) fn ratio(above: &IBig, below: &IBig) -> Rational {
    if below.is_zero() {
        return Rational::ZERO;
    }
    Rational::from_parts_signed(above.clone(), below.clone())
}

/// A number for the eye: the fraction itself while it is short, else its first 20 digits.
///
/// ```
/// use nashguard::certificate::readable;
/// use nashguard::scalar::parse;
///
/// let show = |text| readable(&parse(text).unwrap());
/// assert_eq!(show("-2/36"), "-1/18");
/// assert_eq!(show("12345678901/98765432109"), "0.12499999885967187511...");
/// assert_eq!(show("-1e-40/3"), "-3.3333333333333333333...e-41");
/// assert_eq!(show("1e300"), "1e300");
/// ```
pub fn readable(value: &Rational) -> String {
    let short = value.numerator().bit_len() + value.denominator().bit_len() <= 40;
    if short { value.to_string() } else { decimal(value, 20) }
}

/// The first digits of a number that is not 0, with dots where there are more.
pub(super) fn decimal(value: &Rational, digits: i64) -> String {
    let wanted = digits;
    let (above, below) = (value.numerator(), value.denominator().as_ibig());
    let negative = *above < IBig::ZERO;
    let above = if negative { -above } else { above.clone() };
    let ten = |n: i64| IBig::from(10).pow(n.max(0) as usize);
    let log10 = |v: &IBig| (v.bit_len() as f64 * std::f64::consts::LOG10_2) as i64;
    // From just above, down to 10^exponent <= |value|.
    let mut exponent = log10(&above) - log10(below) + 1;
    while &above * ten(-exponent) < below * ten(exponent) {
        exponent -= 1;
    }
    let places = wanted - 1 - exponent;
    let (above, below) = (above * ten(places), below * ten(-places));
    let digits: IBig = &above / &below;
    let rest = if &digits * below == above { "" } else { "..." };
    let digits = digits.to_string();
    let digits = if rest.is_empty() { digits.trim_end_matches('0') } else { &digits };
    let sign = if negative { "-" } else { "" };
    let with_point = |before: &str, after: &str| {
        let point = if after.is_empty() { "" } else { "." };
        format!("{sign}{before}{point}{after}{rest}")
    };
    match usize::try_from(exponent) {
        Ok(whole) if (whole as i64) < wanted => {
            let digits = format!("{digits:0<width$}", width = whole + 1);
            let (before, after) = digits.split_at(whole + 1);
            with_point(before, after)
        }
        Err(_) if exponent >= -5 => {
            with_point("0", &format!("{}{digits}", "0".repeat((-exponent - 1) as usize)))
        }
        _ => {
            let (first, after) = digits.split_at(1);
            format!("{}e{exponent}", with_point(first, after))
        }
    }
}
