//! Intervals that hold the elements of each value.
//!
//! Ranges of inputs, streams and states are contracts: the encryptor refuses data outside them, and a state's is
//! assumed at every step. From them interval arithmetic derives what it can; [`check`] compares with what functions
//! declare about their arguments, [`annotate`] writes the intervals into the types.

use crate::approx::{Function, Polynomial};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::dialect::tensor::{Elements, short_name};
use crate::ir::{Graph, OpData, OpId, Opcode, Type, Value};
use crate::source::Span;

/// A closed interval.
pub type Interval = (f64, f64);

/// How a function's declared interval relates to what is known of its argument.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeNote {
    /// Name of the function.
    pub function: String,
    /// Where the user wrote it.
    pub span: Span,
    /// Declared interval of the argument.
    pub declared: Interval,
    /// Interval that holds the argument for certain, if one is known.
    pub derived: Option<Interval>,
    /// Whether the derived interval lies inside the declared one; otherwise the declaration is assumed.
    pub proven: bool,
}

impl RangeNote {
    /// The note in words.
    pub fn text(&self) -> String {
        let interval = |(low, high): Interval| format!("[{low}, {high}]");
        match (self.proven, self.derived) {
            (true, _) => format!("range {} of `{}`: proven", interval(self.declared), self.function),
            (false, Some(derived)) => format!(
                "range {} of `{}`: assumed, not proven; the proven interval is {}",
                interval(self.declared),
                self.function,
                interval(derived)
            ),
            (false, None) => format!(
                "range {} of `{}`: assumed, not proven",
                interval(self.declared),
                self.function
            ),
        }
    }
}

