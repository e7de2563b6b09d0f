//! Results as they come, from an input without an end: the input never runs further ahead of a slow
//! consumer than it may.
//! Run it with `cargo run --example streaming`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use parallel::{Parallel, PreDispatch, delayed};

const AHEAD: usize = 6;

fn cook(order: usize) -> String {
    format!("dish {order}")
}

fn slow_first(order: u64) {
    sleep(Duration::from_millis(30 - 10 * order));
}

fn main() -> Result<(), parallel::TaskError> {
    let parallel = Parallel::new(2).pre_dispatch(PreDispatch::Tasks(AHEAD));

    // Orders without an end, counted as they are taken.
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let orders = (0..).inspect(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });

    let dishes = parallel.iter(orders.map(|order| delayed(cook, order)));
    // To stop is to drop: nothing more starts then.
    for (served, dish) in dishes.enumerate().take(10) {
        let dish = dish?;
        assert_eq!(dish, cook(served), "in the order of the input");
        // The guest takes his time, and the kitchen waits.
        sleep(Duration::from_millis(10));
        let ahead = taken.load(Ordering::SeqCst) - (served + 1);
        assert!(ahead <= AHEAD);
        println!("served {dish}; {ahead} orders are taken and not served");
    }

    // Whatever is done first comes first, with the index of its task.
    let parallel = Parallel::new(3);
    for (index, outcome) in parallel.iter_unordered((0..3).map(|i| delayed(slow_first, i))) {
        outcome?;
        println!("order {index} is done");
    }

    // `for_each` calls back on this thread, so all of it may borrow.
    let words = ["flour".to_owned(), "yeast".to_owned(), "salt".to_owned()];
    let mut letters = 0;
    let tasks = words.iter().map(|word| delayed(String::len, word));
    let all = parallel.for_each(tasks, |_, length| letters += length.unwrap_or(0));
    assert!(all.is_ok());
    assert_eq!(letters, 14);
    println!("{letters} letters");
    Ok(())
}
