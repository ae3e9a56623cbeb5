//! Plans within the memory of a server.

use super::*;

/// Softmax regression in epochs: several rotations, a bootstrap, and constants that stay encoded.
const HEAD: &str = "graph head {
    stream x: secret [12, 6] in [0, 1];
    stream y: secret [12, 3] one_hot;
    state w: secret [3, 6] in [-4, 4] = 0;
    train { step {
        minimize mean(cross_entropy(softmax(x @ transpose(w), range: 4), y)) over w with nesterov(rate: 1);
    } }
    output w;
}";

fn within(memory_bytes: u64) -> Compiled {
    let options = Options {
        steps: Some(4),
        closed_loop: true,
        log_n: Some(11),
        insecure_toy: true,
        precision: 1.0,
        memory_bytes,
        ..Options::default()
    };
    compile(&Source::new("head.loom", HEAD), &options).expect("compiles")
}

/// Bytes of keys, arena, tables and inputs.
fn needed(compiled: &Compiled) -> u64 {
    let plan = Plan::parse(&compiled.plan).expect("a plan");
    let memory = plan.memory();
    8 * (memory.key_words + memory.arena_words + memory.table_words + memory.encoder_f64s)
        + plan.estimates().input_bytes / 2
}

fn seconds(compiled: &Compiled) -> f64 {
    Plan::parse(&compiled.plan).expect("a plan").estimates().seconds
}

fn is_too_large(compiled: &Compiled) -> bool {
    compiled
        .warnings
        .iter()
        .any(|warning| warning.code == Code::MemoryLarge)
}

#[test]
fn the_fastest_plan_within_the_memory_is_taken() {
    let free = within(u64::MAX);
    assert!(!is_too_large(&free));
    let most = needed(&free);
    // All of its memory is enough, and gives the same plan.
    assert_eq!(within(most).plan, free.plan);
    for memory in [most - 1, most - most / 16] {
        let tight = within(memory);
        assert!(
            !is_too_large(&tight) && needed(&tight) <= memory,
            "{} of {memory}",
            needed(&tight)
        );
        assert!(seconds(&tight) >= seconds(&free));
        assert_eq!(within(memory).plan, tight.plan);
    }
}

#[test]
fn a_program_that_no_plan_makes_small_enough_is_remarked_upon() {
    let compiled = within(1 << 20);
    assert!(is_too_large(&compiled));
    assert!(needed(&compiled) < needed(&within(u64::MAX)));
}
