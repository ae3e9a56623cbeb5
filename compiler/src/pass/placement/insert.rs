//! Inserts the bootstraps that the search decided on, two vectors at a time where that is possible.

use std::collections::BTreeMap;

use super::Setting;
use super::solve::Solution;
use crate::dialect::slot::{Vectors, takes_level};
use crate::ir::{Attributes, Builder, ClosedLoop, Graph, OpData, OpId, Opcode, Type, Value};

/// Vectors share a bootstrap if their bounds are within this factor: the error is that of the larger one.
const MOST_RATIO: f64 = 4.0;

/// What is inserted where.
pub struct Inserter<'a> {
    /// The program.
    pub graph: &'a Graph,
    /// Levels.
    pub setting: &'a Setting,
    /// Slots after which vectors repeat.
    pub period: u32,
    /// Whether each value is refreshed.
    pub refreshed: &'a [bool],
    /// Bound of each value.
    pub bounds: &'a [Option<f64>],
    /// Port of each state of the solution.
    pub states: &'a [i64],
    /// Levels of the states.
    pub solution: &'a Solution,
}

/// When a value can be refreshed: after the beginning or the end of a loop's body, and so many bootstraps.
type Ready = (bool, bool, u32);

/// Values that are refreshed together.
struct Group {
    members: Vec<Value>,
    bound: f64,
}

