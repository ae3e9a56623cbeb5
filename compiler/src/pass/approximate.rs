//! Puts polynomials in place of functions.
//!
//! **In:** a tensor graph, best unrolled and folded. **Out:** the same graph in which every function of one argument,
//! every derivative and every `poly` is a `tensor.polynomial`: in monomials of its argument up to degree 7, above in
//! Chebyshev polynomials of t = (2x − low − high)/(high − low). `poly` becomes exact monomials on (−∞, ∞). The
//! attribute `function` keeps the name. Softmax, comparisons, `max`, and inverses where that is cheaper, become several
//! operations: polynomials, products, sums of rows ([`crate::approx::composite`]).
//!
//! ```text
//! %1 = tensor.sigmoid %0 {degree = 3, high = 4.0, low = -4.0} : tensor<8, secret>
//! ```
//! becomes
//! ```text
//! %1 = tensor.polynomial %0 {basis = "monomial", coefficients = floats[0.5, 0.208, 0.0, -0.00577], error = 0.029,
//!     function = "sigmoid", high = 4.0, low = -4.0} : tensor<8, secret>
//! ```

mod emit;

use std::collections::HashMap;

use emit::Emitter;

use crate::approx::composite::Composite;
use crate::approx::{self, Fit, FitError, Function, Method, Polynomial, Wish};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::dialect::tensor::short_name;
use crate::ir::{Graph, OpData, Opcode, Secrecy};
use crate::pass::rewrite::Rewriter;
use crate::source::Span;

