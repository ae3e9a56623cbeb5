//! Puts the memory map where the linker finds it, and makes constants and tables of the plan that is embedded.

use cipherloom_runtime::ckks::Encoder;
use cipherloom_runtime::ckks::stream::fill_roots;
use cipherloom_runtime::plan::Plan;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=memory.x");
    fs::copy("memory.x", out.join("memory.x")).expect("copy memory.x");
    println!("cargo::rustc-link-search={}", out.display());

    println!("cargo::rerun-if-env-changed=CIPHERLOOM_PLAN");
    let path = env::var("CIPHERLOOM_PLAN").unwrap_or_else(|_| "target/edge/score.plan".into());
    println!("cargo::rerun-if-changed={path}");
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}; make it with ./prepare.sh"));
    let plan = Plan::parse(&bytes).unwrap_or_else(|error| panic!("{path}: {error}"));
    fs::write(out.join("embedded.rs"), embedded(&plan, Path::new(&path))).expect("write embedded.rs");
}

/// The plan's bytes and what the firmware needs to know of it before it starts.
fn embedded(plan: &Plan<'_>, path: &Path) -> String {
    let parameters = plan.parameters();
    let log_n = u32::from(parameters.log_n());
    let primes: Vec<u64> = parameters.q().iter().collect();
    let path = path.canonicalize().expect("the plan was read");
    let mut roots = vec![0u32; primes.len() << log_n];
    for (&prime, table) in primes.iter().zip(roots.chunks_exact_mut(1 << log_n)) {
        fill_roots(log_n, prime, table).expect("the plan's primes are for words of 32 bits");
    }
    let mut factors = vec![0.0; Encoder::memory_f64(log_n)];
    Encoder::new(log_n, &mut factors).expect("the plan's ring degree is in range");
    let factors: Vec<u64> = factors.into_iter().map(f64::to_bits).collect();

    let mut text = String::new();
    let mut line = |declaration: String| writeln!(text, "{declaration}").expect("a string grows");
    line(format!("/// The plan.\npub static PLAN: &[u8] = include_bytes!({path:?});"));
    line(format!("/// log2 of the ring degree.\npub const LOG_N: u32 = {log_n};"));
    line(format!("static ROOTS: [u32; {}] = {roots:?};", roots.len()));
    line(format!("static FACTORS: [f64; {}] = double_each({factors:?});", factors.len()));
    text
}
