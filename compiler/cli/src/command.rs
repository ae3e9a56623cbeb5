//! The command line: one file for each command.

mod bench;
mod calibrate;
mod check;
mod compile;
mod decrypt;
mod encrypt;
mod explain;
mod hold;
mod inspect;
mod keygen;
mod run;
mod serve;
mod train;

use cipherloom_host::Backend;
use clap::{Parser, Subcommand};

use crate::bench::Peer;
use crate::error::{CliError, Result};

/// Trains models on data that the trainer cannot see.
///
/// A graph (.loom) states the training: data, parameters, loss, optimiser. Cipherloom compiles it to a plan of CKKS
/// operations and runs the plan on ciphertexts.
#[derive(Debug, Parser)]
#[command(
    name = "cipherloom",
    version,
    arg_required_else_help = true,
    max_term_width = 110
)]
#[command(after_help = "\
On one machine, to see it work:
  cipherloom train spam.loom --data sms.npz

Between two parties, with nothing but files:
  either      cipherloom compile spam.loom
  key holder  cipherloom keygen  spam.plan --out-dir keys
  key holder  cipherloom encrypt spam.plan --key keys/secret.key --data sms.npz -o inputs.ct
  server      cipherloom run     spam.plan --keys evaluation.keys --inputs inputs.ct -o outputs.ct
  key holder  cipherloom decrypt spam.plan --key keys/secret.key --outputs outputs.ct -o weights.npz

The server gets spam.plan, evaluation.keys and inputs.ct, and never secret.key.

Between two parties who see a folder, with epochs and early stopping:
  either      cipherloom compile head.loom --epochs 20 --steps-per-epoch 15 -o shared/graph.plan
  server      cipherloom serve   shared
  key holder  cipherloom hold    shared --key secret.key --data head.npz -o weights.npz

Exit status: 0 done, 1 something is wrong with the graph, the files or the data, 2 wrong command line.")]
pub struct Cipherloom {
    #[command(subcommand)]
    command: Command,
    /// Kernels for ciphertexts: portable, avx2, avx512 or neon [default: the fastest that the processor has]
    #[arg(long, global = true, value_name = "NAME")]
    backend: Option<Backend>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Compile(compile::Compile),
    Inspect(inspect::Inspect),
    Keygen(keygen::Keygen),
    Encrypt(encrypt::Encrypt),
    Run(run::Run),
    Decrypt(decrypt::Decrypt),
    Train(train::Train),
    Serve(serve::Serve),
    Hold(hold::Hold),
    Explain(explain::Explain),
    Bench(bench::Bench),
    Calibrate(calibrate::Calibrate),
}

impl Cipherloom {
    /// Does what the command line says; `bench` measures other libraries too.
    pub fn run(self, peers: &[Peer]) -> Result<()> {
        if let Some(backend) = self.backend {
            // All backends give the same bits: this is for measuring them.
            backend.force().map_err(|error| {
                CliError::new(
                    error.to_string(),
                    "leave --backend out: the best one is found by itself",
                )
            })?;
        }
        match self.command {
            Command::Check(command) => command.run(),
            Command::Compile(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Keygen(command) => command.run(),
            Command::Encrypt(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Decrypt(command) => command.run(),
            Command::Train(command) => command.run(),
            Command::Serve(command) => command.run(),
            Command::Hold(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Bench(command) => command.run(peers),
            Command::Calibrate(command) => command.run(),
        }
    }
}

/// A report as one line of JSON.
fn to_json(report: &impl serde::Serialize) -> String {
    // Reports are structs of numbers and texts, which always have a JSON form.
    serde_json::to_string(report).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cipherloom::command().debug_assert();
    }

    #[test]
    fn help_of_every_command() {
        let mut command = Cipherloom::command().term_width(110);
        command.build();
        insta::assert_snapshot!("cipherloom", command.render_long_help());
        for subcommand in command
            .get_subcommands_mut()
            .filter(|command| command.get_name() != "help")
        {
            let name = subcommand.get_name().to_owned();
            insta::assert_snapshot!(name, subcommand.render_long_help());
        }
    }

    #[test]
    fn mistakes_on_the_command_line_are_refused() {
        let refused = |line: &str| Cipherloom::try_parse_from(line.split(' ')).is_err();
        assert!(!refused(
            "cipherloom compile a.loom --set batch=16 --set rate=0.5 --steps 3"
        ));
        assert!(refused("cipherloom compile a.loom --set batch"));
        assert!(refused("cipherloom compile a.loom --steps 0"));
        assert!(refused("cipherloom compile a.loom --log-n many"));
        assert!(refused("cipherloom compile a.loom --precision -1"));
        assert!(refused("cipherloom inspect a.plan --all --json"));
        assert!(refused("cipherloom encrypt a.plan --data d.npz -o i.ct"));
    }
}
