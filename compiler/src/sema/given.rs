//! What a graph asks of data, read from its declarations before anything is checked.

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostics;
use crate::source::Source;
use crate::syntax;
use crate::syntax::ast::{Declaration, Expression, ExpressionKind, Graph, Name, Origin, StatementKind};

/// An `input` or a `stream`: a tensor whose values are data.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// Whether it is a `stream`.
    pub streamed: bool,
    /// Whether its rows are `one_hot`.
    pub one_hot: bool,
    /// For each dimension the const whose value the data can give: it stands there alone, is declared as an integer, and is
    /// not the batch of a stream, which is a choice and no property of the data.
    pub sizes: Vec<Option<Name>>,
}

/// The inputs and streams of a program, in the order of their declarations; none if it does not parse, which is in
/// `diagnostics`. Whether the program makes sense is left to [`check`](super::check).
pub fn given(source: &Source, diagnostics: &mut Diagnostics) -> Option<Vec<Given>> {
    let tree = syntax::parse(source, diagnostics);
    if diagnostics.has_errors() {
        return None;
    }
    let declarations = || declarations(&tree);
    let batches = declarations().filter(|declaration| declaration.origin == Origin::Stream);
    let batches: BTreeSet<&str> = batches
        .filter_map(|stream| name(stream.shape.node.first()?))
        .collect();
    let mut sizes = integers(&tree);
    sizes.retain(|name| !batches.contains(name));
    let size = |extent: &Expression| {
        let name = name(extent).filter(|name| sizes.contains(name))?;
        Some(Name::new(name.to_owned(), extent.span))
    };
    let given = declarations().map(|declaration| Given {
        name: declaration.name.node.clone(),
        streamed: declaration.origin == Origin::Stream,
        one_hot: declaration.one_hot.is_some(),
        sizes: declaration.shape.node.iter().map(size).collect(),
    });
    Some(given.collect())
}

/// Inputs and streams.
fn declarations(tree: &Graph) -> impl Iterator<Item = &Declaration> {
    let statements = tree.statements.iter();
    statements.filter_map(|statement| match &statement.node {
        StatementKind::Declaration(declaration)
            if matches!(declaration.origin, Origin::Input | Origin::Stream) =>
        {
            Some(&**declaration)
        }
        _ => None,
    })
}

/// Names of the consts that are declared as an integer, digit by digit.
fn integers(tree: &Graph) -> BTreeSet<&str> {
    let statements = tree.statements.iter();
    let is_integer = |value: &Expression| matches!(&value.node, ExpressionKind::Number(text) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_'));
    let constants = statements.filter_map(|statement| match &statement.node {
        StatementKind::Const { name, value } if is_integer(value) => Some(name.node.as_str()),
        _ => None,
    });
    constants.collect()
}

/// The name that an expression is.
fn name(expression: &Expression) -> Option<&str> {
    match &expression.node {
        ExpressionKind::Name(name) => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Vec<(String, Vec<Option<String>>)> {
        let source = Source::new("test.loom", text);
        let given = given(&source, &mut Diagnostics::new()).expect("parses");
        let names = |sizes: Vec<Option<Name>>| sizes.into_iter().map(|size| size.map(|name| name.node));
        given
            .into_iter()
            .map(|given| (given.name, names(given.sizes).collect()))
            .collect()
    }

    #[test]
    fn data_give_consts_that_are_integers_and_stand_alone() {
        let given = sizes(
            "graph g {
                const batch = 16;
                const features = 1_024;
                const wide = features;
                const half = 4.0;
                const sum = 2 + 2;
                stream x: secret [batch, features] in [0, 1];
                stream y: secret [batch, 2 * features] one_hot;
                input a: secret [batch, wide, half] in [0, 1];
                input b: secret [sum, 8, unknown, features] in [0, 1];
                input c: secret [] in [0, 1];
                state w: secret [features] in [0, 1] = 0;
            }",
        );
        let features = Some("features".to_owned());
        let wanted = [
            ("x", vec![None, features.clone()]),
            ("y", vec![None, None]),
            ("a", vec![None; 3]),
            ("b", vec![None, None, None, features]),
            ("c", vec![]),
        ];
        assert_eq!(given, wanted.map(|(name, sizes)| (name.to_owned(), sizes)));
    }

    #[test]
    fn streams_and_labels_are_told_apart() {
        let text = "graph g { stream x: secret [2] in [0, 1]; input k: secret [2, 3] one_hot; }";
        let given = given(&Source::new("test.loom", text), &mut Diagnostics::new()).expect("parses");
        let kinds: Vec<(bool, bool)> = given
            .iter()
            .map(|given| (given.streamed, given.one_hot))
            .collect();
        assert_eq!(kinds, [(true, false), (false, true)]);
    }

    #[test]
    fn what_does_not_parse_gives_diagnostics() {
        let mut diagnostics = Diagnostics::new();
        assert_eq!(
            given(&Source::new("test.loom", "graph g {"), &mut diagnostics),
            None
        );
        assert!(diagnostics.has_errors());
    }
}
