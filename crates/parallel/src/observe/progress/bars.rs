//! How far a call is, on a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::super::event::Event;
use super::super::tally::Tally;
use super::troubles;

/// So many characters a bar is wide, as the template says.
const WIDTH: usize = 30;

/// So often the time that has passed is shown anew while no task ends.
const TICK: Duration = Duration::from_secs(1);

/// What is shown of a call.
pub(super) struct Bars {
    main: ProgressBar,
    /// Empty until they take part; `None` if they are not shown.
    workers: Option<BTreeMap<usize, ProgressBar>>,
    screen: MultiProgress,
}

impl Bars {
    pub(super) fn new(screen: &MultiProgress, tally: &Tally, per_worker: bool) -> Self {
        let (bar, template) = match tally.tasks {
            Some(tasks) => (
                ProgressBar::new(tasks as u64),
                "[{bar:30}] {pos}/{len} {rate}, {eta} left{msg}",
            ),
            None => (
                ProgressBar::no_length(),
                "{spinner} {pos} done {rate}, {elapsed}{msg}",
            ),
        };
        let main = screen.add(bar.with_style(style(template)));
        main.enable_steady_tick(TICK);
        Self {
            main,
            workers: per_worker.then(BTreeMap::new),
            screen: screen.clone(),
        }
    }

    pub(super) fn event(&mut self, event: &Event, tally: &Tally) {
        match event {
            Event::TaskFinished { failure, .. } => {
                if failure.is_some() {
                    self.main.set_message(troubles(tally));
                }
                self.main.inc(1);
            }
            Event::Retried { .. } => self.main.set_message(troubles(tally)),
            _ => {}
        }
        self.worker_event(event);
    }

    fn worker_event(&mut self, event: &Event) {
        let (worker, what) = match event {
            Event::WorkerStarted { worker, pid, .. } => match pid {
                Some(pid) => (worker, format!("process {pid}")),
                None => (worker, "ready".to_owned()),
            },
            Event::TaskStarted { worker, index, .. } => (worker, format!("task {index}")),
            Event::TaskFinished { worker, index, .. } => (worker, format!("task {index}, done")),
            Event::Retried { worker, index, .. } => {
                (worker, format!("task {index}, to be retried"))
            }
            Event::WorkerDied { worker, how, .. } => (worker, format!("died: {how}")),
            _ => return,
        };
        let Some(bars) = &mut self.workers else {
            return;
        };
        // Also an event of a task that no worker ran has a number, that of one that is shown.
        if matches!(event, Event::WorkerStarted { .. }) && !bars.contains_key(worker) {
            let before = bars.range(..*worker).next_back().map(|(_, bar)| bar);
            let line = ProgressBar::no_length().with_style(style("  worker {prefix}: {msg}"));
            let line = self.screen.insert_after(
                before.unwrap_or(&self.main),
                line.with_prefix(worker.to_string()),
            );
            bars.insert(*worker, line);
        }
        if let Some(bar) = bars.get(worker) {
            bar.set_message(what);
        }
    }

    /// Leaves what came of the call on the screen, and nothing of its workers: as a line like any other, since
    /// what is left of a bar goes when something else is printed.
    pub(super) fn end(self, tally: &Tally) {
        let workers = self.workers.iter().flat_map(BTreeMap::values);
        for bar in workers.chain([&self.main]) {
            bar.finish_and_clear();
            self.screen.remove(bar);
        }
        // Whether anybody reads it changes nothing.
        let _ = self.screen.println(at_the_end(tally));
    }
}

fn at_the_end(tally: &Tally) -> String {
    let done = tally.done;
    let how_far = match tally.tasks {
        Some(tasks) => {
            let filled = WIDTH * done.min(tasks) / tasks.max(1);
            let head = if filled < WIDTH { ">" } else { "" };
            let bar = format!("{}{head}", "=".repeat(filled));
            format!("[{bar:WIDTH$}] {done}/{tasks}")
        }
        None => format!("{done} done"),
    };
    let elapsed = HumanDuration(tally.begun.elapsed());
    let stopped = if tally.some_left() { ", stopped" } else { "" };
    format!("{how_far} in {elapsed:#}{}{stopped}", troubles(tally))
}

fn style(template: &str) -> ProgressStyle {
    let rate = |state: &ProgressState, out: &mut dyn Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    ProgressStyle::with_template(template)
        .expect("the templates here are well formed")
        .with_key("rate", rate)
        .progress_chars("=> ")
}
