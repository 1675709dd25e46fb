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
    /// Sample allocations, one for this number of bytes in the mean; 0 for none.
    Profile(u64),
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
            "mail_set_profile" => Self::Profile(value),
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
            Self::Profile(rate) => ("mail_set_profile", rate),
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
            Self::Limit(Limit::Bytes(bytes)) => write!(formatter, "set limit={}", size(*bytes)),
            Self::StatsAtExit(true) => formatter.write_str("set stats=exit"),
            Self::StatsAtExit(false) => formatter.write_str("set stats=off"),
            Self::Profile(0) => formatter.write_str("set profile=off"),
            Self::Profile(rate) => write!(formatter, "set profile_rate={}", size(*rate)),
        }
    }
}

/// Bytes as an option has them, with the largest unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        it if it % (1 << 30) == 0 => format!("{}g", it >> 30),
        it if it % (1 << 20) == 0 => format!("{}m", it >> 20),
        it if it % (1 << 10) == 0 => format!("{}k", it >> 10),
        it => it.to_string(),
    }
}
