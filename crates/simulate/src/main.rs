//! A call on a cluster of ten thousand slots that do not exist: `cargo xtask simulate`.
//!
//! All is real but the cluster: the call, its window and batches, the frames, and the Python process that is
//! the bridge. In that an engine stands in whose slots only wait, as long as their tasks would run, and which
//! answers as late as a scheduler would. So what is short of the ideal is ours.
//!
//! ```text
//!   this program ──one scenario each──► itself ──frames──► Python: bridge.py and engine.py
//! ```

use std::env;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;
use parallel::{Dask, Parallel};
use procfs::process::Process;

const ENGINE: &str = include_str!("engine.py");

/// Tells how busy a program keeps slots that do not exist.
#[derive(Parser)]
struct Options {
    /// How many slots there are.
    #[arg(long, value_delimiter = ',', default_value = "100,1000,10000")]
    slots: Vec<usize>,
    /// How many milliseconds a task runs.
    #[arg(long, value_delimiter = ',', default_value = "0,1,10,100,1000,10000")]
    task: Vec<u32>,
    /// How many milliseconds after it was submitted a batch begins.
    #[arg(long, default_value_t = 5.0)]
    latency: f64,
    /// How many milliseconds the engine takes for each batch, one after the other: about 1 on Dask.
    #[arg(long, default_value_t = 0.0)]
    cost: f64,
    /// For how many seconds there is work for all slots, at most.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// In the process of a scenario: how many tasks.
const TASKS: &str = "SIMULATED_TASKS";

fn main() -> ExitCode {
    let result = match env::var(TASKS) {
        Ok(tasks) => run(&tasks),
        Err(_) => play_all(&Options::parse()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// One scenario: prints how long the call took, in seconds, and what this process did.
fn run(tasks: &str) -> Result<(), Box<dyn Error>> {
    let tasks: u64 = tasks.parse()?;
    let parallel = Parallel::new(-1).backend(Dask::connect("tcp://nowhere:0")?);
    let start = Instant::now();
    parallel.for_each(
        (0..tasks).map(|i| parallel::delayed(|_: u64| (), i)),
        |_, outcome| {
            outcome.expect("nothing fails there");
        },
    )?;
    let took = start.elapsed();
    drop(parallel);
    println!("{} {} {}", took.as_secs_f64(), cpu_seconds()?, peak_kib()?);
    Ok(())
}

/// Processor time of this process, in seconds.
fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = Process::myself()?.stat()?;
    let ticks = stat.utime + stat.stime;
    Ok(ticks as f64 / procfs::ticks_per_second() as f64)
}

fn peak_kib() -> Result<u64, Box<dyn Error>> {
    Ok(Process::myself()?.status()?.vmhwm.ok_or("no peak")?)
}

fn play_all(options: &Options) -> Result<(), Box<dyn Error>> {
    let folder = env::temp_dir().join(format!("parallel-simulate-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = play_in(options, &folder);
    fs::remove_dir_all(&folder)?;
    result
}

fn play_in(options: &Options, folder: &Path) -> Result<(), Box<dyn Error>> {
    let engine = folder.join("engine.py");
    fs::write(&engine, format!("#!/usr/bin/env python3\n{ENGINE}"))?;
    fs::set_permissions(&engine, PermissionsExt::from_mode(0o700))?;
    println!(
        "latency {} ms, {} ms of the engine's time for each batch",
        options.latency, options.cost
    );
    println!(
        "{:>6} {:>9} {:>9} {:>8} {:>9} {:>7} {:>9} {:>10} {:>10} {:>8} {:>8}",
        "slots",
        "a task",
        "tasks",
        "call",
        "tasks/s",
        "busy",
        "batches/s",
        "program",
        "bridge",
        "program",
        "bridge"
    );
    for &slots in &options.slots {
        for &milliseconds in &options.task {
            let task = Duration::from_millis(milliseconds.into());
            play(options, slots, task, &engine, &folder.join("told"))?;
        }
    }
    Ok(())
}

fn play(
    options: &Options,
    slots: usize,
    task: Duration,
    engine: &Path,
    told: &Path,
) -> Result<(), Box<dyn Error>> {
    // As many as keep all slots at work for so long, but not so many that it takes minutes here.
    let rounds = options.seconds as f64 / task.as_secs_f64().max(1e-9);
    let tasks = ((rounds.max(2.0) * slots as f64) as u64).min(2_000_000);
    let output = Command::new(env::current_exe()?)
        .env("PARALLEL_PYTHON", engine)
        .env("SIMULATED_SLOTS", slots.to_string())
        .env("SIMULATED_TASK", task.as_secs_f64().to_string())
        .env("SIMULATED_LATENCY", (options.latency / 1e3).to_string())
        .env("SIMULATED_COST", (options.cost / 1e3).to_string())
        .env("SIMULATED_TOLD", told)
        .env(TASKS, tasks.to_string())
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let numbers =
        |text: &str| -> Result<Vec<f64>, _> { text.split_whitespace().map(str::parse).collect() };
    let ours = numbers(&String::from_utf8(output.stdout)?)?;
    let theirs = numbers(&fs::read_to_string(told)?)?;
    let (&[call, cpu, peak], &[batches, busy, bridge_cpu, bridge_peak]) = (&ours[..], &theirs[..])
    else {
        return Err("a scenario told something else".into());
    };
    println!(
        "{slots:>6} {:>9} {tasks:>9} {call:>6.2} s {:>9.0} {:>5.1} % {:>9.0} {:>7.0} % CPU {:>7.0} % CPU {:>5.0} MB {:>5.0} MB",
        format!("{task:?}"),
        tasks as f64 / call,
        100.0 * busy / (call * slots as f64),
        batches / call,
        100.0 * cpu / call,
        100.0 * bridge_cpu / call,
        peak / 1024.0,
        bridge_peak / 1024.0,
    );
    Ok(())
}
