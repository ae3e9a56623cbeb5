//! What a public vector holds, and how attributes say it.

use std::sync::Arc;

use cipherloom_plan::{Fourier, MIN_COMPACT_WORDS, Repeat, fourier, period_of_boxes};

use crate::ir::{Attribute, Attributes, Builder, OpData};

/// log2 of the shortest runs of equal words that are worth it to be held once: a cache line.
const MIN_LOG_COMPACT: u32 = 3;

/// What a `slot.constant` holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Contents {
    /// One value on a box of slots, 0 elsewhere.
    Boxes {
        /// The value.
        value: f64,
        /// First slot.
        offset: u32,
        /// The progressions that make the box.
        dims: Vec<Repeat>,
    },
    /// These slots, repeated.
    Slots(Arc<[f64]>),
    /// A diagonal of a Fourier transform: complex, described and made where it is encoded.
    Diagonal(Diagonal),
}

/// A diagonal of a product of stages of the special Fourier transform, times a factor, turned right by `shift` slots; its
/// definition is that of [`cipherloom_plan::fourier`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diagonal {
    /// log2 of the slots that are transformed.
    pub log_slots: u32,
    /// Stages before the product.
    pub first: u32,
    /// Its last stage.
    pub last: u32,
    /// Whether the inverse is meant.
    pub inverse: bool,
    /// Which diagonal: column less row.
    pub diagonal: i64,
    /// Slots by which it is turned right.
    pub shift: i64,
    /// What it is multiplied by.
    pub factor: f64,
}

impl From<Diagonal> for Fourier {
    fn from(diagonal: Diagonal) -> Self {
        Self {
            log_slots: diagonal.log_slots as u8,
            first: diagonal.first as u8,
            last: diagonal.last as u8,
            inverse: diagonal.inverse,
            diagonal: diagonal.diagonal as i32,
            shift: diagonal.shift as i32,
            factor: diagonal.factor,
        }
    }
}

impl Diagonal {
    /// The attributes that say which stages are meant, without the diagonal.
    pub fn stage_attributes(&self) -> Attributes {
        let mut attributes = Builder::attributes([
            ("log_slots", self.log_slots.into()),
            ("first", self.first.into()),
            ("last", self.last.into()),
            ("factor", self.factor.into()),
        ]);
        attributes.insert("inverse", self.inverse.into());
        attributes
    }

    /// Reads the attributes of a `slot.transform`, or of a constant.
    pub fn of(op: &OpData) -> Self {
        let int = |name: &str| op.int(name).unwrap_or(0);
        Self {
            log_slots: int("log_slots") as u32,
            first: int("first") as u32,
            last: int("last") as u32,
            inverse: op.flag("inverse"),
            diagonal: int("diagonal"),
            shift: int("shift"),
            factor: op.float("factor").unwrap_or(1.0),
        }
    }

    /// Mean square of the slots: a row has an entry on 2^(last − first) of the diagonals that there are.
    pub fn mean_square(&self) -> f64 {
        let bits = self.last - self.first;
        let stages = f64::from(bits);
        let modulus = if self.inverse { 2f64.powf(-stages) } else { 1.0 };
        let stride = 1i64 << self.first;
        let steps = self.diagonal / stride;
        // The bits of row and column that differ: of 2^bits rows, those that leave the block at neither end.
        let whole = self.last == self.log_slots;
        let rows = if whole {
            1 << bits
        } else {
            (1 << bits) - steps.abs().min(1 << bits)
        };
        (self.factor * modulus).powi(2) * rows as f64 / 2f64.powf(stages)
    }
}

impl Contents {
    /// The contents of a `slot.constant`.
    pub fn of(op: &OpData) -> Self {
        if let Some(Attribute::Floats(values)) = op.attributes.get("values") {
            return Self::Slots(values.clone());
        }
        if op.attributes.contains_key("diagonal") {
            return Self::Diagonal(Diagonal::of(op));
        }
        let dims = op.ints("counts").iter().zip(op.ints("strides"));
        Self::Boxes {
            value: op.float("value").unwrap_or(0.0),
            offset: op.int("offset").unwrap_or(0) as u32,
            dims: dims
                .map(|(&count, &stride)| Repeat {
                    count: count as u32,
                    stride: stride as u32,
                })
                .collect(),
        }
    }

