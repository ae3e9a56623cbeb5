//! Plans that do nothing but bootstrap: what it takes, what it leaves, how exact it is.

use cipherloom_plan::data::{Layout, LayoutDim};
use cipherloom_plan::{PortKind, Repeat};

use crate::diagnostic::Diagnostic;
use crate::dialect::slot::Vectors;
use crate::emit::Claims;
use crate::ir::{Builder, Value};
use crate::params::search::{self, Choice, Space};
use crate::params::{BootstrapSet, Bootstrapping};
use crate::pass::layout::{Packed, Port};
use crate::pipeline::backend;
use crate::source::Span;
use crate::target::Target;

/// Keys of a bootstrap alone should not take more than this.
const KEY_BYTES: u64 = 7_000_000_000;

/// What to bootstrap.
#[derive(Clone, Debug)]
pub struct Study {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// log2 of the slots of a vector.
    pub log_slots: u32,
    /// Whether vectors are complex; then there is a second input and output for the imaginary parts.
    pub complex: bool,
    /// Vectors, each by itself.
    pub vectors: u32,
    /// How often each, one time after the other.
    pub rounds: u32,
    /// How.
    pub bootstrapping: Bootstrapping,
    /// log2 of the scale.
    pub log_scale: u32,
    /// Allows any modulus.
    pub toy: bool,
    /// Threads assumed when time is predicted.
    pub threads: u32,
}

impl Study {
    /// One bootstrap of one vector with a set, at full security.
    pub fn of(set: &BootstrapSet) -> Self {
        Self {
            log_n: set.log_n,
            log_slots: set.log_slots,
            complex: set.complex,
            vectors: 1,
            rounds: 1,
            bootstrapping: set.bootstrapping,
            log_scale: set.log_scale,
            toy: false,
            threads: 1,
        }
    }

    /// The program: port `x` (and `x_imaginary`) in [−1, 1], of shape \[vectors, slots\], to port `y` (and `y_imaginary`).
    /// More rounds than one are a loop over carried vectors.
    fn packed(&self) -> Packed {
        let slots = 1u32 << (self.log_n - 1);
        let mut vectors = Vectors::new("bootstrap", slots);
        let parts = if self.complex { 2 } else { 1 };
        let (state, first_output) = (parts, parts + 1);
        let bootstrap = |vectors: &mut Vectors, x: Value| {
            let y = vectors.bootstrap_repeated(x, 1.0, 1 << self.log_slots);
            if self.complex {
                vectors.note_complex(y);
            }
            y
        };
        let loops = self.rounds > 1;
        let mut results = Vec::new();
        for tile in 0..self.vectors {
            let mut x = vectors.input(0, tile, None);
            if self.complex {
                let imaginary = vectors.input(1, tile, None);
                let imaginary = vectors.mul_i(imaginary, 1);
                x = vectors.add(x, imaginary);
            }
            if loops {
                vectors.store(state, tile, x);
            } else {
                results.push(bootstrap(&mut vectors, x));
            }
        }
        if loops {
            vectors.step(Builder::attributes([
                ("index", 0u32.into()),
                ("count", self.rounds.into()),
            ]));
            for tile in 0..self.vectors {
                let x = vectors.state(state, tile);
                let y = bootstrap(&mut vectors, x);
                vectors.store(state, tile, y);
            }
            vectors.end();
            results = (0..self.vectors).map(|tile| vectors.state(state, tile)).collect();
        }
        for (tile, &y) in (0..).zip(&results) {
            vectors.output(first_output, tile, y);
            if self.complex {
                let imaginary = vectors.mul_i(y, -1);
                vectors.output(first_output + 1, tile, imaginary);
            }
        }
        let port = |name: &str, kind: PortKind| {
            let count = 1u32 << self.log_slots;
            let repeats = Repeat {
                count: slots / count,
                stride: count,
            };
            Port {
                name: name.to_owned(),
                kind,
                shape: vec![self.vectors, count],
                layout: Layout {
                    slots,
                    tiles: self.vectors,
                    dims: vec![LayoutDim::blocks(1, 0, 1), LayoutDim::blocks(count, 1, 0)],
                    repeats: if count < slots { vec![repeats] } else { Vec::new() },
                    factor: 1.0,
                },
                range: Some((-1.0, 1.0)),
                one_hot: false,
                span: Span::none(),
            }
        };
        let names = [("x", PortKind::Input), ("x_imaginary", PortKind::Input)];
        let results = [("y", PortKind::Output), ("y_imaginary", PortKind::Output)];
        let parts = parts as usize;
        let carried = [("carried", PortKind::State)];
        let ports = names[..parts].iter().chain(&carried).chain(&results[..parts]);
        Packed {
            graph: vectors.graph,
            ports: ports.map(|&(name, kind)| port(name, kind)).collect(),
        }
    }

