//! Reports as text: sections of aligned columns, at most as wide as a terminal.

use std::fmt::{self, Display, Write};

use super::ports::error_text;
use super::units::{bytes, run_lengths, seconds};
use super::{DeviceReport, KeyReport, OperationCount, Place, Report, Stage, StepReport};
use crate::target::Role;

/// Longest piece of source text that is quoted, in characters.
const QUOTE: usize = 36;
/// Rows shown of a list that may be long.
const ROWS: usize = 12;

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "graph {}, plan {}",
            self.name,
            &self.hash[..self.hash.len().min(16)]
        );
        self.parameters(&mut text);
        self.ports(&mut text);
        self.steps(&mut text);
        self.keys(&mut text);
        self.memory(&mut text);
        self.predictions(&mut text);
        self.targets(&mut text);
        if !self.notes.is_empty() {
            section(&mut text, "Notes of the compilation");
            self.notes.iter().for_each(|note| push_line(&mut text, note));
        }
        f.write_str(&text)
    }
}

impl Report {
    fn parameters(&self, text: &mut String) {
        let p = &self.parameters;
        section(text, "Parameters");
        let security = match p.toy {
            true => "NONE: toy parameters for tests, which protect nothing".to_owned(),
            false => format!("{} bits, classical", p.security_bits),
        };
        let rows = [
            (
                "ring degree",
                format!("2^{}, {} slots, {}-bit words", p.log_n, p.slots, p.word_bits),
            ),
            ("security", security),
            ("modulus", format!("log2 QP = {:.1}", p.log_qp)),
            (
                "chain",
                format!(
                    "{} primes, {} bits: levels 0 to {}",
                    p.chain_bits.len(),
                    run_lengths(&p.chain_bits),
                    p.chain_bits.len().saturating_sub(1)
                ),
            ),
            (
                "special primes",
                format!(
                    "{}, {} bits; {} digits, α = {}",
                    p.special_bits.len(),
                    run_lengths(&p.special_bits),
                    p.digits,
                    p.digit_limbs
                ),
            ),
            ("scale", format!("2^{:.2}", p.log_scale)),
            ("training steps", p.steps.to_string()),
            ("bootstraps", self.bootstraps_text()),
        ];
        rows.iter()
            .for_each(|(name, value)| push_line(text, &format!("{name:<16}{value}")));
    }

    fn bootstraps_text(&self) -> String {
        if self.bootstraps == 0 {
            return "0".to_owned();
        }
        format!(
            "{}; one fails with a probability of 2^{:.0} at most, any with 2^{:.0}",
            self.bootstraps,
            self.bootstrap_log2_failure.ceil(),
            self.log2_failure.ceil()
        )
    }

    fn ports(&self, text: &mut String) {
        section(text, "Inputs and outputs");
        let mut rows = vec![row([
            "",
            "name",
            "shape",
            "range",
            "ciphertexts",
            "level",
            "scale",
            "predicted error",
        ])];
        for port in &self.ports {
            let error = match port.precision_bits {
                Some(bits) => format!("{:.1e} ({bits:.1} bits)", port.error),
                None if port.error > 0.0 => error_text(port.error),
                None => String::new(),
            };
            rows.push(vec![
                port.kind.to_owned(),
                port.name.clone(),
                format!("{:?}", port.shape),
                match port.range {
                    [f64::MIN, f64::MAX] => "any".to_owned(),
                    [low, high] => format!("[{low}, {high}]"),
                },
                port.tiles.to_string(),
                port.level.to_string(),
                format!("2^{:.2}", port.log_scale),
                error,
            ]);
        }
        push_table(text, &rows, "<<<<>>><");
    }

    fn steps(&self, text: &mut String) {
        let timeline = &self.timeline;
        if !timeline.before.is_empty() {
            section(text, "Before the first step");
            stages(text, &timeline.before);
        }
        let title = match timeline.steps.get(timeline.typical) {
            Some(step) if self.parameters.steps > 0 => format!(
                "{} of {}, level by level",
                step_numbers(step, "Step", "Steps"),
                self.parameters.steps
            ),
            _ => "Level by level".to_owned(),
        };
        section(text, &title);
        stages(text, &timeline.stages);
        if timeline.steps.len() > 1 {
            section(text, "Steps");
            let header = row([
                "step",
                "levels",
                "instructions",
                "products",
                "plain products",
                "key switches",
            ]);
            let step = |step: &StepReport| {
                vec![
                    step_numbers(step, "", ""),
                    format!("{} to {}", step.highest_level, step.lowest_level),
                    step.instructions.to_string(),
                    step.products.to_string(),
                    step.plain_products.to_string(),
                    step.key_switches.to_string(),
                ]
            };
            let rows: Vec<_> = [header]
                .into_iter()
                .chain(timeline.steps.iter().map(step))
                .collect();
            push_table(text, &rows, "><>>>>");
        }
        section(text, "Operations of the whole run");
        push_line(text, &operations(&timeline.operations));
    }

