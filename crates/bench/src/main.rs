//! This library and its peers on the same tasks, side by side: `cargo xtask bench`.

mod case;
mod figures;
mod groups;
mod probe;
mod python;
mod rounds;
mod tasks;
mod text;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::case::{Context, JOBS};
use crate::python::Python;
use crate::rounds::Budget;

/// Runs the library and its peers on the same tasks, in turn, and writes what they take.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// Fewer rounds: within three minutes, without the making of Python's environment.
    #[arg(long)]
    quick: bool,
    /// Only cases whose name begins so; writes no page.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Leaves Python's peers out.
    #[arg(long)]
    no_python: bool,
    /// How long the rounds of a case go on.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    #[command(subcommand)]
    probe: Option<Probe>,
}

#[derive(Debug, Subcommand)]
enum Probe {
    /// What this program asks itself; not for users.
    #[command(hide = true)]
    Probe { name: String, n: u64 },
}

fn main() -> ExitCode {
    // First of all: its workers begin here.
    procspawn::init();
    let cli = Cli::parse();
    if let Some(Probe::Probe { name, n }) = &cli.probe {
        return match probe::answer(name, *n) {
            Ok(figure) => {
                println!("{figure}");
                ExitCode::SUCCESS
            }
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(JOBS);
    pool.build_global().expect("nobody has built it yet");
    let python = if cli.no_python {
        None
    } else {
        Some(Python::prepare(&folder().join("python")).expect("python"))
    };
    let context = Context {
        quick: cli.quick,
        python,
    };
    let mut budget = if cli.quick {
        Budget::QUICK
    } else {
        Budget::FULL
    };
    if let Some(seconds) = cli.seconds {
        budget.time = Duration::from_secs_f64(seconds);
    }
    for group in groups::all(cli.quick) {
        for case in group.cases {
            let wanted = |only: &str| case.name.starts_with(only);
            if cli.only.as_deref().is_none_or(wanted) {
                let figures = rounds::run(case, &context, budget);
                print!("{}", text::table(&figures));
            }
        }
    }
    ExitCode::SUCCESS
}

/// Where cargo puts what it builds: this program is in `<target>/release`.
fn folder() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors().nth(2).unwrap_or(&here).join("bench")
}
