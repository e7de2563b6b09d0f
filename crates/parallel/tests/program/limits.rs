//! Programs that look at themselves, or whom the system refuses something.
#![allow(unsafe_code, reason = "one forks")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use procfs::process::Process;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use parallel::{Error, Parallel, Processes, Shared, delayed};

use crate::stage;

fn processes(n_jobs: i32) -> Parallel<Processes> {
    Parallel::new(n_jobs).backend(Processes::new())
}

fn risky(i: u32) -> u32 {
    match i % 10 {
        3 => panic!("a panic"),
        7 => process::abort(),
        _ => i,
    }
}

/// The descriptors, children, threads and shared mappings of this process.
fn belongings() -> (Vec<PathBuf>, String, usize, String) {
    let fds = fs::read_dir("/proc/self/fd").unwrap();
    let fds = fds.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    // The folder that is being read has a descriptor too.
    let mut fds: Vec<_> = fds.filter(|target| !target.starts_with("/proc")).collect();
    fds.sort_unstable();
    let threads: Vec<_> = fs::read_dir("/proc/self/task").unwrap().collect();
    let threads: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.unwrap().path())
        .filter(|thread| !is_ending(thread))
        .collect();
    let children = threads
        .iter()
        .map(|t| fs::read_to_string(t.join("children")).unwrap())
        .collect();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let shared = maps.lines().filter(|line| line.contains("memfd")).collect();
    (fds, children, threads.len(), shared)
}

/// Whether a thread has ended. Who joins one hears of it before the kernel takes it from the list.
fn is_ending(thread: &Path) -> bool {
    /// `PF_EXITING` of the kernel's `sched.h`, which is set before who joins the thread is told.
    const EXITING: u32 = 4;
    let Ok(stat) = fs::read_to_string(thread.join("stat")) else {
        return true;
    };
    // The flags are the ninth field (proc(5)). The second, a name, may have blanks in it.
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let flags: u32 = rest.split(' ').nth(6).unwrap().parse().unwrap();
    flags & EXITING != 0
}

pub fn leave_nothing() {
    let before = belongings();
    for round in 0..5 {
        let parallel = processes(3);
        assert_eq!(parallel.map(|i| i, 0..100).unwrap().len(), 100);
        assert_eq!(
            parallel
                .outcomes((0..30).map(|i| delayed(risky, i)))
                .unwrap()
                .len(),
            30
        );
        assert!(parallel.run((0..30).map(|i| delayed(risky, i))).is_err());
        let array: Shared<[u32]> = (0..100_000).collect();
        let parts = parallel.map(|part: Shared<[u32]>| part, array.slices(1000));
        assert_eq!(parts.unwrap().len(), 100);
        let made = parallel.map(|i| vec![i; 100_000].into(), 0..20u32);
        assert!(
            made.unwrap()
                .iter()
                .all(|a: &Shared<[u32]>| a.len() == 100_000)
        );
        drop(array);
        // After a failure the others' workers may have been killed, which these replace.
        assert_eq!(parallel.map(|i| i, 0..10).unwrap().len(), 10);
        let warm = belongings();
        assert!(!warm.1.is_empty(), "round {round}: workers stay warm");
        // Five for each worker, and two that go from call to call.
        assert_eq!(
            warm.0.len() - before.0.len(),
            warm.1.split_whitespace().count() * 5 + 2
        );
        drop(parallel);
        assert_eq!(belongings(), before, "round {round}");
        let threads = Parallel::new(4);
        threads.map(|i| i, 0..100).unwrap();
        drop(threads);
        assert_eq!(belongings(), before, "round {round}");
    }
    // Nobody else has this folder.
    let temporary = fs::read_dir(std::env::temp_dir()).unwrap().count();
    assert_eq!(temporary, 0, "temporary files");
}

static INITIALIZED: AtomicBool = AtomicBool::new(false);

/// What became of the workers that a static initializer started.
static EARLY: OnceLock<Result<Vec<usize>, String>> = OnceLock::new();

const EARLY_ROLE: &str = "start_early";

extern "C" fn initialize() {
    INITIALIZED.store(true, Ordering::Relaxed);
    if std::env::var(stage::ROLE).is_ok_and(|role| role == EARLY_ROLE) {
        let generation = std::env::var("GENERATION").map_or(0, |text| text.parse().unwrap());
        assert!(generation < 3, "workers without end");
        let early = Parallel::new(1)
            .backend(Processes::new().env("GENERATION", (generation + 1).to_string()))
            .map(|i| i + 1, 0..1);
        let _ = EARLY.set(early.map_err(|error| error.to_string()));
    }
}

#[used]
#[allow(unsafe_code, reason = "this is how C++ has its static objects made")]
// SAFETY: the section holds addresses of functions that are called before `main`.
#[unsafe(link_section = ".init_array")]
static INITIALIZER: extern "C" fn() = initialize;

pub fn initialized() {
    let there = processes(1)
        .map(|_| INITIALIZED.load(Ordering::Relaxed), 0..1)
        .unwrap();
    assert_eq!(there, [true]);
}

pub fn start_early() {
    let early = |_| EARLY.get().unwrap().clone();
    let there = processes(1).map(early, 0..1).unwrap().remove(0);
    let refused = there.expect_err("a worker started workers before it was one");
    assert!(refused.contains("static initializer"), "{refused}");
    // In the program itself it depends on which initializer comes first.
    match early(0) {
        Ok(next) => assert_eq!(next, [1]),
        Err(refused) => assert!(refused.contains("static initializer"), "{refused}"),
    }
}

