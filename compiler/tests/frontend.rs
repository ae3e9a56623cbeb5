//! From source text to the tensor dialect: example programs, wrong programs, and texts that are no programs.

use std::fs;
use std::path::{Path, PathBuf};

use cipherloom_compiler::diagnostic::{Code, Diagnostic, Diagnostics, explain};
use cipherloom_compiler::dialect::tensor;
use cipherloom_compiler::ir::{self, Dialect, Opcode, TensorType};
use cipherloom_compiler::options::{Options, TensorData};
use cipherloom_compiler::sema;
use cipherloom_compiler::source::Source;
use cipherloom_compiler::syntax;

/// The `.loom` files of a directory beside this file, by name.
fn programs(directory: &str) -> Vec<(String, Source)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(directory);
    let mut paths: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty());
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let file = path.file_name().unwrap().to_str().unwrap();
        (name, Source::new(file, fs::read_to_string(&path).unwrap()))
    };
    paths.into_iter().map(read).collect()
}

/// Options from lines `//! set name = value` and `//! weight name [extents]`; weights count up in steps
/// of 1/8.
fn options(source: &Source) -> Options {
    let mut options = Options::default();
    for line in source.text.lines().filter_map(|line| line.strip_prefix("//! ")) {
        if let Some((name, value)) = line.strip_prefix("set ").and_then(|line| line.split_once(" = ")) {
            options.set.insert(name.to_owned(), value.parse().unwrap());
        } else if let Some((name, shape)) = line
            .strip_prefix("weight ")
            .and_then(|line| line.split_once(" ["))
        {
            let shape: Vec<u32> = shape
                .trim_end_matches(']')
                .split(", ")
                .map(|extent| extent.parse().unwrap())
                .collect();
            let count = shape.iter().product::<u32>();
            let values = (0..count).map(|index| f64::from(index) / 8.0).collect();
            options
                .weights
                .insert(name.to_owned(), TensorData { shape, values });
        } else {
            panic!("unknown directive {line}");
        }
    }
    options
}

fn check(source: &Source) -> (Option<ir::Graph>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let graph = sema::check(source, &options(source), &mut diagnostics);
    (graph, diagnostics)
}

/// Cuts lists of more than eight numbers.
fn abbreviate(text: &str) -> String {
    let shorten = |line: &str| match (line.find("floats["), line.rfind(']')) {
        (Some(start), Some(_)) => {
            let end = start + line[start..].find(']').unwrap();
            let items: Vec<&str> = line[start + 7..end].split(", ").collect();
            let kept = if items.len() > 8 {
                format!("{}, … {} in all", items[..4].join(", "), items.len())
            } else {
                items.join(", ")
            };
            format!("{}floats[{kept}{}", &line[..start], &line[end..])
        }
        _ => line.to_owned(),
    };
    text.lines().map(shorten).collect::<Vec<_>>().join("\n")
}

#[test]
fn programs_lower_to_the_tensor_dialect() {
    for (name, source) in programs("programs") {
        let (graph, diagnostics) = check(&source);
        assert!(diagnostics.is_empty(), "{}", diagnostics.render(&source, false));
        let graph = graph.unwrap();
        ir::verify(&graph).unwrap();
        let text = ir::print(&graph);
        assert_eq!(ir::print(&ir::parse(&text).unwrap()), text);
        insta::with_settings!({ omit_expression => true }, {
            insta::assert_snapshot!(format!("tensor__{name}"), abbreviate(&text));
        });
    }
}

