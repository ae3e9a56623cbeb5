//! Sizes of real plans: only on request (`cargo test --release -p cipherloom-host --test large --
//! --ignored --nocapture`).

mod common;

use cipherloom_host::*;
use cipherloom_plan::data::*;
use cipherloom_ring::automorphism::galois_element;
use cipherloom_ring::prime::primes_below;
use std::time::Instant;

/// N = 2^16, 28 ordinary and 10 special primes: keys of 120 MB each.
#[test]
#[ignore = "takes a gigabyte of memory"]
fn keys_of_a_large_ring_go_to_and_from_files_in_bounded_memory() {
    let mut data = common::plan_data("large");
    let primes: Vec<u64> = primes_below(1 << 45, 16).take(38).collect();
    data.parameters.log_n = 16;
    data.parameters.p = primes[..10].to_vec();
    data.parameters.q = primes[10..].to_vec();
    data.parameters.digit_limbs = 10;
    data.parameters.steps = 0;
    (data.ports, data.buffers, data.instructions, data.scalars) = (vec![], vec![], vec![], vec![]);
    let key = |by| Key {
        kind: KeyKind::Galois(galois_element(16, by)),
        level: 27,
        uses: 1,
    };
    data.keys = (1..=6).map(key).collect();
    let plan = PlanFile::from_bytes(data.encode().unwrap()).unwrap();
    let secret = generate_seed().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");

    let key_bytes = 8 * plan.plan().memory().key_words / 6;
    let tables = 8 * plan.plan().memory().table_words;
    let threads = rayon::current_num_threads() as u64;
    // A key in each thread with its scratch and its packed record, the tables, the secret, and some room.
    let working = threads * 2 * key_bytes + 2 * tables + (100 << 20);
    let timed = |what: &str, start: Instant| {
        println!(
            "{what}: {:.1} s, peak {} MB",
            start.elapsed().as_secs_f64(),
            peak_memory_bytes() >> 20
        );
    };
    let start = Instant::now();
    write_evaluation_keys(&path, &plan, &secret, &mut Silent).unwrap();
    timed("6 keys generated and written", start);
    assert!(peak_memory_bytes() < working, "{} bytes", peak_memory_bytes());
    let start = Instant::now();
    let keys = EvaluationKeys::read(&path, &plan, &mut Silent).unwrap();
    timed("6 keys read", start);
    // The mapped file counts as resident too; it is the smaller half of the keys.
    let file = std::fs::metadata(&path).unwrap().len();
    assert!(peak_memory_bytes() < keys.bytes() + file + working);
}
