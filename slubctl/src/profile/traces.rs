//! Stacks as people read them: a function for each call, also for those that were inlined.

use super::location::Location;
use super::symbols::{Names, unnamed};
use super::{Amount, Label, Profile, Stack, Values};

/// What functions of standard libraries begin with: the code that calls them is what a reader looks for.
const CONTAINERS: [&str; 8] = [
    "std::",
    "core::",
    "alloc::",
    "<std::",
    "<core::",
    "<alloc::",
    "__gnu_cxx::",
    "operator new",
];
/// And where their source is: inlined functions may have short names.
const SOURCES: [&str; 3] = ["/rustc/", "/usr/include/c++/", "/rustlib/src/rust/library/"];
/// What functions of this library begin with.
const OWN: [&str; 3] = ["slubmalloc::", "<slubmalloc::", "slub_"];
/// Functions of the C library that allocate for their caller.
const ALLOCATORS: [&str; 18] = [
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
    "__GI___strdup",
    "strndup",
    "__strndup",
    "__rust_alloc",
    "__rust_alloc_zeroed",
    "__rust_realloc",
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
        // What an allocator calls is its own, whatever its name.
        let is_allocator = |it: &Location| ALLOCATORS.contains(&plain(&it.function));
        let inside = self.frames.iter().position(is_allocator);
        let callers = inside.map_or(0, |it| it + 1);
        let callers = self.frames.get(callers..).unwrap_or_default();
        let own = callers.iter().find(|it| !is_passed_over(it));
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

fn is_passed_over(location: &Location) -> bool {
    let function = plain(&location.function);
    let begins = |it: &&str| function.starts_with(*it);
    ALLOCATORS.contains(&function)
        || CONTAINERS.iter().chain(&OWN).any(begins)
        || SOURCES.iter().any(|it| location.file.contains(*it))
}

/// A symbol of the compiler's own without the crate it is in, as `__rustc::__rust_alloc`.
fn plain(function: &str) -> &str {
    function.strip_prefix("__rustc::").unwrap_or(function)
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
pub(super) fn own_frames<'s>(profile: &Profile, names: &Names, stack: &'s Stack) -> &'s [u64] {
    let is_library = |address: &&u64| {
        let module = profile.modules.find(super::symbols::call(**address));
        let is_module = module.is_some_and(|it| profile.modules.all[it].is_library);
        // It may be a part of the program.
        let function = names.at(**address).last().map(|it| it.function.as_str());
        is_module || function.is_some_and(|name| OWN.iter().any(|own| name.starts_with(own)))
    };
    let inside = stack.frames.iter().take_while(is_library).count();
    stack.frames.get(inside..).unwrap_or_default()
}

fn frames(profile: &Profile, names: &Names, stack: &Stack) -> Vec<Location> {
    let mut found = Vec::new();
    for address in own_frames(profile, names, stack) {
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
