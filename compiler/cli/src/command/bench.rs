//! `cipherloom bench`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cipherloom_compiler::report::Profile;
use cipherloom_host::Backend;
use clap::Args;

use crate::bench::{Group, Line, Peer, Request, bootstrap, hetal};
use crate::error::Result;
use crate::machine;
use crate::ui::say;

/// Measure transforms and operations on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Sets: A is N = 2^13, 4 limbs of 36 bits, one special prime; B is N = 2^15, 13 limbs of 45 bits, dnum 3; C is \
N = 2^16, 25 limbs of 49 bits, dnum 3; D is as C with dnum 5. All have 128-bit security with a ternary secret. \
`encrypt` is with the secret key and a seed in place of c1; `decrypt` decodes too; `mod_up` raises the digits of a \
ciphertext; `key_switch` is a relinearisation; `base_conversion` converts one digit to all other primes; \
`rotate8_hoisted` is one mod-up, then eight times a product with a key, an automorphism and a mod-down.

Every figure is the median of its repetitions, with the shortest and the longest. A transform on T threads is T \
transforms at once, over T. The roofline ratio is the median over what the operation's kernels take alone, in the \
same run, on one thread and divided by the threads. For operations with transforms: their number of transforms \
(the mean of forward and back), base-conversion multiply-adds as a conversion of whole limbs does them, and all \
other multiply-adds in the first-level cache. For passes over memory (add, mul_plain): the longer of moving their \
words at the speed of an addition of polynomials of that set, and of their multiply-adds. Automorphisms, floating-point \
transforms, sampling and the way of keys from memory (key_stream_us in JSON) are not in it. For transforms the \
ratio is to ntt_forward of the same line of parameters: for another library, more than 1 is slower than ours.

tfhe-ntt is measured in turn with our transforms, as tfhe_ntt_forward. It is a dependency of the benchmark \
alone: in a checkout, this command builds the benchmark with cargo and hands over to it.

Bootstraps: `bench bootstrap` runs 8 random vectors of numbers in [-1, 1] through each set, and says the seconds of one \
bootstrap in all and by phase (the encoding of diagonals, done once, is not in it), levels left and their scale, bits of \
precision (mean/worst), the probability of failure, and the memory of keys, plaintexts and the whole process.

Training: `bench hetal` compiles examples/hetal/head.loom for each shape of HETAL (ICML 2023) and runs three steps on \
generated features on all threads; times are means of the steps before the last, beside what HETAL took on an A40 GPU.

JSON: one object per line with name, set, threads, median_us, min_us, max_us, roofline_ratio, ntts, multiply_adds, \
key_stream_us, ntt_us.

Examples:
  cipherloom bench
  cipherloom bench ntt --threads 1 --json
  cipherloom bench ops --set C --backend avx2
  cipherloom bench bootstrap --bootstrap-set N16-real
  cipherloom bench hetal --shape snips --json")]
pub struct Bench {
    #[command(flatten)]
    request: Request,
    /// Measure our transforms alone
    #[arg(long)]
    no_peers: bool,
    /// Print one JSON object per measurement instead of a table
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub fn run(self, peers: &[Peer]) -> Result<()> {
        if self.request.group == Some(Group::Bootstrap) {
            return self.bootstraps();
        }
        if self.request.group == Some(Group::Hetal) {
            return self.hetal();
        }
        let with_peers = !self.no_peers && self.request.group != Some(Group::Ops);
        if with_peers && peers.is_empty() {
            if let Some(workspace) = workspace()
                && hand_over(&workspace)?
            {
                return Ok(());
            }
            eprintln!(
                "note: tfhe-ntt is no part of this build; in a checkout, `cargo bench -p cipherloom-cli -- bench` measures \
                 it in the same run"
            );
        }
        if !self.json {
            say!("{}, {} kernels", machine::name(), Backend::active());
            say!("{}", Line::header());
        }
        let json = self.json;
        let peers = if self.no_peers { &[] } else { peers };
        self.request.run(peers, &mut |line| {
            match json {
                true => say!("{}", super::to_json(line)),
                false => say!("{line}"),
            }
            Ok(())
        })
    }
}

impl Bench {
    fn hetal(self) -> Result<()> {
        if !self.json {
            say!("{}, {} kernels", machine::name(), Backend::active());
            say!("{}", hetal::Line::header());
        }
        let profile = self.request.profile;
        hetal::run(&self.request.shapes, self.request.quick, &mut |line| {
            match self.json {
                true => say!("{}", super::to_json(line)),
                false => say!("{line}"),
            }
            self.profile(profile.then_some(&line.profile))
        })
    }

    fn bootstraps(self) -> Result<()> {
        if self.request.search {
            for line in bootstrap::search(&self.request.bootstrap_sets) {
                say!("{line}");
            }
            return Ok(());
        }
        let Request {
            bootstrap_sets,
            threads,
            quick,
            profile,
            ..
        } = &self.request;
        if let Some(rounds) = self.request.rounds {
            return bootstrap::rounds(bootstrap_sets, rounds, threads, *quick, &mut |line| {
                match self.json {
                    true => say!("{}", super::to_json(line)),
                    false => say!("{line}"),
                }
                Ok(())
            });
        }
        if !self.json {
            say!("{}, {} kernels", machine::name(), Backend::active());
            say!("{}", bootstrap::Line::header());
        }
        bootstrap::run(bootstrap_sets, threads, *quick, &mut |line| {
            match self.json {
                true => say!("{}", super::to_json(line)),
                false => say!("{line}"),
            }
            self.profile(profile.then_some(&line.profile))
        })
    }

    /// Shows where the time went, if it is asked for.
    fn profile(&self, profile: Option<&Profile>) -> Result<()> {
        match profile {
            Some(profile) if self.json => say!("{}", super::to_json(profile)),
            Some(profile) => say!("{}", profile.to_text()),
            None => {}
        }
        Ok(())
    }
}

/// The checkout that this program was built in or is run from, if cargo can build there.
fn workspace() -> Option<PathBuf> {
    let is_ours = |folder: &&Path| folder.join("compiler/cli/benches/peers.rs").is_file();
    // `cargo run` says where the package is; a program in `target` is below the checkout.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let program = std::env::current_exe().ok();
    let places = package.iter().chain(&program);
    let found = places.flat_map(|place| place.ancestors()).find(is_ours);
    found.map(Path::to_owned)
}

/// Runs the benchmark, which is this command with other libraries in it, on the same command line; says whether it could
/// be built.
fn hand_over(workspace: &Path) -> Result<bool> {
    let cargo = || {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.current_dir(workspace);
        command.args([
            "bench",
            "--quiet",
            "--package",
            "cipherloom-cli",
            "--bench",
            "peers",
        ]);
        command
    };
    eprintln!("note: building the benchmark with tfhe-ntt in it; --no-peers does without");
    let built = cargo().arg("--no-run").stdout(Stdio::null()).status();
    if !built.is_ok_and(|status| status.success()) {
        return Ok(false);
    }
    let status = cargo().arg("--").args(std::env::args_os().skip(1)).status();
    match status {
        Ok(status) if status.success() => Ok(true),
        _ => Err(crate::error::CliError::Reported),
    }
}
