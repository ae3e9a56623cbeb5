//! What only the compilation knows, as lines for people.

use super::Place;
use super::text::{place, table};
use super::units::seconds;
use crate::analysis::range::RangeNote;
use crate::pass::approximate::Use;
use crate::pass::placement::Refreshed;
use crate::pipeline::LayoutAlternative;
use crate::source::Source;

/// Layouts that are listed; the compiler compares many more.
const LISTED: usize = 10;

/// One line for each function that polynomials stand for.
pub fn approximations(uses: &[Use], source: &Source) -> Vec<String> {
    let line = |used: &Use| {
        format!(
            "{} on [{}, {}] is {}, {} levels, off by at most {:.1e} ({})",
            used.function,
            used.interval.0,
            used.interval.1,
            used.method,
            used.depth,
            used.error,
            place(&Place::new(used.span, Some(source)))
        )
    };
    uses.iter().map(line).collect()
}

/// One line for each declared range that the ranges of the inputs do not prove.
pub fn assumptions(notes: &[RangeNote], source: &Source) -> Vec<String> {
    let line = |note: &RangeNote| {
        format!(
            "{} ({})",
            note.text(),
            place(&Place::new(note.span, Some(source)))
        )
    };
    notes.iter().map(line).collect()
}

/// What each bootstrap is for: where, how many, what they take, and what would spare them.
pub fn refreshed(refreshed: &[Refreshed], source: &Source) -> Vec<String> {
    let line = |refreshed: &Refreshed| {
        let often = match (refreshed.times, refreshed.steps) {
            (1, _) => String::new(),
            (_, 1) => " in each step".to_owned(),
            (_, steps) => format!(" every {steps} steps"),
        };
        let spared = match refreshed.missing() {
            missing if missing > 0 => format!("{missing} levels are missing without"),
            _ => "levels would suffice without".to_owned(),
        };
        format!(
            "{} bootstrapped{often}, {}: level {} is asked for, {spared} ({})",
            plural(refreshed.vectors),
            seconds(refreshed.seconds),
            refreshed.asked,
            place(&Place::new(refreshed.span, Some(source)))
        )
    };
    refreshed.iter().map(line).collect()
}

fn plural(vectors: u32) -> String {
    match vectors {
        1 => "1 ciphertext is".to_owned(),
        _ => format!("{vectors} ciphertexts are"),
    }
}

/// A table of the layouts that were compared, the one taken first.
pub fn layouts(alternatives: &[LayoutAlternative]) -> Vec<String> {
    let header = [
        "layout",
        "ciphertexts",
        "levels",
        "key switches",
        "decompositions",
        "products",
        "predicted",
    ];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(alternatives.iter().take(LISTED).map(|layout| {
        vec![
            layout.description.clone(),
            layout.tiles.to_string(),
            layout.levels.to_string(),
            layout.key_switches.to_string(),
            layout.decompositions.to_string(),
            layout.products.to_string(),
            seconds(layout.seconds),
        ]
    }));
    let mut lines =
        vec!["layouts, slots of extent from the fast to the slow place; the first is taken:".to_owned()];
    lines.extend(table(&rows, "<>>>>>>").lines().map(|line| format!("  {line}")));
    if alternatives.len() > LISTED {
        lines.push(format!("  and {} slower ones", alternatives.len() - LISTED));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    #[test]
    fn a_polynomial_is_told_with_its_place() {
        let source = Source::new("a.loom", "graph a {\n  reveal sigmoid(x, range: 3);\n}");
        let span = Span::new(19, 39);
        let used = Use {
            function: "sigmoid".into(),
            span,
            interval: (-3.0, 3.0),
            method: "a polynomial of degree 7".into(),
            depth: 3,
            error: 1.2e-5,
        };
        let lines = approximations(&[used], &source);
        assert_eq!(
            lines,
            [
                "sigmoid on [-3, 3] is a polynomial of degree 7, 3 levels, off by at most 1.2e-5 (2: sigmoid(x, range: 3))"
            ]
        );
    }

    #[test]
    fn an_assumed_range_is_told_with_its_place() {
        let source = Source::new("a.loom", "graph a {\n  reveal sigmoid(x, range: 3);\n}");
        let note = RangeNote {
            function: "sigmoid".into(),
            span: Span::new(19, 39),
            declared: (-3.0, 3.0),
            derived: Some((-20.0, 20.0)),
            proven: false,
        };
        assert_eq!(
            assumptions(&[note], &source),
            [
                "range [-3, 3] of `sigmoid`: assumed, not proven; the proven interval is [-20, 20] (2: sigmoid(x, range: 3))"
            ]
        );
    }

    #[test]
    fn a_bootstrap_is_told_with_its_place_and_what_would_spare_it() {
        let source = Source::new("a.loom", "graph a {\n  reveal sigmoid(x, range: 3);\n}");
        let refreshed = Refreshed {
            span: Span::new(19, 39),
            vectors: 2,
            times: 40,
            steps: 1,
            asked: 12,
            left: 5,
            seconds: 1.5,
        };
        let rounds = Refreshed {
            steps: 3,
            ..refreshed.clone()
        };
        assert_eq!(
            super::refreshed(&[refreshed, rounds], &source),
            [
                "2 ciphertexts are bootstrapped in each step, 1.50 s: level 12 is asked for, 7 levels are missing without (2: sigmoid(x, range: 3))",
                "2 ciphertexts are bootstrapped every 3 steps, 1.50 s: level 12 is asked for, 7 levels are missing without (2: sigmoid(x, range: 3))"
            ]
        );
    }

    #[test]
    fn the_list_of_layouts_ends_somewhere() {
        let layout = |index: u32| LayoutAlternative {
            description: format!("{} of 384", 1 << index),
            tiles: 12 - index,
            levels: 6,
            key_switches: 90 + index,
            decompositions: 40,
            products: 24,
            seconds: 1.0 + f64::from(index),
        };
        let lines = layouts(&(0..12).map(layout).collect::<Vec<_>>());
        assert_eq!(lines.len(), 1 + 1 + LISTED + 1);
        assert_eq!(
            lines[2],
            "  1 of 384             12       6            90              40        24     1.00 s"
        );
        assert_eq!(lines.last().map(String::as_str), Some("  and 2 slower ones"));
    }
}
