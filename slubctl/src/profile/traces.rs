//! Stacks as people read them: a function for each call, also for those that were inlined.

use super::location::Location;
use super::symbols::{Names, unnamed};
use super::{Amount, Label, Profile, Stack, Values};

/// What functions of allocators and of containers begin with: the code that calls them is what a reader looks for.
const CONTAINERS: [&str; 12] = [
    "std::",
    "core::",
    "alloc::",
    "<std::",
    "<core::",
    "<alloc::",
    "__gnu_cxx::",
    "operator new",
    "slubmalloc",
    "<slubmalloc",
    "slub_",
    "__rust",
];
/// Functions of the C library that allocate for their caller.
const ALLOCATORS: [&str; 16] = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "aligned_alloc",
    "posix_memalign",
    "memalign",
    "valloc",
    "pvalloc",
    "strdup",
    "__strdup",
    "strndup",
    "__strndup",
    "__rg_alloc",
    "__rdl_alloc",
    "[unknown]",
];

/// A stack with names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Functions, the innermost first; at least one.
    pub frames: Vec<Location>,
    /// The cache or pool that the memory is of.
    pub label: Option<Label>,
    /// What is in use.
    pub live: Amount,
    /// All that was ever allocated.
    pub all: Amount,
    /// What was in use when that was most.
    pub peak: Amount,
}

impl Trace {
    /// One of its amounts.
    pub fn amount(&self, values: Values) -> Amount {
        match values {
            Values::Live => self.live,
            Values::All => self.all,
            Values::Peak => self.peak,
        }
    }

    /// The call that is the program's own: the first that is no allocator's or container's.
    pub fn site(&self) -> &Location {
        let is_own = |it: &&Location| !is_passed_over(&it.function);
        let own = self.frames.iter().find(is_own);
        own.or(self.frames.first()).expect("at least one")
    }

    /// Function, place and label of the site, on one line.
    pub fn title(&self) -> String {
        let site = self.site();
        let mut title = site.function.clone();
        if !site.file.is_empty() {
            title += &format!(" at {}", site.place());
        }
        if let Some(label) = &self.label {
            title += &format!(" [{label}]");
        }
        title
    }

    /// All its functions, a line for each.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.frames.iter().map(|it| match it.file.as_str() {
            "" => it.function.clone(),
            _ => format!("{} at {}", it.function, it.place()),
        })
    }
}

fn is_passed_over(function: &str) -> bool {
    ALLOCATORS.contains(&function) || CONTAINERS.iter().any(|it| function.starts_with(it))
}

/// The stacks of a profile with names, in its order.
pub fn traces(profile: &Profile, names: &Names) -> Vec<Trace> {
    let trace = |stack: &Stack| Trace {
        frames: frames(profile, names, stack),
        label: stack.label.clone(),
        live: stack.live,
        all: stack.all,
        peak: stack.peak,
    };
    profile.stacks.iter().map(trace).collect()
}

/// The return addresses of a stack from the program's first own on: those in the library tell nothing.
pub(super) fn own_frames<'s>(profile: &Profile, stack: &'s Stack) -> &'s [u64] {
    let is_library = |address: &&u64| {
        let module = profile.modules.find(super::symbols::call(**address));
        module.is_some_and(|it| profile.modules.all[it].is_library)
    };
    let inside = stack.frames.iter().take_while(is_library).count();
    stack.frames.get(inside..).unwrap_or_default()
}

fn frames(profile: &Profile, names: &Names, stack: &Stack) -> Vec<Location> {
    let mut found = Vec::new();
    for address in own_frames(profile, stack) {
        match names.at(*address) {
            [] => found.push(Location::of(unnamed(&profile.modules, *address))),
            lines => found.extend_from_slice(lines),
        }
    }
    if found.is_empty() {
        found.push(Location::of("[unknown]".to_owned()));
    }
    found
}