    /// The parameters, and what is predicted for them.
    pub fn choice(&self) -> Result<Choice, Diagnostic> {
        self.choose(&self.packed())
    }

    /// The plan and the parameters that it was made with.
    pub fn plan(&self) -> Result<(Vec<u8>, Choice), Diagnostic> {
        let packed = self.packed();
        let mut choice = self.choose(&packed)?;
        let claims = Claims {
            word_bits: 64,
            toy: choice.security_bits == 0,
            steps: if self.rounds > 1 { self.rounds } else { 0 },
        };
        let (_, plan) = backend::finish(&packed, &mut choice, claims, u64::MAX)?;
        Ok((plan, choice))
    }

    fn choose(&self, packed: &Packed) -> Result<Choice, Diagnostic> {
        let space = Space {
            log_n: self.log_n,
            log_scale: Some(self.log_scale),
            word_bits: 64,
            precision: 1.0,
            key_bytes: KEY_BYTES,
            toy: self.toy,
            target: Target::server(self.threads),
            bootstrapping: self.bootstrapping,
            placement: None,
        };
        search::run(packed, &space)
    }
}

/// Parameters that were compared, with what they are expected to take and leave.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The parameters.
    pub bootstrapping: Bootstrapping,
    /// Predicted seconds of a bootstrap and of encoding its plaintexts.
    pub seconds: f64,
    /// Bytes of all keys, expanded.
    pub key_bytes: u64,
    /// log2 of QP.
    pub modulus_bits: f64,
    /// α.
    pub digit_limbs: u32,
    /// Predicted error of values in [−1, 1].
    pub error: f64,
    /// log2 of the probability of a failure.
    pub log2_failure: f64,
}

impl Candidate {
    /// What parameters are compared by: predicted seconds for each level that they leave.
    pub fn seconds_per_level(&self) -> f64 {
        self.seconds / f64::from(self.bootstrapping.usable.max(1))
    }
}

/// All parameters that are secure at a study's ring degree, precise to 2^−16 and fail with a probability of at most 2^−60, by predicted
/// time per usable level: factors of both transforms, shapes of EvalMod and numbers of levels left. Its own `bootstrapping`
/// does not matter.
pub fn search_parameters(study: &Study) -> Vec<Candidate> {
    const LEAST_PRECISE: f64 = 1.0 / 65536.0;
    const MOST_LIKELY: f64 = -60.0;
    let mut candidates = Vec::new();
    for shape in Bootstrapping::alternatives() {
        for usable in 1.. {
            let bootstrapping = Bootstrapping { usable, ..shape };
            let study = Study {
                bootstrapping,
                ..study.clone()
            };
            // More levels need a larger modulus: none fits after the first that does not.
            let Ok(choice) = study.choice() else { break };
            let candidate = Candidate {
                bootstrapping,
                seconds: choice.cost.seconds,
                key_bytes: choice.key_bytes,
                modulus_bits: choice.modulus_bits(),
                digit_limbs: choice.digit_limbs,
                error: choice.errors.iter().copied().fold(0.0, f64::max),
                log2_failure: bootstrapping.log2_failure(study.log_slots, study.complex),
            };
            if candidate.error <= LEAST_PRECISE && candidate.log2_failure <= MOST_LIKELY {
                candidates.push(candidate);
            }
        }
    }
    candidates.sort_by(|a, b| a.seconds_per_level().total_cmp(&b.seconds_per_level()));
    candidates
}
