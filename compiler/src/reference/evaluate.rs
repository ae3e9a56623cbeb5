//! The value of one tensor operation in f64.

use crate::approx::{Function, Polynomial};
use crate::dialect::tensor::{Elements, permutation, reduced_axes};
use crate::ir::{OpData, Opcode};
use crate::options::TensorData;

/// Value of a pure tensor operation, or `None` if the operation has none of its own: inputs, streams, the step index,
/// schedules, sinks and training. Operands fit the operation, as the verifier and the inference of types see to; `shape`
/// is that of the result.
pub fn evaluate(op: &OpData, operands: &[&TensorData], shape: &[u32]) -> Option<TensorData> {
    use Opcode::*;
    let count = shape.iter().map(|&extent| extent as usize).product();
    let binary = |f: fn(f64, f64) -> f64| elementwise(operands[0], operands[1], count, f);
    let unary = |f: &dyn Fn(f64) -> f64| operands[0].values.iter().map(|&x| f(x)).collect::<Vec<f64>>();
    let values = match op.opcode {
        TensorConstant => Elements::of(op)?.expand(count),
        TensorAdd => binary(|a, b| a + b),
        TensorSub => binary(|a, b| a - b),
        TensorMul => binary(|a, b| a * b),
        TensorDiv => binary(|a, b| a / b),
        TensorMax => binary(f64::max),
        TensorCompare => binary(|a, b| {
            if a > b {
                1.0
            } else if a < b {
                0.0
            } else {
                0.5
            }
        }),
        TensorNeg => unary(&|x| -x),
        TensorBootstrap => operands[0].values.clone(),
        TensorReshape => operands[0].values.clone(),
        TensorBroadcast => {
            let axes = op.ints("axes");
            let strides = strides(&operands[0].shape);
            gather(shape, |index| {
                let offset = axes
                    .iter()
                    .zip(&strides)
                    .map(|(&axis, stride)| index[axis as usize] * stride)
                    .sum::<usize>();
                operands[0].values[offset]
            })
        }
        TensorTranspose => {
            let order = permutation(op.ints("axes"), shape.len()).ok()?;
            let strides = strides(&operands[0].shape);
            gather(shape, |index| {
                let offset = order
                    .iter()
                    .zip(index)
                    .map(|(&axis, i)| strides[axis] * i)
                    .sum::<usize>();
                operands[0].values[offset]
            })
        }
        TensorMatmul => matmul(operands[0], operands[1], count),
        TensorSum => reduce(operands[0], op.ints("axes"), count)?.0,
        TensorMean => {
            let (sums, group) = reduce(operands[0], op.ints("axes"), count)?;
            sums.into_iter().map(|sum| sum / group as f64).collect()
        }
        TensorSlice => {
            let (axis, start) = (op.int("axis")? as usize, op.int("start")? as usize);
            let strides = strides(&operands[0].shape);
            gather(shape, |index| {
                let offset = index
                    .iter()
                    .zip(&strides)
                    .map(|(i, stride)| i * stride)
                    .sum::<usize>();
                operands[0].values[offset + start * strides[axis]]
            })
        }
        TensorRoll => {
            let (axis, by) = (op.int("axis")? as usize, op.int("by")?);
            let (extent, strides) = (i64::from(shape[axis]), strides(shape));
            gather(shape, |index| {
                let turned = (index[axis] as i64 + by).rem_euclid(extent) as usize;
                let offset = index
                    .iter()
                    .zip(&strides)
                    .map(|(i, stride)| i * stride)
                    .sum::<usize>();
                operands[0].values[offset + turned * strides[axis] - index[axis] * strides[axis]]
            })
        }
        TensorConcat => concat(operands, op.int("axis")? as usize),
        TensorConv1d | TensorConv2d => correlate(operands[0], operands[1]),
        TensorAvgPool => {
            let size = op.int("size")? as usize;
            operands[0]
                .values
                .chunks(size)
                .map(|group| group.iter().sum::<f64>() / size as f64)
                .collect()
        }
        TensorSoftmax => {
            let row = *shape.last()? as usize;
            operands[0].values.chunks(row).flat_map(softmax).collect()
        }
        TensorCrossEntropy => cross_entropy(operands[0], operands[1]),
        TensorPoly | TensorPolynomial => {
            let polynomial = Polynomial::of(op)?;
            unary(&|x| polynomial.value(x))
        }
        _ => {
            let function = Function::of(op)?;
            unary(&|x| function.value(x))
        }
    };
    Some(TensorData {
        shape: shape.to_vec(),
        values,
    })
}

/// Row-major strides.
fn strides(shape: &[u32]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as usize;
    }
    strides
}

