//! A backend of one's own: it sends tasks through a channel to threads that it keeps.
//! Run it with `cargo run --example custom_backend`.

use std::thread;
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};
use parallel::{Backend, BackendError, Parallel, Task, Work, delayed};

type Order = Box<dyn FnOnce() + Send>;

/// The kitchen next door. Its cooks wait at the hatch for orders, and go when it closes.
struct Kitchen {
    hatch: Sender<Order>,
}

impl Kitchen {
    fn new(cooks: usize) -> Self {
        let (hatch, orders) = unbounded::<Order>();
        for _ in 0..cooks {
            let orders = orders.clone();
            thread::spawn(move || orders.iter().for_each(|order| order()));
        }
        Self { hatch }
    }
}

impl<T> Backend<T> for Kitchen
where
    T: Task + Send + 'static,
    T::Output: Send + 'static,
{
    fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        let (serve, served) = unbounded();
        let mut away = 0;
        loop {
            // So many batches are away at a time; no more is pulled from the caller's iterator.
            while away < lanes
                && let Some(batch) = work.take()
            {
                away += 1;
                let serve = serve.clone();
                let order = Box::new(move || {
                    let start = Instant::now();
                    // A panic is the task's outcome, and no trouble of the cook's.
                    let dishes: Vec<_> = batch
                        .into_iter()
                        .map(|(i, task)| (i, task.attempt()))
                        .collect();
                    let _ = serve.send((dishes, start.elapsed()));
                });
                let closed = |_| BackendError::new("the kitchen is closed");
                self.hatch.send(order).map_err(closed)?;
            }
            if away == 0 {
                return Ok(());
            }
            let lost = |_| BackendError::new("the kitchen lost an order");
            let (dishes, run_time) = served.recv().map_err(lost)?;
            away -= 1;
            // From this follows how many tasks the next batches have.
            work.measured(dishes.len(), run_time);
            for (index, dish) in dishes {
                work.finish(index, dish);
            }
        }
    }
}

fn main() -> Result<(), parallel::Error> {
    let tasks = || (0..10_000u64).map(|i| delayed(|i| i * i, i));
    let kitchen = Parallel::new(3).backend(Kitchen::new(3));
    assert_eq!(kitchen.run(tasks())?, Parallel::new(3).run(tasks())?);

    let outcomes = kitchen.outcomes((0..4).map(|i| delayed(|i| assert!(i != 2, "burnt"), i)))?;
    let failed = outcomes.iter().position(Result::is_err);
    assert_eq!(failed, Some(2));
    println!(
        "10000 dishes from next door, as from here; and {}",
        outcomes[2].as_ref().unwrap_err()
    );
    Ok(())
}
