//! What a running process is asked for and has not answered, and whether it has a purge thread that would.

use procfs::process::Process as ProcFs;

use super::Target;
use crate::directory::Directory;
use crate::image;
use crate::memory::Process;
use crate::snapshot::Snapshot;

/// What the library calls that thread.
const PURGE_THREAD: &str = "slub-purge";

/// Adds both to a snapshot of the process, as far as they can be known.
pub(super) fn add(process: &Process, snapshot: &mut Snapshot) {
    let mut has_thread = None;
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
            // One that never began has no word to sleep on, and then no thread is looked at.
            heap.settings.has_purge_thread = match target.purge_thread_word() {
                Ok(0) => Some(false),
                Ok(_) => *has_thread.get_or_insert_with(|| has_thread_named(process, PURGE_THREAD)),
                Err(_) => None,
            };
        }
    }
}

/// Whether a thread has that name; `None` where nobody may know.
fn has_thread_named(process: &Process, name: &str) -> Option<bool> {
    let tasks = ProcFs::new(process.pid).and_then(|it| it.tasks()).ok()?;
    let is_it = |it: procfs::process::Task| it.stat().is_ok_and(|it| it.comm == name);
    Some(tasks.flatten().any(is_it))
}
