//! A worker that speaks nonsense costs the task that it was at, and nothing else.
//!
//! A task that has gone mad is played by one that finds the memory which its process shares with the
//! parent and overwrites it, through files of `/proc`. The layout is that of `memory.rs`: were it another
//! one, the task would do no harm, and the tests would fail.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use parallel::{BatchSize, Failure, Parallel, Processes, delayed};

use super::deaths::{Folder, note};
use crate::tools::{seed, with_deadline};

const TASKS: u32 = 40;
/// The task that goes mad.
const CULPRIT: u32 = 20;

const CLAIMS: u64 = 768;
const TAIL: u64 = 256;
const HEAD: u64 = 384;
const CAPACITY: u64 = 1 << 18;
const BYTES: u64 = 4096 + CAPACITY;

const DONE: u8 = 17;
const BEGUN: u8 = 19;
const UNFIT: u8 = 20;
const OF_ANOTHER_VERSION: u8 = 21;
const TOLD: u8 = 22;

/// The memory that this worker shares with its parent.
struct Shared {
    memory: File,
    start: u64,
}

impl Shared {
    fn find() -> Self {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let mut found = maps.lines().filter(|l| l.contains("memfd:parallel-worker"));
        let (start, _) = found.next().unwrap().split_once('-').unwrap();
        assert!(found.next().is_none(), "a worker has one");
        let mut options = File::options();
        let memory = options.read(true).write(true).open("/proc/self/mem");
        Self {
            memory: memory.unwrap(),
            start: u64::from_str_radix(start, 16).unwrap(),
        }
    }

    fn get(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        self.memory
            .read_exact_at(&mut bytes, self.start + at)
            .unwrap();
        u64::from_le_bytes(bytes)
    }

    fn set(&self, at: u64, number: u64) {
        self.put(at, &number.to_le_bytes());
    }

    fn put(&self, at: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, self.start + at).unwrap();
    }

    /// Of the tasks that are sent now: what a frame must name to be listened to.
    fn generation(&self) -> u16 {
        (self.get(CLAIMS) >> 48) as u16
    }

    /// Appends to what the parent is to read. In so short a call the ring is never full.
    fn say(&self, bytes: &[u8]) {
        let tail = self.get(TAIL);
        self.put(BYTES + tail, bytes);
        self.set(TAIL, tail + bytes.len() as u64);
    }

    fn frame(&self, kind: u8, length: u64, word: u64, payload: &[u8]) -> Vec<u8> {
        let first = u64::from(kind) | u64::from(self.generation()) << 8 | length << 24;
        [&first.to_le_bytes(), &word.to_le_bytes(), payload].concat()
    }

    /// The answer that was given last, which has a payload of one byte.
    fn last_answer(&self) -> [u8; 17] {
        let mut frame = [0; 17];
        let at = self.start + BYTES + self.get(TAIL) - 17;
        self.memory.read_exact_at(&mut frame, at).unwrap();
        assert_eq!(frame[0], DONE);
        frame
    }

    /// The word by which the next answer says which one it is.
    fn next_number(&self) -> u64 {
        let answer = self.last_answer();
        u64::from(u16::from_le_bytes([answer[8], answer[9]]) + 1)
    }

    /// Waits until the parent has read what was said so far.
    fn until_heard(&self) {
        while self.get(HEAD) != self.get(TAIL) {
            ring_bells();
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Wakes the parent: writes to each pipe that this process writes to and that no other program has: what
/// started the tests may have left some open too.
fn ring_bells() {
    for fd in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let number: u32 = fd.file_name().to_str().unwrap().parse().unwrap();
        let Ok(target) = fs::read_link(fd.path()) else {
            continue;
        };
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        let own = flags.is_some_and(|flags| flags & 0o2_000_003 == 0o2_000_001);
        if number > 2 && own && target.to_string_lossy().starts_with("pipe:") {
            let mut bell = File::options().write(true).open(fd.path()).unwrap();
            bell.write_all(&[1]).unwrap();
        }
    }
}

/// What the mad task does, by number.
fn go_mad(nonsense: u32, seed: u64) {
    let shared = Shared::find();
    let tail = shared.get(TAIL);
    match nonsense {
        // Truncated.
        0 => shared.say(&shared.frame(DONE, 5, shared.next_number(), b"pi")),
        1 => shared.say(&shared.frame(DONE, 1, 0, b"")[..7]),
        // Oversized.
        2 => shared.say(&shared.frame(DONE, (1 << 40) - 1, shared.next_number(), b"pizza")),
        // Random.
        3 => {
            let mut state = seed | 1;
            let bytes = (0..500).map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state as u8
            });
            shared.say(&bytes.collect::<Vec<u8>>());
        }
        // Replayed.
        4 => shared.say(&shared.last_answer()),
        // From another call.
        5 => {
            let mut frame = shared.frame(DONE, 1, shared.next_number(), b"x");
            frame[1] ^= 1;
            shared.say(&frame);
        }
        // From another version.
        6 => shared.say(&shared.frame(OF_ANOTHER_VERSION, 3, 0, b"new")),
        // A task.
        7 => shared.say(&shared.frame(1, 1, shared.next_number(), b"x")),
        // Of an initializer that there is not.
        8 => shared.say(&shared.frame(UNFIT, 5, 0, b"\0\x01x\0\0")),
        9 => shared.say(&shared.frame(BEGUN, 0, 0, b"")),
        // Positions that make no sense.
        10 => shared.set(TAIL, tail + CAPACITY + 1),
        11 => shared.set(TAIL, tail - 1),
        12 => shared.set(TAIL, u64::MAX),
        // What nobody asked for, as it should be; and what was asked for, as it should not be.
        13 => shared.say(&shared.frame(TOLD, 2, 0, b"\0\0")),
        TOLD_WRONG => shared.say(&shared.frame(TOLD, 5, 0, b"pizza")),
        _ => unreachable!(),
    }
    ring_bells();
}

