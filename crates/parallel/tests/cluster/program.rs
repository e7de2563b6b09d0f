//! A program that connects to a cluster, and what it says.

use std::path::Path;
use std::process::Command;

use parallel::Parallel;

use super::Here;
use crate::tools::with_deadline;

const ADDRESS: &str = "PARALLEL_TEST_PROGRAM";

/// What the program [`connects`] says, started with these variables.
pub fn said(address: &str, environment: &[(&str, &str)]) -> String {
    // Its name, as it is asked for: without that of the executable.
    let (_, module) = module_path!().split_once("::").unwrap();
    let connects = format!("{module}::connects");
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--exact", &connects, "--ignored", "--nocapture"])
        .env(ADDRESS, address)
        .envs(environment.iter().copied());
    let output = with_deadline(|| program.output()).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "it is a program of other tests, which they start with other variables"]
fn connects() {
    match Here::connect(std::env::var(ADDRESS).unwrap()) {
        Ok(cluster) => {
            let parallel = Parallel::new(-1).backend(cluster);
            println!("computed {:?}", parallel.map(|i: u64| i + 1, 1..3));
        }
        Err(error) => println!("refused: {error}"),
    }
}

/// A Python that is started in some other way than that of the tests, as a file in this folder: by what a shell makes
/// of this command, in which `$PYTHON` is that of the tests.
pub fn python(folder: &Path, command: &str) -> String {
    let path = folder.join("python").into_os_string();
    let path = path.into_string().unwrap();
    let python = cluster_harness::python();
    let script = format!("#!/bin/sh\nPYTHON={}\nexec {command}", python.display());
    // Not by this process: what it has open to write, another thread's child may have as well, and nobody can execute.
    let mut writes = Command::new("sh");
    writes.args(["-c", r#"echo "$1" > "$0" && chmod 700 "$0""#, &path]);
    assert!(writes.arg(script).status().unwrap().success());
    path
}

#[track_caller]
pub fn tells(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}
