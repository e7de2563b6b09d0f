//! What cannot be: each is one error that says where and what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use cluster_harness::{RayCluster, RayOptions};
use parallel::{Parallel, Ray};

use super::address;
use crate::tools::with_deadline;

/// What the program [`connects`] says, started with these variables.
fn said(address: &str, environment: &[(&str, Option<&str>)]) -> String {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args([
            "--exact",
            "ray::refused::connects",
            "--ignored",
            "--nocapture",
        ])
        .env(ADDRESS, address);
    for (name, value) in environment {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
    let output = with_deadline(|| program.output()).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const ADDRESS: &str = "PARALLEL_TEST_PROGRAM";

#[test]
#[ignore = "it is a program of other tests, which they start with other variables"]
fn connects() {
    match Ray::connect(std::env::var(ADDRESS).unwrap()) {
        Ok(ray) => {
            let parallel = Parallel::new(-1).backend(ray);
            println!("computed {:?}", parallel.map(|i: u64| i + 1, 1..3));
        }
        Err(error) => println!("refused: {error}"),
    }
}

#[track_caller]
fn tells(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}

fn refused(address: &str) -> String {
    with_deadline(|| Ray::connect(address).unwrap_err().to_string())
}

#[test]
fn an_address_where_nobody_is() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    for address in [
        format!("ray://127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
    ] {
        tells(
            &refused(&address),
            &[&address, "nobody answers there", "10001"],
        );
    }
    tells(&refused("kitchen"), &["kitchen", "ray://HOST:10001"]);
}

#[test]
fn an_address_for_nodes_from_elsewhere() {
    // A head of a cluster that has no node here, as far as can be seen without asking it.
    let head = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = head.local_addr().unwrap().to_string();
    let error = refused(&address);
    tells(
        &error,
        &[&address, "no node of this cluster runs on this machine"],
    );
    tells(&error, &["ray://127.0.0.1:10001"]);
}

/// A Python that does something else first, as a file.
fn python(folder: &tempfile::TempDir, first: &str) -> PathBuf {
    let path = folder.path().join("python");
    let python = cluster_harness::python();
    let python = python.display();
    let script =
        format!("#!/bin/sh\nexec {python} -c '{first}; import sys; exec(sys.argv[1])' \"$2\"\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

#[test]
fn another_version() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(&folder, "import ray; ray.__version__ = \"1.2.3\"");
    let said = said(&address(), &[("PARALLEL_PYTHON", python.to_str())]);
    tells(
        &said,
        &[
            "refused: ",
            &address(),
            "Ray 1.2.3",
            "pip install 'ray[client]==2.",
        ],
    );
}

#[test]
fn no_package() {
    let folder = tempfile::tempdir().unwrap();
    let python = python(&folder, "import sys; sys.modules[\"ray\"] = None");
    let said = said(&address(), &[("PARALLEL_PYTHON", python.to_str())]);
    tells(
        &said,
        &["refused: ", "has no Ray", "pip install 'ray[client]'"],
    );
}

#[test]
fn no_python() {
    let said = said(&address(), &[("PARALLEL_PYTHON", Some("/no/python"))]);
    tells(
        &said,
        &["refused: ", "cannot start /no/python", "PARALLEL_PYTHON"],
    );
}

#[test]
fn a_token() {
    const TOKEN: &str = "a_token_for_tests_a_token_for_tests";
    let cluster = RayCluster::start_with(RayOptions {
        token: Some(TOKEN.to_owned()),
        cpus: Some(1),
    });
    let home = tempfile::tempdir().unwrap();
    let home = ("HOME", home.path().to_str());
    let mode = ("RAY_AUTH_MODE", Some("token"));
    for address in [cluster.address(), cluster.inner_address()] {
        let right = said(&address, &[home, mode, ("RAY_AUTH_TOKEN", Some(TOKEN))]);
        tells(&right, &["computed Ok([2, 3])"]);
        let wrong = "not_the_token_of_this_cluster_at_all";
        for environment in [
            &[home, mode, ("RAY_AUTH_TOKEN", Some(wrong))][..],
            &[home, mode],
            &[home],
        ] {
            let said = said(&address, environment);
            tells(
                &said,
                &[
                    "refused: ",
                    &address,
                    "InvalidAuthToken",
                    "~/.ray/auth_token",
                ],
            );
            assert!(!said.contains(wrong) && !said.contains(TOKEN), "{said}");
        }
    }
}