impl Inserter<'_> {
    /// The program with a bootstrap after every refreshed value, for all who ask for more than the lowest levels.
    pub fn run(&self) -> Graph {
        let order = self.graph.walk();
        let made = self.made(&order);
        let groups = self.groups(&order);
        let mut vectors = Vectors::new(&self.graph.name, 2 * self.period);
        let mut plain: Vec<Option<Value>> = vec![None; self.graph.value_count()];
        let mut refreshed = plain.clone();
        for place in self.places(&order, &made, &groups) {
            let op = match place {
                Place::Op(position) => self.graph.op(order[position]),
                Place::Group(group) => {
                    self.bootstrap(&mut vectors, &groups[group], &plain, &mut refreshed);
                    continue;
                }
            };
            let operands = op.operands.iter().filter_map(|operand| {
                let fresh = refreshed[operand.index()].filter(|_| self.reads_refreshed(op, &made));
                fresh.or(plain[operand.index()])
            });
            let copy = OpData {
                operands: operands.collect(),
                ..op.clone()
            };
            let types: Vec<Type> = op
                .results
                .iter()
                .map(|&result| self.graph.ty(result).clone())
                .collect();
            let copy = vectors.graph.append(vectors.block, copy, types);
            for (&result, &own) in op.results.iter().zip(&vectors.graph.op(copy).results) {
                plain[result.index()] = Some(own);
            }
        }
        vectors.graph
    }

    /// The operations in their order, each bootstrap after the last of what it refreshes, and whoever reads its results
    /// as soon after it as can be: who waits for one bootstrap may be what another refreshes.
    fn places(&self, order: &[OpId], made: &[u32], groups: &[Group]) -> Vec<Place> {
        let mut group_of: BTreeMap<Value, usize> = BTreeMap::new();
        for (index, group) in groups.iter().enumerate() {
            group_of.extend(group.members.iter().map(|&member| (member, index)));
        }
        let mut missing: Vec<usize> = groups.iter().map(|group| group.members.len()).collect();
        let mut there = vec![false; self.graph.value_count()];
        let mut waiting: Vec<usize> = Vec::new();
        let mut places = Vec::new();
        for position in 0..order.len() {
            waiting.push(position);
            // Whoever waits goes on in program order; what a bootstrap gives may let one that came before go on.
            let mut next = waiting.len() - 1;
            while let Some(&position) = waiting.get(next) {
                let op = self.graph.op(order[position]);
                let fresh = self.reads_refreshed(op, made);
                let is_there = |operand: &Value| match group_of.get(operand).filter(|_| fresh) {
                    Some(&group) => missing[group] == 0,
                    None => there[operand.index()],
                };
                if !op.operands.iter().all(is_there) {
                    next += 1;
                    continue;
                }
                waiting.remove(next);
                places.push(Place::Op(position));
                for &result in &op.results {
                    there[result.index()] = true;
                    if let Some(&group) = group_of.get(&result) {
                        missing[group] -= 1;
                        if missing[group] == 0 {
                            places.push(Place::Group(group));
                            next = 0;
                        }
                    }
                }
            }
        }
        debug_assert!(waiting.is_empty());
        places
    }

    /// Refreshed values two by two: those that have as many bootstraps before them do not wait for each other.
    fn groups(&self, order: &[OpId]) -> Vec<Group> {
        let closed = ClosedLoop::find(self.graph, order);
        let mut before = vec![0u32; self.graph.value_count()];
        let mut found: BTreeMap<Ready, Vec<(f64, Value)>> = BTreeMap::new();
        for (position, &id) in order.iter().enumerate() {
            let op = self.graph.op(id);
            let Some(&result) = op.results.first() else {
                continue;
            };
            let operands = op.operands.iter().map(|operand| {
                let renewed = self.refreshed[operand.index()] || op.opcode == Opcode::SlotBootstrap;
                before[operand.index()] + u32::from(renewed)
            });
            before[result.index()] = operands.max().unwrap_or(0);
            if self.refreshed[result.index()] {
                let region = closed.map_or((false, false), |closed| {
                    (position > closed.start, position > closed.end)
                });
                let key = (region.0, region.1, before[result.index()]);
                let bound = self.bounds[result.index()].unwrap_or(1.0);
                found.entry(key).or_default().push((bound, result));
            }
        }
        let mut groups: Vec<Group> = Vec::new();
        for mut values in found.into_values() {
            values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            let mut open: Option<Group> = None;
            for (bound, value) in values {
                match open.take() {
                    Some(mut group)
                        if bound <= MOST_RATIO * group.bound
                            && self.setting.pair < 2.0 * self.setting.bootstrap =>
                    {
                        group.members.push(value);
                        group.bound = bound;
                        groups.push(group);
                    }
                    alone => {
                        groups.extend(alone);
                        open = Some(Group {
                            members: vec![value],
                            bound,
                        });
                    }
                }
            }
            groups.extend(open);
        }
        groups
    }

    fn bootstrap(
        &self,
        vectors: &mut Vectors,
        group: &Group,
        plain: &[Option<Value>],
        refreshed: &mut [Option<Value>],
    ) {
        let operands: Vec<Value> = group
            .members
            .iter()
            .filter_map(|member| plain[member.index()])
            .collect();
        let log_slots = self.period.trailing_zeros().max(1);
        for (part, &member) in group.members.iter().enumerate() {
            let mut attributes: Attributes =
                Builder::attributes([("bound", group.bound.into()), ("log_slots", log_slots.into())]);
            if part > 0 {
                attributes.insert("second".to_owned(), true.into());
            }
            let span = self.graph.defining_op(member).map(|op| self.graph.op(op).span);
            let result = Builder {
                graph: &mut vectors.graph,
                block: vectors.block,
                span: span.unwrap_or_default(),
            }
            .value(
                Opcode::SlotBootstrap,
                &operands,
                attributes,
                self.graph.ty(member).clone(),
            );
            refreshed[member.index()] = Some(result);
        }
    }

    /// The level that every value is made at.
    fn made(&self, order: &[OpId]) -> Vec<u32> {
        let mut made = vec![0; self.graph.value_count()];
        for op in order.iter().rev().map(|&op| self.graph.op(op)) {
            if let Some(result) = op.results.first().filter(|result| self.refreshed[result.index()]) {
                made[result.index()] = self.setting.floor;
            }
            let asked = self.asks(op, &made);
            for operand in &op.operands {
                made[operand.index()] = made[operand.index()].max(asked);
            }
        }
        made
    }

    /// Whether an operation needs its refreshed operands as they are after the bootstrap.
    fn reads_refreshed(&self, op: &OpData, made: &[u32]) -> bool {
        self.asks(op, made) > self.setting.floor
    }

    /// The level that an operation asks of its operands.
    fn asks(&self, op: &OpData, made: &[u32]) -> u32 {
        let state = op
            .int("port")
            .filter(|_| op.flag("state"))
            .and_then(|port| self.states.iter().position(|&state| state == port));
        match op.opcode {
            Opcode::SlotBootstrap => self.setting.floor,
            Opcode::SlotOutput => state.map_or(self.setting.lowest, |state| self.solution.heads[state]),
            _ => op.results.first().map_or(0, |result| made[result.index()]) + u32::from(takes_level(op)),
        }
    }
}

/// One thing after the other.
enum Place {
    /// The operation at a position.
    Op(usize),
    /// A group's bootstrap.
    Group(usize),
}
