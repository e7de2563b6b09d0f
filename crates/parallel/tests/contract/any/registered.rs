//! A backend that a user wrote, chosen by name: the behaviours on it, and what it alone promises.

use parallel::{AnyBackend, register_backend};

use crate::custom::Relay;

#[path = "../behaviours/mod.rs"]
mod behaviours;

type Here = AnyBackend;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = true;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = false;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    register_backend("relay", || Relay).unwrap();
    AnyBackend::named("relay").unwrap()
}

mod alone {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use parallel::{
        AnyBackend, AnyOutput, AnyTask, Backend, BackendError, EntryPoint, Error, Failure,
        Parallel, Portable, Task, Work, config, delayed, register_backend,
    };

    fn registered<B: Backend<AnyTask> + 'static>(
        name: &str,
        factory: impl Fn() -> B + Send + Sync + 'static,
    ) -> AnyBackend {
        register_backend(name, factory).unwrap();
        AnyBackend::named(name).unwrap()
    }

    /// Sends what it is given, to itself.
    struct ThereAndBack;

    impl<T: Portable> Backend<T> for ThereAndBack
    where
        T::Output: Send + 'static,
    {
        fn drive(&self, _lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
            while let Some(batch) = work.take() {
                for (index, task) in batch {
                    let (mut there, mut back) = (Vec::new(), Vec::new());
                    let outcome = task
                        .encode(&mut there)
                        .and_then(|()| task.entry_point()(&there, &mut back))
                        .and_then(|()| T::decode(&back));
                    work.finish(index, outcome);
                }
            }
            Ok(())
        }
    }

    #[test]
    fn one_for_portable_tasks_may_send_them() {
        let parallel = Parallel::new(2).backend(registered("there-and-back", || ThereAndBack));
        let texts = parallel.map(|i: u32| i.to_string(), 0..50).unwrap();
        assert!(texts.into_iter().eq((0..50).map(|i: u32| i.to_string())));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_of_the_library_may_have_a_name_of_its_own() {
        let name = "careful";
        let backend = registered(name, || parallel::Processes::new().retries(1));
        let parallel = Parallel::new(2).backend(backend);
        let there = parallel.map(|_| std::process::id(), 0..9).unwrap();
        assert!(there.into_iter().all(|pid| pid != std::process::id()));
        let outcomes = parallel.outcomes((0..3).map(|i| {
            let die = |i: u32| if i == 1 { std::process::abort() } else { i };
            delayed(die, i)
        }));
        let outcomes = outcomes.unwrap();
        assert_eq!(outcomes[2].as_ref().unwrap(), &2);
        let error = outcomes[1].as_ref().unwrap_err();
        assert_eq!((error.index(), error.attempts()), (1, 2));
    }

    /// A task that nobody can send.
    struct Homely(usize);

    impl Task for Homely {
        type Output = usize;
        fn call(self) -> usize {
            self.0 + 1
        }
    }

    impl Portable for Homely {
        fn entry_point(&self) -> EntryPoint {
            panic!("it was to be sent")
        }
        fn encode(&self, _: &mut Vec<u8>) -> Result<(), Failure> {
            panic!("it was to be sent")
        }
        fn decode(_: &[u8]) -> Result<usize, Failure> {
            panic!("it was to be received")
        }
    }

    #[test]
    fn what_is_called_here_is_not_encoded() {
        for backend in [super::here(), "threads".into(), "sequential".into()] {
            let results = Parallel::new(2).backend(backend).run((0..99).map(Homely));
            assert!(results.unwrap().into_iter().eq(1..100));
        }
    }

    #[test]
    fn a_result_that_cannot_be_made_is_a_failure_of_its_task() {
        struct Unreadable(u32);
        impl Task for Unreadable {
            type Output = u32;
            fn call(self) -> u32 {
                self.0
            }
        }
        impl Portable for Unreadable {
            fn entry_point(&self) -> EntryPoint {
                |there, back| {
                    back.extend(there);
                    Ok(())
                }
            }
            fn encode(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
                out.extend(self.0.to_le_bytes());
                Ok(())
            }
            fn decode(bytes: &[u8]) -> Result<u32, Failure> {
                assert_ne!(bytes[0], 2, "who wrote this?");
                Ok(bytes[0].into())
            }
        }
        let parallel = Parallel::new(1).backend(registered("sends", || ThereAndBack));
        let outcomes = parallel.outcomes((0..5).map(Unreadable)).unwrap();
        for (index, outcome) in outcomes.iter().enumerate() {
            match outcome {
                Ok(value) => assert_eq!(*value as usize, index),
                Err(error) => assert_eq!((index, error.index()), (2, 2)),
            }
        }
        let error = outcomes[2].as_ref().unwrap_err().to_string();
        assert!(error.contains("who wrote this?"), "{error}");
    }

    #[test]
    fn a_result_of_another_call_is_refused() {
        struct Forgetful(Mutex<Option<AnyOutput>>);
        impl Backend<AnyTask> for Forgetful {
            fn drive(&self, _: usize, work: &Work<'_, AnyTask>) -> Result<(), BackendError> {
                while let Some(batch) = work.take() {
                    for (index, task) in batch {
                        let late = self.0.lock().unwrap().replace(task.call());
                        if let Some(late) = late {
                            work.finish(index, Ok(late));
                        }
                    }
                }
                Ok(())
            }
        }
        let backend = registered("forgetful", || Forgetful(Mutex::new(None)));
        let parallel = Parallel::new(1).backend(backend);
        let error = parallel.map(|i: u32| i, 0..1).unwrap_err().to_string();
        assert!(error.contains("without an outcome for task 0"), "{error}");
        let Err(Error::Task(error)) = parallel.map(|i: u64| i, 0..1) else {
            panic!("a u32 is no u64");
        };
        assert!(matches!(error.failure(), Failure::Decode { type_name, .. } if type_name == "u64"));
    }

    #[test]
    fn tasks_may_be_given_back_and_only_those() {
        /// Gives back each batch once, in pieces.
        struct Hesitant;
        impl<T: Task> Backend<T> for Hesitant {
            fn drive(&self, _: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
                let hesitates = AtomicBool::new(false);
                while let Some(batch) = work.take() {
                    if hesitates.fetch_not(Ordering::Relaxed) {
                        batch
                            .into_iter()
                            .for_each(|(index, task)| work.finish(index, task.attempt()));
                    } else {
                        work.give_back(batch);
                    }
                }
                Ok(())
            }
        }
        let backend = registered("hesitant", || Hesitant);
        let parallel = Parallel::new(1).backend(backend).batch_size(7);
        assert!(parallel.map(|i| i, 0..100).unwrap().into_iter().eq(0..100));
    }

    #[test]
    fn what_a_task_inherits_is_there_when_it_is_called() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        struct Counting;
        impl<T: Task + Send> Backend<T> for Counting
        where
            T::Output: Send,
        {
            fn drive(&self, lanes: usize, work: &Work<'_, T>) -> Result<(), BackendError> {
                CALLS.fetch_add(1, Ordering::Relaxed);
                Relay.drive(lanes, work)
            }
        }
        use super::Relay;
        register_backend("counting", || Counting).unwrap();
        let inside = |_| {
            Parallel::configured()
                .map(|i: usize| i, 0..3)
                .unwrap()
                .len()
        };
        let scope = config().backend("counting").n_jobs(2);
        let lengths = scope.scope(|| Parallel::configured().map(inside, 0..4));
        assert_eq!(lengths.unwrap(), [3; 4]);
        assert_eq!(CALLS.load(Ordering::Relaxed), 1 + 4);
    }

    #[test]
    fn an_unfit_name_is_refused() {
        for name in ["threads", "loky", "", "a:b", "a b", "a,b"] {
            let error = register_backend(name, || ThereAndBack).unwrap_err();
            assert!(error.to_string().contains("choose another name"), "{error}");
        }
    }

    #[test]
    fn a_name_is_listed_and_can_be_given_anew() {
        let error = AnyBackend::named("tomorrow").unwrap_err().to_string();
        assert!(!error.contains(", tomorrow"), "{error}");
        let first = registered("tomorrow", || ThereAndBack);
        let error = AnyBackend::named("today").unwrap_err().to_string();
        assert!(error.contains(", tomorrow"), "{error}");
        let error = AnyBackend::named("tomorrow:when=soon").unwrap_err();
        assert!(error.to_string().contains("has no option"), "{error}");
        registered("tomorrow", parallel::Sequential::new);
        assert_eq!(
            Parallel::new(2).backend(first).map(|i| i, 0..3).unwrap(),
            [0, 1, 2]
        );
        let second = AnyBackend::named("tomorrow").unwrap();
        assert_eq!(
            Parallel::new(2).backend(second).map(|i| i, 0..3).unwrap(),
            [0, 1, 2]
        );
    }
}
