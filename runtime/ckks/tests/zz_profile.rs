#![allow(unsafe_code, missing_docs)]
mod common;
use cipherloom_ckks::*;
use common::*;
unsafe extern "C" { fn clock_gettime(id: i32, t: *mut [i64; 2]) -> i32; }
struct Instant(f64);
fn cpu() -> f64 { let mut t = [0i64; 2]; unsafe { clock_gettime(if cfg!(feature = "parallel") { 1 } else { 3 }, &mut t) }; t[0] as f64 + t[1] as f64 * 1e-9 }
impl Instant { fn now() -> Self { Self(cpu()) } fn elapsed(&self) -> std::time::Duration { std::time::Duration::from_secs_f64(cpu() - self.0) } }
fn aligned(len: usize) -> &'static mut [u64] {
    let memory = vec![1; len + 262144].leak();
    let skip = memory.as_ptr().align_offset(64);
    let memory = &mut memory[skip..skip + len];
    memory.fill(0);
    memory
}
#[test]
#[ignore]
fn profile() {
    const LOG_N: u32 = 16;
    const LEVEL: usize = 24;
    let mut q = primes(49, LOG_N, 0, LEVEL + 1 + 9);
    q.sort_unstable();
    let p = q.split_off(LEVEL + 1);
    let mut kit = Kit::<u64>::new(LOG_N, &q, &p, 9);
    let parameters = kit.parameters().clone();
    kit.ctx = Context::new(
        parameters.clone(),
        aligned(Context::<u64>::memory_words(&parameters)),
    )
    .unwrap();
    let scale = 2f64.powi(45);
    let x = kit.random_slots();
    let a0 = kit.encrypt(&x, scale, LEVEL);
    let a = aligned(a0.len());
    a.copy_from_slice(&a0);
    let element = kit.element(1);
    let k = kit.galois_key(element, LEVEL);
    let key = aligned(k.len());
    key.copy_from_slice(&k);
    let dst = aligned(a.len());
    let work = aligned(scratch::rotate_scratch(&parameters, LEVEL));
    let mut limb = a[..1 << LOG_N].to_vec();
    let mode = std::env::var("MODE").unwrap_or("rotate".into());
    let decomposed = aligned(parameters.decomposed_words(LEVEL));
    let acc = aligned(parameters.qp_words(LEVEL, 1));
    let product = aligned(parameters.ciphertext_words(LEVEL, 2));
    let reps: usize = std::env::var("REPS").map_or(60, |r| r.parse().unwrap());
    let mut best = f64::MAX;
    let mut ntt = f64::MAX;
    for _ in 0..reps {
        let t = Instant::now();
        match &mode[..] {
            "rotate" => switch::rotate(&kit.ctx, LEVEL, element, dst, a, key, LEVEL, work).unwrap(),
            "decompose" => switch::decompose(&kit.ctx, LEVEL, decomposed, a, work).unwrap(),
            "rotate_acc" => {
                switch::rotate_acc(&kit.ctx, LEVEL, element, key, LEVEL, acc, decomposed, true, work).unwrap()
            }
            "mod_down" => switch::mod_down(&kit.ctx, LEVEL, dst, acc, work).unwrap(),
            "mul" => {
                evaluate::mul(&kit.ctx, LEVEL, product, a, a).unwrap();
                let words = parameters.ciphertext_words(LEVEL - 1, 1);
                switch::relinearize_rescale(&kit.ctx, LEVEL, &mut dst[..words], product, key, LEVEL, work)
                    .unwrap();
            }
            "rescale" => {
                let words = parameters.ciphertext_words(LEVEL - 1, 1);
                evaluate::rescale(&kit.ctx, LEVEL, 1, &mut dst[..words], a, work).unwrap();
            }
            _ => panic!(),
        }
        best = best.min(t.elapsed().as_secs_f64() * 1e3);
        let t = Instant::now();
        for _ in 0..8 {
            kit.ctx.ring.ntt_forward(0, &mut limb);
        }
        ntt = ntt.min(t.elapsed().as_secs_f64() * 1e3 / 8.0);
    }
    println!("{mode} {best:.2} ms, ntt {ntt:.4} ms, ratio {:.0}", best / ntt);
}
