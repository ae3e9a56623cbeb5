//! Tensors → packed vectors.
//!
//! Dimensions that operations tie together are one *axis* ([`axes`]). Axes that never meet in one tensor share a *place*,
//! a block of bits of the slot number ([`frame`]), and so do an axis and a part of it, as `concat` and `slice` make them. An axis
//! longer than its block goes on in further tiles. The place with the largest stride turns into itself under rotation, so a sum
//! along it leaves the sum at every index for free. A sum along a faster place is right at index 0 only: the next public factor
//! also masks the rest away, and a spread copies index 0 to the others when a product needs it there ([`atom`]). Public factors
//! wait until a tensor is needed ([`form`]).
//!
//! Every order of places and every split of the slot bits is lowered, and the fastest is kept.
//!
//! ```text
//! %2 = tensor.matmul %0, %1 : tensor<4, secret>      // [4, 2] · [2], four slots a vector
//! ```
//! becomes, with the rows fast in two slots and the columns slow in two,
//! ```text
//! %4 = slot.mul %0, %2                               // rows 0 and 1
//! %5 = slot.sum_rotations %4 {by = ints[0, 2]}
//! %6 = slot.mul %1, %2                               // rows 2 and 3
//! %7 = slot.sum_rotations %6 {by = ints[0, 2]}
//! ```

pub mod atom;
pub mod axes;
mod form;
pub mod frame;
mod hint;
mod lower;
mod public;
mod stack;

use cipherloom_plan::PortKind;
use cipherloom_plan::data::Layout;

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Graph, TensorType};
use crate::pass::simplify_slots;
use crate::source::Span;

pub use crate::pass::simplify_slots::work;
pub use atom::Radix;
pub use axes::Axes;
pub use frame::Frame;
pub use stack::Stacks;

/// Where a tensor comes in or goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name in the source.
    pub name: String,
    /// What it is for.
    pub kind: PortKind,
    /// Extents.
    pub shape: Vec<u32>,
    /// Where it lies.
    pub layout: Layout,
    /// Declared or derived interval of its elements.
    pub range: Option<(f64, f64)>,
    /// Whether integer labels become one-hot rows.
    pub one_hot: bool,
    /// Where it was declared.
    pub span: Span,
}

impl Port {
    /// A port for tensors of a type, the rest still to be filled in.
    fn of(ty: &TensorType, span: Span) -> Self {
        Self {
            name: String::new(),
            kind: PortKind::Input,
            shape: ty.shape.clone(),
            layout: Layout {
                slots: 1,
                tiles: 1,
                dims: Vec::new(),
                repeats: Vec::new(),
                factor: 1.0,
            },
            range: ty.range,
            one_hot: false,
            span,
        }
    }

    /// Whether ciphertexts come in through it.
    pub fn is_source(&self) -> bool {
        matches!(self.kind, PortKind::Input | PortKind::Stream | PortKind::State)
    }

    /// Smallest and largest value of a slot, if the range is known; of complex ones in absolute value.
    pub fn slot_range(&self) -> Option<(f64, f64)> {
        let (low, high) = self.range?;
        let size = if self.layout.view().is_complex() {
            std::f64::consts::SQRT_2
        } else {
            1.0
        };
        let factor = size * self.layout.factor;
        let (low, high) = (low * factor, high * factor);
        Some((low.min(high), low.max(high)))
    }

    /// Largest absolute value of a slot, if the range is known.
    pub fn bound(&self) -> Option<f64> {
        self.slot_range().map(|(low, high)| low.abs().max(high.abs()))
    }
}

/// A program on packed vectors and its ports; operations name a port by its position.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The program.
    pub graph: Graph,
    /// The ports.
    pub ports: Vec<Port>,
}

/// Every frame, and again with stacks where some axis gains by them.
pub fn frames(graph: &Graph, axes: &Axes, slots: u32) -> Vec<Frame> {
    let frames = Frame::enumerate(axes, slots);
    let stacked = frames.iter().map(|frame| Frame {
        stacked: true,
        ..frame.clone()
    });
    let stacked: Vec<Frame> = stacked
        .filter(|frame| Stacks::choose(graph, axes, frame).stacks())
        .collect();
    frames.into_iter().chain(stacked).collect()
}

/// The same frame with inputs paired, once along each place along which some can be.
pub fn pairings(graph: &Graph, axes: &Axes, frame: &Frame) -> Vec<Frame> {
    let places = 0..frame.places.len();
    let paired = places.map(|place| Frame {
        paired: Some(place),
        ..frame.clone()
    });
    paired
        .filter(|frame| Stacks::choose(graph, axes, frame).pairs())
        .collect()
}

/// Lays out a graph without loops in a given frame.
pub fn run(graph: &Graph, axes: &Axes, frame: &Frame, radix: Radix) -> Result<Packed, Diagnostic> {
    let packed = run_within(graph, axes, frame, radix, f64::INFINITY)?;
    packed.ok_or_else(|| Diagnostic::new(Code::Internal, "a layout takes endless work"))
}

/// The same, unless it is more [`work`] than `most`.
pub fn run_within(
    graph: &Graph,
    axes: &Axes,
    frame: &Frame,
    radix: Radix,
    most: f64,
) -> Result<Option<Packed>, Diagnostic> {
    let stacks = Stacks::choose(graph, axes, frame);
    let packed = lower::lower(graph, axes, frame, stacks, radix)?;
    Ok(simplify_slots::run(packed.graph, most).map(|graph| Packed {
        graph,
        ports: packed.ports,
    }))
}
