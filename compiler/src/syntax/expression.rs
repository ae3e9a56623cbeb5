//! Expressions.
//!
//! ```text
//! expression  = term (("+" | "-") term)*
//! term        = factor (("*" | "/" | "@") factor)*
//! factor      = "-" factor | NUMBER | NAME [arguments] | "(" expression ")" | list
//! list        = "[" [expression ("," expression)* [","]] "]"
//! arguments   = "(" [argument ("," argument)* [","]] ")"
//! argument    = [NAME ":"] expression
//! ```

use super::ast::{Argument, BinaryOperator, Expression, ExpressionKind, Spanned, number};
use super::lexer::Token;
use super::parser::{Parsed, Parser, Reported};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// Deepest expression accepted, counted in operators from the root to a leaf: what later passes can
/// recurse into.
pub const DEEPEST: u32 = 200;

/// An expression and its height.
type Measured = (Expression, u32);

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parsed<Expression> {
        Ok(self.binary(1, 0)?.0)
    }

    /// Operators that bind at least as strongly as `precedence`, `depth` below the root.
    fn binary(&mut self, precedence: u8, depth: u32) -> Parsed<Measured> {
        if precedence > 2 {
            return self.factor(depth);
        }
        let (mut left, mut height) = self.binary(precedence + 1, depth)?;
        while let Some(operator) = self
            .operator()
            .filter(|operator| operator.precedence() == precedence)
        {
            self.advance();
            let (right, right_height) = self.binary(precedence + 1, depth + 1)?;
            height = 1 + height.max(right_height);
            let span = left.span.join(right.span);
            if depth + height > DEEPEST {
                return Err(self.too_deep(span));
            }
            let node = ExpressionKind::Binary(operator, Box::new(left), Box::new(right));
            left = Spanned::new(node, span);
        }
        Ok((left, height))
    }

    fn operator(&self) -> Option<BinaryOperator> {
        Some(match self.peek() {
            Token::Plus => BinaryOperator::Add,
            Token::Minus => BinaryOperator::Subtract,
            Token::Star => BinaryOperator::Multiply,
            Token::Slash => BinaryOperator::Divide,
            Token::At => BinaryOperator::Matmul,
            _ => return None,
        })
    }

    fn factor(&mut self, depth: u32) -> Parsed<Measured> {
        let span = self.span();
        if depth > DEEPEST {
            return Err(self.too_deep(span));
        }
        match self.peek() {
            Token::Minus => {
                self.advance();
                let (inner, height) = self.factor(depth + 1)?;
                let span = span.join(inner.span);
                Ok((
                    Spanned::new(ExpressionKind::Negate(Box::new(inner)), span),
                    height + 1,
                ))
            }
            Token::Number => {
                self.advance();
                let text = self.text(span).to_owned();
                if number(&text).is_none() {
                    return Err(self.report(
                        Diagnostic::new(Code::Syntax, format!("the number {text} is too large"))
                            .label(span, "beyond 64-bit floating point"),
                    ));
                }
                Ok((Spanned::new(ExpressionKind::Number(text), span), 0))
            }
            Token::Name => {
                let name = self.name("")?;
                if self.peek() != Token::ParenOpen {
                    return Ok((Spanned::new(ExpressionKind::Name(name.node), span), 0));
                }
                let (arguments, height) = self.measured_arguments(depth + 1)?;
                let span = span.join(self.previous_span());
                Ok((
                    Spanned::new(ExpressionKind::Call(name, arguments), span),
                    height + 1,
                ))
            }
            Token::ParenOpen => {
                self.advance();
                let (inner, height) = self.binary(1, depth + 1)?;
                self.close(Token::ParenClose, span)?;
                Ok((Spanned::new(inner.node, span.join(self.previous_span())), height))
            }
            Token::BracketOpen => {
                let (list, height) = self.measured_list(depth + 1)?;
                Ok((
                    Spanned::new(ExpressionKind::List(list.node), list.span),
                    height + 1,
                ))
            }
            token if token.is_keyword() => {
                let word = self.text(span).to_owned();
                Err(self.report(
                    Diagnostic::new(
                        Code::Syntax,
                        format!("expected an expression, found the keyword `{word}`"),
                    )
                    .label(span, "is a word of the language, not a value"),
                ))
            }
            _ => Err(self.unexpected("an expression", "here")),
        }
    }

    /// `[a, b]`
    pub(super) fn list(&mut self) -> Parsed<Spanned<Vec<Expression>>> {
        Ok(self.measured_list(0)?.0)
    }

    fn measured_list(&mut self, depth: u32) -> Parsed<(Spanned<Vec<Expression>>, u32)> {
        let open = self.advance();
        let mut items = Vec::new();
        let mut height = 0;
        while self.peek() != Token::BracketClose {
            let (item, item_height) = self.binary(1, depth)?;
            items.push(item);
            height = height.max(item_height);
            if self.accept(Token::Comma).is_none() {
                break;
            }
        }
        let end = self.close(Token::BracketClose, open)?;
        Ok((Spanned::new(items, open.join(end)), height))
    }

    /// `(a, range: b)`
    pub(super) fn arguments(&mut self) -> Parsed<Vec<Argument>> {
        Ok(self.measured_arguments(0)?.0)
    }

    fn measured_arguments(&mut self, depth: u32) -> Parsed<(Vec<Argument>, u32)> {
        let open = self.expect(Token::ParenOpen, "before the arguments")?;
        let mut arguments = Vec::new();
        let mut height = 0;
        while self.peek() != Token::ParenClose {
            let name = match (self.peek(), self.peek_second()) {
                (Token::Name, Token::Colon) => {
                    let name = self.name("")?;
                    self.advance();
                    Some(name)
                }
                _ => None,
            };
            let (value, value_height) = self.binary(1, depth)?;
            height = height.max(value_height);
            arguments.push(Argument { name, value });
            if self.accept(Token::Comma).is_none() {
                break;
            }
        }
        self.close(Token::ParenClose, open)?;
        Ok((arguments, height))
    }

    /// A closing bracket, or a message that shows both ends.
    fn close(&mut self, token: Token, open: Span) -> Parsed<Span> {
        if let Some(span) = self.accept(token) {
            return Ok(span);
        }
        let (span, sign) = (self.span(), token.describe());
        let found = match self.peek() {
            Token::Name | Token::Number => format!("`{}`", self.text(span)),
            other => other.describe().to_owned(),
        };
        Err(self.report(
            Diagnostic::new(Code::Syntax, format!("expected `,` or {sign}, found {found}"))
                .label(span, format!("expected `,` or {sign}"))
                .label(open, "opened here"),
        ))
    }

    fn too_deep(&mut self, span: Span) -> Reported {
        self.report(
            Diagnostic::new(Code::Syntax, "this expression is nested too deeply")
                .label(span, format!("more than {DEEPEST} operators inside each other"))
                .remedy("name parts of it with `let`; long sums can be written as `sum` or `@`"),
        )
    }
}
