//! Declarations: constants, tensors and their initial values.

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::ir::{Builder, Opcode, Secrecy, TensorType, Value};
use crate::source::Span;
use crate::syntax::ast::{Declaration, Expression, ExpressionKind, Name, Origin, Spanned};

use super::builtin::signature;
use super::checker::{Binding, Checked, Checker, Operand, Place, Reported, State};
use super::glorot::{glorot, glorot_limit};
use super::shape;

impl<'a> Checker<'a> {
    /// `const name = value;`, where `--set` may replace the value.
    pub fn constant_declaration(&mut self, name: &'a Name, value: &'a Expression) -> Checked<()> {
        self.constants.insert(name.node.clone());
        let stated = self.constant_operand(value);
        let operand = match self.options.set.get(&name.node) {
            Some(&number) if number.is_finite() => Ok(Operand::Number(number)),
            Some(&number) => Err(self.report(
                Diagnostic::new(
                    Code::Option,
                    format!("`--set {}={number}` is no number", name.node),
                )
                .label(name.span, "the constant"),
            )),
            None => stated,
        };
        let binding = operand.map_or(Binding::Poison, Binding::Operand);
        self.declare(name, "constant", binding)
    }

    fn constant_operand(&mut self, value: &'a Expression) -> Checked<Operand> {
        match &value.node {
            ExpressionKind::List(_) => self.expression(value),
            _ => self.constant(value, "a `const`").map(Operand::Number),
        }
    }

    /// Reports `--set` of names that are no constants.
    pub fn check_overrides(&mut self) {
        let unknown: Vec<&String> = self
            .options
            .set
            .keys()
            .filter(|name| !self.constants.contains(*name))
            .collect();
        for name in unknown {
            let near = nearest(name, self.constants.iter().map(String::as_str)).map(str::to_owned);
            let all: Vec<String> = self.constants.iter().map(|name| format!("`{name}`")).collect();
            let known = match all.as_slice() {
                [] => "the graph declares no constants".to_owned(),
                _ => format!("the constants are {}", all.join(", ")),
            };
            self.report(
                Diagnostic::new(
                    Code::Option,
                    format!("`--set {name}=…`: there is no constant `{name}`"),
                )
                .note(known)
                .remedy_if(near.map(|near| format!("did you mean `{near}`?"))),
            );
        }
    }

    /// `let name = value;`
    pub fn let_(&mut self, name: &'a Name, value: &'a Expression) -> Checked<()> {
        let binding = self.expression(value).map_or(Binding::Poison, Binding::Operand);
        self.declare(name, "value", binding)
    }

    /// `input`, `stream`, `state` or `weight`. A wrong one leaves a name whose uses are not reported.
    pub fn declaration(&mut self, declaration: &'a Declaration) -> Checked<()> {
        let what = declaration.origin.as_str();
        let binding = self.declared(declaration).unwrap_or(Binding::Poison);
        self.declare(&declaration.name, what, binding)
    }

