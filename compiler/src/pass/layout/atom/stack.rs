//! Blocks of an axis that share a tile: what is computed element by element then costs one ciphertext instead of many.
//!
//! A place that a tensor does not use holds the number of the block. Where the tensor is the same at every index of that place,
//! as a cyclic sum leaves it, a mask for each block is all that stacking takes; elsewhere blocks are turned to their index. Blocks
//! that are paired come out as the real parts of what is stacked, and blocks are paired before they are spread.
//!
//! Blocks that are taken apart again are spread over their place: as long as they share a tile, together, to as many groups of
//! indices as there is room for, and then each within its group.

use super::super::axes::Axis;
use super::super::frame::bits;
use super::{Atom, Lane, Packer};
use crate::ir::Value;
use cipherloom_plan::Repeat;

impl Packer<'_> {
    /// The tensor times a factor, with the blocks of an axis at the indices of `place`.
    pub fn stack(&mut self, atom: &Atom, axis: Axis, place: usize, factor: f64) -> Atom {
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
                    position[own] = if paired { block / 2 } else { block };
                    let tile = self.tile(atom, &position);
                    position[own] = block;
                    let offset = (block - first) * stride;
                    let moved = if is_ready {
                        self.turned(tile, -i64::from(offset))
                    } else if atom.lanes[place] == Lane::Same {
                        let mask = self.region(&single, &position).contents(factor, offset);
                        self.vectors.mul_plain(tile, &mask)
                    } else {
                        let mask = self.region(&single, &position).contents(factor, 0);
                        let masked = self.vectors.mul_plain(tile, &mask);
                        self.turned(masked, -i64::from(offset))
                    };
                    let sum = &mut sums[usize::from(paired && block % 2 == 1)];
                    *sum = Some(match *sum {
                        Some(sum) => self.vectors.add(sum, moved),
                        None => moved,
                    });
                }
                match sums {
                    [Some(even), Some(odd)] => self.minus_i(even, odd),
                    [sum, _] => sum.unwrap_or(atom.tiles[0]),
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
        let tiles = Self::positions(&self.grid(&single))
            .into_iter()
            .map(|position| {
                let (block, mut source) = (position[own], position.clone());
                source[own] = block / frame.block;
                let index = block % frame.block;
                let tile = self.tile(&atom, &source);
                let mask = self
                    .region(&single, &position)
                    .repeated(groups)
                    .contents(1.0, index * frame.stride);
                let masked = self.vectors.mul_plain(tile, &mask);
                // The blocks of a pair are spread from one index; all are the same where a spread turns round.
                let turns = paired && index % 2 == 1 && !self.frame.is_cyclic(place);
                self.turned(masked, if turns { i64::from(frame.stride) } else { 0 })
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
        self.rotations(tile, stride, bits(groups.count), radix, true)
    }

    /// A vector that holds values at one index of each group of 2^`count` indices of a place alone, copied to all of them: bit
    /// by bit, each towards the half that is empty, so that nothing leaves the group.
    fn spread_from(&mut self, mut tile: Value, place: usize, index: u32, count: u32) -> Value {
        let frame = self.frame.places[place];
        let cyclic = self.frame.is_cyclic(place);
        let radix = self.spread_radix(place);
        let step = |bit: u32| {
            let step = i64::from(frame.stride) << bit;
            if cyclic || index >> bit & 1 == 0 {
                -step
            } else {
                step
            }
        };
        let mut done = 0;
        while done < count {
            let now = radix.min(count - done);
            let by = (0..1u32 << now).map(|chosen| {
                let chosen = (0..now).filter(|bit| chosen >> bit & 1 == 1);
                chosen.map(|bit| step(done + bit)).sum()
            });
            tile = self.vectors.sum_rotations(tile, by.collect(), true);
            done += now;
        }
        tile
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
