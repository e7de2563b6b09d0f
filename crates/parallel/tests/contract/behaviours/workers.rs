//! What is set for worker processes: on the backends that have such.

use std::process;
use std::sync::OnceLock;

use parallel::{Error, Failure, Parallel, Shared, delayed};
use serde::{Serialize, Serializer};

use super::{Here, here};
use crate::tools::with_deadline;

/// Too many bytes of them to be sent before a worker has come up.
const MANY: u64 = 1 << 17;

/// A cook, a large array that is shared, and a large one that is not.
type Kitchen = (String, Shared<[u64]>, Vec<u64>);

static KITCHEN: OnceLock<Kitchen> = OnceLock::new();

fn equip(cook: String, shared: Shared<[u64]>, own: Vec<u64>) {
    KITCHEN
        .set((cook, shared, own))
        .expect("it is called once in a worker");
}

fn equipped() -> Here {
    let shared = (0..MANY).collect::<Shared<[u64]>>().slice(1..);
    here().initializer_with(delayed!(equip(
        "Ada".to_owned(),
        shared,
        (1..MANY).collect()
    )))
}

fn error<R: std::fmt::Debug>(parallel: &Parallel<Here>, result: Result<R, Error>) -> String {
    // No call is better than the first one.
    let again = parallel.map(|i: u32| i, 0..3);
    assert!(matches!(again, Err(Error::Backend(_))), "{again:?}");
    match result {
        Err(Error::Backend(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_initializer_is_given_its_arguments_in_each_worker_and_in_its_successor() {
    fn cook(i: u32) -> (String, u64, u64) {
        if i == 13 {
            process::abort();
        }
        let (cook, shared, own) = KITCHEN.get().expect("it has been called");
        (cook.clone(), shared.iter().sum(), own.iter().sum())
    }
    let sum = MANY * (MANY - 1) / 2;
    let parallel = Parallel::new(2).batch_size(4).backend(equipped());
    for _ in 0..2 {
        let outcomes = with_deadline(|| parallel.outcomes((0..40).map(|i| delayed(cook, i))));
        let (good, bad): (Vec<_>, Vec<_>) = outcomes.unwrap().into_iter().partition(Result::is_ok);
        assert_eq!((good.len(), bad.len()), (39, 1));
        for outcome in good {
            assert_eq!(outcome.unwrap(), ("Ada".to_owned(), sum, sum));
        }
    }
    assert!(KITCHEN.get().is_none(), "not here");
}

#[test]
fn what_an_initializer_was_given_may_be_a_result() {
    let parallel = Parallel::new(1).backend(equipped());
    let array = |_: u32| KITCHEN.get().expect("it has been called").1.clone();
    for array in with_deadline(|| parallel.map(array, 0..3)).unwrap() {
        assert!(array.iter().copied().eq(1..MANY));
    }
}

#[test]
fn an_initializer_that_fails_is_an_error_of_the_call() {
    fn refuse(cook: String) {
        panic!("no gas for {cook}");
    }
    let backend = here().initializer_with(delayed(refuse, "Ada".to_owned()));
    let parallel = Parallel::new(2).backend(backend);
    let result = with_deadline(|| parallel.map(|i: u32| i, 0..100));
    let error = with_deadline(|| error(&parallel, result));
    assert!(error.contains("no gas for Ada"), "{error}");
}

/// It cannot be written, or by a panic.
#[derive(serde::Deserialize)]
struct Secret {
    panics: bool,
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        assert!(!self.panics, "not to anybody");
        Err(serde::ser::Error::custom("not in public"))
    }
}

#[test]
fn arguments_of_an_initializer_that_cannot_travel_are_an_error_of_the_call() {
    fn keep(_: Secret) {}
    for (panics, words) in [(false, "not in public"), (true, "not to anybody")] {
        let backend = here().initializer_with(delayed(keep, Secret { panics }));
        let parallel = Parallel::new(2).backend(backend);
        let result = with_deadline(|| parallel.map(|i: u32| i, 0..100));
        let error = with_deadline(|| error(&parallel, result));
        assert!(
            error.starts_with("the argument of the initializer: "),
            "{error}"
        );
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_set_holds_in_each_worker() {
    let backend = here()
        .threads_per_worker(3)
        .max_tasks_per_worker(2)
        .memory_limit(1 << 30);
    let parallel = Parallel::new(2).backend(backend);
    let place = |_: u32| (process::id(), std::env::var("OMP_NUM_THREADS").ok());
    let places = with_deadline(|| parallel.map(place, 0..10)).unwrap();
    let mut workers: Vec<u32> = places.iter().map(|(worker, _)| *worker).collect();
    workers.sort_unstable();
    assert!(
        workers
            .chunk_by(|a, b| a == b)
            .all(|tasks| tasks.len() <= 2),
        "{workers:?}"
    );
    let threads = Some("3".to_owned());
    assert!(
        places.iter().all(|(_, number)| *number == threads),
        "{places:?}"
    );
    let too_much = |bytes: usize| std::hint::black_box(vec![1u8; bytes]).len();
    let tasks = [1, 2 << 30, 3].map(|bytes| delayed(too_much, bytes));
    let outcomes = with_deadline(|| parallel.outcomes(tasks)).unwrap();
    assert_eq!(*outcomes[0].as_ref().unwrap(), 1);
    let failure = outcomes[1].as_ref().unwrap_err().failure();
    assert!(matches!(failure, Failure::OutOfMemory), "{failure:?}");
    assert_eq!(*outcomes[2].as_ref().unwrap(), 3);
}
