//! Statements.
//!
//! ```text
//! file        = "graph" NAME block
//! block       = "{" statement* "}"
//! statement   = "const" NAME "=" expression ";"
//!             | origin NAME ":" ("secret" | "public") list clause* ["=" expression] ";"
//!             | "fn" NAME "(" [NAME ("," NAME)*] ")" "=" expression ";"
//!             | "let" NAME "=" expression ";"
//!             | "train" "{" (("step" | "epoch") block)* "}"
//!             | "minimize" expression "over" NAME ("," NAME)* "with" NAME arguments ";"
//!             | "update" NAME "=" expression ";"
//!             | ("reveal" | "output") sink ("," sink)* ";"
//! origin      = "input" | "stream" | "state" | "weight"
//! clause      = "in" "[" expression "," expression "]" | "one_hot" | "refresh" ":" NAME
//! sink        = NAME ["=" expression]
//! ```

use super::ast::{Declaration, Name, Origin, Section, SectionKind, Sink, Spanned, Statement, StatementKind};
use super::lexer::Token;
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::ir::Secrecy;

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        let start = self.span();
        let node = match self.peek() {
            Token::Const => self.const_()?,
            Token::Input => self.declaration(Origin::Input)?,
            Token::Stream => self.declaration(Origin::Stream)?,
            Token::State => self.declaration(Origin::State)?,
            Token::Weight => self.declaration(Origin::Weight)?,
            Token::Fn => self.function()?,
            Token::Let => self.let_()?,
            Token::Train => return self.train(),
            Token::Minimize => self.minimize()?,
            Token::Update => self.update()?,
            Token::Reveal => self.sinks("of a revealed value", StatementKind::Reveal)?,
            Token::Output => self.sinks("of an output", StatementKind::Output)?,
            _ => return Err(self.no_statement()),
        };
        let end = self.expect_semicolon("at the end of the statement")?;
        Ok(Spanned::new(node, start.join(end)))
    }

    fn no_statement(&mut self) -> Reported {
        let span = self.span();
        let word = self.text(span).to_owned();
        let mut diagnostic = match self.peek() {
            Token::Step | Token::Epoch => {
                Diagnostic::new(Code::Syntax, format!("`{word}` stands outside of `train`"))
                    .label(span, "not a statement")
                    .remedy(format!("write `train {{ {word} {{ … }} }}`"))
            }
            _ => {
                let found = match self.peek() {
                    Token::Name | Token::Number => format!("`{word}`"),
                    other => other.describe().to_owned(),
                };
                Diagnostic::new(Code::Syntax, format!("{found} starts no statement"))
                    .label(span, "expected a statement such as `let name = …;`")
            }
        };
        if self.peek() == Token::Name {
            let near = nearest(&word, Token::KEYWORDS.iter().copied());
            diagnostic = match (near, self.peek_second()) {
                (Some(near), _) => diagnostic.remedy(format!("did you mean `{near}`?")),
                (None, Token::Equals) => diagnostic.remedy(format!(
                    "write `let {word} = …;`, or `update {word} = …;` to change a state"
                )),
                (None, _) => diagnostic,
            };
        }
        self.report(diagnostic)
    }

    fn const_(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let name = self.name("of the constant")?;
        self.expect(Token::Equals, "after the constant's name")?;
        Ok(StatementKind::Const {
            name,
            value: self.expression()?,
        })
    }

    fn declaration(&mut self, origin: Origin) -> Parsed<StatementKind> {
        self.advance();
        let word = origin.as_str();
        let name = self.name(&format!("of the {word}"))?;
        self.expect(Token::Colon, &format!("and a type after the {word}'s name"))?;
        let span = self.span();
        let secrecy = match self.peek() {
            Token::Secret => Secrecy::Secret,
            Token::Public => Secrecy::Public,
            _ => {
                return Err(self.unexpected(
                    "`secret` or `public`",
                    &format!("before the shape of `{}`", name.node),
                ));
            }
        };
        self.advance();
        let secrecy = Spanned::new(secrecy, span);
        if self.peek() != Token::BracketOpen {
            return Err(self.unexpected("a shape such as `[128]`, or `[]` for a scalar,", "in the type"));
        }
        let shape = self.list()?;
        let mut declaration = Declaration {
            origin,
            name,
            secrecy,
            shape,
            range: None,
            one_hot: None,
            refresh: None,
            initial: None,
        };
        self.clauses(&mut declaration)?;
        if self.accept(Token::Equals).is_some() {
            declaration.initial = Some(self.expression()?);
        }
        Ok(StatementKind::Declaration(Box::new(declaration)))
    }

    fn clauses(&mut self, declaration: &mut Declaration) -> Parsed<()> {
        loop {
            let span = self.span();
            let twice = match self.peek() {
                Token::In => {
                    self.advance();
                    self.expect(Token::BracketOpen, "after `in`")?;
                    let low = self.expression()?;
                    self.expect(Token::Comma, "between the bounds of a range")?;
                    let high = self.expression()?;
                    let end = self.expect(Token::BracketClose, "after the bounds of a range")?;
                    declaration
                        .range
                        .replace(Spanned::new((low, high), span.join(end)))
                        .is_some()
                }
                Token::OneHot => {
                    self.advance();
                    declaration.one_hot.replace(Spanned::new((), span)).is_some()
                }
                Token::Refresh => {
                    self.advance();
                    self.expect(Token::Colon, "after `refresh`")?;
                    declaration
                        .refresh
                        .replace(self.name("of who refreshes, `client`,")?)
                        .is_some()
                }
                _ => return Ok(()),
            };
            if twice {
                let word = self.text(span).to_owned();
                self.report(
                    Diagnostic::new(Code::Syntax, format!("`{word}` is written twice"))
                        .label(span, "a second time")
                        .remedy("remove one of them"),
                );
            }
        }
    }

    fn function(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let name = self.name("of the function")?;
        self.expect(Token::ParenOpen, "before the function's parameters")?;
        let parameters = match self.peek() {
            Token::ParenClose => Vec::new(),
            _ => self.separated(|parser| parser.name("of a parameter"))?,
        };
        self.expect(Token::ParenClose, "after the function's parameters")?;
        self.expect(Token::Equals, "before the function's value")?;
        Ok(StatementKind::Function {
            name,
            parameters,
            body: self.expression()?,
        })
    }

    fn let_(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let name = self.name("of the value")?;
        self.expect(Token::Equals, "after the value's name")?;
        Ok(StatementKind::Let {
            name,
            value: self.expression()?,
        })
    }

    fn train(&mut self) -> Parsed<Statement> {
        let start = self.advance();
        self.expect(Token::BraceOpen, "after `train`")?;
        let mut sections = Vec::new();
        loop {
            let span = self.span();
            let kind = match self.peek() {
                Token::BraceClose => break,
                Token::Step => SectionKind::Step,
                Token::Epoch => SectionKind::Epoch,
                _ => return Err(self.unexpected("`step {` or `epoch {`", "inside `train`")),
            };
            self.advance();
            self.expect(Token::BraceOpen, &format!("after `{}`", kind.as_str()))?;
            let (statements, end) = self.block_rest(&format!("`{}`", kind.as_str()));
            sections.push(Section {
                kind: Spanned::new(kind, span),
                statements,
                end: Spanned::new((), end),
            });
        }
        let end = self.advance();
        Ok(Spanned::new(StatementKind::Train(sections), start.join(end)))
    }

    fn minimize(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let loss = self.expression()?;
        self.expect(Token::Over, "and the states to change, after the loss")?;
        let over = self.separated(|parser| parser.name("of a state"))?;
        self.expect(
            Token::With,
            "and an optimiser such as `sgd(rate: 0.1)`, after the states",
        )?;
        let optimizer = self.name("of an optimiser")?;
        let arguments = self.arguments()?;
        Ok(StatementKind::Minimize {
            loss,
            over,
            optimizer,
            arguments,
        })
    }

    fn update(&mut self) -> Parsed<StatementKind> {
        self.advance();
        let name = self.name("of the state")?;
        self.expect(Token::Equals, "after the state's name")?;
        Ok(StatementKind::Update {
            name,
            value: self.expression()?,
        })
    }

    fn sinks(&mut self, context: &str, make: fn(Vec<Sink>) -> StatementKind) -> Parsed<StatementKind> {
        self.advance();
        let sinks = self.separated(|parser| {
            let name = parser.name(context)?;
            let value = match parser.accept(Token::Equals) {
                Some(_) => Some(parser.expression()?),
                None if parser.continues_an_expression() => return Err(parser.nameless(&name)),
                None => None,
            };
            Ok(Sink { name, value })
        })?;
        Ok(make(sinks))
    }

    /// `reveal x @ w;` lacks the name that the key holder would see.
    fn continues_an_expression(&self) -> bool {
        use Token::{At, Minus, ParenOpen, Plus, Slash, Star};
        matches!(self.peek(), At | Minus | ParenOpen | Plus | Slash | Star)
    }

    fn nameless(&mut self, name: &Name) -> Reported {
        self.report(
            Diagnostic::new(Code::Syntax, "what leaves the graph needs a name")
                .label(name.span, "an expression starts here, where its name is expected")
                .remedy(format!("name it: `result = {} …`", name.node)),
        )
    }
}
