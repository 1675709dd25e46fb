//! Where the kernel says what there is to know about the machine's nodes.
#![forbid(unsafe_code)]

use crate::numa::Fact;
use crate::report::Line;
use crate::sys;
use crate::units::NodeId;

/// Reads what is known of a fact.
pub(super) fn read_fact(fact: Fact, buffer: &mut [u8]) -> Option<usize> {
    let text = match fact {
        Fact::Online => sys::read_file(cstr::cstr!("/sys/devices/system/node/online"), buffer),
        Fact::HasMemory => {
            sys::read_file(cstr::cstr!("/sys/devices/system/node/has_memory"), buffer)
        }
        Fact::Status => sys::read_file(cstr::cstr!("/proc/self/status"), buffer),
        Fact::Distance(node) => {
            read_of_node("/sys/devices/system/node/node", node, "/distance\0", buffer)
        }
        Fact::Weight(node) => read_of_node(
            "/sys/kernel/mm/mempolicy/weighted_interleave/node",
            node,
            "\0",
            buffer,
        ),
    };
    text.map(<[u8]>::len)
}

/// Reads the file whose path is `before`, the node's number and `behind`, which ends with a zero.
fn read_of_node<'buffer>(
    before: &str,
    node: NodeId,
    behind: &str,
    buffer: &'buffer mut [u8],
) -> Option<&'buffer [u8]> {
    let mut path = Line::<80>::new();
    path.text(before).number(usize::from(node.0)).text(behind);
    let path = core::ffi::CStr::from_bytes_until_nul(path.as_bytes()).ok()?;
    sys::read_file(path, buffer)
}
