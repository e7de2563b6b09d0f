//! What cannot be: each is one error that says where and what to do.

use std::net::TcpListener;

use parallel::Ray;

use super::address;
use super::program::{python, said, tells};
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

/// A Python that does something else first.
fn python_after(folder: &tempfile::TempDir, first: &str) -> String {
    let first = format!("{first}; import sys; exec(sys.argv[1])");
    python(folder.path(), &format!("$PYTHON -c '{first}' \"$2\""))
}

#[test]
fn another_version() {
    let folder = tempfile::tempdir().unwrap();
    let python = python_after(&folder, "import ray; ray.__version__ = \"1.2.3\"");
    let said = said(&address(), &[("PARALLEL_PYTHON", &python)]);
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
    let python = python_after(&folder, "import sys; sys.modules[\"ray\"] = None");
    let said = said(&address(), &[("PARALLEL_PYTHON", &python)]);
    tells(
        &said,
        &["refused: ", "has no Ray", "pip install 'ray[client]'"],
    );
}

#[test]
fn no_python() {
    let said = said(&address(), &[("PARALLEL_PYTHON", "/no/python")]);
    tells(
        &said,
        &["refused: ", "cannot start /no/python", "PARALLEL_PYTHON"],
    );
}
