//! FORMAT.md and the code say the same.

use cipherloom_plan::{Aux, Dst, MAGIC, Op, Operand, Section, VERSION};

const FORMAT: &str = include_str!("../FORMAT.md");

/// The cells of the table rows that begin with this cell.
fn rows(first: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| line.split('|').map(str::trim).skip(1).collect::<Vec<_>>();
    FORMAT
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(cells)
        .filter(|row| row[0] == first)
        .collect()
}

#[test]
fn every_instruction_stands_in_the_table() {
    for &op in Op::ALL {
        let found = rows(&format!("{:#04x}", op.code()));
        let [row] = &found[..] else {
            panic!("{op:?}: {} rows", found.len())
        };
        let signature = op.signature();
        assert_eq!(row[1], op.mnemonic());
        assert_eq!(row[2] == "✓", signature.level, "{op:?}");
        let flags = match signature.aux {
            Aux::Zero => String::new(),
            Aux::Tile => "aux = tile".into(),
            Aux::Flags(flags) | Aux::Sum(flags) => {
                let names = ["qp", "init", "deg 2", "compact"];
                let set = names.iter().enumerate().filter(|(bit, _)| flags >> bit & 1 == 1);
                let count = matches!(signature.aux, Aux::Sum(_)).then_some("count");
                set.map(|(_, name)| *name)
                    .chain(count)
                    .collect::<Vec<_>>()
                    .join(", ")
            }
        };
        assert_eq!(row[3], flags, "{op:?}");
        assert_eq!(row[4].is_empty(), signature.dst == Dst::None, "{op:?}");
        assert_eq!(row[4].ends_with('∗'), signature.dst == Dst::InPlace, "{op:?}");
        assert_eq!(row[5].is_empty(), signature.a == Operand::None, "{op:?}");
        assert_eq!(row[6].is_empty(), signature.b == Operand::None, "{op:?}");
    }
    let opcodes = FORMAT.lines().filter(|line| line.starts_with("| 0x")).count();
    assert_eq!(opcodes, Op::ALL.len());
}

#[test]
fn every_section_has_its_record_size() {
    for (number, section) in Section::ALL.iter().enumerate() {
        let named =
            |row: &Vec<&str>| row[1] == section.name() && row[2] == section.record_bytes().to_string();
        assert!(rows(&number.to_string()).iter().any(named), "{section:?}");
    }
    assert!(FORMAT.starts_with(&format!("# The plan format, version {VERSION}\n")));
    assert_eq!(&MAGIC, b"CLMPLAN\n");
}
