//! The rules for records, section by section: every index, level and count is in range, so that readers need not look again.

mod instructions;

use crate::error::PlanError;
use crate::format::{
    CONSTANT_BOXES, CONSTANT_FOURIER, CONSTANT_SLOTS, ConstantRecord, KEY_FROM_SPARSE, KEY_GALOIS,
    KEY_RELINEARISE, KEY_TO_SPARSE, ParametersRecord, PortRecord, Section,
};
use crate::fourier::Fourier;
use crate::model::{LayoutDim, MAX_PRIMES, MAX_RANK, MAX_REPEATS, PortKind, Repeat};
use crate::record::Table;
use crate::view::Plan;

/// Ring degrees from 2^3 (tests) to 2^17.
const LOG_N: core::ops::RangeInclusive<u8> = 3..=17;
/// Names are for people, and ports are found by walking through them.
const MAX_PORTS: usize = 4096;
/// A store names its tile in 16 bits.
const MAX_TILES: u32 = 1 << 16;
/// Where the arena must end; sums of sizes then stay far below 2^64.
const MAX_ARENA_WORDS: u64 = 1 << 48;

/// A record whose rules are being checked.
#[derive(Clone, Copy)]
struct Checked {
    section: Section,
    index: u32,
}

impl Checked {
    /// The record must keep this rule.
    fn must(self, holds: bool, rule: &'static str) -> Result<(), PlanError> {
        if holds {
            Ok(())
        } else {
            Err(PlanError::Record {
                section: self.section,
                index: self.index,
                rule,
            })
        }
    }
}

/// The records of a section, each with its rules to check.
fn each<T>(section: Section, records: impl Iterator<Item = T>) -> impl Iterator<Item = (Checked, T)> {
    (0..).map(move |index| Checked { section, index }).zip(records)
}

/// How much of the pools is taken: the owners' parts follow each other without gaps.
struct Pools {
    names: u32,
    repeats: u32,
    values: u32,
}

/// Takes the next part of a pool; whether it begins where the part before it ended, and exists.
fn follows(end: &mut u32, first: u32, count: u32, pool: usize) -> bool {
    let follows = first == *end;
    *end = end.saturating_add(count);
    follows && *end as usize <= pool
}

