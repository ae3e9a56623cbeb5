//! The graph: owner of operations, values and blocks.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Attributes, BlockId, OpId, Opcode, Type, Value};
use crate::source::Span;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `true` or `false`.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A real number; prints with a point or an exponent, so that it never reads as an integer.
    Float(f64),
    /// A quoted text.
    Text(String),
    /// `[1, 2]`.
    Ints(Vec<i64>),
    /// `[1.0, 2.0]`; shared, since a vector of slots is long and programs are copied often.
    Floats(Arc<[f64]>),
    /// `["a", "b"]`.
    Texts(Vec<String>),
}

/// Most elements of a list of reals that go into its hash.
const MOST_HASHED: usize = 64;

impl Attribute {
    /// Adds the value to a hash. Attributes of one hash may still differ: of a long list only some elements count.
    pub fn add_to(&self, hasher: &mut impl Hasher) {
        match self {
            Self::Flag(value) => value.hash(hasher),
            Self::Int(value) => value.hash(hasher),
            Self::Float(value) => value.to_bits().hash(hasher),
            Self::Text(value) => value.hash(hasher),
            Self::Ints(values) => values.hash(hasher),
            Self::Texts(values) => values.hash(hasher),
            Self::Floats(values) => {
                values.len().hash(hasher);
                let some = values.iter().step_by(values.len().div_ceil(MOST_HASHED).max(1));
                some.for_each(|value| value.to_bits().hash(hasher));
            }
        }
    }

    /// Whether both are one value to the last bit.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Floats(a), Self::Floats(b)) => {
                let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits();
                Arc::ptr_eq(a, b) || (a.len() == b.len() && a.iter().zip(b.iter()).all(same))
            }
            _ => self == other,
        }
    }
}

/// An operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OpData {
    /// Which.
    pub opcode: Opcode,
    /// What it reads.
    pub operands: Vec<Value>,
    /// What it makes.
    pub results: Vec<Value>,
    /// Its parameters.
    pub attributes: Attributes,
    /// The blocks that it holds.
    pub regions: Vec<BlockId>,
    /// Where the user wrote it.
    pub span: Span,
}

impl OpData {
    /// An integer attribute.
    pub fn int(&self, name: &str) -> Option<i64> {
        if let Some(Attribute::Int(value)) = self.attributes.get(name) {
            Some(*value)
        } else {
            None
        }
    }

    /// A real attribute.
    pub fn float(&self, name: &str) -> Option<f64> {
        if let Some(Attribute::Float(value)) = self.attributes.get(name) {
            Some(*value)
        } else {
            None
        }
    }

    /// A text attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Some(Attribute::Text(value)) = self.attributes.get(name) {
            Some(value)
        } else {
            None
        }
    }

    /// A flag attribute; false if absent.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.attributes.get(name), Some(Attribute::Flag(true)))
    }

    /// A list of integers; empty if absent.
    pub fn ints(&self, name: &str) -> &[i64] {
        if let Some(Attribute::Ints(values)) = self.attributes.get(name) {
            values
        } else {
            &[]
        }
    }

    /// A list of reals; empty if absent.
    pub fn floats(&self, name: &str) -> &[f64] {
        if let Some(Attribute::Floats(values)) = self.attributes.get(name) {
            values
        } else {
            &[]
        }
    }

    /// A list of texts; empty if absent.
    pub fn texts(&self, name: &str) -> &[String] {
        if let Some(Attribute::Texts(values)) = self.attributes.get(name) {
            values
        } else {
            &[]
        }
    }
}

/// What defines a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// A result of an operation.
    Result(OpId, u32),
    /// An argument of a block.
    Argument(BlockId, u32),
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueData {
    /// Its type.
    pub ty: Type,
    /// Where it comes from.
    pub definition: Definition,
}

/// A block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockData {
    /// Values that it is entered with.
    pub arguments: Vec<Value>,
    /// What it does, in order.
    pub ops: Vec<OpId>,
}

/// A program in one or more dialects.
#[derive(Clone, Debug, PartialEq)]
pub struct Graph {
    /// The user's name of it.
    pub name: String,
    ops: Vec<OpData>,
    values: Vec<ValueData>,
    blocks: Vec<BlockData>,
}