/// What stands for a function somewhere in the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// Name of the function.
    pub function: String,
    /// Where the user wrote it.
    pub span: Span,
    /// Declared interval.
    pub interval: (f64, f64),
    /// What it is computed by, as in `a polynomial of degree 7`.
    pub method: String,
    /// Levels of its evaluation; masks that a layout may need come on top.
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
        if !is_secret(graph, op) {
            return false;
        }
        match fits.of(op, row_length(graph, op)) {
            Some(Stand::Composite(composite)) => {
                let operands = rewriter.get_all(&op.operands);
                let mut emitter = Emitter {
                    builder: rewriter.builder(to, id),
                };
                match composite.apply(&mut emitter, &operands) {
                    Some(value) => rewriter.set(op.results[0], value),
                    None => return false,
                }
                true
            }
            Some(Stand::Polynomial(polynomial, error, name)) => {
                let mut attributes = polynomial.attributes(error);
                attributes.insert("function", name.as_str().into());
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

/// What is put in place of an operation.
enum Stand {
    /// One polynomial, its error and the function's name.
    Polynomial(Polynomial, f64, String),
    Composite(Composite),
}

/// Public values are computed exactly.
fn is_secret(graph: &Graph, op: &OpData) -> bool {
    op.results.iter().any(|&result| {
        graph
            .ty(result)
            .as_tensor()
            .is_some_and(|tensor| tensor.secrecy == Secrecy::Secret)
    })
}

/// Extent of the last axis of the first operand.
fn row_length(graph: &Graph, op: &OpData) -> u32 {
    let operand = op
        .operands
        .first()
        .and_then(|&operand| graph.ty(operand).as_tensor());
    operand
        .and_then(|tensor| tensor.shape.last().copied())
        .unwrap_or(1)
}

/// Fits made so far: the steps of an unrolled graph use the same ones.
#[derive(Default)]
struct Fits {
    known: HashMap<String, Result<Fit, FitError>>,
    composites: HashMap<String, Option<Result<Composite, FitError>>>,
    uses: Vec<Use>,
    diagnostics: Diagnostics,
}

impl Fits {
    /// What is put in place of an operation; none if it stays. `classes` is the length of a row.
    fn of(&mut self, op: &OpData, classes: u32) -> Option<Stand> {
        if op.opcode == Opcode::TensorPoly {
            return Some(Stand::Polynomial(Polynomial::of(op)?, 0.0, "poly".to_owned()));
        }
        let is_row = op.opcode == Opcode::TensorSoftmax;
        let key = format!(
            "{:?} {:?} {}",
            op.opcode,
            op.attributes,
            if is_row { classes } else { 0 }
        );
        let composite = self
            .composites
            .entry(key)
            .or_insert_with(|| Composite::design(op, classes))
            .clone();
        let wish = Wish {
            error: op.float("error"),
            degree: op.int("degree").and_then(|degree| usize::try_from(degree).ok()),
            method: if op.text("method") == Some("least_squares") {
                Method::LeastSquares
            } else {
                Method::Minimax
            },
        };
        let fit = self.fit(op, wish);
        let name = Function::of(op).map_or_else(|| short_name(op.opcode).to_owned(), Function::name);
        let interval = (op.float("low"), op.float("high"));
        let (Some(low), Some(high)) = interval else {
            return None;
        };
        let error = match (composite, fit) {
            (Some(Ok(composite)), Some(Ok(fit))) if composite.is_cheaper_than(&fit, wish) => {
                return Some(self.composed(op, &name, composite));
            }
            (_, Some(Ok(fit))) => {
                self.fitted(op, &name, &fit, wish);
                return Some(Stand::Polynomial(fit.polynomial, fit.error, name));
            }
            (Some(Ok(composite)), _) => return Some(self.composed(op, &name, composite)),
            (Some(Err(error)), _) | (None, Some(Err(error))) => error,
            (None, None) => return None,
        };
        self.fail(op, &name, (low, high), wish, error);
        None
    }

    /// One polynomial, where the operation is a function of one argument.
    fn fit(&mut self, op: &OpData, wish: Wish) -> Option<Result<Fit, FitError>> {
        let function = Function::of(op)?;
        let (low, high) = (op.float("low")?, op.float("high")?);
        let key = format!("{function:?} {low:?} {high:?} {wish:?}");
        let fit = self
            .known
            .entry(key)
            .or_insert_with(|| approx::fit(function, low, high, wish));
        Some(fit.clone())
    }

    fn note(&mut self, op: &OpData, name: &str, method: String, depth: u32, error: f64) {
        let end = |name: &str| op.float(name).unwrap_or(f64::NAN);
        let used = Use {
            function: name.to_owned(),
            span: op.span,
            interval: (end("low"), end("high")),
            method,
            depth,
            error,
        };
        if !self.uses.contains(&used) {
            self.uses.push(used);
        }
    }

    fn composed(&mut self, op: &OpData, name: &str, composite: Composite) -> Stand {
        let depth = composite.cost().levels;
        self.note(op, name, composite.describe(), depth, composite.error());
        Stand::Composite(composite)
    }

    fn fitted(&mut self, op: &OpData, name: &str, fit: &Fit, wish: Wish) {
        let method = format!("a polynomial of degree {}", fit.polynomial.degree());
        self.note(op, name, method, fit.polynomial.depth(), fit.error);
        if wish.error.is_some_and(|wanted| fit.error > wanted) {
            let message = format!(
                "`{name}` of this degree is off by up to {:.2e}, more than the error asked for",
                fit.error
            );
            self.diagnostics.push(
                Diagnostic::new(Code::Depth, message)
                    .label(op.span, "degree and error stated here")
                    .remedy("leave out `degree:`: the cheapest that meets the error is chosen"),
            );
        }
    }

    fn fail(&mut self, op: &OpData, name: &str, (low, high): (f64, f64), wish: Wish, error: FitError) {
        let diagnostic = match error {
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
                let message = if Function::of(op).is_some_and(|function| function.is_smooth_on(low, high)) {
                    format!(
                        "no degree up to {} brings `{name}` on [{low}, {high}] within {wanted:.1e}",
                        approx::MAX_DEGREE
                    )
                } else {
                    format!("no method brings `{name}` on [{low}, {high}] within {wanted:.1e}")
                };
                let diagnostic = Diagnostic::new(Code::Depth, message);
                if least.is_finite() {
                    diagnostic
                        .note(format!("the best is off by {least:.1e}"))
                        .remedy(format!("accept it with `error: {:.1e}`", least * 1.1))
                } else {
                    diagnostic
                }
                .remedy("narrow the range")
            }
        };
        self.diagnostics
            .push(diagnostic.label(op.span, "approximated here"));
    }
}
