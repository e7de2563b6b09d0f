//! The tests on real clusters: a Python environment of their own, and a network of their own.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::chores::target_dir;
use crate::step::{Step, root};

/// What the environment consists of, from PyPI, every version and every file of it fixed.
const REQUIREMENTS: &str = "crates/cluster-harness/requirements.txt";

/// Brings the Python packages where they are not there yet, and runs the tests on clusters.
pub(crate) fn test_cluster() -> Result<Vec<Step>, String> {
    let environment = target_dir()?.join("cluster-venv");
    let mut steps = prepare(&environment)?;
    let test = "test -p parallel --features cluster-tests --test cluster";
    let python = environment.join("bin/python").display().to_string();
    // Built first, where the network is still there for cargo to get what it needs.
    steps.push(Step::cargo(
        "build the tests on clusters",
        &format!("{test} --no-run"),
    ));
    steps.push(
        Step::cargo("tests on clusters", "--config")
            .arguments(&[&lonely_runner()])
            .arguments(&test.split(' ').collect::<Vec<_>>())
            .must_run_tests()
            .env("PARALLEL_PYTHON", python),
    );
    Ok(steps)
}

/// What makes the environment, if it is not there as the requirements want it.
fn prepare(environment: &Path) -> Result<Vec<Step>, String> {
    let requirements = root().join(REQUIREMENTS);
    let wanted = fs::read(&requirements)
        .map_err(|error| format!("cannot read {}: {error}", requirements.display()))?;
    // Written last, when all else is there.
    let mark = environment.join("requirements.txt");
    if fs::read(&mark).is_ok_and(|found| found == wanted) {
        return Ok(Vec::new());
    }
    const PYTHON: &str = "the tests on clusters need Python, 3.10 or newer: install python3, and \
        python3-venv where that is a package of its own, as on Debian and Ubuntu";
    let folder = environment.display().to_string();
    let python = environment.join("bin/python");
    Ok(vec![
        Step::new("Python environment", "python3", "-m venv --clear")
            .arguments(&[&folder])
            .if_missing(PYTHON)
            .if_failed(PYTHON),
        Step::new(
            "Python packages",
            python,
            "-m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r",
        )
        .arguments(&[REQUIREMENTS])
        .if_failed("it needs a connection to pypi.org, or to the mirror that pip is configured for"),
        Step::new("mark of completeness", "cp", REQUIREMENTS)
            .arguments(&[&mark.display().to_string()]),
    ])
}

/// Has cargo run tests where only the loopback device is, if this machine lets one: clusters run what they
/// are told by whoever can connect, and Ray listens on every interface.
fn lonely_runner() -> String {
    let alone = root().join("crates/cluster-harness/src/alone.py");
    // Root may; others may where users may be root of a namespace of their own.
    let ways: [&[&str]; 2] = [
        &["unshare", "--net"],
        &["unshare", "--net", "--map-root-user"],
    ];
    let mut runner = vec!["env"];
    match ways.into_iter().find(|way| works(way)) {
        Some(way) => {
            runner = way.to_vec();
            runner.extend(["python3", alone.to_str().unwrap_or_default()]);
        }
        None => eprintln!(
            "This machine makes no network namespaces (`unshare --net`): while the tests run, everybody \
             who can connect to it can use their Ray clusters."
        ),
    }
    format!("target.'cfg(all())'.runner={runner:?}")
}

fn works(way: &[&str]) -> bool {
    let ended = Command::new(way[0])
        .args(&way[1..])
        .arg("true")
        .stderr(Stdio::null())
        .status();
    ended.is_ok_and(|status| status.success())
}
