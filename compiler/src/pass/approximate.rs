//! Puts polynomials in place of functions.
//!
//! **In:** a tensor graph, best unrolled and folded. **Out:** the same graph in which every function of one argument,
//! every derivative and every `poly` is a `tensor.polynomial`: in monomials of its argument up to degree 7, above in
//! Chebyshev polynomials of t = (2x − low − high)/(high − low). `poly` becomes exact monomials on (−∞, ∞). The
//! attribute `function` keeps the name.
//!
//! ```text
//! %1 = tensor.sigmoid %0 {degree = 3, high = 4.0, low = -4.0} : tensor<8, secret>
//! ```
//! becomes
//! ```text
//! %1 = tensor.polynomial %0 {basis = "monomial", coefficients = floats[0.5, 0.208, 0.0, -0.00577], error = 0.029,
//!     function = "sigmoid", high = 4.0, low = -4.0} : tensor<8, secret>
//! ```

use std::collections::HashMap;

use crate::approx::{self, Fit, FitError, Function, Method, Polynomial, Wish};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::dialect::tensor::short_name;
use crate::ir::{Graph, OpData, Opcode};
use crate::pass::rewrite::Rewriter;
use crate::source::Span;

/// A polynomial that stands for a function somewhere in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Name of the function.
    pub function: String,
    /// Where the user wrote it.
    pub span: Span,
    /// Declared interval.
    pub interval: (f64, f64),
    /// Degree of the polynomial.
    pub degree: usize,
    /// Levels of its evaluation.
    pub depth: u32,
    /// Largest error on the interval.
    pub error: f64,
}

/// Approximates every function; gives the graph and, for the user, each place in the source once.
/// Errors: E-RANGE for an interval on which the function has no polynomial, E-DEPTH for an error that no degree meets,
/// E-UNSUPPORTED for functions without an approximation.
pub fn run(graph: &Graph) -> Result<(Graph, Vec<Use>), Diagnostics> {
    let mut rewriter = Rewriter::new(graph);
    let mut fits = Fits::default();
    let body = rewriter.new.body();
    rewriter.block(graph.body(), body, &mut |rewriter, id, to| {
        let op = graph.op(id);
        match fits.of(op) {
            Some((polynomial, error, name)) => {
                let mut attributes = polynomial.attributes(error);
                attributes.insert("function".to_owned(), name.as_str().into());
                let copy = rewriter.copy(id, to);
                let copy = rewriter.new.op_mut(copy);
                (copy.opcode, copy.attributes) = (Opcode::TensorPolynomial, attributes);
                true
            }
            None => false,
        }
    });
    if fits.diagnostics.has_errors() {
        Err(fits.diagnostics)
    } else {
        Ok((rewriter.new, fits.uses))
    }
}

/// Fits made so far: the steps of an unrolled graph use the same ones.
#[derive(Default)]
struct Fits {
    known: HashMap<String, Result<Fit, FitError>>,
    uses: Vec<Use>,
    diagnostics: Diagnostics,
}

impl Fits {
    /// The polynomial in place of an operation, its error and name; none if the operation stays.
    fn of(&mut self, op: &OpData) -> Option<(Polynomial, f64, String)> {
        if op.opcode == Opcode::TensorPoly {
            return Some((Polynomial::of(op)?, 0.0, "poly".to_owned()));
        }
        if matches!(
            op.opcode,
            Opcode::TensorSoftmax | Opcode::TensorMax | Opcode::TensorCompare
        ) {
            self.refuse(op, short_name(op.opcode));
            return None;
        }
        let function = Function::of(op)?;
        let (low, high) = (op.float("low")?, op.float("high")?);
        let wish = Wish {
            error: op.float("error"),
            degree: op.int("degree").and_then(|degree| usize::try_from(degree).ok()),
            method: if op.text("method") == Some("least_squares") {
                Method::LeastSquares
            } else {
                Method::Minimax
            },
        };
        let key = format!("{function:?} {low:?} {high:?} {wish:?}");
        let fit = self
            .known
            .entry(key)
            .or_insert_with(|| approx::fit(function, low, high, wish))
            .clone();
        match fit {
            Ok(fit) => {
                self.report(op, function, &fit, wish);
                Some((fit.polynomial, fit.error, function.name()))
            }
            Err(error) => {
                self.fail(op, function, (low, high), wish, error);
                None
            }
        }
    }

    fn report(&mut self, op: &OpData, function: Function, fit: &Fit, wish: Wish) {
        let used = Use {
            function: function.name(),
            span: op.span,
            interval: (fit.polynomial.low, fit.polynomial.high),
            degree: fit.polynomial.degree(),
            depth: fit.polynomial.depth(),
            error: fit.error,
        };
        if !self.uses.contains(&used) {
            self.uses.push(used);
        }
        if wish.error.is_some_and(|wanted| fit.error > wanted) {
            let message = format!(
                "`{}` of this degree is off by up to {:.2e}, more than the error asked for",
                function.name(),
                fit.error
            );
            self.diagnostics.push(
                Diagnostic::new(Code::Depth, message)
                    .label(op.span, "degree and error stated here")
                    .remedy("leave out `degree:`: the cheapest that meets the error is chosen"),
            );
        }
    }

    fn refuse(&mut self, op: &OpData, name: &str) {
        self.diagnostics.push(
            Diagnostic::new(
                Code::Unsupported,
                format!("`{name}` of secret values is not compiled yet"),
            )
            .label(op.span, "used here")
            .remedy("use a smooth function such as `sigmoid`, `tanh` or `gelu`, or `poly`"),
        );
    }

    fn fail(
        &mut self,
        op: &OpData,
        function: Function,
        (low, high): (f64, f64),
        wish: Wish,
        error: FitError,
    ) {
        let name = function.name();
        let diagnostic = match error {
            FitError::Interval if matches!(op.opcode, Opcode::TensorSign) => return self.refuse(op, &name),
            FitError::Interval => Diagnostic::new(
                Code::Range,
                format!("no polynomial follows `{name}` on [{low}, {high}]"),
            )
            .remedy("state an interval on which it is continuous, such as `low: 0.5, high: 4`"),
            FitError::Degree => Diagnostic::new(
                Code::Depth,
                format!(
                    "a polynomial of degree {} is not fitted",
                    wish.degree.unwrap_or(0)
                ),
            )
            .remedy(format!("degrees go up to {}", approx::MAX_DEGREE)),
            FitError::Error(least) => {
                let wanted = wish.error.unwrap_or(approx::DEFAULT_ERROR);
                Diagnostic::new(
                    Code::Depth,
                    format!(
                        "no degree up to {} brings `{name}` on [{low}, {high}] within {wanted:.1e}",
                        approx::MAX_DEGREE
                    ),
                )
                .note(format!("the best is off by {least:.1e}"))
                .remedy(format!("accept it with `error: {:.1e}`", least * 1.1))
                .remedy("narrow the range")
            }
        };
        self.diagnostics
            .push(diagnostic.label(op.span, "approximated here"));
    }
}
