//! What the programs share: the board, the embedded plan, files of ciphertexts.
#![no_std]

pub mod board;
pub mod container;
pub mod embedded;
pub mod sensor;
