//! The reference.

use parallel::Sequential;

#[path = "behaviours/mod.rs"]
mod behaviours;
#[path = "behaviours/places.rs"]
mod places;

type Here = Sequential;

/// Whether calls inside of tasks get a share of the CPUs, not all.
const SHARES_CPUS: bool = false;
/// Whether a task belongs to a batch where it is called.
const IN_BATCHES: bool = true;
/// Whether batches travel far: for milliseconds, to any worker that is free.
const FAR: bool = false;

fn here() -> Here {
    Sequential::new()
}

fn parallel(n_jobs: i32) -> parallel::Parallel<Here> {
    parallel::Parallel::new(n_jobs).backend(here())
}

mod alone {
    use std::rc::Rc;

    use parallel::{Parallel, Sequential, delayed};

    #[test]
    fn tasks_need_not_be_send() {
        let parallel = Parallel::new(3).backend(Sequential::new());
        let lengths = parallel.run(["a", "bc"].map(|s| delayed(|s: &str| Rc::new(s.len()), s)));
        assert_eq!(lengths.unwrap(), [Rc::new(1), Rc::new(2)]);
    }

    #[test]
    fn each_task_runs_before_the_next_is_pulled() {
        use std::cell::RefCell;
        thread_local!(static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });
        let log = |text: String| LOG.with_borrow_mut(|log| log.push(text));
        let tasks = (0..3).map(move |i| {
            log(format!("pull {i}"));
            delayed(move |i| log(format!("run {i}")), i)
        });
        Parallel::new(1)
            .backend(Sequential::new())
            .run(tasks)
            .unwrap();
        assert_eq!(
            LOG.take(),
            ["pull 0", "run 0", "pull 1", "run 1", "pull 2", "run 2"]
        );
    }
}
