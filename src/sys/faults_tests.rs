//! Every place where the kernel or libc is asked, refused there with every plausible error number.
#![forbid(unsafe_code)]

extern crate std;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::AtomicU32;
use std::boxed::Box;
use std::collections::BTreeSet;
use std::println;
use std::string::ToString;
use std::vec::Vec;

use super::faults::{ERRNOS, Event, Machine, Plan};
use super::faults_maps::maps;
use super::faults_places::places;
use super::spawn::run_shell;
use super::{
    ExitKey, Fence, HugePages, Lifeline, Policy, Region, cpu, descriptor, dumps, hooks, linux,
    memory, on_own_stack, page_size, policy, signal, space, thread,
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// A thing to ask for; whether it was granted.
type Service = (&'static str, fn() -> bool);

/// What the machine is asked for, and whether it is granted; on any machine it is.
const SERVICES: [Service; 17] = [
    ("a file", || {
        linux::read_file(c"/proc/self/stat", &mut [0; 64]).is_some()
    }),
    ("a file that grows", || opens().is_some()),
    ("a pipe", || {
        let pipe = descriptor::Pipe::new();
        pipe.is_some_and(|pipe| pipe.read(&mut [0; 1]).is_empty() && pipe.write_end() > 0)
    }),
    ("the working folder", || {
        !descriptor::working_folder(&mut [0; 4096]).is_empty()
    }),
    ("a reservation", reserves),
    ("a tail again", takes_a_tail_again),
    ("a mapping", maps),
    ("a stack", || on_own_stack(|| ()).is_some()),
    ("the size of the memory", || linux::total_ram_bytes() > 0),
    ("the process's number", || linux::process_id() > 0),
    ("the clock", || linux::milliseconds() > 0),
    ("a lifeline", || {
        // As long as the thread, on whose list it is.
        let lifeline = Box::leak(Box::new(Lifeline::new()));
        let is_tied = lifeline.tie();
        is_tied && !lifeline.is_cut()
    }),
    ("a hook for a fork", || {
        hooks::on_fork(nothing, nothing, nothing)
    }),
    ("a hook for the exit", || hooks::on_exit(nothing)),
    ("a thread", || thread::start_thread(entry)),
    ("pages that fault", fences),
    ("pieces of a file", || {
        linux::show_file(c"/proc/self/maps", &mut |_| true).is_some()
    }),
];

/// The same, where a machine may say no.
const FAVOURS: [Service; 14] = [
    ("word of faults", || signal::on_fault(|_, _| false)),
    ("a key", takes_a_key),
    ("the calling thread", || {
        thread::yield_now();
        thread::kernel_thread_id() != 0
    }),
    ("a limit", || space::virtual_memory_left().is_some()),
    ("the first thread", || {
        thread::is_main_thread() || thread::is_main_thread_gone()
    }),
    ("the allowed nodes", || policy::allowed_nodes().is_some()),
    ("the running node", || policy::asked_node().is_some()),
    ("a core file without a part", dumps::leaves_out_a_part),
    ("the allowed CPUs", || cpu::allowed_cpus(&mut [0; 128])),
    ("a memory policy", policy::process_has_memory_policy),
    ("no filter", || !linux::is_filtered()),
    ("a barrier", super::barrier::barrier),
    ("one thread", super::barrier::has_one_thread),
    ("a stack's calls", || super::backtrace(&mut [0; 8]) > 0),
];

extern "C" fn hook(_nothing: *mut c_void) {}
extern "C" fn nothing() {}
extern "C" fn entry(_nothing: *mut c_void) -> *mut c_void {
    null_mut()
}

/// A key that is given back.
fn takes_a_key() -> bool {
    let key = ExitKey::new();
    let value = core::ptr::dangling_mut();
    let is_armed = key.arm(hook, value);
    let is_armed = is_armed && key.rearm(value);
    key.close();
    is_armed && !key.rearm(value)
}

/// A reservation and everything that is done with one.
fn reserves() -> bool {
    let Some(mut region) = Region::reserve(8 * MIB, 0, 4 * MIB) else {
        return false;
    };
    region.name(c"test");
    region.want_huge_pages(HugePages::Never, 0);
    let placed = region.place(Policy::Prefer(0));
    let _ = placed;
    let done = region.commit(0, 64 * KIB)
        && region.present_pages(0, page_size()) == 0
        && region.purge(0, page_size())
        && region.decommit(0, page_size());
    region.give_back();
    done
}

/// Gives a tail back and takes it again: first while a foreign mapping has it, then not.
fn takes_a_tail_again() -> bool {
    let Some(region) = Region::reserve(8 * MIB, 0, 64 * KIB) else {
        return false;
    };
    let done = region.shrink(MIB) && region.commit(4 * MIB, 4 * MIB + 64 * KIB);
    region.give_back();
    done
}

/// Pages that are closed and opened again, in both ways.
fn fences() -> bool {
    let Some(region) = Region::reserve(MIB, 0, 64 * KIB) else {
        return false;
    };
    let (start, end) = (64 * KIB, 128 * KIB);
    let ways = [Fence::probe(), Fence::of_mappings()];
    let is_fenced =
        |fence: Fence| fence.close(&region, start, end) && fence.open(&region, start, end);
    let done = region.commit(0, end) && ways.into_iter().all(is_fenced);
    region.give_back();
    done
}

/// Opens a file and tells whether that is what it is open on.
fn opens() -> Option<()> {
    let file = descriptor::open_to_append(c"/dev/null", true)?;
    let copy = descriptor::copy_descriptor(file);
    let is_same = copy.map(descriptor::FileId::of) == Some(descriptor::FileId::of(file));
    copy.inspect(|copy| descriptor::close_descriptor(*copy));
    descriptor::close_descriptor(file);
    let made = descriptor::create_file(c"/dev/null");
    let _ = made.map(descriptor::close_descriptor);
    let _ = descriptor::path_of_stderr(&mut [0; 64]);
    is_same.then_some(())
}

fn runs_a_program() -> bool {
    run_shell(c"exit $0", [c"0", c"", c""])
}

/// What answers nothing.
fn wait_and_wake() {
    let word = AtomicU32::new(0);
    super::Bell::new().hang();
    linux::futex_wait(&word, 1);
    linux::futex_wait_for(&word, 1, 1);
    linux::futex_wake(&word, 1);
    let _ = thread::libc_thread_number();
    let _ = thread::has_thread(1);
    thread::name_thread(c"faults");
    descriptor::write_stderr(b"never seen");
}

/// Asks for a stack that is longer than a page, which is not the first of the process.
fn takes_a_long_stack() -> bool {
    let calls = on_own_stack(|| {
        let room = core::hint::black_box([0_u8; 3 * 4096]);
        super::backtrace(&mut [0; 8]) + usize::from(room[0])
    });
    calls > Some(1)
}

fn everything() {
    takes_a_long_stack();
    for (_, service) in SERVICES.iter().chain(&FAVOURS) {
        let _ = service();
    }
    wait_and_wake();
}

/// Nothing is to be written on the tests' own output.
fn is_write(event: &Event) -> bool {
    event.number == Some(libc::SYS_write)
}

/// A machine on which a foreign mapping is in the way of a tail that is taken again.
const OLD: Machine = Machine {
    is_old: true,
    ..Machine::ENDLESS
};

/// A tail under a foreign mapping, which is left there.
fn meets_a_foreign_mapping() -> bool {
    let Some(region) = Region::reserve(8 * MIB, 0, 64 * KIB) else {
        return false;
    };
    let is_met = region.shrink(64 * KIB) && memory::reserve_at(region.at(64 * KIB), 64 * KIB);
    let done = region.commit(0, MIB);
    region.give_back();
    is_met && done
}

#[test]
fn what_is_refused_is_said_to_be() {
    for (name, service) in SERVICES {
        assert!(service(), "{name}");
    }
    for errno in ERRNOS {
        for (name, service) in SERVICES.iter().chain(&FAVOURS) {
            let plan = Plan::new(move |_| Some(errno));
            let granted = plan.during(service);
            assert!(!granted, "{name}, which the kernel refuses with {errno}");
            assert!(plan.refused() > 0, "{name} asks nobody");
            assert_eq!(plan.ledger().bytes(), 0, "{name}");
        }
    }
}

#[test]
fn every_place_survives_every_refusal() {
    let places = places();
    let mut reached = BTreeSet::new();
    let mut refusals = 0;
    for errno in ERRNOS {
        for place in &places {
            let here = place.clone();
            let plan = Plan::on(OLD, move |event| {
                let is_here =
                    (event.site.0, event.site.1, event.site.2) == (&*here.0, here.1, here.2);
                (is_here || is_write(event)).then_some(errno)
            });
            plan.during(everything);
            plan.during(meets_a_foreign_mapping);
            if place.0.ends_with("/spawn.rs") {
                // A program is started, which takes time.
                let _ = plan.during(runs_a_program);
            }
            let tallies = plan.tallies();
            let refused = tallies.iter().filter(|(_, tally)| tally.refused > 0);
            reached.extend(refused.map(|(site, _)| (site.0.to_string(), site.1, site.2)));
            refusals += plan.refused();
        }
    }
    let missing: Vec<_> = places.difference(&reached).collect();
    println!(
        "{} of {} sites, {refusals} refusals",
        places.len() - missing.len(),
        places.len()
    );
    assert!(missing.is_empty(), "never refused: {missing:?}");
    let unknown: Vec<_> = reached.difference(&places).collect();
    assert!(unknown.is_empty(), "not found in the source: {unknown:?}");
}

#[test]
fn a_single_refusal_loses_nothing() {
    let work: [fn() -> bool; 3] = [reserves, takes_a_tail_again, maps];
    for work in work {
        let calls = Plan::none();
        assert!(calls.during(work));
        assert_eq!(calls.ledger().bytes(), 0);
        // How much a mapping has to be trimmed, and in how many calls, is chance.
        for index in 0..calls.count() + 2 {
            let plan = Plan::new(move |event| (event.index == index).then_some(libc::ENOMEM));
            plan.during(work);
            let ledger = plan.ledger();
            assert_eq!(
                ledger.kept_bytes(),
                0,
                "memory that nobody can free, refusal {index}"
            );
            // What is given back last may be refused, too: then there is no more to do than that.
            assert!(ledger.bytes() <= ledger.refused_bytes(), "refusal {index}");
        }
    }
}
