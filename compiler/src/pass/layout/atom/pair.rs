//! Two blocks of an axis as real and imaginary part of one tile: a product of matrices then takes half the products, key switches
//! and encrypted inputs.
//!
//! Let x_k be the blocks of an input along an axis, X_k = x_2k + i·x_(2k+1) its tiles, and w real. Where a product keeps the axis,
//! X_k·w holds the products of both blocks. Where it sums along it, as a gradient sums over the batch, the other factor is paired
//! to D_k = d_2k − i·d_(2k+1), and x_2k·d_2k + x_(2k+1)·d_(2k+1) is the real part of X_k·D_k. Sums, rotations and real masks do
//! not mix the parts, so real parts are taken once for everything that has been summed: a sum with the conjugate, which is one key
//! switch and doubles them.

use super::super::axes::Axis;
use super::{Atom, Lane, Packer, along};
use crate::ir::Value;

impl Atom {
    /// Whether imaginary parts hold elements.
    pub fn is_paired(&self) -> bool {
        self.lanes.iter().any(|lane| matches!(lane, Lane::Paired(_)))
    }
}

impl Packer<'_> {
    /// A real tensor as the factor of a paired one in a sum along the axis: odd blocks become negative imaginary parts.
    pub fn pair(&mut self, atom: &Atom, axis: Axis) -> Atom {
        let own = self.axes.place[axis];
        let mut lanes = atom.lanes.clone();
        lanes[own] = Lane::Paired(axis);
        let atom = self.spread(atom, &along(&lanes));
        let mut lanes = atom.lanes.clone();
        lanes[own] = Lane::Paired(axis);
        let blocks = self.frame.tiles(self.axes, axis);
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|mut position| {
                position[own] *= 2;
                let even = self.tile(&atom, &position);
                position[own] += 1;
                if position[own] == blocks {
                    return even;
                }
                let odd = self.tile(&atom, &position);
                self.minus_i(even, odd)
            })
            .collect();
        Atom {
            lanes,
            clean: atom.clean,
            tiles,
        }
    }

    /// Twice the real part of every tile, and twice the imaginary part beside it where blocks are paired.
    pub fn parts(&mut self, atom: &Atom) -> Atom {
        let mut lanes = atom.lanes.clone();
        let mut own = None;
        for (place, lane) in lanes.iter_mut().enumerate() {
            if let Lane::Paired(axis) = *lane {
                *lane = Lane::Along(axis);
                own = Some(place);
            }
        }
        let tiles = Self::positions(&self.grid(&lanes))
            .into_iter()
            .map(|mut position| {
                let block = own.map_or(0, |own| position[own]);
                if let Some(own) = own {
                    position[own] /= 2;
                }
                let tile = self.tile(atom, &position);
                let conjugate = self.vectors.conjugate(tile);
                if block % 2 == 0 {
                    self.vectors.add(tile, conjugate)
                } else {
                    let difference = self.vectors.sub(tile, conjugate);
                    self.vectors.mul_i(difference, -1)
                }
            })
            .collect();
        Atom {
            lanes,
            clean: atom.clean,
            tiles,
        }
    }

    /// a − i·b: the real part of a plus the imaginary part of b, as a real part.
    pub(super) fn minus_i(&mut self, a: Value, b: Value) -> Value {
        let turned = self.vectors.mul_i(b, 1);
        self.vectors.sub(a, turned)
    }
}
