//! The parser and the formatter on texts and trees that no one would write.

use cipherloom_compiler::diagnostic::Diagnostics;
use cipherloom_compiler::ir::Secrecy;
use cipherloom_compiler::options::Options;
use cipherloom_compiler::sema;
use cipherloom_compiler::source::{Source, Span};
use cipherloom_compiler::syntax;
use cipherloom_compiler::syntax::ast::{
    Argument, BinaryOperator, Declaration, Expression, ExpressionKind, Graph, Name, Origin, Section,
    SectionKind, Sink, Spanned, Statement, StatementKind,
};
use cipherloom_compiler::syntax::lexer::Token;
use proptest::prelude::*;
use proptest::{collection::vec, option, sample::select};

const PROGRAMS: [&str; 4] = [
    include_str!("programs/spam.loom"),
    include_str!("programs/hand_written.loom"),
    include_str!("programs/every_operation.loom"),
    include_str!("programs/optimizers.loom"),
];

fn at<T>(node: T) -> Spanned<T> {
    Spanned::new(node, Span::none())
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z_][a-z0-9_]{0,6}"
        .prop_filter("keywords are no names", |word| {
            !Token::KEYWORDS.contains(&word.as_str())
        })
        .prop_map(at)
}

fn argument(value: impl Strategy<Value = Expression>) -> impl Strategy<Value = Argument> {
    (option::of(name()), value).prop_map(|(name, value)| Argument { name, value })
}

fn expression() -> impl Strategy<Value = Expression> {
    use BinaryOperator::{Add, Divide, Matmul, Multiply, Subtract};
    let leaf = prop_oneof![
        name().prop_map(|name| at(ExpressionKind::Name(name.node))),
        "[0-9]{1,3}(\\.[0-9]{1,3})?(e-?[0-9])?".prop_map(|text| at(ExpressionKind::Number(text))),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(|inner| at(ExpressionKind::Negate(inner))),
            (
                select(vec![Add, Subtract, Multiply, Divide, Matmul]),
                boxed.clone(),
                boxed
            )
                .prop_map(|(operator, left, right)| at(ExpressionKind::Binary(operator, left, right))),
            vec(inner.clone(), 0..3).prop_map(|items| at(ExpressionKind::List(items))),
            (name(), vec(argument(inner), 0..3))
                .prop_map(|(name, list)| at(ExpressionKind::Call(name, list))),
        ]
    })
}

fn declaration() -> impl Strategy<Value = StatementKind> {
    let origin = select(vec![Origin::Input, Origin::Stream, Origin::State, Origin::Weight]);
    let secrecy = select(vec![Secrecy::Secret, Secrecy::Public]).prop_map(at);
    let range = option::of((expression(), expression()).prop_map(at));
    let rest = (
        range,
        option::of(Just(at(()))),
        option::of(name()),
        option::of(expression()),
    );
    (
        origin,
        name(),
        secrecy,
        vec(expression(), 0..3).prop_map(at),
        rest,
    )
        .prop_map(
            |(origin, name, secrecy, shape, (range, one_hot, refresh, initial))| {
                let declared = Declaration {
                    origin,
                    name,
                    secrecy,
                    shape,
                    range,
                    one_hot,
                    refresh,
                    initial,
                };
                StatementKind::Declaration(Box::new(declared))
            },
        )
}

fn simple_statement() -> impl Strategy<Value = Statement> {
    let sinks = || {
        vec(
            (name(), option::of(expression())).prop_map(|(name, value)| Sink { name, value }),
            1..3,
        )
    };
    prop_oneof![
        (name(), expression()).prop_map(|(name, value)| StatementKind::Const { name, value }),
        (name(), expression()).prop_map(|(name, value)| StatementKind::Let { name, value }),
        (name(), expression()).prop_map(|(name, value)| StatementKind::Update { name, value }),
        (name(), vec(name(), 0..3), expression()).prop_map(|(name, parameters, body)| {
            StatementKind::Function {
                name,
                parameters,
                body,
            }
        }),
        (
            expression(),
            vec(name(), 1..3),
            name(),
            vec(argument(expression()), 0..3)
        )
            .prop_map(|(loss, over, optimizer, arguments)| StatementKind::Minimize {
                loss,
                over,
                optimizer,
                arguments
            }),
        sinks().prop_map(StatementKind::Reveal),
        sinks().prop_map(StatementKind::Output),
        declaration(),
    ]
    .prop_map(at)
}

