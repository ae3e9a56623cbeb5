//! A tensor as it stands in tiles, and the frame's arithmetic on such tensors.

mod pair;
mod part;
mod plain;
mod region;
mod roll;
mod stack;

use super::axes::{Axes, Axis};
use super::frame::{Frame, bits};
use crate::dialect::slot::Vectors;
use crate::ir::Value;

pub use region::Region;

/// How a tensor uses one place of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Its index along this axis, within a block; the next block is the imaginary part of the slots.
    Paired(Axis),
    /// Its index along this axis, within a block.
    Along(Axis),
    /// The number of a block of this axis, which lies along its own place: blocks that would be tiles share one.
    Stack(Axis),
    /// The same value at every index.
    Same,
    /// The value at index 0, zero at the others.
    First,
    /// The value at index 0, anything at the others: what a sum along a place that is not cyclic leaves.
    Partial,
}

impl Lane {
    /// Whether values differ along the place.
    pub fn varies(self) -> bool {
        matches!(self, Self::Paired(_) | Self::Along(_) | Self::Stack(_))
    }

    /// The axis whose index within a block it is.
    pub fn axis(self) -> Option<Axis> {
        match self {
            Self::Paired(axis) | Self::Along(axis) => Some(axis),
            _ => None,
        }
    }
}

/// A tensor in tiles.
#[derive(Clone, Debug)]
pub struct Atom {
    /// One for each place.
    pub lanes: Vec<Lane>,
    /// Whether indices beyond an axis' extent hold zero.
    pub clean: bool,
    /// Row-major over the tiles of the places that lie along an axis.
    pub tiles: Vec<Value>,
}

/// How many bits of a sum of rotations share one decomposition: 1, 2 or 3, for rotations by 1, 3 or 7 amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Radix {
    /// Sums that turn round the whole vector.
    pub cyclic: u32,
    /// Sums within a block.
    pub sums: u32,
    /// Copies of index 0 to its block.
    pub spreads: u32,
}

/// Builds slot operations on tensors in a frame.
pub struct Packer<'a> {
    /// Axes of the tensor graph.
    pub axes: &'a Axes,
    /// Where they lie.
    pub frame: &'a Frame,
    /// How rotations are summed.
    pub radix: Radix,
    /// The graph being built.
    pub vectors: Vectors,
}

