//! The `cipherloom` command: all that reads files, shows progress and talks to people. What it does is in the compiler and
//! the host.

mod arguments;
mod command;
mod data;
mod error;
mod glossary;
mod ui;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match command::Cipherloom::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            error.exit_code()
        }
    }
}
