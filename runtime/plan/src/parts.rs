//! The parts of a plan that are more than a record: ports, constants and scalars.

use crate::format::{CONSTANT_BOXES, CONSTANT_FOURIER, ConstantRecord, PortRecord, ScalarRecord};
use crate::fourier::{self, Fourier};
use crate::layout::{LayoutView, for_each_repeat};
use crate::model::{MAX_REPEATS, PortKind, Repeat};
use crate::record::Table;
use crate::view::Plan;

/// Where one tensor comes in or goes out.
#[derive(Clone, Copy, Debug)]
pub struct PortView<'p> {
    record: PortRecord,
    plan: Plan<'p>,
}

impl<'p> PortView<'p> {
    pub(crate) fn new(record: PortRecord, plan: Plan<'p>) -> Self {
        PortView { record, plan }
    }

    /// The name in the source.
    pub fn name(&self) -> &'p str {
        let first = self.record.name_first as usize;
        self.plan
            .names
            .get(first..first + self.record.name_bytes as usize)
            .unwrap_or_default()
    }

    /// What it is for.
    pub fn kind(&self) -> PortKind {
        self.record.port_kind()
    }

    /// At most 4 dimensions; none for a scalar.
    pub fn shape(&self) -> &[u32] {
        self.record
            .shape
            .get(..usize::from(self.record.rank))
            .unwrap_or_default()
    }

    /// The number of values of the tensor.
    pub fn values(&self) -> usize {
        self.shape().iter().map(|&extent| extent as usize).product()
    }

    /// How the tensor lies in slots.
    pub fn layout(&self) -> LayoutView {
        let PortRecord {
            slots,
            tiles,
            rank,
            dims,
            factor,
            repeats_first,
            repeats_count,
            ..
        } = self.record;
        let repeats = self.plan.repeats.slice(repeats_first, repeats_count);
        LayoutView::new(
            slots,
            tiles,
            factor,
            dims.into_iter().take(usize::from(rank)),
            repeats.iter().flat_map(|repeats| repeats.iter()),
        )
    }

    /// The level of the ciphertexts.
    pub fn level(&self) -> u8 {
        self.record.level
    }

    /// The scale of the ciphertexts.
    pub fn scale(&self) -> f64 {
        self.record.scale
    }

    /// The smallest value declared.
    pub fn low(&self) -> f64 {
        self.record.low
    }

    /// The largest value declared.
    pub fn high(&self) -> f64 {
        self.record.high
    }

    /// Whether integer labels become one-hot rows.
    pub fn one_hot(&self) -> bool {
        self.record.one_hot != 0
    }

    /// The predicted error of a value: 0 for inputs, infinite if it is not known.
    pub fn error(&self) -> f64 {
        self.record.error
    }
}

/// A vector of public numbers.
#[derive(Clone, Copy, Debug)]
pub struct ConstantView<'p> {
    record: ConstantRecord,
    plan: Plan<'p>,
}

/// What a constant's slots hold.
#[derive(Clone, Copy, Debug)]
pub enum ConstantContents<'p> {
    /// `value` on the slots `offset + Σ k_d * stride_d` (k_d < count_d), 0 elsewhere.
    Boxes {
        /// The value.
        value: f64,
        /// The first slot.
        offset: u32,
        /// The progressions that combine; none for a single slot.
        dims: Table<'p, Repeat>,
    },
    /// Stored values, n of them with n a divisor of N/2, repeated.
    Slots {
        /// One per slot.
        values: Table<'p, f64>,
    },
    /// Complex numbers computed by [`fourier::entry`].
    Fourier(Fourier),
}

impl<'p> ConstantView<'p> {
    pub(crate) fn new(record: ConstantRecord, plan: Plan<'p>) -> Self {
        ConstantView { record, plan }
    }

    /// The scale at which it is encoded.
    pub fn scale(&self) -> f64 {
        self.record.scale
    }

