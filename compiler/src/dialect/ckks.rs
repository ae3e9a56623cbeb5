//! Ciphertexts: every value is `ct<level, scale, degree, basis>`, an encoded plaintext `pt<level, scale, basis>`, or
//! `digits<level, scale>`, a ciphertext raised to its key-switching digits in basis qp. Operations stand one to one for
//! instructions of the plan.
//!
//! | operation | operand → result |
//! |---|---|
//! | `input{port, tile}` | → fresh ciphertext at the level of its first use |
//! | `encode` | → plaintext of a public vector, at the scale that makes the rescaled product canonical |
//! | `add` `sub` `neg` `add_plain` `add_scalar{values}` | same level and scale |
//! | `mul_plain` `mul_plain_acc` `mul_scalar{values, scale}` | scales multiply; `_acc` adds to its first operand |
//! | `mul_i` | product with the imaginary unit, free of noise and level |
//! | `mul` `mul_acc` `square` | two of degree 1 → degree 2, scales multiply |
//! | `relinearize` | degree 2 → degree 1 (one key switch) |
//! | `rescale` | level l → l − 1, scale divided by q_l |
//! | `drop` | level l → lower level, scale unchanged |
//! | `rotate{by}` | slots turn left by `by` (one key switch) |
//! | `decompose` | degree 1 → digits (mod-up), shared by every rotation of the ciphertext |
//! | `rotate_acc{by}` | digits, and a sum in basis qp if there is one → sum in basis qp |
//! | `lift_acc` | ciphertext in basis q, times P, added to a sum in basis qp |
//! | `mod_down` | basis qp → q, divided by P |
//! | `trivial` | plaintext → ciphertext that anyone can read: how a public first value enters a state |
//! | `output{port, tile}` `step` `end` `loop{count}` `yield` | as in [`slot`](super::slot) |
