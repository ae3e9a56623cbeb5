//! Prints a plan for people: one line per record and per instruction, from the instruction table and the verifier's states.

use core::fmt::{self, Write};

use crate::fourier::Fourier;
use crate::instruction::Instruction;
use crate::model::{KeyKind, Secret};
use crate::op::{Aux, Dst, Op, Operand};
use crate::parts::{ConstantContents, PortView};
use crate::verify::{Interpreter, VerifyCell};
use crate::view::Plan;

/// Where the comment of an instruction begins, if the instruction is not longer.
const COMMENT_COLUMN: usize = 44;

/// Writes a plan as text. `cells` holds the verifier's states, at least one cell per buffer
/// ([`Plan::verify_cells`] is enough); the plan need not verify: a fault stands as a comment where it occurs.
///
/// Loop bodies are shown as they are on the first pass.
///
/// # Errors
/// Only what `out` reports.
pub fn disassemble(plan: &Plan<'_>, cells: &mut [VerifyCell], out: &mut impl Write) -> fmt::Result {
    write_head(plan, out)?;
    writeln!(out, "instructions")?;
    let mut interpreter = Interpreter::new(*plan, cells);
    let mut depth = 0_usize;
    for (at, instruction) in plan.instructions().enumerate() {
        if instruction.op == Op::End {
            depth = depth.saturating_sub(1);
        }
        let mut line = Column { out, width: 0 };
        write!(line, "{at:>6}  {:indent$}", "", indent = 2 * depth)?;
        write_instruction(plan, &instruction, &mut line)?;
        let gap = COMMENT_COLUMN.saturating_sub(line.width);
        match interpreter.apply(&instruction) {
            Ok(Some(value)) => writeln!(
                out,
                "{:gap$}  ; {}{}, level {}, scale 2^{:.4}",
                "",
                value.form,
                match value.secret {
                    Secret::Main => "",
                    Secret::Ephemeral => " under the ephemeral secret",
                },
                value.level,
                libm::log2(value.scale)
            )?,
            Ok(None) => writeln!(out)?,
            Err(fault) => writeln!(out, "{:gap$}  ; FAULT: {fault}", "")?,
        }
        if instruction.op == Op::Loop {
            depth += 1;
        }
    }
    Ok(())
}

/// [`disassemble`] into a string of its own.
#[cfg(feature = "encode")]
pub fn disassemble_to_string(plan: &Plan<'_>) -> alloc::string::String {
    let mut text = alloc::string::String::new();
    let mut cells = alloc::vec![VerifyCell::default(); plan.verify_cells()];
    // Writing to a string does not fail.
    let _ = disassemble(plan, &mut cells, &mut text);
    text
}

/// Counts the characters on their way to `out`.
struct Column<'o, W: Write> {
    out: &'o mut W,
    width: usize,
}

impl<W: Write> Write for Column<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.width += text.chars().count();
        self.out.write_str(text)
    }
}

fn write_instruction(plan: &Plan<'_>, instruction: &Instruction, out: &mut impl Write) -> fmt::Result {
    let signature = instruction.op.signature();
    match signature.dst {
        Dst::None => {}
        Dst::Accumulate if !instruction.init() => write!(out, "b{} += ", instruction.dst)?,
        Dst::Write | Dst::InPlace | Dst::Accumulate => write!(out, "b{} = ", instruction.dst)?,
    }
    out.write_str(instruction.op.mnemonic())?;
    let tile = (signature.aux == Aux::Tile).then_some((Operand::Tile, u32::from(instruction.aux)));
    let operands = [(signature.a, instruction.a), (signature.b, instruction.b)]
        .into_iter()
        .chain(tile);
    let mut separator = " ";
    for (operand, value) in operands.filter(|(operand, _)| *operand != Operand::None) {
        out.write_str(separator)?;
        separator = ", ";
        match operand {
            Operand::None => {}
            Operand::Read | Operand::Consume => write!(out, "b{value}")?,
            Operand::Run => match u32::from(instruction.terms()) {
                0 | 1 => write!(out, "b{value}")?,
                terms => write!(out, "b{value}…b{}", value.saturating_add(terms - 1))?,
            },
            Operand::Port => {
                out.write_str(plan.port(value as usize).as_ref().map_or("?", PortView::name))?;
            }
            Operand::Tile => write!(out, "tile {value}")?,
            Operand::Constant => write!(out, "c{value}")?,
            Operand::Scalar => write!(out, "s{value}")?,
            Operand::Key => write!(out, "k{value}")?,
            Operand::Count => write!(out, "{value}")?,
            Operand::Level => write!(out, "from level {value}")?,
        }
    }
    if signature.level && signature.dst == Dst::None {
        write!(out, ", level {}", instruction.level)?;
    }
    Ok(())
}

