//! What cannot be: each is one error that says where and what to do.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use parallel::Ray;

use super::address;
use super::program::{said, tells};
use crate::tools::with_deadline;

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
