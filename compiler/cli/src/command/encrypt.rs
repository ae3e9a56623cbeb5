//! `cipherloom encrypt`.

use std::path::PathBuf;

use cipherloom_compiler::report::bytes;
use cipherloom_host::{PlanFile, read_secret_key, write_inputs};
use clap::Args;

use crate::arguments::DataOptions;
use crate::data;
use crate::error::Result;
use crate::ui::{Ui, count, say};

/// Encrypt data for a plan (key holder)
#[derive(Debug, Args)]
#[command(after_help = format!("\
{}

Example:
  cipherloom encrypt spam.plan --key keys/secret.key --data sms.npz -o inputs.ct", data::CONVENTION))]
pub struct Encrypt {
    /// The plan
    plan: PathBuf,
    /// The key holder's secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    data: DataOptions,
    /// Where to write the encrypted inputs
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Encrypt {
    pub fn run(self) -> Result<()> {
        let plan = PlanFile::open(&self.plan)?;
        let secret = read_secret_key(&self.key, &plan)?;
        let data = self
            .data
            .scaled(self.data.load()?, &data::declared(&plan.plan()))?;
        let tensors = data::bind(&plan.plan(), &data)?;
        let inputs = write_inputs(
            &self.output,
            &plan,
            &secret,
            &tensors,
            &mut Ui::new(false).progress(),
        )?;
        for port in inputs.summary(&plan) {
            let unused = match port.unused_rows {
                0 => String::new(),
                rows => format!(
                    "; {} at the end fill no batch and are left out",
                    count(rows, "row")
                ),
            };
            say!(
                "{} {}: {}, {} of {}{unused}",
                port.kind.name(),
                port.name,
                count(port.rows, "row"),
                count(port.batches, "batch"),
                count(port.tiles, "ciphertext")
            );
        }
        say!("{}: {}", self.output.display(), bytes(inputs.bytes()));
        Ok(())
    }
}
