//! Which program a process runs.

use procfs::process::Process as ProcFs;

/// What tells a program from the next one in the same process, and from a process that has the number later: where its code
/// and its stack are, which the kernel places anew for each program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Program {
    code: u64,
    stack: u64,
}

impl Program {
    /// The program of a thread; none where it has ended.
    pub(super) fn of(thread: i32) -> Option<Self> {
        let stat = ProcFs::new(thread).and_then(|it| it.stat()).ok()?;
        // What is left of it until its parent has noticed.
        (!matches!(stat.state, 'Z' | 'X')).then_some(Self {
            code: stat.startcode,
            stack: stat.startstack,
        })
    }
}
