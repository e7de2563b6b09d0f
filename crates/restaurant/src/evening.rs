//! `restaurant`: one evening, from the menu to the summary.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;

use parallel::{AnyBackend, Error, Parallel, Processes, Sequential, Threads, Trace};
use restaurant::fault::Fault;
use restaurant::kitchen::{Kitchen, prepare_dish};
use restaurant::menu::Menu;
use restaurant::order::Order;
use restaurant::output::{Slip, Telling, Trouble};
use restaurant::service::Service;

use crate::cli::{Evening, Place};
use crate::guests::Guests;
use crate::onlookers::Onlookers;
use crate::{Refusal, complain, files, no_cooks};

/// Serves everybody who orders something that is on the menu.
pub(crate) fn serve(evening: &Evening) -> Result<ExitCode, Refusal> {
    files::check(evening)?;
    let (menu, faults) = menu(evening.menu.as_deref())?;
    let guests = Guests::invite(evening, &menu)?;
    let mut onlookers = Onlookers::invite(evening)?;
    let kitchen = Kitchen {
        telling: telling(evening),
        cook_time: evening.cook_time,
    };

    let mut complaints = 0;
    let mut found = |fault: &dyn Display| {
        complaints += 1;
        complain(fault);
    };
    faults.iter().for_each(|fault| found(fault));
    let orders = guests
        .orders
        .filter_map(|order| order.map_err(|fault| found(&fault)).ok());
    let orders = onlookers.note(orders);
    let processes = onlookers.processes();
    let cooks = Parallel::new(evening.cooks.number)
        .batch_size(guests.batch_size)
        .verbose(evening.verbose)
        .progress(evening.progress);
    let cooks = onlookers.watch(cooks);
    let service = cook(cooks, &evening.backend, processes, &kitchen, orders).map_err(no_cooks)?;
    if let Some(Err(error)) = onlookers.trace().map(Trace::flush) {
        found(&error);
    }
    for spoiled in &service.spoiled {
        complain(spoiled);
    }

    let told = match &service.trouble {
        Some(trouble) => Err(trouble.clone()),
        None => tell(evening, &service, guests.seed),
    };
    match told {
        Err(Trouble::Closed) => Ok(ExitCode::SUCCESS),
        Err(trouble) => {
            complain(format_args!("error: {trouble}"));
            Ok(ExitCode::FAILURE)
        }
        Ok(()) if complaints > 0 || !service.spoiled.is_empty() => Ok(ExitCode::FAILURE),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn menu(path: Option<&Path>) -> Result<(Menu, Vec<Fault>), Refusal> {
    let Some(path) = path else {
        return Ok((Menu::default(), Vec::new()));
    };
    let name = path.to_string_lossy();
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => format!("cannot read the menu from {name}: it is not UTF-8 text"),
        _ => format!("cannot read the menu from {name}: {error}"),
    })?;
    Menu::from_toml(&text, &name).map_err(|fault| fault.to_string())
}

/// How the steps are told. The bar has the terminal for itself.
fn telling(evening: &Evening) -> Telling {
    match Telling::suitable() {
        _ if evening.quiet => Telling::Quiet,
        Telling::Live if evening.progress => Telling::Quiet,
        suitable => suitable,
    }
}

/// The same call wherever the cooks work.
fn cook(
    cooks: Parallel,
    place: &Place,
    processes: Processes,
    kitchen: &Kitchen,
    orders: impl Iterator<Item = Order> + Send,
) -> Result<Service, Error> {
    match place {
        Place::Sequential => {
            let cooks = cooks.backend(Sequential::new());
            Service::run(&cooks, kitchen, prepare_dish, orders)
        }
        Place::Threads => {
            let cooks = cooks.backend(Threads::new());
            Service::run(&cooks, kitchen, prepare_dish, orders)
        }
        Place::Processes => {
            let cooks = cooks.backend(processes);
            Service::run(&cooks, kitchen, prepare_dish, orders)
        }
        Place::Cluster(name) => {
            let cooks = cooks.backend(AnyBackend::named(name)?);
            Service::run(&cooks, kitchen, prepare_dish, orders)
        }
    }
}

/// The article's last loop, and the summary.
fn tell(evening: &Evening, service: &Service, seed: Option<u64>) -> Result<(), Trouble> {
    if !evening.quiet {
        let slip = Slip::new(Telling::suitable());
        for dish in &service.served {
            slip.say(format_args!("{}", dish.line));
        }
        slip.say(format_args!(""));
        slip.finish()?;
    }
    let slip = Slip::new(Telling::Gathered);
    let (wall, one_cook) = (service.wall_time, service.one_cook());
    slip.say(format_args!("dishes     {}", service.served.len()));
    slip.say(format_args!("cooks      {}", cooks(evening)));
    slip.say(format_args!("wall time  {wall:.1?}"));
    slip.say(format_args!("one cook   {one_cook:.1?}"));
    let speed_up = one_cook.as_secs_f64() / wall.as_secs_f64();
    let hint = if evening.cook_time.is_zero() {
        ", with nothing to cook: try --cook-time 2ms"
    } else {
        ""
    };
    slip.say(format_args!("speed-up   {speed_up:.2}{hint}"));
    if let Some(seed) = seed {
        slip.say(format_args!("seed       {seed}"));
    }
    slip.finish()
}

fn cooks(evening: &Evening) -> String {
    // They have worked, so there is a number of them.
    let jobs = Parallel::new(evening.cooks.number).effective_n_jobs();
    let jobs = jobs.unwrap_or_default();
    match &evening.backend {
        Place::Sequential => "1, sequential".to_owned(),
        Place::Threads => format!("{jobs}, on threads"),
        Place::Processes => format!("{jobs}, in processes"),
        Place::Cluster(name) if evening.cooks.number < 0 => format!("those of {name}"),
        Place::Cluster(name) => format!("{jobs}, on {name}"),
    }
}