impl Graph {
    /// A graph with an empty body.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ops: Vec::new(),
            values: Vec::new(),
            blocks: vec![BlockData::default()],
        }
    }

    /// The outermost block.
    pub fn body(&self) -> BlockId {
        BlockId(0)
    }

    /// An operation.
    pub fn op(&self, op: OpId) -> &OpData {
        &self.ops[op.index()]
    }

    /// An operation, to be changed.
    pub fn op_mut(&mut self, op: OpId) -> &mut OpData {
        &mut self.ops[op.index()]
    }

    /// A value.
    pub fn value(&self, value: Value) -> &ValueData {
        &self.values[value.index()]
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.values[value.index()].ty
    }

    /// Gives a value another type.
    pub fn set_type(&mut self, value: Value, ty: Type) {
        self.values[value.index()].ty = ty;
    }

    /// The operation that defines a value, if it is no block argument.
    pub fn defining_op(&self, value: Value) -> Option<OpId> {
        match self.values[value.index()].definition {
            Definition::Result(op, _) => Some(op),
            Definition::Argument(..) => None,
        }
    }

    /// A block.
    pub fn block(&self, block: BlockId) -> &BlockData {
        &self.blocks[block.index()]
    }

    /// A block, to be changed.
    pub fn block_mut(&mut self, block: BlockId) -> &mut BlockData {
        &mut self.blocks[block.index()]
    }

    /// Number of values ever made; value indices are below it.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// Makes an empty block with arguments of these types.
    pub fn new_block(&mut self, arguments: impl IntoIterator<Item = Type>) -> BlockId {
        let block = BlockId(self.blocks.len() as u32);
        self.blocks.push(BlockData::default());
        for ty in arguments {
            self.add_argument(block, ty);
        }
        block
    }

    /// Adds an argument to a block.
    pub fn add_argument(&mut self, block: BlockId, ty: Type) -> Value {
        let position = self.blocks[block.index()].arguments.len() as u32;
        let value = Value(self.values.len() as u32);
        self.values.push(ValueData {
            ty,
            definition: Definition::Argument(block, position),
        });
        self.blocks[block.index()].arguments.push(value);
        value
    }

    /// Makes an operation that stands in no block yet; `types` are those of its results.
    pub fn new_op(&mut self, mut data: OpData, types: impl IntoIterator<Item = Type>) -> OpId {
        let op = OpId(self.ops.len() as u32);
        let types = types.into_iter();
        data.results.clear();
        data.results.reserve_exact(types.size_hint().0);
        for (position, ty) in types.enumerate() {
            let value = Value(self.values.len() as u32);
            self.values.push(ValueData {
                ty,
                definition: Definition::Result(op, position as u32),
            });
            data.results.push(value);
        }
        self.ops.push(data);
        op
    }

    /// Appends an operation to a block.
    pub fn append(&mut self, block: BlockId, data: OpData, types: impl IntoIterator<Item = Type>) -> OpId {
        let op = self.new_op(data, types);
        self.blocks[block.index()].ops.push(op);
        op
    }

    /// The last operation of a block.
    pub fn terminator(&self, block: BlockId) -> Option<&OpData> {
        self.blocks[block.index()].ops.last().map(|&op| self.op(op))
    }

    /// All operations in program order, those of regions after the operation that holds them.
    pub fn walk(&self) -> Vec<OpId> {
        fn visit(graph: &Graph, block: BlockId, into: &mut Vec<OpId>) {
            for &op in &graph.block(block).ops {
                into.push(op);
                for &region in &graph.op(op).regions {
                    visit(graph, region, into);
                }
            }
        }
        let mut ops = Vec::with_capacity(self.ops.len());
        visit(self, self.body(), &mut ops);
        ops
    }

    /// How often each value is read, by index, over the whole program.
    pub fn use_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.values.len()];
        for op in self.walk() {
            for operand in &self.op(op).operands {
                counts[operand.index()] += 1;
            }
        }
        counts
    }
}
