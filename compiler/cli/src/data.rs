//! Clear data from files: arrays by name, whatever the format, and how they meet a plan's ports.

mod bind;
mod find;
mod numpy;
mod safetensors;
mod scale;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use bind::bind;
use find::stem;
pub use find::{Declared, declared, extents, find};
pub use numpy::write_npz;
use scale::Scales;

use tempfile::NamedTempFile;

use crate::error::{CliError, Result};

/// How data files are read; part of the help of every command that takes one.
pub const CONVENTION: &str = "\
Data files:
  .npz          x_train, y_train, x_val, y_val, x_test, y_test, as numpy.savez writes
                them; arrays of other names go to the input of exactly that name
  .npy          one array, named like the file
  .csv          the header row names the columns: `y`, `label` or `target` is the label,
                all others are features, in order; `split` says train, val or test for
                each row, and without it the first 80 % train and the rest test
  .safetensors  tensors by name

A stream or input `x` takes the array `x` if there is one, a stream else `x_train`. Integer labels become numbers; \
where the graph says `one_hot`, label k becomes a row with 1 in column k. Values outside the declared range are refused; \
--scale brings them into it: `--scale x=0.125` is for `x_train`, `x_val` and `x_test`, unless `x_val` has its own.";

/// An array: values in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extent of each dimension; none for a scalar.
    pub shape: Vec<usize>,
    /// The values.
    pub values: Vec<f64>,
    /// Whether the file holds integers.
    pub integer: bool,
}

impl Array {
    /// The column of the 1 in every row; none unless the array is a matrix of two columns or more with one-hot rows.
    pub fn one_hot_columns(&self) -> Option<Vec<usize>> {
        let &[_, columns @ (2..)] = self.shape.as_slice() else {
            return None;
        };
        let column = |row: &[f64]| {
            let is_one_hot = row.iter().all(|&value| value == 0.0 || value == 1.0);
            let place = row.iter().position(|&value| value == 1.0);
            place.filter(|_| is_one_hot && row.iter().sum::<f64>() == 1.0)
        };
        self.values.chunks(columns).map(column).collect()
    }
}

/// Arrays by name.
pub type Arrays = BTreeMap<String, Array>;

/// What a command works with: the arrays of a file, scaled.
#[derive(Clone, Debug)]
pub struct Data {
    /// The file, for errors.
    pub file: PathBuf,
    /// Its arrays, multiplied by their factors.
    pub arrays: Arrays,
    scales: Scales,
}

impl Data {
    /// Arrays with factors by the name of an input or stream, each finite and not 0.
    ///
    /// # Errors
    /// A factor for what cannot be scaled, or two for one name.
    pub fn scaled(
        file: PathBuf,
        mut arrays: Arrays,
        factors: &[(String, f64)],
        declared: &[Declared<'_>],
    ) -> Result<Self> {
        let scales = Scales::new(factors, declared, &arrays)?;
        scales.apply(&mut arrays);
        Ok(Self { file, arrays, scales })
    }

    /// Rows held out for the test and their labels, if there are any.
    pub fn test_set(&self) -> Option<(&Array, &Array)> {
        Some((self.arrays.get("x_test")?, self.arrays.get("y_test")?))
    }
}

/// Reads every array of a file, in the format that its name ends with.
pub fn load(path: &Path) -> Result<Arrays> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("npz") => numpy::read_npz(path),
        Some("npy") => numpy::read_npy(path),
        Some("csv") => table::read_csv(path),
        Some("safetensors") => safetensors::read(path),
        _ => Err(CliError::new(
            format!("{}: not a known data format", path.display()),
            "give a file that ends in .npz, .npy, .csv or .safetensors",
        )),
    }
}

/// Who may read a file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone: it holds what was encrypted.
    Owner,
    /// Whoever the system lets read new files.
    Everyone,
}

/// Writes a file whole or not at all; an existing one is replaced.
pub fn write_whole<T>(
    path: &Path,
    readers: Readers,
    write: impl FnOnce(&mut NamedTempFile) -> std::io::Result<T>,
) -> Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let mut file = builder.tempfile_in(folder).map_err(CliError::io(path, "write"))?;
    write(&mut file).map_err(CliError::io(path, "write"))?;
    file.persist(path)
        .map_err(|error| CliError::io(path, "write")(error.error))?;
    Ok(())
}

/// The names and shapes of arrays, for an error that lists what is there.
fn describe(arrays: &Arrays) -> String {
    let list: Vec<String> = arrays
        .iter()
        .map(|(name, array)| format!("{name} {:?}", array.shape))
        .collect();
    if list.is_empty() {
        "no arrays".to_owned()
    } else {
        list.join(", ")
    }
}
