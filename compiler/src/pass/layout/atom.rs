//! A tensor as it stands in tiles, and the frame's arithmetic on such tensors.

mod plain;
mod roll;

use cipherloom_plan::Repeat;

use super::axes::{Axes, Axis};
use super::frame::{Frame, bits};
use crate::dialect::slot::{Contents, Vectors};
use crate::ir::Value;

/// How a tensor uses one place of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Its index along this axis.
    Along(Axis),
    /// The same value at every index.
    Same,
    /// The value at index 0, zero at the others.
    First,
    /// The value at index 0, anything at the others: what a sum along a place that is not cyclic leaves.
    Partial,
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
            .map(|lane| {
                if let Lane::Along(axis) = lane {
                    self.frame.tiles(self.axes, *axis)
                } else {
                    1
                }
            })
            .collect()
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

    /// Whether some axis of these lanes does not fill its tiles.
    pub fn is_padded(&self, lanes: &[Lane]) -> bool {
        lanes
            .iter()
            .any(|lane| matches!(lane, Lane::Along(axis) if self.frame.padding(self.axes, *axis) > 0))
    }

    /// Indices of a place that hold elements in a tile.
    fn used(&self, lane: Lane, tile: u32, place: usize) -> u32 {
        let block = self.frame.places[place].block;
        match lane {
            Lane::Along(axis) => (self.axes.extents[axis] - tile * block).min(block),
            Lane::Same => block,
            Lane::First | Lane::Partial => 1,
        }
    }

    /// The slots of a tile that hold elements: `None` if all do.
    pub fn region(&self, lanes: &[Lane], position: &[u32]) -> Option<Vec<Repeat>> {
        let mut full = true;
        let mut dims = Vec::new();
        for (place, (lane, &tile)) in lanes.iter().zip(position).enumerate() {
            let frame = self.frame.places[place];
            let count = self.used(*lane, tile, place);
            full &= count == frame.block;
            if count > 1 {
                dims.push(Repeat {
                    count,
                    stride: frame.stride,
                });
            }
        }
        dims.extend(self.frame.copies());
        (!full).then_some(dims)
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
                Some(dims) => self.vectors.mul_plain(
                    tile,
                    &Contents::Boxes {
                        value: factor,
                        offset: 0,
                        dims,
                    },
                ),
                None => self.vectors.mul_scalar(tile, factor),
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
            matches!(lane, Lane::First | Lane::Partial) && matches!(wanted, Lane::Along(_) | Lane::Same)
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

    /// Sum of 2^`count` rotations by multiples of `stride`, `radix` bits at a time.
    fn rotations(&mut self, mut value: Value, stride: i64, count: u32, radix: u32, disjoint: bool) -> Value {
        let mut done = 0;
        while done < count {
            let now = radix.min(count - done);
            let by = (0..1i64 << now).map(|k| (k * stride) << done).collect();
            value = self.vectors.sum_rotations(value, by, disjoint);
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
                (Lane::Along(axis), _) | (_, Lane::Along(axis)) => Lane::Along(axis),
                (Lane::First, _) | (_, Lane::First) => Lane::First,
                (Lane::Partial, _) | (_, Lane::Partial) => Lane::Partial,
                _ => Lane::Same,
            })
            .collect();
        let covers = |atom: &Atom| atom.clean && self.covers(atom, &lanes);
        let clean = covers(a) || covers(b);
        Atom { lanes, clean, tiles }
    }

    /// Whether the atom itself lies along every padded axis of `lanes`.
    pub fn covers(&self, atom: &Atom, lanes: &[Lane]) -> bool {
        lanes.iter().zip(&atom.lanes).all(|(lane, own)| match lane {
            Lane::Along(axis) => lane == own || self.frame.padding(self.axes, *axis) == 0,
            _ => true,
        })
    }

    /// Sum, or difference, of two tensors of the same element scale.
    pub fn add(&mut self, a: &Atom, b: &Atom, subtract: bool) -> Atom {
        let wanted: Vec<Lane> = a
            .lanes
            .iter()
            .zip(&b.lanes)
            .map(|(&a, &b)| match (a, b) {
                (Lane::Along(axis), _) | (_, Lane::Along(axis)) => Lane::Along(axis),
                (Lane::Same, _) | (_, Lane::Same) => Lane::Same,
                (Lane::Partial, _) | (_, Lane::Partial) => Lane::Partial,
                _ => Lane::First,
            })
            .collect();
        let (a, b) = (self.spread(a, &wanted), self.spread(b, &wanted));
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
        let clean = a.clean && b.clean && self.covers(&a, &wanted) && self.covers(&b, &wanted);
        Atom {
            lanes: wanted,
            clean,
            tiles,
        }
    }

    /// Sum along an axis.
    pub fn sum(&mut self, atom: &Atom, axis: Axis) -> Atom {
        let place = self.axes.place[axis];
        if atom.lanes[place] != Lane::Along(axis) {
            // The tensor does not vary along the axis.
            return self.scale(atom, f64::from(self.axes.extents[axis]));
        }
        let padded = self.frame.padding(self.axes, axis) > 0;
        let atom = if padded && !atom.clean {
            self.mask(atom, 1.0)
        } else {
            atom.clone()
        };
        let frame = self.frame.places[place];
        let cyclic = self.frame.is_cyclic(place);
        let used = bits(self.axes.extents[axis].min(frame.block));
        let mut lanes = atom.lanes.clone();
        lanes[place] = Lane::Same;
        let tiles = Self::positions(&self.grid(&lanes))
            .iter()
            .map(|position| {
                let mut position = position.clone();
                let mut total = None;
                for tile in 0..self.frame.tiles(self.axes, axis) {
                    position[place] = tile;
                    let next = self.tile(&atom, &position);
                    total = Some(match total {
                        Some(total) => self.vectors.add(total, next),
                        None => next,
                    });
                }
                total.unwrap_or(atom.tiles[0])
            })
            .collect::<Vec<_>>()
            .into_iter()
            .map(|total| {
                let (count, radix) = if cyclic {
                    (bits(frame.block), self.radix.cyclic)
                } else {
                    (used, self.radix.sums)
                };
                self.rotations(total, i64::from(frame.stride), count, radix, false)
            })
            .collect();
        lanes[place] = match (cyclic || frame.block == 1, used) {
            (true, _) => Lane::Same,
            (false, 0) => Lane::First,
            _ => Lane::Partial,
        };
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
        .map(|&lane| {
            if matches!(lane, Lane::Along(_)) {
                lane
            } else {
                Lane::First
            }
        })
        .collect()
}
