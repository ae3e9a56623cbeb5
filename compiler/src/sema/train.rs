//! Training: the loop over mini-batches, optimisers, gradients and hand-written updates.

use crate::diagnostic::{Code, Diagnostic};
use crate::ir::{Attribute, Attributes, BlockId, Builder, Opcode, Secrecy, Type, Value};
use crate::source::Span;
use crate::syntax::ast::{Argument, Expression, Name, Section, SectionKind, Statement, StatementKind};

use super::checker::{Binding, Checked, Checker, Operand, Place, Reported, Scope};
use super::shape;

impl<'a> Checker<'a> {
    /// `train { step { … } epoch { … } }`
    pub fn train(&mut self, sections: &'a [Section], span: Span) -> Checked<()> {
        if self.place == Place::After {
            return Err(self.report(
                Diagnostic::new(Code::Type, "a graph trains once")
                    .label(span, "a second `train`")
                    .remedy("put all statements into one `step`; it may hold several `minimize`"),
            ));
        }
        let step = self.section(sections, SectionKind::Step)?;
        let epoch = self.section(sections, SectionKind::Epoch)?;
        if self.states.is_empty() {
            self.place = Place::After;
            return Err(self.report(
                Diagnostic::new(Code::Type, "`train` without a state")
                    .label(span, "nothing to train")
                    .remedy("declare what is learnt: `state w: secret [features] in [-16, 16] = 0;`"),
            ));
        }
        let Some(step) = step else {
            self.place = Place::After;
            return Err(self.report(
                Diagnostic::new(Code::Type, "`train` without a `step`")
                    .label(span, "nothing is done with the mini-batches")
                    .remedy("write `step { minimize loss over w with sgd(rate: 0.1); }`"),
            ));
        };
        let types: Vec<Type> = self
            .states
            .iter()
            .map(|state| Type::Tensor(state.ty.clone()))
            .collect();
        let outside = self.block;
        let step_block = self.region(&types, SectionKind::Step, &step.statements);
        let next: Vec<Value> = self
            .states
            .iter()
            .map(|state| state.next.map_or(state.current, |(value, _)| value))
            .collect();
        self.close(step_block, &next, step.end.span);
        let epoch_block = match epoch {
            Some(epoch) => {
                let block = self.region(&types, SectionKind::Epoch, &epoch.statements);
                self.close(block, &[], epoch.end.span);
                block
            }
            None => self.graph.new_block([]),
        };
        self.block = outside;
        self.place = Place::After;
        self.training_loop(types, vec![step_block, epoch_block], span);
        self.warn_untrained();
        Ok(())
    }