/// The elements of a tensor from a function of the index.
fn gather(shape: &[u32], mut element: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let count: usize = shape.iter().map(|&extent| extent as usize).product();
    let mut index = vec![0; shape.len()];
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        values.push(element(&index));
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] as usize {
                break;
            }
            index[axis] = 0;
        }
    }
    values
}

/// The operand of the smaller shape is the tail of the other and repeats.
fn elementwise(a: &TensorData, b: &TensorData, count: usize, f: fn(f64, f64) -> f64) -> Vec<f64> {
    (0..count)
        .map(|i| f(a.values[i % a.values.len()], b.values[i % b.values.len()]))
        .collect()
}

fn matmul(a: &TensorData, b: &TensorData, count: usize) -> Vec<f64> {
    let inner = a.shape.last().map_or(1, |&extent| extent as usize);
    let columns = if b.shape.len() == 2 {
        b.shape[1] as usize
    } else {
        1
    };
    let mut out = vec![0.0; count];
    for (row, sums) in a.values.chunks(inner).zip(out.chunks_mut(columns)) {
        for (x, weights) in row.iter().zip(b.values.chunks(columns)) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
    out
}

/// Sums over axes, and how many elements went into each.
fn reduce(operand: &TensorData, axes: &[i64], count: usize) -> Option<(Vec<f64>, usize)> {
    let axes = reduced_axes(axes, operand.shape.len()).ok()?;
    let mut kept = vec![0; operand.shape.len()];
    let mut stride = 1;
    for axis in (0..operand.shape.len()).rev().filter(|axis| !axes.contains(axis)) {
        kept[axis] = stride;
        stride *= operand.shape[axis] as usize;
    }
    let mut sums = vec![0.0; count];
    let mut elements = operand.values.iter();
    gather(&operand.shape, |index| {
        let to = index
            .iter()
            .zip(&kept)
            .map(|(i, stride)| i * stride)
            .sum::<usize>();
        sums[to] += elements.next().copied().unwrap_or(0.0);
        0.0
    });
    Some((sums, operand.values.len() / count.max(1)))
}

fn concat(operands: &[&TensorData], axis: usize) -> Vec<f64> {
    let chunk = |operand: &TensorData| {
        operand.shape[axis..]
            .iter()
            .map(|&extent| extent as usize)
            .product::<usize>()
    };
    let rows = operands[0].values.len() / chunk(operands[0]);
    let parts = |row: usize| {
        operands.iter().flat_map(move |operand| {
            operand.values[row * chunk(operand)..(row + 1) * chunk(operand)].to_vec()
        })
    };
    (0..rows).flat_map(parts).collect()
}

/// Correlation of the last axes with a kernel centred on each element, zeros outside.
fn correlate(x: &TensorData, kernel: &TensorData) -> Vec<f64> {
    let rank = x.shape.len();
    let width = x.shape[rank - 1] as i64;
    let height = if kernel.shape.len() == 2 {
        x.shape[rank - 2] as i64
    } else {
        1
    };
    let kernel_width = kernel.shape[kernel.shape.len() - 1] as i64;
    let kernel_height = kernel.values.len() as i64 / kernel_width;
    let mut out = Vec::with_capacity(x.values.len());
    for plane in x.values.chunks((width * height) as usize) {
        for position in 0..width * height {
            let (row, column) = (position / width, position % width);
            let mut sum = 0.0;
            for (k, weight) in kernel.values.iter().enumerate() {
                let i = row + k as i64 / kernel_width - kernel_height / 2;
                let j = column + k as i64 % kernel_width - kernel_width / 2;
                if (0..height).contains(&i) && (0..width).contains(&j) {
                    sum += weight * plane[(i * width + j) as usize];
                }
            }
            out.push(sum);
        }
    }
    out
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = row.iter().map(|x| libm::exp(x - largest)).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// −y·ln p − (1 − y)·ln(1 − p) element by element, or −Σ y·ln p row by row. Predictions are kept 1e-12 away from 0 and
/// 1, so that a polynomial's overshoot gives no NaN.
fn cross_entropy(prediction: &TensorData, target: &TensorData) -> Vec<f64> {
    let log = |p: f64| libm::log(p.clamp(1e-12, 1.0));
    let pairs: Vec<(f64, f64)> = prediction
        .values
        .iter()
        .copied()
        .zip(target.values.iter().copied())
        .collect();
    match prediction.shape.get(1) {
        Some(&classes) => pairs
            .chunks(classes as usize)
            .map(|row| row.iter().map(|&(p, y)| -y * log(p)).sum())
            .collect(),
        None => pairs
            .into_iter()
            .map(|(p, y)| -y * log(p) - (1.0 - y) * log(1.0 - p))
            .collect(),
    }
}
