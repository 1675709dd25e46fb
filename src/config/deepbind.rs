//! Which plug-ins keep the flag `RTLD_DEEPBIND` that they are opened with.
#![forbid(unsafe_code)]

/// Room for the names of plug-ins, a zero after each.
const NAME_BYTES: usize = 128;

/// The choice of `deepbind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deepbind {
    keeps_all: bool,
    names: [u8; NAME_BYTES],
    used: usize,
}

impl Deepbind {
    /// None of them.
    pub(crate) const OFF: Self = Self {
        keeps_all: false,
        names: [0; NAME_BYTES],
        used: 0,
    };

    /// Applies `off`, `keep`, or `keep=NAME`, which adds a name to those that were given before.
    pub(super) fn set(&mut self, value: &[u8]) -> Option<()> {
        match value {
            b"off" => *self = Self::OFF,
            b"keep" => self.keeps_all = true,
            _ => {
                let name = value.strip_prefix(b"keep=").filter(|it| !it.is_empty())?;
                let room = self.names.get_mut(self.used..)?;
                if name.len() >= room.len() || name.contains(&0) {
                    return None;
                }
                room.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
                self.used += name.len() + 1;
            }
        }
        Some(())
    }

    /// Whether the plug-in that is opened as `path` keeps its flag. A name with a slash is a whole path, any other is that of
    /// the file; a star at its end stands for any text.
    pub(crate) fn keeps(&self, path: &[u8]) -> bool {
        let file = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let used = self.names.get(..self.used).unwrap_or_default();
        let mut names = used.split(|byte| *byte == 0).filter(|it| !it.is_empty());
        self.keeps_all
            || names.any(|name| {
                let text = if name.contains(&b'/') { path } else { file };
                match name.strip_suffix(b"*") {
                    Some(beginning) => text.starts_with(beginning),
                    None => text == name,
                }
            })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    fn keeping(values: &[&str]) -> Deepbind {
        let mut choice = Deepbind::OFF;
        for value in values {
            assert_eq!(choice.set(value.as_bytes()), Some(()), "{value}");
        }
        choice
    }

    #[test]
    fn names_are_files_paths_and_beginnings() {
        let choice = keeping(&["keep=a.so", "keep=/opt/b/c.so", "keep=libd*"]);
        for kept in [
            "a.so",
            "/x/a.so",
            "./a.so",
            "/opt/b/c.so",
            "libd.so.1",
            "/y/libd",
        ] {
            assert!(choice.keeps(kept.as_bytes()), "{kept}");
        }
        for dropped in [
            "",
            "xa.so",
            "a.so.1",
            "c.so",
            "/b/c.so",
            "/libd/e.so",
            "lib",
        ] {
            assert!(!choice.keeps(dropped.as_bytes()), "{dropped}");
        }
    }

    #[test]
    fn all_or_none() {
        assert!(keeping(&["keep"]).keeps(b"a.so"));
        assert!(!keeping(&["keep", "keep=a.so", "off"]).keeps(b"a.so"));
        assert!(!Deepbind::OFF.keeps(b"a.so"));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_rest_stays() {
        let mut choice = keeping(&["keep=a.so"]);
        let long = [&b"keep="[..], &[b'x'; NAME_BYTES - 5]].concat();
        for bad in [&b""[..], b"keep=", b"kept", b"keep=a\0b", &long] {
            assert_eq!(choice.set(bad), None);
        }
        assert_eq!(choice, keeping(&["keep=a.so"]));
        let longest = [&b"keep="[..], &[b'x'; NAME_BYTES - 6]].concat();
        assert_eq!(choice.set(&longest), Some(()));
        assert!(choice.keeps(b"a.so") && choice.keeps(&longest[5..]));
        assert_eq!(choice.set(b"keep=y"), None);
    }
}
