//! The walk over the tree: scopes, the graph under construction, and reporting.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::ir::{Attributes, BlockId, Builder, Graph, Opcode, Secrecy, TensorType, Type, Value};
use crate::options::Options;
use crate::source::Span;
use crate::syntax::ast::{self, Expression, Name, SectionKind, Statement, StatementKind};

use super::shape;

/// Most expressions that are visited, calls inlined: keeps programs whose calls double again and again
/// from running away.
const MOST_VISITS: u32 = 1 << 20;

/// A diagnostic has been made: whoever sees this stays silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

pub(super) type Checked<T> = Result<T, Reported>;

/// What an expression stands for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Operand {
    /// A number known now.
    Number(f64),
    /// Numbers known now.
    List(Vec<f64>),
    /// A tensor, known when the plan runs, or a public one from a file.
    Tensor(Value),
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(super) enum Binding<'a> {
    /// A constant, a value or an argument.
    Operand(Operand),
    /// A stream: has a value in `step` only.
    Stream(TensorType, ast::Spanned<bool>),
    /// A state, by its position.
    State(usize),
    /// A function of the user's.
    Function(&'a [Name], &'a Expression),
    /// Something whose declaration was wrong: uses of it are not reported again.
    Poison,
}

/// A declared name.
#[derive(Clone, Debug)]
pub(super) struct Entry<'a> {
    /// What it stands for.
    pub binding: Binding<'a>,
    /// Where it is declared.
    pub span: Span,
    /// What a message calls it: `constant`, `input` …
    pub what: &'static str,
    /// Whether anything uses it.
    pub used: bool,
}

/// A state.
pub(super) struct State {
    pub name: String,
    pub span: Span,
    pub ty: TensorType,
    pub initial: Value,
    /// The value that its name means at this place of the walk.
    pub current: Value,
    /// The value in the next step and the statement that gives it.
    pub next: Option<(Value, Span)>,
    pub refreshed: bool,
}

/// Which part of the graph the walk is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Before,
    Inside(SectionKind),
    After,
}

pub(super) type Scope<'a> = BTreeMap<String, Entry<'a>>;

pub(super) struct Checker<'a> {
    pub options: &'a Options,
    diagnostics: &'a mut Diagnostics,
    pub graph: Graph,
    pub block: BlockId,
    pub globals: Scope<'a>,
    /// Local names; only the innermost scope is seen, then the globals.
    pub locals: Vec<Scope<'a>>,
    pub states: Vec<State>,
    pub place: Place,
    /// Calls of the user's functions that the walk is inside of.
    pub calls: Vec<(String, Span)>,
    /// Expressions that the walk is inside of.
    pub depth: u32,
    /// Expressions visited so far.
    visits: u32,
    /// Streams and `t` as values of the step's block, made at their first use.
    pub step_values: BTreeMap<String, Value>,
    pub reveals: BTreeMap<String, Span>,
    pub outputs: BTreeMap<String, Span>,
    /// Extent of the first dimension of all streams, and the stream that set it.
    pub batch: Option<(u32, Span)>,
    pub constants: BTreeSet<String>,
}

impl<'a> Checker<'a> {
    pub fn new(tree: &ast::Graph, options: &'a Options, diagnostics: &'a mut Diagnostics) -> Self {
        let graph = Graph::new(tree.name.node.clone());
        let block = graph.body();
        Self {
            options,
            diagnostics,
            graph,
            block,
            globals: Scope::new(),
            locals: Vec::new(),
            states: Vec::new(),
            place: Place::Before,
            calls: Vec::new(),
            depth: 0,
            visits: 0,
            step_values: BTreeMap::new(),
            reveals: BTreeMap::new(),
            outputs: BTreeMap::new(),
            batch: None,
            constants: BTreeSet::new(),
        }
    }

    /// Checks and lowers the whole graph.
    pub fn graph(mut self, tree: &'a ast::Graph) -> Graph {
        for statement in &tree.statements {
            // Reported already: the next statement is checked in any case.
            let _ = self.statement(statement);
        }
        self.check_overrides();
        if self.reveals.is_empty() && self.outputs.is_empty() && !self.diagnostics.has_errors() {
            self.report(
                Diagnostic::new(
                    Code::Type,
                    format!("nothing leaves the graph `{}`", tree.name.node),
                )
                .label(tree.name.span, "has neither `output` nor `reveal`")
                .remedy("end it with `output w;` for each trained state, or `reveal` a result"),
            );
        }
        let globals = std::mem::take(&mut self.globals);
        self.warn_unused(&globals);
        self.graph
    }

    fn statement(&mut self, statement: &'a Statement) -> Checked<()> {
        let span = statement.span;
        match &statement.node {
            StatementKind::Const { name, value } => self.constant_declaration(name, value),
            StatementKind::Declaration(declaration) => self.declaration(declaration),
            StatementKind::Function {
                name,
                parameters,
                body,
            } => self.function(name, parameters, body),
            StatementKind::Let { name, value } => self.let_(name, value),
            StatementKind::Train(sections) => self.train(sections, span),
            StatementKind::Reveal(sinks) => self.sinks(sinks, Opcode::TensorReveal),
            StatementKind::Output(sinks) => self.sinks(sinks, Opcode::TensorOutput),
            StatementKind::Minimize { .. } => Err(self.misplaced(span, "minimize", "train { step { … } }")),
            StatementKind::Update { .. } => Err(self.misplaced(span, "update", "train { step { … } }")),
        }
    }

