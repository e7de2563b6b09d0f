//! What the feed does with threads that sleep; `model` has loom try every order in which they can meet.

use super::*;
use crate::work::BatchSize;

/// For batches of so many tasks.
fn sizing(n: usize) -> SizingLock {
    let time = Duration::from_micros(200);
    PlainMutex::new(Sizing::new(BatchSize::Fixed(n), time, 2, 1 << 12))
}

#[cfg(loom)]
mod model {
    use super::*;
    use crate::sync::{Arc, Condvar, wait};

    fn lane(feed: &Arc<Feed<i32>>) -> thread::JoinHandle<Vec<i32>> {
        let feed = Arc::clone(feed);
        thread::spawn(move || {
            let (sizing, stopping) = (sizing(1), Stopping::default());
            let batches = std::iter::from_fn(|| feed.take(&sizing, true, &stopping));
            batches.flat_map(|batch| batch.tasks).collect()
        })
    }

    fn model(body: impl Fn() + Send + Sync + 'static) {
        let mut builder = ::loom::model::Builder::new();
        builder.preemption_bound = Some(3);
        builder.check(body);
    }

    /// Each task is taken once, and nobody sleeps for ever, over a task or over the end.
    #[test]
    fn loom_finds_no_task_that_is_lost() {
        model(|| {
            let feed = Arc::new(Feed::new(true));
            let lanes = [lane(&feed), lane(&feed)];
            feed.push(1, false).unwrap();
            feed.push(2, false).unwrap();
            feed.end(Ended::Exhausted);
            let mut taken: Vec<_> = lanes.map(|lane| lane.join().unwrap()).concat();
            taken.sort_unstable();
            assert_eq!(taken, [1, 2]);
        });
    }

    /// What is there wakes a lane without more that comes, nor an end.
    #[test]
    fn loom_finds_no_lane_asleep_over_a_task() {
        model(|| {
            let feed = Arc::new(Feed::new(true));
            let lane = {
                let feed = Arc::clone(&feed);
                let take = move || feed.take(&sizing(1), true, &Stopping::default());
                thread::spawn(move || take().unwrap().tasks)
            };
            feed.push(1, false).unwrap();
            assert_eq!(lane.join().unwrap(), [1]);
        });
    }

    /// Who has said that it is back soon waits for a task that comes later, which another one has to take.
    #[test]
    fn loom_finds_no_task_that_waits_for_who_is_not_back() {
        model(|| {
            let feed = Arc::new(Feed::new(true));
            let second_has_run = Arc::new((Mutex::new(false), Condvar::new()));
            let lane = || {
                let (feed, second_has_run) = (Arc::clone(&feed), Arc::clone(&second_has_run));
                thread::spawn(move || {
                    let (sizing, stopping) = (brief(), Stopping::default());
                    let (runs, through) = &*second_has_run;
                    while let Some(batch) = feed.take(&sizing, true, &stopping) {
                        let mut has_run = lock(runs);
                        if batch.tasks.contains(&2) {
                            *has_run = true;
                            through.notify_all();
                            feed.end(Ended::Exhausted);
                        }
                        while batch.tasks.contains(&1) && !*has_run {
                            has_run = wait(through, has_run);
                        }
                    }
                })
            };
            let lanes = [lane(), lane()];
            for task in 0..3 {
                feed.push(task, false).unwrap();
            }
            lanes.into_iter().for_each(|lane| lane.join().unwrap());
        });
    }

    /// For tasks that take next to no time.
    fn brief() -> SizingLock {
        let sizing = sizing(8);
        sizing.lock().measured(1 << 20, Duration::from_nanos(1));
        sizing
    }
}

#[cfg(not(loom))]
mod threads {
    use super::*;
    use crate::deadline::with_deadline;

    fn take(feed: &Feed<i32>, n: usize, wait: bool) -> Option<(usize, Vec<i32>)> {
        let batch = feed.take(&sizing(n), wait, &Stopping::default())?;
        Some((batch.first, batch.tasks))
    }

