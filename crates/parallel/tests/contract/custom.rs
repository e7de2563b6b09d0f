//! A backend as a user writes one: threads of its own for each call, which hand the tasks on.

use crossbeam_channel::{bounded, unbounded};
use parallel::{Backend, BackendError, Task, Work};

#[path = "behaviours/mod.rs"]
mod behaviours;

type Here = Relay;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = false;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = false;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    Relay
}

/// Sends each task to another thread and its outcome back.
pub struct Relay;

impl<T: Task + Send> Backend<T> for Relay
where
    T::Output: Send,
{
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        let (to_workers, tasks) = bounded::<(usize, T)>(lanes);
        let (to_us, outcomes) = unbounded();
        let lanes = work.lanes_needed(lanes);
        std::thread::scope(|scope| {
            for _ in 0..lanes {
                let (tasks, to_us) = (tasks.clone(), to_us.clone());
                scope.spawn(move || {
                    for (index, task) in tasks {
                        let _ = to_us.send((index, task.attempt()));
                    }
                });
            }
            drop((tasks, to_us));
            scope.spawn(move || {
                while let Some(batch) = work.take() {
                    for task in batch {
                        if work.stopped() || to_workers.send(task).is_err() {
                            return;
                        }
                    }
                }
            });
            for (index, outcome) in outcomes {
                work.finish(index, outcome);
            }
        });
        Ok(())
    }
}
