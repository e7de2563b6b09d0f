//! The restaurant's door: what was asked for, and how it went.

mod cli;
mod compare;
mod evening;
mod files;
mod guests;
mod memory;
mod onlookers;
mod table;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match cli.command {
        None => evening::serve(&cli.evening),
        Some(Command::Compare(comparison)) => compare::compare(&comparison),
    };
    ended.unwrap_or_else(|refusal| {
        complain(format_args!("error: {refusal}"));
        ExitCode::from(2)
    })
}

/// Why nobody was served at all.
type Refusal = String;

/// A line on standard error, in one write. Whether anybody reads it changes nothing.
fn complain(what: impl Display) {
    let _ = std::io::stderr().write_all(format!("{what}\n").as_bytes());
}

/// What could not be done for want of cooks.
fn no_cooks(error: parallel::Error) -> Refusal {
    match error {
        parallel::Error::NoJobs => format!("--jobs 0: {error}"),
        error => format!("the cooks cannot work: {error}"),
    }
}
