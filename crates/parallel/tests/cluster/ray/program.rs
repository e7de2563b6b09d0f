//! A program that connects to a cluster, and what it says.

use std::process::Command;

use parallel::{Parallel, Ray};

use crate::tools::with_deadline;

/// What the program [`connects`] says, started with these variables.
pub fn said(address: &str, environment: &[(&str, Option<&str>)]) -> String {
    // Its name, as it is asked for: without that of the executable.
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args([
            "--exact",
            &format!("{module}::connects"),
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
pub fn tells(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} in {said}");
    }
}
