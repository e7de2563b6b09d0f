//! Peers in Python: an environment with pinned packages, and a process for each peer of a case.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::case::Round;

/// Where `peers.py` and its requirements are.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

/// An interpreter that has the packages.
pub(crate) struct Python {
    interpreter: PathBuf,
    /// Where the peers are.
    module: &'static str,
    environment: Vec<(&'static str, String)>,
}

/// What the peers on one machine need.
const PEERS: (&str, &str) = ("peers", "requirements.txt");

/// What clusters and the peers on them need, as the tests have it.
const CLUSTER_PEERS: (&str, &str) = ("cluster_peers", "../../cluster-harness/requirements.txt");

impl Python {
    /// Makes the environment in `folder`, unless one with the same packages is there.
    pub(crate) fn prepare(folder: &Path) -> Result<Self, String> {
        Self::with(folder, PEERS)
    }

    /// The same for the peers on clusters: the environment of `cargo xtask test-cluster`.
    pub(crate) fn for_clusters(folder: &Path) -> Result<Self, String> {
        Self::with(folder, CLUSTER_PEERS)
    }

    fn with(folder: &Path, (module, list): (&'static str, &str)) -> Result<Self, String> {
        let list = Path::new(HERE).join(list);
        let requirements = std::fs::read_to_string(&list)
            .map_err(|error| format!("cannot read {}: {error}", list.display()))?;
        let here = Self {
            interpreter: folder.join("bin/python"),
            module,
            environment: Vec::new(),
        };
        let stamp = folder.join("requirements.txt");
        if std::fs::read_to_string(&stamp).is_ok_and(|text| text == requirements) {
            return Ok(here);
        }
        let base = std::env::var_os("PARALLEL_PYTHON").unwrap_or_else(|| "python3".into());
        let venv = ["-m", "venv", "--clear"];
        must(Command::new(base).args(venv).arg(folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--no-input", "-r"];
        must(Command::new(&here.interpreter).args(pip).arg(list))?;
        std::fs::write(&stamp, requirements)
            .map_err(|error| format!("cannot write {}: {error}", stamp.display()))?;
        Ok(here)
    }

    /// One that has been prepared for the peers on clusters.
    pub(crate) fn at(interpreter: &Path) -> Self {
        Self {
            interpreter: interpreter.to_owned(),
            module: CLUSTER_PEERS.0,
            environment: Vec::new(),
        }
    }

    pub(crate) fn interpreter(&self) -> &Path {
        &self.interpreter
    }

    /// One whose peers have this in their environment.
    pub(crate) fn env(&self, variables: &[(&'static str, String)]) -> Self {
        Self {
            interpreter: self.interpreter.clone(),
            module: self.module,
            environment: variables.to_vec(),
        }
    }

    /// What it calls itself, with the packages that the environment has.
    pub(crate) fn versions(&self) -> String {
        const VERSIONS: &str = "import platform, joblib, numpy; from joblib.externals import loky; \
             print(f'Python {platform.python_version()}, joblib {joblib.__version__} \
             with loky {loky.__version__}, numpy {numpy.__version__}')";
        let output = Command::new(&self.interpreter)
            .args(["-c", VERSIONS])
            .output();
        output.map_or("unknown".to_owned(), |output| {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        })
    }

    /// Starts a process in which `class` of `peers.py` plays its rounds.
    pub(crate) fn start(&self, class: &str, arguments: &[f64]) -> Result<Round, String> {
        let mut child = Command::new(&self.interpreter)
            .args(["-c", &format!("import {0}; {0}.main()", self.module), class])
            .args(arguments.iter().map(f64::to_string))
            .env("PYTHONPATH", HERE)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.interpreter.display()))?;
        let mut peer = Peer {
            asks: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().ok_or("no output")?),
            child,
        };
        match peer.answer()?.as_str() {
            "ready" => {}
            other => return Err(format!("{class} is not ready: {other:?}")),
        }
        let class = class.to_owned();
        Ok(Box::new(move || {
            let figure = peer.round();
            figure.unwrap_or_else(|why| panic!("{class} in Python ended: {why}"))
        }))
    }
}

/// A process that plays rounds.
struct Peer {
    asks: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    child: Child,
}

impl Peer {
    fn round(&mut self) -> Result<f64, String> {
        let asks = self.asks.as_mut().ok_or("it is over")?;
        asks.write_all(b"\n").map_err(|error| error.to_string())?;
        let answer = self.answer()?;
        answer
            .parse()
            .map_err(|_| format!("{answer:?} is no figure"))
    }

    fn answer(&mut self) -> Result<String, String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|error| error.to_string())?;
        if line.is_empty() {
            return Err("it said nothing more".to_owned());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.asks = None;
        let _ = self.child.wait();
    }
}

fn must(command: &mut Command) -> Result<(), String> {
    let status = command.status();
    let program = command.get_program().display();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}")),
        Err(error) => Err(format!("cannot start {program}: {error}")),
    }
}
