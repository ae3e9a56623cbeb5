//! Functions that are approximated by polynomials, and the losses made of them.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attributes, Builder, Opcode, Secrecy, Value};
use crate::source::Span;
use crate::syntax::ast::{Expression, ExpressionKind};

use super::call::Call;
use super::checker::{Checked, Checker, Operand};
use super::expression::Placed;
use super::shape;

/// Highest degree that a user may ask for.
const MOST_DEGREE: i64 = 1023;

/// How a function is to be approximated.
struct Fit {
    low: f64,
    high: f64,
    error: Option<f64>,
    degree: Option<i64>,
    margin: Option<f64>,
    method: Option<&'static str>,
}

impl Fit {
    fn attributes(&self) -> Attributes {
        let mut attributes = Builder::attributes([("low", self.low.into()), ("high", self.high.into())]);
        attributes.extend(self.error.map(|error| ("error", error.into())));
        attributes.extend(self.degree.map(|degree| ("degree", degree.into())));
        attributes.extend(self.margin.map(|margin| ("margin", margin.into())));
        attributes.extend(self.method.map(|method| ("method", method.into())));
        attributes
    }
}

impl<'a> Checker<'a> {
    /// A function of one tensor, with a declared range.
    pub fn nonlinear(&mut self, call: &Call<'a>, opcode: Opcode) -> Checked<Operand> {
        let argument = call.positional[0];
        let operand = self.expression(argument)?;
        let value = match (opcode, operand) {
            (Opcode::TensorExp, Operand::Number(number)) => return self.finite(number.exp(), call.span),
            (Opcode::TensorInverse, Operand::Number(number)) => return self.finite(1.0 / number, call.span),
            (Opcode::TensorInverseSqrt, Operand::Number(number)) => {
                return self.finite(1.0 / number.sqrt(), call.span);
            }
            (_, operand) => self.tensor(operand, argument.span)?,
        };
        let ty = self.ty(value);
        if opcode == Opcode::TensorSoftmax && !(1..=2).contains(&ty.shape.len()) {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    "`softmax` works on a vector, or on each row of a matrix",
                )
                .label(argument.span, format!("is {}", shape::show(&ty.shape))),
            ));
        }
        let fit = self.fit(call, opcode, ty.secrecy)?;
        self.emit(
            call.span,
            opcode,
            &[value],
            fit.attributes(),
            &ty.shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `range:`, `error:` and `degree:`. Functions of public values are computed exactly and need no range.
    fn fit(&mut self, call: &Call<'a>, opcode: Opcode, secrecy: Secrecy) -> Checked<Fit> {
        let name = call.signature.name;
        let Some(range) = call.named("range") else {
            if secrecy == Secrecy::Secret {
                return Err(self.report(
                    Diagnostic::new(Code::Range, format!("`{name}` of a secret value needs a range"))
                        .label(call.span, "on which interval?")
                        .note(
                            "it is approximated by a polynomial that is good on an interval and \
                            useless outside",
                        )
                        .remedy(format!(
                            "declare the values that can occur: `{}`",
                            call.signature.usage
                        )),
                ));
            }
            let low = if opcode == Opcode::TensorInverseSqrt {
                f64::MIN_POSITIVE
            } else {
                f64::MIN
            };
            return Ok(Fit {
                low,
                high: f64::MAX,
                error: None,
                degree: None,
                margin: None,
                method: None,
            });
        };
        let (low, high) = self.interval(range)?;
        if opcode == Opcode::TensorInverse && low <= 0.0 && high >= 0.0 {
            return Err(self.report(
                Diagnostic::new(
                    Code::Range,
                    format!("`inverse` on [{low}, {high}], which holds 0"),
                )
                .label(range.span, "1/z is unbounded here")
                .remedy(
                    "give an interval on one side of 0: `range: [0.1, 4]`; the depth grows with high/low",
                ),
            ));
        }
        if opcode == Opcode::TensorInverseSqrt && low <= 0.0 {
            return Err(self.report(
                Diagnostic::new(
                    Code::Range,
                    format!("`inverse_sqrt` on [{low}, {high}], which is not positive"),
                )
                .label(range.span, "1/√z needs z > 0")
                .remedy("give a positive interval: `range: [0.1, 4]`"),
            ));
        }
        let (error, degree) = (self.fit_error(call)?, self.fit_degree(call)?);
        if let (Some(_), Some(_), Some(place)) = (error, degree, call.named("degree")) {
            return Err(self.report(
                Diagnostic::new(Code::Type, "`error:` and `degree:` exclude each other")
                    .label(place.span, "the degree follows from the error")
                    .remedy("keep the one that matters: the error, or the depth that the degree costs"),
            ));
        }
        let (margin, method) = (
            self.fit_margin(call, low.abs().max(high.abs()))?,
            self.fit_method(call)?,
        );
        Ok(Fit {
            low,
            high,
            error,
            degree,
            margin,
            method,
        })
    }

    /// The interval that a `range:` states.
    pub fn interval(&mut self, range: &'a Expression) -> Checked<(f64, f64)> {
        let (low, high) = match &range.node {
            ExpressionKind::List(bounds) if bounds.len() == 2 => (
                self.constant(&bounds[0], "a bound")?,
                self.constant(&bounds[1], "a bound")?,
            ),
            ExpressionKind::List(_) => {
                return Err(self.report(
                    Diagnostic::new(Code::Type, "a range has two bounds")
                        .label(range.span, "not a range")
                        .remedy("write `range: [low, high]`, or `range: r` for [-r, r]"),
                ));
            }
            _ => {
                let bound = self.constant(range, "a range")?;
                if bound <= 0.0 {
                    return Err(self.report(
                        Diagnostic::new(Code::Range, "a range must be positive")
                            .label(range.span, format!("is {bound}"))
                            .note("`range: r` means the interval [-r, r]"),
                    ));
                }
                (-bound, bound)
            }
        };
        if low >= high {
            return Err(self.report(
                Diagnostic::new(Code::Range, format!("the range [{low}, {high}] is empty"))
                    .label(range.span, "the lower bound must be below the upper one"),
            ));
        }
        Ok((low, high))
    }

    fn fit_error(&mut self, call: &Call<'a>) -> Checked<Option<f64>> {
        let Some(expression) = call.named("error") else {
            return Ok(None);
        };
        let error = self.constant(expression, "an error")?;
        if error > 0.0 {
            return Ok(Some(error));
        }
        Err(self.report(
            Diagnostic::new(Code::Range, "the wanted error must be positive")
                .label(expression.span, format!("is {error}"))
                .remedy("no polynomial is exact; `error: 0.001` is usual for training"),
        ))
    }

    fn fit_degree(&mut self, call: &Call<'a>) -> Checked<Option<i64>> {
        let Some(expression) = call.named("degree") else {
            return Ok(None);
        };
        let degree = self.integer(expression, "a degree")?;
        if (1..=MOST_DEGREE).contains(&degree) {
            return Ok(Some(degree));
        }
        Err(self.report(
            Diagnostic::new(Code::Range, format!("a degree lies between 1 and {MOST_DEGREE}"))
                .label(expression.span, format!("is {degree}")),
        ))
    }

    fn fit_margin(&mut self, call: &Call<'a>, reach: f64) -> Checked<Option<f64>> {
        let Some(expression) = call.named("margin") else {
            return Ok(None);
        };
        let margin = self.constant(expression, "a margin")?;
        if 0.0 < margin && margin < reach {
            return Ok(Some(margin));
        }
        Err(self.report(
            Diagnostic::new(
                Code::Range,
                "the margin of a comparison lies between 0 and the range",
            )
            .label(expression.span, format!("is {margin}"))
            .note(
                "no polynomial jumps: nearer to 0 than the margin, something between the two sides comes out",
            ),
        ))
    }

    fn fit_method(&mut self, call: &Call<'a>) -> Checked<Option<&'static str>> {
        const METHODS: [&str; 2] = ["squaring", "tournament"];
        let Some(expression) = call.named("method") else {
            return Ok(None);
        };
        let known = METHODS
            .into_iter()
            .find(|method| matches!(&expression.node, ExpressionKind::Name(name) if name == method));
        match known {
            Some(method) => Ok(Some(method)),
            None => Err(self.report(
                Diagnostic::new(
                    Code::Type,
                    format!("`{}` has no such method", call.signature.name),
                )
                .label(expression.span, "not the name of a method")
                .remedy("leave it out for the one that takes fewest levels, `squaring`")
                .remedy("write `method: tournament` to subtract the largest element of each row first"),
            )),
        }
    }

    /// Both operands of a comparison in one shape.
    fn pair(&mut self, call: &Call<'a>) -> Checked<(Placed, Placed)> {
        let (a, b) = (call.positional[0], call.positional[1]);
        let (left, right) = (self.expression(a), self.expression(b));
        Ok(((left?, a.span), (right?, b.span)))
    }

    fn comparing(&mut self, call: &Call<'a>, opcode: Opcode, left: Placed, right: Placed) -> Checked<Value> {
        let (shape, secrecy) =
            self.common_shape(&format!("`{}`", call.signature.name), call.span, &left, &right)?;
        let fit = self.fit(call, opcode, secrecy)?;
        let mut operands = Vec::new();
        for (operand, place) in [left, right] {
            let value = self.tensor(operand, place)?;
            operands.push(self.broadcast(value, &shape, place)?);
        }
        self.emit(call.span, opcode, &operands, fit.attributes(), &shape, secrecy)
    }

    /// `greater(a, b)` is 1 where a > b, 0 where a < b and ½ between; `less(a, b)` is `greater(b, a)`.
    pub fn comparison(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (left, right) = self.pair(call)?;
        let (left, right) = if call.signature.name == "less" {
            (right, left)
        } else {
            (left, right)
        };
        self.comparing(call, Opcode::TensorCompare, left, right)
            .map(Operand::Tensor)
    }

    /// `max(a, b)`, and `min(a, b)` = −max(−a, −b).
    pub fn extremum(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (left, right) = self.pair(call)?;
        let is_min = call.signature.name == "min";
        if let (Operand::Number(a), Operand::Number(b)) = (&left.0, &right.0) {
            return Ok(Operand::Number(if is_min { a.min(*b) } else { a.max(*b) }));
        }
        if !is_min {
            return self
                .comparing(call, Opcode::TensorMax, left, right)
                .map(Operand::Tensor);
        }
        let mut negated = Vec::new();
        // Swapped, so that the difference of the sides is the one whose range is declared: (−b) − (−a) =
        // a − b.
        for (operand, place) in [right, left] {
            let value = self.tensor(operand, place)?;
            negated.push((Operand::Tensor(self.negate(value, place)?), place));
        }
        let [left, right] = [negated[0].clone(), negated[1].clone()];
        let largest = self.comparing(call, Opcode::TensorMax, left, right)?;
        self.negate(largest, call.span).map(Operand::Tensor)
    }

    /// `poly(z, [c0, c1, …])` = c0 + c1·z + …
    pub fn poly(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let (argument, list) = (call.positional[0], call.positional[1]);
        let operand = self.expression(argument);
        let coefficients = match self.expression(list)? {
            Operand::List(values) if !values.is_empty() => values,
            other => {
                let described = self.describe(&other);
                return Err(self.report(
                    Diagnostic::new(Code::Type, "the coefficients of `poly` are a list of constants")
                        .label(list.span, format!("is {described}"))
                        .remedy("write them from the constant term upwards: `poly(z, [1, 0, 0.5])`"),
                ));
            }
        };
        let value = match operand? {
            Operand::Number(number) => {
                let value = coefficients
                    .iter()
                    .rev()
                    .fold(0.0, |sum, coefficient| sum * number + coefficient);
                return self.finite(value, call.span);
            }
            operand => self.tensor(operand, argument.span)?,
        };
        let ty = self.ty(value);
        let attributes = Builder::attributes([("coefficients", coefficients.into())]);
        self.emit(
            call.span,
            Opcode::TensorPoly,
            &[value],
            attributes,
            &ty.shape,
            ty.secrecy,
        )
        .map(Operand::Tensor)
    }

    /// `cross_entropy(prediction, target)`: for each element after sigmoid, for each row after softmax.
    pub fn cross_entropy(&mut self, call: &Call<'a>) -> Checked<Operand> {
        let ((prediction, prediction_span), (target, target_span)) = self.pair(call)?;
        let prediction = self.tensor(prediction, prediction_span)?;
        let target = self.tensor(target, target_span)?;
        let defined_by = self
            .graph
            .defining_op(prediction)
            .map(|op| self.graph.op(op).opcode);
        let by_rows = match defined_by {
            Some(Opcode::TensorSigmoid) => false,
            Some(Opcode::TensorSoftmax) => true,
            _ => {
                return Err(self.report(
                    Diagnostic::new(
                        Code::Type,
                        "the prediction of `cross_entropy` must come from `sigmoid` or `softmax`",
                    )
                    .label(prediction_span, "is the result of something else")
                    .note("together, the gradient is prediction − target: no logarithm is ever computed")
                    .remedy(
                        "write `cross_entropy(sigmoid(z, range: 8), y)`, or `softmax` for several classes",
                    ),
                ));
            }
        };
        let (ty, target_ty) = (self.ty(prediction), self.ty(target));
        if ty.shape != target_ty.shape {
            let (show, show_target) = (shape::show(&ty.shape), shape::show(&target_ty.shape));
            let hint =
                "targets of several classes are one-hot rows: `stream y: secret [batch, classes] one_hot;`";
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("predictions {show} and targets {show_target} differ in shape"),
                )
                .label(prediction_span, format!("predictions {show}"))
                .label(target_span, format!("targets {show_target}"))
                .remedy_if(by_rows.then(|| hint.to_owned())),
            ));
        }
        let (wanted, rank) = if by_rows {
            (2, "rows of a matrix")
        } else {
            (1, "elements of a vector")
        };
        let fits = ty.shape.len() == wanted || (!by_rows && ty.shape.is_empty());
        if !fits {
            let function = if by_rows { "softmax" } else { "sigmoid" };
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("`cross_entropy` after `{function}` compares the {rank}"),
                )
                .label(prediction_span, format!("is {}", shape::show(&ty.shape)))
                .note(
                    "one loss for each example: sigmoid gives one probability for it, softmax a row of them",
                ),
            ));
        }
        self.check_targets(target_ty.range, target_span)?;
        let secrecy = ty.secrecy.join(target_ty.secrecy);
        let (opcode, operands) = (Opcode::TensorCrossEntropy, [prediction, target]);
        self.emit(
            call.span,
            opcode,
            &operands,
            Attributes::new(),
            &ty.shape[..ty.shape.len().min(1)],
            secrecy,
        )
        .map(Operand::Tensor)
    }

    fn check_targets(&mut self, range: Option<(f64, f64)>, span: Span) -> Checked<()> {
        match range {
            Some((low, high)) if low < 0.0 || high > 1.0 => Err(self.report(
                Diagnostic::new(
                    Code::Range,
                    "targets of `cross_entropy` are probabilities, between 0 and 1",
                )
                .label(span, format!("lies in [{low}, {high}]"))
                .remedy("declare the labels `in [0, 1]`, or `one_hot`"),
            )),
            _ => Ok(()),
        }
    }
}
