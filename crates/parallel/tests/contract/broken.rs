//! Backends that cannot do their part: each verb says why, and nothing hangs.

use std::time::Duration;

use parallel::{
    AnyBackend, Backend, BackendError, Delayed, Error, Failure, Parallel, Task, Work, delayed,
};

use crate::tools::with_deadline;

/// Cannot be used.
struct Cold;

impl<T: Task> Backend<T> for Cold {
    fn drive(&self, _: usize, _: &Work<'_, T>) -> Result<(), BackendError> {
        Err(BackendError::new("the oven is cold"))
    }
}

/// Has a bug.
struct Broken;

impl<T: Task> Backend<T> for Broken {
    fn drive(&self, _: usize, _: &Work<'_, T>) -> Result<(), BackendError> {
        panic!("the oven is broken");
    }
}

/// Wants batches that last longer than any clock can tell.
struct Patient;

impl<T: Task> Backend<T> for Patient {
    fn drive(&self, _: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
        work.run_here();
        Ok(())
    }

    fn batch_time(&self) -> Duration {
        Duration::MAX
    }
}

fn same(i: u32) -> u32 {
    i
}

/// What all verbs that give outcomes as they come say, and `submit`.
fn says<B, F>(backend: fn() -> B, f: F, words: &str)
where
    F: FnOnce(u32) -> u32 + Copy + Send + 'static,
    B: Backend<Delayed<F, u32>> + 'static,
{
    let tasks = || [0, 1, 2].map(|i| delayed(f, i));
    with_deadline(|| {
        let parallel = Parallel::new(2).backend(backend());
        let result = parallel.for_each(tasks(), |index, outcome| panic!("{index}: {outcome:?}"));
        let Err(Error::Backend(error)) = result else {
            panic!("{result:?}")
        };
        assert!(error.to_string().contains(words), "{error}");

        let outcomes: Vec<_> = parallel.iter(tasks()).collect();
        let submitted = parallel.submit(delayed(f, 1)).join();
        assert_eq!(outcomes.len(), 1);
        for outcome in outcomes.into_iter().chain([submitted]) {
            let error = outcome.unwrap_err();
            let Failure::Backend { message } = error.failure() else {
                panic!("{error:?}")
            };
            assert!(message.contains(words), "{message}");
        }
    });
}

#[test]
fn one_that_cannot_be_used_is_told() {
    says(|| Cold, same, "the oven is cold");
    says(
        || AnyBackend::from("proceses"),
        same,
        "no backend is called",
    );
}

#[test]
fn one_that_panics_is_told() {
    says(|| Broken, same, "the backend panicked: the oven is broken");
}

#[test]
fn batches_may_last_for_ever() {
    with_deadline(|| {
        let parallel = Parallel::new(2).backend(Patient);
        assert_eq!(parallel.map(same, 0..1000).unwrap().len(), 1000);
        let tasks = (0..1000).map(|i| delayed(same, i));
        assert!(parallel.iter(tasks).map(Result::unwrap).eq(0..1000));
    });
}

#[test]
fn an_error_that_a_task_returns_ends_the_batch_on_a_backend_of_any_type() {
    struct Here;
    impl<T: Task> Backend<T> for Here {
        fn drive(&self, _: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
            work.run_here();
            Ok(())
        }
    }
    static RUN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    fn fails(i: u32) -> Result<u32, String> {
        RUN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if i == 3 {
            Err("salt".to_owned())
        } else {
            Ok(i)
        }
    }
    let parallel = Parallel::new(1)
        .batch_size(50)
        .backend(AnyBackend::new(Here));
    let error = parallel
        .try_run((0..100).map(|i| delayed(fails, i)))
        .unwrap_err();
    assert_eq!(error.index(), Some(3));
    assert_eq!(RUN.load(std::sync::atomic::Ordering::Relaxed), 4);
    assert!(error.into_done().into_iter().eq([(0, 0), (1, 1), (2, 2)]));
}