    fn section(&mut self, sections: &'a [Section], kind: SectionKind) -> Checked<Option<&'a Section>> {
        let mut found = sections.iter().filter(|section| section.kind.node == kind);
        let first = found.next();
        if let (Some(first), Some(second)) = (first, found.next()) {
            let word = kind.as_str();
            return Err(self.report(
                Diagnostic::new(Code::Type, format!("`train` has two `{word}` blocks"))
                    .label(second.kind.span, "the second")
                    .label(first.kind.span, "the first")
                    .remedy("join them"),
            ));
        }
        Ok(first)
    }

    /// Lowers a block of `train` into a region whose arguments are the states.
    fn region(&mut self, types: &[Type], kind: SectionKind, statements: &'a [Statement]) -> BlockId {
        let block = self.graph.new_block(types.iter().cloned());
        let arguments = self.graph.block(block).arguments.clone();
        for (state, argument) in self.states.iter_mut().zip(arguments) {
            state.current = argument;
        }
        self.block = block;
        self.place = Place::Inside(kind);
        self.locals.push(Scope::new());
        for statement in statements {
            // Reported already: the next statement is checked in any case.
            let _ = self.inner_statement(statement, kind);
        }
        self.step_values.clear();
        let scope = self.locals.pop().unwrap_or_default();
        self.warn_unused(&scope);
        block
    }

    fn close(&mut self, block: BlockId, values: &[Value], span: Span) {
        let mut builder = Builder::new(&mut self.graph, block);
        builder.span = span;
        builder.op(Opcode::TrainYield, values, Attributes::new(), Vec::new());
    }

    fn training_loop(&mut self, types: Vec<Type>, regions: Vec<BlockId>, span: Span) {
        let initial: Vec<Value> = self.states.iter().map(|state| state.initial).collect();
        let names: Vec<String> = self.states.iter().map(|state| state.name.clone()).collect();
        let refreshed = self.states.iter().filter(|state| state.refreshed);
        let refreshed: Vec<String> = refreshed.map(|state| state.name.clone()).collect();
        let mut attributes = Builder::attributes([("names", names.into())]);
        if !refreshed.is_empty() {
            attributes.insert("refresh", refreshed.into());
        }
        let mut builder = Builder::new(&mut self.graph, self.block);
        builder.span = span;
        let op = builder.op_with_regions(Opcode::TrainLoop, &initial, attributes, types, regions);
        let results = self.graph.op(op).results.clone();
        for (state, result) in self.states.iter_mut().zip(results) {
            state.current = result;
        }
    }

    fn warn_untrained(&mut self) {
        if self.has_errors() {
            return;
        }
        let untrained: Vec<(String, Span)> = self
            .states
            .iter()
            .filter(|state| state.next.is_none())
            .map(|state| (state.name.clone(), state.span))
            .collect();
        for (name, span) in untrained {
            self.report(
                Diagnostic::new(Code::Unused, format!("the state `{name}` is never changed"))
                    .label(span, "keeps its initial value")
                    .remedy(format!(
                        "add it to `minimize … over …`, write `update {name} = …`, or \
                        declare it as an `input`"
                    )),
            );
        }
    }

    fn inner_statement(&mut self, statement: &'a Statement, kind: SectionKind) -> Checked<()> {
        let span = statement.span;
        match (&statement.node, kind) {
            (StatementKind::Let { name, value }, _) => self.let_(name, value),
            (StatementKind::Reveal(sinks), _) => self.sinks(sinks, Opcode::TensorReveal),
            (
                StatementKind::Minimize {
                    loss,
                    over,
                    optimizer,
                    arguments,
                },
                SectionKind::Step,
            ) => self.minimize(loss, over, optimizer, arguments, span),
            (StatementKind::Update { name, value }, SectionKind::Step) => self.update(name, value, span),
            (StatementKind::Minimize { .. }, _) => Err(self.misplaced(span, "minimize", "`step`")),
            (StatementKind::Update { .. }, _) => Err(self.misplaced(span, "update", "`step`")),
            (StatementKind::Output(_), _) => {
                Err(self.misplaced(span, "output", "the end of the graph, after `train`"))
            }
            (StatementKind::Train(_), _) => Err(self.misplaced(span, "train", "the top of the graph")),
            (StatementKind::Function { .. }, _) => Err(self.misplaced(span, "fn", "the top of the graph")),
            (StatementKind::Const { .. }, _) => Err(self.misplaced(span, "const", "the top of the graph")),
            (StatementKind::Declaration(declaration), _) => {
                Err(self.misplaced(span, declaration.origin.as_str(), "the top of the graph"))
            }
        }
    }

    /// `update name = value;`
    fn update(&mut self, name: &'a Name, expression: &'a Expression, span: Span) -> Checked<()> {
        let position = self.state_to_change(name)?;
        let operand = self.expression(expression)?;
        let state = self.states[position].ty.clone();
        let value = match operand {
            Operand::Number(number) => self.splat(expression.span, number, &state.shape)?,
            other => self.tensor(other, expression.span)?,
        };
        let ty = self.ty(value);
        if ty.shape != state.shape {
            let (wanted, given) = (shape::show(&state.shape), shape::show(&ty.shape));
            let declared = self.states[position].span;
            return Err(self.report(
                Diagnostic::new(
                    Code::Carry,
                    format!("the state `{}` {wanted} cannot become {given}", name.node),
                )
                .label(expression.span, format!("is {given}"))
                .label(declared, format!("declared {wanted}"))
                .note("each step starts with states of the same shape")
                .remedy_if(
                    (!ty.shape.is_empty()).then(|| "reduce the batch with `mean(…, axis: 0)`".to_owned()),
                ),
            ));
        }
        if state.secrecy == Secrecy::Public && ty.secrecy == Secrecy::Secret {
            let declared = self.states[position].span;
            return Err(self.report(
                Diagnostic::new(
                    Code::Secret,
                    format!("the public state `{}` would take a secret value", name.node),
                )
                .label(expression.span, "is secret")
                .label(declared, "declared public")
                .remedy("declare the state `secret`; `reveal` shows values to the key holder"),
            ));
        }
        self.states[position].next = Some((value, span));
        Ok(())
    }

    /// The position of a state that this step has not changed yet.
    fn state_to_change(&mut self, name: &Name) -> Checked<usize> {
        let Some(entry) = self.entry(&name.node) else {
            return Err(self.undeclared(&name.node, name.span));
        };
        let position = match entry.binding {
            Binding::State(position) => position,
            Binding::Poison => return Err(Reported),
            _ => {
                return Err(self.report(
                    Diagnostic::new(Code::Type, format!("`{}` is no state", name.node))
                        .label(name.span, "cannot be changed")
                        .label(entry.span, format!("declared here as `{}`", entry.what))
                        .remedy("only states are carried from step to step: declare it as `state`"),
                ));
            }
        };
        if let Some((_, first)) = self.states[position].next {
            return Err(self.report(
                Diagnostic::new(
                    Code::Carry,
                    format!("the state `{}` is changed twice in a step", name.node),
                )
                .label(name.span, "changed again here")
                .label(first, "changed here first")
                .note("all changes of a step happen together, at its end")
                .remedy("compute the value in one `update`"),
            ));
        }
        Ok(position)
    }

    /// `minimize loss over states with optimizer(arguments);`
    fn minimize(
        &mut self,
        loss: &'a Expression,
        over: &'a [Name],
        optimizer: &'a Name,
        arguments: &'a [Argument],
        span: Span,
    ) -> Checked<()> {
        let value = self.loss(loss);
        let positions = self.parameters(over);
        let scalars = self.optimizer(optimizer, arguments, span);
        let (value, positions, (optimizer, scalars)) = (value?, positions?, scalars?);
        for (name, &position) in over.iter().zip(&positions) {
            self.check_dependence(value, self.states[position].current, name, loss.span)?;
        }
        let states: Vec<&super::checker::State> =
            positions.iter().map(|&position| &self.states[position]).collect();
        let names: Vec<String> = states.iter().map(|state| state.name.clone()).collect();
        let types: Vec<Type> = states
            .iter()
            .map(|state| Type::Tensor(state.ty.clone()))
            .collect();
        let mut operands = vec![value];
        operands.extend(states.iter().map(|state| state.current));
        operands.extend(scalars.iter().map(|(_, value)| *value));
        let scalar_names: Vec<String> = scalars.into_iter().map(|(name, _)| name.to_owned()).collect();
        let attributes = Builder::attributes([
            ("optimizer", optimizer.into()),
            ("names", names.into()),
            ("scalars", Attribute::Texts(scalar_names)),
        ]);
        let mut builder = Builder::new(&mut self.graph, self.block);
        builder.span = span;
        let op = builder.op(Opcode::TrainMinimize, &operands, attributes, types);
        let results = self.graph.op(op).results.clone();
        for (position, result) in positions.into_iter().zip(results) {
            self.states[position].next = Some((result, span));
        }
        Ok(())
    }

    fn parameters(&mut self, over: &'a [Name]) -> Checked<Vec<usize>> {
        let mut positions = Vec::new();
        for name in over {
            let position = self.state_to_change(name)?;
            if positions.contains(&position) {
                return Err(self.report(
                    Diagnostic::new(Code::Carry, format!("the state `{}` is named twice", name.node))
                        .label(name.span, "a second time")
                        .remedy("remove it"),
                ));
            }
            positions.push(position);
        }
        Ok(positions)
    }
}
