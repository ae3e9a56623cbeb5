//! Predicted time: the elementary work of every operation, counted, times what the target takes for it.

use crate::ir::{CipherType, ClosedLoop, Graph, OpData, Opcode, Type};
use crate::target::Target;

/// What the time of an operation depends on beside its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CostModel {
    /// The machine.
    pub target: Target,
    /// log2 N.
    pub log_n: u32,
    /// K, the number of special primes.
    pub special: u32,
    /// α, limbs of a digit.
    pub digit_limbs: u32,
}

/// Elementary work of an operation, in words unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Work {
    /// Limbs transformed.
    transforms: f64,
    multiply: f64,
    add: f64,
    convert: f64,
    permute: f64,
    copy: f64,
    read: f64,
    /// Vectors encoded.
    encodings: f64,
}

/// Predicted time of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Seconds for everything.
    pub seconds: f64,
    /// Relinearisations and rotations: products with a switching key.
    pub key_switches: u32,
    /// Decompositions, those inside rotations and relinearisations included.
    pub decompositions: u32,
    /// Products of two ciphertexts.
    pub products: u32,
}

impl CostModel {
    /// Time of a program without regions; constants of a closed loop are encoded once.
    pub fn graph(&self, graph: &Graph) -> Cost {
        let mut cost = Cost::default();
        let order = graph.walk();
        let closed = ClosedLoop::find(graph, &order);
        for (position, &op) in order.iter().enumerate() {
            let op = graph.op(op);
            use Opcode::*;
            let times = match op.opcode {
                CkksEncode => 1,
                _ => ClosedLoop::times(closed.as_ref(), position),
            };
            cost.seconds += f64::from(times) * self.op(graph, op);
            cost.key_switches += times * u32::from(matches!(op.opcode, CkksRelinearize | CkksRotate | CkksRotateAcc));
            cost.decompositions +=
                times * u32::from(matches!(op.opcode, CkksRelinearize | CkksRotate | CkksDecompose));
            cost.products += times * u32::from(matches!(op.opcode, CkksMul | CkksMulAcc | CkksSquare));
        }
        cost
    }

    /// Seconds of one operation.
    pub fn op(&self, graph: &Graph, op: &OpData) -> f64 {
        let work = self.work(graph, op);
        let n = 2f64.powi(self.log_n as i32);
        let target = &self.target;
        let butterflies = 0.5 * n * f64::from(self.log_n);
        let nanoseconds = work.transforms * butterflies * target.butterfly
            + work.encodings * butterflies * target.encode
            + n * (work.multiply * target.multiply
                + work.add * target.add
                + work.convert * target.convert
                + work.permute * target.permute
                + work.copy * target.copy
                + work.read * target.read);
        nanoseconds * 1e-9 / target.speedup()
    }

    /// Work in limbs: every field but `encodings` counts limbs of N words.
    fn work(&self, graph: &Graph, op: &OpData) -> Work {
        use Opcode::*;
        let ty = |index: usize| op.operands.get(index).map(|&value| graph.ty(value));
        let level = match op.results.first().map(|&result| graph.ty(result)) {
            Some(Type::Cipher(CipherType { level, .. }) | Type::Digits { level, .. }) => *level,
            Some(Type::Plain(plain)) => plain.level,
            _ => match ty(0) {
                Some(Type::Cipher(ty)) => ty.level,
                _ => 0,
            },
        };
        let degree = match ty(0) {
            Some(Type::Cipher(ty)) => f64::from(ty.degree),
            _ => 1.0,
        };
        let limbs = f64::from(level + 1);
        let raised = limbs + f64::from(self.special);
        let digits = f64::from((level + 1).div_ceil(self.digit_limbs.max(1)));
        let linear = (degree + 1.0) * limbs;
        match op.opcode {
            CkksInput => Work {
                read: 2.0 * limbs,
                ..Work::default()
            },
            CkksEncode => Work {
                encodings: 1.0,
                transforms: limbs,
                ..Work::default()
            },
            CkksAdd | CkksSub | CkksNeg => Work {
                add: linear,
                ..Work::default()
            },
            CkksAddPlain | CkksAddScalar => Work {
                add: limbs,
                ..Work::default()
            },
            CkksMulPlain | CkksMulPlainAcc | CkksMulScalar | CkksMulI => Work {
                multiply: linear,
                ..Work::default()
            },
            CkksMul | CkksMulAcc => Work {
                multiply: 4.0 * limbs,
                ..Work::default()
            },
            CkksSquare => Work {
                multiply: 3.0 * limbs,
                ..Work::default()
            },
            CkksRescale => Work {
                transforms: (degree + 1.0) * (limbs + 1.0),
                multiply: linear,
                ..Work::default()
            },
            CkksDrop | CkksOutput => Work {
                copy: linear,
                ..Work::default()
            },
            CkksDecompose => Self::decompose(limbs, raised, digits),
            CkksRotateAcc => Self::inner_product(raised, digits),
            CkksLiftAcc => Work {
                multiply: 2.0 * limbs,
                ..Work::default()
            },
            CkksModDown => self.mod_down(limbs),
            CkksRelinearize | CkksRotate => Self::decompose(limbs, raised, digits)
                .plus(Self::inner_product(raised, digits))
                .plus(self.mod_down(limbs)),
            _ => Work::default(),
        }
    }

    fn decompose(limbs: f64, raised: f64, digits: f64) -> Work {
        // Each limb is transformed back once; every digit goes to all the other limbs and forward again.
        let own = limbs / digits;
        Work {
            transforms: limbs + digits * (raised - own),
            convert: limbs * (raised - own),
            copy: limbs,
            ..Work::default()
        }
    }

    fn inner_product(raised: f64, digits: f64) -> Work {
        Work {
            multiply: 2.0 * digits * raised,
            permute: (digits + 1.0) * raised,
            ..Work::default()
        }
    }

    fn mod_down(&self, limbs: f64) -> Work {
        let special = f64::from(self.special);
        Work {
            transforms: 2.0 * (special + limbs),
            convert: 2.0 * special * limbs,
            multiply: 2.0 * limbs,
            ..Work::default()
        }
    }
}

impl Work {
    fn plus(self, other: Self) -> Self {
        Self {
            transforms: self.transforms + other.transforms,
            multiply: self.multiply + other.multiply,
            add: self.add + other.add,
            convert: self.convert + other.convert,
            permute: self.permute + other.permute,
            copy: self.copy + other.copy,
            read: self.read + other.read,
            encodings: self.encodings + other.encodings,
        }
    }
}
