//! The end of a program and what it prints.

use std::io::{BufRead, BufReader, Write};
use std::process::{self, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use parallel::{Parallel, Processes, delayed};

use crate::stage;

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

pub fn a_killed_parent_leaves_nothing() {
    for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::ABORT] {
        let mut program = stage::command("start_workers_and_wait")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap())
            .lines()
            .take(3);
        let pids: Vec<Pid> = lines
            .flat_map(|line| {
                let line = line.unwrap();
                let pids = line
                    .split(' ')
                    .map(|pid| Pid::from_raw(pid.parse().unwrap()).unwrap());
                pids.collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(pids.len(), 6);
        kill_process(Pid::from_child(&program), signal).unwrap();
        program.wait().unwrap();
        for pid in pids {
            assert!(
                stage::wait_for_end(pid),
                "{pid:?} outlives a parent ended by {signal:?}"
            );
        }
    }
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

pub fn a_mark_that_somebody_set_is_refused() {
    let mut command = stage::command("print_in_pieces");
    command.env("PARALLEL_WORKER", "1").stdin(Stdio::null());
    let output = stage::output(
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("unset it"), "{text}");
    assert!(output.stdout.is_empty());
}
