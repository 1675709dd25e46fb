//! The limits of containers on machines that do not exist.
#![forbid(unsafe_code)]

extern crate std;
use std::format;
use std::string::String;

use super::machines::{MIB, Machine, RAM, V1_ENDLESS};
use super::*;

#[test]
fn a_machine_without_files_has_no_limit() {
    assert_eq!(Machine::default().limits(), None);
    assert_eq!(Machine::new("0::/a\n").limits(), None);
    assert_eq!(Machine::new("4:memory:/a\n").limits(), None);
}

#[test]
fn the_root_has_no_limit() {
    let root = Machine::new("0::/\n").v2_root("/sys/fs/cgroup");
    assert_eq!(root.limits(), None);
}

#[test]
fn a_group_limits_by_its_maximum() {
    let machine = Machine::new("0::/system.slice/some.service\n")
        .v2_root("/sys/fs/cgroup")
        .v2("/sys/fs/cgroup/system.slice", "max", "max")
        .v2("/sys/fs/cgroup/system.slice/some.service", 64 * MIB, "max");
    assert_eq!(machine.limits(), Some((64, 56)));
    assert_eq!(machine.usage(), (30, 30));
}

#[test]
fn nothing_limits_without_numbers_below_the_ram() {
    for text in ["max", "8589934592", "99999999999999999999999999"] {
        let machine =
            Machine::new("0::/a\n")
                .v2_root("/sys/fs/cgroup")
                .v2("/sys/fs/cgroup/a", text, text);
        assert_eq!(machine.limits(), None, "{text}");
    }
}

#[test]
fn where_the_ram_is_not_known_large_numbers_limit_and_endless_ones_do_not() {
    let hard = |limit| {
        let machine = Machine::new("4:memory:/a\n").v1("/sys/fs/cgroup/memory/a", limit);
        let machine = machine.v1("/sys/fs/cgroup/memory", V1_ENDLESS);
        let group = Group::detect(0, |path, show| machine.read(path, show));
        machine
            .numbers_of(&group.expect("a group"))
            .expect("limits")
            .hard
    };
    assert_eq!(hard(1 << 40), 1 << 40);
    assert_eq!(hard(V1_ENDLESS), UNLIMITED);
}

#[test]
fn the_smallest_limit_on_the_path_counts_with_its_own_usage() {
    let machine = Machine::new("0::/a/b/c\n")
        .v2_root("/sys/fs/cgroup")
        .v2("/sys/fs/cgroup/a", 100 * MIB, "max")
        .v2("/sys/fs/cgroup/a/b", 80 * MIB, 50 * MIB)
        .v2("/sys/fs/cgroup/a/b/c", 90 * MIB, 60 * MIB)
        .using("/sys/fs/cgroup/a", 70, 45)
        .using("/sys/fs/cgroup/a/b", 50, 40)
        .using("/sys/fs/cgroup/a/b/c", 20, 20);
    assert_eq!(machine.limits(), Some((80, 50)));
    assert_eq!(machine.usage(), (40, 40));
}

#[test]
fn siblings_may_make_a_larger_limit_the_tighter_one() {
    let machine = Machine::new("0::/a/b\n")
        .v2_root("/sys/fs/cgroup")
        .v2("/sys/fs/cgroup/a", 100 * MIB, "max")
        .v2("/sys/fs/cgroup/a/b", 80 * MIB, "max")
        .using("/sys/fs/cgroup/a", 95, 95)
        .using("/sys/fs/cgroup/a/b", 10, 10);
    // Five are left of a hundred, so five are left of eighty.
    assert_eq!(machine.limits(), Some((80, 70)));
    assert_eq!(machine.usage(), (75, 77));
}

#[test]
fn a_soft_limit_alone_is_one() {
    let machine =
        Machine::new("0::/a\n")
            .v2_root("/sys/fs/cgroup")
            .v2("/sys/fs/cgroup/a", "max", 64 * MIB);
    let limit = Limit::chosen(LimitChoice::Found, RAM, |path, show| {
        machine.read(path, show)
    });
    assert!(!limit.is_off());
    let (numbers, usage) = limit.read(Numbers::NONE, 0, |path, show| machine.read(path, show));
    assert_eq!((numbers.hard, numbers.soft), (UNLIMITED, 64 * MIB));
    let grant = numbers.grant(usage, MIB);
    assert_eq!((grant.bytes, grant.is_tight), (34 * MIB, false));
    assert!(numbers.grant(usage, 35 * MIB).is_tight);
}

