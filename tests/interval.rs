//! Enclosures hold the truth, and shrink as the precision grows.

mod common;

use common::config;
use nashguard::interval::Precision;
use nashguard::scalar::{Rational, parse, to_f64};
use proptest::prelude::*;

fn power_of_two(exponent: i32) -> Rational {
    let two = Rational::from(2);
    let power = (0..exponent.unsigned_abs()).fold(Rational::ONE, |p, _| p * &two);
    if exponent < 0 { Rational::ONE / power } else { power }
}

/// Rationals of both signs and many sizes.
fn rationals() -> impl Strategy<Value = Rational> {
    (any::<i64>(), 1..i64::MAX, -60..10_i32)
        .prop_map(|(a, b, k)| Rational::from(a) / Rational::from(b) * power_of_two(k))
}

fn positive() -> impl Strategy<Value = Rational> {
    rationals().prop_map(|x| if x < Rational::ZERO { -x } else { x + power_of_two(-200) })
}

/// |log e^x - x| and the like are compared with f64 to this relative accuracy.
fn close(found: &Rational, expected: f64) -> bool {
    let found = to_f64(found);
    (found - expected).abs() <= 1e-13 * expected.abs().max(1e-18)
}

proptest! {
    #![proptest_config(config(300))]

    /// Two precisions enclose the same number, the finer one in a tighter interval, near f64's.
    #[test]
    fn logarithms(x in positive(), bits in 20..300_usize) {
        let (coarse, fine) = (Precision::new(bits), Precision::new(2 * bits + 64));
        let (a, b) = (coarse.ln(&x).unwrap(), fine.ln(&x).unwrap());
        prop_assert!(a.low() <= b.low() && b.high() <= a.high());
        prop_assert!(a.high() - a.low() <= power_of_two(1 - bits as i32));
        prop_assert!(b.low() < b.high() || x.is_one());
        let fine = Precision::new(200).ln(&x).unwrap();
        prop_assert!(close(&fine.low(), to_f64(&x).ln()) || to_f64(&x).ln().abs() < 1e-3);
    }

    #[test]
    fn exponentials(x in rationals(), bits in 20..300_usize) {
        let (coarse, fine) = (Precision::new(bits), Precision::new(2 * bits + 64));
        prop_assume!(to_f64(&x) < 2000.0);
        let of = |p: &Precision| p.exp(&fine.number(&x)).unwrap();
        let (a, b) = (of(&coarse), of(&fine));
        prop_assert!(a.low() <= b.low() && b.high() <= a.high());
        prop_assert!(a.low() >= Rational::ZERO);
        let v = to_f64(&x);
        if v.abs() < 20.0 {
            prop_assert!(close(&Precision::new(200).exp(&fine.number(&x)).unwrap().low(), v.exp()));
            // exp rounds x to bits first, which moves it by e^x of a unit.
            prop_assert!(to_f64(&(a.high() - a.low())) <= (4.0 * v.exp() + 2.0) * 0.5_f64.powi(bits as i32));
        }
    }

    #[test]
    fn exp_and_log_undo_each_other(x in positive(), bits in 20..300_usize) {
        let p = Precision::new(bits);
        prop_assert!(p.exp(&p.ln(&x).unwrap()).unwrap().contains(&x));
        let small = p.number(&(x / Rational::from(1_u64 << 60)));
        let image = p.exp(&small).unwrap();
        if let Some(back) = p.ln_of(&image) {
            prop_assert!(back.low() <= small.high() && small.low() <= back.high());
        }
    }

    #[test]
    fn the_log_of_a_product_is_the_sum(a in positive(), b in positive(), bits in 20..300_usize) {
        let p = Precision::new(bits);
        let whole = p.ln(&(&a * &b)).unwrap();
        let parts = p.ln(&a).unwrap() + p.ln(&b).unwrap();
        prop_assert!(whole.low() <= parts.high() && parts.low() <= whole.high());
    }

    /// Sums, differences and multiples of enclosures hold those of the numbers.
    #[test]
    fn arithmetic(a in rationals(), b in rationals(), c in rationals(), bits in 1..100_usize) {
        let (p, other) = (Precision::new(bits), Precision::new(37));
        let (x, y) = (p.number(&a), other.number(&b));
        prop_assert!((x.clone() + y.clone()).contains(&(&a + &b)));
        prop_assert!((x.clone() - y.clone()).contains(&(&a - &b)));
        prop_assert!(x.scaled(&c).contains(&(&a * &c)));
        prop_assert!(x.times(c.numerator()).contains(&(&a * Rational::from(c.numerator().clone()))));
        prop_assert!(x.clone().max(y).contains(&a.clone().max(b)));
        prop_assert_eq!(x.top().low(), x.high());
    }
}

/// The digits of log 2, e and log 10 as every table of constants has them.
#[test]
fn known_constants() {
    let p = Precision::new(200);
    let number = |text| parse(text).unwrap();
    for (found, digits) in [
        (p.ln(&number("2")), "0.693147180559945309417232121458176568075500134360255254"),
        (p.ln(&number("10")), "2.302585092994045684017991454684364207601101488628772976"),
        (
            p.exp(&p.number(&number("1"))),
            "2.718281828459045235360287471352662497757247093699959574",
        ),
        (
            p.exp(&p.number(&number("-1"))),
            "0.367879441171442321595523770161460867445811131031767834",
        ),
    ] {
        let (found, digits) = (found.unwrap(), number(digits));
        let last = number("1e-53");
        assert!(found.low() < &digits + &last && found.high() > &digits - &last, "{digits}");
        assert!(found.high() - found.low() < number("1e-58"));
    }
}

#[test]
fn the_ends_of_the_range() {
    let p = Precision::new(64);
    let number = |text| parse(text).unwrap();
    assert!(p.ln(&Rational::ZERO).is_none() && p.ln(&number("-1")).is_none());
    assert!(p.exp(&p.number(&number("1e9"))).is_none());
    let nothing = p.exp(&p.number(&number("-1e30"))).unwrap();
    assert_eq!((nothing.low(), nothing.high()), (Rational::ZERO, power_of_two(-64)));
    assert!(p.exp(&p.number(&Rational::ZERO)).unwrap().contains(&Rational::ONE));
    let one = p.ln(&Rational::ONE).unwrap();
    assert!(one.contains(&Rational::ZERO) && one.high() <= power_of_two(-64));
    assert!(p.ln_of(&(p.number(&number("1")) - p.number(&number("1")))).is_none());
}