/// Compares declared intervals with derived ones; meant for the graph before unrolling, where each place in the source
/// is one operation. Errors: E-RANGE where the two have no value in common, or where a state's first value lies outside
/// its range.
pub fn check(graph: &Graph) -> Result<Vec<RangeNote>, Diagnostics> {
    let intervals = derive(graph);
    let mut notes: Vec<RangeNote> = Vec::new();
    let mut diagnostics = Diagnostics::new();
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        if op.opcode == Opcode::TrainLoop {
            check_states(graph, op, &intervals, &mut diagnostics);
            notes.extend(carried(graph, op, &intervals));
        }
        if op.opcode == Opcode::TensorBootstrap && assumed(op, intervals[op.operands[0].index()]).is_none() {
            diagnostics.push(unbounded(op));
        }
        let (Some(declared), false) = (declared_argument(op), op.opcode == Opcode::TensorDerivative) else {
            continue;
        };
        let derived = match op.operands.as_slice() {
            // Comparisons declare the interval of the difference.
            &[a, b] => intervals[a.index()]
                .zip(intervals[b.index()])
                .map(|(a, b)| (a.0 - b.1, a.1 - b.0)),
            operands => intervals[operands[0].index()],
        };
        if let Some((low, high)) = derived.filter(|&(low, high)| low > declared.1 || high < declared.0) {
            diagnostics.push(
                Diagnostic::new(
                    Code::Range,
                    format!(
                        "the argument of `{}` never lies in [{}, {}]",
                        short_name(op.opcode),
                        declared.0,
                        declared.1
                    ),
                )
                .label(op.span, format!("its values lie in [{low}, {high}]"))
                .remedy(format!("declare a range that holds [{low}, {high}]")),
            );
        }
        let proven = derived.is_some_and(|(low, high)| low >= declared.0 && high <= declared.1);
        let note = RangeNote {
            function: short_name(op.opcode).to_owned(),
            span: op.span,
            declared,
            derived,
            proven,
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    if diagnostics.has_errors() {
        Err(diagnostics)
    } else {
        Ok(notes)
    }
}

fn check_states(graph: &Graph, op: &OpData, intervals: &[Option<Interval>], diagnostics: &mut Diagnostics) {
    for ((&first, &argument), name) in op
        .operands
        .iter()
        .zip(&graph.block(op.regions[0]).arguments)
        .zip(op.texts("names"))
    {
        let declared = graph.ty(argument).as_tensor().and_then(|tensor| tensor.range);
        let constant = graph.defining_op(first).and_then(|op| Elements::of(graph.op(op)));
        if let (Some((low, high)), Some(_), Some(found)) = (declared, constant, intervals[first.index()])
            && (found.0 < low || found.1 > high)
        {
            diagnostics.push(
                Diagnostic::new(
                    Code::Range,
                    format!("the first value of `{name}` lies outside its range [{low}, {high}]"),
                )
                .label(op.span, format!("it lies in [{}, {}]", found.0, found.1))
                .remedy("widen the range of the state"),
            );
        }
    }
}

/// Whether the states that a step with bootstraps leaves keep to their ranges: nothing else bounds what the next
/// step starts from.
fn carried(graph: &Graph, op: &OpData, intervals: &[Option<Interval>]) -> Vec<RangeNote> {
    let step = graph.block(op.regions[0]);
    let bootstraps = |op: &&OpId| graph.op(**op).opcode == Opcode::TensorBootstrap;
    let Some(last) = graph
        .terminator(op.regions[0])
        .filter(|_| step.ops.iter().any(|op| bootstraps(&op)))
    else {
        return Vec::new();
    };
    let states = step.arguments.iter().zip(&last.operands).zip(op.texts("names"));
    states
        .filter(|((argument, next), _)| argument != next)
        .filter_map(|((&argument, &next), name)| {
            let declared = graph.ty(argument).as_tensor()?.range?;
            let derived = intervals[next.index()];
            Some(RangeNote {
                function: name.clone(),
                span: graph.defining_op(next).map_or(op.span, |op| graph.op(op).span),
                declared,
                derived,
                proven: derived.is_some_and(|(low, high)| low >= declared.0 && high <= declared.1),
            })
        })
        .collect()
}

fn unbounded(op: &OpData) -> Diagnostic {
    Diagnostic::new(Code::Range, "`bootstrap` of a value whose range is not known")
        .label(op.span, "which values can it take?")
        .note("a bootstrap takes values of a known interval and gives wrong ones for all others")
        .remedy("state it: `bootstrap(x, range: 1)`")
        .remedy("give the functions below it a `range:`")
}

/// Writes the interval of every tensor value into its type.
pub fn annotate(graph: &mut Graph) {
    for (index, interval) in derive(graph).into_iter().enumerate() {
        let value = Value(index as u32);
        if let (Some(interval), Type::Tensor(tensor)) = (interval, graph.ty(value).clone()) {
            graph.set_type(value, Type::tensor(tensor.shape, tensor.secrecy, Some(interval)));
        }
    }
}

/// Interval of every value, by index: the declared range where there is one, cut with what its operation gives.
pub fn derive(graph: &Graph) -> Vec<Option<Interval>> {
    let mut intervals: Vec<Option<Interval>> = (0..graph.value_count())
        .map(|index| {
            graph
                .ty(Value(index as u32))
                .as_tensor()
                .and_then(|tensor| tensor.range)
        })
        .collect();
    for op in graph.walk().into_iter().map(|op| graph.op(op)) {
        let [result] = op.results.as_slice() else { continue };
        let computed =
            transfer(graph, op, &intervals).filter(|(low, high)| low.is_finite() && high.is_finite());
        let known = &mut intervals[result.index()];
        *known = match (*known, computed) {
            (Some(a), Some(b)) => {
                let cut = (a.0.max(b.0), a.1.min(b.1));
                Some(if cut.0 <= cut.1 { cut } else { b })
            }
            (a, b) => a.or(b),
        };
    }
    intervals
}

/// The interval on which an operation declares its argument, if it does.
fn declared_argument(op: &OpData) -> Option<Interval> {
    let interval = (op.float("low")?, op.float("high")?);
    (interval.0.is_finite() && interval.1.is_finite()).then_some(interval)
}

fn hull(values: impl IntoIterator<Item = f64>) -> Interval {
    values
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        })
}

