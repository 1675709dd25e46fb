//! What is done with a mapping, for a kernel that refuses.
#![forbid(unsafe_code)]

use super::{HugePages, Mapping, Policy, Properties, memory, policy};

const MIB: usize = 1 << 20;

/// A mapping and everything that is done with one.
pub(super) fn maps() -> bool {
    let Some(mapping) = Mapping::new(MIB, 2 * MIB) else {
        return false;
    };
    mapping.want_huge_pages(HugePages::Never);
    // A kernel without nodes refuses.
    let _ = mapping.place(Policy::Bind { mask: 1, home: 0 });
    let _ = policy::node_of_page(mapping.address());
    let (mapping, is_longer) = match mapping.resize(3 * MIB) {
        Ok(mapping) => (mapping, true),
        Err(mapping) => (mapping, false),
    };
    let (mapping, is_shorter) = match mapping.resize(MIB) {
        Ok(mapping) => (mapping, true),
        Err(mapping) => (mapping, false),
    };
    // A gap after it, so that a page can be added.
    let (mapping, gap) = mapping.split(MIB / 2);
    gap.unmap();
    let _ = memory::keep_from_children(mapping.start(), 0);
    let is_uniform = mapping.properties() == Properties::Uniform;
    let (mapping, is_renewed) = match mapping.renew(HugePages::System) {
        Ok(mapping) => (mapping, true),
        Err(mapping) => (mapping, false),
    };
    mapping.unmap();
    is_longer && is_shorter && is_uniform && is_renewed
}
