//! `cipherloom calibrate`.

use std::io::Write;
use std::path::PathBuf;

use cipherloom_compiler::report::table;
use cipherloom_compiler::target::{Costs, Term};
use cipherloom_host::Progress;
use clap::Args;

use crate::calibrate::{self, Measurement};
use crate::data::{self, Readers};
use crate::error::Result;
use crate::ui::{Ui, say};

/// Measure what the compiler has to know of a machine
#[derive(Debug, Args)]
#[command(after_help = "\
Measures the runtime's operations on rings from 2^12 to 2^16, with operands in memory as in a run, on one thread and on \
two, and fits the times of their elementary work, such as a butterfly or a product with a key: the cost table. \
`compile`, `inspect` and `train` take it with --costs; without, they take the table of a server with AVX-512-IFMA, so \
that a plan never depends on where it was compiled. Takes a few minutes; leave the machine alone meanwhile.

The table is written to the file, and the measurements with what the table makes of them beside it, as .csv.

Examples:
  cipherloom calibrate --output here.json
  cipherloom inspect spam.plan --costs here.json
  cipherloom calibrate --backend portable")]
pub struct Calibrate {
    /// Where to write the cost table (JSON), and beside it the measurements (.csv)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the table in JSON instead of text
    #[arg(long)]
    json: bool,
    /// Measure little: a look, not a table to compile with
    #[arg(long)]
    quick: bool,
}

impl Calibrate {
    pub fn run(self) -> Result<()> {
        let ui = Ui::new(self.json);
        let mut progress = ui.progress();
        progress.begin("rings", calibrate::rings(self.quick) as u64);
        let (costs, measurements) =
            calibrate::run(self.quick, command_line(), |rings| progress.advance(rings as u64))?;
        progress.end();
        if let Some(output) = &self.output {
            let files = [
                (output.clone(), costs.to_text()),
                (
                    output.with_extension("csv"),
                    calibrate::to_csv(&costs, &measurements),
                ),
            ];
            for (path, text) in files {
                data::write_whole(&path, Readers::Everyone, |file| file.write_all(text.as_bytes()))?;
            }
        }
        if self.json {
            say!("{}", super::to_json(&costs));
        } else {
            say!("{}", text(&costs, &measurements));
        }
        Ok(())
    }
}

/// This run's command line, by the program's own name.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1);
    let arguments: Vec<String> = arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    format!("cipherloom {}", arguments.join(" "))
}

fn text(costs: &Costs, measurements: &[Measurement]) -> String {
    let classes = [(&costs.narrow, "to 50 bits"), (&costs.wide, "wider")];
    let mut rows = vec![
        ["nanoseconds", "primes", "1 thread", "2 threads"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for (terms, primes) in classes {
        let transforms = terms.transform.iter();
        let transforms = transforms.map(|(log_n, times)| (format!("butterfly, N = 2^{log_n}"), times));
        let others = terms.terms.iter().map(|(term, times)| (name(*term), times));
        rows.extend(transforms.chain(others).map(|(name, times)| {
            let time = |threads| format!("{:.3}", times.on(threads));
            vec![name, primes.to_owned(), time(1), time(2)]
        }));
    }
    let mut errors: Vec<f64> = measurements
        .iter()
        .map(|m| (m.fitted / m.measured - 1.0).abs())
        .collect();
    errors.sort_by(f64::total_cmp);
    let quantile = |share: f64| 100.0 * errors.get((share * errors.len() as f64) as usize).unwrap_or(&0.0);
    format!(
        "{}, {} kernels\n{}{} measurements: half are within {:.0} % of the fit, nine of ten within {:.0} %",
        costs.machine,
        costs.backend,
        table(&rows, "<<>>"),
        measurements.len(),
        quantile(0.5),
        quantile(0.9)
    )
}

fn name(term: Term) -> String {
    let name = serde_json::to_value(term).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}
