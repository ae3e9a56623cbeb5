//! `cipherloom explain`.

use cipherloom_compiler::diagnostic::{Code, explain};
use clap::Args;

use crate::error::{CliError, Result};
use crate::glossary;
use crate::ui::say;

/// Explain a diagnostic code or a word of the field
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cipherloom explain E-RANGE
  cipherloom explain rescale
  cipherloom explain            lists everything that can be explained")]
pub struct Explain {
    /// A code such as E-SHAPE, or a word such as level; without it, the list of both
    subject: Vec<String>,
}

impl Explain {
    pub fn run(self) -> Result<()> {
        say!("{}", explanation(&self.subject.join(" "))?);
        Ok(())
    }
}

fn explanation(subject: &str) -> Result<String> {
    if subject.is_empty() {
        return Ok(list());
    }
    let text = explain(subject)
        .or_else(|| glossary::explain(subject))
        .ok_or_else(|| {
            CliError::new(
                format!("`{subject}` is neither a code nor a word of the glossary"),
                "`cipherloom explain` lists both",
            )
        })?;
    Ok(wrap(text, 100))
}

fn list() -> String {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let words: Vec<&str> = glossary::words().collect();
    format!("Codes\n{}\n\nWords\n{}", indent(&codes), indent(&words))
}

fn indent(items: &[&str]) -> String {
    wrap(&items.join(", "), 98)
        .lines()
        .map(|line| format!("  {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Breaks a paragraph into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_broken_between_words() {
        assert_eq!(wrap("aa bb\n   cc dd", 5), "aa bb\ncc dd");
        assert_eq!(wrap("longer-than-the-line b", 5), "longer-than-the-line\nb");
        assert_eq!(wrap("", 5), "");
    }

    #[test]
    fn every_code_and_every_word_is_explained() {
        for subject in Code::ALL
            .iter()
            .map(|code| code.as_str())
            .chain(glossary::words())
        {
            let text = explanation(subject).unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
            assert!(list().contains(subject), "{subject}");
        }
        assert!(explanation("frobnicate").is_err());
    }
}
