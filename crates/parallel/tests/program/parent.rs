//! The end of a program and what it prints.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{self, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use parallel::{Parallel, Processes, Shared, delayed};

use crate::{screen, stage};

/// A task that starts a process of its own, says who both are, and waits for it, as good as for ever.
fn settle(_: u32) {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    println!("{} {}", process::id(), child.id());
    child.wait().unwrap();
}

pub fn start_workers_and_wait() {
    let parallel = Parallel::new(3).backend(Processes::new());
    parallel.run((0..3).map(|i| delayed(settle, i))).unwrap();
}

/// The same, with an array that all of them have.
pub fn share_an_array_and_wait() {
    let array: Shared<[u64]> = (0..1 << 20).collect();
    let task = |array: Shared<[u64]>| {
        std::hint::black_box(array.iter().sum::<u64>());
        settle(0);
    };
    let parallel = Parallel::new(3).backend(Processes::new());
    parallel.map(task, vec![array; 3]).unwrap();
}

/// Leaves a process behind, and the program without saying good-bye to its workers.
pub fn leave_a_process_and_exit() {
    fn start(_: u32) {
        let child = Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        println!("{} {}", process::id(), child.unwrap().id());
    }
    let parallel = Parallel::new(3).backend(Processes::new());
    parallel.map(start, 0..20).unwrap();
    process::exit(0);
}

pub fn what_tasks_left_behind_goes_with_the_program() {
    let program = stage::command("leave_a_process_and_exit")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = String::from_utf8(stage::output(program).stdout).unwrap();
    let pids: Vec<i32> = printed
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 40);
    for pid in pids {
        let ended = stage::wait_for_end(Pid::from_raw(pid).unwrap());
        assert!(ended, "{pid} outlives the program");
    }
}

/// Workers of workers, which do the same.
pub fn start_nested_workers_and_wait() {
    fn nested(_: u32) {
        Parallel::new(1)
            .backend(Processes::new())
            .run([delayed(settle, 0)])
            .unwrap();
    }
    let parallel = Parallel::new(3).backend(Processes::new());
    parallel.run((0..3).map(|i| delayed(nested, i))).unwrap();
}

/// Whom a signal is for.
enum To {
    Program,
    /// As Ctrl-C does in a terminal.
    ItsGroup,
}

pub fn a_killed_parent_leaves_nothing() {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::ABORT] {
        ends_with_all_its_own("start_workers_and_wait", signal, &To::Program);
    }
}

pub fn arrays_go_with_a_killed_parent() {
    let files = || std::fs::read_dir("/dev/shm").map_or(0, Iterator::count);
    let before = files();
    ends_with_all_its_own("share_an_array_and_wait", Signal::KILL, &To::Program);
    // What is in memory alone goes with those who have it. In a file system nothing ever was.
    assert_eq!(files(), before);
}

pub fn ctrl_c_ends_all_and_prints_nothing() {
    ends_with_all_its_own("start_workers_and_wait", Signal::INT, &To::ItsGroup);
}

pub fn workers_of_workers_die_with_the_outermost_parent() {
    for signal in [Signal::KILL, Signal::INT] {
        ends_with_all_its_own("start_nested_workers_and_wait", signal, &To::Program);
    }
}

/// Plays a role in which three tasks settle, ends the program by a signal, and sees that nothing stays and
/// nothing more is printed.
fn ends_with_all_its_own(role: &str, signal: Signal, to: &To) {
    let mut program = stage::command_in_foreground(role)
        .process_group(0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(program.stdout.take().unwrap());
    let mut pids = Vec::new();
    for _ in 0..3 {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let both = line.split_whitespace().map(|pid| pid.parse().unwrap());
        pids.extend(both.map(|pid| Pid::from_raw(pid).unwrap()));
    }
    assert_eq!(pids.len(), 6);
    let pid = Pid::from_child(&program);
    match to {
        To::Program => kill_process(pid, signal).unwrap(),
        To::ItsGroup => kill_process_group(pid, signal).unwrap(),
    }
    let ended = stage::wait_for_end(pid);
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(ended, "{signal:?} does not end the program");
    for pid in pids {
        assert!(
            stage::wait_for_end(pid),
            "{pid:?} outlives a parent ended by {signal:?}"
        );
    }
    let mut more = String::new();
    stdout.read_to_string(&mut more).unwrap();
    let mut stderr = program.stderr.take().unwrap();
    stderr.read_to_string(&mut more).unwrap();
    assert_eq!(more, "", "stray output after {signal:?}");
}

pub fn print_in_pieces() {
    let parallel = Parallel::new(1).backend(Processes::new());
    for round in 0..3 {
        parallel
            .run([delayed(|i: i32| print!("worker {i} "), round)])
            .unwrap();
        print!("parent {round} ");
        std::io::stdout().flush().unwrap();
    }
}

pub fn what_tasks_print_is_out() {
    let program = stage::command("print_in_pieces")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = String::from_utf8(stage::output(program).stdout).unwrap();
    assert_eq!(
        printed,
        "worker 0 parent 0 worker 1 parent 1 worker 2 parent 2 "
    );
}

pub fn count_cpus() {
    assert_eq!(parallel::cpu_share(), 1);
    assert_eq!(Parallel::new(-1).effective_n_jobs().unwrap(), 1);
    assert_eq!(Parallel::new(3).effective_n_jobs().unwrap(), 3);
    let there = Parallel::new(1)
        .backend(Processes::new())
        .map(|_| parallel::cpu_share(), 0..1);
    assert_eq!(there.unwrap(), [1]);
}

pub fn the_environment_limits_the_cpus() {
    let mut command = stage::command("count_cpus");
    command.env("PARALLEL_MAX_CPUS", "1");
    stage::finish("count_cpus", command);
}

pub fn read_the_terminal() {
    let read = |_| {
        let mut terminal = std::fs::File::open("/dev/tty").unwrap();
        terminal.read(&mut [0]).map_err(|error| error.to_string())
    };
    let there = Parallel::new(1).backend(Processes::new()).map(read, 0..1);
    let refused = there.unwrap().remove(0).unwrap_err();
    assert!(refused.contains("Input/output error"), "{refused}");
}

pub fn a_task_that_reads_from_the_terminal_is_not_stopped() {
    let (_terminal, end) = screen::terminal();
    let mut command = stage::command("read_the_terminal");
    command.stdin(end);
    // SAFETY: what it calls is allowed in a new child.
    #[allow(unsafe_code, reason = "the terminal shall be its own")]
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?;
            Ok(())
        });
    }
    stage::finish("read_the_terminal", command);
}

pub fn start_workers_with_a_mark() {
    let call = || {
        Parallel::new(1)
            .backend(Processes::new())
            .map(|i| i + 1, 0..1)
    };
    let refused = call().unwrap_err().to_string();
    assert!(refused.contains("Unset it"), "{refused}");
    // SAFETY: nothing else runs in this program.
    #[allow(unsafe_code, reason = "what the message says to do")]
    unsafe {
        std::env::remove_var("PARALLEL_WORKER");
    }
    assert_eq!(call().unwrap(), [1]);
}

pub fn a_mark_that_somebody_set_is_refused() {
    let mut command = stage::command("start_workers_with_a_mark");
    command.env("PARALLEL_WORKER", "1").stdin(Stdio::null());
    stage::finish("start_workers_with_a_mark", command);
}
