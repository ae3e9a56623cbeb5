//! States of a closed loop: read and written in one layout, so that the loop is closed.

use cipherloom_plan::PortKind;

use super::super::Port;
use super::super::atom::{Atom, Lane};
use super::super::public::Public;
use super::{Known, Lowering, ratio, unsupported};
use crate::diagnostic::Diagnostic;
use crate::ir::{OpData, Value};

impl Lowering<'_> {
    /// The first read of the state that an operation names: `None` if nothing reads it.
    fn state_of(&self, op: &OpData) -> Option<Value> {
        self.states.get(op.text("name").unwrap_or_default()).copied()
    }

    /// The factor that a state leaves outside its slots.
    fn state_coefficient(&self, state: Value) -> f64 {
        self.hints[state.index()].unwrap_or(1.0)
    }

    /// The port of a state, made where the state is first named.
    fn state_port(&mut self, op: &OpData, state: Value) -> u32 {
        let name = op.text("name").unwrap_or_default();
        let known = |port: &Port| port.kind == PortKind::State && port.name == name;
        if let Some(port) = self.ports.iter().position(known) {
            return port as u32;
        }
        let (dims, lanes) = (self.dims(state), self.whole(state));
        let layout = self.layout(&dims, &lanes, 1.0 / self.state_coefficient(state), true);
        let ty = self.tensor_type(state);
        self.ports.push(Port {
            name: name.to_owned(),
            kind: PortKind::State,
            layout,
            ..Port::of(&ty, op.span)
        });
        self.ports.len() as u32 - 1
    }

    /// `tensor.state`: the tiles as they were last written.
    pub(super) fn load(&mut self, op: &OpData) {
        let Some(state) = self.state_of(op) else { return };
        let port = self.state_port(op, state);
        let tiles = (0..self.ports[port as usize].layout.tiles)
            .map(|tile| self.packer.vectors.state(port, tile))
            .collect();
        let atom = Atom {
            lanes: self.whole(state),
            clean: true,
            tiles,
        };
        self.set_atom(op, self.state_coefficient(state), atom);
    }

    /// `tensor.store`: a value brought to the layout of its state. A state that nothing reads is not kept.
    pub(super) fn store(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let Some(state) = self.state_of(op) else {
            return Ok(());
        };
        let port = self.state_port(op, state);
        let wanted = self.state_coefficient(state);
        let tiles = match self.known(op, 0)? {
            Known::Public(public) => self.public_tiles(op, state, &public.map(|value| value / wanted))?,
            Known::Secret(_) => {
                let (coefficient, atom) = self.materialise(op.operands[0])?;
                let atom = self.atoms[atom].clone();
                self.state_tiles(state, &atom, ratio(coefficient, wanted))
            }
        };
        for (tile, value) in tiles.into_iter().enumerate() {
            self.packer.vectors.store(port, tile as u32, value);
        }
        Ok(())
    }

    /// The tiles of a public first value.
    fn public_tiles(&mut self, op: &OpData, state: Value, public: &Public) -> Result<Vec<Value>, Diagnostic> {
        if public.steps().is_some() {
            return Err(unsupported(
                op,
                "a state that is set to a number that differs from step to step",
            ));
        }
        let (dims, lanes) = (self.dims(state), self.whole(state));
        let tiles = self.positions(&lanes).into_iter().map(|position| {
            let contents = match public.splat() {
                Some(value) => self.packer.region(&lanes, &position).contents(value, 0),
                None => self.packer.pack(public, &dims, &lanes, &position),
            };
            self.packer.vectors.constant(&contents)
        });
        Ok(tiles.collect())
    }

    /// The tiles of a value times a factor: copied where the state has copies, zero where it has no elements.
    fn state_tiles(&mut self, state: Value, atom: &Atom, factor: f64) -> Vec<Value> {
        let lanes = self.whole(state);
        let mut atom = atom.clone();
        let mut factor = factor;
        if atom.lanes.contains(&Lane::Partial) {
            atom = self.packer.mask(&atom, factor);
            factor = 1.0;
        }
        atom = self.packer.spread(&atom, &lanes);
        let whole = self.packer.widened(&atom, &lanes);
        let masked = !whole.clean && self.packer.is_padded(&whole.lanes);
        if masked {
            self.packer.mask(&whole, factor).tiles
        } else {
            self.packer.scale(&whole, factor).tiles
        }
    }

    fn positions(&self, lanes: &[Lane]) -> Vec<Vec<u32>> {
        super::Packer::positions(&self.packer.grid(lanes))
    }

    /// `tensor.bootstrap`: tile by tile. What stands beside the elements must not exceed their bound either.
    pub(super) fn bootstrap(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let (coefficient, atom) = self.materialise(op.operands[0])?;
        let mut atom = self.atoms[atom].clone();
        if atom.lanes.contains(&Lane::Partial) || (!atom.clean && self.packer.is_padded(&atom.lanes)) {
            atom = self.packer.mask(&atom, 1.0);
        }
        let (low, high) = op
            .float("low")
            .zip(op.float("high"))
            .or(self.tensor_type(op.operands[0]).range)
            .ok_or_else(|| unsupported(op, "a bootstrap of values without a range"))?;
        let bound = low.abs().max(high.abs()) / coefficient.abs();
        let period = self.packer.frame.period;
        for tile in &mut atom.tiles {
            *tile = self.packer.vectors.bootstrap_repeated(*tile, bound, period);
        }
        let atom = self.atom(atom);
        self.set(op, Known::Secret(super::Form::term(coefficient, atom)));
        Ok(())
    }
}