    /// Reports that a statement does not belong here.
    pub fn misplaced(&mut self, span: Span, word: &str, home: &str) -> Reported {
        let here = match self.place {
            Place::Inside(section) => format!("inside `{}`", section.as_str()),
            _ => "at the top of the graph".to_owned(),
        };
        self.report(
            Diagnostic::new(Code::Type, format!("`{word}` cannot stand {here}"))
                .label(span, "misplaced statement")
                .remedy(format!("move it to {home}")),
        )
    }

    /// Reports, with the calls that led here.
    pub fn report(&mut self, mut diagnostic: Diagnostic) -> Reported {
        for (function, span) in self.calls.iter().rev() {
            diagnostic = diagnostic.label(*span, format!("in this call of `{function}`"));
        }
        self.diagnostics.push(diagnostic);
        Reported
    }

    /// Whether an error has been found.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.has_errors()
    }

    /// Counts a visit of an expression; refuses programs that have grown out of hand.
    pub fn visit(&mut self, span: Span) -> Checked<()> {
        self.visits = self.visits.saturating_add(1);
        match self.visits.cmp(&MOST_VISITS) {
            Ordering::Less => Ok(()),
            Ordering::Equal => Err(self.report(
                Diagnostic::new(Code::Memory, "the graph grows without end")
                    .label(
                        span,
                        format!("more than {MOST_VISITS} expressions after inlining all functions"),
                    )
                    .remedy(
                        "a function that calls another one twice doubles the graph: name the result \
                        with `let`",
                    ),
            )),
            Ordering::Greater => Err(Reported),
        }
    }

    /// Appends an operation without a known range.
    pub fn emit(
        &mut self,
        span: Span,
        opcode: Opcode,
        operands: &[Value],
        attributes: Attributes,
        shape: &[u32],
        secrecy: Secrecy,
    ) -> Checked<Value> {
        let ty = TensorType {
            shape: shape.to_vec(),
            secrecy,
            range: None,
        };
        self.emit_typed(span, opcode, operands, attributes, ty)
    }

    /// Appends an operation with one result.
    pub fn emit_typed(
        &mut self,
        span: Span,
        opcode: Opcode,
        operands: &[Value],
        attributes: Attributes,
        ty: TensorType,
    ) -> Checked<Value> {
        self.check_size(&ty.shape, span)?;
        let mut builder = Builder::new(&mut self.graph, self.block);
        builder.span = span;
        Ok(builder.value(opcode, operands, attributes, Type::Tensor(ty)))
    }

    /// Refuses shapes that no tensor has.
    pub fn check_size(&mut self, extents: &[u32], span: Span) -> Checked<()> {
        if extents.len() > shape::MOST_DIMENSIONS {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("a tensor has at most {} dimensions", shape::MOST_DIMENSIONS),
                )
                .label(span, format!("has {}: {}", extents.len(), shape::show(extents))),
            ));
        }
        if shape::elements(extents) > shape::MOST_ELEMENTS {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("the tensor {} is too large", shape::show(extents)),
                )
                .label(span, format!("more than {} elements", shape::MOST_ELEMENTS)),
            ));
        }
        Ok(())
    }

    /// A constant tensor: one number everywhere.
    pub fn splat(&mut self, span: Span, number: f64, shape: &[u32]) -> Checked<Value> {
        let attributes = Builder::attributes([("value", number.into())]);
        self.emit(
            span,
            Opcode::TensorConstant,
            &[],
            attributes,
            shape,
            Secrecy::Public,
        )
    }

    /// A constant tensor from its elements.
    pub fn elements(&mut self, span: Span, values: Vec<f64>, shape: &[u32]) -> Checked<Value> {
        let attributes = Builder::attributes([("values", values.into())]);
        self.emit(
            span,
            Opcode::TensorConstant,
            &[],
            attributes,
            shape,
            Secrecy::Public,
        )
    }

    /// The tensor type of a value.
    pub fn ty(&self, value: Value) -> TensorType {
        match self.graph.ty(value) {
            Type::Tensor(tensor) => tensor.clone(),
            other => unreachable!("{other} in the tensor dialect"),
        }
    }

    /// What a message says of an operand: `secret [128, 384]`.
    pub fn describe(&self, operand: &Operand) -> String {
        match operand {
            Operand::Number(number) => format!("the number {number}"),
            Operand::List(values) => format!("a list of {} numbers", values.len()),
            Operand::Tensor(value) => {
                let ty = self.ty(*value);
                format!("{} {}", ty.secrecy, shape::show(&ty.shape))
            }
        }
    }

    /// The operand as a tensor.
    pub fn tensor(&mut self, operand: Operand, span: Span) -> Checked<Value> {
        match operand {
            Operand::Tensor(value) => Ok(value),
            Operand::Number(number) => self.splat(span, number, &[]),
            Operand::List(values) => {
                let extent = values.len() as u32;
                self.elements(span, values, &[extent])
            }
        }
    }
}
