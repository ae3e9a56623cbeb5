//! What the user sees while work goes on: progress on standard error, emphasis on standard output.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cipherloom_host::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::error::{CliError, Result};

/// Work that is done sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Width of a bar, in columns.
const BAR: u64 = 24;

/// Writes a line to standard output, or fails the command. A reader that stops reading, such as `head`, is no failure.
macro_rules! say {
    ($($argument:tt)*) => { $crate::ui::print(format_args!("{}\n", format_args!($($argument)*)))? };
}
pub(crate) use say;

/// Writes to standard output.
pub fn print(text: fmt::Arguments<'_>) -> Result<()> {
    match std::io::stdout().write_fmt(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(CliError::new(
            format!("standard output: {error}"),
            "check where the output goes",
        )),
        _ => Ok(()),
    }
}

/// `1 row`, `2 rows`: a number of things whose plural is regular.
pub fn count(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    let ending = match thing {
        _ if number == 1 => "",
        thing if thing.ends_with("tch") => "es",
        _ => "s",
    };
    format!("{number} {thing}{ending}")
}

/// How to talk to the user.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    quiet: bool,
    color: bool,
    color_errors: bool,
}

impl Ui {
    /// Progress is shown unless `json` was asked for or standard error is no terminal; colours, on terminals unless
    /// `NO_COLOR` is set.
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            quiet: json || !std::io::stderr().is_terminal(),
            color: wanted && !json && std::io::stdout().is_terminal(),
            color_errors: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// Whether diagnostics on standard error are coloured.
    pub fn color_errors(&self) -> bool {
        self.color_errors
    }

    /// Emphasised, on standard output.
    pub fn bold(&self, text: &str) -> String {
        self.paint(text, "1")
    }

    /// In the colour of a good result, on standard output.
    pub fn good(&self, text: &str) -> String {
        self.paint(text, "1;32")
    }

    fn paint(&self, text: &str, style: &str) -> String {
        if self.color {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// A receiver of progress.
    pub fn progress(&self) -> Bars {
        Bars {
            quiet: self.quiet,
            bar: Arc::new(Mutex::new(ProgressBar::hidden())),
        }
    }

    /// Runs work whose length is not known, with a running clock beside it.
    pub fn wait<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        let mut bars = self.progress();
        bars.begin(what, 0);
        let result = work();
        bars.end();
        result
    }
}

/// One line on standard error for the phase that is going on; it disappears when the phase ends.
pub struct Bars {
    quiet: bool,
    bar: Arc<Mutex<ProgressBar>>,
}

/// Writes lines to standard error, above the progress that goes on there.
#[derive(Clone)]
pub struct Lines(Arc<Mutex<ProgressBar>>);

impl Lines {
    pub fn say(&self, line: &str) {
        let bar = lock(&self.0);
        if bar.is_hidden() {
            eprintln!("{line}");
        } else {
            bar.println(line);
        }
    }
}

/// A bar is whole whatever happened to those who used it.
fn lock(bar: &Mutex<ProgressBar>) -> MutexGuard<'_, ProgressBar> {
    bar.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bars {
    /// For what is said while progress goes on.
    pub fn lines(&self) -> Lines {
        Lines(Arc::clone(&self.bar))
    }
}

impl Progress for Bars {
    fn begin(&mut self, what: &str, total: u64) {
        if self.quiet {
            return;
        }
        let what = what.to_owned();
        let line = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = out.write_str(&line(
                &what,
                state.pos(),
                state.len().unwrap_or(0),
                state.elapsed(),
            ));
        };
        let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        bar.set_style(style.with_key("line", line));
        bar.enable_steady_tick(Duration::from_millis(200));
        *lock(&self.bar) = bar;
    }

    fn advance(&mut self, by: u64) {
        lock(&self.bar).inc(by);
    }

    fn end(&mut self) {
        lock(&self.bar).finish_and_clear();
    }
}

/// What is shown of a phase after `elapsed`: nothing at first, then a bar if the total is known.
fn line(what: &str, done: u64, total: u64, elapsed: Duration) -> String {
    if elapsed < PATIENCE {
        return String::new();
    }
    let clock = |seconds: f64| format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60);
    let elapsed = elapsed.as_secs_f64();
    if total == 0 {
        return format!("{what}  {}", clock(elapsed));
    }
    let filled = (BAR * done / total).min(BAR) as usize;
    let bar = "━".repeat(filled) + &"╌".repeat(BAR as usize - filled);
    let left = match done {
        0 => String::new(),
        _ => format!(
            ", about {} left",
            clock(elapsed * total.saturating_sub(done) as f64 / done as f64)
        ),
    };
    format!("{what}  {bar}  {done}/{total}  {}{left}", clock(elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_work_shows_nothing_and_long_work_its_end() {
        assert_eq!(line("keys", 3, 4, Duration::from_millis(900)), "");
        assert_eq!(
            line("compiling", 0, 0, Duration::from_secs(75)),
            "compiling  1:15"
        );
        assert_eq!(
            line("keys", 2, 8, Duration::from_secs(30)),
            "keys  ━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌  2/8  0:30, about 1:30 left"
        );
        assert_eq!(
            line("keys", 0, 8, Duration::from_secs(2)),
            format!("keys  {}  0/8  0:02", "╌".repeat(24))
        );
    }

    #[test]
    fn numbers_agree_with_their_things() {
        assert_eq!(count(1_u32, "batch"), "1 batch");
        assert_eq!(count(2_u32, "batch"), "2 batches");
        assert_eq!(count(2_u32, "epoch"), "2 epochs");
        assert_eq!(count(0_u32, "row"), "0 rows");
    }

    #[test]
    fn nothing_is_painted_for_programs() {
        let ui = Ui::new(true);
        assert_eq!(ui.bold("x"), "x");
        assert_eq!(ui.good("x"), "x");
    }
}
