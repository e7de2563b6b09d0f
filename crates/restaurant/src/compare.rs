//! `restaurant compare`: the article's closing table, with measured figures.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use parallel::{Backend, Delayed, Error, Parallel, Processes, Sequential, Threads};
use restaurant::kitchen::{Kitchen, Served, Ticket, prepare_dish};
use restaurant::menu::Menu;
use restaurant::order::{Order, random_orders};
use restaurant::output::{Slip, Telling, Trouble};

use crate::cli::Comparison;
use crate::table::Table;
use crate::{Refusal, complain, memory, no_cooks};

/// So many orders that are not cooked show what an order costs beside the cooking.
const HANDED_BACK: u32 = 10_000;

/// Serves the same orders everywhere, and prints how it went.
pub(crate) fn compare(comparison: &Comparison) -> Result<ExitCode, Refusal> {
    let menu = Menu::default();
    let orders = random_orders(&menu, comparison.customers as usize, comparison.seed);
    let trial = Trial {
        kitchen: Kitchen {
            telling: Telling::Quiet,
            cook_time: comparison.cook_time,
        },
        orders: orders.collect(),
    };
    let cooks = || Parallel::new(comparison.cooks.number);
    let figures = [
        Ok(trial.plain_loop()),
        trial.cooks(
            ("Sequential", "None"),
            || cooks().backend(Sequential::new()),
            prepare_dish,
            hand_back,
        ),
        trial.cooks(
            ("Threads", "Multi-threaded"),
            || cooks().backend(Threads::new()),
            prepare_dish,
            hand_back,
        ),
        trial.cooks(
            ("Processes", "Multi-process"),
            || cooks().backend(Processes::new()),
            prepare_dish,
            hand_back,
        ),
    ];
    let figures = figures.into_iter().collect::<Result<Vec<_>, _>>();
    match print(&table(&figures.map_err(no_cooks)?)) {
        Ok(()) | Err(Trouble::Closed) => Ok(ExitCode::SUCCESS),
        Err(trouble) => {
            complain(format_args!("error: {trouble}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What was measured in one place.
struct Figures {
    name: &'static str,
    model: &'static str,
    /// All orders, with the cooks at their places.
    wall_time: Duration,
    /// One order that is handed back uncooked, when many are.
    overhead: Duration,
    /// From nothing to the first order handed back.
    start: Duration,
    own_memory: Option<u64>,
    workers: Option<memory::Workers>,
}

/// What is done the same in each place.
struct Trial {
    kitchen: Kitchen,
    orders: Vec<Order>,
}

impl Trial {
    fn tickets(&self) -> impl ExactSizeIterator<Item = Ticket> + Send + '_ {
        let dishes = self.orders.iter().map(|order| order.dish.clone());
        dishes.map(|dish| Ticket::new(dish, &self.kitchen))
    }

    /// The orders again and again, as long as there is nothing to cook.
    fn uncooked(&self) -> impl Iterator<Item = Ticket> + Send + '_ {
        let orders = self.orders.iter().cycle().take(HANDED_BACK as usize);
        orders.map(|order| Ticket::new(order.dish.clone(), &self.kitchen))
    }

    fn plain_loop(&self) -> Figures {
        let ((), start) = timed(|| self.tickets().take(1).map(hand_back).for_each(drop));
        let (_, wall_time) = timed(|| self.tickets().map(prepare_dish).collect::<Vec<_>>());
        let (_, uncooked) = timed(|| self.uncooked().map(hand_back).collect::<Vec<_>>());
        Figures {
            name: "Plain loop",
            model: "None",
            wall_time,
            overhead: uncooked / HANDED_BACK,
            start,
            own_memory: memory::of_this_process(),
            workers: memory::of_workers(),
        }
    }

    /// `prepare` and `hand_back` are always the two functions of these names, whose types cannot be
    /// written down.
    fn cooks<B, F, G>(
        &self,
        (name, model): (&'static str, &'static str),
        open: impl FnOnce() -> Parallel<B>,
        prepare: F,
        hand_back: G,
    ) -> Result<Figures, Error>
    where
        F: FnOnce(Ticket) -> Result<Served, Trouble> + Copy + Send,
        G: FnOnce(Ticket) -> Ticket + Copy + Send,
        B: Backend<Delayed<F, Ticket>> + Backend<Delayed<G, Ticket>>,
    {
        let started = Instant::now();
        let parallel = open();
        parallel.map(hand_back, self.tickets().take(1))?;
        let start = started.elapsed();
        // Now all of them are at their places.
        parallel.map(hand_back, self.uncooked())?;
        let (served, wall_time) = timed(|| parallel.map(prepare, self.tickets()));
        served?;
        let (uncooked, uncooked_time) = timed(|| parallel.map(hand_back, self.uncooked()));
        uncooked?;
        Ok(Figures {
            name,
            model,
            wall_time,
            overhead: uncooked_time / HANDED_BACK,
            start,
            own_memory: memory::of_this_process(),
            workers: memory::of_workers(),
        })
    }
}

/// An order of which nothing is made.
fn hand_back(ticket: Ticket) -> Ticket {
    ticket
}

fn timed<R>(f: impl FnOnce() -> R) -> (R, Duration) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed())
}

/// The figures as the article has them: a line for each feature.
fn table(figures: &[Figures]) -> Table {
    let plain = figures[0].wall_time.as_secs_f64();
    let row = |feature: &str, cell: &dyn Fn(&Figures) -> String| {
        let cells = figures.iter().map(cell);
        std::iter::once(feature.to_owned()).chain(cells).collect()
    };
    let time = |time: Duration| format!("{time:.1?}");
    Table(vec![
        row("Feature", &|place| place.name.to_owned()),
        row("Concurrency model", &|place| place.model.to_owned()),
        row("Wall time", &|place| time(place.wall_time)),
        row("Speed-up over plain loop", &|place| {
            format!("{:.2}", plain / place.wall_time.as_secs_f64())
        }),
        row("Overhead per order", &|place| time(place.overhead)),
        row("Time to start", &|place| time(place.start)),
        row("Memory of the parent", &|place| match place.own_memory {
            Some(kib) => mebibytes(kib),
            None => "unknown".to_owned(),
        }),
        row("Memory of the workers", &|place| match &place.workers {
            Some(workers) if workers.number == 0 => "no workers".to_owned(),
            Some(workers) => format!("{}, {} workers", mebibytes(workers.kib), workers.number),
            None => "unknown".to_owned(),
        }),
    ])
}

fn mebibytes(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

fn print(table: &Table) -> Result<(), Trouble> {
    let slip = Slip::new(Telling::Gathered);
    for line in table.to_string().lines() {
        slip.say(format_args!("{line}"));
    }
    slip.finish()
}
