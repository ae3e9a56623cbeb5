//! Runs the tensor passes on the files of `tests/file_tests/<pass>/*.ir`: the graph above the line `// ----`, through
//! the pass of the folder's name, must print as the text below it. Lines `// name: value` at the top are arguments, such
//! as `// steps: 2`. `BLESS=1 cargo test -p cipherloom-compiler --test file_tests` writes what the passes print now.

use std::path::{Path, PathBuf};

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::ir::{Graph, parse, print, verify};
use cipherloom_compiler::{analysis, grad, pass};

const LINE: &str = "// ----\n";

fn argument(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        line.strip_prefix("// ")?
            .strip_prefix(name)?
            .strip_prefix(": ")?
            .parse()
            .ok()
    })
}

fn errors(diagnostics: Diagnostics) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| format!("// {}: {}\n", diagnostic.code, diagnostic.message))
        .collect()
}

fn run(pass: &str, text: &str) -> String {
    let graph = parse(text).unwrap_or_else(|error| panic!("{error}"));
    verify(&graph).unwrap_or_else(|error| panic!("{error}"));
    let checked = |graph: Graph| {
        verify(&graph).unwrap_or_else(|error| panic!("{error}\n{}", print(&graph)));
        let text = print(&graph);
        assert_eq!(parse(&text).map(|again| print(&again)).as_ref(), Ok(&text));
        text
    };
    match pass {
        "bias" => pass::bias::run(&graph).map_or_else(|| "// nothing to join\n".to_owned(), checked),
        "differentiate" => grad::differentiate(&graph).map_or_else(errors, checked),
        "unroll" => checked(pass::unroll::run(&graph, argument(text, "steps").unwrap_or(2))),
        "close" => {
            let steps = argument(text, "steps").unwrap_or(2);
            checked(pass::unroll::closed(
                &graph,
                steps,
                argument(text, "epoch"),
                argument(text, "round").unwrap_or(1),
            ))
        }
        "fold" => checked(pass::fold::run(&graph)),
        "approximate" => pass::approximate::run(&graph).map_or_else(errors, |(graph, _)| checked(graph)),
        "annotate" => {
            let mut graph = graph;
            analysis::range::annotate(&mut graph);
            checked(graph)
        }
        "range" => analysis::range::check(&graph).map_or_else(errors, |notes| {
            notes.iter().map(|note| format!("// {}\n", note.text())).collect()
        }),
        _ => panic!("there is no pass `{pass}`"),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/file_tests");
    let bless = std::env::var_os("BLESS").is_some();
    let (mut count, mut failures) = (0, Vec::new());
    for folder in files(&root) {
        let pass = folder.file_name().unwrap().to_str().unwrap().to_owned();
        for file in files(&folder) {
            let text = std::fs::read_to_string(&file).unwrap();
            let (input, expected) = text.split_once(LINE).unwrap_or((&text, ""));
            let found = run(&pass, input);
            count += 1;
            if found != expected && bless {
                std::fs::write(&file, format!("{input}{LINE}{found}")).unwrap();
            } else if found != expected {
                failures.push(format!(
                    "{}\nexpected:\n{expected}\nfound:\n{found}",
                    file.display()
                ));
            }
        }
    }
    assert!(count >= 10, "only {count} files found");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
