//! Syntax tree → source text in the one style: four spaces, one statement a line, only the parentheses
//! that are needed.
//!
//! Parsing the text gives the same tree again. Comments and single blank lines between statements are kept.

use std::fmt::Write;

use super::ast::{
    Argument, Comment, Declaration, Expression, ExpressionKind, Graph, Name, Section, Sink, Statement,
    StatementKind,
};
use crate::source::Span;

/// Formats a graph. `original` is the text that it was parsed from, which tells where blank lines were;
/// for a tree that comes from no text, pass the empty text.
pub fn format(graph: &Graph, original: &str) -> String {
    let mut formatter = Formatter {
        original,
        comments: &graph.comments,
        text: String::new(),
        depth: 0,
    };
    formatter.leading_comments(graph.name.span.start);
    let _ = writeln!(formatter.text, "graph {} {{", graph.name.node);
    formatter.block(&graph.statements, graph.end);
    formatter.text.push_str("}\n");
    formatter.leading_comments(u32::MAX);
    formatter.text
}

struct Formatter<'a> {
    original: &'a str,
    comments: &'a [Comment],
    text: String,
    depth: usize,
}

impl Formatter<'_> {
    fn line(&mut self, text: &str) {
        self.text.extend(std::iter::repeat_n("    ", self.depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// A blank line, if the original has one before `offset` and this is not the start of a block.
    fn blank_line(&mut self, offset: u32) {
        let before = self.original.get(..offset as usize).unwrap_or("");
        let gap = &before[before.trim_end().len()..];
        if gap.matches('\n').count() > 1 && !self.text.ends_with("{\n") && !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Comments that stand before `offset`, each on a line of its own.
    fn leading_comments(&mut self, offset: u32) {
        while let Some((comment, rest)) = self
            .comments
            .split_first()
            .filter(|(first, _)| first.span.start < offset)
        {
            self.comments = rest;
            self.blank_line(comment.span.start);
            self.line(slashes(comment).trim_end());
        }
    }

    /// A comment on the line that has just been written, as in the original.
    fn trailing_comment(&mut self, end: u32) {
        if let Some((comment, rest)) = self.comments.split_first() {
            let between = self.original.get(end as usize..comment.span.start as usize);
            if between.is_some_and(|text| text.chars().all(|c| c == ' ' || c == '\t')) {
                self.comments = rest;
                self.text.truncate(self.text.trim_end().len());
                let _ = writeln!(self.text, " {}", slashes(comment).trim_end());
            }
        }
    }

    fn block(&mut self, statements: &[Statement], end: Span) {
        self.depth += 1;
        for statement in statements {
            self.statement(statement);
        }
        self.leading_comments(end.start);
        self.depth -= 1;
    }

    fn statement(&mut self, statement: &Statement) {
        self.leading_comments(statement.span.start);
        self.blank_line(statement.span.start);
        let text = match &statement.node {
            StatementKind::Train(sections) => return self.train(sections, statement.span),
            StatementKind::Declaration(declared) => declaration(declared),
            StatementKind::Const { name, value } => format!("const {} = {}", name.node, expression(value)),
            StatementKind::Let { name, value } => format!("let {} = {}", name.node, expression(value)),
            StatementKind::Update { name, value } => format!("update {} = {}", name.node, expression(value)),
            StatementKind::Function {
                name,
                parameters,
                body,
            } => {
                format!("fn {}({}) = {}", name.node, names(parameters), expression(body))
            }
            StatementKind::Minimize {
                loss,
                over,
                optimizer,
                arguments: given,
            } => {
                let (loss, over, given) = (expression(loss), names(over), arguments(given));
                format!("minimize {loss} over {over} with {}({given})", optimizer.node)
            }
            StatementKind::Reveal(list) => format!("reveal {}", sinks(list)),
            StatementKind::Output(list) => format!("output {}", sinks(list)),
        };
        // Comments in the middle of a statement move before it.
        self.leading_comments(statement.span.end);
        self.line(&format!("{text};"));
        self.trailing_comment(statement.span.end);
    }

    fn train(&mut self, sections: &[Section], span: Span) {
        self.line("train {");
        self.depth += 1;
        for section in sections {
            self.leading_comments(section.kind.span.start);
            self.line(&format!("{} {{", section.kind.node.as_str()));
            self.block(&section.statements, section.end.span);
            self.line("}");
            self.trailing_comment(section.end.span.end);
        }
        self.leading_comments(span.end);
        self.depth -= 1;
        self.line("}");
        self.trailing_comment(span.end);
    }
}

fn slashes(comment: &Comment) -> String {
    format!("// {}", comment.text)
}

fn declaration(declaration: &Declaration) -> String {
    let Declaration {
        origin,
        name,
        secrecy,
        shape,
        range,
        one_hot,
        refresh,
        initial,
    } = declaration;
    let shape = expressions(&shape.node);
    let mut text = format!("{} {}: {} [{shape}]", origin.as_str(), name.node, secrecy.node);
    if let Some(range) = range {
        let _ = write!(
            text,
            " in [{}, {}]",
            expression(&range.node.0),
            expression(&range.node.1)
        );
    }
    if one_hot.is_some() {
        text.push_str(" one_hot");
    }
    if let Some(who) = refresh {
        let _ = write!(text, " refresh: {}", who.node);
    }
    if let Some(initial) = initial {
        let _ = write!(text, " = {}", expression(initial));
    }
    text
}

fn joined<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn names(list: &[Name]) -> String {
    joined(list, |name| name.node.clone())
}

fn expressions(list: &[Expression]) -> String {
    joined(list, expression)
}

fn sinks(list: &[Sink]) -> String {
    joined(list, |sink| match &sink.value {
        Some(value) => format!("{} = {}", sink.name.node, expression(value)),
        None => sink.name.node.clone(),
    })
}

fn arguments(list: &[Argument]) -> String {
    joined(list, |argument| match &argument.name {
        Some(name) => format!("{}: {}", name.node, expression(&argument.value)),
        None => expression(&argument.value),
    })
}

/// An expression on one line.
pub fn expression(expression: &Expression) -> String {
    let mut text = String::new();
    write_expression(&mut text, expression, 0);
    text
}

/// Writes an expression, in parentheses if it binds more weakly than `precedence`.
fn write_expression(text: &mut String, expression: &Expression, precedence: u8) {
    match &expression.node {
        ExpressionKind::Number(spelling) => text.push_str(spelling),
        ExpressionKind::Name(name) => text.push_str(name),
        ExpressionKind::List(items) => {
            let _ = write!(text, "[{}]", expressions(items));
        }
        ExpressionKind::Call(function, given) => {
            let _ = write!(text, "{}({})", function.node, arguments(given));
        }
        ExpressionKind::Negate(inner) => {
            text.push('-');
            write_expression(text, inner, 3);
        }
        ExpressionKind::Binary(operator, left, right) => {
            let own = operator.precedence();
            let parentheses = own < precedence;
            if parentheses {
                text.push('(');
            }
            write_expression(text, left, own);
            let _ = write!(text, " {} ", operator.as_str());
            write_expression(text, right, own + 1);
            if parentheses {
                text.push(')');
            }
        }
    }
}
