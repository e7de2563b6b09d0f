//! What cannot be: each is one error that says where and what to do.

use std::net::TcpListener;
use std::process::Command;

use parallel::{Dask, Parallel};

use super::address;
use crate::tools::with_deadline;

const ADDRESS: &str = "PARALLEL_TEST_PROGRAM";

/// What the program [`connects`] says, with these variables.
pub fn said(address: &str, environment: &[(&str, &str)]) -> String {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--exact", "dask::refused::connects"])
        .args(["--ignored", "--nocapture"])
        .env(ADDRESS, address)
        .envs(environment.iter().copied());
    let output = with_deadline(|| program.output()).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "it is a program of other tests, which they start with other variables"]
fn connects() {
    match Dask::connect(std::env::var(ADDRESS).unwrap()) {
        Ok(dask) => {
            let parallel = Parallel::new(-1).backend(dask);
            println!("computed {:?}", parallel.map(|i: u64| i + 1, 1..3));
        }
        Err(error) => println!("refused: {error}"),
    }
}

#[track_caller]
pub fn tells(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

#[test]
fn an_address_where_nobody_is() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let error = with_deadline(|| Dask::connect(&address).unwrap_err().to_string());
    tells(&error, &[&address, "Is its scheduler at this address"]);
    let error = with_deadline(|| Dask::connect("kitchen").unwrap_err().to_string());
    tells(&error, &["kitchen"]);
}

#[test]
fn a_python_that_is_not_there_or_has_no_dask() {
    tells(
        &said(&address(), &[("PARALLEL_PYTHON", "/nowhere/python")]),
        &["refused", &address(), "/nowhere/python", "PARALLEL_PYTHON"],
    );
    // The same one, without what was installed for these tests.
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("python");
    let python = cluster_harness::python();
    let script = format!("#!/bin/sh\nexec {} -S \"$@\"\n", python.display());
    std::fs::write(&bare, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&bare, mode).unwrap();
    tells(
        &said(&address(), &[("PARALLEL_PYTHON", bare.to_str().unwrap())]),
        &["refused", "has no Dask", "pip install", "distributed"],
    );
}

#[test]
fn another_version() {
    // One that says of itself that it is older.
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("python");
    let site = folder.path().join("sitecustomize.py");
    let text = "import distributed\ndistributed.__version__ = '2020.1.0'\n";
    std::fs::write(site, text).unwrap();
    let script = format!(
        "#!/bin/sh\nPYTHONPATH={} exec {} \"$@\"\n",
        folder.path().display(),
        cluster_harness::python().display()
    );
    std::fs::write(&other, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&other, mode).unwrap();
    tells(
        &said(&address(), &[("PARALLEL_PYTHON", other.to_str().unwrap())]),
        &["refused", "2020.1.0", "-m pip install distributed=="],
    );
}