    fn keys(&self, text: &mut String) {
        let keys = &self.keys;
        section(text, "Keys");
        push_line(
            text,
            &format!(
                "{} switching keys, {} in memory, about {} in a file, used {} times",
                keys.keys.len(),
                bytes(keys.memory_bytes),
                bytes(keys.file_bytes),
                keys.uses
            ),
        );
        let mut sorted: Vec<&KeyReport> = keys.keys.iter().collect();
        sorted.sort_by_key(|key| {
            (
                key.kind != "relinearise",
                std::cmp::Reverse(key.uses),
                key.rotation,
            )
        });
        let mut rows = vec![row(["key", "level", "uses", "bytes"])];
        for key in sorted {
            let name = match key.kind {
                "rotate" => format!("rotate by {}", key.rotation),
                "conjugate" if key.rotation != 0 => format!("conjugate, rotate by {}", key.rotation),
                kind => kind.to_owned(),
            };
            rows.push(vec![
                name,
                key.level.to_string(),
                key.uses.to_string(),
                bytes(key.bytes),
            ]);
        }
        push_table(text, &rows, "<>>>");
    }

    fn memory(&self, text: &mut String) {
        let memory = &self.memory;
        section(text, "Memory of the server");
        let rows = [
            ("total", memory.total_bytes, ""),
            ("keys", memory.key_bytes, ""),
            ("values", memory.buffer_bytes, "arena"),
            ("scratch", memory.scratch_bytes, "arena"),
            ("ring tables", memory.table_bytes, ""),
            ("encoder", memory.encoder_bytes, ""),
        ];
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, count, note)| row([*name, &bytes(*count), *note]))
            .collect();
        push_table(text, &rows, "<><");
        push_line(
            text,
            &format!(
                "At most {} of values are alive at once, at instruction {} ({}):",
                bytes(memory.peak_live_bytes),
                memory.peak_instruction,
                place(&memory.peak_place)
            ),
        );
        let rows: Vec<_> = memory
            .peak
            .iter()
            .take(ROWS)
            .map(|group| {
                vec![
                    bytes(group.bytes),
                    format!("{} × {}", group.count, group.made_by),
                    format!("level {}", group.level),
                    place(&group.place),
                ]
            })
            .collect();
        push_table(text, &rows, "><<<");
        if let Some(rest) = memory.peak.get(ROWS..).filter(|rest| !rest.is_empty()) {
            let sum = rest.iter().map(|group| group.bytes).sum();
            push_line(
                text,
                &format!("and {} in {} smaller groups", bytes(sum), rest.len()),
            );
        }
    }

    fn predictions(&self, text: &mut String) {
        section(text, "Predicted");
        for (row, prediction) in self.predictions.iter().enumerate() {
            let per_step = match self.parameters.steps {
                0 => String::new(),
                _ => format!(", {} per step", seconds(prediction.seconds_per_step)),
            };
            let threads = match prediction.threads {
                1 => "1 thread".to_owned(),
                threads => format!("{threads} threads"),
            };
            let title = if row == 0 { "time" } else { "" };
            push_line(
                text,
                &format!(
                    "{title:<16}{}{per_step} on {threads}",
                    seconds(prediction.seconds)
                ),
            );
        }
        push_line(
            text,
            &format!(
                "{:<16}{} in, {} out",
                "traffic",
                bytes(self.input_bytes),
                bytes(self.output_bytes)
            ),
        );
    }

    /// What each target can do with the plan; of the microcontroller that was asked for, where its memory goes.
    fn targets(&self, text: &mut String) {
        section(text, "Targets");
        push_line(text, "servers: any plan");
        if self.devices.iter().all(|device| device.programs.is_empty()) {
            push_line(
                text,
                "microcontrollers: plans of 32-bit words (--word-bits 32, or --target)",
            );
            return;
        }
        let mut rows = vec![row(["", "memory"])];
        rows[0].extend(Role::ALL.map(|role| role.name().to_owned()));
        for device in &self.devices {
            let cell = |role| match device.smallest(role) {
                Some(program) if program.fits => program.ram_bytes.to_string(),
                Some(program) => format!("{}: too much", program.ram_bytes),
                None => "–".to_owned(),
            };
            let mut cells = vec![device.target.to_owned(), device.ram_bytes.to_string()];
            cells.extend(Role::ALL.map(cell));
            rows.push(cells);
        }
        push_table(text, &rows, "<>>>>>");
        let asked = |device: &&DeviceReport| Some(device.target) == self.device;
        let Some(device) = self.devices.iter().find(asked) else {
            return;
        };
        section(
            text,
            &format!(
                "On a {} ({}), {} bytes of memory and {} of flash",
                device.target, device.chip, device.ram_bytes, device.flash_bytes
            ),
        );
        let mut rows = vec![row(["", "tables", "memory", "flash", "memory holds"])];
        rows.extend(device.programs.iter().map(|program| {
            let holds = program.footprint.ram.iter();
            let holds: Vec<String> = holds
                .map(|part| format!("{} {}", part.holds, part.bytes))
                .collect();
            vec![
                program.footprint.role.name().to_owned(),
                program.footprint.tables.name().to_owned(),
                match program.fits {
                    true => program.ram_bytes.to_string(),
                    false => format!("{}: too much", program.ram_bytes),
                },
                format!("about {}", program.flash_bytes),
                holds.join(", "),
            ]
        }));
        push_table(text, &rows, "<<>><");
    }
}

