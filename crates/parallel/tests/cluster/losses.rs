//! What is killed, and what the user sees of it: the same on each engine.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use parallel::{Failure, Parallel};

use super::{Here, address, here};
use crate::home::{Home, gone, good, kill, outcomes, told};
use crate::tools::with_deadline;

/// One test at a time kills what the others have their tasks run by.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The process of the Python that speaks with the cluster.
pub fn bridge_of(cluster: &Here) -> i32 {
    let told = format!("{cluster:?}");
    let (_, pid) = told.split_once("pid: ").unwrap();
    pid.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_killed_worker_costs_its_task() {
    let _alone = alone();
    let outcomes = outcomes(&here(), 4, |home| {
        for _ in 0..4 {
            let caller = home.next();
            if caller.index == 1 {
                kill(caller.worker);
            } else {
                caller.answer();
            }
        }
    });
    for (i, outcome) in outcomes.unwrap().into_iter().enumerate() {
        match outcome {
            Ok(value) => assert!(value == i as u64 && i != 1),
            Err(error) => {
                let failure = error.failure();
                let killed = matches!(
                    failure,
                    Failure::Died {
                        signal: Some(9),
                        ..
                    }
                );
                assert!(killed && error.index() == 1, "{error}");
                assert!(error.host().is_some(), "{error}");
            }
        }
    }
}

#[test]
fn a_killed_slot_costs_nothing() {
    let _alone = alone();
    let all = outcomes(&here(), 3, |home| {
        let first = home.next();
        kill(first.slot);
        first.wait_until_gone();
    });
    good(all, 3);
}

/// Kills the engine's process in which the first of two tasks runs. How many are lost: the other one may run
/// there too. If it does not, it is answered.
fn kill_engine_of_first(home: &Home) -> usize {
    let (first, second) = (home.next(), home.next());
    let engine = first.engine;
    kill(engine);
    first.wait_until_gone();
    if second.engine == engine {
        second.wait_until_gone();
        2
    } else {
        second.answer();
        1
    }
}

#[test]
fn a_killed_process_of_the_engine_costs_nothing() {
    let _alone = alone();
    let all = outcomes(&here(), 3, |home| {
        kill_engine_of_first(home);
    });
    good(all, 3);
}

#[test]
fn with_retries_0_what_is_lost_is_told() {
    let _alone = alone();
    let cluster = here().retries(0);
    let mut killed = 0;
    let all = outcomes(&cluster, 3, |home| {
        killed = kill_engine_of_first(home);
    });
    let lost: Vec<_> = all.unwrap().into_iter().filter_map(Result::err).collect();
    assert_eq!(lost.len(), killed, "{lost:?}");
    assert!(
        matches!(lost[0].failure(), Failure::Lost { .. }),
        "{}",
        lost[0]
    );
    assert!(lost[0].to_string().contains(&address()), "{}", lost[0]);
}

#[test]
fn a_killed_bridge_fails_what_is_pending() {
    let cluster = Here::connect(address()).unwrap();
    let mut callers = Vec::new();
    let all = outcomes(&cluster, 3, |home| {
        callers.extend([home.next(), home.next()]);
        kill(bridge_of(&cluster));
    });
    told(
        all,
        &["its bridge, a Python process, has ended", &address()],
    );
    callers
        .into_iter()
        .for_each(crate::home::Caller::wait_until_gone);
    let again = Parallel::new(1).backend(cluster).map(|i: u64| i, 0..1);
    assert!(again.unwrap_err().to_string().contains("its bridge"));
}

/// Tells the program of the next test where the cluster is.
const PROGRAM: &str = "PARALLEL_TEST_PROGRAM";

/// The program of the next test.
#[test]
#[ignore = "it is a program that another test kills"]
fn program() {
    let cluster = Here::connect(std::env::var(PROGRAM).unwrap()).unwrap();
    println!("process={}", bridge_of(&cluster));
    let all = outcomes(&cluster, 3, |home| {
        println!("home={}", home.path().display());
        let callers = [home.next(), home.next()];
        for caller in &callers {
            println!("process={}", caller.worker);
            println!("process={}", caller.slot);
        }
        println!("waits");
        thread::park();
    });
    drop(all);
}

#[test]
fn a_killed_program_leaves_nothing() {
    with_deadline(|| leave_nothing(&address()));
}

fn leave_nothing(address: &str) {
    // The name of this test, as it is asked for: without that of the executable.
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::program")])
        .args(["--ignored", "--nocapture"])
        .env(PROGRAM, address)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut processes = Vec::new();
    let mut home = None;
    for line in BufReader::new(program.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.split_once('=') {
            Some(("process", pid)) => processes.push(pid.parse().unwrap()),
            Some(("home", path)) => home = Some(std::path::PathBuf::from(path)),
            _ if line == "waits" => break,
            _ => {}
        }
    }
    assert_eq!(processes.len(), 5);
    program.kill().unwrap();
    program.wait().unwrap();
    processes.into_iter().for_each(gone);
    // That it could not remove itself.
    std::fs::remove_dir_all(home.unwrap().parent().unwrap()).unwrap();
}
