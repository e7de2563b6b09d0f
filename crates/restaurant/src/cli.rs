//! What can be asked for on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// The restaurant of the article "Cooking in parallel".
///
/// Takes orders, has them prepared by several cooks at once, tells each step, and ends with a summary.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) evening: Evening,
}

/// A kitchen has its limits, and the library gives nobody more than 1024.
const MOST_COOKS: i64 = 1000;

const EXIT_CODES: &str = "\
Exit codes:
  0  all orders were served, or the reader of standard output went away, as `head` does
  1  not all were: an order or a dish on the menu is at fault, or a cook failed; see standard error
  2  wrong usage, a file that cannot be read or written, or cooks that cannot work, as on a cluster that is not
     there; see standard error";

const EXIT_CODES_OF_COMPARE: &str = "\
Exit codes:
  0  the table was printed, or the reader of standard output went away
  1  standard output cannot be written
  2  wrong usage, or cooks that cannot work; see standard error";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure the same orders in a plain loop and on each backend
    #[command(after_help = EXIT_CODES_OF_COMPARE)]
    Compare(Comparison),
}

#[derive(Debug, Args)]
pub(crate) struct Cooks {
    /// How many cooks; -1 is one for each CPU, -2 one fewer
    #[arg(
        long = "jobs",
        value_name = "N",
        default_value_t = 3,
        allow_negative_numbers = true,
        value_parser = clap::value_parser!(i64).range(-MOST_COOKS..=MOST_COOKS)
    )]
    pub(crate) number: i64,
}

#[derive(Debug, Args)]
pub(crate) struct Evening {
    #[command(flatten)]
    pub(crate) cooks: Cooks,

    /// Where the cooks work: sequential, threads, processes; dask or ray for a cluster on this machine,
    /// dask=tcp://host:8786 or ray=ray://host:10001 for one elsewhere
    #[arg(long, value_name = "PLACE", default_value = "threads", value_parser = place)]
    pub(crate) backend: Place,

    /// How many customers order a random dish; 1 to 10 by chance if not given
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "orders",
        allow_negative_numbers = true
    )]
    pub(crate) customers: Option<u32>,

    /// The same orders as another time: the summary tells the seed
    #[arg(
        long,
        value_name = "S",
        conflicts_with = "orders",
        allow_negative_numbers = true
    )]
    pub(crate) seed: Option<u64>,

    /// The CPU time that each ingredient takes, such as 300us, 2ms or 1.5s
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = time)]
    pub(crate) cook_time: Duration,

    /// Tell no steps, only the summary
    #[arg(long)]
    pub(crate) quiet: bool,

    /// Show a bar on standard error; on a terminal it comes instead of the steps
    #[arg(long)]
    pub(crate) progress: bool,

    /// Print lines on how many orders are done: the more the higher N is, 10 if it is left out; on standard error,
    /// from 50 on on standard output
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        default_value_t = 0,
        default_missing_value = "10"
    )]
    pub(crate) verbose: u32,

    /// Write down what each cook did when, for ui.perfetto.dev or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,

    /// Take the orders from a file, `-` for standard input: one a line, `Pizza` or `Ada, Pizza`
    #[arg(long, value_name = "FILE")]
    pub(crate) orders: Option<PathBuf>,

    /// Take the menu from a TOML file: a line for each dish, `Pizza = ["Flour", "Yeast"]`
    #[arg(long, value_name = "FILE")]
    pub(crate) menu: Option<PathBuf>,

    /// Write a page that shows the kitchen at work: what each cook did when
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Show that page to a browser while they cook, at an address such as 127.0.0.1:8787
    #[arg(long, value_name = "ADDR", value_parser = crate::onlookers::address)]
    pub(crate) watch: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Comparison {
    #[command(flatten)]
    pub(crate) cooks: Cooks,

    /// How many customers order a random dish
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) customers: u32,

    /// Which random dishes
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,

    /// The CPU time that each ingredient takes, such as 300us, 2ms or 1.5s
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = time)]
    pub(crate) cook_time: Duration,
}

/// The backends, as they are called on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// One dish after the other.
    Sequential,
    /// In this process.
    Threads,
    /// Each cook in a process of its own.
    Processes,
    /// On a cluster of this name.
    Cluster(String),
}

fn place(name: &str) -> Result<Place, String> {
    match name {
        "sequential" => Ok(Place::Sequential),
        "threads" => Ok(Place::Threads),
        "processes" => Ok(Place::Processes),
        _ => {
            let is_cluster = ["dask", "ray"].into_iter().any(|engine| {
                let place = name.strip_prefix(engine);
                place.is_some_and(|at| at.is_empty() || at.starts_with(['=', ':']))
            });
            is_cluster.then(|| Place::Cluster(name.to_owned())).ok_or_else(|| {
                "there are sequential, threads, processes, dask, dask=tcp://host:8786, ray, ray=ray://host:10001"
                    .to_owned()
            })
        }
    }
}

/// A number and a unit.
fn time(text: &str) -> Result<Duration, String> {
    const HOW: &str = "write a number and a unit, as in 300us, 2ms or 1.5s";
    let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
    let (number, unit) = text.split_at(unit_at.unwrap_or(text.len()));
    let unit_in_seconds = match unit.trim() {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "" => return Err(format!("the unit is missing: {HOW}")),
        _ => return Err(HOW.to_owned()),
    };
    let number: f64 = number.parse().map_err(|_| HOW.to_owned())?;
    Duration::try_from_secs_f64(number * unit_in_seconds).map_err(|_| format!("too long: {HOW}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cluster_is_a_place() {
        for name in ["dask", "dask=tcp://kitchen:8786", "ray://kitchen:10001"] {
            assert_eq!(place(name), Ok(Place::Cluster(name.to_owned())));
        }
        for name in ["dusk", "dasks", "rayon", ""] {
            assert!(place(name).is_err(), "{name}");
        }
    }

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(time("2ms"), Ok(Duration::from_millis(2)));
        assert_eq!(time("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(time("300us"), Ok(Duration::from_micros(300)));
        assert_eq!(time("300µs"), Ok(Duration::from_micros(300)));
        assert_eq!(time("7 ns"), Ok(Duration::from_nanos(7)));
        for wrong in [
            "",
            "2",
            "ms",
            "-2ms",
            "2 parsecs",
            "1.2.3s",
            ".",
            "1e3s",
            "9".repeat(99).as_str(),
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        assert!(time(&("9".repeat(99) + "s")).is_err());
    }
}
