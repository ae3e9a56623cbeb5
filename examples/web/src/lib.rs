//! The key holder as a WebAssembly module with plain exports: the page fills slots, calls a function, and reads a slot.
//!
//! | slot | holds |
//! |---|---|
//! | 0 | the plan |
//! | 1 | the file of the secret key |
//! | 2 | 64 random bytes, from `crypto.getRandomValues`, for one call |
//! | 3 | numbers to encrypt, as doubles; or the file of outputs to decrypt |
//! | 4 | the result: a file, doubles, or text |
//! | 5 | the file of the evaluation keys |
//!
//! Every function returns 0, or 1 and the reason in slot 4. The module imports nothing: it cannot reach the network.

mod client;
mod container;

use std::cell::RefCell;

use client::Result;
use zeroize::Zeroize;

const PLAN: usize = 0;
const SECRET_KEY: usize = 1;
const RANDOM: usize = 2;
const DATA: usize = 3;
const RESULT: usize = 4;
const EVALUATION_KEYS: usize = 5;

thread_local! {
    static SLOTS: RefCell<[Vec<u8>; 6]> = const { RefCell::new([const { Vec::new() }; 6]) };
}

/// Makes room for so many bytes in a slot, erasing what it held, and returns where to write them; 0 where there is no such slot.
#[unsafe(no_mangle)]
pub extern "C" fn room(slot: usize, bytes: usize) -> *const u8 {
    SLOTS.with_borrow_mut(|slots| match slots.get_mut(slot) {
        Some(slot) => {
            slot.zeroize();
            slot.resize(bytes, 0);
            slot.as_ptr()
        }
        None => core::ptr::null(),
    })
}

/// Where the bytes of a slot begin.
#[unsafe(no_mangle)]
pub extern "C" fn start(slot: usize) -> *const u8 {
    SLOTS.with_borrow(|slots| slots.get(slot).map_or(core::ptr::null(), Vec::as_ptr))
}

/// How many bytes a slot has.
#[unsafe(no_mangle)]
pub extern "C" fn length(slot: usize) -> usize {
    SLOTS.with_borrow(|slots| slots.get(slot).map_or(0, Vec::len))
}

/// Describes the ports of the plan as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn ports() -> u32 {
    call(|slots| Ok(client::ports(&client::plan(&slots[PLAN])?).into_bytes()))
}

/// Makes a secret key and the evaluation keys that belong to it.
#[unsafe(no_mangle)]
pub extern "C" fn keygen() -> u32 {
    call(|slots| {
        let plan = client::plan(&slots[PLAN])?;
        let [seed, entropy] = random(&slots[RANDOM])?;
        let evaluation_keys = client::evaluation_keys(&plan, &seed, &entropy)?;
        slots[SECRET_KEY] = client::secret_key(&plan, &seed);
        slots[EVALUATION_KEYS] = evaluation_keys;
        Ok(Vec::new())
    })
}

/// Encrypts numbers: for each port that is provided, how many there are, and they themselves.
#[unsafe(no_mangle)]
pub extern "C" fn encrypt() -> u32 {
    call(|slots| {
        let plan = client::plan(&slots[PLAN])?;
        let seed = client::read_secret_key(&plan, &slots[SECRET_KEY])?;
        let [entropy, _] = random(&slots[RANDOM])?;
        let data = slots[DATA]
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes));
        let data = zeroize::Zeroizing::new(data.collect::<Vec<_>>());
        client::encrypt(&plan, seed, &entropy, &data)
    })
}

/// Decrypts the outputs of a run: for each, how many numbers there are, and they themselves.
#[unsafe(no_mangle)]
pub extern "C" fn decrypt() -> u32 {
    call(|slots| {
        let plan = client::plan(&slots[PLAN])?;
        let seed = client::read_secret_key(&plan, &slots[SECRET_KEY])?;
        let values = client::decrypt_outputs(&plan, seed, &slots[DATA])?;
        Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect())
    })
}

/// Calls `body`, puts its result or the reason why there is none in its slot, and erases what was used up.
fn call(body: impl FnOnce(&mut [Vec<u8>; 6]) -> Result<Vec<u8>>) -> u32 {
    SLOTS.with_borrow_mut(|slots| {
        let result = body(slots);
        slots[RANDOM].zeroize();
        slots[DATA].zeroize();
        slots[RESULT].zeroize();
        let (code, bytes) = match result {
            Ok(bytes) => (0, bytes),
            Err(reason) => (1, reason.into_bytes()),
        };
        slots[RESULT] = bytes;
        code
    })
}

fn random(bytes: &[u8]) -> Result<[[u8; 32]; 2]> {
    match bytes.as_chunks() {
        ([first, second], []) if first != second => Ok([*first, *second]),
        _ => Err("64 random bytes are needed, new ones for every call".into()),
    }
}
