//! `.npz` and `.npy`, the files of NumPy.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use cipherloom_host::Tensor;
use ndarray::{ArrayD, ArrayViewD, IxDyn};
use ndarray_npy::{NpzReader, NpzWriter, ReadNpyError, ReadNpzError, ReadableElement};

use super::{Array, Arrays, Readers, write_whole};
use crate::error::{CliError, Result};

const SUPPORTED: &str = "store it as float64, float32, an integer type or bool, e.g. x.astype('float64')";

/// Reads every array of an archive.
pub fn read_npz(path: &Path) -> Result<Arrays> {
    let malformed = |error: ReadNpzError| {
        CliError::new(
            format!("{}: not a NumPy archive: {error}", path.display()),
            "write it with numpy.savez",
        )
    };
    let file = BufReader::new(File::open(path).map_err(CliError::io(path, "open"))?);
    let mut archive = NpzReader::new(file).map_err(malformed)?;
    let names = archive.names().map_err(malformed)?;
    let mut arrays = Arrays::new();
    for (index, name) in names.into_iter().enumerate() {
        let array = first_that_fits(|element| element.member(&mut archive, index))
            .map_err(|error| unreadable(path, &name, error))?;
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// Reads a single array; it is called like the file.
pub fn read_npy(path: &Path) -> Result<Arrays> {
    let name = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let array = first_that_fits(|element| {
        let file = File::open(path).map_err(ReadNpyError::Io)?;
        element.array(BufReader::new(file))
    })
    .map_err(|error| unreadable(path, &name, error))?;
    Ok(Arrays::from([(name, array)]))
}

/// Writes tensors as float64 arrays. They are what was encrypted: only the owner may read them.
pub fn write_npz(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    write_whole(path, Readers::Owner, |file| {
        let mut archive = NpzWriter::new_compressed(BufWriter::new(file));
        for (name, tensor) in tensors {
            let view = ArrayViewD::from_shape(IxDyn(&tensor.shape), &tensor.values)
                .map_err(std::io::Error::other)?;
            archive
                .add_array(name.as_str(), &view)
                .map_err(std::io::Error::other)?;
        }
        archive.finish().map_err(std::io::Error::other)?.flush()
    })
}

fn unreadable(path: &Path, name: &str, error: ReadNpyError) -> CliError {
    let place = format!("{}: array `{name}`", path.display());
    match error {
        ReadNpyError::WrongDescriptor(found) => {
            CliError::new(format!("{place}: element type {found} cannot be read"), SUPPORTED)
        }
        error => CliError::new(format!("{place}: {error}"), "write the file again"),
    }
}

/// An element type that a file may have.
#[derive(Clone, Copy)]
enum Element {
    F64,
    F32,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

const ELEMENTS: [Element; 11] = {
    use Element::*;
    [F64, F32, I64, I32, I16, I8, U64, U32, U16, U8, Bool]
};

/// Tries each element type until the file's header agrees.
fn first_that_fits(
    mut read: impl FnMut(Element) -> std::result::Result<Array, ReadNpyError>,
) -> std::result::Result<Array, ReadNpyError> {
    let mut result = read(Element::F64);
    for element in &ELEMENTS[1..] {
        if !matches!(result, Err(ReadNpyError::WrongDescriptor(_))) {
            break;
        }
        result = read(*element);
    }
    result
}

/// Calls `$read::<T>` for the element type `$element`, with the conversion of T to f64 and whether T is an integer.
macro_rules! dispatch {
    ($element:expr, $read:ident ( $($argument:expr),* )) => {
        match $element {
            Element::F64 => $read($($argument,)* |v: &f64| *v, false),
            Element::F32 => $read($($argument,)* |v: &f32| f64::from(*v), false),
            Element::I64 => $read($($argument,)* |v: &i64| *v as f64, true),
            Element::I32 => $read($($argument,)* |v: &i32| f64::from(*v), true),
            Element::I16 => $read($($argument,)* |v: &i16| f64::from(*v), true),
            Element::I8 => $read($($argument,)* |v: &i8| f64::from(*v), true),
            Element::U64 => $read($($argument,)* |v: &u64| *v as f64, true),
            Element::U32 => $read($($argument,)* |v: &u32| f64::from(*v), true),
            Element::U16 => $read($($argument,)* |v: &u16| f64::from(*v), true),
            Element::U8 => $read($($argument,)* |v: &u8| f64::from(*v), true),
            Element::Bool => $read($($argument,)* |v: &bool| f64::from(u8::from(*v)), true),
        }
    };
}

impl Element {
    fn array(self, reader: impl Read) -> std::result::Result<Array, ReadNpyError> {
        fn read<T: ReadableElement>(
            reader: impl Read,
            convert: fn(&T) -> f64,
            integer: bool,
        ) -> std::result::Result<Array, ReadNpyError> {
            let array: ArrayD<T> = ndarray_npy::ReadNpyExt::read_npy(reader)?;
            Ok(row_major(&array, convert, integer))
        }
        dispatch!(self, read(reader))
    }

    fn member<R: Read + Seek>(
        self,
        archive: &mut NpzReader<R>,
        index: usize,
    ) -> std::result::Result<Array, ReadNpyError> {
        fn read<T: ReadableElement, R: Read + Seek>(
            archive: &mut NpzReader<R>,
            index: usize,
            convert: fn(&T) -> f64,
            integer: bool,
        ) -> std::result::Result<Array, ReadNpyError> {
            let array: ArrayD<T> = archive.by_index(index).map_err(|error| match error {
                ReadNpzError::Npy(error) => error,
                ReadNpzError::Zip(error) => ReadNpyError::Io(std::io::Error::other(error.to_string())),
            })?;
            Ok(row_major(&array, convert, integer))
        }
        dispatch!(self, read(archive, index))
    }
}

/// An array's values in row-major order, however the file stores them.
fn row_major<T>(array: &ArrayD<T>, convert: fn(&T) -> f64, integer: bool) -> Array {
    Array {
        shape: array.shape().to_vec(),
        values: array.iter().map(convert).collect(),
        integer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, ShapeBuilder, array};

    fn archive(write: impl FnOnce(&mut NpzWriter<File>)) -> tempfile::TempPath {
        let (file, path) = tempfile::Builder::new()
            .suffix(".npz")
            .tempfile()
            .unwrap()
            .into_parts();
        let mut writer = NpzWriter::new_compressed(file);
        write(&mut writer);
        writer.finish().unwrap();
        path
    }

    #[test]
    fn every_common_element_type_is_read() {
        let path = archive(|npz| {
            npz.add_array("x_train", &array![[1.5_f32, -2.0], [0.25, 4.0], [0.0, 1.0]])
                .unwrap();
            npz.add_array("y_train", &array![0_i64, 1, 1]).unwrap();
            npz.add_array("exact", &Array1::from(vec![0.1_f64])).unwrap();
            npz.add_array("small", &array![-3_i8]).unwrap();
            npz.add_array("flags", &array![true, false]).unwrap();
        });
        let arrays = read_npz(&path).unwrap();
        assert_eq!(
            arrays["x_train"],
            Array {
                shape: vec![3, 2],
                values: vec![1.5, -2.0, 0.25, 4.0, 0.0, 1.0],
                integer: false
            }
        );
        assert_eq!(
            arrays["y_train"],
            Array {
                shape: vec![3],
                values: vec![0.0, 1.0, 1.0],
                integer: true
            }
        );
        assert_eq!(arrays["exact"].values, [0.1]);
        assert_eq!(arrays["small"].values, [-3.0]);
        assert_eq!(arrays["flags"].values, [1.0, 0.0]);
    }

    #[test]
    fn column_major_arrays_become_row_major() {
        let columns = Array2::from_shape_vec((2, 3).f(), vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]).unwrap();
        let path = archive(|npz| npz.add_array("x", &columns).unwrap());
        assert_eq!(
            read_npz(&path).unwrap()["x"].values,
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        );
    }

    #[test]
    fn a_single_array_is_called_like_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.npy");
        ndarray_npy::write_npy(&path, &array![7_u16, 8]).unwrap();
        let arrays = read_npy(&path).unwrap();
        assert_eq!(
            arrays["weights"],
            Array {
                shape: vec![2],
                values: vec![7.0, 8.0],
                integer: true
            }
        );
    }

    #[test]
    fn complex_numbers_are_refused_by_name_and_type() {
        let descriptor = "{'descr': '<c16', 'fortran_order': False, 'shape': (1,), }";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        let header = format!("{descriptor:<117}\n");
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([0; 16]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("z.npy");
        std::fs::write(&path, bytes).unwrap();
        let error = read_npy(&path).unwrap_err().to_string();
        assert!(
            error.contains("`z`") && error.contains("c16") && error.contains("float64"),
            "{error}"
        );
    }

    #[test]
    fn damaged_archives_are_errors() {
        let path = archive(|npz| npz.add_array("x", &array![1.0, 2.0]).unwrap());
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(read_npz(&path).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn written_tensors_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.npz");
        let tensors = BTreeMap::from([
            (
                "w".to_owned(),
                Tensor {
                    shape: vec![2, 2],
                    values: vec![1.0, -0.5, 1e-300, 3.0],
                },
            ),
            (
                "b".to_owned(),
                Tensor {
                    shape: vec![],
                    values: vec![0.125],
                },
            ),
        ]);
        write_npz(&path, &tensors).unwrap();
        let arrays = read_npz(&path).unwrap();
        for (name, tensor) in &tensors {
            assert_eq!(
                (&arrays[name].shape, &arrays[name].values),
                (&tensor.shape, &tensor.values)
            );
        }
    }
}
