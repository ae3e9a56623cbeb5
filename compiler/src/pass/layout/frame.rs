//! Where the axes lie in the slots: one block of slot bits for each place.

use cipherloom_plan::Repeat;

use super::axes::{Axes, Axis};

/// A block of slot bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Slots between neighbours: a power of two.
    pub stride: u32,
    /// Indices side by side in one tile: a power of two.
    pub block: u32,
}

/// An assignment of slot bits to places. All vectors repeat with `period`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Slots of a vector, N/2.
    pub slots: u32,
    /// Product of all blocks; slot i and slot i + period hold the same.
    pub period: u32,
    /// One for each place of [`Axes`].
    pub places: Vec<Place>,
    /// Whether blocks of an axis share a tile where that is worth while.
    pub stacked: bool,
    /// The place along which inputs of products of matrices have two blocks in a tile, as real and imaginary part.
    pub paired: Option<usize>,
}

impl Frame {
    /// Every order of the places and every split of the slot bits: none wider than its largest axis, all together as
    /// wide as the axes or the vector allow.
    pub fn enumerate(axes: &Axes, slots: u32) -> Vec<Self> {
        let widest: Vec<u32> = axes.place_extents.iter().map(|&extent| bits(extent)).collect();
        let total = widest.iter().sum::<u32>().min(slots.trailing_zeros());
        let mut splits = vec![Vec::new()];
        for &most in &widest {
            splits = splits
                .into_iter()
                .flat_map(|split: Vec<u32>| {
                    (0..=most).map(move |bits| split.iter().copied().chain([bits]).collect())
                })
                .collect();
        }
        splits.retain(|split| split.iter().sum::<u32>() == total);
        let mut frames: Vec<Self> = Vec::new();
        for order in permutations(widest.len()) {
            for split in &splits {
                let mut places = vec![Place { stride: 1, block: 1 }; widest.len()];
                let mut stride = 1;
                for &place in &order {
                    places[place] = Place {
                        stride,
                        block: 1 << split[place],
                    };
                    stride <<= split[place];
                }
                // A place of one slot stands for all its positions.
                for place in &mut places {
                    if place.block == 1 {
                        place.stride = 1;
                    }
                }
                let frame = Self {
                    slots,
                    period: stride,
                    places,
                    stacked: false,
                    paired: None,
                };
                if !frames.contains(&frame) {
                    frames.push(frame);
                }
            }
        }
        frames
    }

    /// Whether the place covers the top bits of the period, so that rotations turn it into itself.
    pub fn is_cyclic(&self, place: usize) -> bool {
        self.places[place].stride * self.places[place].block == self.period
    }

    /// Tiles that an axis needs.
    pub fn tiles(&self, axes: &Axes, axis: Axis) -> u32 {
        axes.extents[axis].div_ceil(self.places[axes.place[axis]].block)
    }

    /// Slots of an axis beyond its extent in its last tile.
    pub fn padding(&self, axes: &Axes, axis: Axis) -> u32 {
        self.tiles(axes, axis) * self.places[axes.place[axis]].block - axes.extents[axis]
    }

    /// The copies of the period that fill a vector.
    pub fn copies(&self) -> Option<Repeat> {
        (self.period < self.slots).then_some(Repeat {
            count: self.slots / self.period,
            stride: self.period,
        })
    }

    /// As in `batch 256 fast, features 128 slow`, with axes named by their extents.
    pub fn describe(&self, axes: &Axes) -> String {
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|&place| (self.places[place].stride, self.places[place].block));
        let parts: Vec<String> = order
            .into_iter()
            .map(|place| format!("{} of {}", self.places[place].block, axes.place_extents[place]))
            .collect();
        let stacked = if self.stacked { ", stacked" } else { "" };
        let paired = self
            .paired
            .map(|place| format!(", {} paired", axes.place_extents[place]));
        parts.join(" × ") + stacked + &paired.unwrap_or_default()
    }
}

/// Bits that number `extent` things.
pub fn bits(extent: u32) -> u32 {
    extent.next_power_of_two().trailing_zeros()
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = vec![Vec::new()];
    for next in 0..count {
        all = all
            .into_iter()
            .flat_map(|order| {
                (0..=order.len()).map(move |position| {
                    let mut order = order.clone();
                    order.insert(position, next);
                    order
                })
            })
            .collect();
    }
    all.sort();
    all
}
