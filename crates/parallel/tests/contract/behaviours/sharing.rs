//! One `Parallel` for several callers, and calls inside of calls.

use parallel::{Parallel, cpu_share, delayed};

use super::{many, parallel};
use crate::tools::with_deadline;

#[test]
fn several_callers_share_one() {
    with_deadline(|| {
        let parallel = &parallel(3);
        std::thread::scope(|scope| {
            for caller in 0..6u64 {
                scope.spawn(move || {
                    for round in 0..many(20) {
                        let base = caller * 1000 + round;
                        let results =
                            parallel.run((0..50).map(|i| delayed(|(b, i)| b + i, (base, i))));
                        assert!(results.unwrap().into_iter().eq(base..base + 50));
                    }
                });
            }
        });
    });
}

#[test]
fn a_task_may_call_again() {
    fn row(i: u64) -> u64 {
        let inner = parallel(2).map(|j| j * 2, 0..i).unwrap();
        inner.into_iter().sum()
    }
    let sums = with_deadline(|| parallel(3).run((0..8).map(|i| delayed(row, i)))).unwrap();
    assert!(
        sums.into_iter()
            .eq((0..8u64).map(|i| i * i.saturating_sub(1)))
    );
}

#[test]
fn the_input_may_call_the_same_one() {
    let parallel = parallel(2);
    let results = with_deadline(|| {
        let tasks = (0..20u64).map(|i| {
            let inner = parallel.map(|j| j + 1, 0..i).unwrap();
            delayed(|i: u64| i, inner.into_iter().sum::<u64>())
        });
        parallel.run(tasks)
    });
    assert!(
        results
            .unwrap()
            .into_iter()
            .eq((0..20).map(|i| i * (i + 1) / 2))
    );
}

#[test]
fn a_call_inside_gets_its_share_of_the_cpus() {
    let all = cpu_share();
    let shares = parallel(2).map(|_| cpu_share(), 0..4).unwrap();
    let share = if super::super::SHARES_CPUS {
        (all / 2).max(1)
    } else {
        all
    };
    assert_eq!(shares, [share; 4]);
    assert_eq!(cpu_share(), all);
}

#[test]
fn an_explicit_number_of_jobs_inside_is_meant() {
    fn inside(i: u64) -> usize {
        Parallel::new(3).map(|j| j, 0..i).unwrap().len()
    }
    assert_eq!(parallel(4).map(inside, 5..7).unwrap(), [5, 6]);
}
