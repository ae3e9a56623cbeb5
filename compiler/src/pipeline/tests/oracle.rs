//! What the reference computes, what packed vectors and plans compute, and how far they are apart.

use super::*;

/// Deterministic data in [low, high].
pub(super) fn data(name: &str, step: usize, count: usize, low: f64, high: f64) -> Vec<f64> {
    let mut state = name.bytes().fold(step as u64 + 1, |state, byte| {
        state.wrapping_mul(131).wrapping_add(u64::from(byte))
    });
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            low + (high - low) * ((state >> 33) as f64 / 2f64.powi(31))
        })
        .collect()
}

/// The data of every source: what the reference and the programs are given.
struct Sources {
    ranges: BTreeMap<String, (usize, (f64, f64))>,
}

impl Sources {
    fn of(packed: &Packed) -> Self {
        let is_given = |port: &&Port| port.is_source() && port.kind != PortKind::State;
        let sources = packed.ports.iter().filter(is_given);
        let ranges = sources.map(|port| {
            let count = port.shape.iter().map(|&extent| extent as usize).product();
            (port.name.clone(), (count, port.range.expect("declared")))
        });
        Self {
            ranges: ranges.collect(),
        }
    }

    fn elements(&self, name: &str, step: usize) -> Option<Vec<f64>> {
        self.ranges
            .get(name)
            .map(|&(count, (low, high))| data(name, step, count, low, high))
    }

    /// The numbers of a tile of a port.
    fn tile(&self, port: &Port, tile: u32, step: usize) -> Vec<f64> {
        let values = self.elements(&port.name, step).expect("known");
        let mut slots = vec![0.0; view(port).numbers()];
        view(port)
            .pack_tile(&values, &port.shape, tile, &mut slots)
            .expect("fits");
        slots
    }
}

pub(super) fn view(port: &Port) -> LayoutView {
    let layout = &port.layout;
    LayoutView::new(
        layout.slots,
        layout.tiles,
        layout.factor,
        layout.dims.iter().copied(),
        layout.repeats.iter().copied(),
    )
}

/// Largest difference between what a program wrote and the reference.
pub(super) fn difference(graph: &Graph, packed: &Packed, outputs: &slot::Outputs) -> f64 {
    difference_after(graph, packed, outputs, None)
}

/// The largest difference from the reference after an epoch, or at the end.
pub(super) fn difference_after(
    graph: &Graph,
    packed: &Packed,
    outputs: &slot::Outputs,
    epoch: Option<usize>,
) -> f64 {
    let sources = Sources::of(packed);
    let inputs: BTreeMap<String, Vec<f64>> = sources
        .ranges
        .keys()
        .map(|name| (name.clone(), sources.elements(name, 0).expect("known")))
        .collect();
    let mut batches = |name: &str, step: usize| sources.elements(name, step);
    let outcome = Reference::new(graph)
        .run(&inputs, &mut batches, Length { steps: 1, epochs: 1 })
        .expect("interpretable");
    let mut worst = 0.0f64;
    for (index, port) in packed
        .ports
        .iter()
        .enumerate()
        .filter(|(_, port)| !port.is_source())
    {
        let wanted = if let Some(epoch) = epoch {
            &outcome.epochs[epoch][&port.name].values
        } else if port.kind == PortKind::Output {
            &outcome.outputs[&port.name].values
        } else {
            let reveal = outcome.reveals.iter().find(|(name, _)| *name == port.name);
            &reveal.expect("revealed").1.values
        };
        let mut found = vec![f64::NAN; wanted.len()];
        for (_, tile, slots) in outputs.iter().filter(|(of, _, _)| *of == index as u32) {
            view(port)
                .unpack_tile(slots, &port.shape, *tile, &mut found)
                .expect("fits");
        }
        for (found, wanted) in found.iter().zip(wanted) {
            assert!(!found.is_nan(), "{} is not written", port.name);
            worst = worst.max((found - wanted).abs());
        }
    }
    worst
}

pub(super) fn run_slots(packed: &Packed) -> slot::Outputs {
    let sources = Sources::of(packed);
    slot::evaluate(&packed.graph, |port, tile, step| {
        sources.tile(&packed.ports[port as usize], tile, step.unwrap_or(0) as usize)
    })
}

