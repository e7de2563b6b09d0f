//! One command of a chore: run, timed, and told in a form that can be repeated.

use std::fmt;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A command with a name.
pub(crate) struct Step {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// What to do when the program is not there.
    missing: Option<&'static str>,
    /// What may help when it fails.
    failing: Option<&'static str>,
    /// Whether it fails if it runs no test.
    must_run_tests: bool,
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
            failing: None,
            must_run_tests: false,
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

    pub(crate) fn if_failing(mut self, advice: &'static str) -> Self {
        self.failing = Some(advice);
        self
    }

    /// For `cargo test`, which is content with a filter that matches nothing.
    pub(crate) fn must_run_tests(mut self) -> Self {
        self.must_run_tests = true;
        self
    }

    fn run(&self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(
                self.environment
                    .iter()
                    .map(|(variable, value)| (variable, value)),
            )
            .current_dir(root());
        let ended = if self.must_run_tests {
            run_tests(&mut command)
        } else {
            command.status().map(|status| (status, true))
        };
        match (ended, self.missing) {
            (Ok((status, true)), _) if status.success() => Ok(()),
            (Ok((status, false)), _) if status.success() => Err("no test was run".to_owned()),
            (Ok((status, _)), _) => Err(match self.failing {
                Some(advice) => format!("{status} ({advice})"),
                None => status.to_string(),
            }),
            (Err(error), Some(advice)) if error.kind() == io::ErrorKind::NotFound => Err(format!(
                "{} is not installed: {advice}",
                self.program.display()
            )),
            (Err(error), _) => Err(format!("cannot start {}: {error}", self.program.display())),
        }
    }
}

/// Passes on what the command prints; how it ended, and whether that tells of a test.
fn run_tests(command: &mut Command) -> io::Result<(ExitStatus, bool)> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut any = false;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            println!("{line}");
            any |= line.starts_with("running ") && !line.starts_with("running 0 ");
        }
    }
    Ok((child.wait()?, any))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_must_run_tests_fails_without_any() {
        let prints = |text| Step::new("tests", "echo", text).must_run_tests().run();
        assert_eq!(prints("running 2 tests"), Ok(()));
        assert_eq!(prints("running 0 tests"), Err("no test was run".to_owned()));
        assert_eq!(prints("test result: ok."), prints("running 0 tests"));
        let fails = Step::new("tests", "false", "").must_run_tests().run();
        assert_eq!(fails, Err("exit status: 1".to_owned()));
    }
}
