//! `.safetensors`, the weight files of the Hugging Face libraries.

use std::path::Path;

use ::safetensors::{Dtype, SafeTensors};

use super::{Array, Arrays};
use crate::error::{CliError, Result};

/// Reads every tensor of a file.
pub fn read(path: &Path) -> Result<Arrays> {
    let bytes = std::fs::read(path).map_err(CliError::io(path, "read"))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| {
        CliError::new(
            format!("{}: not a safetensors file: {error}", path.display()),
            "download or write it again",
        )
    })?;
    file.iter()
        .map(|(name, tensor)| {
            let (values, integer) = convert(tensor.dtype(), tensor.data()).ok_or_else(|| {
                CliError::new(
                    format!(
                        "{}: tensor `{name}`: element type {:?} cannot be read",
                        path.display(),
                        tensor.dtype()
                    ),
                    "store it as F64, F32, F16, BF16 or an integer type",
                )
            })?;
            Ok((
                name.to_owned(),
                Array {
                    shape: tensor.shape().to_vec(),
                    values,
                    integer,
                },
            ))
        })
        .collect()
}

/// The values of little-endian bytes, and whether they are integers; none for an element type that is no number here.
fn convert(dtype: Dtype, bytes: &[u8]) -> Option<(Vec<f64>, bool)> {
    fn each<const WIDTH: usize>(bytes: &[u8], read: fn([u8; WIDTH]) -> f64) -> Vec<f64> {
        bytes.as_chunks().0.iter().map(|&chunk| read(chunk)).collect()
    }
    Some(match dtype {
        Dtype::F64 => (each(bytes, f64::from_le_bytes), false),
        Dtype::F32 => (each(bytes, |b| f32::from_le_bytes(b).into()), false),
        Dtype::F16 => (each(bytes, |b| half(u16::from_le_bytes(b))), false),
        // bfloat16 is the upper half of a float32.
        Dtype::BF16 => (
            each(bytes, |b| {
                f32::from_bits(u32::from(u16::from_le_bytes(b)) << 16).into()
            }),
            false,
        ),
        Dtype::I64 => (each(bytes, |b| i64::from_le_bytes(b) as f64), true),
        Dtype::I32 => (each(bytes, |b| i32::from_le_bytes(b).into()), true),
        Dtype::I16 => (each(bytes, |b| i16::from_le_bytes(b).into()), true),
        Dtype::I8 => (each(bytes, |b| i8::from_le_bytes(b).into()), true),
        Dtype::U64 => (each(bytes, |b| u64::from_le_bytes(b) as f64), true),
        Dtype::U32 => (each(bytes, |b| u32::from_le_bytes(b).into()), true),
        Dtype::U16 => (each(bytes, |b| u16::from_le_bytes(b).into()), true),
        Dtype::U8 | Dtype::BOOL => (each(bytes, |b| u8::from_le_bytes(b).into()), true),
        _ => return None,
    })
}

/// The value of an IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let fraction = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => fraction * 2f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::safetensors::tensor::{TensorView, serialize};

    fn file(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> tempfile::TempPath {
        let views: Vec<(&str, TensorView<'_>)> = tensors
            .iter()
            .map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.clone(), data).unwrap()))
            .collect();
        let path = tempfile::Builder::new()
            .suffix(".safetensors")
            .tempfile()
            .unwrap()
            .into_temp_path();
        std::fs::write(&path, serialize(views, None).unwrap()).unwrap();
        path
    }

    #[test]
    fn tensors_are_read_by_name() {
        let f32s = [1.5_f32, -2.0, 0.0, 8.0]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let i64s = [3_i64, -4].iter().flat_map(|v| v.to_le_bytes()).collect();
        // 1.0 and -2.5 in both half formats, then the smallest subnormal binary16.
        let f16s = [0x3c00_u16, 0xc100, 0x0001]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let bf16s = [0x3f80_u16, 0xc020]
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let path = file(&[
            ("a", Dtype::F32, vec![2, 2], f32s),
            ("k", Dtype::I64, vec![2], i64s),
            ("h", Dtype::F16, vec![3], f16s),
            ("b", Dtype::BF16, vec![2], bf16s),
        ]);
        let arrays = read(&path).unwrap();
        assert_eq!(
            arrays["a"],
            Array {
                shape: vec![2, 2],
                values: vec![1.5, -2.0, 0.0, 8.0],
                integer: false
            }
        );
        assert_eq!(
            arrays["k"],
            Array {
                shape: vec![2],
                values: vec![3.0, -4.0],
                integer: true
            }
        );
        assert_eq!(arrays["h"].values, [1.0, -2.5, 2f64.powi(-24)]);
        assert_eq!(arrays["b"].values, [1.0, -2.5]);
    }

    #[test]
    fn half_precision_covers_its_special_values() {
        assert_eq!(half(0x7bff), 65504.0);
        assert_eq!(half(0x8000).to_bits(), (-0.0_f64).to_bits());
        assert_eq!(half(0xfc00), f64::NEG_INFINITY);
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn unreadable_types_and_damage_are_errors() {
        let path = file(&[("q", Dtype::F8_E4M3, vec![1], vec![0])]);
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("`q`") && error.contains("F8_E4M3"), "{error}");
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(read(&path).is_err());
    }
}
