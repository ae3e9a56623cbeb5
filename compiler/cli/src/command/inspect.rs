//! `cipherloom inspect`.

use std::path::PathBuf;

use cipherloom_compiler::report::Report;
use cipherloom_host::PlanFile;
use cipherloom_plan::disassemble_to_string;
use clap::Args;

use crate::arguments::{PlanOptions, compile_graph, notes, read_source, threads};
use crate::error::{CliError, Result};
use crate::ui::{Ui, say};

/// Show what a plan does and what it will cost
#[derive(Debug, Args)]
#[command(after_help = "\
The report is made from the plan's bytes alone: parameters and security, what happens at which level, keys, memory \
and what makes its peak, predicted time and precision. A plan knows places in its source as byte offsets; give \
--source to see lines. For a .loom file, the graph is compiled first. Times are predicted for the machine of \
--target or --costs, whatever machine the plan was compiled for. With a microcontroller as --target, the report says what \
each program of examples/firmware takes there, to the byte.

Examples:
  cipherloom inspect spam.plan --source spam.loom
  cipherloom inspect spam.loom --steps 3 --layouts
  cipherloom inspect score.plan --target cortex-m4
  cipherloom inspect spam.plan --all | less")]
pub struct Inspect {
    /// A plan, or a graph (.loom) to compile and inspect
    file: PathBuf,
    /// The graph that the plan was compiled from
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// Show every instruction instead
    #[arg(long, conflicts_with_all = ["json", "layouts"])]
    all: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Add the layouts that the compiler weighed; needs a .loom file
    #[arg(long)]
    layouts: bool,
    /// Threads that times are predicted for, beside 1 and 2
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = threads())]
    threads: usize,
    #[command(flatten)]
    options: PlanOptions,
}

impl Inspect {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let graph = self.file.extension().is_some_and(|extension| extension == "loom");
        if self.layouts && !graph {
            return Err(CliError::Usage(
                "--layouts needs a .loom file: a plan holds the chosen layout alone".to_owned(),
            ));
        }
        let (plan, source, notes) = if graph {
            let source = read_source(&self.file)?;
            let compiled = compile_graph(&source, &self.options.options(self.threads)?, &ui)?;
            let notes = notes(&compiled, &source, self.layouts);
            (PlanFile::from_bytes(compiled.plan)?, Some(source), notes)
        } else {
            let source = self.source.as_deref().map(read_source).transpose()?;
            (PlanFile::open(&self.file)?, source, Vec::new())
        };
        let plan = plan.plan();
        if self.all {
            say!("{}", disassemble_to_string(&plan).trim_end());
            return Ok(());
        }
        let mut report = Report::new(&plan, source.as_ref(), &notes);
        report.predict(&plan, &self.options.target(self.threads)?);
        let text = if self.json {
            super::to_json(&report)
        } else {
            report.to_string()
        };
        say!("{}", text.trim_end());
        Ok(())
    }
}
