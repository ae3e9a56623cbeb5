//! Rolls equal steps back into a loop.
//!
//! Training is compiled unrolled, because the steps of a leveled program differ in level. Where they do not, because
//! what they carry comes back without having consumed a level, their instructions come out equal, buffers included; then
//! a run of equal steps is a loop over one of them. A repeated list of instructions and a loop over it mean the same, so
//! nothing else has to be looked at.
//!
//! ```text
//! step; stream b1; add b0, b0, b1; step; stream b1; add b0, b0, b1; output b0
//! ```
//! becomes
//! ```text
//! loop 2; step; stream b1; add b0, b0, b1; end; output b0
//! ```

use cipherloom_plan::{Instruction, Op};

/// Instructions with something that belongs to each, such as a place in the source; equality looks at the former alone.
pub fn run<T: Copy>(program: &[(Instruction, T)]) -> Vec<(Instruction, T)> {
    let starts: Vec<usize> = (0..program.len())
        .filter(|&at| program[at].0.op == Op::Step)
        .collect();
    let Some(&first) = starts.first() else {
        return program.to_vec();
    };
    let mut rolled = program[..first].to_vec();
    let mut step = 0;
    while step < starts.len() {
        let start = starts[step];
        let end = starts.get(step + 1).copied().unwrap_or(program.len());
        let body = &program[start..end];
        // The last step may go on after the part that is equal.
        let same = |&&from: &&usize| {
            program
                .get(from..from + body.len())
                .is_some_and(|next| equal(next, body))
        };
        let count = starts[step..].iter().take_while(same).count();
        let contiguous = (1..count)
            .take_while(|&next| starts[step + next] == start + next * body.len())
            .count()
            + 1;
        if contiguous > 1 {
            let tag = body[0].1;
            rolled.push((
                Instruction {
                    a: contiguous as u32,
                    ..Instruction::new(Op::Loop)
                },
                tag,
            ));
            rolled.extend_from_slice(body);
            rolled.push((Instruction::new(Op::End), tag));
            let next = start + contiguous * body.len();
            let following = starts.get(step + contiguous).copied().unwrap_or(program.len());
            rolled.extend_from_slice(&program[next..following]);
        } else {
            rolled.extend_from_slice(body);
        }
        step += contiguous;
    }
    rolled
}

fn equal<T>(a: &[(Instruction, T)], b: &[(Instruction, T)]) -> bool {
    a.iter()
        .map(|(instruction, _)| instruction)
        .eq(b.iter().map(|(instruction, _)| instruction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Vec<(Instruction, ())> {
        let instruction = |letter| match letter {
            's' => Instruction::new(Op::Step),
            letter => Instruction {
                a: letter as u32,
                ..Instruction::new(Op::Neg)
            },
        };
        text.chars().map(|letter| (instruction(letter), ())).collect()
    }

    fn text(program: &[(Instruction, ())]) -> String {
        let letter = |instruction: &Instruction| match instruction.op {
            Op::Step => "s".to_owned(),
            Op::Loop => format!("{}[", instruction.a),
            Op::End => "]".to_owned(),
            _ => char::from_u32(instruction.a).unwrap_or('?').to_string(),
        };
        program
            .iter()
            .map(|(instruction, ())| letter(instruction))
            .collect()
    }

    #[test]
    fn equal_steps_become_a_loop() {
        for (from, to) in [
            ("", ""),
            ("ab", "ab"),
            ("isasasb", "i2[sa]sb"),
            ("isabsasasao", "isab3[sa]o"),
            ("sabsabo", "2[sab]o"),
            ("sabsac", "sabsac"),
            ("sasasbsb", "2[sa]2[sb]"),
            ("sasabsab", "2[sa]bsab"),
        ] {
            assert_eq!(text(&run(&program(from))), to, "{from}");
        }
    }
}
