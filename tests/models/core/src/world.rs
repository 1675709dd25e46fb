//! The world of a scenario: its memory, its kernel, and which of its atomics stand for which of loom's.
//!
//! # Invariant
//!
//! While one thread sets the scenario up, and when it looks at the end, atomics are plain memory. In between,
//! from `together` on, each that is touched stands for one of a pool of loom's atomics, which were made before
//! the threads were: so its first value is visible to all.
//!
//! A world belongs to the thread of the operating system that runs the test. Loom's threads take turns on it, and only
//! where loom says so; what a function here does between two of loom's operations happens at once.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use loom::sync::atomic::{AtomicU64, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle, ThreadId};

use crate::sync::atomic::AtomicU32;

/// Bytes of address space that a scenario may reserve.
const AREA_BYTES: usize = 96 << 20;
/// The operating system's page.
const PAGE_BYTES: usize = 4096;
/// Loom gives up on an order with more steps than this.
const MOST_STEPS: usize = 200_000;
/// A thread's stack.
const STACK_WORDS: usize = 64 << 10;
/// Atomics that threads may touch in a scenario.
const POOL: usize = 2_000;

/// What is wrong in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// No store releases.
    NoRelease,
    /// No load acquires.
    NoAcquire,
    /// No load acquires but those of exchanges.
    NoAcquireLoad,
    /// The kernel wakes nobody.
    NoWake,
    /// The kernel lets threads sleep without a look at the futex word.
    BlindSleep,
}

/// Whether threads share the world at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Single,
    Together,
    /// One thread goes on in the child of a fork; the others are not there.
    Child,
}

struct World {
    fault: Fault,
    /// Loom's atomics, and how many are in use.
    pool: Vec<Rc<AtomicU64>>,
    used: usize,
    /// Which of them stands for the atomic at an address, and the value that it began with.
    atoms: HashMap<usize, (usize, u64)>,
    /// Pages that are committed; with a cell if that happened while threads shared the world.
    committed: HashMap<usize, Option<Tracked<()>>>,
    /// What is in pages and objects.
    contents: HashMap<usize, Tracked<u32>>,
    /// Who sleeps on which word.
    sleepers: VecDeque<Rc<Sleeper>>,
    kernel: Rc<Mutex<()>>,
    /// Values that a world has one of, by type.
    singles: HashMap<TypeId, usize>,
    /// Threads that the library started.
    started: Vec<JoinHandle<()>>,
    /// Numbers of threads, which no other thread ever has.
    numbers: Vec<(ThreadId, usize)>,
    now: u64,
}

/// Who sleeps.
struct Sleeper {
    address: usize,
    is_awake: Cell<bool>,
    condition: Condvar,
}

impl Sleeper {
    fn new(word: &AtomicU32) -> Self {
        Self {
            address: word.as_ptr().addr(),
            is_awake: Cell::new(false),
            condition: Condvar::new(),
        }
    }
}

/// Memory in which loom finds every race.
type Tracked<T> = Rc<loom::cell::Cell<T>>;

thread_local! {
    /// The most atomics that an order of the scenario touched.
    static MOST_USED: Cell<Option<usize>> = const { Cell::new(None) };
    static MODE: Cell<Mode> = const { Cell::new(Mode::Single) };
    static AREA: Area = Area::new();
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Address space, given out from the front; all of it goes at once.
struct Area {
    start: usize,
    used: Cell<usize>,
}

impl Area {
    fn new() -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping replaces nothing.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), AREA_BYTES, access, flags, -1, 0) };
        assert!(start != libc::MAP_FAILED, "no address space");
        Self {
            start: start.expose_provenance(),
            used: Cell::new(0),
        }
    }

    fn take(&self, bytes: usize) -> Option<usize> {
        let start = self.used.get();
        let end = start
            .checked_add(bytes)?
            .checked_next_multiple_of(PAGE_BYTES)?;
        (end <= AREA_BYTES).then(|| {
            self.used.set(end);
            self.start + start
        })
    }

    fn holds(&self, address: usize) -> bool {
        address.wrapping_sub(self.start) < AREA_BYTES
    }

    fn clear(&self, start: usize, bytes: usize) {
        let start = std::ptr::with_exposed_provenance_mut(start);
        // SAFETY: nobody needs what is there any more; it reads as zero from now on.
        let done = unsafe { libc::madvise(start, bytes, libc::MADV_DONTNEED) };
        assert_eq!(done, 0, "the kernel takes its memory back");
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        let start = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: mapped in `new`, and the test is over.
        unsafe { libc::munmap(start, AREA_BYTES) };
    }
}

