//! The places of values in the arena, as the plan's buffers.

use std::collections::BTreeMap;

use cipherloom_plan::Buffer;

use super::internal;
use crate::diagnostic::Diagnostic;
use crate::ir::{Graph, OpData, OpId, Opcode, Value};

/// Buffers as they are named: equal places are one buffer, except in the runs that sums read.
pub struct Buffers<P> {
    place: P,
    items: Vec<Buffer>,
    of_place: BTreeMap<(u64, u64), u32>,
    of_term: BTreeMap<Value, u32>,
}

impl<P: Fn(Value) -> Option<Buffer>> Buffers<P> {
    /// The buffers of a program whose values have these places.
    pub fn new(graph: &Graph, order: &[OpId], place: P) -> Result<Self, Diagnostic> {
        let mut buffers = Self {
            place,
            items: Vec::new(),
            of_place: BTreeMap::new(),
            of_term: BTreeMap::new(),
        };
        buffers.add_runs(graph, order)?;
        Ok(buffers)
    }

    /// The buffer of a value.
    pub fn of(&mut self, value: Value) -> Result<u32, Diagnostic> {
        if let Some(&index) = self.of_term.get(&value) {
            return Ok(index);
        }
        let buffer = self.place(value)?;
        let next = self.items.len() as u32;
        Ok(*self
            .of_place
            .entry((buffer.offset, buffer.words))
            .or_insert_with(|| {
                self.items.push(buffer);
                next
            }))
    }

    /// All buffers, by index.
    pub fn into_items(self) -> Vec<Buffer> {
        self.items
    }

    fn place(&self, value: Value) -> Result<Buffer, Diagnostic> {
        (self.place)(value).ok_or_else(|| internal("a value has no place in memory".to_owned()))
    }

    /// Gives the terms of sums consecutive buffers: sums read runs of them.
    fn add_runs(&mut self, graph: &Graph, order: &[OpId]) -> Result<(), Diagnostic> {
        let mut runs: BTreeMap<Vec<(u64, u64)>, u32> = BTreeMap::new();
        let sums = order.iter().map(|&op| graph.op(op));
        let sums: Vec<&OpData> = sums.filter(|op| op.opcode == Opcode::CkksMulPlainSum).collect();
        let mut terms: Vec<&[Value]> = sums
            .iter()
            .flat_map(|op| {
                let (a, b) = op.operands.split_at(op.operands.len() / 2);
                [a, b]
            })
            .collect();
        // Shorter sums of the same terms find their part of a longer run.
        terms.sort_by_key(|run| std::cmp::Reverse(run.len()));
        for run in terms {
            if let Some(first) = self.of_term.get(&run[0]).copied() {
                let follows = (first..)
                    .zip(run)
                    .all(|(index, value)| self.of_term.get(value) == Some(&index));
                if !follows {
                    return Err(internal(
                        "the terms of a sum have no consecutive places".to_owned(),
                    ));
                }
                continue;
            }
            let places = run
                .iter()
                .map(|&value| self.place(value))
                .collect::<Result<Vec<Buffer>, _>>()?;
            let key = places
                .iter()
                .map(|buffer| (buffer.offset, buffer.words))
                .collect();
            let next = self.items.len() as u32;
            let first = *runs.entry(key).or_insert(next);
            if first == next {
                self.items.extend(places);
            }
            self.of_term.extend(run.iter().copied().zip(first..));
        }
        Ok(())
    }
}
