//! `cipherloom check`.

use std::path::PathBuf;

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::sema;
use clap::Args;
use serde_json::json;

use crate::arguments::{GraphOptions, read_source, show};
use crate::error::{CliError, Result};
use crate::ui::{Ui, say};

/// Check a graph for mistakes, without compiling it
#[derive(Debug, Args)]
#[command(after_help = "\
Names, shapes, secrecy and ranges are checked, and whether everything in the graph can be compiled today. Every \
message has a code; `cipherloom explain CODE` says more.

Examples:
  cipherloom check spam.loom
  cipherloom check spam.loom --set batch=256 --json")]
pub struct Check {
    /// The graph
    graph: PathBuf,
    #[command(flatten)]
    options: GraphOptions,
    /// Print the diagnostics as one JSON object on standard output instead of text on standard error
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let source = read_source(&self.graph)?;
        let mut diagnostics = Diagnostics::new();
        if let Some(graph) = sema::check(&source, &self.options.options()?, &mut diagnostics) {
            sema::support::check(&graph, &mut diagnostics);
        }
        let (errors, warnings) = diagnostics.counts();
        if self.json {
            say!(
                "{}",
                json!({ "errors": errors, "warnings": warnings, "diagnostics": diagnostics.to_json(&source) })
            );
        } else {
            show(&diagnostics, &source, &ui);
            if errors == 0 {
                let remarks = match warnings {
                    0 => String::new(),
                    1 => ", 1 warning".to_owned(),
                    count => format!(", {count} warnings"),
                };
                say!("{}: {}{remarks}", source.name, ui.good("no errors"));
            }
        }
        if errors > 0 {
            Err(CliError::Reported)
        } else {
            Ok(())
        }
    }
}