fn write_fourier(fourier: &Fourier, out: &mut impl Write) -> fmt::Result {
    let Fourier {
        log_slots,
        first,
        last,
        inverse,
        diagonal,
        shift,
        factor,
    } = *fourier;
    let of = if inverse {
        "the inverse of stages"
    } else {
        "stages"
    };
    write!(
        out,
        "diagonal {diagonal} of {of} {}…{last} of the FFT of 2^{log_slots} slots, turned right by {shift}, times {factor}",
        first + 1
    )
}

fn write_head(plan: &Plan<'_>, out: &mut impl Write) -> fmt::Result {
    write!(out, "plan {} ", plan.name())?;
    plan.hash()
        .iter()
        .try_for_each(|byte| write!(out, "{byte:02x}"))?;
    let parameters = plan.parameters();
    write!(
        out,
        "\nparameters: N = 2^{}, words of {} bits, nominal scale 2^{:.2}, {} limbs per digit, ",
        parameters.log_n(),
        parameters.word_bits(),
        parameters.log_scale(),
        parameters.digit_limbs()
    )?;
    match parameters.security_bits() {
        0 => writeln!(out, "TOY: not secure")?,
        bits => writeln!(out, "{bits}-bit security")?,
    }
    for (name, primes) in [("q", parameters.q()), ("p", parameters.p())] {
        write!(out, "  {name}:")?;
        primes.iter().try_for_each(|prime| write!(out, " {prime}"))?;
        writeln!(out)?;
    }
    if parameters.ephemeral_weight() > 0 {
        writeln!(
            out,
            "  ephemeral secret of weight {}",
            parameters.ephemeral_weight()
        )?;
    }
    if parameters.steps() > 0 {
        writeln!(out, "  {} training steps", parameters.steps())?;
    }
    let memory = plan.memory();
    writeln!(
        out,
        "memory: arena {} words ({} buffers, {} scratch), tables {}, keys {}, encoder {} f64",
        memory.arena_words,
        memory.buffer_words,
        memory.scratch_words,
        memory.table_words,
        memory.key_words,
        memory.encoder_f64s
    )?;
    writeln!(out, "ports")?;
    for (index, port) in plan.ports().enumerate() {
        writeln!(
            out,
            "{index:>6}  {} {} {:?} in [{}, {}], tiles {}, level {}, scale 2^{:.4}",
            port.kind().name(),
            port.name(),
            port.shape(),
            port.low(),
            port.high(),
            port.layout().tiles(),
            port.level(),
            libm::log2(port.scale())
        )?;
    }
    writeln!(out, "keys")?;
    for (index, key) in plan.keys().enumerate() {
        match key.kind {
            KeyKind::Relinearise => write!(out, "    k{index}  relinearise")?,
            KeyKind::Galois(element) => write!(out, "    k{index}  Galois element {element}")?,
            KeyKind::ToSparse => write!(out, "    k{index}  to the ephemeral secret")?,
            KeyKind::FromSparse => write!(out, "    k{index}  from the ephemeral secret")?,
        }
        writeln!(out, ", level {}, {} uses", key.level, key.uses)?;
    }
    writeln!(out, "constants")?;
    for (index, constant) in plan.constants().enumerate() {
        write!(out, "    c{index}  ")?;
        match constant.contents() {
            ConstantContents::Boxes { value, offset, dims } => {
                write!(out, "{value} at slots {offset}")?;
                dims.iter()
                    .try_for_each(|dim| write!(out, " + {}×{}", dim.count, dim.stride))?;
            }
            ConstantContents::Slots { values } => write!(out, "{} stored slots", values.len())?,
            ConstantContents::Fourier(fourier) => write_fourier(&fourier, out)?,
        }
        writeln!(out, ", scale 2^{:.4}", libm::log2(constant.scale()))?;
    }
    writeln!(out, "scalars")?;
    for (index, scalar) in plan.scalars().enumerate() {
        write!(out, "    s{index}  {}", scalar.value(0))?;
        if scalar.per_step() {
            write!(
                out,
                " … {} ({} steps)",
                scalar.value(u32::MAX),
                scalar.values().len()
            )?;
        }
        writeln!(out, ", scale 2^{:.4}", libm::log2(scalar.scale()))?;
    }
    writeln!(out, "buffers")?;
    for (index, buffer) in plan.buffers().enumerate() {
        writeln!(out, "    b{index}  words {}..{}", buffer.offset, buffer.end())?;
    }
    Ok(())
}
