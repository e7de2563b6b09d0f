//! Where and when figures were measured, and with what.

use std::process::Command;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::python::Python;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// When the run began, in UTC.
    pub(crate) date: String,
    pub(crate) quick: bool,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    /// What was measured: the commit, and whether anything was changed since.
    pub(crate) commit: String,
    /// The Rust peers, with their versions.
    pub(crate) peers: String,
    /// The Python ones. None if they were left out.
    pub(crate) python: Option<String>,
    /// How many threads wanted a CPU before the run and after it, in the mean of a minute.
    pub(crate) load: (String, String),
}

impl Machine {
    pub(crate) fn describe(quick: bool, python: Option<&Python>) -> Self {
        let load = load();
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            quick,
            cpu: field("/proc/cpuinfo", "model name"),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: first_line("/proc/sys/kernel/osrelease"),
            rustc: output("rustc", &["--version"]),
            commit: output("git", &["describe", "--always", "--dirty"]),
            peers: peers(),
            python: python.map(Python::versions),
            load: (load.clone(), load),
        }
    }

    /// Says so when a run ends.
    pub(crate) fn finished(&mut self) {
        self.load.1 = load();
    }
}

fn load() -> String {
    let line = first_line("/proc/loadavg");
    line.split(' ').next().unwrap_or_default().to_owned()
}

fn first_line(file: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}

/// What stands behind the colon.
fn field(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    let value = line.and_then(|line| line.split_once(':'));
    value
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_else(|_| "unknown".to_owned())
}

/// As the lock file has them.
fn peers() -> String {
    const NAMES: [&str; 4] = ["rayon", "orx-parallel", "pariter", "procspawn"];
    let lock = include_str!("../../../Cargo.lock");
    let version = |name: &str| {
        let package = format!("name = \"{name}\"\nversion = \"");
        let (_, behind) = lock.split_once(&package)?;
        let (version, _) = behind.split_once('"')?;
        Some(format!("{name} {version}"))
    };
    let found: Vec<String> = NAMES.iter().filter_map(|name| version(name)).collect();
    found.join(", ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_peers_have_versions() {
        assert_eq!(
            super::peers().matches(", ").count(),
            3,
            "{}",
            super::peers()
        );
    }
}
