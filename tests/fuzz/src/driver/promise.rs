//! What a configuration promises of memory that changes hands.
#![forbid(unsafe_code)]

use crate::interpreter::GivenUp;

/// The promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    /// What all bytes are that a block gets.
    pub(super) fresh: Option<u8>,
    /// What memory holds that a block gave up.
    pub(super) given_up: GivenUp,
    /// What was given up last is in no other block, up to this many bytes.
    pub(super) rests: usize,
}

const POISON_IN_USE: u8 = 0x5a;

impl Promise {
    /// What this text promises.
    pub(super) fn of(conf: &str) -> Self {
        let has = |pair: &str| conf.split(',').any(|it| it == pair);
        let value_of = |key: &str| {
            let value = conf.split(',').find_map(|it| it.strip_prefix(key));
            value.unwrap_or_default()
        };
        // Letters for all caches: no names follow, and no other letters for others.
        let letters = value_of("slab_debug:");
        let after = conf.split_once("slab_debug:").map_or("", |it| it.1);
        let next = after.split(',').nth(1);
        let is_for_all = !letters.contains(';') && next.is_none_or(|next| next.contains(':'));
        let debugs = is_for_all && letters.contains(['F', 'Z', 'P', 'U']);
        let poisons = debugs && letters.contains('P');
        let guards = has("guard:1/1");
        let fresh = match (has("zero:alloc"), poisons, has("zero:free")) {
            (true, ..) => Some(0),
            (_, true, _) => Some(POISON_IN_USE),
            // A longer block may have what was a red zone.
            (.., is_zero) => (is_zero && letters.is_empty()).then_some(0),
        };
        let given_up = match (poisons, has("zero:free"), guards) {
            (true, ..) => GivenUp::Poison,
            (_, true, _) => GivenUp::Zeroes,
            (.., true) => GivenUp::Nothing,
            _ => GivenUp::Anything,
        };
        let rests = match (debugs, guards) {
            (true, _) => 16 << 20,
            (_, true) => 64 << 10,
            _ => bytes(value_of("quarantine:")) / 4,
        };
        Self {
            fresh,
            given_up,
            rests,
        }
    }
}

fn bytes(text: &str) -> usize {
    let digits = text.trim_end_matches(['k', 'm', 'g']);
    let shift = match text.strip_prefix(digits) {
        Some("k") => 10,
        Some("m") => 20,
        Some("g") => 30,
        _ => 0,
    };
    digits.parse::<usize>().map_or(0, |number| number << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_follows_from_the_words() {
        let of = |conf| {
            let promise = Promise::of(conf);
            (promise.fresh, promise.given_up, promise.rests)
        };
        assert_eq!(of("purge_ms:0"), (None, GivenUp::Anything, 0));
        assert_eq!(
            of("zero:free,quarantine:4k"),
            (Some(0), GivenUp::Zeroes, 1 << 10)
        );
        assert_eq!(of("zero:alloc"), (Some(0), GivenUp::Anything, 0));
        assert_eq!(
            of("slab_debug:FZP"),
            (Some(0x5a), GivenUp::Poison, 16 << 20)
        );
        assert_eq!(of("slab_debug:FZP,large"), (None, GivenUp::Anything, 0));
        assert_eq!(
            of("slab_debug:F,crime:warn"),
            (None, GivenUp::Anything, 16 << 20)
        );
        assert_eq!(of("guard:1/1"), (None, GivenUp::Nothing, 64 << 10));
    }
}