#[test]
fn soft_and_hard_limits_of_different_groups_have_their_own_usage() {
    let machine = Machine::new("0::/a/b\n")
        .v2_root("/sys/fs/cgroup")
        .v2("/sys/fs/cgroup/a", "max", 50 * MIB)
        .v2("/sys/fs/cgroup/a/b", 400 * MIB, "max")
        .using("/sys/fs/cgroup/a", 60, 45)
        .using("/sys/fs/cgroup/a/b", 20, 10);
    assert_eq!(machine.limits(), Some((400, 50)));
    assert_eq!(machine.usage(), (10, 45));
}

#[test]
fn version_1_limits_by_its_own_names() {
    let machine = Machine::new("12:devices:/x\n4:memory:/docker/a\n1:name=systemd:/y\n")
        .v1("/sys/fs/cgroup/memory", V1_ENDLESS)
        .v1("/sys/fs/cgroup/memory/docker", V1_ENDLESS)
        .v1("/sys/fs/cgroup/memory/docker/a", 64 * MIB);
    assert_eq!(machine.limits(), Some((64, 56)));
    assert_eq!(machine.usage(), (35, 35));
}

#[test]
fn controllers_may_share_a_hierarchy_and_a_name_is_none() {
    let machine = Machine::new("3:name=memory:/no\n2:cpu,memory:/yes\n")
        .v1("/sys/fs/cgroup/memory", V1_ENDLESS)
        .v1("/sys/fs/cgroup/memory/no", 32 * MIB)
        .v1("/sys/fs/cgroup/memory/yes", 64 * MIB);
    assert_eq!(machine.limits(), Some((64, 56)));
    let machine = Machine::new("2:cpu,memory:/yes\n")
        .v1("/sys/fs/cgroup", V1_ENDLESS)
        .v1("/sys/fs/cgroup/yes", 64 * MIB);
    assert_eq!(machine.limits(), Some((64, 56)));
}

#[test]
fn in_a_hybrid_the_version_that_counts_memory_counts() {
    let cgroup = "4:memory:/user.slice\n1:name=systemd:/user.slice\n0::/user.slice\n";
    let machine = Machine::new(cgroup)
        .v1("/sys/fs/cgroup/memory", V1_ENDLESS)
        .v1("/sys/fs/cgroup/memory/user.slice", 64 * MIB)
        .v2_root("/sys/fs/cgroup/unified")
        .v2_root("/sys/fs/cgroup/unified/user.slice");
    assert_eq!(machine.limits(), Some((64, 56)));
    let machine = Machine::new("1:name=systemd:/user.slice\n0::/user.slice\n")
        .v2_root("/sys/fs/cgroup/unified")
        .v2("/sys/fs/cgroup/unified/user.slice", 64 * MIB, "max");
    assert_eq!(machine.limits(), Some((64, 56)));
}

#[test]
fn a_container_with_a_namespace_is_its_own_root() {
    let machine = Machine::new("0::/\n").v2("/sys/fs/cgroup", 64 * MIB, "max");
    assert_eq!(
        (machine.limits(), machine.usage()),
        (Some((64, 56)), (30, 30))
    );
    let machine = Machine::new("4:memory:/\n").v1("/sys/fs/cgroup/memory", 64 * MIB);
    assert_eq!(
        (machine.limits(), machine.usage()),
        (Some((64, 56)), (35, 35))
    );
}

#[test]
fn a_container_without_a_namespace_sees_a_part_of_the_path() {
    let machine = Machine::new("0::/docker/0123456789ab\n").v2("/sys/fs/cgroup", 64 * MIB, "max");
    assert_eq!(machine.limits(), Some((64, 56)));
    let below = Machine::new("0::/docker/0123456789ab/own/child\n")
        .v2("/sys/fs/cgroup", 64 * MIB, "max")
        .v2("/sys/fs/cgroup/own", "max", "max")
        .v2("/sys/fs/cgroup/own/child", 32 * MIB, "max");
    assert_eq!(below.limits(), Some((32, 28)));
    let v1 = Machine::new("4:memory:/docker/01\n").v1("/sys/fs/cgroup/memory", 64 * MIB);
    assert_eq!(v1.limits(), Some((64, 56)));
}

