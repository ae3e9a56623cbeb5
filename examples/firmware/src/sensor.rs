//! What is encrypted: readings of a sensor, as the input of the plan.

use cipherloom_runtime::ckks::stream::{Encoding, Slots};
use cipherloom_runtime::plan::PortView;

use crate::board::need;
use crate::embedded::LOG_N;

/// The readings of a ciphertext, in the slots where the plan wants them.
pub fn message<'m>(view: &PortView<'_>, tile: u32, work: &'m mut [u32]) -> Slots<'m> {
    let layout = view.layout();
    let factor = layout.factor();
    let bound = view.low().abs().max(view.high().abs()) * factor.abs();
    let mut message = need(Slots::new(LOG_N, bound, work), "memory");
    layout.for_each_slot(view.shape(), tile, |index, slot| {
        need(
            message.set(slot as usize, reading(index) * factor),
            "a reading is out of range",
        );
    });
    message
}

/// Scale and level of the input.
pub fn encoding(view: &PortView<'_>) -> Encoding {
    Encoding {
        scale: view.scale(),
        level: view.level().into(),
    }
}

/// Reading number `index`: fourteen bits of an analogue-to-digital converter, in [-1, 1).
fn reading(index: usize) -> f64 {
    let sample = (index * 2741 % (1 << 14)) as i32 - (1 << 13);
    f64::from(sample) * (1.0 / f64::from(1 << 13))
}
