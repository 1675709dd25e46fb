//! Sizes and times on the command line.

use std::time::Duration;

/// A number of bytes, with k, m, g or t after it for powers of 1,024.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// A time: seconds, or a number with ms, s, m or h after it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err("a time as 30, 30s, 5m or 100ms".to_owned()),
    };
    let seconds = number.parse::<f64>().ok().map(|it| it * unit);
    let seconds = seconds.filter(|it| (0.0..=86_400.0 * 366.0).contains(it));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "a time as 30, 30s, 5m or 100ms".to_owned())
}
