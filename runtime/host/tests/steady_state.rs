//! Once a run is going, it allocates nothing: a test of its own process, for it counts what the whole process allocates.
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe to implement; this one passes everything on"
)]

mod common;

use cipherloom_host::*;
use cipherloom_plan::Op;
use common::closed_loop::{data, plan_data};
use std::alloc::{GlobalAlloc, Layout, System};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// More than inputs are made ready ahead of, so that some are while the run goes on.
const STEPS: usize = 100;

/// Notes the count when each step ends.
struct Meter {
    counts: [usize; STEPS],
    steps: usize,
}

impl Progress for Meter {
    fn begin(&mut self, _what: &str, _total: u64) {}

    fn advance(&mut self, _by: u64) {
        self.counts[self.steps] = ALLOCATIONS.load(Ordering::Relaxed);
        self.steps += 1;
    }

    fn end(&mut self) {}
}

const THREADS: &str = "CIPHERLOOM_TEST_THREADS";

/// A run in a process of its own, so that no thread of another run begins or ends meanwhile.
#[test]
#[ignore = "another test starts it in a process of its own"]
fn a_run_that_is_metered() {
    let Ok(threads) = std::env::var(THREADS) else {
        return;
    };
    let threads = threads.parse().unwrap();
    let mut data_of_plan = plan_data("steady", true);
    data_of_plan.parameters.steps = STEPS as u32;
    let counts = data_of_plan.instructions.iter_mut().filter(|i| i.op == Op::Loop);
    counts.for_each(|counted| counted.a = STEPS as u32);
    let plan = PlanFile::from_bytes(data_of_plan.encode().unwrap()).unwrap();
    let secret = generate_seed().unwrap();
    let keys = generate_evaluation_keys(&plan, &secret, &mut Silent).unwrap();
    let inputs = encrypt_inputs(&plan, &secret, &data(), &mut Silent).unwrap();
    let mut meter = Meter {
        counts: [0; STEPS],
        steps: 0,
    };
    let options = RunOptions {
        threads,
        allow_toy: true,
    };
    run(&plan, &keys, &inputs, options, &mut meter).unwrap();
    assert_eq!(meter.steps, STEPS);
    // The first step makes room for states and results; the last count is taken when the outputs are made too.
    let within = &meter.counts[..STEPS - 1];
    let steps: Vec<usize> = within.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        steps.iter().all(|&count| count == 0),
        "allocations in each step from the second on: {steps:?}"
    );
}

#[test]
fn nothing_is_allocated_after_the_first_step() {
    for threads in [1, 2, 3] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_run_that_is_metered", "--ignored"])
            .env(THREADS, threads.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{threads} threads: {said}"
        );
    }
}
