//! Pipes on both sides: whole lines, readers that leave, orders that take their time.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use common::{BACKENDS, TempFile, run, sorted, steps};

fn spawn(args: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("restaurant"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Dishes whose lines are far more than a pipe takes at once.
#[test]
fn lines_stay_whole_in_a_pipe_that_all_cooks_write_to() {
    let banquet = |name: &str| {
        let ingredients: Vec<_> = (0..40)
            .map(|i| format!("'{} {i}'", name.repeat(90)))
            .collect();
        format!("{name} = [{}]\n", ingredients.join(", "))
    };
    let menu = TempFile::new(
        "banquet.toml",
        banquet("Aaaaa") + &banquet("Bbbbb") + &banquet("Ccccc"),
    );
    let same = [
        "--menu",
        menu.path(),
        "--customers",
        "60",
        "--seed",
        "3",
        "--backend",
    ];
    let on = |backend: &'static str| run(&[same.as_slice(), &[backend]].concat(), "", 0);
    let sequential = on("sequential");
    for backend in BACKENDS {
        assert_eq!(
            sorted(steps(&on(backend))),
            sorted(steps(&sequential)),
            "{backend}"
        );
    }
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    for backend in BACKENDS {
        let customers = [
            "--customers",
            "1000000",
            "--cook-time",
            "100us",
            "--backend",
            backend,
        ];
        let mut child = spawn(&customers);
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with("I- Ordered "), "{backend}: {line}");
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{backend}: {output:?}");
        assert_eq!(output.stderr, b"", "{backend}");
    }
}

/// The second order is given only when the first one has been served.
#[test]
fn orders_on_standard_input_are_served_as_they_come() {
    for backend in BACKENDS {
        let mut child = spawn(&["--backend", backend, "--orders", "-"]);
        let mut stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        for dish in ["Pizza", "Salad", "Pizza", "Spaghetti", "Salad"] {
            writeln!(stdin, "{dish}").unwrap();
            assert!(
                lines.any(|line| line == format!("O- Served {dish}")),
                "{backend}"
            );
        }
        drop(stdin);
        assert!(lines.any(|line| line == "dishes     5"), "{backend}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_full_disk_is_told_once() {
    let served = BACKENDS.map(|backend| vec!["--customers", "9", "--backend", backend]);
    // The summary alone is lost as well.
    let others = [
        vec!["--quiet", "--customers", "2"],
        vec!["compare", "--customers", "2"],
    ];
    for arguments in served.into_iter().chain(others) {
        let full = std::fs::File::create("/dev/full").unwrap();
        let output = Command::new(assert_cmd::cargo::cargo_bin("restaurant"))
            .args(&arguments)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let told = common::text(&output.stderr);
        assert!(
            told.starts_with("error: cannot write to standard output: "),
            "{told}"
        );
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// Nobody reads the complaints either.
#[test]
fn a_closed_standard_error_changes_nothing() {
    let mut child = spawn(&["--orders", "-", "--quiet"]);
    drop(child.stderr.take());
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"Piza\nPizza\n")
        .unwrap();
    let mut told = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut told)
        .unwrap();
    assert!(told.starts_with("dishes     1\n"), "{told}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