impl Plan<'_> {
    /// Checks every record.
    pub(crate) fn check_records(&self) -> Result<(), PlanError> {
        self.check_parameters()?;
        let mut pools = Pools {
            names: self.parameters.name_bytes,
            repeats: 0,
            values: 0,
        };
        self.check_ports(&mut pools)?;
        self.check_keys()?;
        self.check_constants(&mut pools)?;
        self.check_scalars(&mut pools)?;
        for (section, taken, length) in [
            (Section::Names, pools.names, self.names.len()),
            (Section::Repeats, pools.repeats, self.repeats.len()),
            (Section::Values, pools.values, self.values.len()),
        ] {
            let all = Checked {
                section,
                index: taken,
            };
            all.must(
                taken as usize == length,
                "every record belongs to a record of another section",
            )?;
        }
        for (value, number) in each(Section::Values, self.values.iter()) {
            value.must(number.is_finite(), "values are finite")?;
        }
        for (buffer, range) in each(Section::Buffers, self.buffers.iter()) {
            buffer.must(range.words > 0, "a buffer has at least one word")?;
            buffer.must(range.end() <= MAX_ARENA_WORDS, "the arena has at most 2^48 words")?;
        }
        self.check_instructions()?;
        self.check_spans()
    }

    fn check_parameters(&self) -> Result<(), PlanError> {
        let ParametersRecord {
            word_bits,
            log_n,
            digit_limbs,
            toy,
            q_count,
            p_count,
            log_scale,
            ephemeral_weight,
            ..
        } = self.parameters;
        let parameters = Checked {
            section: Section::Parameters,
            index: 0,
        };
        parameters.must(word_bits == 32 || word_bits == 64, "words have 32 or 64 bits")?;
        parameters.must(LOG_N.contains(&log_n), "the ring degree is between 2^3 and 2^17")?;
        parameters.must(q_count >= 1, "the modulus chain has at least one prime")?;
        let primes = usize::from(q_count) + usize::from(p_count);
        let counts_fit = primes <= MAX_PRIMES && primes == self.primes.len();
        parameters.must(
            counts_fit,
            "the prime counts are those of section primes, at most 64 together",
        )?;
        parameters.must(digit_limbs >= 1, "a digit has at least one limb")?;
        parameters.must(toy <= 1, "the toy mark is 0 or 1")?;
        let scale_fits = log_scale.is_finite() && log_scale > 0.0 && log_scale <= 120.0;
        parameters.must(scale_fits, "log2 of the nominal scale is in (0, 120]")?;
        parameters.must(
            ephemeral_weight <= 1 << log_n,
            "the ephemeral secret's weight is at most N",
        )?;
        let name_exists = self.names.get(..self.parameters.name_bytes as usize).is_some();
        parameters.must(name_exists, "the plan's name is a part of section names")?;

        let estimates = Checked {
            section: Section::Estimates,
            index: 0,
        };
        let times = [self.estimates.seconds, self.estimates.seconds_per_step];
        estimates.must(
            times.iter().all(|&seconds| is_size(seconds)),
            "times are finite and not negative",
        )?;
        estimates.must(
            is_size(-self.estimates.bootstrap_log2_failure),
            "the logarithm of a probability is finite and not positive",
        )
    }

    fn check_ports(&self, pools: &mut Pools) -> Result<(), PlanError> {
        for (check, port) in each(Section::Ports, self.ports.iter()) {
            check.must((check.index as usize) < MAX_PORTS, "there are at most 4096 ports")?;
            let name_first = pools.names as usize;
            let follows_names = follows(
                &mut pools.names,
                port.name_first,
                port.name_bytes,
                self.names.len(),
            );
            let is_name = self
                .names
                .get(name_first..pools.names as usize)
                .is_some_and(|name| !name.is_empty());
            check.must(
                follows_names && is_name,
                "the name follows the one before, and is not empty",
            )?;
            let follows_repeats = follows(
                &mut pools.repeats,
                port.repeats_first,
                port.repeats_count,
                self.repeats.len(),
            );
            let few = port.repeats_count as usize <= MAX_REPEATS;
            check.must(
                follows_repeats && few,
                "the repeats follow those before, and are at most 8",
            )?;
            self.check_port(check, &port)?;
        }
        for (check, port) in each(Section::Ports, self.ports()) {
            let earlier = self.ports().take(check.index as usize);
            let repeated = earlier
                .filter(|other| other.kind() == port.kind())
                .any(|other| other.name() == port.name());
            check.must(!repeated, "no two ports of a kind have the same name")?;
        }
        Ok(())
    }

    /// The rules for a port whose name and repeats exist.
    fn check_port(&self, check: Checked, port: &PortRecord) -> Result<(), PlanError> {
        let rank = usize::from(port.rank);
        check.must(
            PortKind::from_code(port.kind).is_some(),
            "the kind is between 0 and 4",
        )?;
        check.must(rank <= MAX_RANK, "a tensor has at most 4 dimensions")?;
        check.must(port.one_hot <= 1, "the one-hot mark is 0 or 1")?;
        check.must(port.reserved == 0, "the reserved field is 0")?;
        check.must(
            port.level < self.parameters.q_count,
            "the level is one of the chain",
        )?;
        let finite = port.low.is_finite() && port.high.is_finite();
        check.must(
            finite && port.low <= port.high,
            "the declared range is finite and not empty",
        )?;
        check.must(is_scale(port.scale), "the scale is positive and finite")?;
        check.must(port.error >= 0.0, "the error is not negative")?;

        let unused_shape = port.shape.iter().skip(rank).all(|&extent| extent == 0);
        let unused_dims = port
            .dims
            .iter()
            .skip(rank)
            .all(|dim| *dim == LayoutDim::default());
        check.must(unused_shape && unused_dims, "dimensions beyond the rank are 0")?;
        let extents = port.shape.iter().take(rank);
        let values = extents.fold(1_u64, |values, &extent| values.saturating_mul(u64::from(extent)));
        check.must(
            values <= u64::from(u32::MAX),
            "a tensor has fewer than 2^32 values",
        )?;
        check.must(
            port.slots == self.parameters().slots(),
            "the layout is for N/2 slots",
        )?;
        check.must(
            (1..=MAX_TILES).contains(&port.tiles),
            "there are between 1 and 65536 tiles",
        )?;
        check.must(
            port.factor.is_finite() && port.factor != 0.0,
            "the factor is finite and not 0",
        )?;
        let fits = self
            .port(check.index as usize)
            .is_some_and(|port| port.layout().fits(port.shape()));
        check.must(
            fits,
            "the layout places every value in a slot and tile that exist",
        )
    }

    fn check_keys(&self) -> Result<(), PlanError> {
        let two_n = 2_u32 << self.parameters.log_n;
        for (check, key) in each(Section::Keys, self.keys.iter()) {
            let is_galois = key.element % 2 == 1 && key.element > 1 && key.element < two_n;
            let sparse = matches!(key.kind, KEY_TO_SPARSE | KEY_FROM_SPARSE);
            match key.kind {
                KEY_GALOIS => check.must(is_galois, "the Galois element is odd, above 1 and below 2N")?,
                KEY_RELINEARISE | KEY_TO_SPARSE | KEY_FROM_SPARSE => {
                    check.must(
                        key.element == 0,
                        "the element is 0 where the key is no Galois key",
                    )?;
                }
                _ => check.must(false, "the kind is between 0 and 3")?,
            }
            check.must(key.reserved == 0, "the reserved field is 0")?;
            check.must(
                key.level < self.parameters.q_count,
                "the level is one of the chain",
            )?;
            check.must(
                key.kind != KEY_TO_SPARSE || key.level == 0,
                "a key to the ephemeral secret is for level 0",
            )?;
            check.must(
                !sparse || self.parameters.ephemeral_weight > 0,
                "the ephemeral secret has a weight",
            )?;
        }
        Ok(())
    }

    fn check_constants(&self, pools: &mut Pools) -> Result<(), PlanError> {
        let slots = self.parameters().slots();
        for (check, constant) in each(Section::Constants, self.constants.iter()) {
            let ConstantRecord {
                kind,
                offset,
                first,
                count,
                value,
                scale,
            } = constant;
            check.must(
                is_scale(scale) && value.is_finite(),
                "the scale is positive and finite, the value finite",
            )?;
            match kind {
                CONSTANT_BOXES => {
                    let follows = follows(&mut pools.repeats, first, count, self.repeats.len());
                    let few = count as usize <= MAX_REPEATS;
                    check.must(
                        follows && few,
                        "the progressions follow those before, and are at most 8",
                    )?;
                    let dims = self.repeats.slice(first, count);
                    let fit = dims.is_some_and(|dims| boxes_fit(offset, dims, slots));
                    check.must(
                        fit,
                        "the marked slots exist, and are no more than there are slots",
                    )?;
                }
                CONSTANT_SLOTS => {
                    let follows = follows(&mut pools.values, first, count, self.values.len());
                    check.must(follows, "the stored slots follow those before")?;
                    let divides = count.is_power_of_two() && count <= slots;
                    check.must(divides, "the number of stored slots divides N/2")?;
                    let unused = offset == 0 && value.to_bits() == 0;
                    check.must(unused, "offset and value are 0 where slots are stored")?;
                }
                CONSTANT_FOURIER => {
                    let [.., inverse] = count.to_le_bytes();
                    check.must(inverse <= 1, "the inverse mark is 0 or 1")?;
                    check_fourier(check, &constant.fourier(), slots)?;
                }
                _ => check.must(false, "the kind is between 0 and 2")?,
            }
        }
        Ok(())
    }

    fn check_scalars(&self, pools: &mut Pools) -> Result<(), PlanError> {
        let steps = self.parameters.steps;
        for (check, scalar) in each(Section::Scalars, self.scalars.iter()) {
            check.must(is_scale(scalar.scale), "the scale is positive and finite")?;
            let per_step = scalar.count == steps && steps > 0;
            check.must(
                scalar.count == 1 || per_step,
                "there is one value, or one per training step",
            )?;
            let follows = follows(&mut pools.values, scalar.first, scalar.count, self.values.len());
            check.must(follows, "the values follow those before")?;
        }
        Ok(())
    }

    fn check_spans(&self) -> Result<(), PlanError> {
        let mut next = 0;
        for (check, span) in each(Section::Spans, self.spans.iter()) {
            let ordered = span.instruction >= next && (span.instruction as usize) < self.instructions.len();
            check.must(ordered, "spans begin at increasing instructions that exist")?;
            check.must(span.start <= span.end, "a span ends after its start")?;
            next = span.instruction + 1;
        }
        Ok(())
    }
}