    fn declared(&mut self, declaration: &'a Declaration) -> Checked<Binding<'a>> {
        let (name, origin) = (&declaration.name, declaration.origin);
        let shape = self.declared_shape(&declaration.shape)?;
        let range = self.declared_range(declaration);
        self.clauses(declaration)?;
        let ty = TensorType {
            shape,
            secrecy: declaration.secrecy.node,
            range: range?,
        };
        let one_hot = declaration.one_hot.as_ref();
        match origin {
            Origin::Input => {
                let mut attributes = Builder::attributes([("name", name.node.as_str().into())]);
                attributes.extend(one_hot.map(|_| ("one_hot", true.into())));
                let value = self.emit_typed(name.span, Opcode::TensorInput, &[], attributes, ty)?;
                Ok(Binding::Operand(Operand::Tensor(value)))
            }
            Origin::Stream => {
                self.check_batch(declaration, &ty)?;
                let span = one_hot.map_or(Span::none(), |place| place.span);
                Ok(Binding::Stream(ty, Spanned::new(one_hot.is_some(), span)))
            }
            Origin::State => self.state(declaration, ty),
            Origin::Weight => self
                .weight(name, ty)
                .map(|value| Binding::Operand(Operand::Tensor(value))),
        }
    }

    fn declared_shape(&mut self, shape: &'a Spanned<Vec<Expression>>) -> Checked<Vec<u32>> {
        let extents: Vec<Checked<u32>> = shape
            .node
            .iter()
            .map(|extent| self.extent(extent, "an extent"))
            .collect();
        let extents = extents.into_iter().collect::<Checked<Vec<_>>>()?;
        self.check_size(&extents, shape.span)?;
        Ok(extents)
    }

    fn declared_range(&mut self, declaration: &'a Declaration) -> Checked<Option<(f64, f64)>> {
        let Some(range) = &declaration.range else {
            let secret = declaration.secrecy.node == Secrecy::Secret && declaration.origin != Origin::Weight;
            if secret && declaration.one_hot.is_none() {
                let (name, what) = (&declaration.name, declaration.origin.as_str());
                return Err(self.report(
                    Diagnostic::new(Code::Range, format!("the {what} `{}` has no range", name.node))
                        .label(name.span, "which values can it take?")
                        .note(
                            "encryption has room for a declared interval; the encryptor refuses data \
                            outside it",
                        )
                        .remedy("declare one after the shape: `in [-1, 1]`"),
                ));
            }
            return Ok(declaration.one_hot.as_ref().map(|_| (0.0, 1.0)));
        };
        let (low, high) = (
            self.constant(&range.node.0, "a bound"),
            self.constant(&range.node.1, "a bound"),
        );
        let (low, high) = (low?, high?);
        if low >= high {
            return Err(self.report(
                Diagnostic::new(Code::Range, format!("the range [{low}, {high}] is empty"))
                    .label(range.span, "the lower bound must be below the upper one")
                    .remedy_if((low > high).then(|| format!("write `in [{high}, {low}]`"))),
            ));
        }
        Ok(Some((low, high)))
    }

    /// Checks that each clause stands where it has a meaning.
    fn clauses(&mut self, declaration: &'a Declaration) -> Checked<()> {
        let (origin, name) = (declaration.origin, &declaration.name);
        let mut misplaced = Vec::new();
        if let Some(one_hot) = &declaration.one_hot {
            if !matches!(origin, Origin::Input | Origin::Stream) {
                misplaced.push((
                    one_hot.span,
                    "`one_hot` describes labels that are given, in an `input` or a `stream`",
                ));
            } else if declaration.shape.node.is_empty() {
                misplaced.push((one_hot.span, "`one_hot` rows need a dimension of classes"));
            } else if let Some(range) = &declaration.range {
                misplaced.push((
                    range.span,
                    "a `one_hot` tensor lies in [0, 1]; leave its range out",
                ));
            }
        }
        match &declaration.refresh {
            Some(who) if origin != Origin::State => {
                misplaced.push((
                    who.span,
                    "only a `state` is refreshed; other tensors are not computed on",
                ));
            }
            Some(who) if who.node != "client" => {
                misplaced.push((
                    who.span,
                    "a state is refreshed by the `client`: `refresh: client`",
                ));
            }
            _ => {}
        }
        match &declaration.initial {
            Some(initial) if origin != Origin::State => {
                misplaced.push((
                    initial.span,
                    "only a `state` has an initial value; name values with `const` or `let`",
                ));
            }
            _ => {}
        }
        if origin == Origin::State && self.place == Place::After {
            misplaced.push((name.span, "a `state` is declared before `train`"));
        }
        let Some(&(span, text)) = misplaced.first() else {
            return Ok(());
        };
        Err(self.report(
            Diagnostic::new(
                Code::Type,
                format!("wrong declaration of the {} `{}`", origin.as_str(), name.node),
            )
            .label(span, "does not belong here")
            .note(text),
        ))
    }

    /// All streams bring the same number of rows.
    fn check_batch(&mut self, declaration: &'a Declaration, ty: &TensorType) -> Checked<()> {
        let name = &declaration.name;
        let Some(&extent) = ty.shape.first() else {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("the stream `{}` has no batch dimension", name.node),
                )
                .label(declaration.shape.span, "is a scalar")
                .note("the first dimension of a stream counts the rows of a mini-batch")
                .remedy("write `[batch]`, with a `const batch = 128;`"),
            ));
        };
        match self.batch {
            Some((batch, other)) if batch != extent => Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("streams bring {batch} and {extent} rows for a step"),
                )
                .label(declaration.shape.span, format!("{extent} rows"))
                .label(other, format!("{batch} rows"))
                .remedy("give all streams the same first dimension: `const batch = …;`"),
            )),
            _ => {
                self.batch = Some((extent, declaration.shape.span));
                Ok(())
            }
        }
    }

    /// A weight: values from a file.
    fn weight(&mut self, name: &'a Name, ty: TensorType) -> Checked<Value> {
        if ty.secrecy == Secrecy::Secret {
            return Err(self.report(
                Diagnostic::new(
                    Code::Secret,
                    format!("the weight `{}` cannot be secret", name.node),
                )
                .label(name.span, "its values are read by the compiler")
                .note("weights become part of the plan, which everyone may read")
                .remedy(format!(
                    "write `weight {0}: public …`, or `input {0}: secret … in [low, high]`",
                    name.node
                )),
            ));
        }
        let Some(data) = self.options.weights.get(&name.node) else {
            let near = nearest(&name.node, self.options.weights.keys().map(String::as_str));
            let near = near.map(|near| format!("the weights given have a `{near}`: did you mean that?"));
            return Err(self.report(
                Diagnostic::new(
                    Code::Option,
                    format!("no values are given for the weight `{}`", name.node),
                )
                .label(name.span, format!("wants {} numbers", shape::elements(&ty.shape)))
                .remedy(format!(
                    "pass a .safetensors or .npz file that has an array `{}`: `--weights FILE`",
                    name.node
                ))
                .remedy_if(near),
            ));
        };
        if data.shape != ty.shape || data.values.len() as u64 != shape::elements(&ty.shape) {
            return Err(self.report(
                Diagnostic::new(
                    Code::Shape,
                    format!("the weight `{}` has another shape in the file", name.node),
                )
                .label(name.span, format!("declared {}", shape::show(&ty.shape)))
                .note(format!(
                    "the file has {} with {} numbers",
                    shape::show(&data.shape),
                    data.values.len()
                )),
            ));
        }
        if let Some(strange) = data.values.iter().find(|value| !value.is_finite()) {
            return Err(self.report(
                Diagnostic::new(Code::Range, format!("the weight `{}` holds {strange}", name.node))
                    .label(name.span, "must be finite numbers"),
            ));
        }
        self.check_initial(&data.values, &ty, name.span)?;
        let value = self.elements(name.span, data.values.clone(), &ty.shape)?;
        self.name_constant(value, &name.node);
        Ok(value)
    }

    fn name_constant(&mut self, value: Value, name: &str) {
        if let Some(op) = self.graph.defining_op(value) {
            self.graph.op_mut(op).attributes.insert("name", name.into());
        }
    }

    /// A state. Without an initial value it is given by the key holder, like an input.
    fn state(&mut self, declaration: &'a Declaration, ty: TensorType) -> Checked<Binding<'a>> {
        let name = &declaration.name;
        let initial = match &declaration.initial {
            None => {
                let attributes = Builder::attributes([("name", name.node.as_str().into())]);
                self.emit_typed(name.span, Opcode::TensorInput, &[], attributes, ty.clone())?
            }
            Some(expression) => self.initial(expression, &ty)?,
        };
        if ty.secrecy == Secrecy::Public && self.ty(initial).secrecy == Secrecy::Secret {
            let place = declaration
                .initial
                .as_ref()
                .map_or(name.span, |expression| expression.span);
            return Err(self.report(
                Diagnostic::new(
                    Code::Secret,
                    format!("the public state `{}` would take a secret value", name.node),
                )
                .label(place, "is secret")
                .label(declaration.secrecy.span, "declared public")
                .remedy("declare the state `secret`"),
            ));
        }
        let refreshed = declaration.refresh.is_some();
        let (name, span) = (name.node.clone(), name.span);
        self.states.push(State {
            name,
            span,
            ty,
            initial,
            current: initial,
            next: None,
            refreshed,
        });
        Ok(Binding::State(self.states.len() - 1))
    }

    fn initial(&mut self, expression: &'a Expression, ty: &TensorType) -> Checked<Value> {
        let span = expression.span;
        if let ExpressionKind::Call(function, arguments) = &expression.node
            && let Some(signature) = signature("glorot").filter(|signature| signature.name == function.node)
        {
            let call = self.match_arguments(signature, arguments, span)?;
            let Some(seed) = call.named("seed") else {
                return Err(self.report(
                    Diagnostic::new(Code::Type, "`glorot` needs a seed")
                        .label(span, "which random numbers?")
                        .note("the same source always gives the same plan")
                        .remedy("write `glorot(seed: 1)`"),
                ));
            };
            let seed = self.integer(seed, "a seed")?;
            let limit = glorot_limit(&ty.shape);
            self.check_initial(&[-limit, limit], ty, span)?;
            return self.elements(span, glorot(&ty.shape, seed as u64), &ty.shape);
        }
        let value = match self.expression(expression)? {
            Operand::Number(number) => {
                self.check_initial(&[number], ty, span)?;
                return self.splat(span, number, &ty.shape);
            }
            Operand::List(values) => {
                self.check_initial(&values, ty, span)?;
                self.tensor(Operand::List(values), span)?
            }
            Operand::Tensor(value) => value,
        };
        let given = self.ty(value).shape;
        if given == ty.shape {
            return Ok(value);
        }
        Err(self.report(
            Diagnostic::new(
                Code::Shape,
                format!(
                    "a state {} cannot start as {}",
                    shape::show(&ty.shape),
                    shape::show(&given)
                ),
            )
            .label(span, format!("is {}", shape::show(&given)))
            .remedy("a number fills the whole state: `= 0`"),
        ))
    }

    /// Values known now must lie in the declared range.
    fn check_initial(&mut self, values: &[f64], ty: &TensorType, span: Span) -> Result<(), Reported> {
        let Some((low, high)) = ty.range else {
            return Ok(());
        };
        match values.iter().find(|value| !(low..=high).contains(*value)) {
            None => Ok(()),
            Some(outside) => Err(self.report(
                Diagnostic::new(
                    Code::Range,
                    format!("the value {outside} lies outside the declared range [{low}, {high}]"),
                )
                .label(span, "outside the range")
                .remedy("widen the range, or choose another value"),
            )),
        }
    }
}
