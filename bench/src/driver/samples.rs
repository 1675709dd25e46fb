//! The figures of repeated runs, and when there are enough of them.

/// Values of one quantity from repeated runs.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    values: Vec<f64>,
}

impl Samples {
    /// Adds a run's value.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// How many runs there were.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there was no run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The middle value; none without runs.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        median(&self.values)
    }

    /// The smallest value; none without runs.
    #[must_use]
    pub fn least(&self) -> Option<f64> {
        self.values.iter().copied().reduce(f64::min)
    }

    /// Whether the last two runs moved the median by less than `share` of it.
    #[must_use]
    pub fn settled(&self, share: f64) -> bool {
        let count = self.values.len();
        if count < 4 {
            return false;
        }
        match (self.median(), median(&self.values[..count - 2])) {
            (Some(now), Some(before)) => (now - before).abs() <= share * now,
            _ => false,
        }
    }
}

/// The mean of ratios; none without any.
#[must_use]
pub fn geometric_mean(ratios: impl IntoIterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<_> = ratios.into_iter().map(f64::ln).collect();
    let count = logarithms.len() as f64;
    (count > 0.0).then(|| (logarithms.iter().sum::<f64>() / count).exp())
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some(sorted[middle - 1].midpoint(sorted[middle])),
        _ => Some(sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{Samples, geometric_mean};

    #[test]
    fn the_median_is_in_the_middle() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), None);
        [5.0, 1.0, 9.0]
            .into_iter()
            .for_each(|value| samples.push(value));
        assert_eq!((samples.median(), samples.least()), (Some(5.0), Some(1.0)));
        samples.push(6.0);
        assert_eq!(samples.median(), Some(5.5));
    }

    #[test]
    fn steady_values_settle_and_drifting_ones_do_not() {
        let samples = |values: [f64; 5]| Samples {
            values: values.to_vec(),
        };
        assert!(samples([10.0, 10.1, 9.9, 10.0, 10.0]).settled(0.01));
        assert!(!samples([10.0, 11.0, 12.0, 13.0, 14.0]).settled(0.01));
    }

    #[test]
    fn a_half_and_a_double_cancel_out() {
        assert_eq!(geometric_mean([0.5, 2.0]), Some(1.0));
        assert_eq!(geometric_mean([]), None);
    }
}
