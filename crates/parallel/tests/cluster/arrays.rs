//! `Shared` arrays: sent once, in memory once on each node, and gone with their last clone here.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use parallel::{Parallel, Shared, delayed};

use super::{Here, address, here};
use crate::home::{Home, call_home, kill, parent};
use crate::tools::{until, with_deadline};

const BYTES: usize = 32 << 20;

fn array() -> Shared<[u8]> {
    // Nothing that can be compressed on its way.
    let mut x = 1u64;
    let random = std::iter::repeat_with(move || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (x >> 56) as u8
    });
    random.take(BYTES).collect()
}

/// Whose memory an array is in, as the kernel calls it: device and inode.
fn memory(array: &Shared<[u8]>) -> String {
    let at = array.as_ptr().addr();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let contains = |line: &&str| {
        let (from, to) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let [from, to] = [from, to].map(|it| usize::from_str_radix(it, 16).unwrap());
        (from..to).contains(&at)
    };
    let line = maps.lines().find(contains).unwrap();
    let [device, inode] = [3, 4].map(|at| line.split_whitespace().nth(at).unwrap());
    format!("{device} {inode}")
}

/// Where a task has this array: in which memory, and all processes that may have it because of that.
fn place(array: &Shared<[u8]>) -> (String, [i32; 3]) {
    let worker = i32::try_from(std::process::id()).unwrap();
    let slot = parent(worker).unwrap();
    (memory(array), [worker, slot, parent(slot).unwrap()])
}

/// Whether a process has this memory mapped, or open.
fn uses(pid: i32, memory: &str) -> bool {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let inode: u64 = memory.split_once(' ').unwrap().1.parse().unwrap();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let mut open = open.into_iter().flatten().flatten();
    let is_it = |entry: std::fs::DirEntry| {
        let shared = std::fs::read_link(entry.path());
        shared.is_ok_and(|it| it.to_string_lossy().contains("parallel-shared"))
            && std::fs::metadata(entry.path()).is_ok_and(|it| it.ino() == inode)
    };
    maps.contains(memory) || open.any(is_it)
}

/// What went over the network of this machine, which is its loopback device's.
fn sent_bytes() -> u64 {
    let devices = std::fs::read_to_string("/proc/self/net/dev").unwrap();
    let lo = devices
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"))
        .unwrap();
    lo.split_whitespace().nth(8).unwrap().parse().unwrap()
}

#[test]
fn it_is_sent_once_and_lies_once_on_a_node() {
    const TASKS: usize = 2000;
    let array = array();
    let parallel = Parallel::new(-1).backend(here()).batch_size(10);
    let before = sent_bytes();
    let places = with_deadline(|| {
        let parts = (0..TASKS).map(|i| array.slice(i..));
        parallel.map(
            |part: Shared<[u8]>| (std::process::id(), memory(&part)),
            parts,
        )
    });
    let sent = sent_bytes() - before;
    let places: BTreeSet<_> = places.unwrap().into_iter().collect();
    assert!(places.len() > 1, "one worker process did all");
    let memories: BTreeSet<_> = places.into_iter().map(|(_, memory)| memory).collect();
    // Both nodes are on this machine. Who has it for all is a process that another test may kill.
    assert!(memories.len() <= 3, "{memories:?}");
    // Other tests send something meanwhile.
    assert!(sent >= BYTES as u64, "{sent}");
    assert!(sent < (BYTES * TASKS / 4) as u64, "{sent}");
}

#[test]
fn it_goes_with_its_last_clone() {
    // Of its own, so that nobody else's batches tell its slots anything.
    let cluster = Here::connect(address()).unwrap();
    let parallel = Parallel::new(2).backend(cluster).batch_size(1);
    with_deadline(|| {
        let array = array();
        let tasks = vec![array.clone(); 20];
        let places = parallel.map(|array| place(&array), tasks).unwrap();
        let somebody = || {
            let mut all = places.iter();
            all.any(|(memory, pids)| pids.iter().any(|pid| uses(*pid, memory)))
        };
        assert!(somebody());
        drop(array);
        until(|| !somebody());
    });
}

#[test]
fn who_has_it_may_be_killed() {
    fn call_with((home, index, array): (PathBuf, u64, Shared<[u8]>)) -> (u64, usize) {
        (call_home((home, index)), array.len())
    }
    let _alone = super::losses::alone();
    let parallel = Parallel::new(2).backend(here()).batch_size(1);
    for other in [false, true] {
        let home = Home::new();
        let array = array();
        let path = home.path();
        let tasks = (0..6).map(move |i| delayed(call_with, (path.clone(), i, array.clone())));
        let tasks: Vec<_> = tasks.collect();
        let lengths = home.during(
            || parallel.run(tasks),
            |home| {
                // Dask keeps the array with one of them.
                let (mut lost, mut kept) = (home.next(), home.next());
                if other {
                    std::mem::swap(&mut lost, &mut kept);
                }
                let lost_engine = lost.engine;
                kill(lost_engine);
                lost.wait_until_gone();
                if kept.engine == lost_engine {
                    kept.wait_until_gone();
                } else {
                    kept.answer();
                }
            },
        );
        let all: Vec<_> = (0..6).map(|i| (i, BYTES)).collect();
        assert_eq!(lengths.unwrap(), all);
    }
}
