//! That the stand-in still speaks as the bridge and the slots do: it writes their messages itself.

use std::process::Command;

#[test]
fn a_short_simulation_comes_to_its_end() {
    let simulation = Command::new(env!("CARGO_BIN_EXE_simulate"))
        .args(["--slots", "10", "--task", "10,100", "--seconds", "1"])
        .output()
        .unwrap();
    let [said, error] = [simulation.stdout, simulation.stderr].map(String::from_utf8);
    let (said, error) = (said.unwrap(), error.unwrap());
    assert!(simulation.status.success(), "{said}{error}");
    // What is simulated, the titles, and a line for each length of tasks.
    assert_eq!(said.lines().count(), 4, "{said}");
}
