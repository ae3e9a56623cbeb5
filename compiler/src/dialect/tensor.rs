//! Mathematics on tensors of up to four dimensions, row-major, and the training structure around it.
//!
//! | operation | attributes | operands → result |
//! |---|---|---|
//! | `input` | `name` | → tensor given once: an input, or the first value of a state |
//! | `stream` | `name`, `step` once unrolled | → the batch of this step |
//! | `constant` | `value`, or `values` row-major, or `steps` | → public tensor: every element the same, or each its own, or every element the i-th number in step i of a closed loop |
//! | `step_index` | | → public scalar t, counted from 0 |
//! | `schedule` | `kind = "nesterov"` | → public scalar γ of this step ([`crate::grad`]) |
//! | `add` `sub` `mul` `div` | | element by element; equal shapes, or one shape is the tail of the other |
//! | `max` `compare` | `low`, `high` of the difference, `error`?, `margin`? | likewise; `compare` is 1 where a > b, 0 where a < b |
//! | `neg` | | element by element |
//! | `broadcast` | `axes`, `shape` | dimension i of the operand becomes dimension `axes[i]`; the others repeat |
//! | `matmul` | | \[m,k\]·\[k,n\], \[m,k\]·\[k\], \[k\]·\[k,n\], \[k\]·\[k\] |
//! | `transpose` | `axes`? | dimension i of the result is `axes[i]` of the operand; reversed without `axes` |
//! | `sum` `mean` | `axes` | these axes disappear; an empty list means all |
//! | `reshape` | `shape` | same elements in row-major order |
//! | `slice` | `axis`, `start`, `end` | `start ≤ i < end` of one axis |
//! | `roll` | `axis`, `by` | element i is element (i + `by`) mod extent of the operand, along one axis |
//! | `concat` | `axis` | joined along one axis |
//! | `conv1d` `conv2d` | | last one or two axes correlated with a kernel of odd extents, zeros outside, same shape |
//! | `avg_pool` | `size` | means of `size` neighbours along the last axis |
//! | `sigmoid` `tanh` `exp` `gelu` `silu` `softplus` `relu` `sign` `inverse` `inverse_sqrt` | `low`, `high`, `error`?, `degree`?, `method`? | element by element on the declared interval |
//! | `derivative` | `of` and those above | derivative of the function called `of`, as in `"sigmoid"` |
//! | `softmax` | `low`, `high`, `error`?, `method`? | along the last axis; `method` is `"squaring"`, or `"tournament"` |
//! | `poly` | `coefficients` c₀, c₁, … | Σ cᵢ xⁱ |
//! | `polynomial` | `basis`, `coefficients`, `low`, `high`, `error`, `function`? | a fitted polynomial ([`crate::approx::Polynomial`]) |
//! | `cross_entropy` | | prediction, target → loss: rank 0 or 1 element by element (binary, prediction a sigmoid); rank 2 row by row (prediction a softmax, each target row sums to one) |
//! | `bootstrap` | `low`, `high`? | the same values at a higher level |
//! | `reveal` `output` | `name` | tensor → |
//! | `state` `store` | `name` | → present value of a state; new value of a state → |
//!
//! | training | attributes | meaning |
//! |---|---|---|
//! | `train.loop` | `names` of the carried states, `count` once known | operands are the first values, results the last; regions step and epoch take the carried values; step yields the next ones; epoch yields nothing or all |
//! | `train.minimize` | `optimizer`, `names`, `scalars` | loss, parameters, then the public scalars named in `scalars` → new parameters |
//! | `train.grad` | | scalar loss, value → gradient of the value's shape |
//! | `train.step` | `index`, `count`? | start of a step in an unrolled program; with `count`, of the one body of a closed loop ([`crate::pass::unroll`]) |
//! | `train.end` | | end of that body |
//! | `train.yield` | | ends a region |
//!
//! A result is secret as soon as one operand is. Divisors are public.

use crate::ir::{Attribute, Attributes, OpData, Opcode, Secrecy, TensorType};

/// Functions of one argument, element by element on a declared interval.
pub fn is_unary_function(opcode: Opcode) -> bool {
    use Opcode::*;
    matches!(
        opcode,
        TensorSigmoid
            | TensorTanh
            | TensorExp
            | TensorGelu
            | TensorSilu
            | TensorSoftplus
            | TensorRelu
            | TensorSign
            | TensorInverse
            | TensorInverseSqrt
            | TensorDerivative
    )
}

/// The name without its dialect: `sigmoid` for `tensor.sigmoid`.
pub fn short_name(opcode: Opcode) -> &'static str {
    opcode
        .name()
        .split_once('.')
        .map_or(opcode.name(), |(_, name)| name)
}

