//! Storms of tasks of mixed sizes, in workers that are killed, stopped, made to hang, to run out of
//! memory, to print floods and to corrupt their own heap. At the end it is counted: nothing is lost,
//! nothing runs twice, nothing is left behind.
//!
//! `cargo xtask chaos --seconds N --seed S` runs it. The seed says what is asked of whom; when it happens,
//! the machine says.

mod crash;
mod deeds;
mod hits;
mod journal;
mod kind;
mod leaks;
mod seeds;
mod setup;
mod storm;
mod tally;
mod verdict;
mod watch;

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::Parser;

use crate::leaks::Held;
use crate::seeds::Seeds;
use crate::tally::Tally;

/// Storms of tasks whose workers are killed, stopped and broken. Fails if anything is lost, run twice or
/// left behind.
#[derive(Debug, Parser)]
struct Cli {
    /// For how long storms begin.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What is asked of whom; random if it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first storm, to see one again.
    #[arg(long, default_value_t = 0)]
    first_storm: u32,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let folder = std::env::var_os(journal::FOLDER);
    let (Some(folder), Ok(run)) = (folder, std::env::var(leaks::RUN)) else {
        eprintln!("cannot start: {}", begin_again());
        return ExitCode::FAILURE;
    };
    let folder = Path::new(&folder);
    let good = chaos(&cli, folder, &run).unwrap_or_else(|error| {
        eprintln!("the storms could not be watched: {error}");
        false
    });
    let removed = fs::remove_dir_all(folder);
    if let Err(error) = &removed {
        eprintln!("cannot remove {}: {error}", folder.display());
    }
    if good && removed.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Has this program start over in its own place, in an environment by which all that it starts is known,
/// and with a folder of its own for temporary files. Returns only if it cannot.
fn begin_again() -> io::Error {
    let run = format!("{:016x}", rand::random::<u64>());
    let folder = std::env::temp_dir().join(format!("chaos-{run}"));
    let prepared = fs::create_dir(&folder).and_then(|()| File::create(folder.join(journal::NAME)));
    match prepared {
        Err(error) => error,
        Ok(_) => Command::new("/proc/self/exe")
            .arg0(std::env::args_os().next().unwrap_or_default())
            .args(std::env::args_os().skip(1))
            .env(journal::FOLDER, &folder)
            .env("TMPDIR", &folder)
            .env(leaks::RUN, run)
            .exec(),
    }
}

/// Lets storms happen for the time; whether all is as it must be.
fn chaos(cli: &Cli, folder: &Path, run: &str) -> io::Result<bool> {
    let seed = cli.seed.unwrap_or_else(rand::random);
    println!("chaos --seed {seed}");
    let start = Instant::now();
    let mut tally = Tally::default();
    let before = Held::now();
    let mut journal = journal::Reader::open(folder)?;
    let mut seeds = Seeds {
        seed,
        storm: cli.first_storm,
    };
    while tally.storms == 0 || start.elapsed() < Duration::from_secs(cli.seconds) {
        storm::storm(seeds, folder, &mut journal, &mut tally);
        seeds.storm += 1;
    }
    drop(journal);
    tally.leaks = before.leaks(run, folder)?;
    tally.weigh_slowness();
    println!("{:.1} s\n\n{tally}", start.elapsed().as_secs_f64());
    let good = tally.is_good();
    if !good {
        eprintln!(
            "FAILED. To ask for the same again:\n\n    cargo xtask chaos --seconds {} --seed {seed} \
             --first-storm {}\n",
            cli.seconds, cli.first_storm
        );
    }
    Ok(good)
}
