//! One command of a chore: run, timed, and told in a form that can be repeated.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A command with a name.
pub(crate) struct Step {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// What to do when the program is not there.
    missing: Option<&'static str>,
}

impl Step {
    /// Runs `program` with `arguments`, which are separated by spaces.
    pub(crate) fn new(
        name: impl Into<String>,
        program: impl Into<PathBuf>,
        arguments: &str,
    ) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: arguments.split_whitespace().map(String::from).collect(),
            environment: Vec::new(),
            missing: None,
        }
    }

    /// The same for cargo.
    pub(crate) fn cargo(name: &str, arguments: &str) -> Self {
        Self::new(name, "cargo", arguments)
    }

    pub(crate) fn arguments(mut self, more: &[&str]) -> Self {
        self.arguments
            .extend(more.iter().map(|&argument| argument.to_owned()));
        self
    }

    pub(crate) fn env(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    pub(crate) fn if_missing(mut self, advice: &'static str) -> Self {
        self.missing = Some(advice);
        self
    }

    fn run(&self) -> Result<(), String> {
        let status = Command::new(&self.program)
            .args(&self.arguments)
            .envs(
                self.environment
                    .iter()
                    .map(|(variable, value)| (variable, value)),
            )
            .current_dir(root())
            .status();
        match (status, self.missing) {
            (Ok(status), _) if status.success() => Ok(()),
            (Ok(status), _) => Err(status.to_string()),
            (Err(error), Some(advice)) if error.kind() == io::ErrorKind::NotFound => Err(format!(
                "{} is not installed: {advice}",
                self.program.display()
            )),
            (Err(error), _) => Err(format!("cannot start {}: {error}", self.program.display())),
        }
    }
}

/// The command as a shell takes it, from the root of the workspace.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (variable, value) in &self.environment {
            write!(f, "{variable}={value:?} ")?;
        }
        let program = self.program.strip_prefix(root()).unwrap_or(&self.program);
        write!(f, "{}", program.display())?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {argument}"))
    }
}

/// Runs the steps one after the other, up to the first that fails.
pub(crate) fn run_all(steps: &[Step]) -> Result<(), String> {
    let mut times = Vec::new();
    for step in steps {
        eprintln!("\n=== {}: {step}", step.name);
        let start = Instant::now();
        let result = step.run();
        times.push((step, start.elapsed()));
        if let Err(why) = result {
            summarize(&times);
            return Err(format!(
                "\nFAILED at {}: {why}. To repeat it:\n\n    {step}\n",
                step.name
            ));
        }
    }
    summarize(&times);
    Ok(())
}

fn summarize(times: &[(&Step, Duration)]) {
    eprintln!();
    for (step, time) in times {
        eprintln!("{:>8.1} s  {}", time.as_secs_f64(), step.name);
    }
    let total: Duration = times.iter().map(|(_, time)| *time).sum();
    eprintln!("{:>8.1} s  in all", total.as_secs_f64());
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("this crate is in crates/xtask")
}
