//! Which switching keys a program needs, up to which level, and how often.

use std::collections::BTreeMap;

use cipherloom_plan::{Key, KeyKind};
use cipherloom_ring::automorphism::{conjugation_element, galois_element};

use crate::ir::{ClosedLoop, Graph, OpData, Opcode, Type};

/// The key that an operation multiplies with, if it does: none for a rotation by nothing.
pub fn key_of(log_n: u32, op: &OpData) -> Option<KeyKind> {
    match op.opcode {
        Opcode::CkksRelinearize | Opcode::CkksRelinearizeRescale => Some(KeyKind::Relinearise),
        Opcode::CkksSwitchSecret if op.text("to") == Some("sparse") => Some(KeyKind::ToSparse),
        Opcode::CkksSwitchSecret => Some(KeyKind::FromSparse),
        Opcode::CkksRotate | Opcode::CkksRotateAcc if op.flag("conjugate") => {
            Some(KeyKind::Galois(conjugation_element(log_n)))
        }
        Opcode::CkksRotate | Opcode::CkksRotateAcc => {
            Some(KeyKind::Galois(galois_element(log_n, op.int("by").unwrap_or(0))))
        }
        _ => None,
    }
}

/// The keys by kind, each capped at the highest level of its uses.
pub fn keys(graph: &Graph, log_n: u32) -> Vec<Key> {
    let mut keys: BTreeMap<KeyKind, Key> = BTreeMap::new();
    let order = graph.walk();
    let closed = ClosedLoop::find(graph, &order);
    for (position, &op) in order.iter().enumerate() {
        let op = graph.op(op);
        let (Some(kind), Some(&result)) = (key_of(log_n, op), op.results.first()) else {
            continue;
        };
        let Type::Cipher(ty) = graph.ty(result) else {
            continue;
        };
        let key = keys.entry(kind).or_insert(Key {
            kind,
            level: 0,
            uses: 0,
        });
        // A key works on its operand, which a rescale leaves a level higher.
        let level = ty.level + u32::from(op.opcode == Opcode::CkksRelinearizeRescale);
        key.level = key.level.max(level as u8);
        key.uses += ClosedLoop::times(closed.as_ref(), position);
    }
    keys.into_values().collect()
}
