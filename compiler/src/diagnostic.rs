//! What the compiler says to a user: errors and warnings with a place, a cause and remedies.

mod code;
mod explain;
mod nearest;
mod render;

pub use code::{Code, Severity};
pub use explain::explain;
pub use nearest::nearest;

use crate::source::Span;

/// One message about a program.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// The kind of mistake.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where, and what stands there; the first is the primary place.
    pub labels: Vec<(Span, String)>,
    /// Why it is wrong.
    pub notes: Vec<String>,
    /// What helps, the cheapest first.
    pub remedies: Vec<String>,
}

impl Diagnostic {
    /// A message of the severity that its code has.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            remedies: Vec::new(),
        }
    }

    /// Points at a place. A span that points nowhere is left out.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if !span.is_none() {
            self.labels.push((span, text.into()));
        }
        self
    }

    /// Adds a cause.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Adds a remedy.
    #[must_use]
    pub fn remedy(mut self, text: impl Into<String>) -> Self {
        self.remedies.push(text.into());
        self
    }

    /// Adds a remedy where there is one.
    #[must_use]
    pub fn remedy_if(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.remedy(text),
            None => self,
        }
    }

    /// Whether it stops the compilation.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The messages of a compilation, in the order found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// No messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a message, once: one that says the same of the same place is dropped, whichever calls led there.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let same = |other: &Diagnostic| {
            (other.code, &other.message, other.labels.first())
                == (diagnostic.code, &diagnostic.message, diagnostic.labels.first())
        };
        if !self.0.iter().any(same) {
            self.0.push(diagnostic);
        }
    }

    /// Whether any message is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of errors, and of warnings.
    pub fn counts(&self) -> (usize, usize) {
        let errors = self.0.iter().filter(|diagnostic| diagnostic.is_error()).count();
        (errors, self.0.len() - errors)
    }

    /// The messages.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: T) {
        diagnostics
            .into_iter()
            .for_each(|diagnostic| self.push(diagnostic));
    }
}
