//! `cipherloom decrypt`.

use std::path::PathBuf;

use cipherloom_compiler::report::{error_text, table};
use cipherloom_host::{Outputs, PlanFile, decrypt_outputs, read_secret_key};
use clap::Args;
use serde_json::json;

use crate::data;
use crate::error::Result;
use crate::ui::{count, say};

/// Decrypt the outputs of a run (key holder)
#[derive(Debug, Args)]
#[command(after_help = "\
The decrypted values carry the error of the computation, which depends on the secret key. Round them to the digits \
that matter before you publish them.

Example:
  cipherloom decrypt spam.plan --key keys/secret.key --outputs outputs.ct -o weights.npz")]
pub struct Decrypt {
    /// The plan
    plan: PathBuf,
    /// The key holder's secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The encrypted outputs
    #[arg(long, value_name = "FILE")]
    outputs: PathBuf,
    /// Where to write the clear outputs, as .npz
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print one JSON object with shapes and predicted errors instead of text
    #[arg(long)]
    json: bool,
}

impl Decrypt {
    pub fn run(self) -> Result<()> {
        let plan = PlanFile::open(&self.plan)?;
        let secret = read_secret_key(&self.key, &plan)?;
        let outputs = Outputs::open(&self.outputs, &plan)?;
        let tensors = decrypt_outputs(&plan, &secret, &outputs)?;
        data::write_npz(&self.output, &tensors)?;
        let plan = plan.plan();
        let error = |name: &str| {
            plan.ports()
                .filter(|port| port.name() == name)
                .map(|port| port.error())
                .fold(0.0, f64::max)
        };
        if self.json {
            let tensors: serde_json::Map<_, _> = tensors
                .iter()
                .map(|(name, tensor)| {
                    (
                        name.clone(),
                        json!({ "shape": tensor.shape, "predicted_error": error(name) }),
                    )
                })
                .collect();
            say!(
                "{}",
                json!({ "output": self.output.display().to_string(), "tensors": tensors })
            );
            return Ok(());
        }
        let rows: Vec<_> = tensors
            .iter()
            .map(|(name, tensor)| {
                let largest = tensor
                    .values
                    .iter()
                    .fold(0.0, |largest: f64, value| largest.max(value.abs()));
                vec![
                    name.clone(),
                    format!("{:?}", tensor.shape),
                    format!("largest |value| {largest:.4}"),
                    format!("predicted error {}", error_text(error(name))),
                ]
            })
            .collect();
        say!("{}", table(&rows, "<<<<").trim_end());
        say!(
            "{}: {}",
            self.output.display(),
            count(tensors.len() as u64, "array")
        );
        Ok(())
    }
}
