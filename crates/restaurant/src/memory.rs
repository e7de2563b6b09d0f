//! Memory of this process and of its children, as the kernel accounts for it in `/proc`.

use std::fs;
use std::path::Path;

/// The memory of this process in KiB, pages that it shares counted by its share; `None` where the
/// kernel does not tell.
pub(crate) fn of_this_process() -> Option<u64> {
    proportional(Path::new("/proc/self"))
}

/// Worker processes.
pub(crate) struct Workers {
    /// How many there are.
    pub(crate) number: usize,
    /// Their memory in KiB, added up.
    pub(crate) kib: u64,
}

/// The children of this process.
pub(crate) fn of_workers() -> Option<Workers> {
    let mut children = Vec::new();
    // Each thread has the children that it started.
    for thread in fs::read_dir("/proc/self/task").ok()? {
        // One that has ended meanwhile has none any more.
        let list = fs::read_to_string(thread.ok()?.path().join("children")).unwrap_or_default();
        children.extend(list.split_whitespace().map(str::to_owned));
    }
    let memory = children
        .iter()
        .map(|pid| proportional(&Path::new("/proc").join(pid)));
    Some(Workers {
        number: children.len(),
        kib: memory.sum::<Option<u64>>()?,
    })
}

fn proportional(process: &Path) -> Option<u64> {
    let rollup = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    pss.split_whitespace().next()?.parse().ok()
}
