//! Signals that end or stop this program while the terminal is not as it was.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::{flag, low_level};

/// How often it is looked whether this program is to end, and how long it may take for that.
const LOOK: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps such signals until the terminal is as it was.
#[derive(Debug)]
pub(crate) struct Signals {
    end: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    go_on: Arc<AtomicBool>,
}

impl Signals {
    /// Keeps them from now on.
    pub(crate) fn keep() -> Result<Self> {
        let signals = Self {
            end: Arc::new(AtomicUsize::new(0)),
            stop: Arc::new(AtomicBool::new(false)),
            go_on: Arc::new(AtomicBool::new(false)),
        };
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let number = signal.unsigned_abs() as usize;
            flag::register_usize(signal, Arc::clone(&signals.end), number)?;
        }
        let end = Arc::clone(&signals.end);
        std::thread::spawn(move || watch(&end));
        flag::register(SIGTSTP, Arc::clone(&signals.stop))?;
        flag::register(SIGCONT, Arc::clone(&signals.go_on))?;
        Ok(signals)
    }

    /// Whether this program is to end.
    pub(crate) fn is_end(&self) -> bool {
        self.end.load(Ordering::Relaxed) != 0
    }

    /// Has it end as by SIGQUIT.
    pub(crate) fn note_quit(&self) {
        self.end.store(SIGQUIT as usize, Ordering::Relaxed);
    }

    /// Has it stop as by SIGTSTP.
    pub(crate) fn note_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it is to stop.
    pub(crate) fn is_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether it is to stop, or was continued.
    pub(crate) fn is_change(&self) -> bool {
        self.is_stop() || self.go_on.load(Ordering::Relaxed)
    }

    /// Stops it until somebody continues it.
    pub(crate) fn stop(&self) -> Result<()> {
        self.stop.store(false, Ordering::Relaxed);
        self.go_on.store(true, Ordering::Relaxed);
        low_level::emulate_default_handler(SIGTSTP)
    }

    /// Whether it was continued since this was asked last.
    pub(crate) fn has_continued(&self) -> bool {
        self.go_on.swap(false, Ordering::Relaxed)
    }

    /// Ends this program as the signal would have, if one came.
    pub(crate) fn take_effect(&self) -> Result<()> {
        match self.end.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => low_level::emulate_default_handler(signal as i32),
        }
    }
}

/// Ends this program if it does not end by itself after a signal: a terminal that is gone has no keys, and is read for ever.
fn watch(end: &AtomicUsize) {
    loop {
        std::thread::sleep(LOOK);
        if end.load(Ordering::Relaxed) != 0 {
            std::thread::sleep(PATIENCE);
            let _ = ratatui::try_restore();
            let signal = end.load(Ordering::Relaxed);
            let _ = low_level::emulate_default_handler(signal as i32);
        }
    }
}
