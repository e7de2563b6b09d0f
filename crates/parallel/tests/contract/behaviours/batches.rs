//! What a task leaves for the end of its batch.

use std::cell::Cell;
use std::panic;

use std::sync::{Arc, Mutex};

use parallel::{BatchSize, Event, at_batch_end, delayed};

use super::parallel;
use crate::tools::with_deadline;

thread_local! {
    /// Calls in this batch, and those in the batch before.
    static NOW: Cell<u32> = const { Cell::new(0) };
    static BEFORE: Cell<u32> = const { Cell::new(0) };
}

/// How many tasks the batch before had, as this thread remembers it.
fn count(_: u32) -> u32 {
    if NOW.replace(NOW.get() + 1) == 0 {
        at_batch_end(|| BEFORE.set(NOW.take()));
    }
    BEFORE.get()
}

#[test]
fn what_is_left_is_done_once_for_the_batch() {
    let parallel = parallel(1).batch_size(BatchSize::Fixed(4));
    // The thread may have done this before, in another test.
    parallel.map(count, 0..4).unwrap();
    let before = parallel.map(count, 0..12).unwrap();
    // The relay makes each call outside of any batch.
    let expected = if super::super::IN_BATCHES { 4 } else { 1 };
    for batch in before.chunks(4) {
        // Another worker may have had any batch before.
        let expected = if super::super::FAR {
            batch[0]
        } else {
            expected
        };
        assert_eq!(batch, [expected; 4]);
    }
}

#[test]
fn what_is_left_may_panic_with_what_panics_when_it_is_dropped() {
    if !super::super::IN_BATCHES {
        // What is called at once is a part of its task.
        return;
    }
    struct Trap;
    impl Drop for Trap {
        fn drop(&mut self) {
            panic::panic_any(Self);
        }
    }
    let task = |i: u32| {
        at_batch_end(|| panic::panic_any(Trap));
        i
    };
    let parallel = parallel(2);
    assert_eq!(
        with_deadline(|| parallel.map(task, 0..5)).unwrap(),
        [0, 1, 2, 3, 4]
    );
    let tasks = (0..5).map(move |i| delayed(task, i));
    assert!(with_deadline(|| parallel
        .iter(tasks)
        .map(Result::unwrap)
        .eq(0..5)));
}

#[test]
fn what_is_left_may_panic() {
    let task = |i: u32| {
        at_batch_end(move || assert_ne!(i, 1, "a panic that is printed"));
        i
    };
    // Outside of a batch it is done at once, as a part of the task.
    let result = parallel(2).map(task, 0..3);
    assert_eq!(result.ok(), super::super::IN_BATCHES.then(|| vec![0, 1, 2]));
}

#[test]
fn what_is_left_is_done_after_a_failure_too() {
    let task = |i: u32| {
        let before = count(i);
        assert_ne!(i, 2, "stop");
        before
    };
    with_deadline(|| {
        let parallel = parallel(1).batch_size(BatchSize::Fixed(8));
        assert!(parallel.run((0..8).map(|i| delayed(task, i))).is_err());
        assert_eq!(parallel.map(|_| NOW.get(), 0..1).unwrap(), [0]);
    });
}

#[test]
fn the_size_that_was_chosen_is_told() {
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&sizes);
    let parallel = parallel(2).observer(move |event: &Event| {
        if let Event::BatchSize { tasks, .. } = event {
            told.lock().unwrap().push(*tasks);
        }
    });
    parallel.map(|i: u64| i + 1, 0..20_000).unwrap();
    let sizes = sizes.lock().unwrap();
    // A backend that does not tell how long tasks ran gets them one by one.
    assert!(sizes.iter().all(|size| (1..=20_000).contains(size)));
    assert!(sizes.windows(2).all(|two| two[0] != two[1]), "{sizes:?}");
}