/// The frontend and the dialect agree on the type of every operation whose type can be inferred.
#[test]
fn types_are_those_that_the_dialect_infers() {
    let mut compared = 0;
    for (_, source) in programs("programs") {
        let graph = check(&source).0.unwrap();
        for op in graph.walk().into_iter().map(|op| graph.op(op)) {
            let leaf = op.operands.is_empty();
            if leaf || op.results.len() != 1 || op.opcode.dialect() != Dialect::Tensor {
                continue;
            }
            let operands: Vec<&TensorType> = op
                .operands
                .iter()
                .map(|&operand| graph.ty(operand).as_tensor().unwrap())
                .collect();
            let inferred = tensor::infer(op.opcode, &op.attributes, &operands).unwrap();
            assert_eq!(
                &inferred,
                graph.ty(op.results[0]).as_tensor().unwrap(),
                "{}",
                op.opcode.name()
            );
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn programs_use_every_operation_of_the_tensor_dialect() {
    let graphs: Vec<ir::Graph> = programs("programs")
        .iter()
        .map(|(_, source)| check(source).0.unwrap())
        .collect();
    let used = |opcode: Opcode| {
        graphs
            .iter()
            .any(|graph| graph.walk().into_iter().any(|op| graph.op(op).opcode == opcode))
    };
    // Made by passes only, and the first by the optimiser.
    let internal = [
        Opcode::TensorSchedule,
        Opcode::TensorDerivative,
        Opcode::TensorPolynomial,
        Opcode::TensorRoll,
        Opcode::TensorState,
        Opcode::TensorStore,
        Opcode::TrainStep,
        Opcode::TrainEnd,
    ];
    for &opcode in Opcode::ALL {
        if matches!(opcode.dialect(), Dialect::Tensor | Dialect::Train) && !internal.contains(&opcode) {
            assert!(used(opcode), "{}", opcode.name());
        }
    }
}

#[test]
fn the_logistic_program_is_fully_supported() {
    for (name, supported) in [
        ("spam", true),
        ("hand_written", true),
        ("softmax_head", true),
        ("spam_features", false),
        ("two_layers", true),
    ] {
        let (_, source) = programs("programs")
            .into_iter()
            .find(|(file, _)| file == name)
            .unwrap();
        let mut diagnostics = Diagnostics::new();
        sema::support::check(&check(&source).0.unwrap(), &mut diagnostics);
        assert_eq!(
            diagnostics.is_empty(),
            supported,
            "{name}: {}",
            diagnostics.render(&source, false)
        );
        assert!(
            diagnostics
                .iter()
                .all(|diagnostic| diagnostic.code == Code::Unsupported)
        );
    }
}

#[test]
fn constants_can_be_set() {
    let (_, source) = programs("programs")
        .into_iter()
        .find(|(name, _)| name == "spam")
        .unwrap();
    let mut options = Options::default();
    options.set.insert("batch".to_owned(), 32.0);
    let graph = sema::check(&source, &options, &mut Diagnostics::new()).unwrap();
    assert!(ir::print(&graph).contains("tensor<32x384, secret, [-1.0, 1.0]>"));
}

/// Messages about wrong programs, as people see them. Programs that are only unsupported or untidy are
/// there too.
#[test]
fn wrong_programs_are_explained() {
    let mut codes = Vec::new();
    for (name, source) in programs("wrong") {
        let (graph, mut diagnostics) = check(&source);
        if let Some(graph) = graph {
            sema::support::check(&graph, &mut diagnostics);
        }
        assert!(!diagnostics.is_empty(), "{name} is not wrong");
        let expected = name.split('_').next().unwrap().to_uppercase();
        for diagnostic in diagnostics.iter() {
            codes.push(diagnostic.code);
            assert!(
                !diagnostic.labels.is_empty() || diagnostic.code == Code::Option,
                "{name}: a message without a place"
            );
            assert!(
                !diagnostic.notes.is_empty()
                    || !diagnostic.remedies.is_empty()
                    || !diagnostic.labels[0].1.is_empty()
            );
        }
        assert!(
            diagnostics
                .iter()
                .any(|found| found.code.as_str().ends_with(&expected)),
            "{name} lacks its code"
        );
        insta::with_settings!({ omit_expression => true, description => source.text.trim_end() }, {
            insta::assert_snapshot!(format!("wrong__{name}"), diagnostics.render(&source, false));
        });
    }
    // Later passes make the others.
    for code in [
        Code::Syntax,
        Code::Name,
        Code::Type,
        Code::Shape,
        Code::Secret,
        Code::Range,
        Code::Carry,
        Code::Unsupported,
        Code::Option,
        Code::Unused,
    ] {
        assert!(codes.contains(&code), "no program for {code}");
    }
}

#[test]
fn messages_are_json_too() {
    let (_, source) = programs("wrong")
        .into_iter()
        .find(|(name, _)| name == "secret_divisor")
        .unwrap();
    let json = check(&source).1.to_json(&source);
    assert_eq!(json[0]["code"], "E-SECRET");
    assert_eq!(json[0]["labels"][0]["line"], 3);
    assert_eq!(json[0]["labels"][0]["column"], 20);
    assert_eq!(json[0]["severity"], "error");
}

#[test]
fn every_code_is_explained() {
    for &code in Code::ALL {
        assert!(explain(code.as_str()).unwrap().len() > 100, "{code}");
        assert_eq!(
            code.as_str().starts_with('E'),
            code.severity() == cipherloom_compiler::diagnostic::Severity::Error
        );
    }
    assert_eq!(explain("e-shape"), explain("E-SHAPE"));
    assert_eq!(explain("E-BANANA"), None);
}

#[test]
fn formatting_keeps_formatted_programs() {
    for (name, source) in programs("programs") {
        let mut diagnostics = Diagnostics::new();
        let tree = syntax::parse(&source, &mut diagnostics);
        assert!(diagnostics.is_empty());
        // Directives lose their `!`, nothing else changes.
        assert_eq!(
            syntax::format(&tree, &source.text),
            source.text.replace("//!", "// !"),
            "{name}"
        );
    }
}

/// The examples of the project are correct, supported and in the one style.
#[test]
fn examples_are_supported() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for folder in fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
    {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|extension| extension != "loom") {
                continue;
            }
            let source = Source::new(path.display().to_string(), fs::read_to_string(&path).unwrap());
            let (graph, mut diagnostics) = check(&source);
            if let Some(graph) = graph {
                sema::support::check(&graph, &mut diagnostics);
            }
            // Weights come with a command; nothing else of an example may be missing.
            let waits = |found: &Diagnostic| found.message.contains("weight `");
            assert!(
                diagnostics.iter().all(waits),
                "{}",
                diagnostics.render(&source, false)
            );
            seen += 1;
        }
    }
    assert!(seen > 0);
}
