//! Where numbers go on an axis, and which of them are written there.

use super::Axis;
use crate::report::format_number;
use crate::{Error, Result};

/// An axis that knows its range; for a logarithmic one, of the decimal logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    log: bool,
    whole: bool,
    low: f64,
    high: f64,
}

/// A labelled place on an axis, from 0 at its start to 1 at its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub at: f64,
    pub label: String,
}

fn transformed(log: bool, value: f64) -> Option<f64> {
    let value = if log { value.log10() } else { value };
    value.is_finite().then_some(value)
}

impl Scale {
    /// The axis' own range, or else that of the values it can show and a margin of `pad` times it.
    pub fn fit(axis: &Axis, values: impl IntoIterator<Item = f64>, pad: f64) -> Result<Self> {
        let fail = |problem: &str, remedy: &str| {
            Err(Error::invalid(format!("axis {:?}", axis.label), problem, remedy))
        };
        let shown = |v| transformed(axis.log, v);
        let (mut low, mut high) = match axis.range {
            Some([low, high]) => match (shown(low), shown(high)) {
                (Some(low), Some(high)) if low < high => (low, high),
                _ => {
                    return fail("its range is empty", "give a lower and a higher end it can show");
                }
            },
            None => values
                .into_iter()
                .filter_map(shown)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v))),
        };
        if low > high {
            let remedy =
                if axis.log { "give positive finite values" } else { "give finite values" };
            return fail("no value can be shown", remedy);
        }
        if axis.range.is_none() {
            let (span, size) = (high - low, low.abs().max(high.abs()));
            let margin = if span > 1e-12 * size && span > 1e-290 {
                pad * span
            } else if axis.log || size < 1e-290 {
                1.0
            } else {
                0.1 * size
            };
            (low, high) = (low - margin, high + margin);
        }
        if !(high - low).is_finite() || low == high {
            return fail("the values lie too far apart", "draw them in another unit");
        }
        Ok(Self { log: axis.log, whole: axis.whole, low, high })
    }

    /// The same scale with its start moved down by a part of its length.
    pub fn starting_lower(self, part: f64) -> Self {
        Self { low: self.low - part * (self.high - self.low), ..self }
    }

    /// From 0 at the start to 1 at the end; `None` for what the axis cannot show.
    pub fn place(&self, value: f64) -> Option<f64> {
        let place = (transformed(self.log, value)? - self.low) / (self.high - self.low);
        place.is_finite().then_some(place)
    }

    /// About `count` round numbers.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        let count = count.max(2) as f64;
        if self.log {
            let ticks = self.decades(count);
            if ticks.len() > 1 {
                return ticks;
            }
        }
        let value = |v: f64| if self.log { 10f64.powf(v) } else { v };
        let (low, high) = (value(self.low), value(self.high));
        let raw = (high - low) / count;
        let power = 10f64.powf(raw.log10().floor());
        let step = match raw / power {
            r if r < 1.5 => power,
            r if r < 3.0 => 2.0 * power,
            r if r < 7.0 => 5.0 * power,
            _ => 10.0 * power,
        };
        let step = if self.whole { step.max(1.0) } else { step };
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        if !(first.is_finite() && last - first < 100.0) {
            return Vec::new();
        }
        (0..=(last - first) as i32)
            .filter_map(|i| {
                let at = (first + f64::from(i)) * step;
                let label = linear_label(at, step, low.abs().max(high.abs()));
                Some(Tick { at: self.place(at)?, label })
            })
            .collect()
    }

    fn decades(&self, count: f64) -> Vec<Tick> {
        let (first, last) = ((self.low - 1e-9).ceil(), (self.high + 1e-9).floor());
        let every = ((last - first) / count).ceil().max(1.0);
        let parts: &[f64] = if last - first < 2.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let plain = first >= -2.0 && last <= 4.0;
        let mut ticks = Vec::new();
        // From below the start, where 2 or 5 times a power may already be on the axis.
        let mut exponent = (first / every).floor() * every - every;
        while exponent <= last {
            for &part in parts {
                let at = (exponent + part.log10() - self.low) / (self.high - self.low);
                if (-1e-9..=1.0 + 1e-9).contains(&at) {
                    let label = match plain {
                        true => format_number(part * 10f64.powf(exponent), None),
                        false => format!("{part}e{exponent}"),
                    };
                    ticks.push(Tick { at, label });
                }
            }
            exponent += every;
        }
        ticks
    }
}

/// A number with the digits that tell it from its neighbours one step away.
fn linear_label(value: f64, step: f64, largest: f64) -> String {
    let digit = (step.log10() + 1e-9).floor() as i32;
    if value.abs() < step / 2.0 {
        "0".into()
    } else if largest >= 1e6 || digit < -4 {
        let digits = (value.abs().log10().floor() as i32 - digit).clamp(0, 15) as usize;
        format!("{value:.digits$e}")
    } else {
        format_number(value, Some((-digit).max(0) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, values: &[f64]) -> Vec<String> {
        let scale = Scale::fit(&axis, values.iter().copied(), 0.0).unwrap();
        scale.ticks(6).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        let linear = || Axis::linear("");
        assert_eq!(labels(linear(), &[0.0, 1.0]), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(linear(), &[-30.0, 95.0]), ["-20", "0", "20", "40", "60", "80"]);
        assert_eq!(labels(linear(), &[0.0, 6e6])[1..3], ["1e6", "2e6"]);
        assert_eq!(labels(linear(), &[0.0, 6e-7])[1], "1e-7");
        assert_eq!(labels(Axis::counts(""), &[0.0, 2.0]), ["0", "1", "2"]);
        assert_eq!(labels(Axis::counts(""), &[0.0, 30.0])[..2], ["0", "5"]);
        let log = || Axis::log("");
        assert_eq!(labels(log(), &[1e-3, 1.0]), ["1e-3", "1e-2", "1e-1", "1e0"]);
        assert_eq!(labels(log(), &[1.0, 1000.0]), ["1", "10", "100", "1000"]);
        assert_eq!(labels(log(), &[1e-16, 1.0])[0], "1e-15");
        assert_eq!(labels(log(), &[1.5, 12.0]), ["2", "5", "10"]);
        assert_eq!(labels(log(), &[2.1, 2.9])[0], "2.1");
    }

    #[test]
    fn degenerate_ranges_are_padded_or_refused() {
        for value in [0.0, 1.0, -7.0, 1e-300, 1e300, f64::MIN_POSITIVE] {
            let scale = Scale::fit(&Axis::linear(""), [value, value], 0.05).unwrap();
            let place = scale.place(value).unwrap();
            assert!((place - 0.5).abs() < 1e-6, "{value}");
            let _ = scale.ticks(6);
        }
        let log = Scale::fit(&Axis::log(""), [0.0, -1.0, f64::NAN, 5.0], 0.05).unwrap();
        assert_eq!(log.place(-1.0), None);
        let refused =
            |axis: Axis, values: &[f64]| Scale::fit(&axis, values.to_vec(), 0.05).is_err();
        assert!(refused(Axis::linear(""), &[]));
        assert!(refused(Axis::linear(""), &[f64::NAN]));
        assert!(refused(Axis::log(""), &[0.0, -1.0]));
        assert!(refused(Axis::linear(""), &[f64::MIN, f64::MAX]));
        assert!(refused(Axis::linear("").between(1.0, 1.0), &[]));
        assert!(refused(Axis::log("").between(0.0, 1.0), &[]));
    }
}
