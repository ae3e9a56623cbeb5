//! The text of the small plan.

mod common;

use cipherloom_plan::data::{AUX_DEGREE_2, Op};
use cipherloom_plan::{Plan, disassemble_to_string};

#[test]
fn small_plan() {
    let bytes = common::plan().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    insta::assert_snapshot!(disassemble_to_string(&plan));
}

#[test]
fn refresh_plan() {
    let bytes = common::refresh::plan().encode().unwrap();
    let plan = Plan::parse(&bytes).unwrap();
    insta::assert_snapshot!(disassemble_to_string(&plan));
}

#[test]
fn a_fault_stands_where_it_occurs() {
    let mut data = common::plan();
    data.instructions[common::at::SECOND_RESCALE].aux = AUX_DEGREE_2;
    let bytes = data.encode().unwrap();
    let text = disassemble_to_string(&Plan::parse(&bytes).unwrap());
    let line = text.lines().find(|line| line.contains("FAULT")).unwrap();
    assert!(
        line.contains("b10 = rescale b9") && line.contains("degree 1, not 2"),
        "{line}"
    );
}

#[test]
fn codes_and_mnemonics_are_distinct() {
    for (index, &op) in Op::ALL.iter().enumerate() {
        assert_eq!(Op::from_code(op.code()), Some(op));
        assert!(
            Op::ALL[..index]
                .iter()
                .all(|other| other.mnemonic() != op.mnemonic() && other.code() < op.code())
        );
    }
    assert_eq!((0..=255).filter_map(Op::from_code).count(), Op::ALL.len());
}