fn statement() -> impl Strategy<Value = Statement> {
    let kind = select(vec![SectionKind::Step, SectionKind::Epoch]).prop_map(at);
    let section = (kind, vec(simple_statement(), 0..3)).prop_map(|(kind, statements)| Section {
        kind,
        statements,
        end: at(()),
    });
    prop_oneof![
        4 => simple_statement(),
        1 => vec(section, 0..3).prop_map(|sections| at(StatementKind::Train(sections))),
    ]
}

fn tree() -> impl Strategy<Value = Graph> {
    (name(), vec(statement(), 0..5)).prop_map(|(name, statements)| Graph {
        name,
        statements,
        comments: Vec::new(),
        end: Span::none(),
    })
}

/// Parses and checks; what matters is that it comes back, and that messages can be shown.
fn survives(text: &str) {
    let source = Source::new("test.loom", text);
    let mut diagnostics = Diagnostics::new();
    let graph = sema::check(&source, &Options::default(), &mut diagnostics);
    assert_eq!(graph.is_some(), !diagnostics.has_errors());
    let _ = diagnostics.render(&source, true);
    let _ = diagnostics.to_json(&source);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn parsing_undoes_formatting(tree in tree()) {
        let text = syntax::format(&tree, "");
        let mut diagnostics = Diagnostics::new();
        let source = Source::new("test.loom", text);
        let again = syntax::parse(&source, &mut diagnostics);
        prop_assert!(diagnostics.is_empty(), "{}\n{}", source.text, diagnostics.render(&source, false));
        prop_assert_eq!(&again, &tree);
        prop_assert_eq!(syntax::format(&again, &source.text), source.text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_tokens_are_survived(words in vec(0..70_usize, 0..60), wrapped: bool) {
        let signs = ["{", "}", "[", "]", "(", ")", ",", ":", ";", "=", "+", "-", "*", "/", "@"];
        let others =
            ["x", "w", "t", "1", "0.5", "sigmoid", "mean", "range", "é", "#", "// c\n", "graph g {", "\u{0}"];
        let all: Vec<&str> = Token::KEYWORDS.iter().chain(&signs).chain(&others).copied().collect();
        let text: Vec<&str> = words.iter().map(|&word| all[word % all.len()]).collect();
        let text = text.join(" ");
        survives(&if wrapped { format!("graph g {{ {text} }}") } else { text });
    }

    #[test]
    fn mutated_programs_are_survived(
        program in select(PROGRAMS.to_vec()),
        cut in 0..2000_usize,
        (from, length) in (0..2000_usize, 0..40_usize),
        insert in "\\PC{0,4}",
    ) {
        let mut characters: Vec<char> = program.chars().collect();
        let from = from % characters.len();
        let to = (from + length).min(characters.len());
        characters.splice(from..to, insert.chars());
        survives(&characters.iter().collect::<String>());
        characters.truncate(cut % characters.len().max(1));
        survives(&characters.iter().collect::<String>());
    }

    #[test]
    fn programs_with_swapped_words_are_survived(
        program in select(PROGRAMS.to_vec()), swaps in vec((0..500_usize, 0..500_usize), 1..6),
    ) {
        let mut words: Vec<&str> = program.split_inclusive([' ', '(', ')', ',', ';', '[', ']']).collect();
        let count = words.len();
        for (a, b) in swaps {
            words.swap(a % count, b % count);
        }
        survives(&words.concat());
    }
}

#[test]
fn depth_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("-", ""),
        ("[", "]"),
        ("f(", ")"),
        ("1 + ", ""),
        ("1 * (2 - ", ")"),
        ("sum(x, axis: ", ")"),
    ] {
        let text = format!(
            "graph g {{ let y = {}1{}; }}",
            open.repeat(20_000),
            close.repeat(20_000)
        );
        let source = Source::new("deep.loom", text);
        let mut diagnostics = Diagnostics::new();
        syntax::parse(&source, &mut diagnostics);
        assert!(
            diagnostics
                .iter()
                .any(|diagnostic| diagnostic.message.contains("nested too deeply")),
            "{open}"
        );
    }
}

#[test]
fn inlining_is_bounded() {
    let chain: Vec<String> = (1..40)
        .map(|n| format!("fn f{n}(x) = f{}(x) * f{}(x);", n - 1, n - 1))
        .collect();
    let text = format!(
        "graph g {{ input x: secret [2] in [-1, 1]; fn f0(x) = x * x;\n{}\nreveal y = f39(x); }}",
        chain.join("\n")
    );
    let source = Source::new("wide.loom", text);
    let mut diagnostics = Diagnostics::new();
    assert!(sema::check(&source, &Options::default(), &mut diagnostics).is_none());
    assert!(
        diagnostics
            .iter()
            .any(|diagnostic| diagnostic.message.contains("grows without end"))
    );
}
