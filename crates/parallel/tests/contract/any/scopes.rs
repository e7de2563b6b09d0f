//! What scopes choose, and for whom.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::id;
use std::sync::Barrier;

use parallel::{
    AnyBackend, Error, Failure, Parallel, Processes, Sequential, Threads, config, cpu_share,
    delayed,
};

use crate::tools::with_deadline;

/// Where the tasks of a configured call run.
fn pid() -> u32 {
    let pids = Parallel::configured().n_jobs(1).map(|_| id(), 0..1);
    pids.unwrap()[0]
}

fn jobs() -> usize {
    Parallel::configured().effective_n_jobs().unwrap()
}

#[test]
fn a_scope_chooses_and_ends() {
    assert_eq!((pid(), jobs()), (id(), cpu_share()));
    config().backend("processes").n_jobs(7).scope(|| {
        assert_ne!(pid(), id());
        assert_eq!(jobs(), 7);
    });
    assert_eq!((pid(), jobs()), (id(), cpu_share()));
}

#[test]
fn an_inner_scope_overrides_what_it_sets() {
    config().backend("processes").n_jobs(7).scope(|| {
        let outer = pid();
        config()
            .n_jobs(5)
            .scope(|| assert_eq!((pid(), jobs()), (outer, 5)));
        config()
            .backend("threads")
            .scope(|| assert_eq!((pid(), jobs()), (id(), 7)));
        config().scope(|| assert_eq!((pid(), jobs()), (outer, 7)));
        assert_eq!((pid(), jobs()), (outer, 7));
    });
}

#[test]
fn a_scope_ends_with_a_panic_too() {
    let fail = || assert_ne!(jobs(), 7, "as it must be");
    let scope = || config().n_jobs(7).scope(fail);
    assert!(catch_unwind(AssertUnwindSafe(scope)).is_err());
    assert_eq!(jobs(), cpu_share());
}

#[test]
fn a_scope_is_its_threads() {
    config().n_jobs(7).scope(|| {
        let there = std::thread::spawn(jobs).join().unwrap();
        assert_eq!((jobs(), there), (7, cpu_share()));
    });
}

#[test]
fn a_scope_has_one_set_of_workers() {
    let choice = config().backend("processes");
    let (first, second) = choice.scope(|| (pid(), pid()));
    assert_eq!(first, second);
    assert_eq!(choice.scope(pid), first, "the same choice again");
    assert_ne!(config().backend("processes").scope(pid), first);
}

#[test]
fn what_code_asks_for_wins() {
    config().backend("processes").n_jobs(7).scope(|| {
        let parallel = Parallel::configured().n_jobs(2);
        assert_eq!(parallel.effective_n_jobs().unwrap(), 2);
        let parallel = Parallel::configured().backend(Threads::new());
        assert_eq!(parallel.effective_n_jobs().unwrap(), 7);
        assert_eq!(parallel.map(|_| id(), 0..3).unwrap(), [id(); 3]);
        assert_eq!(Parallel::new(3).effective_n_jobs().unwrap(), 3);
        assert_eq!(Parallel::new(3).map(|_| id(), 0..3).unwrap(), [id(); 3]);
    });
}

#[test]
fn an_unknown_choice_is_an_error_of_each_call() {
    config().backend("proceses").scope(|| {
        let parallel = Parallel::configured();
        for _ in 0..2 {
            let Err(Error::Backend(error)) = parallel.map(|i| i, 0..3) else {
                panic!("there is no such backend");
            };
            assert!(error.to_string().contains("\"proceses\""), "{error}");
            assert!(matches!(
                parallel.outcomes((0..3).map(|i| delayed(|i| i, i))),
                Err(Error::Backend(_))
            ));
        }
        config()
            .backend("threads")
            .scope(|| assert_eq!(pid(), id()));
    });
    let none = config()
        .n_jobs(0)
        .scope(|| Parallel::configured().map(|i| i, 0..3));
    assert!(matches!(none, Err(Error::NoJobs)));
}

#[test]
fn a_backend_may_be_handed_over() {
    for (backend, here) in [
        (AnyBackend::from(Sequential::new()), true),
        (Threads::new().into(), true),
        (Processes::new().into(), false),
        (AnyBackend::new(Processes::new()), false),
        (String::from("processes").into(), false),
        ("threading".parse().unwrap(), true),
        ("loky".parse().unwrap(), false),
    ] {
        assert_eq!(config().backend(backend).scope(pid) == id(), here);
    }
}

