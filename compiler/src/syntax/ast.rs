//! The syntax tree: what the user wrote, unchecked.

use crate::ir::Secrecy;
use crate::source::Span;

/// Something and where it stands. Two are equal if they say the same, wherever they stand.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    /// What.
    pub node: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A node at a place.
    pub fn new(node: T, span: Span) -> Self {
        Self { node, span }
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// A name.
pub type Name = Spanned<String>;
/// An expression.
pub type Expression = Spanned<ExpressionKind>;
/// A statement.
pub type Statement = Spanned<StatementKind>;

/// A comment, without its slashes.
#[derive(Clone, Debug)]
pub struct Comment {
    /// What it says, trimmed.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}

/// A file: `graph name { … }`. Equality leaves comments out.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Its name.
    pub name: Name,
    /// What it consists of.
    pub statements: Vec<Statement>,
    /// All comments of the file, in order.
    pub comments: Vec<Comment>,
    /// The closing brace.
    pub end: Span,
}

impl PartialEq for Graph {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.statements == other.statements
    }
}

/// Where a declared tensor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Given once by the key holder.
    Input,
    /// Given anew for each step.
    Stream,
    /// Carried from step to step.
    State,
    /// Public values from a file, known to the compiler.
    Weight,
}

impl Origin {
    /// The keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Stream => "stream",
            Self::State => "state",
            Self::Weight => "weight",
        }
    }
}

/// `state w: secret [features] in [-16, 16] = 0;`
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// Which keyword.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// `secret` or `public`.
    pub secrecy: Spanned<Secrecy>,
    /// Extents.
    pub shape: Spanned<Vec<Expression>>,
    /// `in [low, high]`.
    pub range: Option<Spanned<(Expression, Expression)>>,
    /// `one_hot`: each row has a single 1.
    pub one_hot: Option<Spanned<()>>,
    /// `refresh: client`: who renews the state each epoch.
    pub refresh: Option<Name>,
    /// `= value`.
    pub initial: Option<Expression>,
}

/// `name` or `name = value`, in `reveal` and `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// What the key holder sees it called.
    pub name: Name,
    /// The value; without it, the value that the name has.
    pub value: Option<Expression>,
}

/// A block of `train`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionKind {
    /// Runs for each mini-batch.
    Step,
    /// Runs after each pass over the data.
    Epoch,
}

impl SectionKind {
    /// The keyword.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Epoch => "epoch",
        }
    }
}

/// `step { … }` or `epoch { … }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Which, at its keyword.
    pub kind: Spanned<SectionKind>,
    /// What it does.
    pub statements: Vec<Statement>,
    /// The closing brace.
    pub end: Spanned<()>,
}

/// What a statement does. All statements parse everywhere; checking says which block holds which.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `const name = value;`
    Const {
        /// Its name.
        name: Name,
        /// An expression of numbers and other constants.
        value: Expression,
    },
    /// `input`, `stream`, `state` or `weight`.
    Declaration(Box<Declaration>),
    /// `fn name(parameters) = body;`
    Function {
        /// Its name.
        name: Name,
        /// Names of its arguments.
        parameters: Vec<Name>,
        /// What it gives.
        body: Expression,
    },
    /// `let name = value;`
    Let {
        /// Its name.
        name: Name,
        /// What it stands for.
        value: Expression,
    },
    /// `train { … }`
    Train(Vec<Section>),
    /// `minimize loss over states with optimizer(arguments);`
    Minimize {
        /// What shall become small.
        loss: Expression,
        /// States to change.
        over: Vec<Name>,
        /// `sgd`, `momentum`, `nesterov` or `adam`.
        optimizer: Name,
        /// Its parameters.
        arguments: Vec<Argument>,
    },
    /// `update name = value;`
    Update {
        /// The state.
        name: Name,
        /// What it is in the next step.
        value: Expression,
    },
    /// `reveal a, b = value;`
    Reveal(Vec<Sink>),
    /// `output a, b = value;`
    Output(Vec<Sink>),
}

/// An operator between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`, element by element.
    Multiply,
    /// `/`, element by element.
    Divide,
    /// `@`, matrix product.
    Matmul,
}

impl BinaryOperator {
    /// The sign.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Matmul => "@",
        }
    }

    /// How strongly it binds: 1 for sums, 2 for products. All operators group to the left.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Add | Self::Subtract => 1,
            Self::Multiply | Self::Divide | Self::Matmul => 2,
        }
    }
}

/// `value` or `name: value`, in a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    /// Its name, where one is written.
    pub name: Option<Name>,
    /// Its value.
    pub value: Expression,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A number as it is spelt.
    Number(String),
    /// A name.
    Name(String),
    /// `[a, b, c]`
    List(Vec<Expression>),
    /// `-a`
    Negate(Box<Expression>),
    /// `a + b`
    Binary(BinaryOperator, Box<Expression>, Box<Expression>),
    /// `f(a, range: b)`
    Call(Name, Vec<Argument>),
}

/// The value of a number as it is spelt.
pub fn number(text: &str) -> Option<f64> {
    text.replace('_', "")
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
}
