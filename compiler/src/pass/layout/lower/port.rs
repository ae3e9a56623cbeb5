//! Where tensors come in and go out: the ports, and how their elements lie in slots.

use cipherloom_plan::data::Layout;
use cipherloom_plan::{LayoutDim, PortKind, Repeat};

use super::super::Port;
use super::super::atom::{Atom, Lane};
use super::super::axes::Axis;
use super::{Known, Lowering};
use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{OpData, Opcode};

impl Lowering<'_> {
    pub(super) fn leaf(&mut self, op: &OpData) {
        let value = op.results[0];
        let dims = self.dims(value);
        let hint = self.hints[value.index()].unwrap_or(1.0);
        let name = op.text("name").unwrap_or_default().to_owned();
        let kind = if op.opcode == Opcode::TensorStream {
            PortKind::Stream
        } else {
            PortKind::Input
        };
        let lanes = self.whole(value);
        // The sum of a product with its conjugate doubles it.
        let half = if self.stacks.paired(value).is_some() {
            0.5
        } else {
            1.0
        };
        let layout = self.layout(&dims, &lanes, half / hint, true);
        let port = match self
            .ports
            .iter()
            .position(|port| port.kind == kind && port.name == name)
        {
            // Every step reads the same port; the first read decides about the factor.
            Some(port) => port,
            None => {
                let ty = self.tensor_type(value);
                self.ports.push(Port {
                    name,
                    kind,
                    layout,
                    one_hot: op.flag("one_hot"),
                    ..Port::of(&ty, op.span)
                });
                self.ports.len() - 1
            }
        };
        let factor = self.ports[port].layout.factor;
        let tiles = (0..self.ports[port].layout.tiles)
            .map(|tile| self.packer.vectors.input(port as u32, tile, op.int("step")))
            .collect();
        self.set_atom(
            op,
            1.0 / factor,
            Atom {
                lanes,
                clean: true,
                tiles,
            },
        );
    }

    /// Where the elements of a tensor stand. Inputs also fill the places that they do not vary along.
    pub(super) fn layout(&self, dims: &[Axis], lanes: &[Lane], factor: f64, repeat: bool) -> Layout {
        let frame = self.packer.frame;
        let grid = self.packer.grid(lanes);
        let tile_stride = |place: usize| grid[place + 1..].iter().product::<u32>();
        let shown = |axis: Axis| {
            let place = self.packer.axes.place[axis];
            if lanes[place].axis() == Some(axis) {
                let stack = lanes.iter().position(|&lane| lane == Lane::Stack(axis));
                let stack_stride = match lanes[place] {
                    // From the real to the imaginary parts.
                    Lane::Paired(_) => frame.slots,
                    _ => stack.map_or(0, |stack| frame.places[stack].stride),
                };
                LayoutDim {
                    block: frame.places[place].block,
                    slot_stride: frame.places[place].stride,
                    stack: self.packer.stacked(lanes, axis),
                    stack_stride,
                    tile_stride: tile_stride(place),
                }
            } else {
                LayoutDim::blocks(self.packer.axes.extents[axis], 0, 0)
            }
        };
        let mut repeats: Vec<Repeat> = Vec::new();
        if repeat {
            for (place, lane) in frame.places.iter().zip(lanes) {
                if *lane == Lane::Same && place.block > 1 {
                    repeats.push(Repeat {
                        count: place.block,
                        stride: place.stride,
                    });
                }
            }
            repeats.extend(frame.copies());
        }
        Layout {
            slots: frame.slots,
            tiles: grid.iter().product(),
            dims: dims.iter().map(|&axis| shown(axis)).collect(),
            repeats,
            factor,
        }
    }

    pub(super) fn sink(&mut self, op: &OpData) -> Result<(), Diagnostic> {
        let value = op.operands[0];
        let name = op.text("name").unwrap_or_default().to_owned();
        if matches!(self.known(op, 0)?, Known::Public(_)) {
            return Err(Diagnostic::new(
                Code::Unsupported,
                format!("`{name}` does not depend on any secret"),
            )
            .label(op.span, "its value is public; no ciphertext is made for it"));
        }
        let (coefficient, atom) = self.materialise(value)?;
        let atom = self.atoms[atom].clone();
        let kind = if op.opcode == Opcode::TensorReveal {
            PortKind::Reveal
        } else {
            PortKind::Output
        };
        let layout = self.layout(&self.dims(value), &atom.lanes, 1.0 / coefficient, false);
        let ty = self.tensor_type(value);
        let port = self.ports.len() as u32;
        self.ports.push(Port {
            name,
            kind,
            layout,
            ..Port::of(&ty, op.span)
        });
        for (tile, &slots) in atom.tiles.iter().enumerate() {
            self.packer.vectors.output(port, tile as u32, slots);
        }
        Ok(())
    }
}