impl Packer<'_> {
    /// Tiles along each place.
    pub fn grid(&self, lanes: &[Lane]) -> Vec<u32> {
        lanes
            .iter()
            .map(|lane| match lane.axis() {
                Some(axis) => self
                    .frame
                    .tiles(self.axes, axis)
                    .div_ceil(self.stacked(lanes, axis)),
                None => 1,
            })
            .collect()
    }

    /// Most blocks of an axis that share a tile.
    pub fn stacked(&self, lanes: &[Lane], axis: Axis) -> u32 {
        if lanes.contains(&Lane::Paired(axis)) {
            return 2;
        }
        let place = lanes.iter().position(|&lane| lane == Lane::Stack(axis));
        place.map_or(1, |place| self.frame.places[place].block)
    }

    /// Position of every tile of a grid, in order.
    pub fn positions(grid: &[u32]) -> Vec<Vec<u32>> {
        grid.iter().fold(vec![Vec::new()], |positions, &count| {
            positions
                .into_iter()
                .flat_map(|position: Vec<u32>| {
                    (0..count).map(move |next| position.iter().copied().chain([next]).collect())
                })
                .collect()
        })
    }

    /// The tile of an atom that belongs to a position of a grid at least as fine.
    pub fn tile(&self, atom: &Atom, position: &[u32]) -> Value {
        let grid = self.grid(&atom.lanes);
        let index = grid.iter().zip(position).fold(0, |index, (&count, &at)| {
            index * count + if count == 1 { 0 } else { at }
        });
        atom.tiles[index as usize]
    }

    /// The atom's depth.
    pub fn depth(&self, atom: &Atom) -> u32 {
        atom.tiles
            .iter()
            .map(|&tile| self.vectors.depth(tile))
            .max()
            .unwrap_or(0)
    }

    /// Multiplies the slots that hold elements by `factor` and all others by zero.
    pub fn mask(&mut self, atom: &Atom, factor: f64) -> Atom {
        let lanes: Vec<Lane> = atom
            .lanes
            .iter()
            .map(|&lane| if lane == Lane::Partial { Lane::First } else { lane })
            .collect();
        let tiles = Self::positions(&self.grid(&lanes))
            .iter()
            .zip(&atom.tiles)
            .map(|(position, &tile)| match self.region(&lanes, position) {
                Region::All(_) => self.vectors.mul_scalar(tile, factor),
                region => self.vectors.mul_plain(tile, &region.contents(factor, 0)),
            })
            .collect();
        Atom {
            lanes,
            clean: true,
            tiles,
        }
    }

    /// Multiplies by a number.
    pub fn scale(&mut self, atom: &Atom, factor: f64) -> Atom {
        let tiles = atom
            .tiles
            .iter()
            .map(|&tile| self.vectors.mul_scalar(tile, factor))
            .collect();
        Atom {
            tiles,
            ..atom.clone()
        }
    }

    /// Copies the value at index 0 to all indices, in every place where `wanted` does not leave it there.
    pub fn spread(&mut self, atom: &Atom, wanted: &[Lane]) -> Atom {
        let spreads = |lane: Lane, wanted: Lane| {
            matches!(lane, Lane::First | Lane::Partial) && (wanted.varies() || wanted == Lane::Same)
        };
        if !atom
            .lanes
            .iter()
            .zip(wanted)
            .any(|(&lane, &wanted)| spreads(lane, wanted))
        {
            return atom.clone();
        }
        let mut atom = if atom.lanes.contains(&Lane::Partial) {
            self.mask(atom, 1.0)
        } else {
            atom.clone()
        };
        for (place, &wanted) in wanted.iter().enumerate() {
            if spreads(atom.lanes[place], wanted) {
                let frame = self.frame.places[place];
                for tile in &mut atom.tiles {
                    *tile = self.rotations(
                        *tile,
                        -i64::from(frame.stride),
                        0,
                        bits(frame.block),
                        self.radix.spreads,
                        true,
                    );
                }
                atom.lanes[place] = Lane::Same;
            }
        }
        atom
    }

    /// Sum of 2^`count` rotations, `radix` bits at a time: by the multiples of `stride` from 0 on, where bit b of `index` is set by
    /// −2^b instead of 2^b. Of each group of 2^`count` indices that are `stride` apart that is the sum, taken to `index`; or, for a
    /// negative stride, what stands at `index` copied to the group.
    fn rotations(
        &mut self,
        mut value: Value,
        stride: i64,
        index: u32,
        count: u32,
        radix: u32,
        disjoint: bool,
    ) -> Value {
        let step = |bit: u32| {
            let step = stride << bit;
            if index >> bit & 1 == 0 { step } else { -step }
        };
        let mut done = 0;
        while done < count {
            let now = radix.min(count - done);
            let by = (0..1u32 << now).map(|chosen| {
                let chosen = (0..now).filter(|bit| chosen >> bit & 1 == 1);
                chosen.map(|bit| step(done + bit)).sum()
            });
            value = self.vectors.sum_rotations(value, by.collect(), disjoint);
            done += now;
        }
        value
    }

    /// Combines two tensors tile by tile; values at index 0 are spread where the other lies along an axis.
    pub fn zip(
        &mut self,
        a: &Atom,
        b: &Atom,
        combine: fn(&mut Vectors, Value, Value) -> Value,
    ) -> (Vec<Lane>, Vec<Value>) {
        let lanes: Vec<Lane> = a.lanes.iter().zip(&b.lanes).map(|(&a, &b)| a.min(b)).collect();
        let (a, b) = (self.spread(a, &along(&lanes)), self.spread(b, &along(&lanes)));
        let tiles = Self::positions(&self.grid(&lanes))
            .iter()
            .map(|position| {
                let (a, b) = (self.tile(&a, position), self.tile(&b, position));
                combine(&mut self.vectors, a, b)
            })
            .collect();
        (lanes, tiles)
    }

    /// Product, element by element.
    pub fn mul(&mut self, a: &Atom, b: &Atom) -> Atom {
        let (_, tiles) = self.zip(a, b, Vectors::mul);
        // A zero in either factor is a zero of the product: First is stronger than Same, and than Partial.
        let lanes: Vec<Lane> = a
            .lanes
            .iter()
            .zip(&b.lanes)
            .map(|(&a, &b)| match (a, b) {
                (lane, _) | (_, lane) if lane.varies() => lane,
                (Lane::First, _) | (_, Lane::First) => Lane::First,
                (Lane::Partial, _) | (_, Lane::Partial) => Lane::Partial,
                _ => Lane::Same,
            })
            .collect();
        let clean = self.is_clear(a, &lanes) || self.is_clear(b, &lanes);
        Atom { lanes, clean, tiles }
    }

    /// Sum, or difference, of two tensors of the same element scale.
    pub fn add(&mut self, a: &Atom, b: &Atom, subtract: bool) -> Atom {
        let wanted: Vec<Lane> = a
            .lanes
            .iter()
            .zip(&b.lanes)
            .map(|(&a, &b)| match (a, b) {
                (lane, _) | (_, lane) if lane.varies() => lane,
                (Lane::Same, _) | (_, Lane::Same) => Lane::Same,
                (Lane::Partial, _) | (_, Lane::Partial) => Lane::Partial,
                _ => Lane::First,
            })
            .collect();
        let (mut a, mut b) = (self.spread(a, &wanted), self.spread(b, &wanted));
        match (self.is_clear(&a, &wanted), self.is_clear(&b, &wanted)) {
            (true, false) => b = self.clear_beside(&a, b, &wanted),
            (false, true) => a = self.clear_beside(&b, a, &wanted),
            _ => {}
        }
        let tiles = Self::positions(&self.grid(&wanted))
            .iter()
            .map(|position| {
                let (a, b) = (self.tile(&a, position), self.tile(&b, position));
                if subtract {
                    self.vectors.sub(a, b)
                } else {
                    self.vectors.add(a, b)
                }
            })
            .collect();
        let clean = self.is_clear(&a, &wanted) && self.is_clear(&b, &wanted);
        Atom {
            lanes: wanted,
            clean,
            tiles,
        }
    }

    /// A term of a sum, cleared beyond the extents of its lanes where that takes no level, as the other term is deeper: then the sum
    /// is clean, and so is what functions make of it.
    fn clear_beside(&mut self, deeper: &Atom, term: Atom, lanes: &[Lane]) -> Atom {
        if lanes.contains(&Lane::Partial) || self.depth(&term) >= self.depth(deeper) {
            return term;
        }
        self.mask(&self.widened(&term, lanes), 1.0)
    }

    /// The same with a tile for each that the lanes have.
    pub fn widened(&self, atom: &Atom, lanes: &[Lane]) -> Atom {
        let positions = Self::positions(&self.grid(lanes));
        Atom {
            lanes: lanes.to_vec(),
            clean: self.is_clear(atom, lanes),
            tiles: positions
                .iter()
                .map(|position| self.tile(atom, position))
                .collect(),
        }
    }

    /// Whether slots beyond the extent of an axis have to be cleared before a sum along it.
    pub fn must_clear(&self, atom: &Atom, axis: Axis) -> bool {
        let own = [Lane::Paired(axis), Lane::Along(axis), Lane::Stack(axis)];
        !atom.clean && own.iter().any(|&lane| self.pads(&atom.lanes, lane))
    }

    /// Whether a sum along an axis leaves the value at index 0 alone, and anything at the others.
    fn leaves_partial(&self, axis: Axis) -> bool {
        let place = self.axes.place[axis];
        !self.frame.is_cyclic(place) && self.frame.places[place].block > 1
    }

    /// Depth of the sum along axes once it stands at every index; or of its product with a factor that is the same along them, which
    /// is the mask where it is zero beyond index 0.
    pub fn depth_of_sum(&self, atom: &Atom, axes: &[Axis], factor: Option<&Atom>) -> u32 {
        let masks =
            |axis: Axis| factor.is_some_and(|factor| factor.lanes[self.axes.place[axis]] == Lane::First);
        let before = axes.iter().any(|&axis| self.must_clear(atom, axis));
        let after = axes.iter().any(|&axis| self.leaves_partial(axis) && !masks(axis));
        let sum = self.depth(atom) + u32::from(before);
        factor.map_or(sum, |factor| sum.max(self.depth(factor)) + 1) + u32::from(after)
    }

    /// Sum along an axis.
    pub fn sum(&mut self, atom: &Atom, axis: Axis) -> Atom {
        self.sum_towards(atom, axis, None)
    }

    /// Sum along an axis, left at the index that is the number of the tile's (first) block of another axis, if one is given and
    /// its place is not cyclic, and not at index 0.
    fn sum_towards(&mut self, atom: &Atom, axis: Axis, towards: Option<Axis>) -> Atom {
        let own = self.axes.place[axis];
        if atom.lanes[own].axis() != Some(axis) {
            // The tensor does not vary along the axis.
            return self.scale(atom, f64::from(self.axes.extents[axis]));
        }
        let atom = if self.must_clear(atom, axis) {
            self.mask(atom, 1.0)
        } else {
            atom.clone()
        };
        let blocks = self.frame.tiles(self.axes, axis);
        let count = self.grid(&atom.lanes)[own];
        let mut lanes = atom.lanes.clone();
        lanes[own] = Lane::Same;
        let mut tiles: Vec<Value> = Self::positions(&self.grid(&lanes))
            .iter()
            .map(|position| {
                let mut position = position.clone();
                let mut total = None;
                for tile in 0..count {
                    position[own] = tile;
                    let next = self.tile(&atom, &position);
                    total = Some(match total {
                        Some(total) => self.vectors.add(total, next),
                        None => next,
                    });
                }
                total.unwrap_or(atom.tiles[0])
            })
            .collect();
        let stack = atom.lanes.iter().position(|&lane| lane == Lane::Stack(axis));
        let summed = [(own, self.axes.extents[axis])].into_iter();
        for (place, extent) in summed.chain(stack.map(|stack| (stack, blocks))) {
            let frame = self.frame.places[place];
            let cyclic = self.frame.is_cyclic(place);
            let used = bits(extent.min(frame.block));
            let (count, radix) = if cyclic {
                (bits(frame.block), self.radix.cyclic)
            } else {
                (used, self.radix.sums)
            };
            let positions = Self::positions(&self.grid(&lanes));
            for (tile, position) in tiles.iter_mut().zip(positions) {
                let index = towards.filter(|_| place == own).map_or(0, |other| {
                    let blocks = self.stacked(&lanes, other);
                    position[self.axes.place[other]] * blocks % frame.block
                });
                *tile = self.rotations(*tile, i64::from(frame.stride), index, count, radix, false);
            }
            lanes[place] = match (cyclic || frame.block == 1, used) {
                (true, _) => Lane::Same,
                (false, 0) => Lane::First,
                _ => Lane::Partial,
            };
        }
        Atom {
            lanes,
            clean: atom.clean,
            tiles,
        }
    }
}

/// Leaves index 0 where it is unless the lane lies along an axis.
fn along(lanes: &[Lane]) -> Vec<Lane> {
    lanes
        .iter()
        .map(|&lane| if lane.varies() { lane } else { Lane::First })
        .collect()
}