impl World {
    fn new(fault: Fault) -> Self {
        Self {
            fault,
            pool: Vec::new(),
            used: 0,
            atoms: HashMap::new(),
            committed: HashMap::new(),
            contents: HashMap::new(),
            sleepers: VecDeque::new(),
            kernel: Rc::default(),
            singles: HashMap::new(),
            started: Vec::new(),
            numbers: Vec::new(),
            now: 1_000,
        }
    }

    /// Takes the one who has slept longest on a word.
    fn sleeper_of(&mut self, word: &AtomicU32) -> Option<Rc<Sleeper>> {
        let address = word.as_ptr().addr();
        let place = self.sleepers.iter().position(|it| it.address == address)?;
        self.sleepers.remove(place)
    }
}

fn with<T>(work: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(|world| work(world.as_mut().expect("a scenario is on")))
}

/// Runs a scenario in all orders of its threads' steps; how many they were.
///
/// With `most_preemptions` in orders with no more preemptions of a thread that could go on than that.
pub fn check(
    fault: Fault,
    most_preemptions: Option<usize>,
    scenario: impl Fn() + Sync + Send + 'static,
) -> usize {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = most_preemptions;
    builder.max_branches = MOST_STEPS;
    let orders = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&orders);
    let scenario = Arc::new(scenario);
    MOST_USED.set(None);
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        MODE.set(Mode::Single);
        WORLD.set(Some(World::new(fault)));
        AREA.with(|area| area.clear(area.start, area.used.take()));
        let scenario = Arc::clone(&scenario);
        start(move || scenario()).join().expect("no thread panics");
        WORLD.set(None);
    });
    orders.load(Relaxed)
}

/// Starts a thread with more stack than loom's have.
fn start(work: impl FnOnce() + 'static) -> JoinHandle<()> {
    struct Work<T>(T);
    // SAFETY: loom's threads take turns on one thread of the operating system.
    unsafe impl<T> Send for Work<T> {}
    impl<T: FnOnce()> Work<T> {
        fn run(self) {
            self.0();
        }
    }
    let builder = thread::Builder::new().stack_size(STACK_WORDS);
    let work = Work(work);
    builder
        .spawn(move || work.run())
        .expect("there are threads")
}

/// A value in the scenario's memory, which a fork copies.
pub fn place<T>(value: T) -> &'static T {
    const { assert!(align_of::<T>() <= PAGE_BYTES) };
    let bytes = size_of::<T>().max(1);
    let start = AREA.with(|area| area.take(bytes)).expect("there is memory");
    commit(start, bytes);
    let place = std::ptr::with_exposed_provenance_mut::<T>(start);
    // SAFETY: fresh memory, large and aligned enough.
    unsafe { place.write(value) };
    // SAFETY: written above; the memory is there until the scenario is over.
    unsafe { &*place }
}

/// The world's one value of that type, made when the scenario begins or when it is first asked for.
pub fn single<T: 'static>(make: impl FnOnce() -> T) -> &'static T {
    let known = with(|world| world.singles.get(&TypeId::of::<T>()).copied());
    let address = known.unwrap_or_else(|| {
        let mode = MODE.replace(Mode::Single);
        let address = std::ptr::from_ref(place(make())).expose_provenance();
        MODE.set(mode);
        with(|world| world.singles.insert(TypeId::of::<T>(), address));
        address
    });
    // SAFETY: placed above; the memory is there until the scenario is over.
    unsafe { &*std::ptr::with_exposed_provenance::<T>(address) }
}

/// Runs these at the same time, the last one on the calling thread, and waits for all.
pub fn together<const N: usize>(mut threads: [Box<dyn FnOnce()>; N]) {
    // Other orders of a scenario touch about as many.
    let pool = MOST_USED.get().map_or(POOL, |most| most * 2 + 100);
    let pool = (0..pool).map(|_| Rc::new(AtomicU64::new(0))).collect();
    with(|world| world.pool = pool);
    number();
    MODE.set(Mode::Together);
    let mut last: Box<dyn FnOnce()> = Box::new(|| ());
    std::mem::swap(&mut last, threads.last_mut().expect("there is a thread"));
    let others = threads.into_iter().take(N - 1).map(|work| {
        start(move || {
            number();
            work();
        })
    });
    let others: Vec<_> = others.collect();
    last();
    for other in others {
        other.join().expect("no thread panics");
    }
    while let Some(other) = with(|world| world.started.pop()) {
        other.join().expect("no thread panics");
    }
    MODE.set(Mode::Single);
    with(|world| {
        world.atoms.clear();
        MOST_USED.set(MOST_USED.get().max(Some(world.used)));
        assert!(world.sleepers.is_empty(), "nobody sleeps at the end");
    });
}

