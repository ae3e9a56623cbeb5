use super::*;

/// Largest multiple of the error that a slope raised by 3/5 leaves of a cubic: 2/5, at the ends.
fn sine_error(amplitude: f64) -> f64 {
    0.4 * (2.0 * PI / amplitude).powi(2) / 6.0
}

#[test]
fn a_high_degree_leaves_the_error_of_the_sine() {
    for amplitude in [256.0, 1024.0, 2048.0] {
        for (integers, degree, doublings) in [(15, 111, 0), (12, 62, 1), (12, 50, 2), (14, 30, 3)] {
            let modular = Modular::design(integers, amplitude, 1.0, degree, doublings, false);
            let wanted = sine_error(amplitude);
            let error = modular.error();
            assert!(
                (error - wanted).abs() < 0.1 * wanted,
                "A = {amplitude}, r = {doublings}: {error} for {wanted}"
            );
        }
    }
}

#[test]
fn the_arcsine_takes_the_cube_away() {
    for (degree, doublings) in [(111, 0), (30, 3)] {
        let modular = Modular::design(14, 256.0, 1.0, degree, doublings, true);
        let fifth = 0.075 * (2.0 * PI / 256.0f64).powi(4);
        assert!(modular.error() < fifth + 3e-8, "{}", modular.error());
        assert_eq!(modular.levels(), if doublings == 0 { 9 } else { 10 });
    }
}

#[test]
fn results_come_times_the_factor() {
    for doublings in [0, 3] {
        for arcsine in [false, true] {
            let one = Modular::design(8, 1024.0, 1.0, 63, doublings, arcsine);
            let ten = Modular::design(8, 1024.0, 10.0, 63, doublings, arcsine);
            for x in [-7.0004, -3.0, 0.0009, 0.0001, 5.0007] {
                assert!((ten.value(x) - 10.0 * one.value(x)).abs() < 1e-7);
            }
        }
    }
}

/// Fitted near integers alone, the polynomial has a lower degree than on the whole interval, where one of degree
/// below 2πK′ does not even have the zeros.
#[test]
fn least_degrees() {
    let of = |integers, doublings, bits: i32| {
        Modular::least_degree(integers, 2048.0, doublings, 2f64.powi(-bits)).expect("within seven levels")
    };
    assert!((99..=105).contains(&of(15, 0, 22)), "{}", of(15, 0, 22));
    assert!((26..=28).contains(&of(14, 3, 22)), "{}", of(14, 3, 22));
    for doublings in [0, 2, 3] {
        assert!(of(12, doublings, 22) < of(14, doublings, 22));
        assert!(of(14, doublings, 16) < of(14, doublings, 23));
    }
    assert_eq!(Modular::least_degree(25, 2048.0, 0, 1e-7), None);
}

#[test]
fn ranges_and_levels() {
    let sine = Modular::design(15, 2048.0, 1.0, 103, 0, false);
    assert_eq!((sine.multiples(), sine.levels()), (-14..=14, 7));
    let cosine = Modular::design(14, 2048.0, 1.0, 30, 3, false);
    assert_eq!((cosine.multiples(), cosine.levels()), (-13..=14, 8));
    for modular in [sine, cosine] {
        for multiple in modular.multiples() {
            for z in [-1.0, 1.0] {
                let u = (f64::from(multiple) + z / modular.amplitude - modular.centre()) / modular.bound;
                assert!(u.abs() <= 1.0 + 1e-15);
            }
        }
    }
}
