//! What streams cost a program that has nothing else to do.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use parallel::{Parallel, Processes, delayed};
use procfs::process::Process;

fn square(i: u64) -> u64 {
    i.wrapping_mul(i)
}

/// The time on a processor of this process and of its children that have ended.
fn cpu_time() -> Duration {
    let stat = Process::myself().unwrap().stat().unwrap();
    let of_children = (stat.cutime + stat.cstime).cast_unsigned();
    let ticks = stat.utime + stat.stime + of_children;
    Duration::from_secs(ticks) / u32::try_from(procfs::ticks_per_second()).unwrap()
}

/// A consumer who takes nothing, and an input that gives nothing, on both backends.
pub fn wait_in_streams() {
    let (threads, processes) = (Parallel::new(3), Parallel::new(3).backend(Processes::new()));
    let (ask, asked) = channel::<u64>();
    let (ask_too, asked_too) = channel::<u64>();
    let waiting = [
        threads.iter(asked.into_iter().map(|i| delayed(square, i))),
        processes.iter(asked_too.into_iter().map(|i| delayed(square, i))),
    ];
    let endless = || (0..).map(|i| delayed(square, i));
    let mut not_taken = [threads.iter(endless()), processes.iter(endless())];
    for stream in &mut not_taken {
        assert!(stream.next().unwrap().is_ok());
    }
    // Until all have gone to sleep, however busy the machine is.
    let mut before = cpu_time();
    for _ in 0..50 {
        let start = Instant::now();
        std::thread::sleep(Duration::from_millis(200));
        let now = cpu_time();
        // One who looks all the time, or every millisecond, takes more than a tenth of it.
        if now - before <= start.elapsed() / 10 {
            drop((ask, ask_too, waiting));
            return;
        }
        before = now;
    }
    panic!("streams that wait do not come to rest");
}

fn resident_kib() -> u64 {
    let status = Process::myself().unwrap().status().unwrap();
    status.vmrss.unwrap()
}

/// Half a million results of a kilobyte would be half a gigabyte.
pub fn stream_long() {
    fn kilobyte(i: u64) -> Vec<u8> {
        vec![i as u8; 1024]
    }
    let (threads, processes) = (Parallel::new(2), Parallel::new(2).backend(Processes::new()));
    let tasks = || (0..500_000).map(|i| delayed(kilobyte, i));
    for mut stream in [threads.iter(tasks()), processes.iter(tasks())] {
        stream.by_ref().take(10_000).for_each(drop);
        let before = resident_kib();
        let mut most = before;
        for (i, outcome) in stream.enumerate() {
            assert_eq!(outcome.unwrap().len(), 1024);
            if i % 10_000 == 0 {
                most = most.max(resident_kib());
            }
        }
        assert!(most < before + (64 << 10), "{before} KiB grew to {most}");
    }
}
