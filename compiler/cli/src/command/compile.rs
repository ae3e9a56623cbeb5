//! `cipherloom compile`.

use std::io::Write;
use std::path::{Path, PathBuf};

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::ir::print;
use cipherloom_compiler::options::Options;
use cipherloom_compiler::report::{Report, bytes, error_text, seconds};
use cipherloom_compiler::source::Source;
use cipherloom_compiler::syntax;
use cipherloom_host::PlanFile;
use cipherloom_plan::disassemble_to_string;
use clap::{Args, ValueEnum};

use crate::arguments::{PlanOptions, compile_graph, notes, read_source, show, threads};
use crate::data::{self, Readers};
use crate::error::{CliError, Result};
use crate::ui::{Ui, count, say};

/// Compile a graph to a plan
#[derive(Debug, Args)]
#[command(after_help = "\
The compiler chooses everything that CKKS asks for: layouts, rotations, levels, rescales, parameters, keys and \
memory. The same graph and options give the same plan, byte for byte.

Examples:
  cipherloom compile spam.loom                        writes spam.plan
  cipherloom compile spam.loom --steps 5 --set batch=512 -o small.plan
  cipherloom compile head.loom --epochs 20 --steps-per-epoch 15
  cipherloom compile score.loom --target cortex-m4    fits it into 192 KiB, or says what is missing
  cipherloom compile spam.loom --emit tensor          prints the mathematics
  cipherloom compile spam.loom --layouts              lists the layouts that were weighed")]
pub struct Compile {
    /// The graph
    graph: PathBuf,
    /// Where to write the plan [default: the graph's file with .plan]
    #[arg(short, long, value_name = "PLAN")]
    output: Option<PathBuf>,
    #[command(flatten)]
    options: PlanOptions,
    /// Threads that times are predicted for
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = threads())]
    threads: usize,
    /// Print a form of the program on standard output instead of writing a plan
    #[arg(long, value_name = "FORM")]
    emit: Option<Form>,
    /// List the layouts that the compiler weighed, with their predicted costs
    #[arg(long)]
    layouts: bool,
    /// Print one JSON object, the report of the plan, instead of text
    #[arg(long)]
    json: bool,
}

/// A form of the program on its way to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The syntax tree, as source text in the one style
    Ast,
    /// Mathematics as written: tensors
    Tensor,
    /// Mathematics as computed: differentiated, unrolled, with polynomials for functions
    Approximated,
    /// Packed vectors
    Slot,
    /// Ciphertexts with levels and scales
    Ckks,
    /// The plan's instructions
    Plan,
}

impl Compile {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let source = read_source(&self.graph)?;
        if self.emit == Some(Form::Ast) {
            return emit_ast(&source, &ui);
        }
        let options = self.options.options(self.threads)?;
        let compiled = compile_graph(&source, &options, &ui)?;
        match self.emit {
            None => {}
            Some(Form::Ast | Form::Tensor) => return emit(print(&compiled.source_graph)),
            Some(Form::Approximated) => return emit(print(&compiled.approximated)),
            Some(Form::Slot) => return emit(print(&compiled.slot)),
            Some(Form::Ckks) => return emit(print(&compiled.ckks)),
            Some(Form::Plan) => {
                return emit(disassemble_to_string(
                    &PlanFile::from_bytes(compiled.plan)?.plan(),
                ));
            }
        }
        let output = self.output.unwrap_or_else(|| self.graph.with_extension("plan"));
        data::write_whole(&output, Readers::Everyone, |file| file.write_all(&compiled.plan))?;
        let notes = notes(&compiled, &source, self.layouts);
        let plan = PlanFile::from_bytes(compiled.plan)?;
        let mut report = Report::new(&plan.plan(), Some(&source), &notes);
        report.predict(&plan.plan(), &options.target);
        if self.json {
            say!("{}", super::to_json(&report));
        } else {
            summary(&report, &options, &output, &plan, &ui)?;
        }
        Ok(())
    }
}

/// The few lines that everybody wants to see; `inspect` has the rest.
fn summary(report: &Report, options: &Options, output: &Path, plan: &PlanFile, ui: &Ui) -> Result<()> {
    let p = &report.parameters;
    let epochs = plan.plan().epochs();
    let security = if p.toy {
        "no security (toy)".to_owned()
    } else {
        format!("{} bits", p.security_bits)
    };
    say!(
        "{}: {}, {} instructions",
        ui.bold(&output.display().to_string()),
        bytes(plan.bytes().len() as u64),
        report.instructions()
    );
    say!(
        "  ring 2^{}, log2 QP {:.0}, {security}, levels 0 to {}",
        p.log_n,
        p.log_qp,
        p.chain_bits.len().saturating_sub(1)
    );
    if p.steps > 0 {
        say!(
            "  {}{}, about {} each on {}",
            count(p.steps, "training step"),
            match epochs {
                0 => String::new(),
                epochs => format!(" in {}", count(epochs, "epoch")),
            },
            seconds(report.seconds_per_step),
            count(options.target.threads, "thread")
        );
    }
    say!(
        "  server memory {}, of which {} {}",
        bytes(report.memory.total_bytes),
        count(report.keys.keys.len() as u64, "key"),
        bytes(report.memory.key_bytes)
    );
    for port in report.ports.iter().filter(|port| port.error > 0.0) {
        say!(
            "  {} {}: predicted error {}",
            port.kind,
            port.name,
            error_text(port.error)
        );
    }
    for note in &report.notes {
        say!("  {note}");
    }
    Ok(())
}

fn emit_ast(source: &Source, ui: &Ui) -> Result<()> {
    let mut diagnostics = Diagnostics::new();
    let tree = syntax::parse(source, &mut diagnostics);
    show(&diagnostics, source, ui);
    if diagnostics.has_errors() {
        return Err(CliError::Reported);
    }
    emit(syntax::format(&tree, &source.text))
}

fn emit(text: String) -> Result<()> {
    say!("{}", text.trim_end());
    Ok(())
}