/// Whether the marked slots exist; the bound on their number keeps the time to mark them small.
fn boxes_fit(offset: u32, dims: Table<'_, Repeat>, slots: u32) -> bool {
    let (mut last, mut count) = (u64::from(offset), 1_u64);
    for dim in dims.iter() {
        if dim.count == 0 {
            return false;
        }
        last = last.saturating_add(u64::from(dim.count - 1) * u64::from(dim.stride));
        count = count.saturating_mul(u64::from(dim.count));
    }
    last < u64::from(slots) && count <= u64::from(slots)
}

/// The rules for a described constant: the stages exist, and the diagonal is one that they have.
fn check_fourier(check: Checked, fourier: &Fourier, slots: u32) -> Result<(), PlanError> {
    let Fourier {
        log_slots,
        first,
        last,
        diagonal,
        shift,
        factor,
        ..
    } = *fourier;
    let divides = u32::from(log_slots) <= slots.ilog2();
    check.must(divides, "the number of described slots divides N/2")?;
    let ordered = first < last && last <= log_slots;
    check.must(ordered, "the stages are some of those of the length")?;
    let exists = diagonal.unsigned_abs() < 1 << last && diagonal.unsigned_abs().is_multiple_of(1 << first);
    check.must(exists, "the diagonal is one that the stages have")?;
    let within = shift.unsigned_abs() < 1 << log_slots;
    check.must(within, "the shift is less than the length")?;
    check.must(factor != 0.0, "the factor is not 0")
}

/// Whether a scale means anything; the verifier bounds the scales that come of it.
fn is_scale(scale: f64) -> bool {
    scale.is_finite() && scale > 0.0
}

/// Whether a number is finite and not negative.
fn is_size(number: f64) -> bool {
    number.is_finite() && number >= 0.0
}
