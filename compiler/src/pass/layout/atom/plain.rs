//! Products and sums with public tensors.

use super::super::axes::Axis;
use super::super::public::Public;
use super::{Atom, Lane, Packer, Region, along};
use crate::dialect::slot::Contents;

impl Packer<'_> {
    /// The lanes of a product or sum with a public tensor whose dimensions lie along `dims`.
    fn lanes_with(&self, lanes: &[Lane], public: &Public, dims: &[Axis]) -> Vec<Lane> {
        let mut lanes = lanes.to_vec();
        if public.splat().is_none() {
            for &axis in dims {
                lanes[self.axes.place[axis]] = Lane::Along(axis);
            }
        }
        lanes
    }

    /// A public tensor on the slots of one tile that hold elements, zero elsewhere.
    pub fn pack(&self, public: &Public, dims: &[Axis], lanes: &[Lane], position: &[u32]) -> Contents {
        // Where the index along each dimension stands among those along the axes of the lanes.
        let along = lanes.iter().filter_map(|lane| match lane {
            Lane::Along(axis) => Some(*axis),
            _ => None,
        });
        let along: Vec<Axis> = along.collect();
        let places: Vec<Option<usize>> = dims
            .iter()
            .map(|dim| along.iter().position(|axis| axis == dim))
            .collect();
        let mut index = vec![0; dims.len()];
        let slots = self.elements(lanes, position, |element| {
            element.map_or(0.0, |element| {
                for (index, place) in index.iter_mut().zip(&places) {
                    *index = place.map_or(0, |place| element[place]);
                }
                public.at(&index)
            })
        });
        Contents::Slots(slots.into())
    }

    /// Product with a public tensor that is not the same everywhere.
    pub fn mul_public(&mut self, atom: &Atom, public: &Public, dims: &[Axis]) -> Atom {
        let lanes = self.lanes_with(&atom.lanes, public, dims);
        let atom = self.spread(atom, &along(&lanes));
        let lanes: Vec<Lane> = self
            .lanes_with(&atom.lanes, public, dims)
            .into_iter()
            .map(|l| if l == Lane::Partial { Lane::First } else { l })
            .collect();
        let tiles = Self::positions(&self.grid(&lanes))
            .iter()
            .map(|position| {
                let contents = self.pack(public, dims, &lanes, position);
                let tile = self.tile(&atom, position);
                self.vectors.mul_plain(tile, &contents)
            })
            .collect();
        Atom {
            lanes,
            clean: true,
            tiles,
        }
    }

    /// Sum with a public tensor times `factor`. Slots that hold no element stay as they are, if they are known to be 0.
    pub fn add_public(&mut self, atom: &Atom, public: &Public, dims: &[Axis], factor: f64) -> Atom {
        let public = public.map(|value| value * factor);
        if let Some(values) = public.steps() {
            return self.add_steps(atom, values);
        }
        let wanted = self.lanes_with(&atom.lanes, &public, dims);
        let mut atom = self.spread(atom, &along(&wanted));
        let lanes = self.lanes_with(&atom.lanes, &public, dims);
        atom.clean = self.is_clear(&atom, &lanes);
        // Where nothing is known to be zero, nothing has to stay zero.
        let guarded: Vec<Lane> = lanes
            .iter()
            .map(|&lane| match lane {
                Lane::Partial => Lane::Same,
                lane if lane.varies() && !atom.clean && public.splat().is_some() => Lane::Same,
                other => other,
            })
            .collect();
        let tiles = Self::positions(&self.grid(&lanes))
            .iter()
            .map(|position| {
                let tile = self.tile(&atom, position);
                match (public.splat(), self.region(&guarded, position)) {
                    (Some(value), Region::All(_)) => self.vectors.add_scalar(tile, value),
                    (Some(0.0), _) => tile,
                    (Some(value), region) => self.vectors.add_plain(tile, &region.contents(value, 0)),
                    (None, _) => {
                        let contents = self.pack(&public, dims, &lanes, position);
                        self.vectors.add_plain(tile, &contents)
                    }
                }
            })
            .collect();
        Atom {
            lanes,
            clean: atom.clean,
            tiles,
        }
    }

    /// Sum with one number for each step, in all slots: none stays zero.
    fn add_steps(&mut self, atom: &Atom, values: &[f64]) -> Atom {
        let lanes = atom
            .lanes
            .iter()
            .map(|&lane| if lane == Lane::First { Lane::Partial } else { lane });
        Atom {
            lanes: lanes.collect(),
            clean: !self.is_padded(&atom.lanes),
            tiles: atom
                .tiles
                .iter()
                .map(|&tile| self.vectors.add_scalars(tile, values.to_vec()))
                .collect(),
        }
    }

    /// Product with one number for each step.
    pub fn mul_steps(&mut self, atom: &Atom, values: &[f64]) -> Atom {
        Atom {
            tiles: atom
                .tiles
                .iter()
                .map(|&tile| self.vectors.mul_scalars(tile, values.to_vec()))
                .collect(),
            ..atom.clone()
        }
    }
}
