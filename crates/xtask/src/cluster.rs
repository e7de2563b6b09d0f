//! The tests on real clusters: a Python environment of their own, and a network of their own.

use std::fs;
use std::path::PathBuf;

use crate::chores::{FEATURES, target_dir};
use crate::step::{Step, root};

/// What the environment consists of, from PyPI, every version and every file of it fixed.
const REQUIREMENTS: &str = "crates/cluster-harness/requirements.txt";

/// Brings the Python packages where they are not there yet, and runs the tests on clusters.
pub(crate) fn test_cluster() -> Result<Vec<Step>, String> {
    let mut steps = prepare()?;
    // As `cargo xtask test` builds them.
    let test = format!("--test cluster --test cluster_heads --workspace --features {FEATURES}");
    steps.push(tests("tests on clusters", &test)?);
    steps.push(explicit_init()?);
    Ok(steps)
}

/// A step of `cargo test`, which can run tests on clusters too.
pub(crate) fn tests(name: &str, arguments: &str) -> Result<Step, String> {
    // Clusters run what they are told by whoever can connect, and Ray listens on every interface.
    let runner = root().join("crates/cluster-harness/src/runner.py");
    let runner = format!(
        "target.'cfg(all())'.runner={:?}",
        ["python3", &runner.to_string_lossy()]
    );
    let python = environment()?.join("bin/python");
    Ok(Step::cargo(name, "--config")
        .arguments(&[&runner, "test"])
        .arguments(&arguments.split(' ').collect::<Vec<_>>())
        .must_run_tests()
        .env("PARALLEL_PYTHON", python.display().to_string()))
}

/// Programs that say themselves when they are slots and workers.
pub(crate) fn explicit_init() -> Result<Step, String> {
    let python = environment()?.join("bin/python");
    let test = "test -p parallel --features explicit-init,cluster-tests --test explicit_init";
    Ok(Step::cargo("tests, explicit-init", test)
        .env("PARALLEL_PYTHON", python.display().to_string()))
}

fn environment() -> Result<PathBuf, String> {
    Ok(target_dir()?.join("cluster-venv"))
}

/// What makes the environment, if it is not there as the requirements want it.
pub(crate) fn prepare() -> Result<Vec<Step>, String> {
    let environment = environment()?;
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
