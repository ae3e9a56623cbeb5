//! Parts of an axis: a tensor that goes on in a number, and the part of a tensor that is handed out. Axis and part share a place,
//! so that elements stay where they are.

use super::super::axes::Axis;
use super::{Atom, Lane, Packer};
use crate::dialect::slot::Contents;

impl Packer<'_> {
    /// The tensor, which ends where `part` does, with `number` from there to the end of `whole`. Tiles that hold nothing but the
    /// number are public, which is why it may be no part of both real and imaginary parts there.
    pub fn continued(&mut self, atom: &Atom, part: Axis, whole: Axis, number: f64) -> Atom {
        let place = self.axes.place[whole];
        let atom = if self.must_clear(atom, part) {
            self.mask(atom, 1.0)
        } else {
            atom.clone()
        };
        let lanes = renamed(&atom.lanes, part, whole);
        let paired = lanes.iter().find_map(|lane| match lane {
            Lane::Paired(axis) => Some(*axis),
            _ => None,
        });
        let apart = |lane: &Lane| lane.axis().map_or(*lane, Lane::Along);
        let apart: Vec<Lane> = lanes.iter().map(apart).collect();
        let block = self.frame.places[place].block;
        let own_tiles = self.grid(&atom.lanes)[place];
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|position| {
                // What goes on in the real part of a tile, or the imaginary one.
                let rest = |half: u32| {
                    let mut position = position.clone();
                    if let Some(axis) = paired {
                        let own = &mut position[self.axes.place[axis]];
                        *own = 2 * *own + half;
                        if *own >= self.frame.tiles(self.axes, axis) {
                            return None;
                        }
                    }
                    let start = position[place] * block;
                    let end = self.axes.extents[whole].min(start + block);
                    let first = self.axes.extents[part].max(start);
                    let count = end.checked_sub(first).filter(|&count| count > 0)?;
                    let rest = self.stretch(&apart, &position, place, first - start, count);
                    Some(rest.scaled(number))
                };
                let (real, imaginary) = (rest(0), paired.and_then(|_| rest(1)));
                let own = (position[place] < own_tiles).then(|| self.tile(&atom, &position));
                let mut tile = match (own, real) {
                    (Some(tile), Some(real)) => self.vectors.add_plain(tile, &real),
                    (Some(tile), None) => tile,
                    (None, real) => {
                        return self
                            .vectors
                            .constant(&real.unwrap_or(Contents::Slots([0.0].into())));
                    }
                };
                if let Some(imaginary) = imaginary {
                    let turned = self.vectors.mul_i(tile, -1);
                    let sum = self.vectors.add_plain(turned, &imaginary);
                    tile = self.vectors.mul_i(sum, 1);
                }
                tile
            })
            .collect();
        Atom {
            lanes,
            clean: true,
            tiles,
        }
    }

    /// The elements of a tensor along `whole` from `start` on, as many as `part` has: from the first one on, or a single one.
    pub fn part(&mut self, atom: &Atom, whole: Axis, part: Axis, start: u32) -> Option<Atom> {
        let place = self.axes.place[whole];
        if atom.lanes[place] != Lane::Along(whole) {
            return Some(atom.clone());
        }
        let stack = atom.lanes.iter().position(|&lane| lane == Lane::Stack(whole));
        let block = self.frame.places[place].block;
        let (mut lanes, mut tile, mut turn) = (renamed(&atom.lanes, whole, part), 0, 0);
        if self.axes.extents[part] == 1 {
            let blocks = self.stacked(&atom.lanes, whole);
            tile = start / block / blocks;
            for (place, index) in [(Some(place), start % block), (stack, start / block % blocks)] {
                let Some(place) = place else { continue };
                let frame = self.frame.places[place];
                turn += i64::from(index * frame.stride);
                lanes[place] = if frame.block > 1 {
                    Lane::Partial
                } else {
                    Lane::Same
                };
            }
        } else if start > 0 {
            return None;
        }
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|mut position| {
                position[place] += tile;
                let whole = self.tile(atom, &position);
                self.turned(whole, turn)
            });
        Some(Atom {
            tiles: tiles.collect(),
            lanes,
            clean: false,
        })
    }
}

/// The lanes with one axis in the place of another.
fn renamed(lanes: &[Lane], from: Axis, to: Axis) -> Vec<Lane> {
    let renamed = lanes.iter().map(|&lane| match lane {
        Lane::Along(axis) if axis == from => Lane::Along(to),
        Lane::Paired(axis) if axis == from => Lane::Paired(to),
        Lane::Stack(axis) if axis == from => Lane::Stack(to),
        lane => lane,
    });
    renamed.collect()
}