pub fn removed_executable() {
    let path = std::env::current_exe().unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "something else").unwrap();
    assert_eq!(processes(2).map(|i| i + 1, 0..4).unwrap(), [1, 2, 3, 4]);
}

fn backend_error<R: std::fmt::Debug>(result: Result<R, Error>) -> String {
    match result {
        Err(Error::Backend(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

pub fn locked_executable() {
    let path = std::env::current_exe().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let parallel = processes(2);
    let error = backend_error(parallel.map(|i| i, 0..4));
    assert!(
        error.contains("Permission denied") && error.contains(path.to_str().unwrap()),
        "{error}"
    );
    // It can be made good.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(parallel.map(|i| i, 0..4).unwrap(), [0, 1, 2, 3]);
}

fn with_limit<R>(resource: Resource, limit: u64, f: impl FnOnce() -> R) -> R {
    let before = getrlimit(resource);
    setrlimit(
        resource,
        Rlimit {
            current: Some(limit),
            ..before
        },
    )
    .unwrap();
    let result = f();
    setrlimit(resource, before).unwrap();
    result
}

pub fn no_memory_to_start() {
    let parallel = processes(1);
    // Workers inherit the limit, and have not even room for their code. A call in this process needs
    // little: with one job there is no new thread.
    let error = with_limit(Resource::As, 2 << 20, || {
        backend_error(parallel.map(|i| i, 0..4))
    });
    assert!(error.contains("worker process"), "{error}");
    assert_eq!(parallel.map(|i| i, 0..4).unwrap(), [0, 1, 2, 3]);
}

pub fn forked() {
    let parallel = processes(1);
    let place = |i: u32| (i * i, process::id());
    let [(_, worker)] = parallel.map(place, [5]).unwrap()[..] else {
        panic!()
    };
    // SAFETY: the copy makes a call that fails, lets go of its workers, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let told = parallel
            .map(place, [100])
            .map_err(|error| error.to_string());
        drop(parallel);
        let is_told = told.is_err_and(|error| error.contains("is a fork"));
        // SAFETY: nothing of this copy is to be heard of.
        unsafe { libc::_exit(i32::from(!is_told)) }
    }
    let child = rustix::process::Pid::from_raw(child).unwrap();
    let ended = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty());
    assert_eq!(ended.unwrap().unwrap().1.exit_status(), Some(0));
    // The same worker, with what it was given here.
    assert_eq!(parallel.map(place, [10]).unwrap(), [(100, worker)]);
}

pub fn small_files() {
    let parallel = processes(1);
    with_limit(Resource::Fsize, 1 << 16, || {
        let error = backend_error(parallel.map(|i| i, 0..4));
        assert!(error.contains("ulimit -f"), "{error}");
        // It is copied, in this process and from there on.
        let array = Shared::from(vec![7_u8; 1 << 20]);
        assert_eq!(array.len(), 1 << 20);
        let array: Shared<[u32]> = (0..1 << 20).collect();
        assert_eq!(array[1 << 19], 1 << 19);
    });
    assert_eq!(parallel.map(|i| i, 0..4).unwrap(), [0, 1, 2, 3]);
}

pub fn few_descriptors() {
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let (mut refused, mut served) = (0, 0);
    for more in 0..60 {
        let parallel = processes(4);
        let result = with_limit(Resource::Nofile, open + more, || {
            parallel.map(|i| i, 0..2000)
        });
        match result {
            Ok(results) => {
                assert!(results.into_iter().eq(0..2000));
                served += 1;
            }
            Err(Error::Backend(error)) => {
                assert!(error.to_string().contains("ulimit -n"), "{error}");
                assert_eq!(served, 0, "{more} more were too few, fewer were enough");
                refused += 1;
            }
            Err(error) => panic!("{error:?}"),
        }
        assert!(
            parallel.map(|i| i, 0..50).unwrap().into_iter().eq(0..50),
            "and well afterwards"
        );
    }
    assert!(
        refused > 0 && served > 0,
        "{refused} refused, {served} served"
    );
}

pub fn few_descriptors_for_arrays() {
    let open = fs::read_dir("/proc/self/fd").unwrap().count() as u64;
    let sums = with_limit(Resource::Nofile, open + 100, || {
        let arrays = (0..150u64).map(|i| Shared::from(vec![i; 10_000]));
        let arrays: Vec<Shared<[u64]>> = arrays.collect();
        fs::read_dir("/proc/self/fd").expect("some are left for others");
        let first = |arrays: Vec<Shared<[u64]>>| arrays.iter().map(|array| array[9_999]).sum();
        processes(1).map(first, vec![arrays; 3])
    });
    let sums: Vec<u64> = sums.unwrap();
    assert_eq!(sums, [149 * 75; 3]);
}

pub fn no_threads() {
    // Root may have as many as it likes, so the limit is the address space: no room for a stack.
    let status = Process::myself().unwrap().status().unwrap();
    let kib = status.vmsize.unwrap() + 1024;
    let results = with_limit(Resource::As, kib << 10, || {
        Parallel::new(8).map(|i| i, 0..1000)
    });
    assert!(results.unwrap().into_iter().eq(0..1000));
}
