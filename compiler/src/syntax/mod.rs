//! Source text ↔ syntax tree.

pub mod ast;
mod expression;
pub mod format;
pub mod lexer;
mod parser;
mod statement;

pub use format::format;
pub use parser::parse;
