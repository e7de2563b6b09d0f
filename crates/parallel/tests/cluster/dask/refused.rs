//! What cannot be: each is one error that says where and what to do.

use std::net::TcpListener;

use parallel::Dask;

use super::address;
use super::program::{python, said, tells};
use crate::tools::with_deadline;

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
    let bare = python(folder.path(), "$PYTHON -S \"$@\"");
    tells(
        &said(&address(), &[("PARALLEL_PYTHON", &bare)]),
        &["refused", "has no Dask", "pip install", "distributed"],
    );
}

#[test]
fn another_version() {
    // One that says of itself that it is older.
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("sitecustomize.py");
    let text = "import distributed\ndistributed.__version__ = '2020.1.0'\n";
    std::fs::write(site, text).unwrap();
    let path = format!("env PYTHONPATH={}", folder.path().display());
    let other = python(folder.path(), &format!("{path} $PYTHON \"$@\""));
    tells(
        &said(&address(), &[("PARALLEL_PYTHON", &other)]),
        &["refused", "2020.1.0", "-m pip install distributed=="],
    );
}
