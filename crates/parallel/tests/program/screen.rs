//! A terminal, and what somebody who sits before it sees.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// Nothing here takes longer to change what is seen.
const DEADLINE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// A terminal, and the end of it that a program has.
pub fn terminal() -> (File, File) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOCTTY)
        .open(name.to_str().unwrap())
        .unwrap();
    (terminal.into(), end)
}

/// A terminal in which a program runs.
pub struct Screen {
    terminal: File,
    parser: vt100::Parser,
    child: Child,
}

impl Screen {
    /// Starts the program.
    pub fn run(mut command: Command) -> Self {
        let (terminal, end) = terminal();
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&end, size).unwrap();
        // What is typed shall not be seen.
        let mut modes = tcgetattr(&end).unwrap();
        modes.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&end, OptionalActions::Now, &modes).unwrap();
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(end.try_clone().unwrap())
            .stdout(end.try_clone().unwrap())
            .stderr(end)
            .spawn()
            .unwrap();
        // It holds the program's end of the terminal open.
        drop(command);
        Self {
            terminal,
            parser: vt100::Parser::new(ROWS, COLUMNS, 0),
            child,
        }
    }

    /// What is seen now.
    pub fn text(&self) -> String {
        // Not all at once, which would put together lines that reach the edge.
        let rows = self.parser.screen().rows(0, COLUMNS);
        let rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// Waits until that is seen.
    pub fn until(&mut self, seen: impl Fn(&str) -> bool) {
        while !seen(&self.text()) {
            assert!(self.read(), "it has ended; this is seen:\n{}", self.text());
        }
    }

    pub fn type_in(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// What is seen when the program has come to a good end.
    pub fn end(mut self) -> String {
        while self.read() {}
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}:\n{}", self.text());
        self.text()
    }

    /// Goes away, as a connection does that is cut off. The program shall come to a good end.
    pub fn hang_up(mut self) {
        drop(self.terminal);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
    }

    /// Reads on; false at the end.
    fn read(&mut self) -> bool {
        let mut asked = [PollFd::new(&self.terminal, PollFlags::IN)];
        let ready = poll(&mut asked, Some(&DEADLINE)).unwrap();
        if ready == 0 {
            let _ = self.child.kill();
            panic!("nothing happens; this is seen:\n{}", self.text());
        }
        let mut bytes = [0; 4096];
        // An error means that nobody has the other end any more.
        let count = self.terminal.read(&mut bytes).unwrap_or(0);
        self.parser.process(&bytes[..count]);
        count > 0
    }
}
