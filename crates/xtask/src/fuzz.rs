//! Fuzzing on a stable compiler and without further tools: libFuzzer is built from source as a part of
//! the targets, and the compiler's instruments are switched on by hand.

use std::fs;
use std::process::Command;

use crate::chores::{programs_in, target_dir};
use crate::step::Step;

/// For each target, unless told otherwise.
pub(crate) const SECONDS: &str = "20";

/// What `cargo fuzz` passes as well, but for the sanitizer, which stable compilers do not have. Without
/// the assertions an overflow would go by unseen.
const INSTRUMENTS: &str = "--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds the targets and runs each for so many seconds. What it finds stays in `<target>/fuzz`, from
/// where the next run goes on; `fuzz/corpus` is only read.
pub(crate) fn fuzz(seconds: &str) -> Result<Vec<Step>, String> {
    let target = target_dir()?.join("fuzz");
    let host = host()?;
    let build = format!("build --release --manifest-path fuzz/Cargo.toml --locked --target {host}");
    // With the target named, what runs while building, as build scripts, has no instruments.
    let mut steps = vec![
        Step::new("a C++ compiler", "c++", "--version")
            .if_missing("libFuzzer is written in C++: install a C++ compiler, as g++ or clang"),
        Step::cargo("build", &build)
            .env("RUSTFLAGS", INSTRUMENTS)
            .env("CARGO_TARGET_DIR", target.display().to_string()),
    ];
    for name in programs_in("fuzz/fuzz_targets")? {
        let found = target.join("corpus").join(&name);
        let cannot = |error| format!("cannot create {}: {error}", found.display());
        fs::create_dir_all(&found).map_err(cannot)?;
        let limits = format!(
            "-max_total_time={seconds} -max_len=4096 -rss_limit_mb=512 -timeout=10 \
             -print_final_stats=1"
        );
        let program = target.join(&host).join("release").join(&name);
        let step = Step::new(format!("fuzz {name}"), program, &limits).arguments(&[
            &format!("-artifact_prefix={}/{name}-", target.display()),
            &found.display().to_string(),
            &format!("fuzz/corpus/{name}"),
        ]);
        steps.push(step);
    }
    Ok(steps)
}

/// The name of the kind of machine that this is, as the compiler calls it.
fn host() -> Result<String, String> {
    let output = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output();
    let output = output.map_err(|error| format!("cannot start rustc: {error}"))?;
    let name = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let known = output.status.success() && !name.is_empty();
    known
        .then_some(name)
        .ok_or_else(|| "rustc does not tell its host".to_owned())
}