/// What is a fork's child: it has the scenario's memory as it is at this moment, and only the calling thread.
pub fn fork(child: impl FnOnce()) {
    let (start, used) = AREA.with(|area| (area.start, area.used.get()));
    let memory = std::ptr::with_exposed_provenance_mut::<u8>(start);
    // SAFETY: the area is mapped, and nobody writes to it at this moment.
    let copy = unsafe { std::slice::from_raw_parts(memory, used) }.to_vec();
    MODE.set(Mode::Child);
    child();
    MODE.set(Mode::Together);
    // SAFETY: as above; the parent goes on with what was there before.
    unsafe { memory.copy_from_nonoverlapping(copy.as_ptr(), used) };
}

/// One of loom's atomics, in the place of another.
pub struct Atom {
    atom: Rc<AtomicU64>,
    first: u64,
    fault: Fault,
}

/// What stands for the atomic at `address`, whose value is `now`; `None` where nobody else is there.
#[track_caller]
pub fn atom(address: usize, now: impl FnOnce() -> u64) -> Option<Atom> {
    if AREA.with(|area| area.holds(address)) {
        touch(address);
    }
    if MODE.get() != Mode::Together {
        return None;
    }
    with(|world| {
        let (index, first) = *world.atoms.entry(address).or_insert_with(|| {
            world.used += 1;
            (world.used - 1, now())
        });
        let atom = world
            .pool
            .get(index)
            .expect("the pool of atomics is large enough");
        Some(Atom {
            atom: Rc::clone(atom),
            first,
            fault: world.fault,
        })
    })
}

/// pthread_create(3) of a thread that the library needs.
pub fn start_thread(work: impl FnOnce() + 'static) {
    let thread = start(move || {
        number();
        work();
    });
    with(|world| world.started.push(thread));
}

/// Looks whether there is memory at `address`, and whether the caller can know of it.
fn touch(address: usize) {
    let cell = with(|world| world.committed.get(&(address / PAGE_BYTES)).cloned());
    let cell = cell.expect("nobody uses memory that is not committed");
    if let Some(cell) = cell.filter(|_| MODE.get() == Mode::Together) {
        cell.get();
    }
}

impl Atom {
    /// As of any atomic.
    #[track_caller]
    pub fn load(&self, order: Ordering) -> u64 {
        let order = match self.fault {
            Fault::NoAcquireLoad => Ordering::Relaxed,
            _ => self.weak(order),
        };
        self.atom.load(order).wrapping_add(self.first)
    }

    /// As of any atomic.
    #[track_caller]
    pub fn store(&self, value: u64, order: Ordering) {
        self.atom
            .store(value.wrapping_sub(self.first), self.weak(order));
    }

    /// As of any atomic.
    #[track_caller]
    pub fn swap(&self, value: u64, order: Ordering) -> u64 {
        let before = self
            .atom
            .swap(value.wrapping_sub(self.first), self.weak(order));
        before.wrapping_add(self.first)
    }

    /// As of any atomic.
    #[track_caller]
    pub fn add(&self, value: u64, order: Ordering) -> u64 {
        self.atom
            .fetch_add(value, self.weak(order))
            .wrapping_add(self.first)
    }

    /// As of any atomic.
    #[track_caller]
    pub fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        let (current, new) = (
            current.wrapping_sub(self.first),
            new.wrapping_sub(self.first),
        );
        let value = |value: u64| value.wrapping_add(self.first);
        self.atom
            .compare_exchange(current, new, self.weak(success), self.weak(failure))
            .map(value)
            .map_err(value)
    }

    /// The ordering that is left of one in this world.
    fn weak(&self, order: Ordering) -> Ordering {
        match (self.fault, order) {
            (Fault::NoRelease, Ordering::Release) => Ordering::Relaxed,
            (Fault::NoAcquire, Ordering::Acquire) => Ordering::Relaxed,
            _ => order,
        }
    }
}

/// A fence. Loom tries two steps in both orders only if they touch the same word, and fences touch none; so each of
/// these touches one first.
pub(crate) fn fence(order: Ordering) {
    if let Some(atom) = atom(usize::MAX, || 0) {
        atom.add(1, Ordering::Relaxed);
        loom::sync::atomic::fence(order);
    }
}

