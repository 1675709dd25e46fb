//! What the reader sees while it runs: one live line on a terminal, a line per case elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// The progress of a whole comparison.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    live: bool,
}

impl Progress {
    /// A line for `cases` cases.
    ///
    /// # Panics
    ///
    /// Never: the template is fixed.
    #[must_use]
    pub fn new(cases: usize) -> Self {
        let live = std::io::stderr().is_terminal();
        let target = if live {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = "{elapsed_precise} [{bar:30}] {pos}/{len} {wide_msg}";
        let style = ProgressStyle::with_template(style)
            .expect("a valid template")
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(cases as u64), target).with_style(style);
        Self { bar, live }
    }

    /// Shows what is running now.
    pub fn now(&self, what: &str) {
        self.bar.set_message(what.to_owned());
    }

    /// One case is over.
    pub fn done(&self, what: &str) {
        self.bar.inc(1);
        if !self.live {
            let (position, length) = (self.bar.position(), self.bar.length().unwrap_or(0));
            eprintln!(
                "{:>4}s [{position}/{length}] {what}",
                self.bar.elapsed().as_secs()
            );
        }
    }

    /// All cases are over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
