//! Puts the memory map where the linker finds it, and makes constants and tables of the plan that is embedded.

use cipherloom_runtime::ckks::stream::{fill_factors, fill_roots};
use cipherloom_runtime::ckks::{Context, Encoder};
use cipherloom_runtime::exec::{Memory, context_parameters};
use cipherloom_runtime::plan::Plan;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    println!("cargo::rerun-if-changed=memory.x");
    fs::copy("memory.x", out.join("memory.x")).expect("copy memory.x");
    println!("cargo::rustc-link-search={}", out.display());

    println!("cargo::rerun-if-env-changed=CIPHERLOOM_EDGE");
    let folder = env::var("CIPHERLOOM_EDGE").unwrap_or_else(|_| "target/edge".into());
    let folder = fs::canonicalize(&folder)
        .unwrap_or_else(|error| panic!("{folder}: {error}; make it with ./prepare.sh"));
    let [plan, key] = ["score.plan", "public.key"].map(|name| folder.join(name));
    for path in [&plan, &key] {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let bytes = fs::read(&plan).unwrap_or_else(|error| panic!("{}: {error}", plan.display()));
    let parsed = Plan::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", plan.display()));
    fs::write(out.join("embedded.rs"), embedded(&parsed, &plan, &key)).expect("write embedded.rs");
}

/// The plan's bytes and what the firmware needs to know of it before it starts.
fn embedded(plan: &Plan<'_>, path: &Path, key: &Path) -> String {
    let parameters = plan.parameters();
    let log_n = u32::from(parameters.log_n());
    let primes: Vec<u64> = parameters.q().iter().collect();
    let mut roots = vec![0u32; primes.len() << log_n];
    for (&prime, table) in primes.iter().zip(roots.chunks_exact_mut(1 << log_n)) {
        fill_roots(log_n, prime, table).expect("the plan's primes are for words of 32 bits");
    }
    let mut factors = vec![0i32; 1 << log_n];
    fill_factors(log_n, &mut factors).expect("the plan's ring degree is in range");

    let memory = Memory::of::<u32>(plan).expect("the plan's memory fits this machine");
    let mut tables = vec![0u32; memory.context_words];
    let parameters = context_parameters(plan).expect("the plan's parameters are right");
    Context::new(parameters, &mut tables).expect("the plan is for words of 32 bits");
    let mut encoder = vec![0.0; memory.encoder_f64s];
    Encoder::new(log_n, &mut encoder).expect("the plan's ring degree is in range");
    // The executor's slots are 2^LOG_N numbers.
    assert_eq!(memory.slot_f64s, 1 << log_n);

    let mut text = String::new();
    let mut line = |declaration: String| writeln!(text, "{declaration}").expect("a string grows");
    line(format!(
        "/// The plan.\npub static PLAN: &[u8] = include_bytes!({path:?});"
    ));
    line(format!(
        "/// A public key of the key holder.\npub static PUBLIC_KEY: &[u8] = include_bytes!({key:?});"
    ));
    line(format!(
        "/// log2 of the ring degree.\npub const LOG_N: u32 = {log_n};"
    ));
    line(format!(
        "/// Words of the executor's arena.\npub const ARENA_WORDS: usize = {};",
        memory.least_arena_words
    ));
    line(format!("static TABLES: [u32; {}] = {tables:?};", tables.len()));
    line(format!("static ENCODER: [f64; {}] = {encoder:?};", encoder.len()));
    line(format!("static ROOTS: [u32; {}] = {roots:?};", roots.len()));
    line(format!("static FACTORS: [i32; {}] = {factors:?};", factors.len()));
    text
}
