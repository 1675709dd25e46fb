//! What an access to a guard page was.
#![forbid(unsafe_code)]

use super::super::record::State;
use super::super::report;
use super::Guard;
use crate::report::Line;

impl Guard {
    /// Says whose page a faulting access was to; `false` if it is nobody's here. Waits for no lock: the thread may
    /// hold any.
    #[cold]
    pub(in crate::modes) fn explain(&self, address: usize, did: &str) -> bool {
        if !self.has(address) {
            return false;
        }
        let Some(number) = self.owner(address) else {
            return false;
        };
        let record = self.records.get(number);
        let what = match record.state() {
            State::InUse if address >= record.user_end() => "buffer overflow",
            State::InUse => "buffer underflow",
            _ => "use after free",
        };
        let mut line = Line::<256>::headline();
        line.text(what).text(": ").text(did);
        line.text(" of ").hex(address).text(", ");
        if address >= record.user() {
            line.number(address - record.user()).text(" bytes after");
        } else {
            line.number(record.user() - address).text(" bytes before");
        }
        line.text(" the start of a block of ")
            .number(record.bytes());
        line.text(" bytes in ");
        record.name(&mut line);
        line.text("\n").print();
        report::owners(record);
        true
    }
}
