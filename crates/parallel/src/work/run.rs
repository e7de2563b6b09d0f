//! A lane that runs its tasks here, on the calling thread.

use std::sync::atomic::Ordering;
use std::time::Instant;
use std::vec::IntoIter;

use super::sharing::parts;
use super::{Batch, InHand, Output, Ran, Row, Watching, Work, spans};
use crate::batch_end::Batches;
use crate::current::Here;
use crate::delayed::Task;
use crate::error::TaskError;
use crate::panics;

/// Tasks, and the places for their results if there are such.
type WithPlaces<T> = (Batch<T>, Option<Row<<T as Task>::Output>>);

impl<T: Task> Work<'_, T> {
    /// Takes batches and runs them on this thread until none are left: the whole of a lane, for a
    /// backend that runs tasks where it was called.
    ///
    /// ```
    /// use parallel::{Backend, BackendError, Parallel, Task, Work, delayed};
    ///
    /// /// New threads for each call.
    /// struct Scoped;
    ///
    /// impl<T: Task + Send> Backend<T> for Scoped
    /// where
    ///     T::Output: Send,
    /// {
    ///     fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
    ///         std::thread::scope(|scope| {
    ///             for _ in 0..lanes {
    ///                 scope.spawn(|| work.run_here());
    ///             }
    ///         });
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let lengths = Parallel::new(2).backend(Scoped).run(["a", "bc"].map(|s| delayed(str::len, s)))?;
    /// assert_eq!(lengths, [1, 2]);
    /// # Ok::<(), parallel::Error>(())
    /// ```
    pub fn run_here(&self) {
        let batches = Batches::begin();
        let worker = self.lanes_here.fetch_add(1, Ordering::Relaxed);
        let worker = self.workers(1).start + worker;
        let wanted = self.watching().map(Watching::spans);
        let ends_by_result = self.origin.as_ref().is_some_and(|it| it.ends_by_result());
        let mut hand = None;
        let here = Here::enter(worker, self.stopping(), wanted);
        let _inside = self.span.enter();
        if let Some(watching) = self.watching() {
            watching.worker(worker, None);
        }
        loop {
            let watched = self.watching().is_some() || spans::wanted();
            if hand.is_none() && (watched || self.is_stream() || ends_by_result) {
                hand = Some(self.hand());
            }
            let at_many = self.at_many();
            let taken = match &mut hand {
                Some(hand) => hand.take().map(|tasks| (tasks, None)),
                None => self.take_with_row().map(|row| (row.0.len(), Some(row))),
            };
            let Some((tasks, row)) = taken else {
                drop(at_many);
                if self.others_share() {
                    continue;
                }
                return;
            };
            let _at_many = at_many.filter(|_| tasks > 1);
            let start = Instant::now();
            let tasks = match (&mut hand, row) {
                (Some(hand), _) if watched => self.run_watched(&mut **hand, &here, worker),
                (Some(hand), _) => self.run_from_hand(&mut **hand, &here),
                (None, row) => row.map_or(0, |(batch, row)| self.run_batch(batch, row, &here)),
            };
            batches.end_of_batch();
            self.measured(tasks, start.elapsed());
        }
    }

    /// Gives back as many of these tasks, of which the first has this index, as make equal parts for
    /// all the lanes that wait for some; and the places for their results.
    #[cold]
    fn share(&self, first: usize, tasks: &mut IntoIter<T>, places: &mut Option<Row<T::Output>>) {
        let part = self.part_of(tasks.len());
        if self.stopped() || part == tasks.len() {
            return;
        }
        let mut rest: Vec<T> = std::mem::take(tasks).collect();
        let parts = parts(first, &mut rest, part);
        if let (Output::Kept(_, room), Some(places)) = (&self.output, places.as_mut()) {
            for part in &parts {
                let places = places.split_off(part.first - first);
                room.lock().take_back(places);
            }
        }
        *tasks = rest.into_iter();
        self.give_parts(parts);
    }

    /// The next tasks, and the places for their results if there are such.
    fn take_with_row(&self) -> Option<WithPlaces<T>> {
        let mut row = None;
        let batch = self.next_batch(true, &mut |batch| {
            if let Output::Kept(_, room) = &self.output {
                row = room.lock().give(batch.first, batch.len());
            }
        });
        batch.map(|batch| (batch, row))
    }

    /// Runs a batch of which each task is told. How many it was.
    fn run_watched(&self, hand: &mut dyn InHand<T>, here: &Here, worker: usize) -> usize {
        let (taken, watching) = (Instant::now(), self.watching());
        let mut tasks = 0;
        while let Some((index, task)) = hand.next(None) {
            tasks += 1;
            if let Some(watching) = watching {
                watching.started(index, 1, worker);
            }
            let span = spans::task(index, 1, worker).entered();
            let started = Instant::now();
            here.task(index, 1);
            let result = panics::catch(|| task.call());
            here.between_tasks();
            let ran = Ran {
                worker,
                attempt: 1,
                taken,
                started,
                run_time: started.elapsed(),
            };
            match result {
                Ok(value) => {
                    drop(span);
                    if let Some(watching) = watching {
                        watching.finished(index, ran, None);
                    }
                    self.succeed(index, vec![value]);
                }
                Err(panic) => {
                    self.fail_after(TaskError::new(index, 1, panic.of_task()), ran);
                }
            }
            if self.stopping.interrupted() {
                self.look_up(hand);
            }
        }
        tasks
    }

    /// Runs a batch whose results nobody has a place for. How many tasks it was.
    fn run_from_hand(&self, hand: &mut dyn InHand<T>, here: &Here) -> usize {
        let (mut tasks, mut running) = (0, 0);
        loop {
            let panic = panics::catch(|| {
                let mut value = None;
                while let Some((index, task)) = hand.next(value.take()) {
                    (tasks, running) = (tasks + 1, index);
                    here.task(index, 1);
                    value = Some(task.call());
                    if self.stopping.interrupted() {
                        self.look_up(hand);
                    }
                }
            });
            here.between_tasks();
            hand.hand_over();
            match panic {
                Ok(()) => return tasks,
                Err(panic) => self.fail(TaskError::new(running, 1, panic.of_task())),
            }
            if self.stopped() {
                self.look_up(hand);
            }
        }
    }

    /// It was interrupted: the call has been stopped, or another lane has nothing.
    #[cold]
    fn look_up(&self, hand: &mut dyn InHand<T>) {
        if self.stopped() {
            hand.discard();
        } else {
            hand.share();
        }
    }

    /// Runs a batch, and says how many tasks it was. The results go out together, or up to a failure; to the
    /// places that there are for them, if there are.
    fn run_batch(&self, batch: Batch<T>, mut places: Option<Row<T::Output>>, here: &Here) -> usize {
        let mut next = batch.first;
        let mut tasks = batch.tasks.into_iter();
        while tasks.len() > 0 && !self.stopped() {
            let in_place = places.is_some();
            let mut row = places.take().unwrap_or_else(|| Row::alone(tasks.len()));
            let panic = panics::catch(|| self.run_row(next, &mut tasks, &mut row, here));
            here.between_tasks();
            let first = next;
            next += row.len();
            if in_place {
                // At a failure nobody has the places behind it: results and failures do not fill a row.
                places = Some(row.split_off(row.len())).filter(|_| panic.is_ok());
                self.succeed_in_place(first, row);
            } else {
                self.succeed(first, row.into_vec());
            }
            if let Err(panic) = panic {
                self.fail(TaskError::new(next, 1, panic.of_task()));
                next += 1;
            }
            if self.stopping.interrupted() {
                self.share(next, &mut tasks, &mut places);
            }
        }
        // What was not started after a stop is the user's to drop, and may panic too.
        if self.stopped() {
            panics::discard(tasks.collect());
        }
        next - batch.first
    }

    /// The results of consecutive tasks, which are in their places.
    fn succeed_in_place(&self, first: usize, row: Row<T::Output>) {
        if let Output::Kept(results, _) = &self.output {
            let tasks = row.len();
            let repeated = results.lock().add_row(first, row);
            self.let_in(if repeated.is_none() { tasks } else { 0 });
            // A user's drop runs without the lock.
            drop(repeated);
        }
    }

    /// Runs tasks of which the first has this index, until it is interrupted.
    ///
    /// Not a part of its caller, where the compiler has no register left for what each task needs.
    #[inline(never)]
    fn run_row(
        &self,
        first: usize,
        tasks: &mut IntoIter<T>,
        row: &mut Row<T::Output>,
        here: &Here,
    ) {
        let (stopping, ends_call) = (&*self.stopping, self.ends_call);
        here.task(first, 1);
        let call = |index, task: T| {
            here.next_task(index);
            task.call()
        };
        row.fill(first, tasks, call, |value| {
            if ends_call.is_some_and(|ends| ends(value)) {
                self.stop();
            }
            !stopping.interrupted()
        });
    }
}