#[test]
fn options_are_followed() {
    fn nap(millis: u64) -> String {
        std::thread::sleep(std::time::Duration::from_millis(millis));
        std::env::var("OVEN").unwrap()
    }
    let choice = config().backend("processes:timeout=200ms, retries=1, env.OVEN=hot");
    let outcomes = with_deadline(|| {
        let tasks = [0, 60_000].map(|millis| delayed(nap, millis));
        choice.scope(|| Parallel::configured().n_jobs(2).outcomes(tasks))
    });
    let outcomes = outcomes.unwrap();
    assert_eq!(outcomes[0].as_ref().unwrap(), "hot");
    let error = outcomes[1].as_ref().unwrap_err();
    assert!(matches!(error.failure(), Failure::TimedOut { .. }));
    assert_eq!(error.attempts(), 2);
}

#[test]
fn every_thread_of_a_call_inherits() {
    let all = Barrier::new(3);
    let inside = |_| {
        // Each of the three threads is in a task at this time.
        all.wait();
        pid()
    };
    let pids = with_deadline(|| {
        config()
            .backend("processes")
            .scope(|| Parallel::new(3).batch_size(1).map(inside, 0..3))
    });
    assert!(pids.unwrap().into_iter().all(|there| there != id()));
}

#[test]
fn one_after_the_other_inherits_too() {
    let inside = |_| (pid() != id(), jobs());
    let parallel = Parallel::new(3).backend(Sequential::new());
    let choice = config().backend("processes").n_jobs(7);
    let there = choice.scope(|| parallel.map(inside, 0..2)).unwrap();
    assert_eq!(there, [(true, cpu_share()); 2]);
}

/// The process of a task, and that of a call inside of it.
fn both(_: u32) -> (u32, u32) {
    (id(), pid())
}

#[test]
fn workers_inherit_for_the_time_of_a_call() {
    let parallel = Parallel::new(1).backend(Processes::new());
    let call = || parallel.map(both, 0..1).unwrap()[0];
    let (worker, inner) = call();
    assert_eq!(worker, inner, "threads, as long as nobody chooses");
    let choice = config().backend("processes:retries=1");
    let (same, first) = choice.scope(call);
    assert_eq!(same, worker);
    assert!(first != worker && first != id());
    let (_, second) = choice.scope(call);
    assert_eq!(second, first, "its own workers stay warm");
    assert_eq!(config().backend("threads").scope(call), (worker, worker));
    choice.scope(call);
    assert_eq!(call(), (worker, worker), "nobody chooses any more");
}

#[test]
fn workers_that_replace_others_inherit() {
    fn fragile(i: u32) -> (u32, u32) {
        if i % 3 == 1 {
            std::process::abort();
        }
        both(i)
    }
    let outcomes = with_deadline(|| {
        config().backend("processes").scope(|| {
            Parallel::new(2)
                .backend(Processes::new().max_tasks_per_worker(2))
                .outcomes((0..12).map(|i| delayed(fragile, i)))
        })
    });
    let pids: Vec<_> = outcomes
        .unwrap()
        .into_iter()
        .filter_map(Result::ok)
        .collect();
    assert_eq!(pids.len(), 8);
    assert!(pids.into_iter().all(|(worker, inner)| worker != inner));
}

#[test]
fn what_has_no_name_stays_here() {
    let parallel = Parallel::new(1).backend(Processes::new());
    let there = config()
        .backend(Processes::new())
        .scope(|| parallel.map(both, 0..1));
    let (worker, inner) = there.unwrap()[0];
    assert_eq!(worker, inner);
}

/// The jobs that a call gets inside of a task, without and with a scope there.
fn jobs_inside(_: u32) -> (usize, usize) {
    (jobs(), config().n_jobs(3).scope(jobs))
}

#[test]
fn inside_of_a_task_the_share_counts_unless_a_scope_is_entered_there() {
    let share = (cpu_share() / 2).max(1);
    for backend in ["threads", "processes"] {
        let choice = config().backend(backend).n_jobs(2);
        let inside = choice.scope(|| Parallel::configured().map(jobs_inside, 0..4));
        assert_eq!(inside.unwrap(), [(share, 3); 4], "{backend}");
    }
}

#[test]
fn a_warm_worker_has_the_share_of_the_call() {
    let backend = AnyBackend::named("processes").unwrap();
    let share = |n_jobs: usize| {
        let parallel = Parallel::new(n_jobs).backend(backend.clone());
        parallel.map(|_| (id(), cpu_share()), 0..1).unwrap()[0]
    };
    let (first, all) = share(1);
    let (second, none) = share(2 * all);
    assert_eq!((all, none), (cpu_share(), 1));
    assert_eq!(first, second);
    assert_eq!(share(1), (first, all));
}
