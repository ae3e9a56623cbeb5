//! The `cipherloom` command: all that reads files, shows progress and talks to people. What it does is in the compiler and
//! the host. It is a library so that the benchmark, too, can be the command: with other libraries to compare with.

mod arguments;
mod bench;
mod calibrate;
mod command;
mod data;
mod error;
mod folder;
mod glossary;
mod holder;
mod machine;
mod ui;
mod validation;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use bench::{Peer, PeerTransform};

/// Runs the command: program name and arguments, and the libraries that `bench` compares with.
pub fn main(arguments: impl IntoIterator<Item = OsString>, peers: &[Peer]) -> ExitCode {
    match command::Cipherloom::parse_from(arguments).run(peers) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            error.exit_code()
        }
    }
}
