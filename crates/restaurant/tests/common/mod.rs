//! What the tests of the binary share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;

pub const BACKENDS: [&str; 3] = ["sequential", "threads", "processes"];

pub fn restaurant() -> Command {
    Command::cargo_bin("restaurant").unwrap()
}

/// Runs it, and checks the exit code.
pub fn run(args: &[&str], input: &str, code: i32) -> Output {
    let output = restaurant().args(args).write_stdin(input).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    output
}

/// A file that is gone when this is.
pub struct TempFile(pub PathBuf);

impl TempFile {
    pub fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = std::env::temp_dir().join(format!("restaurant-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

pub fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// What was printed before the summary.
pub fn steps(output: &Output) -> &str {
    let (steps, summary) = text(&output.stdout).rsplit_once("\n\n").unwrap();
    assert!(summary.starts_with("dishes "), "{summary}");
    steps
}

pub fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}
