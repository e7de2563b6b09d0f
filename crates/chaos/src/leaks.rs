//! What is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use procfs::process::Process;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::journal;

/// The environment variable by which a run's processes are known, wherever they are.
pub(crate) const RUN: &str = "CHAOS_RUN";

/// Who has been killed has so much time to be gone.
const TO_GO: Duration = Duration::from_secs(10);

/// What this process holds, and what is where it might leave something.
#[derive(Debug)]
pub(crate) struct Held {
    descriptors: BTreeSet<String>,
    mappings: BTreeSet<String>,
    shared_files: BTreeSet<String>,
}

impl Held {
    pub(crate) fn now() -> Self {
        Self {
            descriptors: descriptors(),
            mappings: shared_mappings(),
            shared_files: shared_files(),
        }
    }

    /// What is there now and was not then. All that could hold something has been dropped.
    pub(crate) fn leaks(
        &self,
        run: &str,
        folder: &Path,
    ) -> io::Result<Vec<(&'static str, Vec<String>)>> {
        let elsewhere = processes_of(run)?;
        let (zombies, alive): (Vec<u32>, Vec<u32>) =
            children().into_iter().partition(|pid| is_zombie(*pid));
        let now = Self::now();
        let new = |now: &BTreeSet<String>, then| now.difference(then).cloned().collect();
        Ok(vec![
            (
                "leaked descriptors",
                new(&now.descriptors, &self.descriptors),
            ),
            ("zombies", described(&zombies)),
            ("child processes", described(&alive)),
            ("processes elsewhere", described(&elsewhere)),
            ("leaked shared memory", new(&now.mappings, &self.mappings)),
            (
                "files in /dev/shm",
                new(&now.shared_files, &self.shared_files),
            ),
            (
                "temporary files",
                names(folder).filter(|name| name != journal::NAME).collect(),
            ),
        ])
    }
}

fn names(folder: impl AsRef<Path>) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn descriptors() -> BTreeSet<String> {
    let named = names("/proc/self/fd").filter_map(|number| {
        let target = fs::read_link(PathBuf::from("/proc/self/fd").join(&number)).ok()?;
        Some(format!("{number} is {}", target.display()))
    });
    // The one by which they are listed is gone when it is looked up, or is the listing's own.
    named
        .filter(|text| !(text.contains("/proc/") && text.ends_with("/fd")))
        .collect()
}

/// The lines of `/proc/self/maps` about shared memory without a name in the file system.
fn shared_mappings() -> BTreeSet<String> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let lines = maps.lines().filter(|line| line.contains("/memfd:"));
    lines.map(str::to_owned).collect()
}

/// Other programs have files there too: this library's would be called after it.
fn shared_files() -> BTreeSet<String> {
    names("/dev/shm")
        .filter(|name| name.contains("parallel"))
        .collect()
}

/// The processes that this one has started and not reaped.
pub(crate) fn children() -> BTreeSet<u32> {
    let threads = Process::myself().and_then(|process| process.tasks());
    let threads = threads.into_iter().flatten().flatten();
    threads
        .flat_map(|thread| thread.children().unwrap_or_default())
        .collect()
}

/// The letter of a process's state, and what it is called.
pub(crate) fn status(pid: u32) -> Option<(char, String)> {
    let stat = Process::new(pid.cast_signed()).ok()?.stat().ok()?;
    Some((stat.state, stat.comm))
}

fn is_zombie(pid: u32) -> bool {
    status(pid).is_some_and(|(state, _)| state == 'Z')
}

fn described(pids: &[u32]) -> Vec<String> {
    let described = pids.iter().map(|pid| match status(*pid) {
        Some((state, name)) => format!("{pid} ({name}), state {state}"),
        None => format!("{pid}, gone by now"),
    });
    described.collect()
}

/// The processes of a run but for this one, wherever they hang by now. Who has been killed may be on its
/// way out, and is waited for.
fn processes_of(run: &str) -> io::Result<Vec<u32>> {
    let until = Instant::now() + TO_GO;
    for pid in with_mark(run) {
        let pid = Pid::from_raw(pid as i32).expect("no process has the number 0");
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now()))
            .map_err(io::Error::other)?;
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left))?;
    }
    Ok(with_mark(run))
}

fn with_mark(run: &str) -> Vec<u32> {
    let mark = format!("{RUN}={run}");
    let pids = names("/proc").filter_map(|name| name.parse().ok());
    pids.filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let mut variables = environment.split(|byte| *byte == 0);
            variables.any(|variable| variable == mark.as_bytes())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_descriptor_that_is_kept_is_a_leak() {
        let before = Held::now();
        let kept = File::open("/dev/null").unwrap();
        let new: Vec<String> = descriptors()
            .difference(&before.descriptors)
            .cloned()
            .collect();
        assert!(
            new.iter().any(|text| text.ends_with("/dev/null")),
            "{new:?}"
        );
        drop(kept);
    }
}