/// What is nonsense whatever would come next.
const AT_ONCE: [u32; 11] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, TOLD_WRONG];
/// Where it is asked what tasks tell.
const TOLD_WRONG: u32 = 14;
/// What is known as nonsense by what comes next.
const IN_THE_END: [u32; 4] = [0, 1, 2, 3];

/// What the mad task does next.
#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
enum Then {
    /// It waits for its end.
    Stay,
    Leave,
    /// It lets the worker go on, once the parent has read the nonsense.
    Return,
}

fn task((index, nonsense, seed, then): (u32, u32, u64, Then)) -> u32 {
    if index == CULPRIT {
        // What was done before is safe.
        Shared::find().until_heard();
        go_mad(nonsense, seed);
        match then {
            Then::Stay => loop {
                std::thread::park();
            },
            Then::Leave => process::exit(0),
            Then::Return => Shared::find().until_heard(),
        }
    }
    index + 1
}

fn check(nonsense: u32, then: Then) {
    let seed = seed();
    for batch_size in [BatchSize::Auto, 1.into(), 16.into()] {
        let parallel = Parallel::new(1).batch_size(batch_size);
        let backend = match nonsense {
            TOLD_WRONG => Processes::new().tracing(tracing::Level::INFO),
            _ => Processes::new(),
        };
        let parallel = parallel.backend(backend);
        // The next call has another generation.
        assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
        let tasks = (0..TASKS).map(|i| delayed(task, (i, nonsense, seed, then)));
        let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
        for (index, outcome) in (0..TASKS).zip(&outcomes) {
            match outcome {
                Ok(value) => assert_eq!(*value, index + 1, "nonsense {nonsense}"),
                Err(error) => assert!(
                    index == CULPRIT && matches!(error.failure(), Failure::Died { .. }),
                    "nonsense {nonsense}: {error}"
                ),
            }
        }
        let culprit = &outcomes[CULPRIT as usize];
        assert!(culprit.is_err(), "nonsense {nonsense} was believed");
        assert_eq!(parallel.map(|i| i, 0..3).unwrap(), [0, 1, 2]);
    }
}

#[test]
fn a_worker_that_speaks_nonsense_costs_its_task() {
    for nonsense in AT_ONCE {
        check(nonsense, Then::Stay);
    }
}

#[test]
fn nonsense_as_last_words_costs_the_task_that_spoke() {
    for nonsense in AT_ONCE.into_iter().chain(IN_THE_END) {
        check(nonsense, Then::Leave);
    }
}

#[test]
fn what_comes_after_half_a_frame_is_not_its_other_half() {
    for nonsense in [0, 1, 2] {
        check(nonsense, Then::Return);
    }
}

/// Answers that were not read before the ring was spoilt are lost; but their tasks have run.
#[test]
fn nothing_runs_twice_whose_answer_is_lost() {
    let folder = Folder::new("lost");
    let log = folder.0.join("log");
    let task = |(index, log): (u32, PathBuf)| {
        note(&log, &format!("{index}\n"));
        if index == CULPRIT {
            let shared = Shared::find();
            if shared.get(HEAD) != shared.get(TAIL) {
                note(&log.with_extension("unread"), "x");
            }
            shared.set(TAIL, u64::MAX);
            ring_bells();
            loop {
                std::thread::park();
            }
        }
        index
    };
    // The parent is woken for some of a batch only, and there is one batch. It may be awake all the same.
    for _ in 0..50 {
        let _ = fs::remove_file(&log);
        let parallel = Parallel::new(1).batch_size(TASKS as usize);
        let parallel = parallel.backend(Processes::new());
        let tasks = (0..TASKS).map(|i| delayed(task, (i, log.clone())));
        let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
        for (index, outcome) in (0..TASKS).zip(outcomes) {
            match outcome {
                Ok(value) => assert!(value == index && index != CULPRIT),
                Err(error) => assert!(
                    index <= CULPRIT && matches!(error.failure(), Failure::Died { .. }),
                    "{error}"
                ),
            }
        }
        let ran = fs::read_to_string(&log).unwrap();
        let ran = ran.lines().map(|line| line.parse::<u32>().unwrap());
        assert!(ran.eq(0..TASKS), "each task ran once");
        if log.with_extension("unread").exists() {
            return;
        }
    }
    panic!("the parent had read all, each time");
}
