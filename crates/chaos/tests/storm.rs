//! A short storm.

use std::process::Command;

#[test]
fn a_short_storm_loses_nothing_and_leaves_nothing() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => rand::random::<u64>(),
    };
    println!("SEED={seed}");
    let output = Command::new(env!("CARGO_BIN_EXE_chaos"))
        .args(["--seconds", "5", "--seed", &seed.to_string()])
        .output()
        .expect("the program is there");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    println!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}", output.status);
}
