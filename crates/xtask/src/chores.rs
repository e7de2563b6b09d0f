//! What each chore consists of.

use std::path::PathBuf;
use std::process::Command;

use crate::cluster;
use crate::step::{Step, root};

/// Those that only add something.
pub(crate) const FEATURES: &str =
    "parallel/stream,parallel/ndarray,parallel/cluster-tests,simulate/cluster-tests";

/// Everything that must hold before a change is accepted, the quick steps first.
pub(crate) fn test() -> Result<Vec<Step>, String> {
    let target = target_dir()?;
    let mut steps = cluster::prepare()?;
    steps.extend([
        Step::cargo("format", "fmt --all --check"),
        // Its own workspace, which takes long to build: what the library depends on must be in its lock file, too.
        Step::cargo(
            "lock file of the fuzz targets",
            "update --workspace --locked --manifest-path fuzz/Cargo.toml",
        )
        .if_failed("without `--locked` this command brings it up to date"),
        // The steps with `explicit-init` do without the other features.
        Step::cargo(
            "clippy",
            &format!(
                "clippy --workspace --all-targets --features {FEATURES},browser-tests/browser -- -D warnings"
            ),
        ),
        Step::cargo(
            "clippy, explicit-init",
            "clippy -p parallel --features explicit-init --all-targets -- -D warnings",
        ),
        Step::cargo(
            "clippy, no default features",
            "clippy -p parallel --lib --no-default-features -- -D warnings",
        ),
        // Those on clusters among them: as a step of their own they would have the library built again.
        cluster::tests("tests", &format!("--workspace --all-targets --features {FEATURES}"))?,
        // Not with those: run by a program that cargo is told, all examples of a crate are one process, and some want
        // one for themselves.
        Step::cargo(
            "tests of the docs",
            &format!("test --workspace --doc --features {FEATURES}"),
        ),
        cluster::explicit_init()?,
        // Another configuration of every crate: beside the rest, it would have all of it built again.
        Step::cargo("model checks", "test -p parallel --lib --profile model loom")
            .must_run_tests()
            .env("RUSTFLAGS", "--cfg loom -D warnings")
            .env(
                "CARGO_TARGET_DIR",
                target.join("loom").display().to_string(),
            ),
        Step::cargo(
            "reference",
            "doc --workspace --no-deps --features parallel/stream,parallel/ndarray",
        )
        .env("RUSTDOCFLAGS", "-D warnings"),
        Step::cargo(
            "release build",
            "build -p parallel -p restaurant --bins --examples --release --features parallel/stream,parallel/ndarray",
        ),
    ]);
    let built = target.join("release");
    for example in programs_in("examples")? {
        let program = built.join("examples").join(&example);
        steps.push(Step::new(format!("example {example}"), program, ""));
    }
    for backend in ["sequential", "threads", "processes"] {
        steps.push(Step::new(
            format!("restaurant on {backend}"),
            built.join("restaurant"),
            &format!("--backend {backend} --customers 5 --seed 1"),
        ));
    }
    Ok(steps)
}

/// The library beside its peers.
pub(crate) fn bench(options: &[&str]) -> Step {
    Step::cargo("benchmarks", "run --release -p bench --").arguments(options)
}

/// What the program's side of a cluster sustains, if there is nothing but that.
pub(crate) fn simulate(options: &[&str]) -> Step {
    Step::cargo("simulation", "run --release -p simulate --").arguments(options)
}

/// Storms in which workers are killed and broken.
pub(crate) fn chaos(options: &[&str]) -> Step {
    Step::cargo("chaos", "run --release -p chaos --").arguments(options)
}

/// The pages, in a real browser. Brings one where it may: as root, or where `sudo` asks for no password.
pub(crate) fn test_browser() -> Vec<Step> {
    let mut steps = Vec::new();
    if !BROWSERS.iter().any(|name| is_installed(name)) {
        steps.push(install("package lists", "update"));
        let packages = "install --yes --no-install-recommends chromium fonts-dejavu-core";
        steps.push(install("Chromium", packages));
    }
    steps.push(
        Step::cargo(
            "tests in a browser",
            "test -p browser-tests --features browser --test browser -- --nocapture",
        )
        .must_run_tests(),
    );
    steps
}

/// A step of Debian's package manager, which gives up when a server does not answer.
fn install(name: &str, arguments: &str) -> Step {
    const HOW: &str = "there is no Chromium, and this chore cannot install it (it takes Debian's apt-get, and \
                       the right to use it): install one as chromium, chromium-browser or google-chrome, \
                       then repeat";
    let sudo = if is_root() || !is_installed("sudo") {
        ""
    } else {
        "sudo --non-interactive "
    };
    let options = "-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3";
    let command =
        format!("900 {sudo}env DEBIAN_FRONTEND=noninteractive apt-get {options} {arguments}");
    Step::new(name, "timeout", &command)
        .if_missing(HOW)
        .if_failed(HOW)
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// As Debian and others call Chromium.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The reference and the book.
pub(crate) fn docs() -> Vec<Step> {
    vec![
        Step::cargo(
            "reference",
            "doc --workspace --no-deps --features parallel/stream,parallel/ndarray",
        ),
        Step::new("book", "mdbook", "build docs").if_missing("`cargo install mdbook` brings it"),
    ]
}

/// The names of the programs in a folder, one for each source file. One that no manifest lists is not
/// built, so running it fails.
pub(crate) fn programs_in(folder: &str) -> Result<Vec<String>, String> {
    let folder = root().join(folder);
    let cannot_read = |error| format!("cannot read {}: {error}", folder.display());
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(cannot_read)? {
        let path = entry.map_err(cannot_read)?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_stem()
        {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Where cargo puts what it builds: this program is in `<target>/debug`.
pub(crate) fn target_dir() -> Result<PathBuf, String> {
    let here = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    let target = here.ancestors().nth(2);
    target
        .map(PathBuf::from)
        .ok_or_else(|| format!("{} is in no target folder", here.display()))
}
