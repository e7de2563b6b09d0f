//! Worker processes: tasks in batches, tasks one at a time, the first call and later ones.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use parallel::{BatchSize, Parallel, Processes, delayed};

use crate::case::{Aim, Case, JOBS, OURS, Round, Unit};
use crate::probe;
use crate::tasks::{each, noop, repeated};

pub(super) fn cases() -> Vec<Case> {
    vec![batched(), one_at_a_time(), cold(), warm_call()]
}

fn batched() -> Case {
    let n = 1_000_000;
    Case::new("processes-noop", "Processes, no-op tasks", Unit::Seconds)
        .about(format!(
            "{n} tasks a call (joblib: 20000; procspawn, which has no batches: 1000, 64 at a time); time for \
             each. `Pool.map` makes batches, and `ProcessPoolExecutor.map` is asked to."
        ))
        .aim(Aim::amount(50e-9))
        .aim(Aim::times(1.0, &["Pool.map", "joblib loky", "procspawn"]))
        .peer(OURS, move |_| {
            let parallel = Parallel::new(JOBS).backend(Processes::new());
            move || each(n, || parallel.run((0..n).map(|i| delayed(noop, i))))
        })
        .peer("procspawn", |_| {
            let pool = pool(JOBS);
            move || each(1000, || spawn_all(&pool, 1000))
        })
        .python("Pool.map", "Pool", &[1e6])
        .python("ProcessPoolExecutor.map", "Futures", &[2e5])
        .python("joblib loky", "Joblib", &[2e4])
        .python("joblib multiprocessing", "JoblibMultiprocessing", &[2e4])
        .python("joblib threading", "JoblibThreading", &[2e3])
}

fn one_at_a_time() -> Case {
    let n = 1000;
    let pipe = "ping-pong over a pipe";
    Case::new("processes-one-by-one", "Processes, one task at a time", Unit::Seconds)
        .about(format!(
            "{n} no-op tasks for one worker; time for each. Ours are one call of `run` with batches of one task. \
             With `submit` the next task is made when the result of the last one is there, and so with the others. \
             The ping-pong is eight bytes to another process and back."
        ))
        .aim(Aim::times(1.0, &[pipe, "procspawn", "loky"]))
        .aim(Aim::times(1.0, &[pipe]).of("parallel, submit"))
        .peer(OURS, move |_| {
            let one = BatchSize::Fixed(1);
            let parallel = Parallel::new(1).batch_size(one).backend(Processes::new());
            move || each(n, || parallel.run((0..n).map(|i| delayed(noop, i))))
        })
        .peer("parallel, submit", move |_| {
            let parallel = Parallel::new(1).backend(Processes::new());
            move || repeated(n, || parallel.submit(delayed(noop, 1)).join())
        })
        .try_peer(pipe, move |_| ping_pong(n))
        .yardstick()
        .peer("procspawn", move |_| {
            let pool = pool(1);
            move || repeated(n, || pool.spawn(1, noop).join())
        })
        .python("loky", "LokyOneByOne", &[n as f64])
        .python("ProcessPoolExecutor", "FuturesOneByOne", &[n as f64])
        .python("Pool.apply", "PoolOneByOne", &[n as f64])
}

fn cold() -> Case {
    Case::new("processes-cold", "Processes, the first call", Unit::Seconds)
        .about("From nothing to the results of two no-op tasks, one for each of two new workers.")
        .aim(Aim::amount(2e-3))
        .aim(Aim::times(1.0, &["procspawn", "joblib loky"]))
        .peer(OURS, |_| {
            || {
                each(1, || {
                    let parallel = Parallel::new(JOBS).backend(Processes::new());
                    let results = parallel.map(noop, 0..JOBS as u64);
                    (results, parallel)
                })
            }
        })
        .peer("procspawn", |_| {
            || {
                each(1, || {
                    let pool = pool(JOBS);
                    (spawn_all(&pool, JOBS as u64), pool)
                })
            }
        })
        .python("joblib loky", "LokyCold", &[])
        .python("Pool.map", "PoolCold", &[])
}

fn warm_call() -> Case {
    let calls = 200;
    Case::new(
        "processes-warm",
        "Processes, a warm call of one task",
        Unit::Seconds,
    )
    .about(format!(
        "{calls} calls of two jobs, one after the other; time for each."
    ))
    .aim(Aim::amount(60e-6))
    .aim(Aim::times(1.0, &["procspawn", "joblib loky"]))
    .peer(OURS, move |_| {
        let parallel = Parallel::new(JOBS).backend(Processes::new());
        move || repeated(calls, || parallel.run([delayed(noop, 1)]))
    })
    .peer("procspawn", move |_| {
        let pool = pool(JOBS);
        move || repeated(calls, || pool.spawn(1, noop).join())
    })
    .python("joblib loky", "JoblibCalls", &[20.0])
    .python("Pool.apply", "PoolOneByOne", &[calls as f64])
}

fn pool(workers: usize) -> procspawn::Pool {
    procspawn::Pool::new(workers).expect("procspawn has its pool")
}

/// A window of tasks on their way: each needs descriptors of its own.
fn spawn_all(pool: &procspawn::Pool, n: u64) -> Vec<u64> {
    const WINDOW: u64 = 64;
    let mut results = Vec::new();
    for start in (0..n).step_by(WINDOW as usize) {
        let window = start..n.min(start + WINDOW);
        let handles: Vec<_> = window.map(|i| pool.spawn(i, noop)).collect();
        let window = handles.into_iter().map(procspawn::JoinHandle::join);
        results.extend(window.map(|result| result.expect("no task fails")));
    }
    results
}

/// What two processes cannot do without, if they talk over pipes and sleep while they wait.
fn ping_pong(n: u64) -> Result<Round, String> {
    let mut child = Pong(
        probe::command("pong", 0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?,
    );
    Ok(Box::new(move || repeated(n, || child.ping())))
}

struct Pong(Child);

impl Pong {
    fn ping(&mut self) {
        let (input, output) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        let (input, output) = input.zip(output).expect("both are piped");
        let mut message = [1; 8];
        input.write_all(&message).expect("the other one is there");
        output.read_exact(&mut message).expect("and answers");
    }
}

impl Drop for Pong {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.0.stdin = None;
        let _ = self.0.wait();
    }
}
