//! How many bytes were in use at most within about the last second: what a program needed a moment
//! ago it will likely need again.
#![forbid(unsafe_code)]

/// Milliseconds of a window; demand is remembered for one to two of them.
const WINDOW: u64 = 500;

/// The most bytes in use, in this window of time and the one before.
#[derive(Debug)]
pub(super) struct Demand {
    most: usize,
    most_before: usize,
    window: u64,
}

impl Demand {
    /// Nothing was ever needed.
    pub(super) const fn none() -> Self {
        Self {
            most: 0,
            most_before: 0,
            window: 0,
        }
    }

    /// Records that `used` bytes are in use at `now`, in milliseconds; returns the most that was recently.
    pub(super) fn observe(&mut self, used: usize, now: u64) -> usize {
        let window = now / WINDOW;
        if window != self.window {
            let is_next = window == self.window + 1;
            self.most_before = if is_next { self.most } else { used };
            self.most = used;
            self.window = window;
        }
        self.most = self.most.max(used);
        self.most.max(self.most_before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_remembered_for_about_a_second() {
        let mut demand = Demand::none();
        assert_eq!(demand.observe(10, 100), 10);
        assert_eq!(demand.observe(80, 110), 80);
        assert_eq!(demand.observe(20, 120), 80);
        assert_eq!(demand.observe(30, 600), 80);
        assert_eq!(demand.observe(10, 1_100), 30);
        assert_eq!(demand.observe(5, 9_000), 5);
    }
}
