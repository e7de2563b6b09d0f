//! This library and its peers on the same tasks, side by side: `cargo xtask bench`.

mod case;
mod cluster;
mod figures;
mod groups;
mod machine;
mod page;
mod plot;
mod probe;
mod python;
mod report;
mod rounds;
mod stage;
mod tasks;
mod text;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

use crate::case::{Context, JOBS};
use crate::groups::Group;
use crate::machine::Machine;
use crate::python::Python;
use crate::report::{GroupFigures, Report};
use crate::rounds::{Budget, FAILED};

/// Runs the library and its peers on the same tasks, in turn, and writes what they take to
/// docs/benchmarks.md, docs/benchmarks.json, docs/images and the table of the README.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Cli {
    /// Fewer rounds, and no clusters: within three minutes, without the making of Python's environment.
    #[arg(long)]
    quick: bool,
    /// Only cases whose name begins so. Writes no page.
    #[arg(long, value_name = "CASE")]
    only: Option<String>,
    /// Leaves Python's peers out.
    #[arg(long)]
    no_python: bool,
    /// Leaves clusters out, and the making of their environment.
    #[arg(long)]
    no_clusters: bool,
    /// Measures nothing, and writes the page and the plots anew from docs/benchmarks.json.
    #[arg(long)]
    redraw: bool,
    /// How long the rounds of a case go on.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    #[command(subcommand)]
    probe: Option<Probe>,
}

#[derive(Debug, Subcommand)]
enum Probe {
    /// What this program asks itself; not for users.
    #[command(hide = true)]
    Probe { name: String, n: u64 },
    /// Where clusters are; not for users.
    #[command(hide = true)]
    Stage { python: PathBuf },
}

fn main() -> ExitCode {
    // First of all: its workers begin here.
    procspawn::init();
    match bench(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn bench(cli: &Cli) -> Result<(), Box<dyn Error>> {
    if let Some(Probe::Stage { python }) = &cli.probe {
        return Ok(cluster::play(python)?);
    }
    if let Some(Probe::Probe { name, n }) = &cli.probe {
        println!("{}", probe::answer(name, *n)?);
        return Ok(());
    }
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    if cli.redraw {
        let json = fs::read_to_string(docs.join("benchmarks.json"))?;
        return write(&serde_json::from_str(&json)?, &docs);
    }
    let report = measure(cli)?;
    if cli.only.is_none() {
        fs::write(docs.join("benchmarks.json"), report.to_json()?)?;
        write(&report, &docs)?;
        println!("\n{}", page::front(&report));
    }
    match report.missing().find(|(_, who)| who.ends_with(FAILED)) {
        Some((case, who)) => Err(format!("{}: {who}", case.name).into()),
        None => Ok(()),
    }
}

fn measure(cli: &Cli) -> Result<Report, Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(JOBS);
    pool.build_global()?;
    let python = match cli.no_python {
        true => None,
        false => Some(Python::prepare(&target().join("bench/python"))?),
    };
    let named = cli
        .only
        .as_deref()
        .is_some_and(|only| only.starts_with("cluster"));
    let no_clusters = match cli.no_python {
        true => Some("left out (`--no-python`)"),
        false if cli.no_clusters => Some("left out (`--no-clusters`)"),
        false if cli.quick && !named => {
            Some("left out of a quick run; `--only cluster` measures it")
        }
        false => None,
    };
    let context = Context {
        python,
        no_clusters,
    };
    let mut budget = if cli.quick {
        Budget {
            hurry: Some(Instant::now() + HURRY),
            ..Budget::QUICK
        }
    } else {
        Budget::FULL
    };
    if let Some(seconds) = cli.seconds {
        budget.time = Duration::from_secs_f64(seconds);
    }
    let mut machine = Machine::describe(cli.quick, context.python.as_ref());
    let only = cli.only.as_deref().unwrap_or_default();
    let groups = groups::all(cli.quick).into_iter();
    let groups = groups
        .map(|group| play(group, only, &context, budget))
        .collect();
    machine.finished();
    Ok(Report { machine, groups })
}

/// After so long a quick run makes haste.
const HURRY: Duration = Duration::from_secs(120);

/// Runs the cases of a group whose name begins with `only`.
fn play(group: Group, only: &str, context: &Context, budget: Budget) -> GroupFigures {
    let wanted = group
        .cases
        .into_iter()
        .filter(|case| case.name.starts_with(only));
    let cases = wanted.map(|case| {
        let start = Instant::now();
        let figures = rounds::run(case, context, budget);
        print!("{}", text::table(&figures));
        println!("  {:.1} s", start.elapsed().as_secs_f64());
        figures
    });
    GroupFigures {
        title: group.title.to_owned(),
        cases: cases.collect(),
    }
}

/// The page, its plots, and the table of the front page.
fn write(report: &Report, docs: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(docs.join("images"))?;
    plot::draw(report, docs)?;
    fs::write(docs.join("benchmarks.md"), page::page(report))?;
    let readme = docs.join("../README.md");
    let text = page::with_front(&fs::read_to_string(&readme)?, &page::front(report));
    Ok(fs::write(
        &readme,
        text.ok_or("README.md has no place for the table")?,
    )?)
}

/// Where cargo puts what it builds: this program is in `<target>/release`.
fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    here.ancestors().nth(2).unwrap_or(&here).to_owned()
}
