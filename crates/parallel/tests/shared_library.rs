//! In a shared library that somebody else's program loads, threads work, and processes are refused:
//! that program, started again, would not become a worker but run its `main`. If that program has a copy
//! of the crate too, its workers are that copy's.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "guest"
version = "0.0.0"
edition = "2024"
[lib]
crate-type = ["cdylib"]
[dependencies]
parallel = { path = "PATH" }
[workspace]
"#;

const LIBRARY: &str = r#"
use parallel::{Error, Parallel, Processes, delayed};

#[unsafe(no_mangle)]
pub extern "C" fn try_both() {
    let tasks = || (0..4).map(|i| delayed(|i| i + 1, i));
    assert_eq!(Parallel::new(2).run(tasks()).unwrap(), [1, 2, 3, 4]);
    match Parallel::new(2).backend(Processes::new()).run(tasks()) {
        Err(Error::Backend(error)) => println!("{error}"),
        other => panic!("{other:?}"),
    }
}
"#;

const HOST: &str = r#"
use std::ffi::{CString, c_char, c_int, c_void};

use parallel::{Parallel, Processes};

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

fn main() {
    assert!(std::env::var_os("PARALLEL_WORKER").is_none(), "started again");
    let Some(path) = std::env::args().nth(1) else {
        let parallel = Parallel::new(1).backend(Processes::new());
        let known = parallel.map(|_| parallel::current().is_some(), 0..1);
        assert_eq!(known.unwrap(), [true], "another copy's worker");
        return;
    };
    let path = CString::new(path).unwrap();
    let library = unsafe { dlopen(path.as_ptr(), 2) };
    assert!(!library.is_null());
    let function = unsafe { dlsym(library, c"try_both".as_ptr()) };
    let function: extern "C" fn() = unsafe { std::mem::transmute(function) };
    function();
}
"#;

#[test]
fn a_shared_library_has_no_processes_and_takes_none() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared_library");
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = MANIFEST.replace("PATH", crates.to_str().unwrap());
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), LIBRARY).unwrap();
    fs::write(folder.join("src/bin/host.rs"), HOST).unwrap();
    // The versions that the workspace uses, which are here already.
    fs::copy(crates.join("../../Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let target = folder.join("target");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(
        build.status.success(),
        "{}",
        String::from_utf8_lossy(&build.stderr)
    );

    let built = target.join("debug");
    let library = built.join("libguest.so");
    let told = play(Command::new(built.join("host")).arg(&library));
    assert!(told.contains("from within a shared library"), "{told}");
    // Now the library's static initializers run before those of the program.
    play(Command::new(built.join("host")).env("LD_PRELOAD", &library));
}

/// What it prints until it ends well.
fn play(program: &mut Command) -> String {
    let output = program.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
