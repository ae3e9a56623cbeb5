//! Makes a memory map for each program, and constants and tables of the plan that is embedded.

use cipherloom_runtime::ckks::stream::{Slots, Ternary, fill_factors, fill_roots};
use cipherloom_runtime::ckks::{Basis, Context, Encoder};
use cipherloom_runtime::exec::{Memory, context_parameters};
use cipherloom_runtime::plan::{self, Op, Plan};
use cipherloom_runtime::ring::pack::packed_bytes;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Targets of the compiler, their memory and their flash.
const TARGETS: [(&str, usize, usize); 2] = [
    ("cortex-m4", 192 << 10, 1 << 20),
    ("cortex-m7", 512 << 10, 2 << 20),
];
/// No program has more data beside what follows from the plan: a hash in progress, or little.
const HASHING: usize = 2048;
const LITTLE: usize = 128;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
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

    println!("cargo::rerun-if-env-changed=CIPHERLOOM_TARGET");
    let target = env::var("CIPHERLOOM_TARGET").unwrap_or_else(|_| TARGETS[0].0.into());
    let target = TARGETS.iter().find(|(name, ..)| *name == target);
    let &(_, ram, flash) = target.unwrap_or_else(|| panic!("CIPHERLOOM_TARGET is cortex-m4 or cortex-m7"));
    for (program, data) in data_bytes(&parsed) {
        // Programs do not have the same data: each finds its own map first.
        let folder = out.join(program);
        fs::create_dir_all(&folder).expect("make a folder");
        fs::write(folder.join("memory.x"), memory_map(flash, ram, data)).expect("write memory.x");
        println!("cargo::rustc-link-arg-bin={program}=-L{}", folder.display());
    }
}

/// The stack lies below everything else and has all memory that is left, so that it runs into nothing when it overflows:
/// the processor faults. Where nothing is left, the linker says by how much the data are too large.
fn memory_map(flash: usize, ram: usize, data: usize) -> String {
    let stack = ram.saturating_sub(data.next_multiple_of(8));
    format!(
        "MEMORY
{{
    FLASH : ORIGIN = 0x00000000, LENGTH = {flash}
    STACK : ORIGIN = 0x20000000, LENGTH = {stack}
    RAM   : ORIGIN = 0x20000000 + {stack}, LENGTH = {}
}}
_stack_start = ORIGIN(STACK) + LENGTH(STACK);
_stack_end = ORIGIN(STACK);
",
        ram - stack
    )
}

/// Most bytes of data that each program has.
fn data_bytes(plan: &Plan<'_>) -> [(&'static str, usize); 6] {
    let parameters = plan.parameters();
    let log_n = u32::from(parameters.log_n());
    let memory = Memory::of::<u32>(plan).expect("the plan's memory fits this machine");
    let generated = |words: usize| {
        if cfg!(feature = "generated-tables") {
            4 * words
        } else {
            0
        }
    };
    let client = 4 * (Slots::memory_words(log_n) + Ternary::memory_words(log_n))
        + generated((parameters.q().iter().count() + 1) << log_n);
    let executor = 4 * memory.least_arena_words + generated(memory.context_words);
    [
        ("encrypt-symmetric", client + HASHING),
        ("encrypt-public", client + HASHING),
        ("infer", executor + HASHING),
        ("provoked", HASHING),
        ("operations", executor + (56 << log_n) + HASHING),
        ("decrypt", client + 2 * limb_bytes(plan) + LITTLE),
    ]
}

/// Bytes of a limb of q_0, packed: half a reveal.
fn limb_bytes(plan: &Plan<'_>) -> usize {
    let parameters = plan.parameters();
    let base = parameters.q().iter().next().expect("a plan has a prime");
    packed_bytes(1 << parameters.log_n(), base.ilog2() + 1)
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
    let context = Context::new(parameters, &mut tables).expect("the plan is for words of 32 bits");
    let mut encoder_table = vec![0.0; memory.encoder_f64s];
    let encoder = Encoder::new(log_n, &mut encoder_table).expect("the plan's ring degree is in range");
    let encoded = encoded(plan, &context, &encoder);

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
        "/// Primes of the modulus chain.\npub const PRIMES: usize = {};",
        primes.len()
    ));
    line(format!(
        "/// Bytes of a packed limb of q_0.\npub const LIMB_BYTES: usize = {};",
        limb_bytes(plan)
    ));
    line(format!(
        "/// Words of the executor's arena.\npub const ARENA_WORDS: usize = {};",
        memory.least_arena_words
    ));
    line(format!("pub(super) static TABLES: [u32; {}] = {tables:?};", tables.len()));
    line(format!(
        "pub(super) static ENCODER: [f64; {}] = {encoder_table:?};",
        encoder_table.len()
    ));
    line(format!(
        "/// Index, level and basis (qp?) of each constant that is encoded, and its limbs.\n\
         pub(super) static ENCODED: [(usize, u8, bool, &[u32]); {}] = [",
        encoded.len()
    ));
    for (constant, level, qp, limbs) in &encoded {
        line(format!("    ({constant}, {level}, {qp}, &{limbs:?}),"));
    }
    line("];".into());
    line(format!("pub(super) static ROOTS: [u32; {}] = {roots:?};", roots.len()));
    line(format!("pub(super) static FACTORS: [i32; {}] = {factors:?};", factors.len()));
    text
}

/// The constants of the plan as the instructions want them: index, level, whether in basis qp, and limbs.
fn encoded(
    plan: &Plan<'_>,
    context: &Context<'_, u32>,
    encoder: &Encoder<'_>,
) -> Vec<(u32, u8, bool, Vec<u32>)> {
    let mut wanted = BTreeSet::new();
    for instruction in plan
        .instructions()
        .filter(|instruction| instruction.op == Op::Encode)
    {
        wanted.insert((
            instruction.a,
            instruction.level,
            instruction.basis() == plan::Basis::Qp,
            instruction.compact(),
        ));
    }
    let encode = |(index, level, qp, compact): (u32, u8, bool, u8)| {
        let slots = encoder.slots() >> compact;
        let constant = plan
            .constant(index as usize)
            .expect("a parsed plan has its constants");
        let mut values = vec![0.0; 2 * slots];
        let (re, im) = values.split_at_mut(slots);
        constant.fill(re, im);
        let (basis, words) = match qp {
            true => (Basis::Qp, context.parameters.qp_words(level.into(), 0)),
            false => (Basis::Q, context.parameters.plaintext_words(level.into())),
        };
        let mut limbs = vec![0; words >> compact];
        encoder
            .encode_in_place(
                context,
                &mut values,
                constant.scale(),
                level.into(),
                basis,
                &mut limbs,
            )
            .expect("the compiler made constants that can be encoded");
        (index, level, qp, limbs)
    };
    wanted.into_iter().map(encode).collect()
}
