//! This library and its peers on the same tasks, side by side: `cargo xtask bench`.

mod case;
mod figures;
mod groups;
mod python;
mod rounds;
mod tasks;
mod text;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::case::{Context, JOBS};
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
}

fn main() -> ExitCode {
    // First of all: its workers begin here.
    procspawn::init();
    let cli = Cli::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(JOBS);
    pool.build_global().expect("nobody has built it yet");
    let context = Context {
        quick: cli.quick,
        python: None,
    };
    let budget = Budget {
        time: Duration::from_secs_f64(cli.seconds.unwrap_or(if cli.quick { 2.0 } else { 10.0 })),
        fewest: if cli.quick { 5 } else { 11 },
        most: if cli.quick { 51 } else { 201 },
    };
    for group in groups::all() {
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