    /// What its slots hold.
    pub fn contents(&self) -> ConstantContents<'p> {
        let ConstantRecord {
            kind,
            offset,
            first,
            count,
            value,
            ..
        } = self.record;
        if kind == CONSTANT_BOXES {
            let dims = self.plan.repeats.slice(first, count).unwrap_or(Table::new(&[]));
            ConstantContents::Boxes { value, offset, dims }
        } else if kind == CONSTANT_FOURIER {
            ConstantContents::Fourier(self.record.fourier())
        } else {
            ConstantContents::Slots {
                values: self.plan.values.slice(first, count).unwrap_or(Table::new(&[])),
            }
        }
    }

    /// The slots repeat after so many, a divisor of N/2.
    pub fn period(&self) -> u32 {
        match self.contents() {
            ConstantContents::Boxes { dims, .. } => {
                period_of_boxes(self.plan.parameters().slots(), || dims.iter())
            }
            ConstantContents::Slots { values } => values.len() as u32,
            ConstantContents::Fourier(fourier) => fourier.period(),
        }
    }

    /// Whether the slots hold complex numbers.
    pub fn is_complex(&self) -> bool {
        self.record.kind == CONSTANT_FOURIER
    }

    /// Writes the constant to all slots, real and imaginary parts apart (N/2 entries each; shorter slices get the first
    /// ones).
    pub fn fill(&self, re: &mut [f64], im: &mut [f64]) {
        match self.contents() {
            ConstantContents::Slots { values } => {
                for block in re.chunks_mut(values.len().max(1)) {
                    for (slot, value) in block.iter_mut().zip(values.iter()) {
                        *slot = value;
                    }
                }
                im.fill(0.0);
            }
            ConstantContents::Boxes { value, offset, dims } => {
                re.fill(0.0);
                im.fill(0.0);
                let dims: heapless::Vec<Repeat, MAX_REPEATS> = dims.iter().take(MAX_REPEATS).collect();
                for_each_repeat(&dims, offset, &mut |slot| {
                    if let Some(slot) = re.get_mut(slot as usize) {
                        *slot = value;
                    }
                });
            }
            ConstantContents::Fourier(description) => {
                let slots = 1 << description.log_slots;
                for (slot, (re, im)) in (0..slots).zip(re.iter_mut().zip(im.iter_mut())) {
                    (*re, *im) = fourier::entry(&description, slot);
                }
                repeat_first(re, slots as usize);
                repeat_first(im, slots as usize);
            }
        }
    }
}

/// After how many of all slots, a power of two, a constant of boxes repeats: a progression that ends where it would come
/// round again makes it repeat after one stride, and so on within that.
pub fn period_of_boxes<D: Iterator<Item = Repeat>>(slots: u32, dims: impl Fn() -> D) -> u32 {
    let mut period = slots;
    let comes_round = |period: u32| {
        dims().find(|dim| dim.count > 1 && u64::from(dim.count) * u64::from(dim.stride) == u64::from(period))
    };
    while let Some(dim) = comes_round(period) {
        period = dim.stride;
    }
    period
}

/// Repeats the first `count` values to the end.
fn repeat_first(values: &mut [f64], count: usize) {
    if let Some((first, rest)) = values.split_at_mut_checked(count) {
        for block in rest.chunks_mut(count.max(1)) {
            block.iter_mut().zip(&*first).for_each(|(to, from)| *to = *from);
        }
    }
}

/// A public number, perhaps one per training step.
#[derive(Clone, Copy, Debug)]
pub struct ScalarView<'p> {
    values: Table<'p, f64>,
    scale: f64,
}

impl<'p> ScalarView<'p> {
    pub(crate) fn new(record: ScalarRecord, values: Table<'p, f64>) -> Self {
        let values = values
            .slice(record.first, record.count)
            .unwrap_or(Table::new(&[]));
        ScalarView {
            values,
            scale: record.scale,
        }
    }

    /// Whether there is one value per training step.
    pub fn per_step(&self) -> bool {
        self.values.len() > 1
    }

    /// The value in training step `step` (counted from 0; the last value beyond the end).
    pub fn value(&self, step: u32) -> f64 {
        let last = self.values.len().saturating_sub(1);
        self.values.get(last.min(step as usize)).unwrap_or(0.0)
    }

    /// All values: one, or one per training step.
    pub fn values(&self) -> Table<'p, f64> {
        self.values
    }

    /// The scale: the value is used as the integer round(value × scale).
    pub fn scale(&self) -> f64 {
        self.scale
    }
}