#[test]
fn a_path_out_of_the_namespace_is_the_mounts_root() {
    let machine = Machine::new("0::/../other\n")
        .v2("/sys/fs/cgroup", 64 * MIB, "max")
        .v2("/sys/fs/cgroup/../other", 16 * MIB, "max")
        .v2("/sys/fs/cgroup/other", 32 * MIB, "max");
    assert_eq!(machine.limits(), Some((64, 56)));
}

#[test]
fn paths_that_are_too_long_are_cut_at_a_name() {
    let long = ["/0123456789".repeat(39), "/last".repeat(20)].concat();
    let fits: String = "/0123456789".repeat(39) + "/last";
    let root = "/sys/fs/cgroup";
    assert_eq!(root.len() + fits.len(), 448);
    let machine = Machine::new(&format!("0::{long}\n")).v2_root(root).v2(
        &format!("{root}{fits}"),
        64 * MIB,
        "max",
    );
    assert_eq!(machine.limits(), Some((64, 56)));
    let machine = Machine::new(&format!("0::{}\n", "x".repeat(5000))).v2(root, 32 * MIB, "max");
    assert_eq!(machine.limits(), None);
}

#[test]
fn many_levels_are_read_from_the_process_upwards() {
    let mut machine = Machine::new("0::/1/2/3/4/5/6/7/8/9\n").v2_root("/sys/fs/cgroup");
    let mut directory = String::from("/sys/fs/cgroup");
    for level in 1..10 {
        directory += &format!("/{level}");
        machine = machine.v2(&directory, level * 100 * MIB, "max");
    }
    assert_eq!(machine.limits(), Some((200, 175)));
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let mut machine = Machine::new("0::/a/b\n")
        .v2_root("/sys/fs/cgroup")
        .v2("/sys/fs/cgroup/a", 100 * MIB, "max")
        .v2("/sys/fs/cgroup/a/b", 80 * MIB, "max");
    let group = machine.group().expect("a limit");
    machine.without("/sys/fs/cgroup/a/b/memory.current");
    assert_eq!(machine.usage(), (10, 12));
    machine.without("/sys/fs/cgroup/a/memory.stat");
    assert_eq!(machine.usage(), (20, 22));
    machine.without("/sys/fs/cgroup/a/memory.current");
    assert_eq!(machine.usage_of(&group), None);
    let limit = Limit::chosen(LimitChoice::Found, RAM, |path, show| {
        machine.read(path, show)
    });
    let look = |machine: &Machine| {
        limit.read(limit.numbers(), 5 * MIB, |path, show| {
            machine.read(path, show)
        })
    };
    assert_eq!(look(&machine), (Numbers::of(80 * MIB), Usage::of(5 * MIB)));
    // In a chroot nothing can be read, and the limit stays.
    let nothing = Machine::default();
    assert_eq!(look(&nothing), (Numbers::of(80 * MIB), Usage::of(5 * MIB)));
}

#[test]
fn a_limit_that_changes_is_seen() {
    let machine = |max: &str| {
        Machine::new("0::/a\n")
            .v2_root("/sys/fs/cgroup")
            .v2("/sys/fs/cgroup/a", max, "max")
    };
    let limits = |choice: LimitChoice, before: &str, after: &str| {
        let (before, after) = (machine(before), machine(after));
        let limit = Limit::chosen(choice, RAM, |path, show| before.read(path, show));
        let read = |path: &CStr, show: &mut Show<'_>| after.read(path, show);
        let (numbers, _) = limit.read(limit.numbers(), 0, read);
        assert_eq!(numbers, limit.numbers_now(limit.numbers(), read));
        (!limit.is_off()).then_some(numbers.hard)
    };
    let (small, large) = ("67108864", "134217728");
    assert_eq!(limits(LimitChoice::Found, small, large), Some(128 * MIB));
    assert_eq!(limits(LimitChoice::Found, large, small), Some(64 * MIB));
    assert_eq!(limits(LimitChoice::Found, small, "max"), Some(UNLIMITED));
    // A first limit that comes later is looked for where that was said.
    assert_eq!(limits(LimitChoice::Found, "max", small), None);
    assert_eq!(limits(LimitChoice::Auto, "max", small), Some(64 * MIB));
}
