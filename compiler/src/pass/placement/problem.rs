//! From a program on packed vectors to what the search decides about.
//!
//! Values that nothing but a sum reads are part of that sum, as one refresh of the sum is never dearer than one of each
//! term; and values that play the same part, as the tiles of a tensor do, are one node. What plays the same part is
//! found by refinement: operations of one kind are told apart as long as what they read, or what reads them, is.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::Setting;
use super::solve::{Node, Problem};
use crate::dialect::slot::takes_level;
use crate::ir::{ClosedLoop, Graph, Opcode, Value};
use crate::pass::levels::is_secret;

/// What a bound that only follows from operations adds to the price of a refresh: it is larger than need be, and so is
/// the error.
const DERIVED: f64 = 1.05;

/// A problem, and what its nodes stand for.
pub struct Reduced {
    /// The problem.
    pub problem: Problem,
    /// The values that are refreshed if a node is.
    pub members: Vec<Vec<Value>>,
    /// Ports of the states.
    pub states: Vec<i64>,
}

/// A value with what absorbed values add to it.
#[derive(Default)]
struct Draft {
    value: Option<Value>,
    uses: Vec<(usize, u32)>,
    operands: Vec<(usize, u32)>,
    node: Node,
    /// What it must share with others to be one with them.
    kind: u64,
    absorbed: bool,
}

/// Reduces a program; with `any`, values without a bound can be refreshed too.
pub fn reduce(graph: &Graph, bounds: &[Option<f64>], setting: &Setting, any: bool) -> Reduced {
    let mut states: Vec<i64> = Vec::new();
    let mut drafts = drafts(graph, bounds, setting, any, &mut states);
    absorb(&mut drafts);
    let classes = classes(&drafts);
    // Classes in the order of their first members, which is an order of the program.
    let mut nodes: Vec<Node> = Vec::new();
    let mut members: Vec<Vec<Value>> = Vec::new();
    let mut number: BTreeMap<u64, usize> = BTreeMap::new();
    for (draft, class) in drafts.iter().zip(&classes).filter(|(draft, _)| !draft.absorbed) {
        let index = *number.entry(*class).or_insert(nodes.len());
        if index == nodes.len() {
            nodes.push(Node {
                uses: Vec::new(),
                ..draft.node.clone()
            });
            members.push(Vec::new());
        } else {
            let node = &mut nodes[index];
            node.work
                .iter_mut()
                .zip(&draft.node.work)
                .for_each(|(sum, own)| *sum += own);
        }
        members[index].extend(draft.value);
    }
    for (node, members) in nodes.iter_mut().zip(&members) {
        let shared = setting.bootstraps(members.len()) / setting.bootstrap;
        node.refresh = node.refresh.map(|one| one * shared);
    }
    for (draft, class) in drafts.iter().zip(&classes).filter(|(draft, _)| !draft.absorbed) {
        let uses = draft
            .uses
            .iter()
            .map(|&(user, levels)| (number[&classes[user]], levels));
        let node = &mut nodes[number[class]];
        node.uses.extend(uses);
        node.uses.sort_unstable();
        node.uses.dedup();
    }
    Reduced {
        problem: Problem {
            nodes,
            states: states.len(),
            floor: setting.floor,
            usable: setting.usable,
            lowest: setting.lowest,
        },
        members,
        states,
    }
}

