//! Waiting for submitted tasks inside of a task.
//!
//! Who waits there may hold up all those who would run what he waits for, and would wait for ever. So it is run in his
//! place: here and now by one who waits for its end, or else by a thread that each such task has one of at a time.
//!
//! ```text
//!   task ── waits for a, b, c ──► line: a b c ──► its thread runs one after the other, and ends
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::drivers::spawn;
use super::queue::Queue;
use super::submit::Place;
use crate::context;
use crate::current::{Identity, current};

/// A task, and where it waits.
type Entry = (Arc<Queue>, Arc<Place>);

/// What is to be run in a task's place; `None` while no thread is at it.
#[derive(Default)]
struct Line(Mutex<Option<VecDeque<Entry>>>);

thread_local! {
    /// That of the task which was the last here to need one.
    static LINE: RefCell<Option<(Option<Identity>, Arc<Line>)>> = const { RefCell::new(None) };
}

/// The number of the worker that waits here.
fn number() -> usize {
    current().map_or(0, |task| task.worker())
}

/// For who waits for its end: runs it here, if nobody has begun with it.
pub(super) fn help(queue: &Arc<Queue>, place: &Arc<Place>) {
    if context::in_task() {
        queue.run_for(place, number());
    } else {
        queue.help(place);
    }
}

/// For who does not wait for its end.
pub(super) fn rush(queue: &Arc<Queue>, place: &Arc<Place>) {
    if !place.is_full() {
        return;
    }
    if !context::in_task() {
        return queue.hurry();
    }
    let task = current().map(|task| task.identity());
    let line = LINE.with_borrow_mut(|last| match last {
        Some((of, line)) if *of == task => Arc::clone(line),
        _ => Arc::clone(&last.insert((task, Arc::default())).1),
    });
    line.add((Arc::clone(queue), Arc::clone(place)));
}

impl Line {
    fn add(self: &Arc<Self>, entry: Entry) {
        let mut line = self.0.lock();
        if let Some(line) = &mut *line {
            if !line.iter().any(|(_, place)| Arc::ptr_eq(place, &entry.1)) {
                line.push_back(entry);
            }
            return;
        }
        *line = Some(VecDeque::from([entry]));
        drop(line);
        let (there, worker) = (Arc::clone(self), number());
        if spawn("parallel-submit", move || there.work_off(worker)).is_err() {
            // There are no threads: better late than never.
            self.work_off(worker);
        }
    }

    fn work_off(&self, worker: usize) {
        while let Some((queue, place)) = self.next() {
            queue.run_for(&place, worker);
        }
    }

    fn next(&self) -> Option<Entry> {
        let mut line = self.0.lock();
        let next = line.as_mut()?.pop_front();
        if next.is_none() {
            *line = None;
        }
        next
    }
}