    #[test]
    fn what_is_there_is_taken_without_waiting_for_more() {
        let feed = Feed::new(true);
        for task in 10..15 {
            feed.push(task, false).unwrap();
        }
        assert_eq!(take(&feed, 3, true), Some((0, vec![10, 11, 12])));
        assert_eq!(take(&feed, 3, true), Some((3, vec![13, 14])));
        assert!(take(&feed, 3, false).is_none());
        feed.give_back(Batch {
            first: 3,
            tasks: vec![13],
        });
        feed.end(Ended::Exhausted);
        assert_eq!(feed.pulled(), 5);
        assert!(!feed.is_empty());
        assert_eq!(take(&feed, 1, true), Some((3, vec![13])));
        assert!(take(&feed, 3, true).is_none());
        assert_eq!(feed.push(15, false), Err(15));
    }

    #[test]
    fn who_has_tasks_gets_none_before_those_that_were_given_back() {
        let feed = Feed::new(true);
        for task in [10, 11] {
            feed.push(task, false).unwrap();
        }
        assert_eq!(take(&feed, 1, true), Some((0, vec![10])));
        feed.give_back(Batch {
            first: 0,
            tasks: vec![10],
        });
        assert!(take(&feed, 1, false).is_none());
        assert_eq!(take(&feed, 1, true), Some((0, vec![10])));
        assert_eq!(take(&feed, 1, false), Some((1, vec![11])));
    }

    #[test]
    fn who_has_tasks_leaves_the_last_ones_to_others() {
        let feed = Feed::new(true);
        (0..3).for_each(|i| feed.push(i, false).unwrap());
        feed.end(Ended::Exhausted);
        assert_eq!(take(&feed, 1, false), Some((0, vec![0])));
        assert!(take(&feed, 2, false).is_none(), "one batch, two lanes");
        assert_eq!(take(&feed, 1, false), Some((1, vec![1])));
        assert!(take(&feed, 1, false).is_none());
        assert_eq!(take(&feed, 1, true), Some((2, vec![2])));
    }

    #[test]
    fn each_task_wakes_a_lane_that_sleeps() {
        with_deadline(|| {
            let feed = Feed::new(true);
            thread::scope(|scope| {
                let lanes = [(); 3].map(|()| scope.spawn(|| take(&feed, 1, true)));
                for task in 0..3 {
                    feed.push(task, false).unwrap();
                }
                let mut taken: Vec<_> = lanes.map(|lane| lane.join().unwrap().unwrap().0).into();
                taken.sort_unstable();
                assert_eq!(taken, [0, 1, 2]);
            });
        });
    }

    #[test]
    fn a_lane_that_somebody_else_has_woken_is_not_hungry() {
        with_deadline(|| {
            let feed = Feed::new(true);
            // Another lane is on its way.
            lock(&feed.state).rota.looks();
            thread::scope(|scope| {
                let lane = scope.spawn(|| take(&feed, 1, true));
                while !lock(&feed.state).rota.does_any_sleep() {
                    thread::yield_now();
                }
                feed.push(7, false).unwrap();
                lane.thread().unpark();
                assert_eq!(lane.join().unwrap(), Some((0, vec![7])));
            });
            assert!(!lock(&feed.state).rota.does_any_sleep());
        });
    }

    #[test]
    fn what_was_given_back_wakes_a_lane_though_another_one_is_back_soon() {
        let feed = Feed::new(true);
        let [away, asleep] = [(); 2].map(|()| thread::spawn(thread::current).join().unwrap());
        let mut state = lock(&feed.state);
        state.rota.takes_all(away.id(), Duration::ZERO);
        state.rota.falls_asleep(asleep);
        state.rota.takes_all(away.id(), Duration::ZERO);
        drop(state);
        feed.push(7, false).unwrap();
        assert!(lock(&feed.state).rota.does_any_sleep());
        let batch = Batch {
            first: 0,
            tasks: vec![7],
        };
        feed.give_back(batch);
        assert!(!lock(&feed.state).rota.does_any_sleep());
    }

    #[test]
    fn who_stops_it_wakes_all_lanes() {
        with_deadline(|| {
            let (feed, stopping) = (Feed::<i32>::new(true), Stopping::default());
            thread::scope(|scope| {
                let lanes =
                    [(); 3].map(|()| scope.spawn(|| feed.take(&sizing(1), true, &stopping)));
                stopping.stop();
                for lane in lanes {
                    assert!(lane.join().unwrap().is_none());
                }
            });
        });
    }
}
