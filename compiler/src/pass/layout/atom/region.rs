//! Which slots of a tile hold elements.

use cipherloom_plan::Repeat;

use super::super::axes::Axis;
use super::super::frame::Place;
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
    /// The same slots again, so often and so far apart; the slots and their copies are apart.
    pub fn repeated(self, by: Repeat) -> Self {
        match self {
            Self::Box(mut dims) if by.count > 1 => {
                dims.push(by);
                Self::Box(dims)
            }
            Self::Slots(marks) if by.count > 1 => {
                let len = marks.len();
                let first =
                    |slot: usize, copy: u32| (slot + len - copy as usize * by.stride as usize % len) % len;
                let is_marked = |slot| (0..by.count).any(|copy| marks[first(slot, copy)]);
                Self::Slots((0..len).map(is_marked).collect())
            }
            once => once,
        }
    }

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
                Contents::Slots(slots.into())
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
                Lane::Paired(axis) | Lane::Along(axis) => self.frame.padding(self.axes, axis) > 0,
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
    fn covers(&self, atom: &Atom, lanes: &[Lane]) -> bool {
        lanes
            .iter()
            .zip(&atom.lanes)
            .all(|(lane, own)| !lane.varies() || lane == own || !self.pads(lanes, *lane))
    }

    /// Whether an atom holds zero beyond the extents of these lanes.
    pub fn is_clear(&self, atom: &Atom, lanes: &[Lane]) -> bool {
        atom.clean && self.covers(atom, lanes)
    }

    /// Blocks of an axis in a tile, whose number along the axis is `tile`.
    fn blocks(&self, lanes: &[Lane], axis: Axis, tile: u32) -> u32 {
        let most = self.stacked(lanes, axis);
        (self.frame.tiles(self.axes, axis) - tile * most).min(most)
    }

    /// The element that each slot of a tile's period holds as its real part, told as its index along each axis of `lanes`, in their order;
    /// `None` if it holds none.
    pub(super) fn elements<T>(
        &self,
        lanes: &[Lane],
        position: &[u32],
        mut tell: impl FnMut(Option<&[u32]>) -> T,
    ) -> Vec<T> {
        let rules = self.rules(lanes, position);
        let mut indices = Vec::with_capacity(rules.len());
        let mut at_slot = |slot: u32| {
            indices.clear();
            for rule in &rules {
                match *rule {
                    Rule::Index {
                        first,
                        digits,
                        block,
                        extent,
                    } => {
                        let [inner, outer] = digits.map(|digit| digit.of(slot));
                        let index = first + outer * block + inner;
                        if index >= extent {
                            return tell(None);
                        }
                        indices.push(index);
                    }
                    Rule::First(digit) if digit.of(slot) > 0 => return tell(None),
                    Rule::First(_) => {}
                }
            }
            tell(Some(&indices))
        };
        (0..self.frame.period).map(&mut at_slot).collect()
    }

    fn rules(&self, lanes: &[Lane], position: &[u32]) -> Vec<Rule> {
        let digit = |place: usize| Digit::of_place(&self.frame.places[place]);
        let rule = |(place, (&lane, &tile)): (usize, (&Lane, &u32))| match lane {
            Lane::Paired(axis) | Lane::Along(axis) => {
                let stack = lanes.iter().position(|&other| other == Lane::Stack(axis));
                let block = self.frame.places[place].block;
                Some(Rule::Index {
                    first: tile * self.stacked(lanes, axis) * block,
                    digits: [digit(place), stack.map_or(Digit::ZERO, digit)],
                    block,
                    extent: self.axes.extents[axis],
                })
            }
            Lane::First | Lane::Partial => Some(Rule::First(digit(place))),
            Lane::Stack(_) | Lane::Same => None,
        };
        lanes.iter().zip(position).enumerate().filter_map(rule).collect()
    }

    /// The slots of a tile that hold elements. Where blocks are paired the imaginary parts hold no more.
    pub fn region(&self, lanes: &[Lane], position: &[u32]) -> Region {
        let mut full = true;
        let mut dims = Vec::new();
        for (place, (&lane, &tile)) in lanes.iter().zip(position).enumerate() {
            let frame = self.frame.places[place];
            let count = match lane {
                Lane::Paired(axis) | Lane::Along(axis) => {
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
        Region::Slots(self.elements(lanes, position, |element| element.is_some()))
    }
}

/// Some bits of a slot's number.
#[derive(Clone, Copy)]
struct Digit {
    shift: u32,
    mask: u32,
}

impl Digit {
    /// No bits.
    const ZERO: Self = Self { shift: 0, mask: 0 };

    fn of_place(place: &Place) -> Self {
        Self {
            shift: place.stride.trailing_zeros(),
            mask: place.block - 1,
        }
    }

    fn of(self, slot: u32) -> u32 {
        slot >> self.shift & self.mask
    }
}

/// What a lane says of the slots that hold elements.
enum Rule {
    /// The index along an axis is `first`, and the digit of its own place, and `block` times the digit of its stack.
    Index {
        first: u32,
        digits: [Digit; 2],
        block: u32,
        extent: u32,
    },
    /// This digit is 0.
    First(Digit),
}
