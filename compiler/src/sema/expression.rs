//! Expressions: numbers, names, operators.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attributes, Builder, Opcode, Secrecy, Value};
use crate::source::Span;
use crate::syntax::ast::{BinaryOperator, Expression, ExpressionKind, number};

use super::checker::{Checked, Checker, Operand, Reported};
use super::shape;

/// Deepest nesting of expressions over all inlined functions.
const DEEPEST: u32 = 256;

/// An operand and where it was written.
pub(super) type Placed = (Operand, Span);

impl<'a> Checker<'a> {
    /// Lowers an expression.
    pub fn expression(&mut self, expression: &'a Expression) -> Checked<Operand> {
        self.visit(expression.span)?;
        if self.depth >= DEEPEST {
            return Err(self.report(
                Diagnostic::new(Code::Syntax, "this expression is nested too deeply")
                    .label(
                        expression.span,
                        format!(
                            "more than {DEEPEST} expressions inside each other, function bodies included"
                        ),
                    )
                    .remedy("name parts of it with `let`"),
            ));
        }
        self.depth += 1;
        let result = self.expression_kind(expression);
        self.depth -= 1;
        result
    }

    fn expression_kind(&mut self, expression: &'a Expression) -> Checked<Operand> {
        let span = expression.span;
        match &expression.node {
            // The parser has refused numbers that are not finite.
            ExpressionKind::Number(text) => number(text).map(Operand::Number).ok_or(Reported),
            ExpressionKind::Name(name) => self.lookup(name, span),
            ExpressionKind::List(items) => self.list(items),
            ExpressionKind::Negate(inner) => match self.expression(inner)? {
                Operand::Number(number) => Ok(Operand::Number(-number)),
                Operand::List(values) => Ok(Operand::List(values.into_iter().map(|value| -value).collect())),
                Operand::Tensor(value) => self.negate(value, span).map(Operand::Tensor),
            },
            ExpressionKind::Binary(operator, left, right) => {
                let (a, b) = (self.expression(left), self.expression(right));
                self.binary(*operator, span, (a?, left.span), (b?, right.span))
            }
            ExpressionKind::Call(function, arguments) => self.call(function, arguments, span),
        }
    }

    /// `[a, b, c]`: constants.
    fn list(&mut self, items: &'a [Expression]) -> Checked<Operand> {
        let values: Vec<Checked<f64>> = items
            .iter()
            .map(|item| self.constant(item, "an element of a list"))
            .collect();
        values.into_iter().collect::<Checked<_>>().map(Operand::List)
    }

    pub fn negate(&mut self, value: Value, span: Span) -> Checked<Value> {
        let ty = self.ty(value);
        self.emit(
            span,
            Opcode::TensorNeg,
            &[value],
            Attributes::new(),
            &ty.shape,
            ty.secrecy,
        )
    }

    fn binary(
        &mut self,
        operator: BinaryOperator,
        span: Span,
        left: Placed,
        right: Placed,
    ) -> Checked<Operand> {
        if operator == BinaryOperator::Divide {
            self.check_divisor(&right)?;
        }
        if let (Operand::Number(a), Operand::Number(b)) = (&left.0, &right.0) {
            let value = match operator {
                BinaryOperator::Add => a + b,
                BinaryOperator::Subtract => a - b,
                BinaryOperator::Multiply => a * b,
                BinaryOperator::Divide => a / b,
                BinaryOperator::Matmul => {
                    return Err(self.no_product(span, &left, &right, "`@` takes vectors and matrices"));
                }
            };
            return self.finite(value, span);
        }
        let opcode = match operator {
            BinaryOperator::Add => Opcode::TensorAdd,
            BinaryOperator::Subtract => Opcode::TensorSub,
            BinaryOperator::Multiply => Opcode::TensorMul,
            BinaryOperator::Divide => Opcode::TensorDiv,
            BinaryOperator::Matmul => return self.matmul(span, left, right).map(Operand::Tensor),
        };
        self.elementwise(opcode, operator.as_str(), span, left, right)
            .map(Operand::Tensor)
    }

    /// A folded number, unless it has overflowed.
    pub fn finite(&mut self, value: f64, span: Span) -> Checked<Operand> {
        if value.is_finite() {
            return Ok(Operand::Number(value));
        }
        Err(self.report(
            Diagnostic::new(Code::Range, "this constant has no finite value")
                .label(span, format!("gives {value}")),
        ))
    }

