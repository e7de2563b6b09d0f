//! Programs of their own for what a process can only tell of itself: how much memory it ever had, how many
//! instructions it takes, how it answers over a pipe. They are this program, asked otherwise.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use orx_parallel::{IterIntoParIter, Par};
use parallel::{Parallel, Processes, Shared, delayed};
use pariter::IteratorExt;
use rayon::prelude::*;

use crate::case::{JOBS, Round};
use crate::tasks::noop;

/// Answers what `name` asks for, with `n` as its size.
pub(crate) fn answer(name: &str, n: u64) -> Result<f64, String> {
    let tasks = move || (0..n).map(|i| delayed(noop, i));
    match name {
        "pong" => pong()?,
        "stream-parallel" => {
            Parallel::new(JOBS).iter(tasks()).for_each(drop);
            return peak_memory();
        }
        "stream-pariter" => {
            let results = (0..n).parallel_map_custom(|o| o.threads(JOBS), noop);
            results.for_each(drop);
            return peak_memory();
        }
        "run-parallel" => {
            drop(Parallel::new(JOBS).run(tasks()));
            return peak_memory();
        }
        "run-processes" => {
            drop(Parallel::new(JOBS).backend(Processes::new()).run(tasks()));
            return peak_memory();
        }
        "idle-processes" => {
            let parallel = Parallel::new(JOBS).backend(Processes::new());
            drop(parallel.run(tasks()));
            return children_memory();
        }
        "idle-procspawn" => {
            let pool = procspawn::Pool::new(JOBS).map_err(|error| error.to_string())?;
            let handles: Vec<_> = (0..JOBS as u64).map(|i| pool.spawn(i, noop)).collect();
            for handle in handles {
                handle.join().map_err(|error| error.to_string())?;
            }
            return children_memory();
        }
        "shared-memory" => return shared_memory(n),
        _ => count(name, n)?,
    }
    Ok(0.0)
}

/// Does what its instructions are counted of.
fn count(name: &str, n: u64) -> Result<(), String> {
    let tasks = (0..n).map(|i| delayed(noop, i));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(JOBS);
    match name {
        "count-run" => drop(Parallel::new(JOBS).run(tasks)),
        "count-iter" => Parallel::new(JOBS).iter(tasks).for_each(drop),
        "count-orx" => {
            let tasks = (0..n).iter_into_par().num_threads(JOBS);
            drop(tasks.map(noop).collect::<Vec<_>>());
        }
        "count-par_iter" => {
            pool.build_global().map_err(|error| error.to_string())?;
            drop((0..n).into_par_iter().map(noop).collect::<Vec<_>>());
        }
        "count-par_bridge" => {
            pool.build_global().map_err(|error| error.to_string())?;
            drop((0..n).par_bridge().map(noop).collect::<Vec<_>>());
        }
        "count-loop" => drop((0..n).map(noop).collect::<Vec<_>>()),
        _ => return Err(format!("there is no probe {name}")),
    }
    Ok(())
}

/// A round in which a new process answers.
pub(crate) fn round(name: &'static str, n: u64) -> Round {
    Box::new(move || ask(name, n).unwrap_or_else(|why| panic!("{name}: {why}")))
}

/// This program, as a probe.
pub(crate) fn command(name: &str, n: u64) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args(["probe", name, &n.to_string()]);
    command
}

fn ask(name: &str, n: u64) -> Result<f64, String> {
    let output = command(name, n).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .map_err(|_| format!("{text:?}, {}", output.status))
}

/// Sends back what comes, eight bytes at a time.
fn pong() -> Result<(), String> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut message = [0; 8];
    while input.read_exact(&mut message).is_ok() {
        let sent = output.write_all(&message).and_then(|()| output.flush());
        sent.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The most this process ever had in memory.
fn peak_memory() -> Result<f64, String> {
    bytes("/proc/self/status", "VmHWM")
}

/// What a child of this process has for itself, on average.
fn children_memory() -> Result<f64, String> {
    let sizes = of_children("Private_")?;
    Ok(sizes.iter().sum::<f64>() / sizes.len() as f64)
}

/// What this process and its workers have together when all of them have an array of so many bytes, shared memory
/// counted once.
fn shared_memory(size: u64) -> Result<f64, String> {
    let array: Shared<[f64]> = (0..size / 8).map(|i| i as f64).collect();
    let parallel = Parallel::new(JOBS).backend(Processes::new());
    let sum = |array: Shared<[f64]>| array.iter().sum::<f64>();
    let sums = parallel.run((0..4 * JOBS).map(|_| delayed(sum, array.clone())));
    sums.map_err(|error| error.to_string())?;
    let workers = of_children("Pss:")?;
    Ok(workers.iter().sum::<f64>() + bytes("/proc/self/smaps_rollup", "Pss:")?)
}

/// What each child of this process has of a kind of memory.
fn of_children(what: &str) -> Result<Vec<f64>, String> {
    let mut sizes = Vec::new();
    for task in list("/proc/self/task")? {
        let children = std::fs::read_to_string(format!("/proc/self/task/{task}/children"));
        let children = children.map_err(|error| error.to_string())?;
        for child in children.split_whitespace() {
            sizes.push(bytes(&format!("/proc/{child}/smaps_rollup"), what)?);
        }
    }
    if sizes.is_empty() {
        return Err("there are no workers".to_owned());
    }
    Ok(sizes)
}

fn list(folder: &str) -> Result<Vec<String>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.map_err(|error| error.to_string())?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

/// The sum of the lines that begin so, which count in KiB.
pub(crate) fn bytes(file: &str, what: &str) -> Result<f64, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let amount = |line: &str| line.split_whitespace().nth(1)?.parse::<f64>().ok();
    let lines = text.lines().filter(|line| line.starts_with(what));
    Ok(lines.filter_map(amount).sum::<f64>() * 1024.0)
}
