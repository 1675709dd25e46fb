//! Signals that end this program from outside while the terminal is not as it was.

use std::io::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Keeps such signals until the terminal is as it was.
#[derive(Debug)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Keeps them from now on.
    pub(crate) fn keep() -> Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register_usize(signal, Arc::clone(&last), signal.unsigned_abs() as usize)?;
        }
        Ok(Self(last))
    }

    /// Whether one came.
    pub(crate) fn is_end(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// Ends this program as the signal would have, if one came.
    pub(crate) fn take_effect(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            signal => low_level::emulate_default_handler(signal as i32),
        }
    }
}