fn product(a: Interval, b: Interval) -> Interval {
    hull([a.0 * b.0, a.0 * b.1, a.1 * b.0, a.1 * b.1])
}

fn times(a: Interval, count: f64) -> Interval {
    (a.0 * count, a.1 * count)
}

/// The interval of a result from those of the operands.
fn transfer(graph: &Graph, op: &OpData, intervals: &[Option<Interval>]) -> Option<Interval> {
    use Opcode::*;
    if let Some(elements) = Elements::of(op) {
        return Some(elements.interval());
    }
    let operand = |index: usize| intervals[op.operands.get(index)?.index()];
    let elements = |value: Value| graph.ty(value).as_tensor().map_or(1, |tensor| tensor.elements()) as f64;
    let a = || operand(0);
    match op.opcode {
        TensorAdd => a().zip(operand(1)).map(|(a, b)| (a.0 + b.0, a.1 + b.1)),
        TensorSub => a().zip(operand(1)).map(|(a, b)| (a.0 - b.1, a.1 - b.0)),
        TensorMul if op.operands[0] == op.operands[1] => a().map(|(low, high)| {
            let largest = (low * low).max(high * high);
            (
                if low <= 0.0 && high >= 0.0 {
                    0.0
                } else {
                    (low * low).min(high * high)
                },
                largest,
            )
        }),
        TensorMul => a().zip(operand(1)).map(|(a, b)| product(a, b)),
        TensorDiv => {
            let divisor = operand(1).filter(|divisor| divisor.0 > 0.0 || divisor.1 < 0.0)?;
            a().map(|a| product(a, (1.0 / divisor.1, 1.0 / divisor.0)))
        }
        TensorNeg => a().map(|(low, high)| (-high, -low)),
        TensorMax => a().zip(operand(1)).map(|(a, b)| (a.0.max(b.0), a.1.max(b.1))),
        TensorBroadcast | TensorTranspose | TensorReshape | TensorSlice | TensorRoll | TensorMean
        | TensorAvgPool => a(),
        TensorBootstrap => assumed(op, a()),
        TensorConcat => {
            let parts: Option<Vec<Interval>> = (0..op.operands.len()).map(operand).collect();
            parts.map(|parts| hull(parts.into_iter().flat_map(|(low, high)| [low, high])))
        }
        TensorSum => a().map(|a| times(a, elements(op.operands[0]) / elements(op.results[0]))),
        TensorMatmul => {
            let inner = f64::from(*graph.ty(op.operands[0]).as_tensor()?.shape.last()?);
            a().zip(operand(1)).map(|(a, b)| times(product(a, b), inner))
        }
        TensorConv1d | TensorConv2d => {
            let (low, high) = a()
                .zip(operand(1))
                .map(|(a, b)| times(product(a, b), elements(op.operands[1])))?;
            // Zeros outside enter the sum.
            Some((low.min(0.0), high.max(0.0)))
        }
        TensorSoftmax | TensorCompare => Some((0.0, 1.0)),
        TensorPoly | TensorPolynomial => {
            let polynomial = Polynomial::of(op)?;
            let (low, high) = assumed(op, a())?;
            Some(polynomial.image(low, high))
        }
        _ => {
            let function = Function::of(op)?;
            let (low, high) = assumed(op, a())?;
            Some(function.image(low, high))
        }
    }
}

/// The interval of an argument under the declaration, which is taken at its word.
fn assumed(op: &OpData, derived: Option<Interval>) -> Option<Interval> {
    match (declared_argument(op), derived) {
        (Some(declared), Some(derived)) => {
            let cut = (declared.0.max(derived.0), declared.1.min(derived.1));
            Some(if cut.0 <= cut.1 { cut } else { declared })
        }
        (declared, derived) => declared.or(derived),
    }
}

#[cfg(test)]
#[path = "range_tests.rs"]
mod tests;