/// Runs a plan's instructions on numbers, buffer by buffer: what the executor would do without noise. A buffer holds the real parts
/// of the slots, then the imaginary ones.
pub(super) fn run_plan(packed: &Packed, plan: &PlanData) -> slot::Outputs {
    let sources = Sources::of(packed);
    let slots = 1usize << (plan.parameters.log_n - 1);
    let turns: BTreeMap<u32, usize> = (0..slots)
        .map(|by| {
            (
                cipherloom_ring::automorphism::galois_element(u32::from(plan.parameters.log_n), by as i64),
                by,
            )
        })
        .collect();
    let mut buffers: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    let mut outputs = slot::Outputs::new();
    let mut step = 0usize;
    let zip = |a: &[f64], b: &[f64], combine: fn(f64, f64) -> f64| -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| combine(a, b)).collect()
    };
    let times = |a: &[f64], b: &[f64]| -> Vec<f64> {
        let ((a, c), (b, d)) = (a.split_at(slots), b.split_at(slots));
        let part = |[p, q]: [&[f64]; 2], [r, s]: [&[f64]; 2], sign: f64| -> Vec<f64> {
            (0..slots)
                .map(|slot| p[slot] * q[slot] + sign * r[slot] * s[slot])
                .collect()
        };
        [part([a, b], [c, d], -1.0), part([a, d], [c, b], 1.0)].concat()
    };
    let both = |mut numbers: Vec<f64>| {
        numbers.resize(2 * slots, 0.0);
        numbers
    };
    let conjugation = (4 * slots - 1) as u32;
    let mut states: BTreeMap<(u32, u32), Vec<f64>> = BTreeMap::new();
    let mut loops: Vec<(usize, u32)> = Vec::new();
    let mut next = 0;
    while let Some(instruction) = plan.instructions.get(next) {
        next += 1;
        let get = |buffer: u32| buffers[&buffer].clone();
        let scalar = || match plan.scalars[instruction.b as usize].values.as_slice() {
            [value] => *value,
            values => values[step - 1],
        };
        let turned = || {
            let KeyKind::Galois(element) = plan.keys[instruction.b as usize].kind else {
                panic!("no rotation key")
            };
            let source = get(instruction.a);
            let (re, im) = source.split_at(slots);
            if element == conjugation {
                return [re.to_vec(), im.iter().map(|im| -im).collect()].concat();
            }
            let turn = |part: &[f64]| -> Vec<f64> {
                (0..slots)
                    .map(|slot| part[(slot + turns[&element]) % slots])
                    .collect()
            };
            [turn(re), turn(im)].concat()
        };
        let onto = |term: Vec<f64>| {
            if instruction.init() {
                term
            } else {
                zip(&get(instruction.dst), &term, |a, b| a + b)
            }
        };
        let result = match instruction.op {
            Op::Step => {
                step += 1;
                continue;
            }
            Op::Loop => {
                loops.push((next, instruction.a - 1));
                continue;
            }
            Op::End => {
                let (body, left) = loops.pop().expect("an open loop");
                if left > 0 {
                    loops.push((body, left - 1));
                    next = body;
                }
                continue;
            }
            Op::StateLoad => states[&(instruction.a, instruction.b)].clone(),
            Op::StateStore => {
                states.insert((instruction.b, u32::from(instruction.aux)), get(instruction.a));
                continue;
            }
            Op::Input => both(sources.tile(&packed.ports[instruction.a as usize], instruction.b, 0)),
            Op::Stream => both(sources.tile(&packed.ports[instruction.a as usize], instruction.b, step - 1)),
            Op::Output | Op::Reveal => {
                let real = get(instruction.a)[..slots].to_vec();
                outputs.push((instruction.b, u32::from(instruction.aux), real));
                continue;
            }
            Op::Epoch | Op::Checkpoint => continue,
            Op::Encode => match &plan.constants[instruction.a as usize].kind {
                ConstantKind::Boxes { value, offset, dims } => both(
                    Contents::Boxes {
                        value: *value,
                        offset: *offset,
                        dims: dims.clone(),
                    }
                    .expand(slots),
                ),
                ConstantKind::Slots { values } => {
                    both(Contents::Slots(values.as_slice().into()).expand(slots))
                }
                ConstantKind::Fourier(_) => panic!("complex constants have no clear form here"),
            },
            Op::Add | Op::AddPlain => zip(&get(instruction.a), &get(instruction.b), |a, b| a + b),
            Op::Sub | Op::SubPlain => zip(&get(instruction.a), &get(instruction.b), |a, b| a - b),
            Op::Neg => get(instruction.a).iter().map(|a| -a).collect(),
            Op::Mul | Op::MulPlain => times(&get(instruction.a), &get(instruction.b)),
            Op::Square => times(&get(instruction.a), &get(instruction.a)),
            Op::MulAcc | Op::MulPlainAcc => onto(times(&get(instruction.a), &get(instruction.b))),
            Op::MulI => {
                let value = get(instruction.a);
                let (re, im) = value.split_at(slots);
                [im.iter().map(|im| -im).collect(), re.to_vec()].concat()
            }
            Op::AddScalar => {
                let mut value = get(instruction.a);
                value[..slots].iter_mut().for_each(|re| *re += scalar());
                value
            }
            Op::MulScalar => get(instruction.a).iter().map(|a| a * scalar()).collect(),
            Op::Rotate => turned(),
            Op::RotateAcc => onto(turned()),
            Op::LiftAcc => onto(get(instruction.a)),
            Op::Rescale | Op::Drop | Op::Decompose | Op::ModDown | Op::ModDownRescale => get(instruction.a),
            Op::Relinearize | Op::RelinearizeRescale | Op::Trivial => get(instruction.a),
            op => panic!("{op:?} is not expected"),
        };
        buffers.insert(instruction.dst, result);
    }
    outputs
}
