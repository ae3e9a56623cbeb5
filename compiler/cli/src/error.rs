//! Why a command stops: what is wrong, where, and what to do about it.

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Result of everything a command does.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command stops.
#[derive(Debug)]
pub enum CliError {
    /// The user's files or data are wrong, or the machine refuses.
    Failed {
        /// What is wrong and where.
        problem: String,
        /// What to do about it; empty when the problem says it.
        remedy: String,
    },
    /// The command line contradicts itself.
    Usage(String),
    /// Diagnostics that have been shown already.
    Reported,
}

impl CliError {
    /// A failure with its remedy.
    pub fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Failed {
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// For `map_err`: the operating system refused `action` ("read", "write", …) on a file.
    pub fn io<'a>(path: &'a Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| {
            let remedy = match error.kind() {
                std::io::ErrorKind::NotFound => "check the path",
                std::io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
                _ => "",
            };
            Self::new(format!("{}: cannot {action} it: {error}", path.display()), remedy)
        }
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(if matches!(self, Self::Usage(_)) { 2 } else { 1 })
    }

    /// Writes the error to standard error, unless it has been shown already.
    pub fn report(&self) {
        if !matches!(self, Self::Reported) {
            eprintln!("error: {self}");
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { problem, remedy } if remedy.is_empty() => f.write_str(problem),
            Self::Failed { problem, remedy } => write!(f, "{problem}\n  help: {remedy}"),
            Self::Usage(problem) => write!(f, "{problem}\n  help: see `cipherloom help`"),
            Self::Reported => f.write_str("see the diagnostics above"),
        }
    }
}

impl std::error::Error for CliError {}

impl From<cipherloom_host::HostError> for CliError {
    fn from(error: cipherloom_host::HostError) -> Self {
        Self::new(error.to_string(), "")
    }
}
