//! This executable, started again in a role.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The environment variable that names the role.
pub const ROLE: &str = "PARALLEL_TEST_ROLE";

/// No program here takes longer.
const DEADLINE: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// This executable in a role.
pub fn command(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env(ROLE, role);
    command
}

/// The same, ended by signals as a program in a terminal is. Who was started in the background of a shell ignores
/// Ctrl-C, and so does what it starts.
pub fn command_in_foreground(role: &str) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT");
    command.arg(std::env::current_exe().unwrap());
    command.env(ROLE, role);
    command
}

/// Plays a role, which asserts what it promises.
pub fn play(role: &str) {
    finish(role, command(role));
}

/// The same, from a copy of the executable that the role may do with as it likes.
pub fn play_as_copy(role: &str) {
    in_folder(role, |folder| {
        let copy = folder.join("program");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let mut command = Command::new(copy);
        command.env(ROLE, role);
        command
    });
}

/// The same, with a folder of its own for temporary files.
pub fn play_apart(role: &str) {
    in_folder(role, |folder| {
        let mut command = command(role);
        command.env("TMPDIR", folder);
        command
    });
}

/// Plays a role that has a folder, which is removed afterwards.
fn in_folder(role: &str, command: impl FnOnce(&Path) -> Command) {
    let folder = std::env::temp_dir().join(format!("parallel-{role}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let play = || finish(role, command(&folder));
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(play));
    fs::remove_dir_all(&folder).unwrap();
    result.unwrap();
}

/// Waits for a role to be played to a good end.
pub fn finish(role: &str, mut command: Command) {
    let output = output(
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    assert!(
        output.status.success(),
        "{role}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

/// Waits for a program and what it printed; kills it if it takes too long.
pub fn output(mut child: Child) -> Output {
    let ended = wait_for_end(Pid::from_child(&child));
    if !ended {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert!(
        ended,
        "it hangs; it printed\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Waits for the end of any process; false if that takes too long.
pub fn wait_for_end(pid: Pid) -> bool {
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return true;
    };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&DEADLINE)).unwrap() == 1
}
