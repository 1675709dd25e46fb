//! What a running process is asked for and has not answered, and whether it has a purge thread that would.

use procfs::process::Process as ProcFs;

use super::Target;
use crate::directory::Directory;
use crate::image;
use crate::memory::Process;
use crate::snapshot::Snapshot;

/// What the library calls its threads.
const PURGE_THREAD: &str = "slub-purge";

/// Adds both to a snapshot of the process, as far as they can be known.
pub(super) fn add(process: &Process, snapshot: &mut Snapshot) {
    let threads = threads_named(process, PURGE_THREAD);
    for image in image::find(process).unwrap_or_default() {
        let Ok(directory) = Directory::read(process, image.directory) else {
            continue;
        };
        let target = Target {
            memory: process,
            directory,
        };
        let mut heaps = snapshot.heaps.iter_mut();
        let heap = heaps.find(|it| it.is_made && it.directory == image.directory);
        if let Some(heap) = heap {
            heap.pending = target.pending(process).ok().flatten().map(|it| it.0);
            let word = target.purge_thread_word().unwrap_or_default();
            heap.settings.has_purge_thread = threads.map(|count| count > 0 && word != 0);
        }
    }
}

/// How many threads have a name; `None` where nobody may know.
fn threads_named(process: &Process, name: &str) -> Option<usize> {
    let tasks = ProcFs::new(process.pid).and_then(|it| it.tasks()).ok()?;
    let is_named = |it: &procfs::process::Task| it.stat().is_ok_and(|it| it.comm == name);
    Some(tasks.flatten().filter(is_named).count())
}
