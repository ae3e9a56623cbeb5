//! Messages as text for people and as JSON for programs.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{Source, Span};

/// Width that long messages are cut to, in columns.
const WIDTH: usize = 120;

impl Diagnostic {
    /// The message with the lines it speaks of.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer
            .term_width(WIDTH)
            .decor_style(DecorStyle::Ascii)
            .render(&[self.group(source)])
    }

    fn group<'a>(&'a self, source: &'a Source) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code.as_str()));
        if !self.labels.is_empty() {
            let annotations = self.labels.iter().enumerate().map(|(index, (span, text))| {
                let kind = if index == 0 {
                    AnnotationKind::Primary
                } else {
                    AnnotationKind::Context
                };
                kind.span(visible(&source.text, *span))
                    .label((!text.is_empty()).then_some(text.as_str()))
            });
            let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str());
            group = group.element(snippet.annotations(annotations));
        }
        let notes = self
            .notes
            .iter()
            .map(|text| Element::from(Level::NOTE.message(text.as_str())));
        let remedies = self
            .remedies
            .iter()
            .map(|text| Element::from(Level::HELP.message(text.as_str())));
        group.elements(notes.chain(remedies))
    }

    /// The message as a JSON object; lines and columns count from 1, offsets are bytes.
    pub fn to_json(&self, source: &Source) -> Value {
        let labels: Vec<Value> = self
            .labels
            .iter()
            .map(|(span, text)| {
                let (line, column) = source.position(span.start);
                json!({ "start": span.start, "end": span.end, "line": line, "column": column, "text": text })
            })
            .collect();
        json!({
            "code": self.code.as_str(),
            "severity": self.severity.as_str(),
            "message": self.message,
            "file": source.name,
            "labels": labels,
            "notes": self.notes,
            "remedies": self.remedies,
        })
    }
}

impl Diagnostics {
    /// All messages with the lines they speak of, an empty line between two.
    pub fn render(&self, source: &Source, color: bool) -> String {
        let texts: Vec<String> = self
            .0
            .iter()
            .map(|diagnostic| diagnostic.render(source, color))
            .collect();
        texts.join("\n\n")
    }

    /// All messages as a JSON array.
    pub fn to_json(&self, source: &Source) -> Value {
        self.0
            .iter()
            .map(|diagnostic| diagnostic.to_json(source))
            .collect()
    }
}

/// The bytes of a span, moved into the text and onto character boundaries: what the renderer accepts.
fn visible(text: &str, span: Span) -> Range<usize> {
    let floor = |offset: u32| {
        let mut offset = (offset as usize).min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    };
    let start = floor(span.start);
    start..floor(span.end).max(start)
}
