use super::*;

fn of_degree_on(elementary: Elementary, low: f64, high: f64, degree: usize) -> Fit {
    let wish = Wish {
        error: None,
        degree: Some(degree),
        method: Method::Minimax,
    };
    fit(elementary.into(), low, high, wish).unwrap()
}

/// Best approximations known in closed form or from tables.
#[test]
fn known_minimax_errors() {
    // eˣ on [−1, 1]: the line's error is (e − slope·(1 + …))/2 = 0.278801…; cubic 0.0055284.
    assert!((of_degree_on(Elementary::Exp, -1.0, 1.0, 1).error - 0.278_801_6).abs() < 1e-6);
    assert!((of_degree_on(Elementary::Exp, -1.0, 1.0, 3).error - 0.005_528_4).abs() < 1e-6);
    // relu = (x + |x|)/2, and |x| on [−1, 1] is met to 1/8 by a parabola, to 0.0676 by degree 4.
    assert!((of_degree_on(Elementary::Relu, -4.0, 4.0, 2).error - 0.25).abs() < 1e-9);
    assert!((of_degree_on(Elementary::Relu, -1.0, 1.0, 4).error - 0.033_810_4).abs() < 1e-6);
    // 1/x on [1, 2], degree 1: (1/2)(1 − 1/√2)² = 0.042893….
    let line = 0.5 * (1.0 - 0.5f64.sqrt()).powi(2);
    assert!((of_degree_on(Elementary::Inverse, 1.0, 2.0, 1).error - line).abs() < 1e-9);
}

#[test]
fn sigmoid_of_degree_seven() {
    for (range, least, most) in [
        (3.0, 2.4e-4, 2.9e-4),
        (4.0, 1.2e-3, 1.5e-3),
        (8.0, 1.8e-2, 2.0e-2),
    ] {
        let fit = of_degree_on(Elementary::Sigmoid, -range, range, 7);
        assert!(
            least < fit.error && fit.error < most,
            "[−{range}, {range}]: {}",
            fit.error
        );
        let coefficients = &fit.polynomial.coefficients;
        assert_eq!(fit.polynomial.basis, PolynomialBasis::Monomial);
        assert!(
            [2, 4, 6].iter().all(|&even| coefficients[even] == 0.0),
            "{coefficients:?}"
        );
        assert!((coefficients[0] - 0.5).abs() < 1e-15);
    }
}

/// Chebyshev's criterion: a polynomial of degree d is best if and only if its error takes its largest size with
/// alternating signs at d + 2 points.
#[test]
fn errors_alternate() {
    use Elementary::*;
    let cases = [
        (Sigmoid, -6.0, 6.0),
        (Tanh, -3.0, 3.0),
        (Gelu, -5.0, 5.0),
        (Exp, -2.0, 1.0),
        (Inverse, 0.5, 4.0),
        (Silu, -3.0, 5.0),
    ];
    for (elementary, low, high) in cases {
        for degree in [3, 7, 15] {
            let fit = of_degree_on(elementary, low, high, degree);
            if fit.error < 1e-13 {
                // Rounding noise.
                continue;
            }
            let mut alternations = 0;
            let mut sign = 0.0;
            for node in 0..=20_000 {
                let x = low
                    + (high - low)
                        * 0.5
                        * (1.0 - libm::cos(std::f64::consts::PI * f64::from(node) / 20_000.0));
                let error = fit.polynomial.value(x) - Function::from(elementary).value(x);
                if error.abs() > (1.0 - 1e-4) * fit.error && error.signum() != sign {
                    sign = error.signum();
                    alternations += 1;
                }
            }
            assert!(
                alternations >= degree + 2,
                "{} degree {degree}: {alternations}",
                elementary.name()
            );
        }
    }
}

#[test]
fn least_levels_that_meet_the_error() {
    let wish = |error| Wish {
        error: Some(error),
        degree: None,
        method: Method::Minimax,
    };
    let cheap = fit(Elementary::Sigmoid.into(), -4.0, 4.0, wish(2e-3)).unwrap();
    assert_eq!((cheap.polynomial.degree(), cheap.polynomial.depth()), (7, 3));
    let fine = fit(Elementary::Sigmoid.into(), -4.0, 4.0, wish(1e-3)).unwrap();
    assert_eq!((fine.polynomial.degree(), fine.polynomial.depth()), (15, 5));
    assert_eq!(fine.polynomial.basis, PolynomialBasis::Chebyshev);
    assert!(fine.error < 1e-4);
    // Six levels cannot: relu has a corner.
    match fit(Elementary::Relu.into(), -1.0, 1.0, wish(1e-6)) {
        Err(FitError::Error(least)) => assert!(1e-3 < least && least < 2e-3, "{least}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        fit(Elementary::Inverse.into(), -1.0, 1.0, wish(1e-3)),
        Err(FitError::Interval)
    );
    assert_eq!(
        fit(Elementary::Exp.into(), 1.0, 1.0, wish(1e-3)),
        Err(FitError::Interval)
    );
}

/// Least squares is worse in the largest error and better in the mean.
#[test]
fn least_squares() {
    let mean_square = |fit: &Fit| {
        let square =
            |x: f64| (fit.polynomial.value(x) - Function::from(Elementary::Sigmoid).value(x)).powi(2);
        (0..4000)
            .map(|node| square(-8.0 + 16.0 * (f64::from(node) + 0.5) / 4000.0))
            .sum::<f64>()
            / 4000.0
    };
    let of = |method| {
        let wish = Wish {
            error: None,
            degree: Some(7),
            method,
        };
        fit(Elementary::Sigmoid.into(), -8.0, 8.0, wish).unwrap()
    };
    let (minimax, squares) = (of(Method::Minimax), of(Method::LeastSquares));
    assert!(squares.error > minimax.error);
    assert!(mean_square(&squares) < mean_square(&minimax));
    // The published degree-7 fit on [−8, 8] (Kim, Song, Kim, Lee, Cheon 2018) starts 0.5 + 1.73496·(x/8).
    assert!(
        (squares.polynomial.coefficients[1] * 8.0 - 1.734_96).abs() < 2e-3,
        "{:?}",
        squares.polynomial.coefficients
    );
}

#[test]
fn derivatives_are_fitted_themselves() {
    for elementary in [
        Elementary::Sigmoid,
        Elementary::Tanh,
        Elementary::Gelu,
        Elementary::Silu,
        Elementary::Softplus,
    ] {
        let function = Function {
            elementary,
            derivative: true,
        };
        let fit = fit(
            function,
            -4.0,
            4.0,
            Wish {
                error: Some(2e-2),
                degree: None,
                method: Method::Minimax,
            },
        )
        .unwrap();
        assert!(fit.error <= 2e-2 && largest_error(&fit.polynomial, function) == fit.error);
    }
}
