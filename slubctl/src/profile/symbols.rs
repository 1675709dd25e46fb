//! What the code at the addresses of a profile is called.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use super::files::{self, Files};
use super::location::Location;
use super::object_file::Contents;
use super::perf_map::PerfMap;
use super::{Modules, Profile};

/// Names by return address.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<u64, Vec<Location>>);

impl Names {
    /// Names all that can be named of a profile.
    pub fn of(profile: &Profile, files: &dyn Files) -> Self {
        let frames = profile.stacks.iter().flat_map(|it| &it.frames).copied();
        let addresses: BTreeSet<u64> = frames.collect();
        let (mut by_module, mut others) = (HashMap::<usize, Vec<u64>>::new(), Vec::new());
        for address in addresses {
            match profile.modules.find(call(address)) {
                Some(module) => by_module.entry(module).or_default().push(address),
                None => others.push(address),
            }
        }
        let mut names = Self::default();
        for (module, addresses) in by_module {
            names.add_module(&profile.modules, module, &addresses, files);
        }
        if !others.is_empty()
            && let Some(map) = files.perf_map().map(PerfMap::read)
        {
            for address in others {
                if let Some(name) = map.find(call(address)) {
                    let found = vec![Location::of(name.to_owned())];
                    names.0.insert(address, found);
                }
            }
        }
        names
    }

    fn add_module(
        &mut self,
        modules: &Modules,
        module: usize,
        addresses: &[u64],
        files: &dyn Files,
    ) {
        let module = &modules.all[module];
        let separate = |id: &str| files::debug_file(files, id).and_then(files::contents);
        let mut contents = Contents {
            image: files.image(module).and_then(files::contents),
            debug: module.build_id.as_deref().and_then(separate),
            common: None,
        };
        if let Some(id) = contents.common_id() {
            let id = id.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
            contents.common = separate(&id);
        }
        let within = |it: &u64| module.within(call(*it));
        let places: Vec<u64> = addresses.iter().map(within).collect();
        let mut found = contents.name(&places);
        for (address, place) in addresses.iter().zip(&places) {
            if let Some(lines) = found.remove(place) {
                self.0.insert(*address, lines);
            }
        }
    }

    /// The functions at a return address, the innermost first; none if nothing is known.
    pub fn at(&self, address: u64) -> &[Location] {
        self.0.get(&address).map_or(&[], Vec::as_slice)
    }
}

/// The call that returns to an address lies before it.
pub(super) fn call(address: u64) -> u64 {
    address.saturating_sub(1)
}

/// An address for which there is no name: its module and where in that, or itself.
pub(super) fn unnamed(modules: &Modules, address: u64) -> String {
    match modules.find(call(address)).map(|it| &modules.all[it]) {
        Some(module) => format!("{}+{:#x}", module.short_name(), module.within(address)),
        None => format!("{address:#x}"),
    }
}