    /// The attributes of a `slot.constant` or `ckks.encode` that holds them.
    pub fn attributes(&self) -> Attributes {
        match self {
            Self::Slots(values) => Builder::attributes([("values", values.clone().into())]),
            Self::Diagonal(diagonal) => {
                let mut attributes = diagonal.stage_attributes();
                attributes.insert("diagonal", diagonal.diagonal.into());
                attributes.insert("shift", diagonal.shift.into());
                attributes
            }
            Self::Boxes { value, offset, dims } => Builder::attributes([
                ("value", (*value).into()),
                ("offset", (*offset).into()),
                (
                    "counts",
                    dims.iter()
                        .map(|dim| i64::from(dim.count))
                        .collect::<Vec<_>>()
                        .into(),
                ),
                (
                    "strides",
                    dims.iter()
                        .map(|dim| i64::from(dim.stride))
                        .collect::<Vec<_>>()
                        .into(),
                ),
            ]),
        }
    }

    /// The same multiplied by a number.
    pub fn scaled(&self, factor: f64) -> Self {
        match self {
            Self::Slots(values) => Self::Slots(values.iter().map(|value| value * factor).collect()),
            Self::Diagonal(diagonal) => Self::Diagonal(Diagonal {
                factor: diagonal.factor * factor,
                ..*diagonal
            }),
            Self::Boxes { value, offset, dims } => Self::Boxes {
                value: value * factor,
                offset: *offset,
                dims: dims.clone(),
            },
        }
    }

    /// log2 of how many equal words in a row of its plaintext one word is to stand for, at ring degree 2^`log_n`.
    pub fn compact(&self, log_n: u32) -> u32 {
        let slots = 1u32 << (log_n - 1);
        let period = match self {
            Self::Boxes { dims, .. } => period_of_boxes(slots, || dims.iter().copied()),
            Self::Slots(values) => values.len() as u32,
            Self::Diagonal(diagonal) => Fourier::from(*diagonal).period(),
        };
        let log = (slots / period.max(MIN_COMPACT_WORDS / 2))
            .checked_ilog2()
            .unwrap_or(0);
        if log < MIN_LOG_COMPACT { 0 } else { log }
    }

    /// Every slot, written out: the real parts.
    pub fn expand(&self, slots: usize) -> Vec<f64> {
        match self {
            Self::Slots(values) => values.iter().copied().cycle().take(slots).collect(),
            Self::Diagonal(diagonal) => {
                let described = Fourier::from(*diagonal);
                let period = 1usize << diagonal.log_slots;
                (0..slots)
                    .map(|slot| fourier::entry(&described, (slot % period) as u32).0)
                    .collect()
            }
            Self::Boxes { value, offset, dims } => {
                let mut places = vec![*offset as usize];
                for dim in dims {
                    places = places
                        .into_iter()
                        .flat_map(|place| (0..dim.count).map(move |k| place + (k * dim.stride) as usize))
                        .collect();
                }
                let mut vector = vec![0.0; slots];
                for place in places {
                    vector[place % slots] = *value;
                }
                vector
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_that_repeat_are_compact() {
        let log_n = 16;
        let stored = |count: usize| Contents::Slots(vec![1.0; count].into()).compact(log_n);
        // Runs of less than 8 words are not worth it, and a limb keeps 32 words.
        assert_eq!([1 << 15, 1 << 13, 1 << 12, 8, 1].map(stored), [0, 0, 3, 11, 11]);
        let diagonal = |last| {
            Contents::Diagonal(Diagonal {
                log_slots: 15,
                first: last - 3,
                last,
                inverse: true,
                diagonal: 1 << (last - 1),
                shift: 0,
                factor: 1.0,
            })
        };
        // Radix 8 at 2^15 slots: all matrices but one.
        assert_eq!(
            [3, 6, 9, 12, 15].map(|last| diagonal(last).compact(log_n)),
            [11, 9, 6, 3, 0]
        );
        // Blocks of three of 64 slots, everywhere and in the first half.
        let mask = |count| Contents::Boxes {
            value: 0.5,
            offset: 1,
            dims: vec![Repeat { count: 3, stride: 1 }, Repeat { count, stride: 64 }],
        };
        assert_eq!([512, 256].map(|count| mask(count).compact(log_n)), [9, 0]);
    }
}
