//! No text in the files of groups does harm.
#![forbid(unsafe_code)]
#![expect(
    clippy::disallowed_macros,
    reason = "proptest's macros panic, which is how a test fails"
)]

extern crate std;
use proptest::prelude::*;
use std::format;
use std::vec::Vec;

use super::machines::{MIB, Machine, RAM};
use super::*;

#[test]
fn garbage_is_no_limit_and_a_cut_line_no_number() {
    for text in [
        "", "\n", "-1", "64m", "12 34", "0x10", "maximum", "\u{fffd}",
    ] {
        let machine =
            Machine::new("0::/a\n")
                .v2_root("/sys/fs/cgroup")
                .v2("/sys/fs/cgroup/a", text, text);
        assert_eq!(machine.limits(), None, "{text:?}");
    }
    for text in ["", "\n", "0", "0:", "0:\n", "0::a\n", ":::\n", "0::/a"] {
        let machine = Machine::new(text).v2_root("/sys/fs/cgroup");
        let machine = machine.v2("/sys/fs/cgroup/a", 64 * MIB, "max");
        assert_eq!(machine.limits(), None, "{text:?}");
    }
    let machine = Machine::new("0::/\n")
        .v2("/sys/fs/cgroup", 64 * MIB, "max")
        .with(
            "/sys/fs/cgroup/memory.stat",
            "inactive_file 1048576\nactive_file 10485",
        );
    assert_eq!(machine.usage(), (39, 39));
}

proptest! {
    #[test]
    fn no_text_does_harm(
        cgroup in "([0-9]{0,3}:(memory|cpu|)(,memory)?:(/|/a|/\\.\\.|[^\n]{0,8}){0,6}\n){0,5}.{0,9}",
        texts in proptest::collection::vec("([a-z_]{0,20} ?[0-9]{0,30}\n|max\n|.{0,20}){0,4}", 8),
    ) {
        let mut machine = Machine::new(&cgroup);
        let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/a"];
        let names = [
            "memory.max", "memory.high", "memory.current", "memory.stat",
            "cgroup.controllers", "memory.limit_in_bytes", "memory.usage_in_bytes", "x",
        ];
        for mount in mounts {
            for (name, text) in names.iter().zip(&texts) {
                machine = machine.with(&format!("{mount}/{name}"), text);
            }
        }
        if let Some(group) = machine.group() {
            let numbers = machine.numbers_of(&group).expect("limits");
            prop_assert!(numbers.soft <= numbers.hard && numbers.soft < RAM);
            let _ = machine.usage_of(&group);
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes: Vec<u8>, lengths in proptest::collection::vec(0_usize..9999, 20)) {
        let mut lengths = lengths.iter().cycle();
        let mut read = |_: &CStr, show: &mut Show<'_>| {
            let length = *lengths.next()?;
            let text: Vec<u8> = bytes.iter().cycle().copied().take(length).collect();
            text.chunks(512).all(show);
            Some(())
        };
        if let Some(group) = Group::detect(RAM, &mut read)
            && let Some(levels) = group.levels(&mut read)
        {
            let _ = levels.usage(&group, &mut read);
        }
    }
}
