//! The `cipherloom` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    cipherloom_cli::main(std::env::args_os(), &[])
}
