//! What becomes of what lanes have in hand; `model` has loom try every order in which they can meet.

use super::*;
use crate::delayed::{Delayed, delayed};

type Call = Delayed<fn(usize) -> usize, usize>;

fn batch(tasks: std::ops::Range<usize>) -> Batch<Call> {
    let first = tasks.start;
    let double: fn(usize) -> usize = |i| 2 * i;
    let tasks = tasks.map(|i| delayed(double, i)).collect();
    Batch { first, tasks }
}

/// Runs all that is in a hand. What nobody has taken of the results.
fn run(hand: &Hand<Call>) -> (usize, Vec<usize>) {
    let mut value = None;
    while let Some((index, task)) = hand.next(value.take()) {
        value = Some((index, task.call()));
    }
    hand.take_values()
}

/// Takes what nobody runs yet.
fn take_tasks(hand: &Hand<Call>) -> Batch<Call> {
    let mut taken = batch(0..0);
    hand.give_tasks(|tasks| taken = tasks);
    taken
}

#[cfg(not(loom))]
#[test]
fn the_caller_is_called_for_many_tasks_once_it_has_found_none() {
    let hand = Hand::new();
    assert!(!hand.fill(batch(0..1)), "nothing waits for a single one");
    assert!(hand.fill(batch(1..3)));
    assert_eq!(run(&hand), (1, vec![2, 4]));
    assert!(!hand.fill(batch(3..5)), "it has an alarm");
    assert_eq!(take_tasks(&hand).len(), 2);
    assert!(hand.fill(batch(5..7)));
}

/// Each result is there once, and each task runs once, or is taken.
#[cfg(loom)]
#[test]
fn loom_finds_nothing_lost_and_nothing_twice() {
    ::loom::model(|| {
        let hand = Arc::new(Hand::new());
        assert!(hand.fill(batch(0..3)));
        let lane = {
            let hand = Arc::clone(&hand);
            crate::sync::thread::spawn(move || (run(&hand), hand.fill(batch(3..5))))
        };
        let taken = take_tasks(&hand);
        let before = hand.take_values();
        let (after, calls) = lane.join().unwrap();
        // Either it was taken of the second batch, or the caller is called for it.
        let missing = if taken.first >= 3 {
            3..5
        } else {
            taken.first..3
        };
        assert_eq!(
            taken.len(),
            if taken.is_empty() { 0 } else { missing.len() }
        );
        assert!(calls || taken.first >= 3);
        let results = [before, after];
        let mut seen: Vec<usize> = results
            .into_iter()
            .flat_map(|(first, values)| (first..).zip(values))
            .map(|(index, value)| {
                assert_eq!(value, 2 * index);
                index
            })
            .collect();
        seen.extend((taken.first..).take(if taken.first < 3 { taken.len() } else { 0 }));
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2]);
    });
}

/// A lane that finds nothing in its hand finds what was taken from it where it is given to, and begins with nothing
/// that comes behind it.
#[cfg(loom)]
#[test]
fn loom_finds_no_task_that_is_nowhere() {
    ::loom::model(|| {
        let (hand, given) = (Arc::new(Hand::new()), Arc::new(Mutex::new(0)));
        hand.fill(batch(0..3));
        let lane = {
            let (hand, given) = (Arc::clone(&hand), Arc::clone(&given));
            crate::sync::thread::spawn(move || {
                let (_, results) = run(&hand);
                assert_eq!(results.len() + *lock(&given), 3);
            })
        };
        hand.give_tasks(|tasks| *lock(&given) += tasks.len());
        lane.join().unwrap();
    });
}
