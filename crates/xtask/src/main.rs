//! The chores of this workspace: `cargo xtask test | test-cluster | test-browser | bench | chaos | fuzz | simulate | docs`.

mod chores;
mod cluster;
mod fuzz;
mod step;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test     everything that must hold before a change is accepted; installs Dask and Ray in
           target/cluster-venv, which needs Python and a connection to PyPI
  test-cluster
           of that the library on real Dask and Ray clusters alone
  test-browser
           looks at the pages of reports in Chromium, which it installs where it may: with apt-get, as root or by
           sudo
  fuzz     [--seconds N] feeds the library what a broken worker might send, 20 seconds
           for each of the targets unless told otherwise; needs a C++ compiler
  bench    the library and its peers on the same tasks: `--quick`, `--only CASE`, `--no-python`;
           `--help` tells more
  chaos    storms of tasks whose workers are killed and broken, for `--seconds N`, with `--seed S`;
           `--help` tells more
  simulate calls on a cluster of 10 000 slots that do not exist; `--help` tells more; needs Python
  docs     the reference (cargo doc) and the book (mdbook)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let steps = match arguments.as_slice() {
        ["test"] => chores::test(),
        ["test-cluster"] => cluster::test_cluster(),
        ["test-browser"] => Ok(chores::test_browser()),
        ["fuzz"] => fuzz::fuzz(fuzz::SECONDS),
        ["fuzz", "--seconds", seconds] if seconds.parse::<u32>().is_ok_and(|n| n > 0) => {
            fuzz::fuzz(seconds)
        }
        ["bench", options @ ..] => Ok(vec![chores::bench(options)]),
        ["chaos", options @ ..] => Ok(vec![chores::chaos(options)]),
        ["simulate", options @ ..] => Ok(vec![chores::simulate(options)]),
        ["docs"] => Ok(chores::docs()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match steps.and_then(|steps| step::run_all(&steps)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
