//! Reads the text form of the IR.

use std::collections::HashMap;
use std::fmt;

use logos::Logos;

use super::{
    Attribute, Attributes, Basis, BlockId, CipherType, Graph, OpData, Opcode, PlainType, Secrecy, Type, Value,
};
use crate::source::Span;

/// Why a text is no IR, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What was expected or wrong.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.message, self.offset)
    }
}

impl std::error::Error for ParseError {}

#[derive(Logos, Clone, Debug, PartialEq)]
#[logos(skip r"[ \t\r\n]+")]
#[logos(skip(r"//[^\n]*", allow_greedy = true))]
enum Token<'t> {
    #[regex(r"%[a-z]*[0-9]+")]
    Value(&'t str),
    #[regex(r"@[A-Za-z_][A-Za-z0-9_]*")]
    Symbol(&'t str),
    #[regex(r"[A-Za-z_][A-Za-z0-9_.]*")]
    Word(&'t str),
    // An extent list such as 1024x384 is one token, so that x384 is no word.
    #[regex(r"[0-9]+(x[0-9]+)+")]
    Shape(&'t str),
    #[regex(r"-?[0-9]+")]
    Int(&'t str),
    #[regex(r"-?[0-9]+(\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")]
    #[regex(r"-inf|NaN")]
    Float(&'t str),
    #[regex(r#""([^"\\]|\\.)*""#)]
    Text(&'t str),
    #[regex(r"[{}()\[\]<>=,:]")]
    Mark(&'t str),
}

/// Parses a graph. It is not verified beyond what reading needs: defined values, known operations.
pub fn parse(text: &str) -> Result<Graph, ParseError> {
    let mut tokens = Vec::new();
    let mut line_starts = Vec::new();
    let mut end = 0;
    for (token, span) in Token::lexer(text).spanned() {
        let token = token.map_err(|()| ParseError {
            message: "unknown character".to_owned(),
            offset: span.start,
        })?;
        line_starts.push(text[end..span.start].contains('\n'));
        end = span.end;
        tokens.push((token, span.start));
    }
    let mut parser = Parser {
        tokens,
        line_starts,
        next: 0,
        end: text.len(),
        graph: Graph::new(""),
        values: HashMap::new(),
        depth: 0,
    };
    parser.word("graph")?;
    let name = match parser.take()? {
        Token::Symbol(symbol) => symbol[1..].to_owned(),
        _ => return parser.fail_last("expected the graph's name, as in @name"),
    };
    parser.graph.name = name;
    parser.mark("{")?;
    let body = parser.graph.body();
    parser.block(body)?;
    if parser.next < parser.tokens.len() {
        return parser.fail("text after the end of the graph");
    }
    Ok(parser.graph)
}

struct Parser<'t> {
    tokens: Vec<(Token<'t>, usize)>,
    /// Whether each token is the first of its line.
    line_starts: Vec<bool>,
    next: usize,
    end: usize,
    graph: Graph,
    values: HashMap<&'t str, Value>,
    depth: usize,
}

/// Regions nest no deeper: loops of loops of loops are far below.
const MAX_DEPTH: usize = 64;

impl<'t> Parser<'t> {
    fn fail_at<T>(&self, index: usize, message: impl Into<String>) -> Result<T, ParseError> {
        let offset = self.tokens.get(index).map_or(self.end, |(_, offset)| *offset);
        Err(ParseError {
            message: message.into(),
            offset,
        })
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        self.fail_at(self.next, message)
    }

    fn fail_last<T>(&self, message: impl Into<String>) -> Result<T, ParseError> {
        self.fail_at(self.next - 1, message)
    }

    fn peek(&self) -> Option<&Token<'t>> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    fn take(&mut self) -> Result<Token<'t>, ParseError> {
        match self.tokens.get(self.next) {
            Some((token, _)) => {
                self.next += 1;
                Ok(token.clone())
            }
            None => self.fail("unexpected end"),
        }
    }

    fn at_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Some(Token::Mark(found)) if *found == mark)
    }

    fn eat_mark(&mut self, mark: &str) -> bool {
        let found = self.at_mark(mark);
        self.next += usize::from(found);
        found
    }

    fn mark(&mut self, mark: &str) -> Result<(), ParseError> {
        if self.eat_mark(mark) {
            Ok(())
        } else {
            self.fail(format!("expected `{mark}`"))
        }
    }

    fn word(&mut self, word: &str) -> Result<(), ParseError> {
        match self.peek() {
            Some(Token::Word(found)) if *found == word => {
                self.next += 1;
                Ok(())
            }
            _ => self.fail(format!("expected `{word}`")),
        }
    }

    /// Items separated by commas up to the closing mark, which is taken too.
    fn list<T>(
        &mut self,
        close: &str,
        mut item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = Vec::new();
        while !self.eat_mark(close) {
            if !items.is_empty() {
                self.mark(",")?;
            }
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Operations up to the closing brace.
    fn block(&mut self, block: BlockId) -> Result<(), ParseError> {
        if self.depth == MAX_DEPTH {
            return self.fail("regions nested too deeply");
        }
        self.depth += 1;
        while !self.eat_mark("}") {
            self.op(block)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn op(&mut self, block: BlockId) -> Result<(), ParseError> {
        let mut names = Vec::new();
        while let Some(Token::Value(name)) = self.peek() {
            if names.contains(name) || self.values.contains_key(name) {
                return self.fail(format!("{name} is defined twice"));
            }
            names.push(*name);
            self.next += 1;
            if !self.eat_mark(",") {
                break;
            }
        }
        if !names.is_empty() {
            self.mark("=")?;
        }
        let opcode = match self.take()? {
            Token::Word(word) => match Opcode::from_name(word) {
                Some(opcode) => opcode,
                None => return self.fail_last(format!("unknown operation `{word}`")),
            },
            _ => return self.fail_last("expected an operation"),
        };
        let mut operands = Vec::new();
        // An operation may have neither operands nor anything else: a value on the next line is the next one's result.
        let starts_line = self.line_starts.get(self.next).copied().unwrap_or(false);
        while let Some(Token::Value(name)) = self.peek().filter(|_| !(starts_line && operands.is_empty())) {
            match self.values.get(name) {
                Some(value) => operands.push(*value),
                None => return self.fail(format!("{name} is not defined here")),
            }
            self.next += 1;
            if !self.eat_mark(",") {
                break;
            }
        }
        let mut attributes = Attributes::new();
        if self.eat_mark("{") {
            for (name, value) in self.list("}", Self::attribute)? {
                attributes.insert(name, value);
            }
        }
        let mut types = Vec::new();
        if self.eat_mark(":") {
            types.push(self.ty()?);
            while self.eat_mark(",") {
                types.push(self.ty()?);
            }
        }
        if types.len() != names.len() {
            return self.fail(format!("{} results but {} types", names.len(), types.len()));
        }
        let data = OpData {
            opcode,
            operands,
            results: Vec::new(),
            attributes,
            regions: Vec::new(),
            span: Span::none(),
        };
        let op = self.graph.append(block, data, types);
        let results = self.graph.op(op).results.clone();
        for (name, result) in names.into_iter().zip(results) {
            self.values.insert(name, result);
        }
        for _ in 0..opcode.regions() {
            self.mark("(")?;
            let region = self.graph.new_block([]);
            self.list(")", |parser| {
                let Token::Value(name) = parser.take()? else {
                    return parser.fail_last("expected a block argument");
                };
                parser.mark(":")?;
                let ty = parser.ty()?;
                let argument = parser.graph.add_argument(region, ty);
                match parser.values.insert(name, argument) {
                    Some(_) => parser.fail_last(format!("{name} is defined twice")),
                    None => Ok(()),
                }
            })?;
            self.graph.op_mut(op).regions.push(region);
            self.mark("{")?;
            self.block(region)?;
        }
        Ok(())
    }

    fn attribute(&mut self) -> Result<(String, Attribute), ParseError> {
        let Token::Word(name) = self.take()? else {
            return self.fail_last("expected an attribute's name");
        };
        self.mark("=")?;
        let value = match self.take()? {
            Token::Word("true") => Attribute::Flag(true),
            Token::Word("false") => Attribute::Flag(false),
            Token::Word("inf") => Attribute::Float(f64::INFINITY),
            Token::Int(text) => Attribute::Int(self.number(text)?),
            Token::Float(text) => Attribute::Float(self.number(text)?),
            Token::Text(text) => Attribute::Text(self.unquote(text)?),
            Token::Word("ints") => {
                self.mark("[")?;
                Attribute::Ints(self.list("]", Self::int)?)
            }
            Token::Word("floats") => {
                self.mark("[")?;
                self.list("]", Self::float)?.into()
            }
            Token::Word("texts") => {
                self.mark("[")?;
                Attribute::Texts(self.list("]", |parser| match parser.take()? {
                    Token::Text(text) => parser.unquote(text),
                    _ => parser.fail_last("expected a text"),
                })?)
            }
            _ => return self.fail_last("expected an attribute's value"),
        };
        Ok((name.to_owned(), value))
    }

    fn number<T: std::str::FromStr>(&self, text: &str) -> Result<T, ParseError> {
        text.parse()
            .or_else(|_| self.fail_last(format!("number out of range: {text}")))
    }

    fn int<T: std::str::FromStr>(&mut self) -> Result<T, ParseError> {
        match self.take()? {
            Token::Int(text) => self.number(text),
            _ => self.fail_last("expected an integer"),
        }
    }

    fn float(&mut self) -> Result<f64, ParseError> {
        match self.take()? {
            Token::Float(text) => self.number(text),
            Token::Word("inf") => Ok(f64::INFINITY),
            _ => self.fail_last("expected a number with a point or an exponent"),
        }
    }

    /// The inverse of `{:?}` on a string, as far as identifiers and paths need it.
    fn unquote(&self, text: &str) -> Result<String, ParseError> {
        let mut out = String::new();
        let mut chars = text[1..text.len() - 1].chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some('u') => {
                    let code: String = chars.by_ref().skip(1).take_while(|&c| c != '}').collect();
                    match u32::from_str_radix(&code, 16).ok().and_then(char::from_u32) {
                        Some(c) => out.push(c),
                        None => return self.fail_last("bad \\u escape"),
                    }
                }
                Some(c) => out.push(c),
                None => return self.fail_last("text ends in a backslash"),
            }
        }
        Ok(out)
    }

    fn ty(&mut self) -> Result<Type, ParseError> {
        let Token::Word(family) = self.take()? else {
            return self.fail_last("expected a type");
        };
        self.mark("<")?;
        let ty = match family {
            "tensor" => {
                let shape = self.shape()?;
                self.mark(",")?;
                let secrecy = self.secrecy()?;
                let mut range = None;
                if self.eat_mark(",") {
                    self.mark("[")?;
                    let low = self.float()?;
                    self.mark(",")?;
                    let high = self.float()?;
                    self.mark("]")?;
                    range = Some((low, high));
                }
                Type::tensor(shape, secrecy, range)
            }
            "vec" => {
                let slots = self.int()?;
                self.mark(",")?;
                Type::vector(slots, self.secrecy()?)
            }
            "ct" => {
                let (level, scale) = self.level_and_scale()?;
                self.mark(",")?;
                let degree = self.int()?;
                self.mark(",")?;
                Type::Cipher(CipherType {
                    level,
                    scale,
                    degree,
                    basis: self.basis()?,
                })
            }
            "pt" => {
                let (level, scale) = self.level_and_scale()?;
                self.mark(",")?;
                let basis = self.basis()?;
                let compact = if self.eat_mark(",") { self.int()? } else { 0 };
                Type::Plain(PlainType {
                    level,
                    scale,
                    basis,
                    compact,
                })
            }
            "digits" => {
                let (level, scale) = self.level_and_scale()?;
                Type::Digits { level, scale }
            }
            _ => return self.fail_last(format!("unknown type `{family}`")),
        };
        self.mark(">")?;
        Ok(ty)
    }

    fn level_and_scale(&mut self) -> Result<(u32, f64), ParseError> {
        let level = self.int()?;
        self.mark(",")?;
        Ok((level, self.float()?))
    }

    fn shape(&mut self) -> Result<Vec<u32>, ParseError> {
        match self.take()? {
            Token::Word("scalar") => Ok(Vec::new()),
            Token::Int(text) => Ok(vec![self.number(text)?]),
            Token::Shape(text) => text.split('x').map(|extent| self.number(extent)).collect(),
            _ => self.fail_last("expected a shape"),
        }
    }

    fn secrecy(&mut self) -> Result<Secrecy, ParseError> {
        match self.take()? {
            Token::Word("public") => Ok(Secrecy::Public),
            Token::Word("secret") => Ok(Secrecy::Secret),
            _ => self.fail_last("expected `public` or `secret`"),
        }
    }

    fn basis(&mut self) -> Result<Basis, ParseError> {
        match self.take()? {
            Token::Word("q") => Ok(Basis::Q),
            Token::Word("qp") => Ok(Basis::Qp),
            _ => self.fail_last("expected `q` or `qp`"),
        }
    }
}
