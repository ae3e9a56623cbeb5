//! Appending operations with few words.

use std::sync::Arc;

use super::{Attribute, Attributes, BlockId, Graph, OpData, OpId, Opcode, Type, Value};
use crate::source::Span;

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<i64> for Attribute {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Attribute {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<f64> for Attribute {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Attribute {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Attribute {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<i64>> for Attribute {
    fn from(value: Vec<i64>) -> Self {
        Self::Ints(value)
    }
}

impl From<Vec<f64>> for Attribute {
    fn from(value: Vec<f64>) -> Self {
        Self::Floats(value.into())
    }
}

impl From<Arc<[f64]>> for Attribute {
    fn from(value: Arc<[f64]>) -> Self {
        Self::Floats(value)
    }
}

impl From<Vec<String>> for Attribute {
    fn from(value: Vec<String>) -> Self {
        Self::Texts(value)
    }
}

/// Appends operations to one block of a graph, all with the span set last.
pub struct Builder<'g> {
    /// The graph being built.
    pub graph: &'g mut Graph,
    /// Where operations go.
    pub block: BlockId,
    /// Span of the operations to come.
    pub span: Span,
}

impl<'g> Builder<'g> {
    /// A builder that appends to `block`.
    pub fn new(graph: &'g mut Graph, block: BlockId) -> Self {
        Self {
            graph,
            block,
            span: Span::none(),
        }
    }

    /// Attributes from pairs.
    pub fn attributes<const COUNT: usize>(pairs: [(&'static str, Attribute); COUNT]) -> Attributes {
        pairs.into()
    }

    /// Appends an operation with any number of results.
    pub fn op(
        &mut self,
        opcode: Opcode,
        operands: &[Value],
        attributes: Attributes,
        types: Vec<Type>,
    ) -> OpId {
        let data = self.data(opcode, operands, attributes);
        self.graph.append(self.block, data, types)
    }

    fn data(&self, opcode: Opcode, operands: &[Value], attributes: Attributes) -> OpData {
        OpData {
            opcode,
            operands: operands.to_vec(),
            results: Vec::new(),
            attributes,
            regions: Vec::new(),
            span: self.span,
        }
    }

    /// Appends an operation with one result and gives the result.
    pub fn value(&mut self, opcode: Opcode, operands: &[Value], attributes: Attributes, ty: Type) -> Value {
        let data = self.data(opcode, operands, attributes);
        let op = self.graph.append(self.block, data, [ty]);
        self.graph.op(op).results[0]
    }

    /// Appends an operation that has regions.
    pub fn op_with_regions(
        &mut self,
        opcode: Opcode,
        operands: &[Value],
        attributes: Attributes,
        types: Vec<Type>,
        regions: Vec<BlockId>,
    ) -> OpId {
        let op = self.op(opcode, operands, attributes, types);
        self.graph.op_mut(op).regions = regions;
        op
    }
}
