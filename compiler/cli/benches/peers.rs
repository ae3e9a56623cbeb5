//! `cipherloom` with other libraries to compare with: `cargo bench -p cipherloom-cli -- bench [ops|ntt] [--json]`.
//!
//! They are dependencies of this benchmark alone, because of their licences: no other build has anything of them.

use std::process::ExitCode;

use cipherloom_cli::{Peer, PeerTransform};

/// The forward transform of `tfhe-ntt` (BSD-3-Clause-Clear).
const TFHE_NTT: Peer = Peer {
    name: "tfhe_ntt_forward",
    plan: |words, prime| {
        let plan = tfhe_ntt::prime64::Plan::try_new(words, prime)?;
        Some(Box::new(move |limb: &mut [u64]| plan.fwd(limb)) as PeerTransform)
    },
};

fn main() -> ExitCode {
    // Cargo adds `--bench` to what it is given.
    let mut arguments: Vec<_> = std::env::args_os()
        .filter(|argument| argument != "--bench")
        .collect();
    if arguments.len() == 1 {
        arguments.push("bench".into());
    }
    cipherloom_cli::main(arguments, &[TFHE_NTT])
}
