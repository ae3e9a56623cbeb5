//! Blocks of an axis that share a tile: what is computed element by element then costs one ciphertext instead of many.
//!
//! A place that a tensor does not use holds the number of the block. Where the tensor is the same at every index of that place,
//! as a cyclic sum leaves it, a mask for each block is all that stacking takes, and where it was summed along that place the sum is
//! taken to the index that is wanted; elsewhere blocks are turned to their index. Blocks that are paired come out as the real
//! parts of what is stacked, and blocks are paired before they are spread.
//!
//! Blocks that are taken apart again are spread over their place: as long as they share a tile, together, to as many groups of
//! indices as there is room for, and then each within its group.

use std::collections::BTreeMap;

use super::super::axes::Axis;
use super::super::frame::bits;
use super::{Atom, Lane, Packer};
use crate::ir::Value;
use cipherloom_plan::Repeat;

impl Packer<'_> {
    /// The sum along an axis times a factor, with the blocks of another axis at the indices of `place`.
    pub fn sum_and_stack(
        &mut self,
        atom: &Atom,
        summed: Axis,
        axis: Axis,
        place: usize,
        factor: f64,
    ) -> Atom {
        let frame = self.frame.places[place];
        let blocks = self.frame.tiles(self.axes, axis).min(frame.block);
        let indices = self.axes.extents[summed].min(frame.block);
        // Each block has a tile of its own, with indices to be summed that one of is its number.
        let lands = [summed, axis]
            .iter()
            .all(|&axis| atom.lanes[self.axes.place[axis]].axis() == Some(axis))
            && self.axes.place[summed] == place
            && !self.frame.is_cyclic(place)
            && bits(blocks) <= bits(indices);
        let sum = self.sum_towards(atom, summed, lands.then_some(axis));
        self.stack(&sum, axis, place, factor, lands)
    }

    /// The tensor times a factor, with the blocks of an axis at the indices of `place`: moved there, unless each tile has its
    /// (first) block there already.
    pub fn stack(&mut self, atom: &Atom, axis: Axis, place: usize, factor: f64, lands: bool) -> Atom {
        let stride = self.frame.places[place].stride;
        let own = self.axes.place[axis];
        let paired = atom.lanes[own] == Lane::Paired(axis);
        // As it stands with one block in a tile.
        let single: Vec<Lane> = atom
            .lanes
            .iter()
            .enumerate()
            .map(|(at, &lane)| match lane {
                _ if at == own => Lane::Along(axis),
                Lane::Partial => Lane::First,
                _ if at == place => Lane::First,
                lane => lane,
            })
            .collect();
        let mut lanes = single.clone();
        lanes[place] = Lane::Stack(axis);
        let is_ready = factor == 1.0 && atom.lanes == single;
        let most = self.frame.places[place].block;
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|mut position| {
                let first = position[own] * most;
                let last = (first + most).min(self.frame.tiles(self.axes, axis));
                let mut sums: [Option<Value>; 2] = [None; 2];
                for block in first..last {
                    let is_odd = paired && block % 2 == 1;
                    position[own] = if paired { block / 2 } else { block };
                    let tile = self.tile(atom, &position);
                    position[own] = block;
                    let offset = (block - first) * stride;
                    let stands = match () {
                        () if lands => offset - u32::from(is_odd) * stride,
                        () if atom.lanes[place] == Lane::Same => offset,
                        () => 0,
                    };
                    let mut moved = tile;
                    if !is_ready {
                        let mask = self.region(&single, &position).contents(factor, stands);
                        moved = self.vectors.mul_plain(tile, &mask);
                    }
                    if !lands {
                        moved = self.turned(moved, i64::from(stands) - i64::from(offset));
                    }
                    let sum = &mut sums[usize::from(is_odd)];
                    *sum = Some(match *sum {
                        Some(sum) => self.vectors.add(sum, moved),
                        None => moved,
                    });
                }
                // The second blocks of all pairs go to their indices together.
                let odd = sums[1].map(|odd| self.turned(odd, if lands { -i64::from(stride) } else { 0 }));
                match (sums[0], odd) {
                    (Some(even), Some(odd)) => self.minus_i(even, odd),
                    (sum, _) => sum.unwrap_or(atom.tiles[0]),
                }
            })
            .collect();
        Atom {
            lanes,
            clean: !is_ready || atom.clean,
            tiles,
        }
    }

    /// The tensor with a tile for each block of an axis, or for each pair of them, the same at every index of the place that held
    /// their numbers.
    pub fn unstack(&mut self, atom: &Atom, axis: Axis, paired: bool) -> Atom {
        let Some(place) = atom.lanes.iter().position(|&lane| lane == Lane::Stack(axis)) else {
            return atom.clone();
        };
        let frame = self.frame.places[place];
        let own = self.axes.place[axis];
        let mut single: Vec<Lane> = atom
            .lanes
            .iter()
            .map(|&lane| if lane == Lane::Partial { Lane::First } else { lane })
            .collect();
        single[place] = Lane::First;
        let blocks = self.frame.tiles(self.axes, axis).min(frame.block);
        // A group of indices holds all blocks of a tile; their copies need the room to be empty.
        let group = if atom.clean {
            bits(blocks)
        } else {
            bits(frame.block)
        };
        let groups = Repeat {
            count: frame.block >> group,
            stride: frame.stride << group,
        };
        let mut atom = atom.clone();
        for tile in &mut atom.tiles {
            *tile = self.copies(*tile, place, groups);
        }
        let mut turned = BTreeMap::new();
        let tiles = Self::positions(&self.grid(&single))
            .into_iter()
            .map(|position| {
                let (block, mut source) = (position[own], position.clone());
                source[own] = block / frame.block;
                let index = block % frame.block;
                // The blocks of a pair are spread from one index; all are the same where a spread turns round.
                let turns = paired && index % 2 == 1 && !self.frame.is_cyclic(place);
                let mut tile = self.tile(&atom, &source);
                if turns {
                    // One turn serves the second blocks of all pairs.
                    let mut turn = |tile| self.turned(tile, i64::from(frame.stride));
                    tile = *turned.entry(tile).or_insert_with_key(|&tile| turn(tile));
                }
                let mask = self
                    .region(&single, &position)
                    .repeated(groups)
                    .contents(1.0, (index - u32::from(turns)) * frame.stride);
                self.vectors.mul_plain(tile, &mask)
            })
            .collect();
        let mut atom = Atom {
            lanes: single,
            clean: true,
            tiles,
        };
        if paired {
            atom = self.pair(&atom, axis);
        }
        let positions = Self::positions(&self.grid(&atom.lanes));
        let share = self.stacked(&atom.lanes, axis);
        for (tile, position) in atom.tiles.iter_mut().zip(positions) {
            *tile = self.spread_from(*tile, place, position[own] * share % frame.block, group);
        }
        atom.lanes[place] = Lane::Same;
        atom
    }

    /// Bits of a copy to other indices of a place that share a decomposition.
    fn spread_radix(&self, place: usize) -> u32 {
        if self.frame.is_cyclic(place) {
            self.radix.cyclic
        } else {
            self.radix.spreads
        }
    }

    /// What the first group of indices of a place holds, in all groups of it.
    fn copies(&mut self, tile: Value, place: usize, groups: Repeat) -> Value {
        let (stride, radix) = (-i64::from(groups.stride), self.spread_radix(place));
        self.rotations(tile, stride, 0, bits(groups.count), radix, true)
    }

    /// A vector that holds values at one index of each group of 2^`count` indices of a place alone, copied to all of them; nothing
    /// leaves the group unless the place is cyclic.
    fn spread_from(&mut self, tile: Value, place: usize, index: u32, count: u32) -> Value {
        let index = if self.frame.is_cyclic(place) { 0 } else { index };
        let stride = -i64::from(self.frame.places[place].stride);
        self.rotations(tile, stride, index, count, self.spread_radix(place), true)
    }

    /// Slot i takes the value of slot i + `by`.
    pub(super) fn turned(&mut self, tile: Value, by: i64) -> Value {
        if by == 0 {
            tile
        } else {
            self.vectors.sum_rotations(tile, vec![by], true)
        }
    }
}