/// Type of the result, without a range, or why the operands do not fit, in the user's words.
///
/// Leaves have the type that they are declared with, and `train` operations that of their parameters: none is inferred.
pub fn infer(
    opcode: Opcode,
    attributes: &Attributes,
    operands: &[&TensorType],
) -> Result<TensorType, String> {
    use Opcode::*;
    if !opcode.operands().admits(operands.len()) {
        return Err(format!(
            "{} takes another number of operands than {}",
            short_name(opcode),
            operands.len()
        ));
    }
    let shapes: Vec<&[u32]> = operands.iter().map(|operand| operand.shape.as_slice()).collect();
    let ints = |name: &str| match attributes.get(name) {
        Some(Attribute::Ints(values)) => values.clone(),
        _ => Vec::new(),
    };
    let int = |name: &str| match attributes.get(name) {
        Some(Attribute::Int(value)) => Ok(*value),
        _ => Err(format!("{} lacks `{name}`", short_name(opcode))),
    };
    let shape = match opcode {
        TensorAdd | TensorSub | TensorMul | TensorDiv | TensorMax | TensorCompare => {
            if opcode == TensorDiv && operands[1].secrecy == Secrecy::Secret {
                return Err(
                    "division by a secret value; multiply by `inverse(…, range: …)` instead".to_owned(),
                );
            }
            joint_shape(shapes[0], shapes[1])?
        }
        TensorBroadcast => broadcast_shape(shapes[0], &ints("shape"), &ints("axes"))?,
        TensorMatmul => matmul_shape(shapes[0], shapes[1])?,
        TensorTranspose => {
            let axes = permutation(&ints("axes"), shapes[0].len())?;
            axes.into_iter().map(|axis| shapes[0][axis]).collect()
        }
        TensorSum | TensorMean => {
            let axes = reduced_axes(&ints("axes"), shapes[0].len())?;
            (0..shapes[0].len())
                .filter(|axis| !axes.contains(axis))
                .map(|axis| shapes[0][axis])
                .collect()
        }
        TensorReshape => {
            let shape = extents(&ints("shape"))?;
            let count = |shape: &[u32]| shape.iter().map(|&extent| u64::from(extent)).product::<u64>();
            if count(&shape) != count(shapes[0]) {
                return Err(format!(
                    "{:?} has another number of elements than {shape:?}",
                    shapes[0]
                ));
            }
            shape
        }
        TensorSlice => {
            let axis = axis_of(int("axis")?, shapes[0].len())?;
            let (start, end) = (int("start")?, int("end")?);
            if start < 0 || start >= end || end > i64::from(shapes[0][axis]) {
                return Err(format!(
                    "slice {start}..{end} of an axis of extent {}",
                    shapes[0][axis]
                ));
            }
            let mut shape = shapes[0].to_vec();
            shape[axis] = (end - start) as u32;
            shape
        }
        TensorRoll => {
            axis_of(int("axis")?, shapes[0].len())?;
            shapes[0].to_vec()
        }
        TensorConcat => {
            let axis = axis_of(int("axis")?, shapes[0].len())?;
            let mut shape = shapes[0].to_vec();
            for other in &shapes[1..] {
                let fits = other.len() == shape.len()
                    && (0..shape.len())
                        .all(|dimension| dimension == axis || other[dimension] == shape[dimension]);
                if !fits {
                    return Err(format!(
                        "{other:?} does not continue {:?} along axis {axis}",
                        shapes[0]
                    ));
                }
                shape[axis] += other[axis];
            }
            shape
        }
        TensorConv1d | TensorConv2d => {
            let rank = if opcode == TensorConv1d { 1 } else { 2 };
            if shapes[1].len() != rank
                || shapes[0].len() < rank
                || shapes[1].iter().any(|extent| extent % 2 == 0)
            {
                return Err(format!(
                    "kernel {:?} does not fit {:?}; its extents must be odd",
                    shapes[1], shapes[0]
                ));
            }
            shapes[0].to_vec()
        }
        TensorAvgPool => {
            let size = int("size")?;
            match shapes[0].split_last() {
                Some((&last, rest)) if size > 0 && i64::from(last) % size == 0 => {
                    rest.iter().copied().chain([last / size as u32]).collect()
                }
                _ => return Err(format!("{:?} does not divide into groups of {size}", shapes[0])),
            }
        }
        TensorSoftmax if shapes[0].is_empty() => return Err("softmax of a scalar".to_owned()),
        TensorCrossEntropy => {
            if shapes[0] != shapes[1] || shapes[0].len() > 2 {
                return Err(format!(
                    "prediction {:?} and target {:?} differ in shape",
                    shapes[0], shapes[1]
                ));
            }
            shapes[0].iter().take(1).copied().collect()
        }
        _ if opcode.operands() == crate::ir::Arity::Exactly(1) => shapes[0].to_vec(),
        _ => return Err(format!("the type of {} is not inferred", opcode.name())),
    };
    if shape.len() > 4 {
        return Err(format!("{shape:?} has more than four dimensions"));
    }
    Ok(TensorType {
        shape,
        secrecy: joint_secrecy(operands.iter().copied()),
        range: None,
    })
}

/// Secret as soon as one is.
pub fn joint_secrecy<'t>(types: impl IntoIterator<Item = &'t TensorType>) -> Secrecy {
    types
        .into_iter()
        .fold(Secrecy::Public, |joint, ty| joint.join(ty.secrecy))
}

