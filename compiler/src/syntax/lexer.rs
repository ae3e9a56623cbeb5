//! Source text → tokens.

use logos::Logos;

use super::ast::Comment;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, Span};

macro_rules! tokens {
    (
        words { $($word:ident = $text:literal),* $(,)? }
        signs { $($sign:ident = $sign_text:literal),* $(,)? }
    ) => {
        /// A token. Names and numbers are read from the source by their span.
        #[derive(Logos, Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[logos(skip r"[ \t\r\n\f]+")]
        #[expect(missing_docs, reason = "each is the word or the sign that its name says")]
        pub enum Token {
            $(#[token($text)] $word,)*
            $(#[token($sign_text)] $sign,)*
            /// A name that is no keyword.
            #[regex("[A-Za-z_][A-Za-z0-9_]*")]
            Name,
            /// A number without a sign.
            #[regex(r"[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?")]
            Number,
            /// From `//` to the end of the line.
            #[regex(r"//[^\n]*", allow_greedy = true)]
            Comment,
            /// Characters that start no token; reported by the lexer.
            Strange,
            /// The end of the text.
            End,
        }

        impl Token {
            /// Every keyword.
            pub const KEYWORDS: &'static [&'static str] = &[$($text),*];

            /// What an error message calls it.
            pub fn describe(self) -> &'static str {
                match self {
                    $(Self::$word => concat!("`", $text, "`"),)*
                    $(Self::$sign => concat!("`", $sign_text, "`"),)*
                    Self::Name => "a name",
                    Self::Number => "a number",
                    Self::Comment => "a comment",
                    Self::Strange => "a strange character",
                    Self::End => "the end of the file",
                }
            }

            /// Whether it is a keyword, which no declaration can take as its name.
            pub fn is_keyword(self) -> bool {
                matches!(self, $(Self::$word)|*)
            }
        }
    };
}

tokens! {
    words {
        Graph = "graph", Const = "const", Fn = "fn", Let = "let",
        Input = "input", Stream = "stream", State = "state", Weight = "weight",
        Secret = "secret", Public = "public", In = "in", OneHot = "one_hot", Refresh = "refresh",
        Train = "train", Step = "step", Epoch = "epoch",
        Minimize = "minimize", Over = "over", With = "with", Update = "update",
        Reveal = "reveal", Output = "output",
    }
    signs {
        BraceOpen = "{", BraceClose = "}", BracketOpen = "[", BracketClose = "]",
        ParenOpen = "(", ParenClose = ")",
        Comma = ",", Colon = ":", Semicolon = ";", Equals = "=",
        Plus = "+", Minus = "-", Star = "*", Slash = "/", At = "@",
    }
}

/// The tokens of a text, comments apart. The list ends with [`Token::End`].
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Tokens and where they stand.
    pub tokens: Vec<(Token, Span)>,
    /// Comments, in order.
    pub comments: Vec<Comment>,
}

/// Splits a text into tokens; characters that start no token are reported.
pub fn tokenize(source: &Source, diagnostics: &mut Diagnostics) -> Tokens {
    let mut tokens: Vec<(Token, Span)> = Vec::new();
    let mut comments = Vec::new();
    for (token, range) in Token::lexer(&source.text).spanned() {
        let span = Span::new(range.start, range.end);
        match token {
            Ok(Token::Comment) => {
                let text = source.slice(span).trim_start_matches('/').trim().to_owned();
                comments.push(Comment { text, span });
            }
            Ok(token) => tokens.push((token, span)),
            Err(()) => match tokens.last_mut() {
                Some((Token::Strange, last)) if last.end == span.start => last.end = span.end,
                _ => tokens.push((Token::Strange, span)),
            },
        }
    }
    for (_, span) in tokens.iter().filter(|(token, _)| *token == Token::Strange) {
        report_strange(source, *span, diagnostics);
    }
    tokens.push((Token::End, Span::new(source.text.len(), source.text.len())));
    Tokens { tokens, comments }
}

fn report_strange(source: &Source, span: Span, diagnostics: &mut Diagnostics) {
    let text = source.slice(span);
    let remedy = match text.chars().next() {
        Some('#') => "comments start with `//`",
        Some('^') => "write powers as products, `z * z`, or as `poly(z, [c0, c1, c2])`",
        Some('.') => "a number starts with a digit: `0.5`",
        Some('<' | '>') => "compare with `less(a, b, range: r)` or `greater(a, b, range: r)`",
        Some('"' | '\'') => "names are written without quotes",
        _ => "remove it",
    };
    diagnostics.push(
        Diagnostic::new(Code::Syntax, format!("`{text}` has no meaning in a graph"))
            .label(span, "not part of the language")
            .remedy(remedy),
    );
}