/// Rows as lines of aligned columns, two spaces between them; `align` has a `<` or `>` for each column.
pub fn table(rows: &[Vec<String>], align: &str) -> String {
    let align: Vec<char> = align.chars().collect();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(&align)
            .map(|((cell, &width), align)| match align {
                '>' => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            })
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

pub(super) fn row<const COLUMNS: usize>(cells: [&str; COLUMNS]) -> Vec<String> {
    cells.into_iter().map(str::to_owned).collect()
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n{title}");
}

fn push_line(text: &mut String, line: &str) {
    let _ = writeln!(text, "  {}", line.trim_end());
}

fn push_table(text: &mut String, rows: &[Vec<String>], align: &str) {
    table(rows, align).lines().for_each(|line| push_line(text, line));
}

fn stages(text: &mut String, stages: &[Stage]) {
    let mut rows = vec![row(["level", "scale", "source", "operations"])];
    rows.extend(stages.iter().map(|stage| {
        vec![
            stage.level.to_string(),
            stage
                .log_scale
                .map(|scale| format!("2^{scale:.2}"))
                .unwrap_or_default(),
            place(&stage.place),
            operations(&stage.operations),
        ]
    }));
    push_table(text, &rows, "><<<");
}

/// `Step 3`, or `Steps 2 to 20` of a step that is repeated, or `Steps 1, 4 … 22` where others are repeated with it.
fn step_numbers(step: &StepReport, one: &str, many: &str) -> String {
    let (first, every) = (step.number, step.every);
    let last = first + every * step.runs.saturating_sub(1);
    let text = match (step.runs, every) {
        (0 | 1, _) => format!("{one} {first}"),
        (_, 1) => format!("{many} {first} to {last}"),
        (2, _) => format!("{many} {first} and {last}"),
        _ => format!("{many} {first}, {} … {last}", first + every),
    };
    text.trim_start().to_owned()
}

fn operations(counts: &[OperationCount]) -> String {
    let list: Vec<String> = counts
        .iter()
        .map(|OperationCount { operation, count }| match count {
            1 => (*operation).to_owned(),
            _ => format!("{count} {operation}"),
        })
        .collect();
    list.join(", ")
}

/// A line of the source and what stands there, or byte offsets without the source.
pub(super) fn place(place: &Place) -> String {
    match (&place.line, &place.text) {
        (Some(line), Some(text)) if text.chars().count() > QUOTE => {
            let start: String = text.chars().take(QUOTE - 1).collect();
            format!("{line}: {start}…")
        }
        (Some(line), Some(text)) => format!("{line}: {text}"),
        _ if place.start == place.end => "—".to_owned(),
        _ => format!("bytes {}..{}", place.start, place.end),
    }
}
