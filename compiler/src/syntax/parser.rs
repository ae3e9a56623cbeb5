//! Tokens → syntax tree. Written by hand; continues after a mistake with the next statement.
//!
//! This file has the machinery; the grammar is in `statement` and `expression` beside it.

use super::ast::{Graph, Name, Spanned, Statement};
use super::lexer::{Token, Tokens, tokenize};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, Span};

/// Mistakes after which the parser stops looking for more.
const MOST_MISTAKES: usize = 20;

/// A diagnostic has been made; the parser looks for the next statement.
#[derive(Debug)]
pub(super) struct Reported;

pub(super) type Parsed<T> = Result<T, Reported>;

/// Parses a file. Mistakes go to `diagnostics`; the tree holds what was understood.
pub fn parse(source: &Source, diagnostics: &mut Diagnostics) -> Graph {
    let Tokens { tokens, comments } = tokenize(source, diagnostics);
    let mut parser = Parser {
        source,
        tokens,
        position: 0,
        mistakes: 0,
        ended: false,
        diagnostics,
    };
    let mut graph = parser.file();
    graph.comments = comments;
    diagnostics
        .0
        .sort_by_key(|diagnostic| diagnostic.labels.first().map(|(span, _)| span.start));
    graph
}

pub(super) struct Parser<'a> {
    source: &'a Source,
    tokens: Vec<(Token, Span)>,
    position: usize,
    mistakes: usize,
    /// The end of the file has been reported as unexpected: once is enough.
    ended: bool,
    diagnostics: &'a mut Diagnostics,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> Token {
        self.tokens[self.position].0
    }

    pub(super) fn peek_second(&self) -> Token {
        self.tokens
            .get(self.position + 1)
            .map_or(Token::End, |&(token, _)| token)
    }

    pub(super) fn span(&self) -> Span {
        self.tokens[self.position].1
    }

    pub(super) fn previous_span(&self) -> Span {
        self.position
            .checked_sub(1)
            .map_or(Span::none(), |position| self.tokens[position].1)
    }

    pub(super) fn advance(&mut self) -> Span {
        let span = self.span();
        if self.peek() != Token::End {
            self.position += 1;
        }
        span
    }

    pub(super) fn accept(&mut self, token: Token) -> Option<Span> {
        (self.peek() == token).then(|| self.advance())
    }

    pub(super) fn text(&self, span: Span) -> &str {
        self.source.slice(span)
    }

    /// Reports a mistake, unless it follows from one that is reported already or there have been too many.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) -> Reported {
        self.mistakes += 1;
        let follows = match self.peek() {
            Token::Strange => true,
            Token::End => std::mem::replace(&mut self.ended, true),
            _ => false,
        };
        if !follows && self.mistakes <= MOST_MISTAKES {
            self.diagnostics.push(diagnostic);
        }
        Reported
    }

    /// Reports that something else was expected at the next token.
    pub(super) fn unexpected(&mut self, expected: &str, context: &str) -> Reported {
        let (token, span) = (self.peek(), self.span());
        let found = match token {
            Token::Name | Token::Number => format!("`{}`", self.text(span)),
            _ => token.describe().to_owned(),
        };
        let message = format!("expected {expected} {context}, found {found}");
        self.report(Diagnostic::new(Code::Syntax, message).label(span, format!("expected {expected}")))
    }

    pub(super) fn expect(&mut self, token: Token, context: &str) -> Parsed<Span> {
        match self.accept(token) {
            Some(span) => Ok(span),
            None => Err(self.unexpected(token.describe(), context)),
        }
    }

    /// A missing semicolon is reported where it should stand, after the last token.
    pub(super) fn expect_semicolon(&mut self, context: &str) -> Parsed<Span> {
        if let Some(span) = self.accept(Token::Semicolon) {
            return Ok(span);
        }
        let end = self.previous_span().end as usize;
        let operator_like = matches!(self.peek(), Token::Name | Token::Number | Token::ParenOpen);
        let same_line = !self
            .text(Span::new(end, self.span().start as usize))
            .contains('\n');
        if operator_like && same_line {
            return Err(self.unexpected("`;` or an operator", context));
        }
        Err(self.report(
            Diagnostic::new(Code::Syntax, format!("expected `;` {context}"))
                .label(Span::new(end.saturating_sub(1), end), "expected `;` after this"),
        ))
    }

    pub(super) fn name(&mut self, context: &str) -> Parsed<Name> {
        let span = self.span();
        if self.peek().is_keyword() {
            let word = self.text(span).to_owned();
            let reported = self.report(
                Diagnostic::new(
                    Code::Syntax,
                    format!("expected a name {context}, found the keyword `{word}`"),
                )
                .label(span, "is a word of the language")
                .remedy(format!("choose another name, such as `{word}_`")),
            );
            // Past the keyword, which starts no statement here.
            self.advance();
            return Err(reported);
        }
        if self.peek() != Token::Name {
            return Err(self.unexpected("a name", context));
        }
        self.advance();
        Ok(Spanned::new(self.text(span).to_owned(), span))
    }

    /// `item`, `item` … until something else than a comma follows.
    pub(super) fn separated<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept(Token::Comma).is_some() {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn file(&mut self) -> Graph {
        let mut graph = Graph {
            name: Spanned::new(String::new(), Span::none()),
            statements: Vec::new(),
            comments: Vec::new(),
            end: Span::none(),
        };
        if self.header(&mut graph).is_err() {
            return graph;
        }
        (graph.statements, graph.end) = self.block_rest("the graph");
        if self.peek() != Token::End && self.mistakes == 0 {
            let span = self.span();
            self.report(
                Diagnostic::new(Code::Syntax, "a file holds one graph, and it ends here")
                    .label(graph.end, "closes the graph")
                    .label(span, "nothing can follow")
                    .remedy("check the braces, or move this into a file of its own"),
            );
        }
        graph
    }

    fn header(&mut self, graph: &mut Graph) -> Parsed<()> {
        if self.accept(Token::Graph).is_none() {
            let span = self.span();
            return Err(self.report(
                Diagnostic::new(Code::Syntax, "a file starts with `graph`")
                    .label(span, "expected `graph`")
                    .remedy("wrap the statements: `graph my_model { … }`"),
            ));
        }
        graph.name = self.name("of the graph")?;
        self.expect(Token::BraceOpen, "after the graph's name")?;
        Ok(())
    }

    /// Statements up to the closing brace, and the brace.
    pub(super) fn block_rest(&mut self, what: &str) -> (Vec<Statement>, Span) {
        let mut statements = Vec::new();
        loop {
            match self.peek() {
                Token::BraceClose => return (statements, self.advance()),
                Token::End => {
                    let span = self.previous_span();
                    self.report(
                        Diagnostic::new(Code::Syntax, format!("{what} is never closed"))
                            .label(span, "the file ends after this")
                            .remedy("add the missing `}`"),
                    );
                    return (statements, span);
                }
                _ => {}
            }
            let start = self.position;
            match self.statement() {
                Ok(statement) => statements.push(statement),
                Err(Reported) => self.recover(start),
            }
        }
    }

    /// Skips to the next statement: past a `;` outside brackets, or up to a `}` or a word that starts a
    /// statement.
    fn recover(&mut self, start: usize) {
        if self.position == start {
            self.advance();
        }
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Token::End => return,
                Token::BraceClose if depth == 0 => return,
                Token::BraceOpen => depth += 1,
                Token::BraceClose => depth -= 1,
                Token::Semicolon if depth == 0 => {
                    self.advance();
                    return;
                }
                Token::Const
                | Token::Let
                | Token::Fn
                | Token::Train
                | Token::Minimize
                | Token::Update
                | Token::Reveal
                | Token::Output
                | Token::Input
                | Token::Stream
                | Token::State
                | Token::Weight
                    if depth == 0 =>
                {
                    return;
                }
                _ => {}
            }
            self.advance();
        }
    }
}
