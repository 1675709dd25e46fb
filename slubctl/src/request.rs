//! What a process can be asked for, as words and as text.

use std::fmt::{self, Display, Formatter};

/// What a process is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Give back all that is unused, as malloc_trim(3) does.
    Trim,
    /// Give back what is free.
    Purge,
    /// Change the time in which unused memory goes back; `None` for never.
    PurgeMs(Option<u64>),
    /// Change the limit.
    Limit(Limit),
    /// Print statistics when the program ends, or do not.
    StatsAtExit(bool),
}

/// A limit on memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// None.
    Off,
    /// What it was when the program began.
    Initial,
    /// Bytes.
    Bytes(u64),
}

impl Request {
    /// A request by the name of its verb and its value.
    pub(crate) fn of(verb: &str, value: u64) -> Option<Self> {
        Some(match verb {
            "mail_trim" => Self::Trim,
            "mail_purge" => Self::Purge,
            "mail_set_purge_ms" => Self::PurgeMs(Some(value).filter(|it| *it != u64::MAX)),
            "mail_set_limit" => Self::Limit(match value {
                u64::MAX => Limit::Off,
                0 => Limit::Initial,
                bytes => Limit::Bytes(bytes),
            }),
            "mail_set_stats" => Self::StatsAtExit(value != 0),
            _ => return None,
        })
    }

    /// The name of its verb, and its value.
    pub(crate) fn verb(self) -> (&'static str, u64) {
        match self {
            Self::Trim => ("mail_trim", 0),
            Self::Purge => ("mail_purge", 0),
            Self::PurgeMs(time) => ("mail_set_purge_ms", time.unwrap_or(u64::MAX)),
            Self::Limit(Limit::Off) => ("mail_set_limit", u64::MAX),
            Self::Limit(Limit::Initial) => ("mail_set_limit", 0),
            Self::Limit(Limit::Bytes(bytes)) => ("mail_set_limit", bytes),
            Self::StatsAtExit(is_wanted) => ("mail_set_stats", u64::from(is_wanted)),
        }
    }
}

impl Display for Request {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trim => formatter.write_str("trim"),
            Self::Purge => formatter.write_str("purge"),
            Self::PurgeMs(None) => formatter.write_str("set purge_ms=never"),
            Self::PurgeMs(Some(time)) => write!(formatter, "set purge_ms={time}"),
            Self::Limit(Limit::Off) => formatter.write_str("set limit=off"),
            Self::Limit(Limit::Initial) => formatter.write_str("set limit=auto"),
            Self::Limit(Limit::Bytes(bytes)) => {
                let shift = [30, 20, 10, 0]
                    .into_iter()
                    .find(|it| bytes % (1 << it) == 0);
                let (shift, unit) = match shift {
                    Some(30) => (30, "g"),
                    Some(20) => (20, "m"),
                    Some(10) => (10, "k"),
                    _ => (0, ""),
                };
                write!(formatter, "set limit={}{unit}", bytes >> shift)
            }
            Self::StatsAtExit(true) => formatter.write_str("set stats=exit"),
            Self::StatsAtExit(false) => formatter.write_str("set stats=off"),
        }
    }
}
