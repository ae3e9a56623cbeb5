//! What can go wrong around the executor, said with the file, the place in it, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, HostError>;

/// An error of the host: files, keys, data, or the plan itself.
#[derive(Debug)]
pub enum HostError {
    /// The operating system refused an operation on a file.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done, as in "cannot *read* the file".
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A file's contents are not what they must be: another kind of file, truncated, damaged.
    File {
        /// The file.
        path: PathBuf,
        /// Where in the file: a section or a byte offset.
        place: String,
        /// What is wrong there.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A file belongs to another plan.
    WrongPlan {
        /// The file.
        path: PathBuf,
        /// Hash of the plan in use.
        expected: [u8; 32],
        /// Plan hash that the file carries.
        found: [u8; 32],
    },
    /// The plan is malformed, or breaks a rule of the verifier.
    Plan {
        /// The plan's file; none when it came from memory.
        path: Option<PathBuf>,
        /// What the parser or the verifier found.
        problem: String,
    },
    /// The plan has toy parameters, which protect nothing, and toy plans were not allowed.
    ToyPlan,
    /// The user's data do not fit the plan.
    Data {
        /// Name of the tensor.
        tensor: String,
        /// Row, column and so on; empty when the whole tensor is meant.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A value of the user's data lies outside the range that the graph declares.
    Range {
        /// Name of the tensor.
        tensor: String,
        /// Row, column and so on; empty for a scalar.
        place: String,
        /// The value.
        value: f64,
        /// Lowest and highest value that is declared.
        declared: (f64, f64),
    },
    /// Keys, inputs, outputs and plan do not belong together.
    Mismatch(String),
    /// The CKKS layer refused.
    Ckks {
        /// What was being done, with the name of the value or key.
        what: String,
        /// The layer's error.
        source: cipherloom_ckks::CkksError,
    },
    /// The executor stopped.
    Exec(cipherloom_exec::ExecError),
    /// There is not enough memory.
    Memory {
        /// What it was for.
        what: &'static str,
        /// How many bytes were asked for.
        bytes: usize,
    },
    /// The key holder gave no answer.
    KeyHolder(crate::run::BoxedError),
    /// The operating system gave no randomness.
    Random(getrandom::Error),
    /// The worker threads could not be started.
    Threads(rayon::ThreadPoolBuildError),
}

impl HostError {
    pub(crate) fn io<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    pub(crate) fn ckks(what: impl Into<String>) -> impl FnOnce(cipherloom_ckks::CkksError) -> Self {
        move |source| Self::Ckks {
            what: what.into(),
            source,
        }
    }

    pub(crate) fn data(
        tensor: impl Into<String>,
        place: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self::Data {
            tensor: tensor.into(),
            place: place.into(),
            problem: problem.into(),
        }
    }
}

/// First eight bytes of a hash, enough to tell two plans apart by eye.
fn short(hash: &[u8; 32]) -> impl fmt::Display + '_ {
    struct Short<'a>(&'a [u8; 32]);
    impl fmt::Display for Short<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
    Short(hash)
}

/// A place after a comma, if there is one.
struct After<'a>(&'a str);

impl fmt::Display for After<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            place => write!(f, ", {place}"),
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, action, source } => write!(f, "{}: cannot {action}: {source}", path.display()),
            Self::File { path, place, problem, remedy } => {
                write!(f, "{}: {place}: {problem}; {remedy}", path.display())
            }
            Self::WrongPlan { path, expected, found } => write!(
                f,
                "{}: header: made for plan {}…, but the plan in use is {}…; use the plan it was made for, or make it again",
                path.display(),
                short(found),
                short(expected)
            ),
            Self::Plan { path: Some(path), problem } => {
                write!(f, "{}: {problem}; compile the plan again", path.display())
            }
            Self::Plan { path: None, problem } => write!(f, "plan: {problem}; compile the plan again"),
            Self::ToyPlan => f.write_str(
                "the plan has toy parameters, which protect nothing; compile it with secure parameters, or allow toy plans for a test",
            ),
            Self::Data { tensor, place, problem } => {
                write!(f, "tensor `{tensor}`{}: {problem}", After(place))
            }
            Self::Range { tensor, place, value, declared: (low, high) } => write!(
                f,
                "tensor `{tensor}`{}: {value} is outside the declared range [{low}, {high}]",
                After(place)
            ),
            Self::Mismatch(problem) => f.write_str(problem),
            Self::Ckks { what, source } => write!(f, "{what}: {source}"),
            Self::Exec(error) => write!(f, "run: {error}"),
            Self::Memory { what, bytes } => {
                write!(f, "not enough memory: {what} takes {bytes} bytes")
            }
            Self::KeyHolder(error) => write!(f, "the key holder gave no answer: {error}"),
            Self::Random(error) => write!(f, "the operating system gave no randomness: {error}"),
            Self::Threads(error) => write!(f, "cannot start worker threads: {error}"),
        }
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Ckks { source, .. } => Some(source),
            Self::Exec(error) => Some(error),
            Self::KeyHolder(error) => Some(&**error),
            Self::Random(error) => Some(error),
            Self::Threads(error) => Some(error),
            _ => None,
        }
    }
}

impl From<cipherloom_exec::ExecError> for HostError {
    fn from(error: cipherloom_exec::ExecError) -> Self {
        match error {
            cipherloom_exec::ExecError::ToyPlan => Self::ToyPlan,
            error => Self::Exec(error),
        }
    }
}
