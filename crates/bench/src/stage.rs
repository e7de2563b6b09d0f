//! A process of its own for everything on clusters, in a network of its own where this machine makes one: Ray
//! listens on every interface and runs what it is told.

use std::cell::OnceCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;

use crate::case::{Context, Round};
use crate::python::Python;
use crate::target;

/// Begins with the first that asks for it, and ends with the last that may.
#[derive(Clone, Default)]
pub(crate) struct Stage(Rc<OnceCell<Result<Rc<Asked>, String>>>);

impl Stage {
    /// Rounds that consist of what these words ask for; see [`cluster`](crate::cluster).
    pub(crate) fn round(&self, context: &Context, words: String) -> Result<Round, String> {
        if let Some(why) = context.no_clusters {
            return Err(why.to_owned());
        }
        let asked = self.0.get_or_init(|| Asked::start().map(Rc::new)).clone()?;
        // What is missing is missed before the first round.
        asked.ask(&format!("ready {words}"))?;
        let ready = Ready { asked, words };
        Ok(Box::new(move || ready.round()))
    }
}

/// What is ready there, until this is dropped.
struct Ready {
    asked: Rc<Asked>,
    words: String,
}

impl Ready {
    fn round(&self) -> f64 {
        let figure = self.asked.ask(&format!("round {}", self.words));
        figure.unwrap_or_else(|why| panic!("{}: {why}", self.words))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        let _ = self.asked.ask(&format!("drop {}", self.words));
    }
}

struct Asked {
    pipes: std::cell::RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    child: std::cell::RefCell<Child>,
}

impl Asked {
    fn start() -> Result<Self, String> {
        let python = Python::for_clusters(&target().join("cluster-venv"))?;
        let alone = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../cluster-harness/src/alone.py"
        );
        let here = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(python.interpreter())
            .arg(alone)
            .arg(here)
            .arg("stage")
            .arg(python.interpreter())
            .env("PARALLEL_PYTHON", python.interpreter())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start a process for clusters: {error}"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (stdin, stdout) = stdin.zip(stdout).ok_or("it has no pipes")?;
        Ok(Self {
            pipes: (stdin, BufReader::new(stdout)).into(),
            child: child.into(),
        })
    }

    fn ask(&self, words: &str) -> Result<f64, String> {
        let (asks, answers) = &mut *self.pipes.borrow_mut();
        writeln!(asks, "{words}").map_err(|error| error.to_string())?;
        let mut line = String::new();
        answers
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        let line = line.trim();
        match line.strip_prefix("error ") {
            Some(why) => Err(why.to_owned()),
            None => line.parse().map_err(|_| {
                format!("{line:?} is no figure: the process for clusters may have ended")
            }),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Its clusters go when it does, and it goes when nobody can ask any more.
        let (asks, answers) = &mut *self.pipes.borrow_mut();
        let _ = writeln!(asks, "end");
        let _ = answers.read_line(&mut String::new());
        let _ = self.child.borrow_mut().wait();
    }
}
