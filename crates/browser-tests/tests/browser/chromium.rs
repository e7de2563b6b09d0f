//! A Chromium without a window, for as long as the value lives.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use tempfile::TempDir;

/// As Debian and others call it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// On a busy machine it takes some seconds to say where it listens.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Chromium {
    process: Child,
    /// Where it listens, `127.0.0.1:` and a port.
    pub(crate) address: String,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut process = NAMES
            .iter()
            .find_map(|name| start(name, &profile))
            .expect("there is no Chromium: `apt-get install chromium` brings it, and so does `cargo xtask test-browser`, as root");
        // It says where it listens, and then much more, which has to go somewhere.
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while said.read_line(&mut line).is_ok_and(|read| read > 0) {
                if let Some(address) = line.strip_prefix("DevTools listening on ws://") {
                    let _ = tell.send(address.split('/').next().unwrap().to_owned());
                }
                line.clear();
            }
        });
        // The other end is closed if it ends.
        let address = told.recv_timeout(PATIENCE).unwrap_or_else(|why| {
            let _ = process.kill();
            let _ = process.wait();
            panic!("Chromium did not start: {why}")
        });
        Self {
            process,
            address,
            _profile: profile,
        }
    }
}

fn start(name: &str, profile: &TempDir) -> Option<Child> {
    Command::new(name)
        .args([
            "--headless",
            // It refuses to run as root with one, and it opens only our own pages.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--remote-debugging-port=0",
            "--window-size=1200,900",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        // Where its lock is, which it leaves behind when it is killed.
        .env("TMPDIR", profile.path())
        .arg("about:blank")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
