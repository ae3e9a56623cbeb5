//! Which slots of a tile hold elements.

use cipherloom_plan::Repeat;

use super::super::axes::Axis;
use super::{Atom, Lane, Packer};
use crate::dialect::slot::Contents;

/// Slots of a tile.
pub enum Region {
    /// Every slot, so many.
    All(u32),
    /// The slots Σ k_d·stride_d with k_d below count_d.
    Box(Vec<Repeat>),
    /// Those that are marked, of one period.
    Slots(Vec<bool>),
}

impl Region {
    /// A public vector of `value` on these slots moved up by `offset`, and 0 on all others.
    pub fn contents(&self, value: f64, offset: u32) -> Contents {
        match self {
            &Self::All(count) => Contents::Boxes {
                value,
                offset: 0,
                dims: vec![Repeat { count, stride: 1 }],
            },
            Self::Box(dims) => Contents::Boxes {
                value,
                offset,
                dims: dims.clone(),
            },
            Self::Slots(marks) => {
                let mut slots: Vec<f64> = marks.iter().map(|&mark| if mark { value } else { 0.0 }).collect();
                let turn = offset as usize % slots.len().max(1);
                slots.rotate_right(turn);
                Contents::Slots(slots)
            }
        }
    }
}

impl Packer<'_> {
    /// Whether some index of a lane holds no element: of an axis that does not fill its last block, or of blocks that do
    /// not fill their last tile.
    pub(super) fn pads(&self, lanes: &[Lane], lane: Lane) -> bool {
        lanes.contains(&lane)
            && match lane {
                Lane::Along(axis) => self.frame.padding(self.axes, axis) > 0,
                Lane::Stack(axis) => !self
                    .frame
                    .tiles(self.axes, axis)
                    .is_multiple_of(self.stacked(lanes, axis)),
                _ => false,
            }
    }

    /// Whether some axis of these lanes does not fill its tiles.
    pub fn is_padded(&self, lanes: &[Lane]) -> bool {
        lanes.iter().any(|&lane| self.pads(lanes, lane))
    }

    /// Whether the atom itself lies along every padded axis of `lanes`.
    pub fn covers(&self, atom: &Atom, lanes: &[Lane]) -> bool {
        lanes
            .iter()
            .zip(&atom.lanes)
            .all(|(lane, own)| !lane.varies() || lane == own || !self.pads(lanes, *lane))
    }

    /// Blocks of an axis in a tile, whose number along the axis is `tile`.
    fn blocks(&self, lanes: &[Lane], axis: Axis, tile: u32) -> u32 {
        let most = self.stacked(lanes, axis);
        (self.frame.tiles(self.axes, axis) - tile * most).min(most)
    }

    /// The element that a slot of a tile holds, told as its index along each axis; false if it holds none.
    pub(super) fn element(
        &self,
        lanes: &[Lane],
        position: &[u32],
        slot: u32,
        mut tell: impl FnMut(Axis, u32),
    ) -> bool {
        let at = |place: usize| slot / self.frame.places[place].stride % self.frame.places[place].block;
        for (place, (&lane, &tile)) in lanes.iter().zip(position).enumerate() {
            match lane {
                Lane::Along(axis) => {
                    let stack = lanes.iter().position(|&other| other == Lane::Stack(axis));
                    let block = tile * self.stacked(lanes, axis) + stack.map_or(0, at);
                    let index = block * self.frame.places[place].block + at(place);
                    if index >= self.axes.extents[axis] {
                        return false;
                    }
                    tell(axis, index);
                }
                Lane::First | Lane::Partial if at(place) > 0 => return false,
                _ => {}
            }
        }
        true
    }

    /// The slots of a tile that hold elements.
    pub fn region(&self, lanes: &[Lane], position: &[u32]) -> Region {
        let mut full = true;
        let mut dims = Vec::new();
        for (place, (&lane, &tile)) in lanes.iter().zip(position).enumerate() {
            let frame = self.frame.places[place];
            let count = match lane {
                Lane::Along(axis) => {
                    let first = tile * self.stacked(lanes, axis) * frame.block;
                    let left = self.axes.extents[axis] - first;
                    // Blocks that share a tile are all full, or else there is one block, or no box.
                    let blocks = self.blocks(lanes, axis, tile);
                    if blocks > 1 && left < blocks * frame.block {
                        return self.marked(lanes, position);
                    }
                    left.min(frame.block)
                }
                Lane::Stack(axis) => self.blocks(lanes, axis, position[self.axes.place[axis]]),
                Lane::Same => frame.block,
                Lane::First | Lane::Partial => 1,
            };
            full &= count == frame.block;
            if count > 1 {
                dims.push(Repeat {
                    count,
                    stride: frame.stride,
                });
            }
        }
        dims.extend(self.frame.copies());
        if full {
            Region::All(self.frame.slots)
        } else {
            Region::Box(dims)
        }
    }

    fn marked(&self, lanes: &[Lane], position: &[u32]) -> Region {
        let slots = 0..self.frame.period;
        Region::Slots(
            slots
                .map(|slot| self.element(lanes, position, slot, |_, _| {}))
                .collect(),
        )
    }
}