fn drafts(
    graph: &Graph,
    bounds: &[Option<f64>],
    setting: &Setting,
    any: bool,
    states: &mut Vec<i64>,
) -> Vec<Draft> {
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    let mut drafts: Vec<Draft> = Vec::new();
    let mut index_of: BTreeMap<Value, usize> = BTreeMap::new();
    for (position, op) in order.into_iter().enumerate() {
        let op = graph.op(op);
        let mut state = || {
            let port = op.int("port").filter(|_| op.flag("state"))?;
            Some(states.iter().position(|&known| known == port).unwrap_or_else(|| {
                states.push(port);
                states.len() - 1
            }))
        };
        let Some(&result) = op.results.first() else {
            if op.opcode == Opcode::SlotOutput
                && let Some(&index) = index_of.get(&op.operands[0])
            {
                match state() {
                    Some(state) => drafts[index].node.stores.push(state),
                    None => drafts[index].node.least = Some(setting.lowest),
                }
            } else if op.opcode == Opcode::SlotOutput {
                state();
            }
            continue;
        };
        let is_input = op.opcode == Opcode::SlotInput && !op.flag("state");
        if !is_secret(graph, result) {
            continue;
        }
        let times = f64::from(ClosedLoop::times(closed.as_ref(), position));
        let renewed = op.opcode == Opcode::SlotBootstrap;
        let bound = bounds[result.index()];
        let refresh = (any || bound.is_some()) && !renewed && !is_input;
        let price = setting.bootstrap
            * if op.attributes.contains_key("bound") {
                1.0
            } else {
                DERIVED
            };
        let index = drafts.len();
        let mut draft = Draft {
            value: Some(result),
            node: Node {
                reads: if op.opcode == Opcode::SlotInput {
                    state()
                } else {
                    None
                },
                renewed,
                refresh: refresh.then_some(times * price),
                work: (0..=setting.usable)
                    .map(|level| times * setting.seconds(op, level))
                    .collect(),
                ..Node::default()
            },
            ..Draft::default()
        };
        for operand in op.operands.iter().filter_map(|operand| index_of.get(operand)) {
            let edge = (*operand, u32::from(takes_level(op)));
            if !draft.operands.contains(&edge) {
                draft.operands.push(edge);
                drafts[*operand].uses.push((index, edge.1));
                if renewed {
                    let least = &mut drafts[*operand].node.least;
                    *least = (*least).max(Some(setting.floor));
                }
            }
        }
        draft.kind = hash(&(
            op.opcode.name(),
            draft.node.reads,
            refresh,
            times.to_bits(),
            draft.node.work.first().map(|work| work.to_bits()),
            position_in(closed.as_ref(), position),
        ));
        index_of.insert(result, index);
        drafts.push(draft);
    }
    drafts
}

/// Before, in or after the body of a loop.
fn position_in(closed: Option<&ClosedLoop>, position: usize) -> u8 {
    closed.map_or(0, |closed| {
        u8::from(position >= closed.start) + u8::from(position > closed.end)
    })
}

/// Takes values into the one sum that reads them.
fn absorb(drafts: &mut [Draft]) {
    for index in 0..drafts.len() {
        let draft = &drafts[index];
        let &[(user, 0)] = draft.uses.as_slice() else {
            continue;
        };
        let price = |draft: &Draft| draft.node.refresh.unwrap_or(f64::INFINITY);
        let plain = draft.node.least.is_none()
            && draft.node.stores.is_empty()
            && draft.node.reads.is_none()
            && !draft.node.renewed
            && !draft.operands.is_empty();
        if !plain || drafts[user].node.renewed || price(&drafts[user]) > price(draft) {
            continue;
        }
        let operands = std::mem::take(&mut drafts[index].operands);
        let work = std::mem::take(&mut drafts[index].node.work);
        drafts[index].absorbed = true;
        let kind = drafts[index].kind;
        let sum = &mut drafts[user];
        sum.kind = hash(&(sum.kind, kind));
        sum.operands.retain(|&(operand, _)| operand != index);
        sum.node
            .work
            .iter_mut()
            .zip(&work)
            .for_each(|(sum, own)| *sum += own);
        for edge in operands {
            if !drafts[user].operands.contains(&edge) {
                drafts[user].operands.push(edge);
            }
            let uses = &mut drafts[edge.0].uses;
            uses.retain(|&(other, _)| other != index);
            if !uses.contains(&(user, edge.1)) {
                uses.push((user, edge.1));
            }
        }
    }
}

/// A number for each value, the same for those that play the same part.
fn classes(drafts: &[Draft]) -> Vec<u64> {
    let mut classes: Vec<u64> = drafts
        .iter()
        .map(|draft| hash(&(draft.kind, draft.node.least, &draft.node.stores)))
        .collect();
    let distinct = |classes: &[u64]| {
        let mut sorted = classes.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len()
    };
    let mut count = distinct(&classes);
    loop {
        let around = |edges: &[(usize, u32)]| {
            let mut seen: Vec<(u64, u32)> = edges
                .iter()
                .map(|&(node, levels)| (classes[node], levels))
                .collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        let finer = drafts
            .iter()
            .zip(&classes)
            .map(|(draft, class)| hash(&(class, around(&draft.uses), around(&draft.operands))));
        let finer: Vec<u64> = finer.collect();
        let more = distinct(&finer);
        classes = finer;
        if more == count {
            return classes;
        }
        count = more;
    }
}

/// The same in every run: the hasher has no seed of its own.
fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