/// The number of the calling thread, which no other thread ever has, in whatever order and test.
pub fn number() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    let id = thread::current().id();
    with(|world| {
        let known = world.numbers.iter().find(|(known, _)| *known == id);
        known.map(|(_, number)| *number).unwrap_or_else(|| {
            let number = LAST.fetch_add(1, Relaxed) + 1;
            world.numbers.push((id, number));
            number
        })
    })
}

/// futex(2), FUTEX_WAIT: looks at the word and sleeps in one step, under a lock that wakers take too.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    assert!(
        MODE.get() == Mode::Together,
        "nobody would wake the only thread"
    );
    let (kernel, fault) = with(|world| (Rc::clone(&world.kernel), world.fault));
    let mut lock = kernel.lock().expect("no thread panics");
    if word.load(Ordering::Relaxed) != expected && fault != Fault::BlindSleep {
        return;
    }
    let sleeper = Rc::new(Sleeper::new(word));
    with(|world| world.sleepers.push_back(Rc::clone(&sleeper)));
    while !sleeper.is_awake.get() {
        lock = sleeper.condition.wait(lock).expect("no thread panics");
    }
}

/// futex(2), FUTEX_WAIT with a time, which is over at once.
pub fn futex_wait_for(_word: &AtomicU32, _expected: u32, milliseconds: u64) {
    pass(milliseconds);
}

/// futex(2), FUTEX_WAKE.
pub fn futex_wake(word: &AtomicU32, most: usize) {
    if MODE.get() != Mode::Together || with(|world| world.fault) == Fault::NoWake {
        return;
    }
    let kernel = with(|world| Rc::clone(&world.kernel));
    let _lock = kernel.lock().expect("no thread panics");
    for _ in 0..most {
        let Some(sleeper) = with(|world| world.sleeper_of(word)) else {
            return;
        };
        sleeper.is_awake.set(true);
        sleeper.condition.notify_one();
    }
}

/// The clock, in milliseconds.
pub fn milliseconds() -> u64 {
    with(|world| world.now)
}

/// Lets time pass.
pub fn pass(milliseconds: u64) {
    with(|world| world.now += milliseconds);
}

/// mmap(2) of memory without access.
pub fn reserve(bytes: usize) -> Option<usize> {
    AREA.with(|area| area.take(bytes))
}

/// mprotect(2): memory that may be used from now on, by threads that can know of it.
pub fn commit(start: usize, bytes: usize) {
    let together = MODE.get() == Mode::Together;
    for page in start / PAGE_BYTES..(start + bytes).div_ceil(PAGE_BYTES) {
        let cell = together.then(|| {
            let cell = Rc::new(loom::cell::Cell::new(()));
            // Loom does not count the first value as a write.
            cell.set(());
            cell
        });
        with(|world| _ = world.committed.entry(page).or_insert(cell));
    }
}

/// madvise(2), MADV_DONTNEED: memory that reads as zero from now on.
pub fn forget(start: usize, bytes: usize) {
    AREA.with(|area| area.clear(start, bytes));
    if MODE.get() == Mode::Child {
        return;
    }
    let range = start..start + bytes;
    let lost = |world: &mut World| {
        let cells = world
            .contents
            .iter()
            .filter(|(place, _)| range.contains(place));
        let cells: Vec<_> = cells.map(|(_, cell)| Rc::clone(cell)).collect();
        let mut atoms = world.atoms.keys().filter(|place| range.contains(place));
        assert!(
            atoms.next().is_none(),
            "threads touched an atomic that is forgotten"
        );
        cells
    };
    for cell in with(lost) {
        cell.set(0);
    }
}

/// Has loom watch what is in the page or object at `address`, which is 0.
pub fn watch(address: usize) {
    let cell = Rc::new(loom::cell::Cell::new(0));
    let before = with(|world| world.contents.insert(address, cell));
    assert!(before.is_none(), "nothing is tracked twice");
}

/// Writes to the page or object at `address`.
#[track_caller]
pub fn write(address: usize, value: u32) {
    content(address).set(value);
}

/// Reads what is in the page or object at `address`.
#[track_caller]
pub fn read(address: usize) -> u32 {
    content(address).get()
}

#[track_caller]
fn content(address: usize) -> Tracked<u32> {
    let cell = with(|world| world.contents.get(&address).cloned());
    cell.expect("somebody watches")
}