    fn check_divisor(&mut self, divisor: &Placed) -> Checked<()> {
        let (operand, span) = divisor;
        match operand {
            Operand::Number(0.0) => {
                Err(self.report(Diagnostic::new(Code::Range, "division by zero").label(*span, "is zero")))
            }
            Operand::List(values) if values.contains(&0.0) => {
                Err(self
                    .report(Diagnostic::new(Code::Range, "division by zero").label(*span, "holds a zero")))
            }
            Operand::Tensor(value) if self.ty(*value).secrecy == Secrecy::Secret => {
                let what = self.describe(operand);
                Err(self.report(
                    Diagnostic::new(Code::Secret, "division by a secret value")
                        .label(*span, format!("is {what}"))
                        .note("encrypted values can be added and multiplied, but not divided by")
                        .remedy(
                            "multiply by `inverse(z, range: [low, high])`, a polynomial \
                            approximation on an interval without 0",
                        ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// `+ - * /` on tensors: both sides get the same shape; public scalars stay scalars.
    fn elementwise(
        &mut self,
        opcode: Opcode,
        sign: &str,
        span: Span,
        left: Placed,
        right: Placed,
    ) -> Checked<Value> {
        let (shape, secrecy) = self.common_shape(&format!("`{sign}`"), span, &left, &right)?;
        let mut operands = Vec::new();
        for (operand, place) in [left, right] {
            let value = self.tensor(operand, place)?;
            let ty = self.ty(value);
            let public_scalar = ty.shape.is_empty() && ty.secrecy == Secrecy::Public;
            operands.push(if public_scalar {
                value
            } else {
                self.broadcast(value, &shape, place)?
            });
        }
        self.emit(span, opcode, &operands, Attributes::new(), &shape, secrecy)
    }

    /// The shape that two operands broadcast to, and the secrecy of what is made from both.
    pub fn common_shape(
        &mut self,
        what: &str,
        span: Span,
        left: &Placed,
        right: &Placed,
    ) -> Checked<(Vec<u32>, Secrecy)> {
        let ((a, secret_a), (b, secret_b)) = (self.shape_of(&left.0), self.shape_of(&right.0));
        if let Some(common) = shape::broadcast(&a, &b) {
            return Ok((common, secret_a.join(secret_b)));
        }
        let (show_a, show_b) = (shape::show(&a), shape::show(&b));
        let mut diagnostic = Diagnostic::new(
            Code::Shape,
            format!("the shapes {show_a} and {show_b} do not fit together in {what}"),
        )
        .label(span, "")
        .label(left.1, show_a)
        .label(right.1, show_b)
        .note("shapes are aligned at the last dimension; extents must be equal, or one of them 1");
        if a.first() == b.first() && a.len() == 2 && b.len() == 1 {
            diagnostic = diagnostic.remedy(format!(
                "to repeat the vector along the rows, make it a column: `reshape(v, [{}, 1])`",
                b[0]
            ));
        } else if a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0] {
            diagnostic = diagnostic.remedy(
                "one side is the transpose of the other: use `transpose`, or `@` for a matrix product",
            );
        }
        Err(self.report(diagnostic))
    }

    /// Shape and secrecy of an operand.
    pub fn shape_of(&self, operand: &Operand) -> (Vec<u32>, Secrecy) {
        match operand {
            Operand::Number(_) => (Vec::new(), Secrecy::Public),
            Operand::List(values) => (vec![values.len() as u32], Secrecy::Public),
            Operand::Tensor(value) => {
                let ty = self.ty(*value);
                (ty.shape, ty.secrecy)
            }
        }
    }

    /// Repeats a tensor up to `shape`, which its own shape broadcasts to. Extents of 1 that grow are
    /// removed first.
    pub fn broadcast(&mut self, value: Value, shape: &[u32], span: Span) -> Checked<Value> {
        let ty = self.ty(value);
        if ty.shape == shape {
            return Ok(value);
        }
        let offset = shape.len() - ty.shape.len();
        let kept: Vec<usize> = (0..ty.shape.len())
            .filter(|&index| ty.shape[index] == shape[index + offset])
            .collect();
        let extents: Vec<u32> = kept.iter().map(|&index| ty.shape[index]).collect();
        let value = if extents == ty.shape {
            value
        } else {
            let attributes = Builder::attributes([("shape", integers(&extents).into())]);
            self.emit(
                span,
                Opcode::TensorReshape,
                &[value],
                attributes,
                &extents,
                ty.secrecy,
            )?
        };
        let axes: Vec<i64> = kept.iter().map(|&index| (index + offset) as i64).collect();
        let attributes = Builder::attributes([("axes", axes.into()), ("shape", integers(shape).into())]);
        self.emit(
            span,
            Opcode::TensorBroadcast,
            &[value],
            attributes,
            shape,
            ty.secrecy,
        )
    }

    fn matmul(&mut self, span: Span, left: Placed, right: Placed) -> Checked<Value> {
        let ((a, secret_a), (b, secret_b)) = (self.shape_of(&left.0), self.shape_of(&right.0));
        let shape = match shape::matmul(&a, &b) {
            Ok(shape) => shape,
            Err(reason) => return Err(self.no_product(span, &left, &right, &reason)),
        };
        let operands = [self.tensor(left.0, left.1)?, self.tensor(right.0, right.1)?];
        self.emit(
            span,
            Opcode::TensorMatmul,
            &operands,
            Attributes::new(),
            &shape,
            secret_a.join(secret_b),
        )
    }

    fn no_product(&mut self, span: Span, left: &Placed, right: &Placed, reason: &str) -> Reported {
        let ((a, _), (b, _)) = (self.shape_of(&left.0), self.shape_of(&right.0));
        let (show_a, show_b) = (shape::show(&a), shape::show(&b));
        let mut diagnostic = Diagnostic::new(
            Code::Shape,
            format!("no matrix product of {show_a} and {show_b}: {reason}"),
        );
        if left.1 == span || right.1 == span {
            diagnostic = diagnostic.label(span, "matrix product");
        } else {
            diagnostic = diagnostic.label(left.1, show_a).label(right.1, show_b);
        }
        if b.len() == 2 && a.last() == b.last() {
            diagnostic = diagnostic.remedy("transpose the right side: `a @ transpose(b)`");
        } else if a.len() == 2 && a.first() == b.first() {
            diagnostic = diagnostic.remedy("transpose the left side: `transpose(a) @ b`");
        } else if a.is_empty() || b.is_empty() {
            diagnostic = diagnostic.remedy("multiply by a scalar with `*`");
        }
        self.report(diagnostic)
    }

    // Constants.

    /// An expression that must be a number known to the compiler.
    pub fn constant(&mut self, expression: &'a Expression, what: &str) -> Checked<f64> {
        let operand = self.expression(expression)?;
        let described = self.describe(&operand);
        let diagnostic = match operand {
            Operand::Number(number) => return Ok(number),
            Operand::Tensor(value) if self.ty(value).secrecy == Secrecy::Secret => {
                Diagnostic::new(Code::Secret, format!("{what} cannot depend on a secret"))
                    .note("the plan is made before any data is seen")
            }
            _ => Diagnostic::new(Code::Type, format!("{what} must be a constant number"))
                .remedy("use numbers, `const` names and arithmetic on them"),
        };
        Err(self.report(diagnostic.label(expression.span, format!("is {described}"))))
    }

    /// A whole number known to the compiler.
    pub fn integer(&mut self, expression: &'a Expression, what: &str) -> Checked<i64> {
        let value = self.constant(expression, what)?;
        // 2^53: the whole numbers that f64 counts exactly.
        if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
            return Ok(value as i64);
        }
        Err(self.report(
            Diagnostic::new(Code::Type, format!("{what} must be a whole number"))
                .label(expression.span, format!("is {value}")),
        ))
    }

    /// A positive whole number: the extent of a dimension.
    pub fn extent(&mut self, expression: &'a Expression, what: &str) -> Checked<u32> {
        let value = self.integer(expression, what)?;
        u32::try_from(value)
            .ok()
            .filter(|&extent| extent > 0)
            .ok_or_else(|| {
                self.report(
                    Diagnostic::new(Code::Shape, format!("{what} must be at least 1 and below 2^32"))
                        .label(expression.span, format!("is {value}")),
                )
            })
    }
}

/// Extents as an attribute holds them.
pub(super) fn integers(extents: &[u32]) -> Vec<i64> {
    extents.iter().map(|&extent| i64::from(extent)).collect()
}