/// The shape of an elementwise result: equal shapes, or one is the tail of the other.
pub fn joint_shape(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    if a.ends_with(b) {
        Ok(a.to_vec())
    } else if b.ends_with(a) {
        Ok(b.to_vec())
    } else {
        Err(format!("shapes {a:?} and {b:?} do not fit together"))
    }
}

fn matmul_shape(a: &[u32], b: &[u32]) -> Result<Vec<u32>, String> {
    let (contracted, shape) = match (a, b) {
        ([m, k], [l, n]) => ((k, l), vec![*m, *n]),
        ([m, k], [l]) => ((k, l), vec![*m]),
        ([k], [l, n]) => ((k, l), vec![*n]),
        ([k], [l]) => ((k, l), vec![]),
        _ => {
            return Err(format!(
                "no product of shapes {a:?} and {b:?}: each needs one or two dimensions"
            ));
        }
    };
    if contracted.0 != contracted.1 {
        return Err(format!(
            "product of {a:?} and {b:?}: {} ≠ {}",
            contracted.0, contracted.1
        ));
    }
    Ok(shape)
}

fn broadcast_shape(operand: &[u32], shape: &[i64], axes: &[i64]) -> Result<Vec<u32>, String> {
    let shape = extents(shape)?;
    let increasing = axes.windows(2).all(|pair| pair[0] < pair[1]);
    let fits = axes.len() == operand.len()
        && axes.iter().zip(operand).all(|(&axis, extent)| {
            usize::try_from(axis)
                .ok()
                .and_then(|axis| shape.get(axis))
                .is_some_and(|wanted| wanted == extent)
        });
    if increasing && fits {
        Ok(shape)
    } else {
        Err(format!("{operand:?} does not broadcast to {shape:?} at {axes:?}"))
    }
}

fn extents(values: &[i64]) -> Result<Vec<u32>, String> {
    let positive = |&value: &i64| u32::try_from(value).ok().filter(|&extent| extent > 0);
    values
        .iter()
        .map(positive)
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{values:?} is no shape"))
}

fn axis_of(axis: i64, rank: usize) -> Result<usize, String> {
    usize::try_from(axis)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("there is no axis {axis}"))
}

/// The axes that a sum or mean removes, in order; all if the list is empty.
pub fn reduced_axes(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if axes.is_empty() {
        return Ok((0..rank).collect());
    }
    let mut axes = axes
        .iter()
        .map(|&axis| axis_of(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    axes.sort_unstable();
    axes.dedup();
    Ok(axes)
}

/// The axes of a transposition; reversed if the list is empty.
pub fn permutation(axes: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    if axes.is_empty() {
        return Ok((0..rank).rev().collect());
    }
    let order = axes
        .iter()
        .map(|&axis| axis_of(axis, rank))
        .collect::<Result<Vec<_>, _>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if sorted.into_iter().eq(0..rank) {
        Ok(order)
    } else {
        Err(format!("{axes:?} is no order of {rank} axes"))
    }
}

/// A public constant read from its operation: the elements that `tensor.constant` stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Elements {
    /// Every element is this.
    Splat(f64),
    /// Each element, row-major.
    Each(Vec<f64>),
    /// Every element is the i-th of these in step i of a closed loop.
    Steps(Vec<f64>),
}

impl Elements {
    /// The elements of a `tensor.constant`.
    pub fn of(op: &OpData) -> Option<Self> {
        if op.opcode != Opcode::TensorConstant {
            return None;
        }
        Some(match op.float("value") {
            Some(value) => Self::Splat(value),
            None if op.attributes.contains_key("steps") => Self::Steps(op.floats("steps").to_vec()),
            None => Self::Each(op.floats("values").to_vec()),
        })
    }

    /// The elements in one step.
    pub fn at_step(&self, step: usize) -> Self {
        match self {
            Self::Steps(values) => Self::Splat(values.get(step).copied().unwrap_or(f64::NAN)),
            other => other.clone(),
        }
    }

    /// All elements, written out; those of the first step where steps differ.
    pub fn expand(&self, count: usize) -> Vec<f64> {
        match self {
            Self::Splat(value) => vec![*value; count],
            Self::Each(values) => values.clone(),
            Self::Steps(values) => vec![values.first().copied().unwrap_or(f64::NAN); count],
        }
    }

    /// A list in its shortest form: `Splat` if all elements are equal.
    pub fn shortest(values: Vec<f64>) -> Self {
        match values.first() {
            Some(first) if values.iter().all(|value| value.to_bits() == first.to_bits()) => {
                Self::Splat(*first)
            }
            _ => Self::Each(values),
        }
    }

    /// Smallest and largest element.
    pub fn interval(&self) -> (f64, f64) {
        match self {
            Self::Splat(value) => (*value, *value),
            Self::Each(values) | Self::Steps(values) => values
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
                    (low.min(value), high.max(value))
                }),
        }
    }
}
