//! Turns of an axis.

use cipherloom_plan::Repeat;

use super::super::axes::Axis;
use super::{Atom, Lane, Packer, Region};
use crate::dialect::slot::Contents;

impl Packer<'_> {
    /// Element i becomes element (i + by) mod extent of the axis: each stretch that comes from one place of one tile is turned there and
    /// masked out. One level, unless the axis fills a place that turns into itself.
    pub fn roll(&mut self, atom: &Atom, axis: Axis, by: u32) -> Atom {
        let place = self.axes.place[axis];
        if atom.lanes[place] != Lane::Along(axis) || by == 0 {
            return atom.clone();
        }
        let atom = &self.unstack(atom, axis, false);
        let (extent, frame) = (self.axes.extents[axis], self.frame.places[place]);
        let block = frame.block;
        if extent == block && self.frame.is_cyclic(place) {
            let turn = i64::from(by) * i64::from(frame.stride);
            let tiles = atom
                .tiles
                .iter()
                .map(|&tile| self.vectors.sum_rotations(tile, vec![turn], true))
                .collect();
            return Atom {
                tiles,
                ..atom.clone()
            };
        }
        let lanes: Vec<Lane> = atom
            .lanes
            .iter()
            .map(|&lane| if lane == Lane::Partial { Lane::First } else { lane })
            .collect();
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|position| {
                let end = ((position[place] + 1) * block).min(extent);
                let mut at = position[place] * block;
                let mut sum = None;
                while at < end {
                    let from = (at + by) % extent;
                    let tile = from / block;
                    let run = (end - at).min((tile + 1) * block - from).min(extent - from);
                    let mut source = position.clone();
                    source[place] = tile;
                    let mut value = self.tile(atom, &source);
                    let shift = i64::from(from % block) - i64::from(at % block);
                    if shift != 0 {
                        value =
                            self.vectors
                                .sum_rotations(value, vec![shift * i64::from(frame.stride)], true);
                    }
                    let stretch = self.stretch(&lanes, &position, place, at % block, run);
                    let part = self.vectors.mul_plain(value, &stretch);
                    sum = Some(match sum {
                        Some(sum) => self.vectors.add(sum, part),
                        None => part,
                    });
                    at += run;
                }
                sum.unwrap_or(atom.tiles[0])
            })
            .collect();
        Atom {
            lanes,
            clean: true,
            tiles,
        }
    }

    /// 1 on the elements of a tile whose index in `place` is one of `count` from `first` on.
    pub(super) fn stretch(
        &self,
        lanes: &[Lane],
        position: &[u32],
        place: usize,
        first: u32,
        count: u32,
    ) -> Contents {
        let frame = self.frame.places[place];
        let mut one = lanes.to_vec();
        one[place] = Lane::First;
        match self.region(&one, position) {
            Region::Slots(marks) => {
                let at = |slot: usize| slot as u32 / frame.stride % frame.block;
                let first_of = |slot: usize| slot - (at(slot) * frame.stride) as usize;
                let marked =
                    |slot: usize| (first..first + count).contains(&at(slot)) && marks[first_of(slot)];
                let slots = (0..marks.len()).map(|slot| f64::from(u8::from(marked(slot))));
                Contents::Slots(slots.collect())
            }
            region => {
                let mut dims = match region {
                    Region::Box(dims) => dims,
                    Region::All(count) => vec![Repeat { count, stride: 1 }],
                    Region::Slots(_) => Vec::new(),
                };
                if count > 1 {
                    dims.insert(
                        0,
                        Repeat {
                            count,
                            stride: frame.stride,
                        },
                    );
                }
                Contents::Boxes {
                    value: 1.0,
                    offset: first * frame.stride,
                    dims,
                }
            }
        }
    }
}
