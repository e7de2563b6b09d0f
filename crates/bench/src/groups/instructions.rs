//! Instructions: what a machine that others use cannot blur.
//!
//! Of threads only: under valgrind, `/proc/self/exe` is valgrind, so there are no workers.

use std::process::{Command, Stdio};

use crate::case::{Aim, Case, OURS, Round, Unit};
use crate::probe;

pub(super) fn cases() -> Vec<Case> {
    let case = Case::new(
        "instructions-threads",
        "Instructions of a no-op task on threads",
        Unit::Instructions,
    )
    .about(
        "Collected in order from an iterator by two threads. Counted by valgrind for calls of two lengths: the \
         difference is what the tasks take, without a program's beginning and end.",
    )
    .aim(Aim::times(1.0, &["orx-parallel", "rayon par_bridge"]))
    .try_peer(OURS, |_| counted("count-run"))
    .try_peer("parallel, a stream", |_| counted("count-iter"))
    .try_peer("orx-parallel", |_| counted("count-orx"))
    .try_peer("rayon par_iter", |_| counted("count-par_iter"))
    .try_peer("rayon par_bridge", |_| counted("count-par_bridge"))
    .try_peer("a loop, no threads", |_| counted("count-loop"))
    .yardstick();
    vec![case.exact()]
}

fn counted(probe: &'static str) -> Result<Round, String> {
    there()?;
    Ok(Box::new(move || {
        let count = |n| count(probe, n).unwrap_or_else(|why| panic!("{probe}: {why}"));
        (count(MANY) - count(FEW)) / (MANY - FEW) as f64
    }))
}

/// Whether valgrind works here. If not, the page says so.
fn there() -> Result<(), String> {
    let nothing = Command::new("valgrind")
        .args(["--tool=none", "true"])
        .stderr(Stdio::null())
        .status();
    match nothing {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("valgrind does not work here ({status})")),
        Err(_) => Err("valgrind is not installed".to_owned()),
    }
}

const FEW: u64 = 100_000;
const MANY: u64 = 200_000;

/// The instructions of a probe with `n` tasks.
fn count(name: &str, n: u64) -> Result<f64, String> {
    let probe = probe::command(name, n);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().map_err(|error| error.to_string())?)
        .args(probe.get_args())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stderr);
    let count = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let count = count.and_then(|(_, count)| count.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind counted nothing: {text}"))
}
