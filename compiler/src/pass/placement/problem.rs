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
use crate::analysis::parts::Part;
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

/// An operation's result, before equal ones become one node.
struct Draft {
    value: Value,
    /// What it reads, with levels.
    operands: Vec<(usize, u32)>,
    /// The one that reads it and the levels that this takes, if there is but one.
    reader: Reader,
    node: Node,
    /// What it must share with others to be one with them.
    kind: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Reader {
    None,
    One(usize, u32),
    Many,
}

/// Reduces a program; with `any`, values without a bound can be refreshed too. Only real ones ever can.
pub fn reduce(
    graph: &Graph,
    bounds: &[Option<f64>],
    parts: &[Part],
    setting: &Setting,
    any: bool,
) -> Reduced {
    let mut states: Vec<i64> = Vec::new();
    let can_be_refreshed: Vec<bool> = bounds
        .iter()
        .zip(parts)
        .map(|(bound, &part)| part == Part::Real && (any || bound.is_some()))
        .collect();
    let drafts = absorb(drafts(graph, &can_be_refreshed, setting, &mut states));
    let classes = classes(&drafts);
    // Classes in the order of their first members, which is an order of the program.
    let mut nodes: Vec<Node> = Vec::new();
    let mut members: Vec<Vec<Value>> = Vec::new();
    let mut number: BTreeMap<u64, usize> = BTreeMap::new();
    for (draft, class) in drafts.iter().zip(&classes) {
        let index = *number.entry(*class).or_insert(nodes.len());
        if index == nodes.len() {
            nodes.push(draft.node.clone());
            members.push(Vec::new());
        } else {
            let works = nodes[index].work.iter_mut().zip(&draft.node.work);
            works.for_each(|(sum, own)| *sum += own);
        }
        members[index].push(draft.value);
        for &(operand, levels) in &draft.operands {
            nodes[number[&classes[operand]]].uses.push((index, levels));
        }
    }
    for (node, members) in nodes.iter_mut().zip(&members) {
        let shared = setting.bootstraps(members.len()) / setting.bootstrap;
        node.refresh = node.refresh.map(|one| one * shared);
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

fn drafts(graph: &Graph, can_be_refreshed: &[bool], setting: &Setting, states: &mut Vec<i64>) -> Vec<Draft> {
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
        let refresh = can_be_refreshed[result.index()] && !renewed && !is_input;
        let price = setting.bootstrap
            * if op.attributes.contains_key("bound") {
                1.0
            } else {
                DERIVED
            };
        let index = drafts.len();
        let mut draft = Draft {
            value: result,
            operands: Vec::new(),
            reader: Reader::None,
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
            kind: 0,
        };
        for &operand in op.operands.iter().filter_map(|operand| index_of.get(operand)) {
            let edge = (operand, u32::from(takes_level(op)));
            if !draft.operands.contains(&edge) {
                draft.operands.push(edge);
                let reader = &mut drafts[operand].reader;
                *reader = match reader {
                    Reader::None => Reader::One(index, edge.1),
                    _ => Reader::Many,
                };
                if renewed {
                    let least = &mut drafts[operand].node.least;
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
fn absorb(mut drafts: Vec<Draft>) -> Vec<Draft> {
    let price = |draft: &Draft| draft.node.refresh.unwrap_or(f64::INFINITY);
    let into: Vec<Option<usize>> = drafts
        .iter()
        .map(|draft| match draft.reader {
            Reader::One(user, 0) => {
                let node = &draft.node;
                let plain = node.least.is_none()
                    && node.stores.is_empty()
                    && node.reads.is_none()
                    && !node.renewed
                    && !draft.operands.is_empty();
                let sum = &drafts[user];
                (plain && !sum.node.renewed && price(sum) <= price(draft)).then_some(user)
            }
            _ => None,
        })
        .collect();
    // Later ones are in place before those that they read are taken in; what is kept moves up.
    let mut place = vec![0; drafts.len()];
    let mut kept = 0;
    for (index, into) in into.iter().enumerate() {
        place[index] = kept;
        kept += usize::from(into.is_none());
    }
    for (index, into) in into.iter().enumerate().rev() {
        if let Some(user) = into {
            place[index] = place[*user];
        }
    }
    for (index, into) in into.iter().enumerate() {
        if let Some(user) = *into {
            let operands = std::mem::take(&mut drafts[index].operands);
            let work = std::mem::take(&mut drafts[index].node.work);
            let kind = drafts[index].kind;
            let sum = &mut drafts[user];
            sum.kind = hash(&(sum.kind, kind));
            sum.operands.extend(operands);
            sum.node
                .work
                .iter_mut()
                .zip(&work)
                .for_each(|(sum, own)| *sum += own);
        }
    }
    let kept = drafts
        .into_iter()
        .enumerate()
        .filter(|(index, _)| into[*index].is_none());
    kept.map(|(index, mut draft)| {
        draft.operands = draft
            .operands
            .iter()
            .map(|&(operand, levels)| (place[operand], levels))
            .collect();
        draft.operands.retain(|&(operand, _)| operand != place[index]);
        draft.operands.sort_unstable();
        draft.operands.dedup();
        draft
    })
    .collect()
}

/// A number for each value, the same for those that play the same part.
fn classes(drafts: &[Draft]) -> Vec<u64> {
    let mut users: Vec<Vec<(usize, u32)>> = vec![Vec::new(); drafts.len()];
    for (index, draft) in drafts.iter().enumerate() {
        for &(operand, levels) in &draft.operands {
            users[operand].push((index, levels));
        }
    }
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
    let mut seen: Vec<(u64, u32)> = Vec::new();
    loop {
        let mut around = |edges: &[(usize, u32)]| {
            seen.clear();
            seen.extend(edges.iter().map(|&(node, levels)| (classes[node], levels)));
            seen.sort_unstable();
            seen.dedup();
            hash(&seen)
        };
        let finer = drafts.iter().zip(&users).zip(&classes);
        let finer: Vec<u64> = finer
            .map(|((draft, users), class)| hash(&(class, around(users), around(&draft.operands))))
            .collect();
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
